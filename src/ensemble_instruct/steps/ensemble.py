"""Step 5: keep the output that the models agree on, or drop the row; no model is asked (paper, section 3.4).

Two looks. A run decides every example twice. First by itself, as soon as its instance leaves step 4
(`examples_so_far`): so `status`, the viewer and an export of a run that goes on have examples to show. Then once more
when all rows are there (`select`), because three things are known only then: how the voters do over the whole run
(strategies `balanced` and `single`), which rows have the highest confidence (`keep`), and what the utilities and
strategies that need a model say (`embedding`, `judge`; `judged`, `reward`). The quality filters are applied only then
too, as a finished run that switches them on does. The second look replaces all that the first one stored, and it alone
is counted. Where nothing of this is asked for, `Selection.is_final_at_once` says so: the first decision stands, and
there is no second look.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from dataclasses import replace
from heapq import nsmallest
from itertools import compress, islice
from typing import get_args

from ensemble_instruct.agreement.ballots import (
    Ballot,
    from_triangle,
    triangle,
)
from ensemble_instruct.agreement.ratings import Rater, Ratings
from ensemble_instruct.agreement.selection import (
    NOTHING_LEARNED,
    WITH_A_VIEW,
    Comparers,
    Marks,
    Selection,
    ballots_of,
    below_share,
    chosen_example,
    decide,
    outputs_of,
    rejected_row,
    surest,
    voices_of,
    voter_names,
)
from ensemble_instruct.agreement.utilities import PURE, ROUGE_L, is_pure
from ensemble_instruct.agreement.voters.learned import MOST_ROWS, Voters, learn_voters
from ensemble_instruct.agreement.voters.standing import Standing, View
from ensemble_instruct.agreement.voters.tallies import VotedRow
from ensemble_instruct.concurrency import closing
from ensemble_instruct.quality.filters import NO_FILTERS, QUALITY_REASONS, Filters
from ensemble_instruct.records import (
    INSTANCE_VOTER,
    OF_THREE,
    RATED,
    Answered,
    Basis,
    Candidate,
    Example,
    Rejected,
)

_BASES: tuple[Basis, ...] = get_args(Basis)
_TOGETHER = 64
"""Rows that are compared at once by a model."""
_FEW = 4
"""The same without a model: ballots that live for many rows would be looked through by the garbage collector."""


class _AllBallots:
    """The rows once through: how much the voters agree, and the numbers of each ballot, which take most of the time."""

    def __init__(self, rows: Iterable[Answered], selection: Selection, comparers: Comparers) -> None:
        standing = Standing()
        self._numbers = array("d")  # flat: as ballots the numbers of all rows would take several times the memory
        for row, ballot in _with_ballots(rows, selection, comparers):
            standing.add(voter_names(row), ballot.scores)
            self._numbers.extend([*triangle(ballot.matrix), *ballot.words, *ballot.repetition, *ballot.counts])
        self.view = standing.view()

    def ballots(self, rows: Iterable[Answered]) -> Iterator[tuple[Answered, Ballot]]:
        """The same rows again, each with its ballot."""
        at = 0
        for row in rows:
            outputs = outputs_of(row)
            size = len(outputs)
            own = at + _pairs(size)
            words, repetition, counts = (
                self._numbers[own + part * size : own + (part + 1) * size] for part in range(3)
            )
            matrix = from_triangle(size, self._numbers[at:own])
            at = own + 3 * size
            yield (
                row,
                Ballot(
                    outputs=outputs,
                    matrix=matrix,
                    words=tuple(map(int, words)),
                    repetition=tuple(repetition),
                    counts=tuple(map(bool, counts)),
                ),
            )


def _with_ballots(
    rows: Iterable[Answered], selection: Selection, comparers: Comparers, voters: Voters = NOTHING_LEARNED
) -> Iterator[tuple[Answered, Ballot]]:
    source, together = iter(rows), _FEW if all(map(is_pure, selection.weights)) else _TOGETHER
    while some := list(islice(source, together)):
        yield from zip(some, ballots_of(some, selection, comparers, voters), strict=True)


def _learned(rows: Iterable[Answered], selection: Selection) -> Voters:
    """What a sample of the rows says of the voters: those with the lowest ids, which are hashes, in whatever order."""
    looked_at = nsmallest(MOST_ROWS, rows, key=lambda row: row.instance.id)
    ballots = ballots_of(looked_at, replace(selection, weights=(ROUGE_L, ROUGE_L)))
    voted = [VotedRow(voter_names(row), ballot) for row, ballot in zip(looked_at, ballots, strict=True)]
    return learn_voters(voted, dict(selection.trust), twins=dict(selection.twins))


def _with_ratings(
    rows: Iterable[Answered], selection: Selection, comparers: Comparers, rater: Rater
) -> Iterator[tuple[Answered, Ballot, Ratings]]:
    source = iter(rows)
    while some := list(islice(source, _TOGETHER)):
        yield from zip(some, ballots_of(some, selection, comparers), rater(some), strict=True)


class _DecidedRows:
    """Which rows became examples, and how, in numbers: the rows are read again once it is known which of them stay."""

    def __init__(self) -> None:
        self._count = 0
        self._are_examples = bytearray()
        self._ids, self._places, self._bases = array("Q"), array("b"), array("b")
        self._confidences, self._numbers, self._ranks = array("d"), array("d"), array("d")
        self._barred: dict[int, tuple[str, ...]] = {}
        self._ratings: dict[int, Ratings] = {}

    def drops(self, records: Iterable[Example | Rejected]) -> Iterator[Rejected]:
        """Remember the examples, and yield the others."""
        for record in records:
            self._are_examples.append(isinstance(record, Example))
            self._count += not (isinstance(record, Rejected) and record.reason in QUALITY_REASONS)
            if isinstance(record, Rejected):
                yield record
            else:
                self._remember(record)

    def shared(self, rows: Iterable[Answered], share: float) -> Iterator[Example | Rejected]:
        """The same rows again: the surest examples up to a share of the rows, the others as drops."""
        stays, number, at, ranked = surest(self._ids, self._confidences, share, self._count), 0, 0, 0
        for row in compress(rows, self._are_examples):
            size = len(outputs_of(row))
            matrix = from_triangle(size, self._numbers[at : at + _pairs(size)])
            confidence, output = self._confidences[number], outputs_of(row)[self._places[number]]
            if stays[number]:
                ranks = tuple(self._ranks[ranked : ranked + size])
                marks = Marks(confidence, _BASES[self._bases[number]], ranks, self._ratings.get(number, ()))
                yield chosen_example(row, output, matrix, self._barred.get(number, ()), marks)
            else:
                yield rejected_row(row.instance, "below_share", below_share(confidence, share), voices_of(row))
            number, at, ranked = number + 1, at + _pairs(size), ranked + size

    def _remember(self, example: Example) -> None:
        if any(example.barred):
            self._barred[len(self._ids)] = example.barred
        if example.ratings:
            self._ratings[len(self._ids)] = example.ratings
        self._ids.append(int(example.instance.id, 16))  # 16 hexadecimal digits: they fit into 64 bits
        self._places.append([voice.text for voice in example.candidates].index(example.output))
        self._bases.append(_BASES.index(example.basis))
        self._confidences.append(example.confidence)
        self._ranks.extend(example.ranks)  # all of a strategy's examples have them, or none
        self._numbers.extend(triangle(example.matrix))


def _as_read(row: Answered, selection: Selection) -> Answered:
    """The row as the strategy reads it: the original's strip white space from the ends of each output, as it did.

    An output of the instance's own that is empty is a text like others to them: they are defined for three.
    """
    if selection.strategy not in OF_THREE:
        return row
    instance = replace(row.instance, output=row.instance.output.strip())
    own = () if instance.output else (Candidate(instance.id, INSTANCE_VOTER, "", request_key=instance.request_key),)
    return Answered(instance, (*own, *(replace(voice, text=voice.text.strip()) for voice in row.candidates)))


def _pairs(size: int) -> int:
    return size * (size - 1) // 2


async def examples_so_far(
    answered: AsyncIterable[Answered], selection: Selection
) -> AsyncGenerator[Example | Rejected, None]:
    """The first look: yield the example or the drop of each instance, in order, decided by itself."""
    async with closing(answered) as source:
        async for row in source:
            yield decide_alone(row, selection)


def decide_alone(row: Answered, selection: Selection, filters: Filters = NO_FILTERS) -> Example | Rejected:
    """The example or the drop of an instance, as far as it can be decided without the other rows and without a model.

    An export of a run that goes on has the filters applied, which the run itself does at its end.
    """
    selection = selection.provisional
    row = _as_read(row, selection)
    return decide(row, selection, ballots_of([row], selection)[0], None, filters)


def select(
    rows: Callable[[], Iterable[Answered]],
    selection: Selection,
    comparers: Comparers = PURE,
    filters: Filters = NO_FILTERS,
    rater: Rater | None = None,
    learned: Callable[[Voters], None] = lambda _: None,
) -> Iterator[Example | Rejected]:
    """The second look: yield the example or the drop of each row, in order, decided with all rows in view.

    The share of `keep` is one of the rows that the quality filters leave; what it decides comes after all other drops.
    `rows` gives them anew each time; `comparers` must have the utilities of the selection, and the strategies `RATED`
    need a `rater`. `learned` is told what `vouched` learns of the voters, before the first row. Memory grows by some
    numbers a row for `balanced`, `single` and `keep`, else not at all.
    """

    def read() -> Iterator[Answered]:
        return (_as_read(row, selection) for row in rows())

    decided: Iterator[Example | Rejected]
    if selection.strategy == "vouched":
        view = View(voters=_learned(read(), selection))
        learned(view.voters)
        ballots = _with_ballots(read(), selection, comparers, view.voters)
        decided = (decide(row, selection, ballot, view, filters) for row, ballot in ballots)
    elif selection.strategy in WITH_A_VIEW:
        every = _AllBallots(read(), selection, comparers)
        decided = (decide(row, selection, ballot, every.view, filters) for row, ballot in every.ballots(read()))
    elif selection.strategy in RATED and rater is not None:
        rated = _with_ratings(read(), selection, comparers, rater)
        decided = (decide(row, selection, ballot, None, filters, ratings) for row, ballot, ratings in rated)
    else:
        ballots = _with_ballots(read(), selection, comparers)
        decided = (decide(row, selection, ballot, None, filters) for row, ballot in ballots)
    if selection.keep is None:
        yield from decided
        return
    kept = _DecidedRows()
    yield from kept.drops(decided)
    yield from kept.shared(read(), selection.keep)
