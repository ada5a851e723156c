"""Step 5: keep the output that the models agree on, or drop the row; no model is asked (paper, section 3.4).

A row at a time while a run goes on; at its end, or from files, with all rows in view, which `balanced` and `keep` need.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from ensemble_instruct.records import DEFAULT_STRATEGY, INSTANCE_VOTER, Candidate, Example, Instance, Rejected, Strategy
from ensemble_instruct.strategies import Ballot, Standing, ballot, choose, source_of
from ensemble_instruct.streams import drawn

_LEAST: dict[Strategy, float] = {"balanced": 0.15, "consensus": 0.2}
"""The agreement that an example needs when nothing else is said: about half of three models' outputs reach it."""


@dataclass(frozen=True, slots=True)
class Selection:
    """How step 5 decides: the strategy, and what an example must reach.

    `threshold` belongs to the strategies of three; `min_agreement` or `keep` to all. When neither is given, the
    agreement must be at least 0.15 for `balanced` and 0.2 for `consensus`.
    """

    strategy: Strategy = DEFAULT_STRATEGY
    threshold: float = 0.01
    min_agreement: float | None = None
    keep: float | None = None

    @property
    def least(self) -> float:
        """The agreement that an example needs, unless `keep` decides."""
        if self.min_agreement is not None:
            return self.min_agreement
        return _LEAST.get(self.strategy, 0.0) if self.keep is None else 0.0

    @property
    def needs_all(self) -> bool:
        """Whether a row is decided only with all others in view."""
        return self.keep is not None or self.strategy == "balanced"


Row = tuple[Instance, tuple[Candidate, ...]]


def ballot_of(instance: Instance, candidates: Sequence[Candidate]) -> Ballot:
    """The outputs of an instance, its own first; none must only repeat its input (or its instruction)."""
    outputs = [instance.output, *(candidate.text for candidate in candidates)]
    return ballot(outputs, source_of(instance.instruction, instance.input))


def decide(
    instance: Instance,
    candidates: Sequence[Candidate],
    selection: Selection,
    outsiders: Mapping[str, float] | None = None,
    given: Ballot | None = None,
) -> Example | Rejected:
    """The example that an instance becomes, or its drop; `given` is its ballot, if it is known already.

    `keep` is applied by `keep_share`.
    """
    own = Candidate(instance.id, INSTANCE_VOTER, instance.output, request_key=instance.request_key)
    voices = (own, *candidates)
    given = given or ballot_of(instance, candidates)
    weights = [outsiders.get(voice.voter, 0.0) for voice in voices] if outsiders else ()
    choice = choose(given, selection.strategy, selection.threshold, weights)
    if choice.place is None:
        return _rejected(instance, choice.reason, f"agreement {choice.agreement:.3f}", voices)
    output = given.outputs[choice.place]
    if choice.agreement < selection.least:
        return _rejected(instance, "low_agreement", f"{choice.agreement:.3f} < {selection.least:g}", voices)
    winners = tuple(sorted(voice.voter for voice in voices if voice.text == output))
    return Example(instance, output, winners, choice.agreement, voices, choice.scores, given.matrix)


class _Looked:
    """A first look at all rows: how the voters stand, and the numbers of each ballot, which take most of the time."""

    def __init__(self, rows: Iterable[Row]) -> None:
        standing = Standing()
        self._numbers = array("d")
        for instance, candidates in rows:
            given = ballot_of(instance, candidates)
            voters = [INSTANCE_VOTER, *(candidate.voter for candidate in candidates)]
            standing.add(voters, given.scores)
            self._numbers.extend([*chain.from_iterable(given.matrix), *given.words, *given.repetition, *given.counts])
        self.outsiders = standing.outsiders()

    def ballots(self, rows: Iterable[Row]) -> Iterator[tuple[Row, Ballot]]:
        """The same rows again, each with its ballot."""
        at = 0
        for row in rows:
            outputs = (row[0].output, *(candidate.text for candidate in row[1]))
            size = len(outputs)
            parts = [self._numbers[first : first + size] for first in range(at, at + (size + 3) * size, size)]
            at += (size + 3) * size
            *matrix, words, repetition, counts = map(tuple, parts)
            yield (
                row,
                Ballot(outputs, tuple(matrix), tuple(map(int, words)), repetition, tuple(map(bool, counts))),
            )


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


async def make_examples(answered: AsyncIterable[Row], selection: Selection) -> AsyncGenerator[Example | Rejected, None]:
    """Yield the example or the drop of each instance, in order, as far as it can be decided by itself."""
    async with drawn(answered) as source:
        async for instance, candidates in source:
            yield decide(instance, candidates, selection)


def select(rows: Callable[[], Iterable[Row]], selection: Selection) -> Iterator[Example | Rejected]:
    """Yield the example or the drop of each row, in order, decided with all rows in view.

    `rows` gives them anew each time. Memory grows by some numbers a row for `balanced`, by the examples for `keep`.
    """
    decided: Iterator[Example | Rejected]
    if selection.strategy == "balanced":
        looked = _Looked(rows())
        decided = (decide(*row, selection, looked.outsiders, given) for row, given in looked.ballots(rows()))
    else:
        decided = (decide(*row, selection) for row in rows())
    if selection.keep is None:
        yield from decided
        return
    examples: list[Example] = []
    count = 0
    for record in decided:
        count += 1
        if isinstance(record, Rejected):
            yield record
        else:
            examples.append(record)
    yield from keep_share(examples, selection.keep, count)


def _rejected(instance: Instance, reason: str, detail: str, voices: Sequence[Candidate]) -> Rejected:
    return Rejected(
        "ensemble", reason, f"{instance.instruction}\n{instance.input}".strip(), instance.kind, instance.id,
        instance.request_key, detail, candidates=tuple(voices),
    )  # fmt: skip
