"""What several modules read of a run's database: works while it runs, and after.

Aggregates that one page alone needs are where it is made; how a run is written is known here, in `rows` and in
`database` alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ensemble_instruct.errors import EnsembleInstructError, InputFileError
from ensemble_instruct.files.digest import file_digest
from ensemble_instruct.files.jsonl import dump
from ensemble_instruct.records import (
    INSTANCE_VOTER,
    KINDS,
    Answer,
    Answered,
    Candidate,
    Instruction,
    Kind,
    Profile,
    Rejected,
    Response,
    Step,
)
from ensemble_instruct.replies.reader import read_reply
from ensemble_instruct.store.database import connect
from ensemble_instruct.store.faults import OF_READING, OF_WRONG_VALUES, damaged, fault, is_damaged, is_of_a_value
from ensemble_instruct.store.owner import is_locked
from ensemble_instruct.store.rows import (
    SELECT_CANDIDATES,
    SELECT_INSTANCES,
    SELECT_INSTRUCTIONS,
    SELECT_OUTCOMES,
    SELECT_REJECTED,
    candidate_of,
    instance_of,
    instruction_of,
    outcome_of,
    parsed_row,
    rejected_of,
)

OF_A_VERDICT = "EXISTS (SELECT 1 FROM request WHERE key = rejected.request AND step = 'ensemble')"
"""Whether a drop of step 4 is no answer to an instance, but a verdict on answers (judge, `toxicity`); in SQL."""
_TOO_MANY = "instructions", "target_reached"
_REASONS_NAMED = 3
"""Of what was dropped, in words."""
EXAMPLES_DIGEST = "examples"
"""The name in `meta` of the SHA-256 of `examples.jsonl` as the run wrote it."""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection, closed at the end; what goes wrong with the file becomes a `StoreError`."""
    with errors_of_reading(path), closing(connect(path, read_only=True)) as connection:
        yield connection


@contextmanager
def errors_of_reading(path: Path) -> Iterator[None]:
    """Turn what SQLite, or a value that is damaged, raises in the block into a `StoreError` that says what to do."""
    try:
        yield
    except OF_READING as error:
        if is_of_a_value(error) and _is_damaged(path):
            raise damaged(path, error) from error
        raise fault(path, error) from error
    except OF_WRONG_VALUES as error:
        if _is_damaged(path):
            raise damaged(path, error) from error
        raise


def _is_damaged(path: Path) -> bool:
    try:
        with closing(connect(path, read_only=True)) as connection:
            return is_damaged(connection)
    except (sqlite3.Error, EnsembleInstructError):
        return False


def read_meta(connection: sqlite3.Connection) -> dict[str, str]:
    """What a run notes of itself: its settings as JSON, its state, the version that wrote it; by name."""
    return dict(connection.execute("SELECT name, value FROM meta").fetchall())


def read_answer(connection: sqlite3.Connection, key: str) -> Answer | None:
    """The committed answer under a key, or None."""
    row = connection.execute(f"{SELECT_OUTCOMES} WHERE key = ?", (bytes.fromhex(key),)).fetchone()
    return None if row is None else Answer(key, outcome_of(row))


def read_profile(connection: sqlite3.Connection) -> Profile:
    """The profile of a run."""
    profile: Profile = json.loads(read_meta(connection).get("config", "{}")).get("profile", "default")
    return profile


def read_response(connection: sqlite3.Connection, key: str, profile: Profile) -> Response | None:
    """The response under a key as the steps read it; None where there is none, or no answer in it."""
    answer = read_answer(connection, key)
    if answer is None or not isinstance(answer.outcome, Response):
        return None
    read = read_reply(answer.outcome, profile)
    return read if isinstance(read, Response) else None


def read_instructions(connection: sqlite3.Connection, kind: Kind) -> Iterator[Instruction]:
    """The instructions of one kind, in order."""
    return map(instruction_of, connection.execute(f"{SELECT_INSTRUCTIONS} WHERE kind = ? ORDER BY position", (kind,)))


def read_candidates(connection: sqlite3.Connection, instance_id: str) -> Iterator[Candidate]:
    """What the voters said to an instance, in the order of their names."""
    return map(candidate_of, connection.execute(f"{SELECT_CANDIDATES} WHERE instance = ?", (instance_id,)))


def read_answered(connection: sqlite3.Connection, voters: Sequence[str]) -> Iterator[Answered]:
    """Each instance, `input_output` first, each kind in order, with what these voters said to it."""
    for row in connection.execute(f"{SELECT_INSTANCES} ORDER BY kind, position"):
        instance = instance_of(row)
        by_voter = {candidate.voter: candidate for candidate in read_candidates(connection, row[-1])}
        yield Answered(instance, tuple(by_voter[voter] for voter in voters if voter in by_voter))


def has_reference(connection: sqlite3.Connection) -> bool:
    """Whether some instance of the run has a reference."""
    return connection.execute("SELECT 1 FROM instance WHERE reference != '' LIMIT 1").fetchone() is not None


def read_labelled(connection: sqlite3.Connection, voters: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Each instance with a reference and what the voters said to it, as rows that `evaluate` takes."""
    for instance, candidates in read_answered(connection, voters):
        if instance.reference:
            own = {INSTANCE_VOTER: instance.output} if instance.output else {}
            outputs = own | {candidate.voter: candidate.text for candidate in candidates}
            task = {"instruction": instance.instruction, "input": instance.input, "reference": instance.reference}
            yield {**task, "outputs": outputs}


def read_rejected(connection: sqlite3.Connection) -> Iterator[Rejected]:
    """What the steps dropped, in the order in which they did."""
    return map(rejected_of, connection.execute(f"{SELECT_REJECTED} ORDER BY id"))


def read_examples(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """The examples as objects, `input_output` first, each kind in order."""
    return map(parsed_row, read_example_texts(connection))


def read_example_texts(connection: sqlite3.Connection) -> Iterator[str]:
    """The same as the texts that the store holds, for who needs their lengths."""
    for (text,) in connection.execute("SELECT row FROM example ORDER BY kind, position"):
        yield text


def kept_counts(connection: sqlite3.Connection) -> dict[tuple[Kind, Step], int]:
    """Records by kind and step, from the tables of the records alone: those of the requests are much larger."""
    read = (
        "SELECT kind, completion FROM instance WHERE completion != ''"
        " UNION SELECT kind, source FROM rejected WHERE step = 'parse' AND source != ''"
    )
    answered = "SELECT 1 FROM candidate WHERE candidate.instance = instance.id"
    counts: dict[Step, str] = {
        "instructions": "SELECT kind, COUNT(*) FROM instruction GROUP BY kind",
        "instances": f"SELECT kind, COUNT(*) FROM ({read}) GROUP BY kind",  # noqa: S608 - constant texts
        "parse": "SELECT kind, COUNT(*) FROM instance GROUP BY kind",
        "outputs": f"SELECT kind, COUNT(*) FROM instance WHERE EXISTS ({answered}) GROUP BY kind",  # noqa: S608
        "ensemble": "SELECT kind, COUNT(*) FROM example GROUP BY kind",
    }
    return {(kind, step): count for step, sql in counts.items() for kind, count in connection.execute(sql).fetchall()}


def dropped_counts(connection: sqlite3.Connection) -> dict[tuple[Step, Kind | None, str], int]:
    """How many records were dropped, by step, kind and reason; `kind` is None where a step could not tell."""
    rows = connection.execute("SELECT step, kind, reason, COUNT(*) FROM rejected GROUP BY step, kind, reason")
    return {(step, kind, reason): count for step, kind, reason, count in rows}


def record_counts(connection: sqlite3.Connection) -> Counter[tuple[Kind | None, Step, str]]:
    """How many records are in the tables, by kind, step and reason; the reason is empty for those kept."""
    counts: Counter[tuple[Kind | None, Step, str]] = Counter()
    tables: dict[Step, str] = {"instructions": "instruction", "parse": "instance", "ensemble": "example"}
    for step, table in tables.items():
        for kind, count in connection.execute(f"SELECT kind, COUNT(*) FROM {table} GROUP BY kind"):  # noqa: S608
            counts[kind, step, ""] = count
    for (step, kind, reason), count in dropped_counts(connection).items():
        counts[kind, step, reason] = count
    return counts


def drops_by_reason(connection: sqlite3.Connection, kinds: Collection[Kind] = KINDS) -> Counter[tuple[Step, str]]:
    """What of these kinds was dropped on its way to the examples: not verdicts, and not what was too many in step 1."""
    drops: Counter[tuple[Step, str]] = Counter()
    for (step, kind, why), count in (Counter(dropped_counts(connection)) - unread_verdicts(connection)).items():
        if kind in kinds and (step, why) != _TOO_MANY:
            drops[step, why] += count
    return drops


def drops_in_words(drops: Mapping[tuple[Step, str], int]) -> str:
    """The reasons that dropped most, each with its step."""
    largest = sorted(drops.items(), key=lambda drop: -drop[1])
    return ", ".join(f"{count} {why} in {step}" for (step, why), count in largest[:_REASONS_NAMED])


def unread_verdicts(connection: sqlite3.Connection) -> Counter[tuple[Step, Kind | None, str]]:
    """Of `dropped_counts` in step 4, those that are no answers to an instance, but verdicts on answers.

    They were refused or could not be read. No answer is missing for them.
    """
    rows = connection.execute(
        f"SELECT step, kind, reason, COUNT(*) FROM rejected WHERE step = 'outputs' AND {OF_A_VERDICT}"  # noqa: S608
        " GROUP BY step, kind, reason"
    )
    return Counter({(step, kind, reason): count for step, kind, reason, count in rows})


def require_run(folder: Path) -> Path:
    """The database of a run folder; raises `InputFileError` for a folder without one."""
    path = folder / "run.db"
    if not path.is_file():
        raise InputFileError(f"{folder}: is not a run folder (no run.db); start one with `ensemble-instruct run`")
    return path


def is_edited(folder: Path) -> bool:
    """Whether `examples.jsonl` of a finished run is not what the run wrote.

    Where the digest does not say so, as in runs of older versions, the file is compared with the store, a row at a
    time. A file that is not there any more counts as unedited. Raises `InputFileError` if the folder is not a run,
    or the file cannot be read.
    """
    database, path = require_run(folder), folder / "examples.jsonl"
    if not path.is_file():
        return False
    try:
        with reading(database) as connection:
            meta = read_meta(connection)
            if meta.get("state") != "finished" or file_digest(path) == meta.get(EXAMPLES_DIGEST):
                return False
            return not _holds(path, map(json.loads, read_example_texts(connection)))
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read: {error.strerror}; check its permissions") from error


def require_unedited(folder: Path) -> None:
    """Raise `InputFileError` where `is_edited`: what is read of the run does not have the edits."""
    if is_edited(folder):
        path = folder / "examples.jsonl"
        raise InputFileError(
            f"{path}: was edited, and this command reads run.db, without the edits; give --ignore-edits to go on so, "
            f"or name the file in place of the run (`export {path}`, `report {path}`) to use them"
        )


def _holds(path: Path, rows: Iterable[dict[str, Any]]) -> bool:
    """Whether a file holds exactly these rows as lines."""
    with path.open("rb") as file:
        for row in rows:
            line = f"{dump(row)}\n".encode()
            if file.read(len(line)) != line:
                return False
        return not file.read(1)


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
    """How many outputs of examples a quality filter did not let be chosen, by reason; empty before a run has ended."""
    counts: dict[str, int] = json.loads(meta.get("barred", "{}")) if meta.get("state") == "finished" else {}
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedRun:
    """One of the runs that a run was merged from, as `merge` wrote it down."""

    name: str
    """How the merged run calls it."""
    instructions: int
    instances: int
    """What it gave."""
    dropped: Mapping[str, int]
    """Instances that an earlier one of the runs had already, or that were too close to those of one, by reason."""
    settings: Mapping[str, Any]
    """By which its records were made, by their keys."""


def merged_runs_of(meta: Mapping[str, str]) -> tuple[MergedRun, ...]:
    """The runs that a run was merged from; empty for a run that was not merged."""
    return tuple(
        MergedRun(
            name=entry["run"],
            instructions=entry["instructions"],
            instances=entry["instances"],
            dropped=entry["dropped"],
            settings=entry.get("config") or {},
        )
        for entry in json.loads(meta.get("merged", "[]"))
    )
