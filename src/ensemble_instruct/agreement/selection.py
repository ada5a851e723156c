"""How step 5 decides a row: the settings of a selection, the ballot of a row, the example or the drop it becomes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from ensemble_instruct.agreement.answers import source_of
from ensemble_instruct.agreement.ballots import Ballot, Matrix, agreement_of, ballot, mean_agreements, original_ballot
from ensemble_instruct.agreement.choices import Choice, Question
from ensemble_instruct.agreement.ratings import Ratings
from ensemble_instruct.agreement.strategies import choose
from ensemble_instruct.agreement.task_ballots import task_ballot
from ensemble_instruct.agreement.utilities import (
    PURE,
    ROUGE_L,
    Comparer,
    Texts,
    Weights,
    is_pure,
    mixed,
    normalised_weights,
)
from ensemble_instruct.agreement.voters.learned import Voters
from ensemble_instruct.agreement.voters.standing import View
from ensemble_instruct.config.quality import QualitySection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import UsageError
from ensemble_instruct.quality.filters import NO_FILTERS, Filters
from ensemble_instruct.records import (
    DEFAULT_STRATEGY,
    DEFAULT_STRATEGY_ELSE,
    INSTANCE_VOTER,
    KINDS,
    OF_THREE,
    RATED,
    Answered,
    Basis,
    Candidate,
    Example,
    Instance,
    Kind,
    Rejected,
    Strategy,
    Utility,
)

DEFAULT_MIN_CONFIDENCE: Mapping[Utility, float] = {
    "exact": 0.5,
    "rouge-l": 0.2,
    "chrf": 0.2,
    "embedding": 0.55,
    "judge": 0.5,
}
"""The default of `min_confidence`, by what agreement means: of three models' outputs about half reach it with
`rouge-l`, `chrf` and `embedding`; with `exact` and `judge` it is that of one output with one of two others.
"""
DEFAULT_MIN_CONFIDENCE_BALANCED: Mapping[Utility, float] = {
    "exact": 0.3, "rouge-l": 0.15, "chrf": 0.15, "embedding": 0.45, "judge": 0.3
}  # fmt: skip
"""The same for the strategies `vouched` and `balanced`, which take something off."""
LEAST_RATING = 0.5
"""The default of `min_confidence` for the strategy `judged`: a mean rating of 3 of 5."""
_WITHOUT_LEAST: tuple[Strategy, ...] = (*OF_THREE, "random", "reward", "single")
"""Strategies of which an example needs no confidence by default."""
NOTHING_LEARNED = Voters()
"""Of any voter."""
BOUNDS = ("min_confidence", "keep")
"""Settings of which a selection has one at most: what an example must reach, or what share stays."""
OLD_BOUND = "min_agreement"
"""The old name of the first, by which users may still call it."""
SETTINGS = ("strategy", "utility", "threshold", *BOUNDS)
"""What `Selection.changed` takes, as the options of commands are called."""
WITH_A_VIEW: tuple[Strategy, ...] = ("vouched", "balanced", "single")
"""Strategies that look at how the voters do over all rows."""


@dataclass(frozen=True, slots=True)
class Selection:
    """How step 5 decides: the strategy, what agreement means, and what an example must reach.

    `threshold` belongs to the strategies of three; `min_confidence` or `keep` to all, never both: that raises
    `UsageError`. When neither is set and agreement is ROUGE-L's, the confidence must be at least 0.15 for `vouched` and
    `balanced`, and 0.2 for `consensus`; see `DEFAULT_MIN_CONFIDENCE` for others.
    """

    strategy: Strategy = DEFAULT_STRATEGY
    threshold: float = 0.01
    min_confidence: float | None = None
    keep: float | None = None
    weights: tuple[Weights, Weights] = (ROUGE_L, ROUGE_L)
    """What agreement means for each kind, in the order of `KINDS`: utilities with their weights, whatever their sum.
    The strategies of three have a meaning of their own."""
    results: bool = True
    """Whether outputs that end in a result agree by it (`vouched`)."""
    trust: tuple[tuple[str, float], ...] = ()
    """Voters whom the user trusts more or less than others, with how much (`vouched`)."""
    twins: tuple[tuple[str, str], ...] = ()
    """Voters that are another one under a second name, with that one: they vote once (`vouched`)."""

    def __post_init__(self) -> None:
        if self.min_confidence is not None and self.keep is not None:
            raise UsageError("give either 'min_confidence' or 'keep', not both")

    @classmethod
    def of(cls, config: Config) -> Selection:
        """How a config says that step 5 decides."""
        section = config.ensemble
        first, second = (tuple(section.utility.of(kind).items()) for kind in KINDS)
        return cls(
            strategy=config.strategy,
            threshold=section.threshold,
            min_confidence=section.min_confidence,
            keep=section.keep,
            weights=(first, second),
            results=section.results,
            trust=tuple(sorted(config.trust.items())),
            twins=tuple(sorted(config.twins.items())),
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The same as keys of a config's section `ensemble`."""
        return {
            "strategy": self.strategy,
            "utility": {kind: dict(weights) for kind, weights in zip(KINDS, self.weights, strict=True)},
            "threshold": self.threshold,
            "min_confidence": self.min_confidence,
            "keep": self.keep,
            "results": self.results,
        }

    def changed(
        self,
        *,
        strategy: Strategy | None = None,
        utility: Mapping[Utility, float] | None = None,
        threshold: float | None = None,
        min_confidence: float | None = None,
        keep: float | None = None,
    ) -> Selection:
        """The same with those settings that are not None; a `utility` is that of both kinds.

        A strategy, a utility, `min_confidence` or `keep` takes the place of what `min_confidence` and `keep` were: a
        confidence by another measure is another number. `vouched` is `balanced` with another utility than ROUGE-L's.
        Raises `UsageError` for both bounds at once.
        """
        stays = strategy is None and not utility and min_confidence is None and keep is None
        weights = tuple(utility.items()) if utility else ()
        is_foreign = self.strategy == DEFAULT_STRATEGY and any(name != "rouge-l" for name, _ in weights)
        return replace(
            self,
            strategy=strategy or (DEFAULT_STRATEGY_ELSE if is_foreign else self.strategy),
            threshold=self.threshold if threshold is None else threshold,
            min_confidence=self.min_confidence if stays else min_confidence,
            keep=self.keep if stays else keep,
            weights=(weights, weights) if weights else self.weights,
        )

    @property
    def words(self) -> tuple[str, ...]:
        """The same for a reader: what of it has an effect, a setting each, with the least confidence by default."""
        if self.strategy in OF_THREE:
            meaning = f"threshold {self.threshold:g}"
        else:
            meaning = f"utility {_for_each_kind({kind: _mixture(self.weights_of(kind)) for kind in KINDS})}"
        least = {kind: f"{self.least(kind):.3g}" for kind in KINDS}
        bound = f"min_confidence {_for_each_kind(least)}" if self.keep is None else f"keep {self.keep:g}"
        return f"strategy {self.strategy}", meaning, bound

    def weights_of(self, kind: Kind) -> Weights:
        """The utilities for one kind; their weights add up to 1."""
        return _normalised(self.weights[KINDS.index(kind)])

    def least(self, kind: Kind) -> float:
        """The confidence that an example of a kind needs, unless `keep` decides."""
        if self.min_confidence is not None:
            return self.min_confidence
        if self.keep is not None or self.strategy in _WITHOUT_LEAST:
            return 0.0
        if self.strategy == "judged":
            return LEAST_RATING
        least = DEFAULT_MIN_CONFIDENCE if self.strategy == "consensus" else DEFAULT_MIN_CONFIDENCE_BALANCED
        return sum(weight * least[utility] for utility, weight in self.weights_of(kind))

    def is_final_at_once(self, quality: QualitySection) -> bool:
        """Whether the first of the two looks of step 5 decides for good: see `steps.ensemble`."""
        needs_all_rows = self.keep is not None or self.strategy in (*WITH_A_VIEW, *RATED)
        return not needs_all_rows and all(map(is_pure, self.weights)) and not quality.is_on

    @property
    def provisional(self) -> Selection:
        """The same without utilities and ratings that need a model: what the first look goes by."""
        first, second = (weights if is_pure(weights) else ROUGE_L for weights in self.weights)
        if self.strategy in RATED:
            # a threshold for ratings is none for agreement
            return Selection(DEFAULT_STRATEGY_ELSE, weights=(first, second))
        return replace(self, weights=(first, second))


def least_confidence(min_confidence: float | None, min_agreement: float | None, keep: float | None) -> float | None:
    """`min_confidence`, which a caller may give by its old name; raises `UsageError` for two of the three.

    The warning names the line that called who calls this.
    """
    if min_agreement is None:
        return min_confidence
    if min_confidence is not None:
        raise UsageError("give either 'min_confidence' or 'min_agreement', not both")
    if keep is not None:
        raise UsageError("give either 'min_agreement' or 'keep', not both")
    warnings.warn("min_agreement is called min_confidence now", DeprecationWarning, stacklevel=3)
    return min_agreement


@lru_cache(maxsize=16)
def _normalised(weights: Weights) -> Weights:
    # remembered, as each of a million rows asks for the same two
    return normalised_weights(dict(weights))


def _mixture(weights: Weights) -> str:
    return " + ".join(utility if len(weights) == 1 else f"{weight:.3g} {utility}" for utility, weight in weights)


def _for_each_kind(words: Mapping[Kind, str]) -> str:
    if len(set(words.values())) == 1:
        return words[KINDS[0]]
    return " and ".join(f"{text} ({kind})" for kind, text in words.items())


Comparers = Mapping[Utility, Comparer]


def outputs_of(row: Answered) -> tuple[str, ...]:
    """The outputs of an instance, its own first, if it has one."""
    own, others = row.instance.output, (candidate.text for candidate in row.candidates)
    return (own, *others) if own else tuple(others)


def voter_names(row: Answered) -> tuple[str, ...]:
    """Who gave each output."""
    others = (candidate.voter for candidate in row.candidates)
    return (INSTANCE_VOTER, *others) if row.instance.output else tuple(others)


def voices_of(row: Answered) -> tuple[Candidate, ...]:
    """The outputs of an instance with who gave them, its own first, if it has one."""
    instance = row.instance
    if not instance.output:
        return row.candidates
    return (Candidate(instance.id, INSTANCE_VOTER, instance.output, request_key=instance.request_key), *row.candidates)


def ballots_of(
    rows: Sequence[Answered], selection: Selection, comparers: Comparers = PURE, voters: Voters = NOTHING_LEARNED
) -> list[Ballot]:
    """The ballot of each row; no output must only repeat its input (or its instruction)."""
    heard = [voters.heard(voter_names(row)) for row in rows]
    return ballots_for([(row.instance, outputs_of(row)) for row in rows], selection, comparers, heard)


def ballots_for(
    texts: Sequence[Texts],
    selection: Selection,
    comparers: Comparers = PURE,
    heard: Sequence[tuple[int, ...]] | None = None,
) -> list[Ballot]:
    """The same for outputs of which it makes no difference who gave them, but for the places that are heard in each."""
    if selection.strategy in OF_THREE:
        return [original_ballot(outputs, _echoed(instance)) for instance, outputs in texts]
    ballots: dict[int, Ballot] = {}
    for kind in KINDS:
        places = [place for place, (instance, _) in enumerate(texts) if instance.kind == kind]
        weights = selection.weights_of(kind)
        of_kind = [texts[place] for place in places]
        matrices = [None] * len(places) if weights == ROUGE_L else mixed(weights, comparers, of_kind)
        for place, (instance, outputs), matrix in zip(places, of_kind, matrices, strict=True):
            if selection.strategy == "vouched":
                ballots[place] = task_ballot(
                    instance, outputs, matrix, with_results=selection.results, heard=heard[place] if heard else ()
                )
            else:
                ballots[place] = ballot(outputs, _echoed(instance), matrix)
    return [ballots[place] for place in range(len(texts))]


def _echoed(instance: Instance) -> str:
    return source_of(instance.instruction, instance.input)


def decide(
    row: Answered,
    selection: Selection,
    ballot: Ballot,
    view: View | None = None,
    filters: Filters = NO_FILTERS,
    ratings: Ratings = (),
) -> Example | Rejected:
    """The example that an instance becomes, or its drop; `keep` is applied later, with all rows in view."""
    instance = row.instance
    if filters.are_on:
        if hit := filters.task_hit(instance):
            return rejected_row(instance, hit.reason, hit.detail, voices_of(row))
        ballot = replace(ballot, barred=filters.output_hits(instance, ballot.outputs, ballot.repetition))
    key = instance.id if selection.strategy == "random" else ""  # a hash: it takes longer than all else of a question
    question = Question(ballot, voter_names(row), key, view or View(), selection.threshold, ratings)
    choice = decided(question, selection, instance.kind)
    if choice.place is None:
        return rejected_row(instance, choice.reason, choice.detail, voices_of(row))
    barred = tuple(hit.reason if hit else "" for hit in ballot.barred)
    # ROUGE-L's matrix has 1 where two say the same, so nothing needs to be compared once more
    is_seen = selection.strategy not in OF_THREE and selection.weights_of(instance.kind) == ROUGE_L
    agreement = choice.scores[choice.place] if is_seen else None
    marks = Marks(choice.confidence, ballot.basis, choice.ranks, ratings, choice.scores, agreement)
    return chosen_example(row, ballot.outputs[choice.place], ballot.matrix, barred, marks)


def decided(question: Question, selection: Selection, kind: Kind) -> Choice:
    """What the strategy chooses, or nothing where it is too unsure of that; the detail says how sure it is."""
    choice = choose(question, selection.strategy)
    if choice.place is None:
        return replace(choice, detail=choice.detail or f"confidence {choice.confidence:.3f}")
    if not choice.is_agreed_on and selection.min_confidence != 0:
        reason = "low_confidence" if question.ballot.has_same_answers else "all_differ"
        return replace(choice, place=None, reason=reason, detail=f"no other is the same, {choice.confidence:.3f}")
    if selection.keep is not None and selection.strategy == "vouched" and not choice.confidence:
        return replace(choice, place=None, reason="low_confidence", detail="0.000, nobody vouches for it")
    if choice.confidence < (least := selection.least(kind)):
        return replace(choice, place=None, reason="low_confidence", detail=f"{choice.confidence:.3f} < {least:g}")
    return choice


def surest(ids: Sequence[int], confidences: Sequence[float], share: float, rows: int) -> bytearray:
    """For each row that may be kept 1 or 0, so that a `share` of all `rows` is kept.

    Those with the highest confidence are kept; of equal ones those with the lower id, whatever the order of the rows.
    """
    # two stable sorts instead of one by pairs, which would have to be made
    ranked = sorted(range(len(ids)), key=ids.__getitem__)
    ranked.sort(key=lambda number: -confidences[number])
    stays = bytearray(len(ranked))
    for number in ranked[: math.floor(share * rows + 0.5)]:
        stays[number] = 1
    return stays


def below_share(confidence: float, share: float) -> str:
    """Why a row does not stay that may, in words."""
    return f"confidence {confidence:.3f}, not in {share:g}"


class Marks(NamedTuple):
    """What an example keeps of how its output was chosen."""

    confidence: float
    basis: Basis
    ranks: tuple[float, ...]
    ratings: Ratings
    scores: tuple[float, ...] = ()
    """Each output's mean agreement; empty: not known yet."""
    agreement: float | None = None
    """Where it is known."""


def chosen_example(row: Answered, output: str, matrix: Matrix, barred: tuple[str, ...], marks: Marks) -> Example:
    """The example that a row becomes with the output that was chosen."""
    voices = voices_of(row)
    texts = [voice.text for voice in voices]
    winners = tuple(sorted(voice.voter for voice in voices if voice.text == output))
    return Example(
        instance=row.instance,
        output=output,
        winners=winners,
        agreement=agreement_of(texts, texts.index(output), matrix) if marks.agreement is None else marks.agreement,
        confidence=marks.confidence,
        basis=marks.basis,
        candidates=voices,
        scores=marks.scores or mean_agreements(matrix),
        matrix=matrix,
        barred=barred,
        ranks=marks.ranks,
        ratings=marks.ratings,
    )


def rejected_row(instance: Instance, reason: str, detail: str, voices: Sequence[Candidate]) -> Rejected:
    """The drop that an instance becomes."""
    return Rejected(
        step="ensemble", reason=reason, text=f"{instance.instruction}\n{instance.input}".strip(),
        kind=instance.kind, source=instance.id, request_key=instance.request_key, detail=detail,
        candidates=tuple(voices),
    )  # fmt: skip
