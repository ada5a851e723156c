"""The thread that writes a run's file: many rows with one fsync, and few turns at the interpreter.

It takes all that waits, commits it in one transaction, and only then lets the askers go on. Each statement gives the
interpreter to the event loop and has to wait until it is given back; so rows of one table are written by statements of
many rows, not by one for each.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from ensemble_instruct.database import pack_prompt
from ensemble_instruct.errors import StoreError
from ensemble_instruct.records import Failure, Request, Response, Sampling

MAX_BATCH = 4096
_ROWS = 32
"""Of one statement at the most: SQLite takes 999 values at least."""
_INTO_REQUEST = "INSERT OR REPLACE INTO request"


class Insert(NamedTuple):
    """A row to be written; `into` is the statement up to its values."""

    into: str
    values: tuple[Any, ...]


Statement = Insert | str
"""A row, or SQL without values that must see all rows handed over before it."""


@dataclass(slots=True, eq=False)
class Put:
    """An answer on its way to the disk, and the future of the one who waits for it."""

    key: str
    model: str
    request: Request
    outcome: Response | Failure
    seconds: float
    done: asyncio.Future[None]


Item = Put | list[Statement] | asyncio.Future[None] | None
"""What the thread is handed: an answer, records, one who waits for all before, or the end."""


class Writer(threading.Thread):
    """Commits what waits, in groups, and tells those who wait. After a failure it writes nothing more."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(name="store-writer", daemon=True)
        self.waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._connection = connection
        self._ids: dict[tuple[str, str], int] = {}
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self.failed: StoreError | None = None
        self.start()

    def stop(self) -> None:
        """Commit what waits and end the thread."""
        self.waiting.put(None)
        self.join()
        self._connection.close()

    def run(self) -> None:
        """Take what waits, commit it, tell; until `stop`."""
        running = True
        while running:
            batch = [self.waiting.get()]
            while len(batch) < MAX_BATCH:
                try:
                    batch.append(self.waiting.get_nowait())
                except queue.Empty:
                    break
            running = None not in batch
            if self.failed is None:
                self._commit(batch)
            self._tell(batch)

    def _commit(self, batch: Sequence[Item]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for item in batch:
                if isinstance(item, Put):
                    self._rows.setdefault(_INTO_REQUEST, []).append(self._request_row(item))
                elif isinstance(item, list):
                    self._take(item)
            self._insert_rows()
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OSError, ValueError, OverflowError) as error:
            self.failed = StoreError(
                f"run.db: an answer could not be written: {error}; free some space and run the same command again"
            )
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _take(self, statements: Sequence[Statement]) -> None:
        for statement in statements:
            if isinstance(statement, str):
                self._insert_rows()
                self._connection.execute(statement)
            else:
                self._rows.setdefault(statement.into, []).append(statement.values)

    def _insert_rows(self) -> None:
        for into, rows in self._rows.items():
            for part in _parts(rows):
                marks = f"({', '.join('?' * len(part[0]))})"
                values = [value for row in part for value in row]
                self._connection.execute(f"{into} VALUES {', '.join([marks] * len(part))}", values)
        self._rows.clear()

    def _tell(self, batch: Sequence[Item]) -> None:
        futures = [item.done if isinstance(item, Put) else item for item in batch]
        waiting = [future for future in futures if isinstance(future, asyncio.Future)]
        if waiting:
            loop = waiting[0].get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, waiting, self.failed)

    def _request_row(self, item: Put) -> tuple[Any, ...]:
        request, outcome, sampling = item.request, item.outcome, item.request.sampling
        prompt = pack_prompt(request.prompt, request.shared)
        is_estimated = False
        if isinstance(outcome, Failure):
            said: tuple[Any, ...] = (outcome.message, None, None, None, outcome.type)
        else:
            said = (outcome.text, outcome.finish_reason, *outcome.used_tokens(request.prompt), None)
            is_estimated = outcome.prompt_tokens is None or outcome.completion_tokens is None
        shared = self._id("shared", "text", request.shared)
        settings = self._id("sampling", "settings", _settings(sampling))
        return (
            bytes.fromhex(item.key), request.step, request.kind, item.model, shared, prompt, settings, sampling.seed,
            request.repeat, *said, round(item.seconds, 3), round(time.time(), 1), is_estimated,
        )  # fmt: skip

    def _id(self, table: str, column: str, text: str) -> int:
        known = self._ids.get((table, text))
        if known is None:
            self._connection.execute(f"INSERT OR IGNORE INTO {table} ({column}) VALUES (?)", (text,))  # noqa: S608
            row = self._connection.execute(f"SELECT id FROM {table} WHERE {column} = ?", (text,)).fetchone()  # noqa: S608
            known = self._ids[table, text] = int(row[0])
        return known


def _parts(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Cut into powers of two, largest first: so few statements differ, and each is prepared only once."""
    at, size = 0, _ROWS
    while at < len(rows):
        while size > len(rows) - at:
            size //= 2
        yield rows[at : at + size]
        at += size


def _settings(sampling: Sampling) -> str:
    return _settings_without_seed(sampling if sampling.seed is None else replace(sampling, seed=None))


@lru_cache(64)
def _settings_without_seed(sampling: Sampling) -> str:
    return json.dumps({name: value for name, value in asdict(sampling).items() if name != "seed"})


def _settle(futures: Sequence[asyncio.Future[None]], error: StoreError | None) -> None:
    for future in futures:
        if not future.done():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(StoreError(str(error)))
