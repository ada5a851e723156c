"""What goes wrong with a run's file, as one line: what it is, and what to do next."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import sqlite3
import zlib
from pathlib import Path

from ensemble_instruct.descriptors import are_used_up, used_up
from ensemble_instruct.errors import StoreError

OF_READING = (sqlite3.Error, json.JSONDecodeError, zlib.error)
"""What reading a run's file raises where something is wrong with it."""
OF_WRONG_VALUES = (ValueError, TypeError, LookupError, AttributeError)
"""What becomes of a value that is not what it should be: damage, or a mistake of this program."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PASSING = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL,
}  # fmt: skip
_LOCKS_FAILED = {
    sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_UNLOCK, sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK, sqlite3.SQLITE_IOERR_SHMLOCK,
}  # fmt: skip
_AGAIN = "give the same command again"


def fault(path: Path, error: BaseException) -> StoreError:
    """What an error of SQLite, or a value in it that cannot be read, says of the database at `path`."""
    if is_damage(error):
        return damaged(path, error)
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code in _LOCKS_FAILED or (code & 0xFF == sqlite3.SQLITE_BUSY and not _has_locks(path)):
        return StoreError(f"{path}: its file system has no locks, which SQLite needs; put it on another disk")
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            words = f"cannot be written: {error}; free some space, then {_AGAIN}"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            words = f"another program keeps it locked; end that one, then {_AGAIN}"
        case sqlite3.SQLITE_IOERR:
            words = f"cannot be read or written: {error}; see whether its disk is full or broken, then {_AGAIN}"
        case sqlite3.SQLITE_READONLY:
            words = f"cannot be written: {error}; copy it, with what begins with its name, to where it can be written"
        case sqlite3.SQLITE_CANTOPEN:
            words = f"cannot be opened: {_why_not_opened(path)}"
        case _:
            words = f"cannot be read or written: {error}; {_AGAIN}, and report it if it comes again"
    return StoreError(f"{path}: {words}")


def may_pass(error: BaseException) -> bool:
    """Whether what an error kept from being written may be written later: room, files, memory and locks come back."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and code is not None and code & 0xFF in _PASSING


def is_damage(error: BaseException) -> bool:
    """Whether an error says that the file holds something else than was written."""
    if not isinstance(error, sqlite3.Error):
        return True
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None or code == sqlite3.SQLITE_ERROR:
        return str(error).startswith(("Could not decode to UTF-8", "malformed JSON"))
    return code & 0xFF in _DAMAGED


def is_of_a_value(error: BaseException) -> bool:
    """Whether a function of this program, called by SQLite, could not take a value."""
    return isinstance(error, sqlite3.Error) and "user-defined function" in str(error)


def damaged(path: Path, error: BaseException) -> StoreError:
    """What there is to say of a damaged database: what is wrong with it, and how to come by the rest."""
    column = re.match(r"Could not decode to UTF-8 column '(\w+)'", str(error))
    if column:
        what = f"a text in it is not UTF-8 (column {column[1]})"
    elif isinstance(error, sqlite3.Error):
        what = f"part of it cannot be read ({error})"
    else:
        what = f"a value in it is not what was written ({type(error).__name__}: {str(error)[:80]})"
    return StoreError(f"{path}: is damaged: {what}; {_what_next(path)}")


def is_damaged(connection: sqlite3.Connection) -> bool:
    """Whether a database holds what no version has written: pages out of order, texts that are none."""
    try:
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            return True
        tables = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        return any(_has_wrong_types(connection, name) for (name,) in tables)
    except sqlite3.Error as error:
        return is_damage(error)


def _has_wrong_types(connection: sqlite3.Connection, table: str) -> bool:
    columns = [(row[1], row[2].lower()) for row in connection.execute(f"PRAGMA main.table_info({table})")]
    right = {"text": "'text'", "blob": "'blob'", "integer": "'integer'", "real": "'real', 'integer'"}
    wrong = " OR ".join(f"typeof({name}) NOT IN ('null', {right[kind]})" for name, kind in columns if kind in right)
    sql = f"SELECT 1 FROM main.{table} WHERE {wrong or 0} LIMIT 1"  # noqa: S608 - names of our own
    return connection.execute(sql).fetchone() is not None


def _what_next(path: Path) -> str:
    if path.name != "run.db":
        return "put back a copy of it, or remove it and ask again"
    command = f"ensemble-instruct export {path.parent} --salvage --format original --to FILE"
    return f"put back a copy of the folder, or begin anew; `{command}` writes the examples that can be read"


def _why_not_opened(path: Path) -> str:
    copy = "copy the folder, with all that begins with its name, to where it can be written"
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        if are_used_up(error):
            return used_up()
        return f"{error.strerror}; check the path and its permissions"
    if not os.access(path.parent, os.W_OK):
        return f"SQLite needs a file beside it, and its folder may only be read; {copy}"
    return f"SQLite cannot make a file beside it; see whether its disk is full, or {copy}"


def _has_locks(path: Path) -> bool:
    """Whether the file system has the locks of SQLite, tried with a byte that it does not use."""
    try:
        with path.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 2**62)
    except BlockingIOError:
        return True
    except OSError as error:
        return error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
    return True
