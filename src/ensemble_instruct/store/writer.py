"""How a run's file is written: many rows with one fsync (group commit), and the event loop goes on meanwhile.

While nothing is being committed, the event loop writes all rows that wait into one transaction and hands its COMMIT,
which waits for the disk, to a thread; what comes meanwhile waits for the next one. A thread that wrote the rows too
would have to win the interpreter back from the event loop after each statement, and the answers would wait for it.
"""

from __future__ import annotations

import asyncio
import json
import math
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from ensemble_instruct.errors import StoreError
from ensemble_instruct.records import FURTHER_SETTINGS, Failure, Request, Response, Sampling
from ensemble_instruct.store.database import pack_prompt
from ensemble_instruct.store.faults import fault, may_pass
from ensemble_instruct.store.owner import RELEASED, Owner
from ensemble_instruct.store.rows import INTO_ATTEMPT, INTO_REQUEST, Insert, outcome_values, turns_text

_MAX_BATCH = 4096
"""Rows that wait in memory at most; more are written at once."""
_LOCK_PATIENCE = 30.0
"""Seconds for which the file may be locked by another program."""
_LOOK_AGAIN = 0.02
"""Seconds between two looks whether it still is."""
_TRIES = 10
"""How often what could not be written is tried again, before the run ends."""
_TRY_AGAIN = 0.5
"""Seconds between two such tries."""
_ROWS = 32
"""Rows of one statement at most: SQLite takes at least 999 values, and a row of `request` has 26."""


Statement = Insert | str
"""A row, or SQL without values that must see all rows handed over before it."""


@dataclass(slots=True, eq=False, kw_only=True)
class Put:
    """An answer on its way to the disk, and the future of the one who waits for it."""

    key: str
    model: str
    request: Request
    outcome: Response | Failure
    seconds: float
    done: asyncio.Future[None]


class Writer:
    """Commits what it is handed, in groups and in order, and tells those who wait.

    It belongs to the event loop in which it is used. What cannot be written now is tried again for some seconds. Then
    it has failed, and writes nothing more, but tries once more at the end: it may have room then.
    """

    def __init__(self, connection: sqlite3.Connection, owner: Owner) -> None:
        connection.execute("PRAGMA busy_timeout = 0")  # the event loop does not stand still for a lock
        self._connection, self._owner = connection, owner
        self._thread = _Committer(connection, self._committed)
        self._items: list[Statement | Put] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._told_next: list[asyncio.Future[None]] = []
        self._is_busy = self._is_closed = self._is_whole = False
        self._has_part = False
        """Whether some of what shall be committed is in the open transaction already."""
        self._locked_until: float | None = None
        self._is_committing = False
        self._batch: list[Statement | Put] | None = None
        """What is in the open transaction; None where that is not known whole."""
        self._trouble: Exception | None = None
        """Why a transaction could not be begun or filled."""
        self._tries = 0
        self._unwritten: list[Statement | Put] | None = None
        """What was given up though it may be written later."""
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._ids: dict[tuple[str, str], int] = {}
        self.failed: StoreError | None = None
        self.is_lost = False
        """Whether another process has taken the file over."""

    def add(self, *statements: Statement) -> None:
        """Hand over what shall be written with the next commit."""
        self._items += statements
        if len(self._items) < _MAX_BATCH or self._is_busy:
            return
        if not self._is_whole:
            self._begin_soon()
        elif self._is_begun(asyncio.get_running_loop().time()):
            self._has_part = self._insert()
            self._note(self._trouble)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Commit nothing before the block ends, and nothing of it if it fails; the next commit has all of it.

        What is handed over in the block is written meanwhile, so that it takes no memory.
        """
        self._is_whole = True
        is_done = False
        try:
            yield
            is_done = True
        finally:
            self._is_whole = False
            if not is_done:
                self._items.clear()
                self._roll_back()
            if self._waiting and not self._is_busy:
                self._begin_soon()

    def put(self, answer: Put) -> None:
        """Commit an answer and all that was handed over before it."""
        self._items.append(answer)
        self.tell(answer.done)

    def tell(self, done: asyncio.Future[None]) -> None:
        """Commit all that was handed over, then let `done` have its result, or a `StoreError`."""
        if self._is_closed:
            raise StoreError("run.db: is closed; open the run again to write to it")
        self._waiting.append(done)
        if not self._is_busy and not self._is_whole:
            self._begin_soon()

    def close(self) -> None:
        """Commit what waits, tell, end the thread and close the connection; a second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._thread.end()
        error = self._thread.failure if self._is_committing else None
        if error is not None and not self._is_kept(error):
            self._note(error)
        if self._has_part:
            self._items.clear()
        self._roll_back()  # interrupted: nobody was told of it
        if self._unwritten is not None and not self.is_lost:
            self.failed, self._trouble = None, None
            self._items = [item for item in (*self._unwritten, *self._items) if _is_paid(item)]
        self._connection.execute(f"PRAGMA busy_timeout = {int(1000 * _LOCK_PATIENCE)}")
        self._items.append(RELEASED)
        if self._is_begun(math.inf) and self._insert():
            self._note(_commit(self._connection))
        self._note(self._trouble)
        self._told_next += self._waiting
        self._tell()
        self._connection.close()

    def _begin_soon(self) -> None:
        """What the event loop still has to do in this round may be written too."""
        self._is_busy = True
        asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        """Write what waits into a transaction and let the thread commit it."""
        loop = asyncio.get_running_loop()
        if self._is_closed:
            return
        if self._is_whole:
            self._is_busy = False  # the end of the block begins anew
            return
        if (self._items or self._has_part) and not self._is_begun(loop.time()):
            loop.call_later(_LOOK_AGAIN, self._begin)
            return
        self._told_next, self._waiting = self._waiting, []
        is_written = False
        try:
            is_written = bool(self._items or self._has_part) and self._insert()
        finally:
            if not is_written:
                self._committed(self._trouble)
        if is_written:
            self._has_part, self._is_committing = False, True
            self._thread.commit(loop)

    def _is_begun(self, now: float) -> bool:
        """Begin a transaction; False while another program has locked the file and there is patience left."""
        if self.failed is None and not self._connection.in_transaction:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                if lost := self._owner.lost(self._connection):
                    self.failed, self.is_lost = StoreError(lost), True
                    self._roll_back()
            except sqlite3.Error as error:
                self._locked_until = self._locked_until or now + _LOCK_PATIENCE
                is_locked = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
                if is_locked and now < self._locked_until:
                    return False
                self._trouble, self._tries = error, _TRIES if is_locked else self._tries
        self._locked_until = None
        return True

    def _insert(self) -> bool:
        """Write what waits into the transaction that was begun; whether there is something to commit."""
        items, self._items = self._items, []
        if self.failed is not None and self._unwritten is not None:
            self._unwritten += items
        self._batch = None if self._has_part or self._is_whole else items
        if self.failed is not None or self._trouble is not None:
            return False
        is_written = False
        try:
            self._take(items)
            self._insert_rows()
            is_written = True
        except (sqlite3.Error, ValueError, OverflowError) as error:
            self._trouble = error
        finally:
            if not is_written:
                self._note(sys.exception())
                self._roll_back()
        return is_written

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._has_part = False
        self._rows.clear()
        self._ids.clear()

    def _committed(self, error: Exception | None) -> None:
        if self._is_closed:
            return
        self._is_committing, self._trouble = False, None
        if error is None:
            self._batch, self._tries = None, 0
        elif self._is_kept(error):
            asyncio.get_running_loop().call_later(_TRY_AGAIN, self._begin)
            return
        self._note(error)
        self._tell()
        self._is_busy = False
        if self._waiting:
            self._begin_soon()

    def _is_kept(self, error: Exception) -> bool:
        """Whether what could not be written is kept, in its place, for another try."""
        batch, self._batch = self._batch, None
        if batch is None or self.failed is not None or not may_pass(error):
            return False
        if self._tries >= _TRIES:
            self._unwritten = batch
            return False
        self._tries += 1
        self._roll_back()
        self._items[:0] = batch
        self._waiting[:0] = self._told_next
        self._told_next = []
        return True

    def _tell(self) -> None:
        for done in self._told_next:
            if not done.done() and not done.get_loop().is_closed():
                if self.failed is None:
                    done.set_result(None)
                else:
                    done.set_exception(StoreError(str(self.failed)))
        self._told_next = []

    def _note(self, error: BaseException | None) -> None:
        if self.failed is None and isinstance(error, sqlite3.Error):
            self.failed = fault(self._owner.path, error)
        elif self.failed is None and error is not None:
            self.failed = StoreError(f"{self._owner.path}: an answer could not be written: {error}; run it again")

    def _take(self, items: Sequence[Statement | Put]) -> None:
        for item in items:
            if isinstance(item, Put):
                self._rows.setdefault(INTO_REQUEST, []).append(self._request_row(item))
            elif isinstance(item, str):
                self._insert_rows()
                self._connection.execute(item)
            else:
                self._rows.setdefault(item.into, []).append(item.values)

    def _insert_rows(self) -> None:
        for into, rows in self._rows.items():
            for part in _parts(rows):
                marks = f"({', '.join('?' * len(part[0]))})"
                values = [value for row in part for value in row]
                self._connection.execute(f"{into} VALUES {', '.join([marks] * len(part))}", values)
        self._rows.clear()

    def _request_row(self, item: Put) -> tuple[Any, ...]:
        request, sampling = item.request, item.request.sampling
        shared_text = turns_text(request.earlier) if request.earlier else request.shared
        prompt = pack_prompt(request.prompt, shared_text)
        shared = self._id("shared", "text", shared_text)
        settings = self._id("sampling", "settings", _settings(sampling))
        return (
            bytes.fromhex(item.key), request.step, request.kind, item.model, shared, prompt, settings, sampling.seed,
            request.repeat, round(item.seconds, 3), round(time.time(), 1), len(request.earlier),
            *outcome_values(item.outcome, request.text),
        )  # fmt: skip

    def _id(self, table: str, column: str, text: str) -> int:
        known = self._ids.get((table, text))
        if known is None:
            self._connection.execute(f"INSERT OR IGNORE INTO {table} ({column}) VALUES (?)", (text,))  # noqa: S608
            row = self._connection.execute(f"SELECT id FROM {table} WHERE {column} = ?", (text,)).fetchone()  # noqa: S608
            known = self._ids[table, text] = int(row[0])
        return known


class _Committer(threading.Thread):
    """Commits when it is told to, and lets the event loop know how that ended."""

    def __init__(self, connection: sqlite3.Connection, committed: Callable[[sqlite3.Error | None], None]) -> None:
        super().__init__(name="store-writer", daemon=True)
        self._connection, self._then = connection, committed
        self.failure: sqlite3.Error | None = None
        self._asked: queue.SimpleQueue[asyncio.AbstractEventLoop | None] = queue.SimpleQueue()
        self.start()

    def commit(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asked.put(loop)

    def end(self) -> None:
        self._asked.put(None)
        self.join()

    def run(self) -> None:
        while (loop := self._asked.get()) is not None:
            self.failure = _commit(self._connection)
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._then, self.failure)


def _commit(connection: sqlite3.Connection) -> sqlite3.Error | None:
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return error
    return None


def _is_paid(item: Statement | Put) -> bool:
    """Whether it says what a model was paid for; all else is made anew by the next start."""
    return isinstance(item, Put) or (isinstance(item, Insert) and item.into == INTO_ATTEMPT)


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
    # without what is not set of the newer ones, as older versions wrote them
    left_out = {"seed", *([] if sampling.json_schema else ["json_schema"]), *FURTHER_SETTINGS} - sampling.further.keys()
    return json.dumps({name: value for name, value in asdict(sampling).items() if name not in left_out})
