"""Copies the answers and records of runs into one database, one run after the other."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

from ensemble_instruct.novelty.pool import NoveltyPool, tokens_of
from ensemble_instruct.records import KINDS, Kind, Profile, Step
from ensemble_instruct.runs.merging.config import Fingerprint, Source
from ensemble_instruct.store.database import connect

NOT_NOVEL = "not_novel"
"""Why an instruction is dropped that an earlier run has, or one that is too similar."""
DUPLICATE = "duplicate"
"""Why an instance is dropped that an earlier run has."""
_INSTRUCTION = "kind, position, id, text, request, round, most_similar, mean_similarity"
"""The columns of an instruction, as they are read here and written."""
_INSTANCE = "kind, position, id, instruction, input, output, follow_on, completion, request, reference"
"""Those of an instance."""
_CANDIDATE = "instance, voter, text, finish_reason, request, removed"
"""Those of a candidate."""
_ATTEMPT = (
    "key, model, step, kind, cause, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost, estimated,"
    " seconds, at"
)
"""Those of a try that was paid for nothing."""
_REJECTED = "step, kind, reason, text, source, request, detail"
"""Those of a drop."""


@dataclass(slots=True, kw_only=True)
class Copied:
    """What came of one run."""

    run: str
    """How the merged run calls it."""
    config: Fingerprint
    models: dict[str, str]
    """Its models by the names that they have in the merged run."""
    instructions: int = 0
    instances: int = 0
    """How many were taken over."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Instances that an earlier run has, by reason."""
    rejected: tuple[int, int] = (0, 0)
    """First and last id of its drops in the table `rejected`."""

    def as_json(self) -> dict[str, Any]:
        """The entry of the run in the merged run's `meta`."""
        return {
            "run": self.run, "instructions": self.instructions, "instances": self.instances,
            "dropped": dict(self.dropped), "rejected": list(self.rejected), "models": self.models,
            "config": self.config,
        }  # fmt: skip


class Known:
    """The instructions of the runs so far: whether another run's is new to them, as step 1 asks it, each kind apart."""

    def __init__(self, profile: Profile, threshold: float) -> None:
        self._threshold = threshold
        self._pools: dict[Kind, NoveltyPool] = {
            kind: NoveltyPool((), threshold, tokens=tokens_of(profile)) for kind in KINDS
        }
        self._runs: dict[Kind, list[str]] = {kind: [] for kind in KINDS}
        self._texts: dict[Kind, dict[str, str]] = {kind: {} for kind in KINDS}

    def reason_if_known(self, kind: Kind, text: str) -> tuple[str, str] | None:
        """(reason, detail) where an earlier run has an instruction or one that is closer than the threshold."""
        if (run := self._texts[kind].get(text)) is not None:
            return NOT_NOVEL, f"the same in run {run}"
        closest = self._pools[kind].above(text, self._threshold)
        if closest is None:
            return None
        score, number = closest
        return NOT_NOVEL, f"{score:.3f} to (run {self._runs[kind][number]}): {self._pools[kind][number]}"

    def add(self, kind: Kind, texts: Sequence[str], run: str) -> None:
        """Remember the instructions of a run, once all of them were asked about."""
        for text in texts:
            self._pools[kind].add(text)
            self._runs[kind].append(run)
            self._texts[kind].setdefault(text, run)


class Copier:
    """A new run's database and what it is filled with, in one transaction. Use it as a context manager.

    `counted` is told of each instruction and instance: its kind, its step, and why it is dropped, if it is.
    """

    def __init__(self, path: Path, known: Known, counted: Callable[[Kind, Step, str], None]) -> None:
        self._connection, self._known, self._counted = connect(path), known, counted
        self._columns = _columns(self._connection, "request")
        self._positions: Counter[tuple[str, Kind]] = Counter()

    def __enter__(self) -> Copier:
        self._connection.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with closing(self._connection) as connection:
            connection.execute("COMMIT" if kind is None else "ROLLBACK")

    def copy(
        self, source: Source, reader: sqlite3.Connection, models: dict[str, str], voters: Mapping[str, str]
    ) -> Copied:
        """Take over what a run has and the earlier ones have not."""
        copied = Copied(run=source.label, config=source.fingerprint, models=models)
        old = self._old_instructions(reader, source.label)
        last = self._one("SELECT COALESCE(MAX(id), 0) FROM rejected")
        keys = self._copy_requests(reader, models)
        self._copy_attempts(reader, models, keys)
        origins = _Origins(reader, source.label)
        self._copy_instructions(reader, copied, old, keys, origins)
        kept = self._copy_instances(reader, copied, old, keys, origins)
        for instance, voter, text, reason, key, removed in reader.execute(f"SELECT {_CANDIDATE} FROM candidate"):  # noqa: S608
            if instance in kept:
                json.loads(removed)  # fails here where it is damaged, and not in the merged run
                values = (instance, voters.get(voter, voter), text, reason, keys.get(key, key), removed)
                self._insert("candidate", _CANDIDATE, values)
        drops = f"SELECT {_REJECTED} FROM rejected WHERE step != 'ensemble' ORDER BY id"  # noqa: S608
        for step, kind, reason, text, from_, key, detail in reader.execute(drops):
            if step == "outputs" and from_ not in kept:
                continue  # goes with its instance, as the candidates do
            named = voters.get(detail, models.get(detail, detail)) if step == "outputs" else detail
            self._reject(step, kind, reason=reason, text=text, source=from_, key=keys.get(key, key), detail=named)
        copied.rejected = (last + 1, self._one("SELECT COALESCE(MAX(id), 0) FROM rejected"))
        return copied

    def _old_instructions(self, reader: sqlite3.Connection, run: str) -> dict[tuple[Kind, str], tuple[str, str]]:
        """The instructions that earlier runs have, with reason and detail; the others are known from now on."""
        old: dict[tuple[Kind, str], tuple[str, str]] = {}
        for kind in KINDS:
            read = (
                "SELECT text FROM (SELECT text, 0 AS part, position FROM instruction WHERE kind = :kind UNION ALL"
                " SELECT instruction, 1, position FROM instance WHERE kind = :kind) ORDER BY part, position"
            )
            texts = dict.fromkeys(text for (text,) in reader.execute(read, {"kind": kind}))
            old_texts = {text: why for text in texts if (why := self._known.reason_if_known(kind, text))}
            self._known.add(kind, [text for text in texts if text not in old_texts], run)
            old |= {(kind, text): why for text, why in old_texts.items()}
        return old

    def _copy_requests(self, reader: sqlite3.Connection, models: Mapping[str, str]) -> dict[bytes, bytes]:
        """Copy the answers; return the new keys of those whose key is that of another answer in an earlier run."""
        columns = [name for name in _columns(reader, "request") if name in self._columns]
        at = {name: place for place, name in enumerate(columns)}
        shared, sampling = self._ids(reader, "shared", "text"), self._ids(reader, "sampling", "settings")
        keys: dict[bytes, bytes] = {}
        for values in reader.execute(f"SELECT {', '.join(columns)} FROM request ORDER BY rowid"):  # noqa: S608
            row = list(values)
            row[at["model"]] = models.get(row[at["model"]], row[at["model"]])
            row[at["shared"]], row[at["sampling"]] = shared[row[at["shared"]]], sampling[row[at["sampling"]]]
            key, outcome = row[at["key"]], (row[at["text"]], row[at["failure"]])
            there = self._connection.execute("SELECT text, failure FROM request WHERE key = ?", (key,)).fetchone()
            # one request, asked in both runs and answered otherwise: the later answer gets a key of its own
            if there is not None and there != outcome:
                row[at["key"]] = keys[key] = blake2b(key + json.dumps(outcome).encode(), digest_size=16).digest()
            if there is None or there != outcome:
                marks = ", ".join("?" * len(columns))
                into = f"INSERT OR IGNORE INTO request ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
                self._connection.execute(into, row)
        return keys

    def _copy_attempts(
        self, reader: sqlite3.Connection, models: Mapping[str, str], keys: Mapping[bytes, bytes]
    ) -> None:
        """Copy the tries that were paid for nothing; what an earlier run has too, from a common beginning, but once."""
        read = f"SELECT {_ATTEMPT} FROM attempt"  # noqa: S608
        known = set(self._connection.execute(read))
        for key, model, *rest in reader.execute(read):
            values = (keys.get(key, key), models.get(model, model), *rest)
            if values not in known:
                self._insert("attempt", _ATTEMPT, values)

    def _ids(self, reader: sqlite3.Connection, table: str, column: str) -> dict[int, int]:
        """The new ids of the texts of a table that requests point to."""
        ids: dict[int, int] = {}
        for number, text in reader.execute(f"SELECT id, {column} FROM {table} ORDER BY id"):  # noqa: S608
            self._connection.execute(f"INSERT OR IGNORE INTO {table} ({column}) VALUES (?)", (text,))  # noqa: S608
            ids[number] = self._one(f"SELECT id FROM {table} WHERE {column} = ?", text)  # noqa: S608
        return ids

    def _copy_instructions(
        self,
        reader: sqlite3.Connection,
        copied: Copied,
        old: Mapping[tuple[Kind, str], tuple[str, str]],
        keys: Mapping[bytes, bytes],
        origins: _Origins,
    ) -> None:
        read = f"SELECT {_INSTRUCTION} FROM instruction ORDER BY kind, position"  # noqa: S608
        for kind, _, record, text, key, *rest in reader.execute(read):
            json.loads(rest[1])  # what it is similar to; see above
            why = old.get((kind, text))
            self._counted(kind, "instructions", why[0] if why else "")
            if why is not None:
                reason, detail = why
                self._reject(
                    "instructions", kind, reason=reason, text=text, source="", key=keys.get(key, key), detail=detail
                )
                continue
            values = (kind, self._next("instruction", kind), record, text, keys.get(key, key), *rest)
            self._insert("instruction", _INSTRUCTION, values)
            self._originate(record, origins)
            copied.instructions += 1

    def _copy_instances(
        self,
        reader: sqlite3.Connection,
        copied: Copied,
        old: Mapping[tuple[Kind, str], tuple[str, str]],
        keys: Mapping[bytes, bytes],
        origins: _Origins,
    ) -> set[str]:
        """Copy the instances and return the ids of those taken over."""
        kept: set[str] = set()
        read = f"SELECT {_INSTANCE} FROM instance ORDER BY kind, position"  # noqa: S608
        for kind, _, record, instruction, text, *rest, completion, old_key, reference in reader.execute(read):
            key, why = keys.get(old_key, old_key), old.get((kind, instruction))
            if why is None and record not in kept:
                there = self._connection.execute("SELECT run FROM origin WHERE record = ?", (record,)).fetchone()
                why = (DUPLICATE, f"the same in run {there[0]}") if there else None
            self._counted(kind, "parse", why[0] if why else "")
            if why is not None:
                task = f"{instruction}\n{text}".strip()
                self._reject("parse", kind, reason=why[0], text=task, source=completion, key=key, detail=why[1])
                copied.dropped[why[0]] += 1
                continue
            place = self._next("instance", kind)
            values = (kind, place, record, instruction, text, *rest, completion, key, reference)
            self._insert("instance", _INSTANCE, values)
            self._originate(record, origins)
            kept.add(record)
            copied.instances += 1
        return kept

    def _next(self, table: str, kind: Kind) -> int:
        self._positions[table, kind] += 1
        return self._positions[table, kind] - 1

    def _originate(self, record: str, origins: _Origins) -> None:
        into = "INSERT OR IGNORE INTO origin (record, run) VALUES (?, ?)"
        self._connection.execute(into, (record, origins.of(record)))

    def _reject(
        self, step: Step, kind: Kind | None, *, reason: str, text: str, source: str, key: bytes, detail: str
    ) -> None:
        self._insert("rejected", _REJECTED, (step, kind, reason, text, source, key, detail))

    def _insert(self, table: str, columns: str, values: Sequence[Any]) -> None:
        marks = ", ".join("?" * len(values))
        into = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - constant names
        self._connection.execute(into, values)

    def _one(self, sql: str, *values: Any) -> int:
        (number,) = self._connection.execute(sql, values).fetchone()
        return int(number)


class _Origins:
    """Where the records of a run come from: from itself, or from those that it was merged from."""

    def __init__(self, reader: sqlite3.Connection, run: str) -> None:
        self._reader, self._run = reader, run
        self._is_merged = bool(_columns(reader, "origin"))

    def of(self, record: str) -> str:
        origin = None
        if self._is_merged:
            origin = self._reader.execute("SELECT run FROM origin WHERE record = ?", (record,)).fetchone()
        return self._run if origin is None else f"{self._run}/{origin[0]}"


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
