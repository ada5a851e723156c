"""How step 5 chooses among the outputs of one instance, its own first; pure functions, no model is asked.

A strategy says which output stays and how sure that is. `released`, `published` and `algorithm1` are the original's
(paper, section 3.4) and defined for exactly three outputs; the others take any number, in any order:

* `consensus`: the highest mean agreement with the others.
* `balanced`: the same, less what speaks against an output by itself: that it repeats itself, that it is short (two
  outputs that say little agree easily, so agreement alone favours short ones), and that its voter agrees with the
  others much less than most voters do, over the whole run. What that is worth was measured: docs/measured/agreement.md.
* `single`: always the voter that agrees most with the others over the whole run; `random`: a voter drawn anew for
  each instance. Both are there to compare with.

An output that a quality filter bars votes like the others. Those for any number pass it over while another may be
chosen; of an original's choice the row is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from ensemble_instruct.agreement.ballots import Ballot
from ensemble_instruct.records import Strategy, content_id
from ensemble_instruct.rouge import normalised

_REPETITION, _SHORTNESS, _LONG = 0.2, 0.05, 50
"""What repeated parts weigh in `balanced`, and what shortness does, below so many words."""
_USUAL, _OUTSIDER = 0.8, 0.5
"""A voter below so much of the median agreement is an outsider, and how much that weighs at most."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The place of the chosen output, or None with the reason; and each output's mean agreement."""

    place: int | None
    agreement: float
    scores: tuple[float, ...]
    reason: str = ""
    detail: str = ""
    """What the reason rests on, if a quality filter gave it."""


@dataclass(frozen=True, slots=True)
class View:
    """How the voters of a run stand, once all of its rows were seen."""

    outsiders: Mapping[str, float] = field(default_factory=dict)
    """For each voter 0, or up to 0.5 where it agrees with the others much less than the median voter does."""
    ranking: tuple[str, ...] = ()
    """The voters, the most agreed-with first; of equal ones in alphabetical order."""


@dataclass(frozen=True, slots=True)
class Question:
    """All that a strategy may look at."""

    ballot: Ballot
    voters: tuple[str, ...]
    """Who gave each output."""
    key: str = ""
    """What `random` draws by: the id of the instance."""
    view: View = field(default_factory=View)
    threshold: float = 0.01
    """Of the original's strategies."""


def consensus(given: Ballot) -> Choice:
    """The output with the highest mean agreement with the others.

    Of equal ones that which repeats itself less, then has more words, then fewer characters, then is the first in
    alphabetical order: the order of the voters never matters.
    """
    filled = [place for place, text in enumerate(given.outputs) if text.strip()]
    return _highest(given, given.scores, filled)


def balanced(given: Ballot, outsiders: Sequence[float] = ()) -> Choice:
    """The output with the highest mean agreement, less its repetition, its shortness and its voter's place outside.

    `outsiders` has a number for each output, as `View.outsiders` has it for its voter; none weighs where it is empty.
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
        return _none(given)
    best = min(
        places,
        key=lambda place: (
            given.bar(place) is not None,
            -ranked[place],
            given.repetition[place],
            -given.words[place],
            len(given.outputs[place]),
            given.outputs[place],
        ),
    )
    return _unless_barred(given, Choice(best, ranked[best], given.scores))


def _unless_barred(given: Ballot, choice: Choice) -> Choice:
    """The choice, or none where a quality filter has something against it."""
    hit = None if choice.place is None else given.bar(choice.place)
    return choice if hit is None else replace(choice, place=None, reason=hit.reason, detail=hit.detail)


def _none(given: Ballot) -> Choice:
    reason = "echoes" if any(text.strip() for text in given.outputs) else "empty_outputs"
    return Choice(None, 0.0, given.scores, reason)


def single(asked: Question) -> Choice:
    """The output of the first voter of the ranking whose output counts; its mean agreement is how sure that is."""
    ranks = {voter: rank for rank, voter in enumerate(asked.view.ranking)}
    return _first(asked, lambda voter: ranks.get(voter, len(ranks)))


def random(asked: Question) -> Choice:
    """The output of a voter, each as likely as the others: the same for the same instance and the same voters."""
    return _first(asked, lambda voter: content_id("random", asked.key, voter))


def _first(asked: Question, rank: Callable[[str], int | str]) -> Choice:
    scores = asked.ballot.scores
    places = [place for place, counts in enumerate(asked.ballot.counts) if counts]
    if not places:
        return _none(asked.ballot)
    barred = asked.ballot.bar
    best = min(places, key=lambda at: (barred(at) is not None, rank(asked.voters[at]), asked.voters[at]))
    return _unless_barred(asked.ballot, Choice(best, scores[best], scores))


class Standing:
    """How much each voter of a run agrees with the others, over all instances: no label is needed for it."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._numbers: dict[str, int] = {}

    def add(self, voters: Sequence[str], scores: Sequence[float]) -> None:
        """Count the mean agreements of one instance's outputs; one alone had nobody to agree with."""
        if len(voters) < 2:
            return
        for voter, score in zip(voters, scores, strict=True):
            self._sums[voter] = self._sums.get(voter, 0.0) + score
            self._numbers[voter] = self._numbers.get(voter, 0) + 1

    def view(self) -> View:
        """How the voters stand, after what was added so far."""
        means = {voter: total / self._numbers[voter] for voter, total in self._sums.items()}
        ranking = tuple(sorted(means, key=lambda voter: (-means[voter], voter)))
        usual = _USUAL * median(means.values()) if means else 0.0
        if not usual:
            return View(dict.fromkeys(means, 0.0), ranking)
        return View({voter: _OUTSIDER * max(0.0, 1 - mean / usual) for voter, mean in means.items()}, ranking)


def released(given: Ballot, threshold: float, *, keeps_instance: bool = False) -> Choice:
    """The original's rule since February 2024, for the `original_ballot` of (instance, voter, voter).

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
    pairs = _pairs(given)
    if min(pairs) <= threshold:
        return Choice(None, max(scores), scores, "disagreement")
    sums = (pairs[0] + pairs[1], pairs[0] + pairs[2], pairs[1] + pairs[2])
    place = sums.index(max(sums))
    if not given.outputs[place]:
        return Choice(None, max(scores), scores, "empty_output")
    return Choice(place, scores[place], scores)


def algorithm1(given: Ballot, threshold: float) -> Choice:
    """Algorithm 1 of the paper, for an `original_ballot`: if all pairs exceed the threshold, the first of the best."""
    pairs, scores = _pairs(given), given.scores
    if min(pairs) <= threshold:
        return Choice(None, max(scores), scores, "disagreement")
    place = (0, 0, 1)[pairs.index(max(pairs))]
    return Choice(place, scores[place], scores)


def _pairs(given: Ballot) -> tuple[float, float, float]:
    return given.matrix[0][1], given.matrix[0][2], given.matrix[1][2]


def choose(asked: Question, strategy: Strategy) -> Choice:
    """What a strategy chooses; the original's need an `original_ballot`."""
    given = asked.ballot
    match strategy:
        case "consensus":
            return consensus(given)
        case "balanced":
            outsiders = asked.view.outsiders
            return balanced(given, [outsiders.get(voter, 0.0) for voter in asked.voters] if outsiders else ())
        case "single":
            return single(asked)
        case "random":
            return random(asked)
    if len(given.outputs) != 3:
        return Choice(None, 0.0, given.scores, "missing_output")
    if strategy == "algorithm1":
        choice = algorithm1(given, asked.threshold)
    else:
        choice = released(given, asked.threshold, keeps_instance=strategy == "published")
    return _unless_barred(given, choice)  # these are defined for three outputs: no other can stand in
