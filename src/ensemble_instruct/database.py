"""The run's SQLite file (WAL): its schema, how it is opened, and what is read from it alone.

Tables
    shared      texts that many prompts have in common (the template of step 2, the seed instructions); a prompt is
                stored compressed against one, so that 10 kB of template cost a request some hundred bytes
    sampling    the distinct sampling settings, as JSON without the seed
    request     one row for each answered request, under its key: what was asked, what came back or the failure
    instruction, instance, candidate, example, rejected
                the records, rewritten by each start of the run (answers are replayed, records follow from them)
    meta        settings the run was started with (JSON), its state, the version that wrote it
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ensemble_instruct.errors import InputFileError, StoreError

APPLICATION_ID = 0x456E496E  # "EnIn"
MIGRATIONS = (
    # 1: the first schema
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE shared (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
    CREATE TABLE sampling (id INTEGER PRIMARY KEY, settings TEXT NOT NULL UNIQUE);
    CREATE TABLE request (
        key BLOB PRIMARY KEY, step TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL,
        shared INTEGER NOT NULL REFERENCES shared, prompt BLOB NOT NULL,
        sampling INTEGER NOT NULL REFERENCES sampling, seed INTEGER, repeat INTEGER NOT NULL,
        text TEXT, finish_reason TEXT, prompt_tokens INTEGER, completion_tokens INTEGER,
        failure TEXT, seconds REAL NOT NULL, answered_at REAL NOT NULL
    );
    CREATE TABLE instruction (
        kind TEXT, position INTEGER, id TEXT NOT NULL, text TEXT NOT NULL, request BLOB NOT NULL,
        round INTEGER NOT NULL, most_similar TEXT NOT NULL, mean_similarity REAL NOT NULL,
        PRIMARY KEY (kind, position)
    ) WITHOUT ROWID;
    CREATE TABLE instance (
        kind TEXT, position INTEGER, id TEXT NOT NULL, instruction TEXT NOT NULL, input TEXT NOT NULL,
        output TEXT NOT NULL, follow_on INTEGER NOT NULL, completion TEXT NOT NULL, request BLOB NOT NULL,
        PRIMARY KEY (kind, position)
    ) WITHOUT ROWID;
    CREATE TABLE candidate (
        instance TEXT, voter TEXT, text TEXT NOT NULL, finish_reason TEXT NOT NULL, request BLOB NOT NULL,
        PRIMARY KEY (instance, voter)
    ) WITHOUT ROWID;
    CREATE TABLE example (
        kind TEXT, position INTEGER, instance TEXT NOT NULL, row TEXT NOT NULL, PRIMARY KEY (kind, position)
    ) WITHOUT ROWID;
    CREATE TABLE rejected (
        id INTEGER PRIMARY KEY, step TEXT NOT NULL, kind TEXT, reason TEXT NOT NULL, text TEXT NOT NULL,
        source TEXT NOT NULL, request BLOB NOT NULL, detail TEXT NOT NULL
    );
    """,
)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a run's database, migrated to this version's schema unless `read_only`.

    Raises `StoreError` for a file that is not one, or that a newer version wrote.
    """
    try:
        mode = "ro" if read_only else "rwc"
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=30,
            check_same_thread=False,
        )
        application, version = (
            connection.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in ("application_id", "user_version")
        )
        if application not in (0, APPLICATION_ID):
            raise StoreError(f"{path}: is a database of another program; choose another place")
        if version > len(MIGRATIONS):
            raise StoreError(f"{path}: was written by a newer version; upgrade ensemble-instruct to read it")
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
                stamp = f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={number};"
                connection.executescript(f"BEGIN; {script} {stamp} COMMIT;")
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be opened as a run's database: {error}") from error
    return connection


def read_examples(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """The examples as objects, `input_output` first, each kind in order."""
    for (row,) in connection.execute("SELECT row FROM example ORDER BY kind, position"):
        yield json.loads(row)


def require_run(folder: Path) -> Path:
    """The database of a run folder; raises `InputFileError` if there is none."""
    path = folder / "run.db"
    if not path.is_file():
        raise InputFileError(f"{folder}: is not a run folder (no run.db); start one with `ensemble-instruct run`")
    return path
