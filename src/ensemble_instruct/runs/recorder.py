"""Between two steps: every record stored and counted."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from ensemble_instruct.agreement.voters.kept import KeptCounts, noted_kept
from ensemble_instruct.concurrency import closing
from ensemble_instruct.errors import RunError
from ensemble_instruct.files.jsonl import JsonRow
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import (
    KINDS,
    STEPS,
    Answered,
    Candidate,
    Completion,
    Example,
    Instance,
    Instruction,
    Kind,
    Rejected,
    Step,
)
from ensemble_instruct.store.reading import record_counts
from ensemble_instruct.store.store import Store

Record = TypeVar("Record", Instruction, Completion, Instance, Answered, Example)


class Monitor(Protocol):
    """Who watches a run: a terminal, a notebook, a test."""

    def started(self, models: Mapping[str, Model], targets: Mapping[Kind, int]) -> None:
        """The models of the run, and how many instructions each kind shall have."""

    def counted(self, kind: Kind | None, step: Step, reason: str) -> None:
        """A record was made (`reason` is empty) or dropped for a reason."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run made: records by (kind, step, reason), the reason empty for those kept."""

    counts: Counter[tuple[Kind | None, Step, str]]
    examples: int
    seconds: float
    words: str
    """Mean words of all outputs, and of those kept, as a sentence."""
    missing: str = ""
    """What to say where there is no example, at all or of a kind that was asked for; else empty."""


@dataclass(slots=True)
class FileSummary:
    """What a step on files did: rows written, drops by reason, what to say where it made nothing, and of the voters."""

    written: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    note: str = ""
    missing: str = ""
    voter_notes: tuple[str, ...] = ()


class Recorder:
    """Stands between two steps: hands every record to the store, counts it, and lets pass what was not dropped."""

    def __init__(self, store: Store, monitor: Monitor) -> None:
        self.counts: Counter[tuple[Kind | None, Step, str]] = Counter()
        self.selected = KeptCounts()
        self.barred: Counter[str] = Counter()
        self._store, self._monitor = store, monitor
        self._positions: Counter[tuple[type, Kind]] = Counter()

    def counts_of(self, step: Step) -> int:
        """How many records a step kept."""
        return sum(count for (_, at, reason), count in self.counts.items() if at == step and not reason)

    async def summary(self, began: float, *steps: Step) -> Summary:
        """What was made since a time, once all of it is on disk: of these steps, or of all.

        Raises `RunError` where what the store has of them is something else.
        """
        notes = {"words": json.dumps(self.selected.means), "barred": json.dumps(self.barred)}
        self._store.set_meta(**notes, **noted_kept(self.selected.kept))
        await self._store.flush()
        self._require_stored(steps or STEPS)
        seconds = time.monotonic() - began
        return Summary(self.counts, self.counts_of("ensemble"), seconds, str(self.selected))

    def _require_stored(self, steps: Sequence[Step]) -> None:
        made = Counter({key: count for key, count in self.counts.items() if key[1] in steps and _is_row(*key[1:])})
        found = Counter({key: count for key, count in record_counts(self._store.reader).items() if key[1] in steps})
        if made != found:
            raise RunError(
                f"{self._store.path}: holds {found.total()} records where {made.total()} were made: another program "
                f"has changed it; run the same command again, and they are made anew of its answers"
            )

    async def kept(self, records: AsyncIterable[Record | Rejected]) -> AsyncGenerator[Record, None]:
        """Note each record; yield those that are not drops."""
        async with closing(records) as source:
            async for record in source:
                self.note(record)
                if not isinstance(record, Rejected):
                    yield record

    def forget_selected(self) -> None:
        """Drop what the first look of step 5 stored."""
        self._store.forget_selected()
        for kind in KINDS:
            self._positions.pop((Example, kind), None)

    def store_only(self, record: Example | Rejected) -> None:
        """Store, and do not count, what the second look of step 5 will replace: see `steps.ensemble`."""
        self._store.add(record, self._position(record, record.instance.kind) if isinstance(record, Example) else 0)

    def note(self, record: Instruction | Completion | Instance | Answered | Example | Rejected) -> None:
        """Store and count one record."""
        if isinstance(record, Example) or (isinstance(record, Rejected) and record.step == "ensemble"):
            self.selected.add(record)
        match record:
            case Rejected():
                self._store.add(record)
                self._count(record.kind, record.step, record.reason)
            case Instruction():
                self._store.add(record, self._position(record, record.kind))
                self._count(record.kind, "instructions")
            case Completion():
                self._count(record.kind, "instances")
            case Instance():
                self._store.add(record, self._position(record, record.kind))
                self._count(record.kind, "parse")
            case Example():
                self.barred.update(filter(None, record.barred))
                self._store.add(record, self._position(record, record.instance.kind))
                self._count(record.instance.kind, "ensemble")
            case (Instance() as instance, candidates):
                self._note_candidates(candidates)
                self._count(instance.kind, "outputs")

    def _note_candidates(self, candidates: tuple[Candidate, ...]) -> None:
        for candidate in candidates:
            self._store.add(candidate)

    def _position(self, record: object, kind: Kind) -> int:
        place = (type(record), kind)
        self._positions[place] += 1
        return self._positions[place] - 1

    def _count(self, kind: Kind | None, step: Step, reason: str = "") -> None:
        self.counts[kind, step, reason] += 1
        self._monitor.counted(kind, step, reason)


def _is_row(step: Step, reason: str) -> bool:
    """Whether a record is a row of its own: completions and answered instances are not."""
    return bool(reason) or step not in ("instances", "outputs")


class ToldOnce:
    """A monitor that tells another one of each record once, in whichever pass it was made first."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._before: Counter[tuple[Kind | None, Step, str]] = Counter()
        self._now: Counter[tuple[Kind | None, Step, str]] = Counter()

    def next_pass(self) -> None:
        """All that was told of is made once more."""
        self._before |= self._now  # of two counts the larger: a pass may end before the others
        self._now.clear()

    def started(self, models: Mapping[str, Model], targets: Mapping[Kind, int]) -> None:
        """See `Monitor.started`."""
        self._monitor.started(models, targets)

    def counted(self, kind: Kind | None, step: Step, reason: str) -> None:
        """See `Monitor.counted`."""
        record = kind, step, reason
        self._now[record] += 1
        if self._now[record] > self._before[record]:
            self._monitor.counted(kind, step, reason)


def rejected_row(record: Rejected) -> JsonRow:
    """A drop as a line of the file beside that of a step."""
    detail = {"detail": record.detail} if record.detail else {}
    outputs = {"outputs": {each.voter: each.text for each in record.candidates}} if record.candidates else {}
    return {"step": record.step, "reason": record.reason, "text": record.text, **detail, **outputs}
