"""Step 5: keep the output that the models agree on, or drop the row; no model is asked (paper, section 3.4).

A row at a time while a run goes on; at its end, or from files, with all rows in view, which some strategies, some
utilities and `keep` need.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress, islice

from ensemble_instruct.agreement.ballots import (
    Ballot,
    Matrix,
    ballot,
    from_triangle,
    mean_agreements,
    original_ballot,
    source_of,
    triangle,
)
from ensemble_instruct.agreement.strategies import Question, Standing, View, choose
from ensemble_instruct.agreement.utilities import (
    LEAST,
    LEAST_BALANCED,
    PURE,
    ROUGE_L,
    Comparer,
    Weights,
    is_pure,
    mixed,
)
from ensemble_instruct.concurrency import drawn
from ensemble_instruct.quality.filters import NO_FILTERS, REASONS, Filters
from ensemble_instruct.records import (
    DEFAULT_STRATEGY,
    INSTANCE_VOTER,
    KINDS,
    OF_THREE,
    Candidate,
    Example,
    Instance,
    Kind,
    Rejected,
    Strategy,
    Utility,
)
from ensemble_instruct.rouge import word_count

_WITHOUT_LEAST: tuple[Strategy, ...] = (*OF_THREE, "random", "single")
_TOGETHER = 64
"""Rows that are compared at once."""
_WITH_A_VIEW: tuple[Strategy, ...] = ("balanced", "single")


@dataclass(frozen=True, slots=True)
class Selection:
    """How step 5 decides: the strategy, what agreement means, and what an example must reach.

    `threshold` belongs to the strategies of three; `min_agreement` or `keep` to all. When neither is given, the
    agreement must be at least 0.15 for `balanced` and 0.2 for `consensus` if it is ROUGE-L's; see `LEAST` for others.
    """

    strategy: Strategy = DEFAULT_STRATEGY
    threshold: float = 0.01
    min_agreement: float | None = None
    keep: float | None = None
    weights: tuple[Weights, Weights] = (ROUGE_L, ROUGE_L)
    """What agreement means for each kind, in the order of `KINDS`; the strategies of three have their own."""

    def weights_of(self, kind: Kind) -> Weights:
        """The utilities for one kind, with their weights."""
        return self.weights[KINDS.index(kind)]

    def least(self, kind: Kind) -> float:
        """The agreement that an example of a kind needs, unless `keep` decides."""
        if self.min_agreement is not None:
            return self.min_agreement
        if self.keep is not None or self.strategy in _WITHOUT_LEAST:
            return 0.0
        least = LEAST_BALANCED if self.strategy == "balanced" else LEAST
        return sum(weight * least[utility] for utility, weight in self.weights_of(kind))

    @property
    def needs_all(self) -> bool:
        """Whether a row is decided only with all others in view, or with what models say of its outputs."""
        return self.keep is not None or self.strategy in _WITH_A_VIEW or not all(map(is_pure, self.weights))

    @property
    def provisional(self) -> Selection:
        """The same without what asks a model: what a run goes by until its end."""
        first, second = (weights if is_pure(weights) else ROUGE_L for weights in self.weights)
        return replace(self, weights=(first, second))


@dataclass(slots=True)
class Lengths:
    """Mean words of all outputs that step 5 looked at, and of those that it kept: agreement favours short ones."""

    _sums: list[int] = field(default_factory=lambda: [0, 0, 0, 0])

    def add(self, record: Example | Rejected) -> None:
        """Count a record of step 5."""
        sums = self._sums
        for candidate in record.candidates:
            sums[0] += word_count(candidate.text)
            sums[1] += 1
        if isinstance(record, Example):
            sums[2] += word_count(record.output)
            sums[3] += 1

    @property
    def means(self) -> tuple[float, float] | None:
        """Before and after; None where nothing was kept."""
        before, outputs, after, examples = self._sums
        return (before / outputs, after / examples) if examples else None

    def __str__(self) -> str:
        return words_line(*self.means) if self.means else ""


def words_line(before: float, after: float) -> str:
    """The two means as a sentence."""
    return f"outputs have {before:.1f} words on average, those kept {after:.1f}"


Row = tuple[Instance, tuple[Candidate, ...]]
Comparers = Mapping[Utility, Comparer]


def outputs_of(row: Row) -> tuple[str, ...]:
    """The outputs of an instance, its own first."""
    return (row[0].output, *(candidate.text for candidate in row[1]))


def voters_of(row: Row) -> tuple[str, ...]:
    """Who gave each output."""
    return (INSTANCE_VOTER, *(candidate.voter for candidate in row[1]))


def voices_of(row: Row) -> tuple[Candidate, ...]:
    """The outputs of an instance with who gave them, its own first."""
    instance = row[0]
    return (Candidate(instance.id, INSTANCE_VOTER, instance.output, request_key=instance.request_key), *row[1])


def ballots_of(rows: Sequence[Row], selection: Selection, comparers: Comparers = PURE) -> list[Ballot]:
    """The ballot of each row; no output must only repeat its input (or its instruction)."""
    if selection.strategy in OF_THREE:
        return [original_ballot(outputs_of(row), source_of(row[0].instruction, row[0].input)) for row in rows]
    made: dict[int, Ballot] = {}
    for kind in KINDS:
        places = [place for place, row in enumerate(rows) if row[0].kind == kind]
        weights = selection.weights_of(kind)
        texts = [(rows[place][0], outputs_of(rows[place])) for place in places]
        matrices = [None] * len(places) if weights == ROUGE_L else mixed(weights, comparers, texts)
        for place, (instance, outputs), matrix in zip(places, texts, matrices, strict=True):
            made[place] = ballot(outputs, source_of(instance.instruction, instance.input), matrix)
    return [made[place] for place in range(len(rows))]


def decide(
    row: Row, selection: Selection, given: Ballot, view: View | None = None, filters: Filters = NO_FILTERS
) -> Example | Rejected:
    """The example that an instance becomes, or its drop; `keep` is applied later, with all rows in view."""
    instance, voices = row[0], voices_of(row)
    if filters.are_on:
        if hit := filters.task_hit(instance):
            return _rejected(instance, hit.reason, hit.detail, voices)
        given = replace(given, barred=filters.output_hits(instance, given.outputs, given.repetition))
    asked = Question(given, voters_of(row), instance.id, view or View(), selection.threshold)
    choice = choose(asked, selection.strategy)
    if choice.place is None:
        return _rejected(instance, choice.reason, choice.detail or f"agreement {choice.agreement:.3f}", voices)
    output, least = given.outputs[choice.place], selection.least(instance.kind)
    if choice.agreement < least:
        return _rejected(instance, "low_agreement", f"{choice.agreement:.3f} < {least:g}", voices)
    barred = tuple(hit.reason if hit else "" for hit in given.barred)
    return _example(row, output, choice.agreement, given.matrix, barred)


def _example(row: Row, output: str, agreement: float, matrix: Matrix, barred: tuple[str, ...]) -> Example:
    voices = voices_of(row)
    winners = tuple(sorted(voice.voter for voice in voices if voice.text == output))
    return Example(row[0], output, winners, agreement, voices, mean_agreements(matrix), matrix, barred)


class _Looked:
    """A first look at all rows: how the voters stand, and the numbers of each ballot, which take most of the time."""

    def __init__(self, rows: Iterable[Row], selection: Selection, comparers: Comparers) -> None:
        standing = Standing()
        self._numbers = array("d")
        for row, given in _with_ballots(rows, selection, comparers):
            standing.add(voters_of(row), given.scores)
            self._numbers.extend([*triangle(given.matrix), *given.words, *given.repetition, *given.counts])
        self.view = standing.view()

    def ballots(self, rows: Iterable[Row]) -> Iterator[tuple[Row, Ballot]]:
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
            yield row, Ballot(outputs, matrix, tuple(map(int, words)), tuple(repetition), tuple(map(bool, counts)))


def _with_ballots(rows: Iterable[Row], selection: Selection, comparers: Comparers) -> Iterator[tuple[Row, Ballot]]:
    source = iter(rows)
    while some := list(islice(source, _TOGETHER)):
        yield from zip(some, ballots_of(some, selection, comparers), strict=True)


class _Decided:
    """Which rows became examples, and how, in numbers: the rows are read again once it is known which of them stay."""

    def __init__(self) -> None:
        self._count = 0
        self._are_examples = bytearray()
        self._ids, self._places = array("Q"), array("b")
        self._agreements, self._numbers = array("d"), array("d")
        self._barred: dict[int, tuple[str, ...]] = {}

    def drops(self, records: Iterable[Example | Rejected]) -> Iterator[Rejected]:
        """Remember the examples, and yield the others."""
        for record in records:
            self._are_examples.append(isinstance(record, Example))
            self._count += not (isinstance(record, Rejected) and record.reason in REASONS)
            if isinstance(record, Rejected):
                yield record
            else:
                self._remember(record)

    def shared(self, rows: Iterable[Row], share: float) -> Iterator[Example | Rejected]:
        """The same rows again: the most agreed-on examples up to a share of the rows, the others as drops."""
        stays, number, at = self._staying(share), 0, 0
        for row in compress(rows, self._are_examples):
            size = 1 + len(row[1])
            matrix = from_triangle(size, self._numbers[at : at + _pairs(size)])
            agreement, output = self._agreements[number], outputs_of(row)[self._places[number]]
            if stays[number]:
                yield _example(row, output, agreement, matrix, self._barred.get(number, ()))
            else:
                detail = f"agreement {agreement:.3f}, not in {share:g}"
                yield _rejected(row[0], "below_share", detail, voices_of(row))
            number, at = number + 1, at + _pairs(size)

    def _remember(self, example: Example) -> None:
        if any(example.barred):
            self._barred[len(self._ids)] = example.barred
        self._ids.append(int(example.instance.id, 16))
        self._places.append([voice.text for voice in example.candidates].index(example.output))
        self._agreements.append(example.agreement)
        self._numbers.extend(triangle(example.matrix))

    def _staying(self, share: float) -> bytearray:
        """For each example whether it stays; of equal agreements the lower id, whatever the order of the rows."""
        ranked = sorted(range(len(self._ids)), key=self._ids.__getitem__)
        ranked.sort(key=lambda number: -self._agreements[number])
        stays = bytearray(len(ranked))
        for number in ranked[: math.floor(share * self._count + 0.5)]:
            stays[number] = 1
        return stays


def _pairs(size: int) -> int:
    return size * (size - 1) // 2


async def make_examples(answered: AsyncIterable[Row], selection: Selection) -> AsyncGenerator[Example | Rejected, None]:
    """Yield the example or the drop of each instance, in order, as far as it can be decided by itself."""
    selection = selection.provisional
    async with drawn(answered) as source:
        async for row in source:
            yield decide(row, selection, ballots_of([row], selection)[0])


def select(
    rows: Callable[[], Iterable[Row]],
    selection: Selection,
    comparers: Comparers = PURE,
    filters: Filters = NO_FILTERS,
) -> Iterator[Example | Rejected]:
    """Yield the example or the drop of each row, in order, decided with all rows in view.

    The share of `keep` is one of the rows that the quality filters leave; what it decides comes after all other drops.
    `rows` gives them anew each time; `comparers` must have the utilities of the selection. Memory grows by some numbers
    a row for `balanced`, `single` and `keep`, else not at all.
    """
    decided: Iterator[Example | Rejected]
    if selection.strategy in _WITH_A_VIEW:
        looked = _Looked(rows(), selection, comparers)
        decided = (decide(row, selection, given, looked.view, filters) for row, given in looked.ballots(rows()))
    else:
        ballots = _with_ballots(rows(), selection, comparers)
        decided = (decide(row, selection, given, None, filters) for row, given in ballots)
    if selection.keep is None:
        yield from decided
        return
    kept = _Decided()
    yield from kept.drops(decided)
    yield from kept.shared(rows(), selection.keep)


def _rejected(instance: Instance, reason: str, detail: str, voices: Sequence[Candidate]) -> Rejected:
    return Rejected(
        "ensemble", reason, f"{instance.instruction}\n{instance.input}".strip(), instance.kind, instance.id,
        instance.request_key, detail, candidates=tuple(voices),
    )  # fmt: skip
