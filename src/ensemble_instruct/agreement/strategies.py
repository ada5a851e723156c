"""How step 5 chooses among the outputs of one instance, its own first; pure functions, no model is asked.

A strategy says which output stays and how sure that is. `released`, `published` and `algorithm1` are the original's
(paper, section 3.4) and defined for exactly three outputs; the others take any number, in any order:

* `consensus`: the highest mean agreement with the others.
* `balanced`: the same, less what speaks against an output by itself: that it repeats itself, that it is short (two
  outputs that say little agree easily, so agreement alone favours short ones), and that its voter agrees with the
  others much less than most voters do, over the whole run. What that is worth was measured: docs/measured/agreement.md.
* `judged` and `reward`: the highest rating by models, given in the question (`ratings`); agreement decides nothing.
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
from ensemble_instruct.agreement.ratings import Ratings
from ensemble_instruct.records import Strategy, content_id
from ensemble_instruct.rouge import normalised

_REPETITION = 0.2
"""What repeated parts weigh in `balanced`."""
_SHORTNESS = 0.05
"""What shortness weighs there, for each factor e by which an output is shorter than `_LONG`."""
_LONG = 50
"""Words from which on an output is not short."""
_USUAL = 0.8
"""A voter with less than this share of the median agreement is an outsider."""
_OUTSIDER = 0.5
"""What that weighs at most, for a voter that agrees with nobody."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The place of the chosen output, or None with the reason; how sure that is; each output's mean agreement."""

    place: int | None
    confidence: float
    """0 to 1."""
    scores: tuple[float, ...]
    reason: str = ""
    detail: str = ""
    """What the reason rests on, if a quality filter gave it."""


@dataclass(frozen=True, slots=True)
class View:
    """How much the voters of a run agree, once all of its rows were seen."""

    outsiders: Mapping[str, float] = field(default_factory=dict)
    """For each voter 0, or up to 0.5 where it agrees with the others much less than the median voter does."""
    ranking: tuple[str, ...] = ()
    """The voters, the most agreed-with first; of equal ones in alphabetical order."""
    strength: Mapping[str, float] = field(default_factory=dict)
    """Of each voter, where a strategy learns it; empty: none does."""


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
    ratings: Ratings = ()
    """How good models say that each output is, for the strategies `RATED`."""


def consensus(ballot: Ballot) -> Choice:
    """The output with the highest mean agreement with the others.

    Of equal ones that which repeats itself less, then has more words, then fewer characters, then is the first in
    alphabetical order: the order of the voters never matters.
    """
    filled = [place for place, text in enumerate(ballot.outputs) if text.strip()]
    return _highest(ballot, ballot.scores, filled)


def balanced(ballot: Ballot, outsiders: Sequence[float] = ()) -> Choice:
    """The output with the highest mean agreement, less its repetition, its shortness and its voter's place outside.

    `outsiders` has a number for each output, as `View.outsiders` has it for its voter; empty: nobody is one.
    """
    ranked = [
        score - _REPETITION * repetition - _SHORTNESS * _shortness(words) - outsider
        for score, repetition, words, outsider in zip(
            ballot.scores, ballot.repetition, ballot.words, outsiders or [0.0] * len(ballot.outputs), strict=True
        )
    ]
    choice = _highest(ballot, ranked, [place for place, counts in enumerate(ballot.counts) if counts])
    return replace(choice, confidence=max(0.0, choice.confidence))


def rated(question: Question) -> Choice:
    """The output with the highest rating, which is the confidence too.

    One that nobody could rate is chosen only where no other may be: then by the mean agreement, as in `consensus`.
    """
    ballot, unrated = question.ballot, -1.0
    places = [place for place, counts in enumerate(ballot.counts) if counts]
    ratings = question.ratings or (None,) * len(ballot.outputs)
    choice = _highest(ballot, [unrated if rating is None else rating for rating in ratings], places)
    return choice if choice.confidence > unrated else _highest(ballot, ballot.scores, places)


def _shortness(words: int) -> float:
    # logarithmic: from 1 word to 5 says more about an output than from 30 to 50
    return math.log1p(_LONG) - math.log1p(min(words, _LONG))


def _highest(ballot: Ballot, ranked: Sequence[float], places: Sequence[int]) -> Choice:
    if not places:
        return _nothing(ballot)
    # the whole key, down to the text itself, so that the order of the voters never matters
    best = min(
        places,
        key=lambda place: (
            ballot.bar(place) is not None,
            -ranked[place],
            ballot.repetition[place],
            -ballot.words[place],
            len(ballot.outputs[place]),
            ballot.outputs[place],
        ),
    )
    return _unless_barred(ballot, Choice(best, ranked[best], ballot.scores))


def _unless_barred(ballot: Ballot, choice: Choice) -> Choice:
    """The choice, or none where a quality filter has something against it."""
    hit = None if choice.place is None else ballot.bar(choice.place)
    return choice if hit is None else replace(choice, place=None, reason=hit.reason, detail=hit.detail)


def _nothing(ballot: Ballot) -> Choice:
    reason = "echoes" if any(text.strip() for text in ballot.outputs) else "empty_outputs"
    return Choice(None, 0.0, ballot.scores, reason)


def single(question: Question) -> Choice:
    """The output of the first voter of the ranking whose output counts; its mean agreement is how sure that is."""
    ranks = {voter: rank for rank, voter in enumerate(question.view.ranking)}
    return _first(question, lambda voter: ranks.get(voter, len(ranks)))


def random(question: Question) -> Choice:
    """The output of a voter, each as likely as the others: the same for the same instance and the same voters."""
    return _first(question, lambda voter: content_id("random", question.key, voter))


def _first(question: Question, rank: Callable[[str], int | str]) -> Choice:
    scores = question.ballot.scores
    places = [place for place, counts in enumerate(question.ballot.counts) if counts]
    if not places:
        return _nothing(question.ballot)
    barred = question.ballot.bar
    best = min(places, key=lambda at: (barred(at) is not None, rank(question.voters[at]), question.voters[at]))
    return _unless_barred(question.ballot, Choice(best, scores[best], scores))


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
        """How much the voters agree, after what was added so far."""
        means = {voter: total / self._numbers[voter] for voter, total in self._sums.items()}
        ranking = tuple(sorted(means, key=lambda voter: (-means[voter], voter)))
        # the median, not the mean: one voter that writes rubbish must not make the others look usual
        usual = _USUAL * median(means.values()) if means else 0.0
        if not usual:
            return View(dict.fromkeys(means, 0.0), ranking)
        return View({voter: _OUTSIDER * max(0.0, 1 - mean / usual) for voter, mean in means.items()}, ranking)


def released(ballot: Ballot, threshold: float, *, keeps_instance: bool = False) -> Choice:
    """The original's rule since February 2024, for the `original_ballot` of (instance, voter, voter).

    `keeps_instance` gives the rule of the data published in 2023: the instance's output stays also when the two
    voters agree against it.
    """
    own, first, second = (normalised(text) for text in ballot.outputs)
    scores = ballot.scores
    if own in (first, second):
        return Choice(0, scores[0], scores)
    if first == second:
        place = 0 if keeps_instance else 1
        return Choice(place, scores[place], scores)
    pairs = _pairs(ballot)
    if min(pairs) <= threshold:
        return Choice(None, max(scores), scores, "disagreement")
    sums = (pairs[0] + pairs[1], pairs[0] + pairs[2], pairs[1] + pairs[2])
    place = sums.index(max(sums))
    if not ballot.outputs[place]:
        return Choice(None, max(scores), scores, "empty_output")
    return Choice(place, scores[place], scores)


def algorithm1(ballot: Ballot, threshold: float) -> Choice:
    """Algorithm 1 of the paper, for an `original_ballot`: if all pairs exceed the threshold, the first of the best."""
    pairs, scores = _pairs(ballot), ballot.scores
    if min(pairs) <= threshold:
        return Choice(None, max(scores), scores, "disagreement")
    place = (0, 0, 1)[pairs.index(max(pairs))]
    return Choice(place, scores[place], scores)


def _pairs(ballot: Ballot) -> tuple[float, float, float]:
    return ballot.matrix[0][1], ballot.matrix[0][2], ballot.matrix[1][2]


def choose(question: Question, strategy: Strategy) -> Choice:
    """What a strategy chooses; the original's need an `original_ballot`."""
    ballot = question.ballot
    match strategy:
        case "consensus":
            return consensus(ballot)
        case "balanced":
            outsiders = question.view.outsiders
            return balanced(ballot, [outsiders.get(voter, 0.0) for voter in question.voters] if outsiders else ())
        case "judged" | "reward":
            return rated(question)
        case "single":
            return single(question)
        case "random":
            return random(question)
    if len(ballot.outputs) != 3:
        return Choice(None, 0.0, ballot.scores, "missing_output")
    if strategy == "algorithm1":
        choice = algorithm1(ballot, question.threshold)
    else:
        choice = released(ballot, question.threshold, keeps_instance=strategy == "published")
    return _unless_barred(ballot, choice)  # these are defined for three outputs: no other can stand in
