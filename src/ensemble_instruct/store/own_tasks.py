"""The tasks of a user's own that a run begins with, as its database keeps them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import astuple, dataclass

from ensemble_instruct.records import Kind
from ensemble_instruct.store.rows import Insert

NOTED = "tasks"
"""The name in `meta` of what is noted of all of them."""
_COLUMNS = "kind, instruction, input, output, reference, reason, detail"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTask:
    """One row of a user's file."""

    kind: Kind
    instruction: str
    input: str
    output: str
    reference: str
    reason: str
    """Why it is dropped; empty where it is used."""
    detail: str
    """Where it was."""


def task_insert(task: KeptTask, position: int) -> Insert:
    """A task as a row; `position` is its place among all of them."""
    return Insert(f"INSERT INTO task (position, {_COLUMNS})", (position, *astuple(task)))


def read_tasks_kept(connection: sqlite3.Connection, kind: Kind) -> Iterator[KeptTask]:
    """The tasks of one kind, in order."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM task WHERE kind = ? ORDER BY position", (kind,))  # noqa: S608
    for of, instruction, task_input, output, reference, reason, detail in rows:
        yield KeptTask(
            kind=of,
            instruction=instruction,
            input=task_input,
            output=output,
            reference=reference,
            reason=reason,
            detail=detail,
        )
