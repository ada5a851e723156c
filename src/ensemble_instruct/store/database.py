"""The run's SQLite file (WAL): its schema, how it is opened, and what is read from it alone.

Tables
    shared      texts that many prompts have in common (the template of step 2, the seed instructions); a prompt is
                stored compressed against one, so that 10 kB of template cost a request some hundred bytes
    sampling    the distinct sampling settings, as JSON without the seed
    request     one row for each answered request, under its key: what was asked, what came back or the failure
    instruction, instance, candidate, example, rejected
                the records, rewritten by each start of the run (answers are replayed, records follow from them)
    origin      the run from which an instruction or an instance (by id) comes, where several were merged
    meta        settings the run was started with (JSON), its state, the version that wrote it
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from pathlib import Path

from ensemble_instruct.errors import InputFileError, StoreError

APPLICATION_ID = 0x456E496E  # "EnIn"
_PLAIN, _SHORT = b"\0", 512
"""What a prompt begins with that is not compressed (zlib's data never does), and how long it may be."""
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
)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a run's database, migrated to this version's schema unless `read_only`.

    Raises `InputFileError` for a file that is not one or that a newer version wrote, `StoreError` for one that
    cannot be opened.
    """
    try:
        mode = "ro" if read_only else "rwc"
        if read_only and not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
            mode = "ro&immutable=1"  # a medium that may only be read: nobody writes there
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
        foreign = application == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None
        if foreign or application not in (0, APPLICATION_ID):
            raise InputFileError(f"{path}: is a database of another program; choose another place")
        if version > len(MIGRATIONS):
            raise InputFileError(f"{path}: was written by a newer version; upgrade ensemble-instruct to read it")
        if read_only and version == 0:
            raise InputFileError(f"{path}: the run has not begun yet; start it again with `ensemble-instruct run`")
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
                stamp = f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={number};"
                connection.executescript(f"BEGIN; {script} {stamp} COMMIT;")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise InputFileError(f"{path}: is not a database; choose another place") from error
        raise StoreError(f"{path}: cannot be opened as a run's database: {error}") from error
    return connection


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
