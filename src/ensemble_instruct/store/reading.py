"""What is read of a run's database without the store: works while it runs, and after."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ensemble_instruct.errors import InputFileError, StoreError
from ensemble_instruct.records import Kind, Step
from ensemble_instruct.store.database import connect


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection, closed at the end; what goes wrong with the file becomes a `StoreError`."""
    try:
        with closing(connect(path, read_only=True)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be read: {error}; the file may be damaged") from error


def read_examples(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """The examples as objects, `input_output` first, each kind in order."""
    for (row,) in connection.execute("SELECT row FROM example ORDER BY kind, position"):
        yield json.loads(row)


def kept_counts(connection: sqlite3.Connection) -> dict[tuple[Kind, Step], int]:
    """Records by kind and step, from the tables of the records alone: those of the requests are much larger."""
    read = "SELECT kind, completion FROM instance UNION SELECT kind, source FROM rejected WHERE step = 'parse'"
    answered = "SELECT 1 FROM candidate WHERE candidate.instance = instance.id"
    counts: dict[Step, str] = {
        "instructions": "SELECT kind, COUNT(*) FROM instruction GROUP BY kind",
        "instances": f"SELECT kind, COUNT(*) FROM ({read}) GROUP BY kind",  # noqa: S608 - constant texts
        "parse": "SELECT kind, COUNT(*) FROM instance GROUP BY kind",
        "outputs": f"SELECT kind, COUNT(*) FROM instance WHERE EXISTS ({answered}) GROUP BY kind",  # noqa: S608
        "ensemble": "SELECT kind, COUNT(*) FROM example GROUP BY kind",
    }
    return {(kind, step): count for step, sql in counts.items() for kind, count in connection.execute(sql).fetchall()}


def is_locked(path: Path) -> bool:
    """Whether a process works on the database at this moment."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        if lock.exists():
            with FileLock(lock, timeout=0):
                return False
    except Timeout:
        return True
    except OSError:  # a folder that may only be read: nothing of ours is running there
        return False
    return False


def require_run(folder: Path) -> Path:
    """The database of a run folder; raises `InputFileError` if there is none."""
    path = folder / "run.db"
    if not path.is_file():
        raise InputFileError(f"{folder}: is not a run folder (no run.db); start one with `ensemble-instruct run`")
    return path


def state_of(meta: Mapping[str, str], path: Path) -> str:
    """`finished`, `running` or `stopped`, by what a database says of its run and whether a process works on it."""
    if meta.get("state") == "finished":
        return "finished"
    return "running" if is_locked(path) else "stopped"


def mean_words_of(meta: Mapping[str, str]) -> tuple[float, float] | None:
    """Mean words of all outputs of a run, and of those kept; None until it has ended, or where nothing was kept."""
    words: list[float] | None = json.loads(meta.get("words", "null")) if meta.get("state") == "finished" else None
    return (words[0], words[1]) if words else None


def barred_counts_of(meta: Mapping[str, str]) -> dict[str, int]:
    """Outputs of examples that a quality filter did not let be chosen, by reason; none before a run has ended."""
    found: dict[str, int] = json.loads(meta.get("barred", "{}")) if meta.get("state") == "finished" else {}
    return found
