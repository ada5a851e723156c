"""How step 5 chooses among the outputs of one instance, its own first; pure functions, no model is asked.

A strategy says which output stays and how sure that is. `released`, `published` and `algorithm1` are the original's
(paper, section 3.4) and defined for exactly three outputs; the others take any number, in any order:

* `vouched`: from strong voters, vouched for by others; see `vouched`. The default where agreement is ROUGE-L's.
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

from collections.abc import Callable, Sequence
from dataclasses import replace

from ensemble_instruct.agreement.ballots import Ballot
from ensemble_instruct.agreement.choices import (
    REPETITION,
    SHORTNESS,
    Choice,
    Question,
    highest,
    nothing,
    shortness,
    unless_barred,
)
from ensemble_instruct.agreement.vouched import vouched
from ensemble_instruct.invisible import is_blank
from ensemble_instruct.records import Strategy, content_id
from ensemble_instruct.rouge import normalised


def consensus(ballot: Ballot) -> Choice:
    """The output with the highest mean agreement with the others.

    Of equal ones that which repeats itself less, then has more words, then fewer characters, then is the first in
    alphabetical order: the order of the voters never matters.
    """
    filled = [place for place, text in enumerate(ballot.outputs) if not is_blank(text)]
    return highest(ballot, ballot.scores, filled)


def balanced(ballot: Ballot, outsiders: Sequence[float] = ()) -> Choice:
    """The output with the highest mean agreement, less its repetition, its shortness and its voter's place outside.

    `outsiders` has a number for each output, as `View.outsiders` has it for its voter; empty: nobody is one.
    """
    ranked = [
        score - REPETITION * repetition - SHORTNESS * shortness(words) - outsider
        for score, repetition, words, outsider in zip(
            ballot.scores, ballot.repetition, ballot.words, outsiders or [0.0] * len(ballot.outputs), strict=True
        )
    ]
    choice = highest(ballot, ranked, [place for place, counts in enumerate(ballot.counts) if counts])
    return replace(choice, confidence=max(0.0, choice.confidence))


def rated(question: Question) -> Choice:
    """The output with the highest rating, which is the confidence too.

    One that nobody could rate is chosen only where no other may be: then by the mean agreement, as in `consensus`.
    """
    ballot, unrated = question.ballot, -1.0
    places = [place for place, counts in enumerate(ballot.counts) if counts]
    ratings = question.ratings or (None,) * len(ballot.outputs)
    choice = highest(ballot, [unrated if rating is None else rating for rating in ratings], places)
    return choice if choice.confidence > unrated else highest(ballot, ballot.scores, places)


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
        return nothing(question.ballot)
    barred = question.ballot.bar
    best = min(places, key=lambda at: (barred(at) is not None, rank(question.voters[at]), question.voters[at]))
    return unless_barred(question.ballot, Choice(best, scores[best], scores))


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
        case "vouched":
            return vouched(question)
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
    return unless_barred(ballot, choice)  # these are defined for three outputs: no other can stand in
