"""Who owns a run: a lock file next to its database, and a row in it that is looked at inside each transaction.

The lock keeps a second process out. It cannot where the file system has no locks, or where somebody removed the file:
then both would write, each over the records of the other. So the last one that began has its name in the database, and
every other finds out before it writes, and stops.
"""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from ensemble_instruct.errors import EnsembleInstructError, RunLockedError, StoreError
from ensemble_instruct.files.locks import lock
from ensemble_instruct.store.database import connect

RELEASED = "DELETE FROM owner"
"""What the owner writes last."""
_LOCK_PATIENCE = 0.5
"""Seconds to wait for the lock: `status` holds it for an instant, to see whether it is free."""
_WATCHED = 5.0
"""Seconds for which a database is watched whose owner may be at work, where no lock can tell: it writes more often."""
_LOOK_AGAIN = 0.02
"""Seconds between two looks."""


class RunLock:
    """The lock file of a database, as this process holds it."""

    def __init__(self, path: Path, descriptor: int, *, is_new: bool, is_sure: bool) -> None:
        self.is_sure = is_sure
        """Whether no other process can be at work: the file was there, and it is locked."""
        self._path, self._descriptor, self._is_new = path, descriptor, is_new

    def release(self) -> None:
        """Let another process have it; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def give_up(self) -> None:
        """Release it, and leave no file that was not there."""
        if self._is_new:
            self._path.unlink(missing_ok=True)
        self.release()


def lock_path(path: Path) -> Path:
    """The lock file of a database."""
    return path.with_name(f"{path.name}.lock")


def locked(path: Path) -> RunLock:
    """Take the lock of a database.

    Raises `RunLockedError` when another process holds it, `StoreError` where the file cannot be made.
    """
    until = time.monotonic() + _LOCK_PATIENCE
    while True:
        try:
            held = _tried(lock_path(path))
        except BlockingIOError as error:
            if time.monotonic() > until:
                raise _at_work(path) from error
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror}; {_advice(error)}") from error
        else:
            if held is not None:
                return held
        time.sleep(_LOOK_AGAIN)


def _tried(path: Path) -> RunLock | None:
    """The lock, or None where the file was removed meanwhile. Raises `BlockingIOError` where it is held."""
    flags = os.O_RDWR | os.O_NOFOLLOW
    try:
        descriptor, was_there = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600), False
    except FileExistsError:
        try:
            descriptor, was_there = os.open(path, flags), True
        except FileNotFoundError:
            return None
    is_kept = False
    try:
        has_locks = lock(descriptor)
        is_kept = os.fstat(descriptor).st_nlink > 0
    finally:
        if not is_kept:
            os.close(descriptor)
    return RunLock(path, descriptor, is_new=not was_there, is_sure=has_locks and was_there) if is_kept else None


def _advice(error: OSError) -> str:
    match error.errno:
        case errno.EROFS:
            return "copy the folder to where it can be written"
        case errno.ENOSPC | errno.EDQUOT:
            return "free some space"
        case errno.EMFILE | errno.ENFILE:
            return "allow more open files (`ulimit -n`)"
        case _:
            return "check its permissions"


class Owner:
    """This process as the owner of a database, once it has taken it over."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, is_sure: bool) -> None:
        """Take the database over. Raises `RunLockedError` where, unless that `is_sure`, its owner is at work."""
        self.path, self._token = path, os.urandom(16)
        if not is_sure:
            _require_silent(path, connection)
        values = (self._token, socket.gethostname(), os.getpid(), round(time.time(), 1))
        into = "INSERT OR REPLACE INTO owner (id, token, host, process, since) VALUES (1, ?, ?, ?, ?)"
        connection.execute(into, values)
        self._file = _identity(path)

    def lost(self, connection: sqlite3.Connection) -> str:
        """Inside a transaction: why this process does not own the database any more, as a line; empty while it does."""
        row = connection.execute("SELECT token, host, process FROM owner").fetchone()
        if row is None or row[0] != self._token:
            who = "another process" if row is None else f"process {row[2]} on {row[1]}"
            return f"{self.path}: {who} has taken the run over, so this one stops; what was answered is kept"
        if _identity(self.path) != self._file and not self._is_there():
            return f"{self.path}: was moved or removed while the run was on; start it again, where it lies now"
        return ""

    def _is_there(self) -> bool:
        """Whether the file is this process' own all the same: some file systems number their files anew."""
        try:
            with closing(connect(self.path, read_only=True)) as connection:
                found = connection.execute("SELECT token FROM owner").fetchone()
        except (sqlite3.Error, EnsembleInstructError):
            return False
        self._file = _identity(self.path)
        return found is not None and bool(found[0] == self._token)


def is_locked(path: Path) -> bool:
    """Whether a process works on the database at this moment; where no lock can tell, whether its owner is alive."""
    try:
        descriptor = os.open(lock_path(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # there is none, or it is not ours to see
        return _has_owner_alive(path)
    try:
        return not lock(descriptor, shared=True) and _has_owner_alive(path)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def _has_owner_alive(path: Path) -> bool:
    try:
        with closing(connect(path, read_only=True)) as connection:
            row = connection.execute("SELECT host, process FROM owner").fetchone()
    except (sqlite3.Error, EnsembleInstructError):
        return False
    if row is None or row[0] != socket.gethostname():
        return row is not None
    try:
        os.kill(row[1], 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return True


def _require_silent(path: Path, connection: sqlite3.Connection) -> None:
    """Raise `RunLockedError` where a database has an owner that writes to it while it is watched."""
    until, before = time.monotonic() + _WATCHED, _version(connection)
    while (row := connection.execute("SELECT host, process FROM owner").fetchone()) and time.monotonic() < until:
        if _version(connection) != before:
            raise _at_work(path, f" ({row[1]} on {row[0]})")
        time.sleep(_LOOK_AGAIN)


def _version(connection: sqlite3.Connection) -> int:
    """Another number after each commit of another connection."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _at_work(path: Path, who: str = "") -> RunLockedError:
    watch = "wait for it, or watch it with `ensemble-instruct status`"
    return RunLockedError(f"{path}: another process{who} is working on it; {watch}")


def _identity(path: Path) -> tuple[int, int] | None:
    """By which the file at a path is told from another one; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the time, inside each transaction
    except OSError:
        return None
    return found.st_dev, found.st_ino
