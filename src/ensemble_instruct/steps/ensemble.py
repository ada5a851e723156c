"""Step 5: keep the output that the models agree on, or drop the row; no model is asked (paper, section 3.4).

A strategy looks at the outputs of one instance, its own first, and says which stays and how sure that is. The three
of the original are defined for exactly three outputs; `consensus` takes any number, in any order.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from dataclasses import dataclass

from ensemble_instruct.records import INSTANCE_VOTER, Candidate, Example, Instance, Rejected, Strategy
from ensemble_instruct.similarity import lcs_f1, normalised, rouge_l, word_tokens
from ensemble_instruct.streams import drawn

DEFAULT_MIN_AGREEMENT = 0.2


@dataclass(frozen=True, slots=True)
class Selection:
    """How step 5 decides: the strategy, and what an example must reach.

    `threshold` belongs to the strategies of three; `min_agreement` or `keep` to all. For `consensus`, when
    neither is given, the mean agreement must be at least 0.2.
    """

    strategy: Strategy = "consensus"
    threshold: float = 0.01
    min_agreement: float | None = None
    keep: float | None = None

    @property
    def least(self) -> float:
        """The agreement that an example needs, unless `keep` decides."""
        if self.min_agreement is not None:
            return self.min_agreement
        return DEFAULT_MIN_AGREEMENT if self.strategy == "consensus" and self.keep is None else 0.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The place of the chosen output, or None with the reason; and each output's mean agreement."""

    place: int | None
    agreement: float
    scores: tuple[float, ...]
    reason: str = ""


def agreement_matrix(outputs: Sequence[str]) -> list[list[float]]:
    """Pairwise agreement, 0 to 1, symmetric: 1 for texts equal once normalised, else stemmed ROUGE-L F1.

    Tokens are those of every script. An empty text agrees with nothing, not even another one.
    """
    forms = [normalised(text) or text.strip() for text in outputs]
    tokens = [word_tokens(form, stem=True) for form in forms]
    matrix = [[0.0] * len(outputs) for _ in outputs]
    for i, form in enumerate(forms):
        for j in range(i):
            equal = bool(form) and form == forms[j]
            matrix[i][j] = matrix[j][i] = 1.0 if equal else lcs_f1(tokens[i], tokens[j])
    return matrix


def mean_agreements(outputs: Sequence[str]) -> tuple[float, ...]:
    """For each output its mean agreement with the others; exact sums, so that their order does not matter."""
    others = max(1, len(outputs) - 1)
    return tuple(math.fsum(row) / others for row in agreement_matrix(outputs))


def consensus(outputs: Sequence[str]) -> Choice:
    """The output with the highest mean agreement with the others.

    Of equal ones the shorter text, then the first in alphabetical order: the order of the voters never matters.
    """
    scores = mean_agreements(outputs)
    filled = [place for place, text in enumerate(outputs) if text.strip()]
    if not filled:
        return Choice(None, 0.0, scores, "empty_outputs")
    best = min(filled, key=lambda place: (-scores[place], len(outputs[place]), outputs[place]))
    return Choice(best, scores[best], scores)


def released(outputs: Sequence[str], threshold: float, *, keeps_instance: bool = False) -> Choice:
    """The original's rule since February 2024, for (instance, voter, voter).

    `keeps_instance` gives the rule of the data published in 2023: the instance's output stays also when the two
    voters agree against it.
    """
    own, first, second = (normalised(text) for text in outputs)
    scores = mean_agreements(outputs)
    if own in (first, second):
        return Choice(0, scores[0], scores)
    if first == second:
        place = 0 if keeps_instance else 1
        return Choice(place, scores[place], scores)
    pairs = _pair_scores(outputs)
    if min(pairs) <= threshold:
        return Choice(None, max(scores), scores, "disagreement")
    sums = (pairs[0] + pairs[1], pairs[0] + pairs[2], pairs[1] + pairs[2])
    place = sums.index(max(sums))
    if not outputs[place]:
        return Choice(None, max(scores), scores, "empty_output")
    return Choice(place, scores[place], scores)


def algorithm1(outputs: Sequence[str], threshold: float) -> Choice:
    """Algorithm 1 of the paper: if all pairs are above the threshold, the first of the highest pair."""
    pairs, scores = _pair_scores(outputs), mean_agreements(outputs)
    if min(pairs) <= threshold:
        return Choice(None, max(scores), scores, "disagreement")
    place = (0, 0, 1)[pairs.index(max(pairs))]
    return Choice(place, scores[place], scores)


def _pair_scores(outputs: Sequence[str]) -> tuple[float, float, float]:
    own, first, second = (normalised(text) for text in outputs)
    return (
        rouge_l(own, first, stem=True), rouge_l(own, second, stem=True), rouge_l(first, second, stem=True)
    )  # fmt: skip


def choose(outputs: Sequence[str], selection: Selection) -> Choice:
    """What the strategy chooses among the outputs of one instance, its own first."""
    if selection.strategy == "consensus":
        return consensus(outputs)
    if len(outputs) != 3:
        return Choice(None, 0.0, mean_agreements(outputs), "missing_output")
    if selection.strategy == "algorithm1":
        return algorithm1(outputs, selection.threshold)
    return released(outputs, selection.threshold, keeps_instance=selection.strategy == "published")


def decide(instance: Instance, candidates: Sequence[Candidate], selection: Selection) -> Example | Rejected:
    """The example that an instance becomes, or its drop. `keep` is applied by `keep_share`."""
    own = Candidate(instance.id, INSTANCE_VOTER, instance.output, request_key=instance.request_key)
    voices = (own, *candidates)
    outputs = [voice.text for voice in voices]
    choice = choose(outputs, selection)
    if choice.place is None:
        return _rejected(instance, choice.reason, f"agreement {choice.agreement:.3f}", voices)
    output = outputs[choice.place]
    if choice.agreement < selection.least:
        return _rejected(instance, "low_agreement", f"{choice.agreement:.3f} < {selection.least:g}", voices)
    winners = tuple(sorted(voice.voter for voice in voices if voice.text == output))
    return Example(instance, output, winners, choice.agreement, voices, choice.scores)


def keep_share(examples: Sequence[Example], share: float, rows: int) -> list[Example | Rejected]:
    """The most agreed-on examples up to a share of all `rows` of step 5, the others as drops, in their order.

    Of equal agreements those with the lower id stay, whatever the order of the rows.
    """
    quota = math.floor(share * rows + 0.5)
    ranked = sorted(
        range(len(examples)), key=lambda place: (-examples[place].agreement, examples[place].instance.id, place)
    )
    kept = set(ranked[:quota])
    return [
        example
        if place in kept
        else _rejected(
            example.instance, "below_share", f"agreement {example.agreement:.3f}, not in {share:g}", example.candidates
        )
        for place, example in enumerate(examples)
    ]


async def make_examples(
    answered: AsyncIterable[tuple[Instance, tuple[Candidate, ...]]], selection: Selection
) -> AsyncGenerator[Example | Rejected, None]:
    """Yield the example or the drop of each instance, in order."""
    async with drawn(answered) as source:
        async for instance, candidates in source:
            yield decide(instance, candidates, selection)


def _rejected(instance: Instance, reason: str, detail: str, voices: Sequence[Candidate]) -> Rejected:
    return Rejected(
        "ensemble", reason, f"{instance.instruction}\n{instance.input}".strip(), instance.kind, instance.id,
        instance.request_key, detail, candidates=tuple(voices),
    )  # fmt: skip
