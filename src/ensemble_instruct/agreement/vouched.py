"""The strategy `vouched`: of each row the output that strong voters give and others vouch for.

A voter is strong if much of what it says is said by others too (`voters`). Those that repeat themselves, have all that
another says, run on, are off topic or weak are neither chosen nor heard. Of the other outputs of a row that one is
chosen which agrees most with the others, has most of what they say, and comes from the strongest voter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ensemble_instruct.agreement.ballots import Ballot
from ensemble_instruct.agreement.choices import REPETITION, SHORTNESS, Choice, Question, highest, nothing, shortness
from ensemble_instruct.agreement.content import WordWeights, shared_words
from ensemble_instruct.agreement.voters.learned import Panel

_COVERAGE = 0.35
"""What it weighs that an output has all that the others say."""
_STRENGTH = 0.7
"""What it weighs that a voter is stronger than another, for each factor e."""
_DECIMALS = 4
"""Of a rank that is shown."""


class _Marks(NamedTuple):
    """What speaks for one output."""

    agreement: float
    """With the others that are heard, as the task asks for it."""
    likeness: float
    """How alike its text is to theirs: the same where texts are compared."""
    coverage: float
    """The share of what they say that it says too."""
    repetition: float
    wording: float
    """Of a text less the shorter it is; of a short answer more the more usual its wording is."""
    strength: float
    """The logarithm of its voter's share of the strongest one's strength, 0 at most."""

    @property
    def rank(self) -> float:
        """By which it is chosen."""
        said = self.agreement + _COVERAGE * self.coverage - REPETITION * self.repetition
        return said + _STRENGTH * self.strength + SHORTNESS * self.wording

    @property
    def confidence(self) -> float:
        """1 where all say the same; who says it makes no difference, so that rows can be compared."""
        number = self.likeness + _COVERAGE * self.coverage - REPETITION * self.repetition
        return min(1.0, max(0.0, number / (1 + _COVERAGE)))


def vouched(question: Question) -> Choice:
    """The output that ranks highest by agreement, coverage and the strength of its voter.

    Without what was learned of the voters (below 30 rows) all count the same. Where nobody who is heard has an output
    that may be chosen, one of the others is, with confidence 0.
    """
    ballot, voters = question.ballot, question.view.voters
    counting = [place for place, counts in enumerate(ballot.counts) if counts]
    if not counting:
        return nothing(ballot)
    panel = voters.panel(question.voters)
    marks = _marks(ballot, panel, voters.words)
    ranks = [each.rank for each in marks]
    places = [place for place in counting if not panel.aside[place]]
    choice = highest(ballot, ranks, places or counting, _spaced)
    return Choice(
        place=choice.place,
        confidence=marks[choice.place].confidence if places and choice.place is not None else 0.0,
        scores=choice.scores,
        reason=choice.reason,
        detail=choice.detail,
        ranks=tuple([round(rank, _DECIMALS) for rank in ranks]),
        is_agreed_on=choice.place is None or _is_agreed_on(question, choice.place),
    )


def _is_agreed_on(question: Question, place: int) -> bool:
    """Whether anybody gives the same answer as an output, where outputs are a few words long; copies do not count."""
    if question.ballot.basis != "answer":
        return True
    same = [name for name, agreement in zip(question.voters, question.ballot.matrix[place], strict=True) if agreement]
    return any(not question.view.voters.is_copy(name) for name in same)


def _spaced(text: str) -> str:
    """By which of two equal outputs one is chosen: a copy in other white space makes no difference."""
    return " ".join(text.split())


def _marks(ballot: Ballot, panel: Panel, weights: WordWeights) -> list[_Marks]:
    shared = shared_words(ballot.contents, ballot.task, weights)
    is_short = ballot.basis == "answer"
    marks = []
    for place, votes in enumerate(panel.votes):
        total, agreements, coverages = panel.totals[place], ballot.matrix[place], shared[place]
        agreement = likeness = _mean(votes, agreements, total)
        wording = -shortness(ballot.words[place])
        if is_short:  # the same answer in other words is as like, and says as much
            wording = _mean(votes, ballot.alike[place], total)
            likeness = _mean(votes, list(map(max, ballot.alike[place], agreements)), total)
            coverages = tuple(map(max, coverages, agreements))
        coverage, repetition = _mean(votes, coverages, total), ballot.repetition[place]
        marks.append(_Marks(agreement, likeness, coverage, repetition, wording, panel.strengths[place]))
    return marks


def _mean(votes: Sequence[tuple[int, float]], values: Sequence[float], total: float) -> float:
    return math.fsum([vote * values[other] for other, vote in votes]) / total if total else 0.0
