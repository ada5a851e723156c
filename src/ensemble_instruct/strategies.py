"""How step 5 chooses among the outputs of one instance, its own first; pure functions, no model is asked.

A strategy says which output stays and how sure that is. `released`, `published` and `algorithm1` are the original's
(paper, section 3.4) and defined for exactly three outputs; the others take any number, in any order:

* `consensus`: the highest mean agreement with the others.
* `balanced`: the same, less what speaks against an output by itself: that it repeats itself, that it is short (two
  outputs that say little agree easily, so agreement alone favours short ones), and that its voter agrees with the
  others much less than most voters do, over the whole run. What that is worth was measured: docs/agreement.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from ensemble_instruct.records import Strategy
from ensemble_instruct.similarity import lcs_f1, normalised, rouge_l, word_tokens

Matrix = tuple[tuple[float, ...], ...]

_REPETITION, _SHORTNESS, _LONG = 0.2, 0.05, 50
"""What repeated parts weigh in `balanced`, and what shortness does, below so many words."""
_PARTS = 4
"""Words of a part that may be repeated."""
_USUAL, _OUTSIDER = 0.8, 0.5
"""A voter below so much of the median agreement is an outsider, and how much that weighs at most."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The place of the chosen output, or None with the reason; and each output's mean agreement."""

    place: int | None
    agreement: float
    scores: tuple[float, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ballot:
    """What the outputs of one instance are like, each and in pairs: all that the strategies for any number need."""

    outputs: tuple[str, ...]
    matrix: Matrix
    """Pairwise agreement, 0 to 1, symmetric, 0 on the diagonal."""
    words: tuple[int, ...]
    repetition: tuple[float, ...]
    """Share of the runs of four words that stood in the same output before, 0 to 1."""
    counts: tuple[bool, ...]
    """Whether an output may be chosen: an empty one, and one that only repeats the source, may not."""

    @property
    def scores(self) -> tuple[float, ...]:
        """For each output its mean agreement with the others; exact sums, so that their order does not matter."""
        others = max(1, len(self.outputs) - 1)
        return tuple(math.fsum(row) / others for row in self.matrix)


def ballot(outputs: Sequence[str], source: str = "") -> Ballot:
    """The ballot of some outputs; `source` is the text that an output must not just repeat.

    Agreement is 1 for texts that are equal but for case, ASCII punctuation and white space, else stemmed ROUGE-L F1
    with the words of every script. An empty text agrees with nothing, not even another one.
    """
    tokens = [word_tokens(text, stem=True) for text in outputs]
    forms = [normalised(text) or text.strip() for text in outputs]
    matrix = [[0.0] * len(outputs) for _ in outputs]
    for i, form in enumerate(forms):
        for j in range(i):
            equal = bool(form) and form == forms[j]
            matrix[i][j] = matrix[j][i] = 1.0 if equal else lcs_f1(tokens[i], tokens[j])
    echo = normalised(source) or source.strip()
    return Ballot(
        tuple(outputs),
        tuple(map(tuple, matrix)),
        tuple(map(len, tokens)),
        tuple(map(_repetition, tokens)),
        tuple(bool(form) and form != echo for form in forms),
    )


def source_of(instruction: str, given: str) -> str:
    """What an output must not just repeat: the input, or the instruction where there is none."""
    return given if given.strip() else instruction


def _repetition(tokens: Sequence[str]) -> float:
    number = len(tokens) - _PARTS + 1
    if number <= 0:
        return 0.0
    return 1 - len(set(zip(*(tokens[first:] for first in range(_PARTS)), strict=False))) / number


def consensus(given: Ballot) -> Choice:
    """The output with the highest mean agreement with the others.

    Of equal ones that which repeats itself less, then has more words, then fewer characters, then is the first in
    alphabetical order: the order of the voters never matters.
    """
    filled = [place for place, text in enumerate(given.outputs) if text.strip()]
    return _highest(given, given.scores, filled)


def balanced(given: Ballot, outsiders: Sequence[float] = ()) -> Choice:
    """The output with the highest mean agreement, less its repetition, its shortness and its voter's place outside.

    `outsiders` has a number for each output, as `Standing.outsiders` gives them; none weighs where it is empty.
    """
    ranked = [
        score - _REPETITION * repetition - _SHORTNESS * _shortness(words) - outsider
        for score, repetition, words, outsider in zip(
            given.scores, given.repetition, given.words, outsiders or [0.0] * len(given.outputs), strict=True
        )
    ]
    choice = _highest(given, ranked, [place for place, counts in enumerate(given.counts) if counts])
    return replace(choice, agreement=max(0.0, choice.agreement))


def _shortness(words: int) -> float:
    return math.log1p(_LONG) - math.log1p(min(words, _LONG))


def _highest(given: Ballot, ranked: Sequence[float], places: Sequence[int]) -> Choice:
    if not places:
        reason = "echoes" if any(text.strip() for text in given.outputs) else "empty_outputs"
        return Choice(None, 0.0, given.scores, reason)
    best = min(
        places,
        key=lambda place: (
            -ranked[place],
            given.repetition[place],
            -given.words[place],
            len(given.outputs[place]),
            given.outputs[place],
        ),
    )
    return Choice(best, ranked[best], given.scores)


class Standing:
    """How much each voter of a run agrees with the others, over all instances: no label is needed for it."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._numbers: dict[str, int] = {}

    def add(self, voters: Sequence[str], scores: Sequence[float]) -> None:
        """Count the mean agreements of one instance's outputs."""
        for voter, score in zip(voters, scores, strict=True):
            self._sums[voter] = self._sums.get(voter, 0.0) + score
            self._numbers[voter] = self._numbers.get(voter, 0) + 1

    def outsiders(self) -> dict[str, float]:
        """For each voter 0, or up to 0.5 where it agrees with the others much less than the median voter does."""
        means = {voter: total / self._numbers[voter] for voter, total in self._sums.items()}
        usual = _USUAL * median(means.values()) if means else 0.0
        if not usual:
            return dict.fromkeys(means, 0.0)
        return {voter: _OUTSIDER * max(0.0, 1 - mean / usual) for voter, mean in means.items()}


def released(given: Ballot, threshold: float, *, keeps_instance: bool = False) -> Choice:
    """The original's rule since February 2024, for (instance, voter, voter).

    `keeps_instance` gives the rule of the data published in 2023: the instance's output stays also when the two
    voters agree against it.
    """
    own, first, second = (normalised(text) for text in given.outputs)
    scores = given.scores
    if own in (first, second):
        return Choice(0, scores[0], scores)
    if first == second:
        place = 0 if keeps_instance else 1
        return Choice(place, scores[place], scores)
    pairs = _pair_scores(given.outputs)
    if min(pairs) <= threshold:
        return Choice(None, max(scores), scores, "disagreement")
    sums = (pairs[0] + pairs[1], pairs[0] + pairs[2], pairs[1] + pairs[2])
    place = sums.index(max(sums))
    if not given.outputs[place]:
        return Choice(None, max(scores), scores, "empty_output")
    return Choice(place, scores[place], scores)


def algorithm1(given: Ballot, threshold: float) -> Choice:
    """Algorithm 1 of the paper: if all pairs are above the threshold, the first of the highest pair."""
    pairs, scores = _pair_scores(given.outputs), given.scores
    if min(pairs) <= threshold:
        return Choice(None, max(scores), scores, "disagreement")
    place = (0, 0, 1)[pairs.index(max(pairs))]
    return Choice(place, scores[place], scores)


def _pair_scores(outputs: Sequence[str]) -> tuple[float, float, float]:
    own, first, second = (normalised(text) for text in outputs)
    return (
        rouge_l(own, first, stem=True), rouge_l(own, second, stem=True), rouge_l(first, second, stem=True)
    )  # fmt: skip


def choose(given: Ballot, strategy: Strategy, threshold: float, outsiders: Sequence[float] = ()) -> Choice:
    """What a strategy chooses; `threshold` belongs to the original's, `outsiders` to `balanced`."""
    if strategy == "consensus":
        return consensus(given)
    if strategy == "balanced":
        return balanced(given, outsiders)
    if len(given.outputs) != 3:
        return Choice(None, 0.0, given.scores, "missing_output")
    if strategy == "algorithm1":
        return algorithm1(given, threshold)
    return released(given, threshold, keeps_instance=strategy == "published")
