"""The run's answers and records, every answer committed before it is used.

The event loop reads on a connection of its own; what it hands over is written by a `Writer`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from pathlib import Path

from ensemble_instruct.config.servers.prices import KnownPrice
from ensemble_instruct.errors import EnsembleInstructError, ModelError
from ensemble_instruct.files.destination import own_path
from ensemble_instruct.records import (
    Answer,
    Answered,
    Candidate,
    Example,
    Failure,
    Instance,
    Instruction,
    Kind,
    Rejected,
    Request,
    Response,
    Step,
)
from ensemble_instruct.store.costs import costs_kept
from ensemble_instruct.store.database import connect, unpack_prompt
from ensemble_instruct.store.own_tasks import NOTED, KeptTask, read_tasks_kept, task_insert
from ensemble_instruct.store.owner import Owner, locked
from ensemble_instruct.store.reading import errors_of_reading, read_answer, read_answered, read_instructions
from ensemble_instruct.store.rows import DROPPED, Attempt, Insert, attempt_row, to_row
from ensemble_instruct.store.writer import Put, Writer

RECORD_TABLES = ("instruction", "instance", "candidate", "example", "rejected")
"""The tables that each start of a run fills anew."""
_IN_USE = (
    "SELECT 1 FROM request UNION ALL SELECT 1 FROM owner"  # noqa: S608 - a constant
    f" UNION ALL SELECT 1 FROM attempt WHERE cause != '{DROPPED}'"
)
"""A row for each reason why a new file of a failed run stays: an answer, a try that was paid, another owner."""


class Store:
    """One run's answers and records. Open it inside the event loop; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Raises `RunLockedError` where another process works on it."""
        self.path = path
        self._lock = locked(path)
        with ExitStack() as unless_ready, errors_of_reading(path):
            unless_ready.callback(self._lock.give_up)
            self.reader = connect(path)
            unless_ready.callback(self.reader.close)
            self._known = _known_keys(self.reader)
            self._writer = Writer(connect(path), Owner(path, self.reader, is_sure=self._lock.is_sure))
            unless_ready.pop_all()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what waits and let another process have it; a second call does nothing."""
        try:
            self._writer.close()
        finally:
            self.reader.close()
            self._lock.release()

    def remove_unless_paid(self) -> bool:
        """Close it; remove it where no answer is in it and nothing was paid. Returns whether it is gone."""
        try:
            self._writer.close()
            with suppress(sqlite3.Error):
                self.reader.execute("BEGIN IMMEDIATE")  # who waits to take it over finds that it is gone
                if self._writer.is_lost or self.reader.execute(_IN_USE).fetchone() is not None:
                    return False
                self.path.unlink(missing_ok=True)
                self.reader.close()  # SQLite removes its own two files
                for suffix in ("-wal", "-shm", ".lock"):
                    self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
                return True
            return False
        finally:
            self.close()

    def answer(self, key: str) -> Answer | None:
        """The committed answer under a key, or None."""
        if not self._known[int(key[:5], 16)]:  # a Bloom filter with one hash: a new question never reaches SQLite
            return None
        return read_answer(self.reader, key)

    def prompt(self, key: str) -> str:
        """The prompt of an answered request: over chat, the last message of the user."""
        text, prompt = self.reader.execute(
            "SELECT shared.text, prompt FROM request JOIN shared ON shared.id = request.shared WHERE key = ?",
            (bytes.fromhex(key),),
        ).fetchone()
        return unpack_prompt(prompt, text)

    def seed(self, key: str) -> int | None:
        """The sampling seed of an answered request."""
        (seed,) = self.reader.execute("SELECT seed FROM request WHERE key = ?", (bytes.fromhex(key),)).fetchone()
        return None if seed is None else int(seed)

    async def commit(self, key: str, model: str, request: Request, outcome: Response | Failure, seconds: float) -> None:
        """Return once the answer is on disk. Raises `StoreError`."""
        done = asyncio.get_running_loop().create_future()
        self._writer.put(Put(key=key, model=model, request=request, outcome=outcome, seconds=seconds, done=done))
        await done
        self._known[int(key[:5], 16)] = 1

    def note_attempt(self, attempt: Attempt) -> None:
        """Hand over a try that was paid and is not the answer. Written with the next commit."""
        self._writer.add(attempt_row(attempt))

    def meta(self, name: str) -> str | None:
        """A value that `set_meta` stored, or None."""
        row = self.reader.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, **values: str) -> None:
        """Store values under names."""
        self._writer.add(*(Insert("INSERT OR REPLACE INTO meta (name, value)", item) for item in values.items()))

    def keep_costs(self, model: str, price: KnownPrice) -> None:
        """Write down what a model has cost at its price: its name is to be another model's."""
        self._writer.add(*costs_kept(model, price))

    def forget_records(self) -> None:
        """Drop all records (not the answers), before they are made again."""
        self._writer.add(*(f"DELETE FROM {table}" for table in RECORD_TABLES))  # noqa: S608 - constant names

    def forget_selected(self) -> None:
        """Drop what step 5 made, before it is made again."""
        self._writer.add("DELETE FROM example", "DELETE FROM rejected WHERE step = 'ensemble'")

    def forget_failures(self) -> None:
        """Drop the failures, so that their requests are asked again.

        Those of step 1 stay where it made something: every later prompt of step 1 depends on what came before.
        """
        made_something = self.reader.execute("SELECT 1 FROM instruction LIMIT 1").fetchone()
        stays = " AND step != 'instructions'" if made_something else ""
        self._writer.add(f"DELETE FROM request WHERE failure IS NOT NULL{stays}")  # noqa: S608

    async def flush(self) -> None:
        """Return once everything handed over so far is on disk. Raises `StoreError`."""
        done = asyncio.get_running_loop().create_future()
        self._writer.tell(done)
        await done

    def whole(self) -> AbstractContextManager[None]:
        """A block whose records, however many, are all committed with the next commit after it; none, if it fails."""
        return self._writer.whole()

    def add(self, record: Instruction | Instance | Candidate | Example | Rejected, position: int = 0) -> None:
        """Hand over a record; `position` is its place among those of its kind. Written with the next commit."""
        self._writer.add(to_row(record, position))

    def instructions(self, kind: Kind) -> Iterator[Instruction]:
        """The instructions of one kind as they are in the file at this moment, in order, one at a time."""
        connection = connect(self.path, read_only=True)
        rows = read_instructions(connection, kind)  # begins the transaction now: later writes are not seen

        def records() -> Iterator[Instruction]:
            with closing(connection), errors_of_reading(self.path):
                yield from rows

        return records()

    async def keep_tasks(self, tasks: Iterable[KeptTask], noted: str) -> None:
        """Keep the user's own tasks that the run begins with, all of them or none. Raises `StoreError`."""
        with self.whole():
            for position, task in enumerate(tasks):
                self._writer.add(task_insert(task, position))
            self.set_meta(**{NOTED: noted})
        await self.flush()

    def tasks(self, kind: Kind) -> Iterator[KeptTask]:
        """The user's own tasks of one kind, in order, one at a time."""
        with closing(connect(self.path, read_only=True)) as connection, errors_of_reading(self.path):
            yield from read_tasks_kept(connection, kind)

    def answered(self, voters: Sequence[str]) -> Iterator[Answered]:
        """Each instance of the file, in order, with what these voters said to it."""
        with errors_of_reading(self.path):
            yield from read_answered(self.reader, voters)

    def answered_by_model(self) -> dict[str, int]:
        """How many answers each model of the run has given."""
        return dict(self.reader.execute("SELECT model, COUNT(*) FROM request GROUP BY model"))

    def answered_in(self, step: Step, kind: Kind) -> int:
        """How many answers a step has for one kind."""
        sql = "SELECT COUNT(*) FROM request WHERE step = ? AND kind = ?"
        return int(self.reader.execute(sql, (step, kind)).fetchone()[0])


def _known_keys(connection: sqlite3.Connection) -> bytearray:
    """A Bloom filter of the answers: for each beginning of a key, whether there may be one; most questions end here."""
    known = bytearray(2**20)
    for (key,) in connection.execute("SELECT key FROM request"):
        known[int.from_bytes(key[:3], "big") >> 4] = 1  # the first five hexadecimal digits, 20 bits
    return known


@contextmanager
def opened_store(path: Path) -> Iterator[Store]:
    """The store at `path`, closed at the end.

    When the block fails before any answer was committed to a new store, and nothing was paid, nothing of it is left
    behind, and a `ModelError` counts as wrong usage (exit code 2): there is nothing to resume. Raises `InputFileError`
    where another user has laid one of its files.
    """
    for suffix in ("", "-wal", "-shm", ".lock"):
        own_path(path.with_name(f"{path.name}{suffix}"), opens=True)
    new = not path.exists()
    store = Store(path)
    try:
        with errors_of_reading(path):
            yield store
    except EnsembleInstructError as error:
        if new and store.remove_unless_paid() and isinstance(error, ModelError):
            error.exit_code = 2
        raise
    finally:
        store.close()
