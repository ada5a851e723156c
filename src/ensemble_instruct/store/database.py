"""The run's SQLite file (WAL): its schema, how it is opened, and what is read from it alone.

Tables
    shared      texts that many prompts have in common (the template of step 2, the seed instructions); a prompt is
                stored compressed against one, so that 10 kB of template cost a request some hundred bytes
    sampling    the distinct sampling settings, as JSON without the seed
    request     one row for each answered request, under its key: what was asked, what came back or the failure
    attempt     one row for each try of a request that was paid, or may have been, and is not its answer
    instruction, instance, candidate, example, rejected
                the records, rewritten by each start of the run (answers are replayed, records follow from them)
    task        the user's own tasks with which a run begins, as they came; `reason` says why one is dropped
    origin      the run from which an instruction or an instance (by id) comes, where several were merged
    owner       one row, while a process works on the run: which one it is
    meta        settings the run was started with (JSON), its state, the version that wrote it
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from contextlib import ExitStack, suppress
from pathlib import Path

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.store.faults import fault

APPLICATION_ID = 0x456E496E
"""By which SQLite files tell whose they are: "EnIn" in ASCII."""
_LOCK_PATIENCE = 30.0
"""Seconds for which a statement waits for another program that has locked the file."""
_ALONE = "ro&vfs=unix-none"
"""How a file is opened that no process writes, where none can: without locks, and without a file for its index."""
_PLAIN = b"\0"
"""What a prompt begins with that is not compressed; zlib's data never begins so."""
_SHORT = 512
"""Characters below which a prompt that shares nothing is not compressed: that would gain little."""
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
    # 2: whether the counts of tokens are the server's or estimated
    "ALTER TABLE request ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;",
    # 3: mean_similarity is NULL where nobody asked for it
    """
    CREATE TABLE made (
        kind TEXT, position INTEGER, id TEXT NOT NULL, text TEXT NOT NULL, request BLOB NOT NULL,
        round INTEGER NOT NULL, most_similar TEXT NOT NULL, mean_similarity REAL,
        PRIMARY KEY (kind, position)
    ) WITHOUT ROWID;
    INSERT INTO made SELECT * FROM instruction;
    DROP TABLE instruction;
    ALTER TABLE made RENAME TO instruction;
    """,
    # 4: whether the sample was drawn with the seed that was asked for
    "ALTER TABLE request ADD COLUMN seed_honoured INTEGER NOT NULL DEFAULT 1;",
    # 5: the run from which an instruction or an instance comes, where several were merged
    "CREATE TABLE origin (record TEXT PRIMARY KEY, run TEXT NOT NULL) WITHOUT ROWID;",
    # 6: conversations (`shared` is then the JSON of the turns before the prompt), parts of a reply, what was removed
    """
    ALTER TABLE request ADD COLUMN turns INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE request ADD COLUMN reasoning TEXT NOT NULL DEFAULT '';
    ALTER TABLE request ADD COLUMN refusal TEXT NOT NULL DEFAULT '';
    ALTER TABLE candidate ADD COLUMN removed TEXT NOT NULL DEFAULT '[]';
    """,
    # 7: who answered, what the server says of the cost, and the tries that were paid for nothing
    """
    ALTER TABLE request ADD COLUMN served_model TEXT NOT NULL DEFAULT '';
    ALTER TABLE request ADD COLUMN upstream TEXT NOT NULL DEFAULT '';
    ALTER TABLE request ADD COLUMN cost REAL;
    ALTER TABLE request ADD COLUMN cached_tokens INTEGER;
    ALTER TABLE request ADD COLUMN reasoning_tokens INTEGER;
    CREATE TABLE attempt (
        key BLOB NOT NULL, step TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL, cause TEXT NOT NULL,
        prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cached_tokens INTEGER,
        reasoning_tokens INTEGER, cost REAL, estimated INTEGER NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL
    );
    """,
    # 8: the user's own tasks with which a run begins, and what a good output is where they say it
    """
    ALTER TABLE instance ADD COLUMN reference TEXT NOT NULL DEFAULT '';
    CREATE TABLE task (
        position INTEGER PRIMARY KEY, kind TEXT NOT NULL, instruction TEXT NOT NULL, input TEXT NOT NULL,
        output TEXT NOT NULL, reference TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL
    );
    """,
    # 9: which process works on the run
    """
    CREATE TABLE owner (
        id INTEGER PRIMARY KEY CHECK (id = 1), token BLOB NOT NULL, host TEXT NOT NULL, process INTEGER NOT NULL,
        since REAL NOT NULL
    );
    """,
)
"""What brings a database from each version to the next. One that was released is never changed."""
_NEWER_COLUMNS = {
    "request": {
        "rowid": "rowid", "estimated": "0", "seed_honoured": "1", "turns": "0", "reasoning": "''", "refusal": "''",
        "served_model": "''", "upstream": "''", "cost": "NULL", "cached_tokens": "NULL", "reasoning_tokens": "NULL",
    },
    "candidate": {"removed": "'[]'"},
    "instance": {"reference": "''"},
}  # fmt: skip
"""Columns that came with a migration, and what an older database says in their place."""
_NEWER_TABLES = {
    "attempt": (
        "key", "step", "kind", "model", "cause", "prompt_tokens", "completion_tokens", "cached_tokens",
        "reasoning_tokens", "cost", "estimated", "seconds", "at",
    ),
    "owner": ("token", "host", "process", "since"),
}  # fmt: skip
"""Tables that came with a migration and are read of every run: in an older database they have no row."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a run's database, migrated to this version's schema unless `read_only`.

    Raises `InputFileError` for a file that is no run's database or that a newer version wrote, `StoreError` for one
    that cannot be opened.
    """
    try:
        with ExitStack() as unless_ready:
            connection = _opened(path, _mode(path, read_only=read_only))
            unless_ready.callback(connection.close)
            _require_known(connection, path)
            if not read_only:
                _bring_up_to_date(connection)
            elif schema_version(connection) == 0:
                raise InputFileError(f"{path}: the run has not begun yet; start it again with `ensemble-instruct run`")
            else:
                _show_newer_columns(connection)
            unless_ready.pop_all()
            return connection
    except sqlite3.Error as error:
        is_run = path.name == "run.db" and path.with_name("config.yaml").exists()
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB and not is_run:
            raise InputFileError(f"{path}: is not a database; choose another place") from error
        raise fault(path, error) from error


def schema_version(connection: sqlite3.Connection) -> int:
    """How many of the `MIGRATIONS` a database has had; 0 for one in which nothing was written yet."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _mode(path: Path, *, read_only: bool) -> str:
    if not read_only:
        return "rwc"
    # readers of a WAL database write too (its -shm file), unless nobody can write there: then it is immutable, or, if a
    # process was killed that had not written all into it yet, read with what -shm would hold in memory
    if os.access(path.parent, os.W_OK):
        return "ro"
    if not path.with_name(f"{path.name}-wal").exists():
        return "ro&immutable=1"
    return "ro" if path.with_name(f"{path.name}-shm").exists() else _ALONE


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    if mode == "rwc":  # what is in it is for its owner alone, and SQLite's further files are as it is
        with suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,  # transactions begin where the code says so
        timeout=_LOCK_PATIENCE,
        check_same_thread=False,  # the thread that commits uses the connection of the event loop
    )
    if mode == _ALONE:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    return connection


def _require_known(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `InputFileError` for the database of another program or of a newer version."""
    # the tables first: another process that fills a new file makes them and the id at once
    has_tables = connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    # SQLite's default id is 0: then a file with tables is somebody else's, an empty one is ours to fill
    if (application == 0 and has_tables) or application not in (0, APPLICATION_ID):
        raise InputFileError(f"{path}: is a database of another program; choose another place")
    if schema_version(connection) > len(MIGRATIONS):
        raise InputFileError(f"{path}: was written by a newer version; upgrade ensemble-instruct to read it")


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Set how it is written, and make the migrations that it has not had yet, each in a transaction of its own."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # a commit is on disk when it returns: NORMAL may lose the last ones
    while schema_version(connection) < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        version = schema_version(connection)  # another process may have made it meanwhile
        script = "".join(MIGRATIONS[version : version + 1])
        stamp = f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={version + 1}" if script else ""
        for statement in filter(str.strip, f"{script}{stamp}".split(";")):
            connection.execute(statement)
        connection.execute("COMMIT")


def _show_newer_columns(connection: sqlite3.Connection) -> None:
    """Let an older database, which is only read, be asked for the columns and tables of the newest."""
    if schema_version(connection) == len(MIGRATIONS):
        return
    known_tables = {name for (name,) in connection.execute("SELECT name FROM main.sqlite_master")}
    for table in _NEWER_TABLES.keys() - known_tables:
        nothing = ", ".join(f"NULL AS {name}" for name in _NEWER_TABLES[table])
        connection.execute(f"CREATE TEMP VIEW {table} AS SELECT {nothing} WHERE 0")
    for table, defaults in _NEWER_COLUMNS.items():
        known = {row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")}
        missing = [f"{value} AS {name}" for name, value in defaults.items() if name not in known]
        if missing:  # a temporary view hides the table of the same name
            columns = ", ".join(["*", *missing])
            connection.execute(f"CREATE TEMP VIEW {table} AS SELECT {columns} FROM main.{table}")  # noqa: S608


def pack_prompt(text: str, shared: str) -> bytes:
    """A prompt as `request.prompt` holds it: compressed against the text that it shares with others, if that pays."""
    if not shared and len(text) < _SHORT:
        return _PLAIN + text.encode("utf-8", "surrogatepass")
    packer = zlib.compressobj(level=1, zdict=shared.encode("utf-8", "surrogatepass")) if shared else zlib.compressobj(1)
    return packer.compress(text.encode("utf-8", "surrogatepass")) + packer.flush()


def unpack_prompt(data: bytes, shared: str) -> str:
    """The prompt that `pack_prompt` packed with the same shared text."""
    if data.startswith(_PLAIN):
        return data[len(_PLAIN) :].decode("utf-8", "surrogatepass")
    unpacker = zlib.decompressobj(zdict=shared.encode("utf-8", "surrogatepass")) if shared else zlib.decompressobj()
    return (unpacker.decompress(data) + unpacker.flush()).decode("utf-8", "surrogatepass")
