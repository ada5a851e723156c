"""Seed tasks and demonstrations: the bundled ones, or a user's own files, refused with file, line and reason."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from ensemble_instruct.config.bundled import bundled_path
from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.digest import short_rows_digest
from ensemble_instruct.files.jsonl import JsonRow, require_fields
from ensemble_instruct.files.rows import read_rows
from ensemble_instruct.files.task_rows import is_task_row, task_row
from ensemble_instruct.invisible import is_blank
from ensemble_instruct.records import Demonstration, Kind, SeedTask

_SEED_FIELDS = {"id": str, "name": str, "instruction": str, "instances": list, "is_classification": bool}
"""Self-Instruct's schema."""
_DATA = files("ensemble_instruct") / "data"
_MARKERS = ("instruction:", "input:", "output:")
"""Headings of step 2, with which no line of a demonstration may begin."""


def load_seed_tasks(path: Path | None = None) -> tuple[SeedTask, ...]:
    """Seed tasks from a file with the schema of Self-Instruct, or of tasks with their answers; None: the bundled ones.

    Raises `InputFileError` for a row that is not a seed task, and for an id that is there twice.
    """
    if path is None:
        with as_file(_DATA / "seed_tasks.jsonl") as bundled:
            return load_seed_tasks(bundled)
    path = bundled_path(path)
    tasks: list[SeedTask] = []
    places: dict[str, str] = {}
    for number, row, where in read_rows(path, {}):
        task = _seed_task(row, where, number)
        if task.id in places:
            raise InputFileError(f"{where}: id {task.id!r} stands already in {places[task.id]}")
        if is_blank(task.instruction):
            raise InputFileError(f"{where}: field 'instruction' is empty")
        place = where.removeprefix(str(path)).lstrip(": ")
        places[task.id] = f"line {place}" if place.isdigit() else place
        tasks.append(task)
    if not tasks:
        raise InputFileError(f"{path}: holds no seed tasks")
    return tuple(tasks)


def _seed_task(row: JsonRow, where: str, number: int) -> SeedTask:
    """The seed task of a row; one that is a task with its answer has the number of its row for an id and no name."""
    if "instances" in row or not is_task_row(row):
        require_fields(row, where, _SEED_FIELDS)
        pairs = _pairs(where, row["instances"])
        return SeedTask(row["id"], row["name"], row["instruction"], pairs, row["is_classification"])
    task = task_row(where, row)
    pairs = _pairs(where, [{"input": task["input"], "output": task["output"]}])
    return SeedTask(f"row_{number}", "", task["instruction"], pairs, is_classification=False)


def _pairs(where: str, instances: list[Any]) -> tuple[tuple[str, str], ...]:
    if not instances:
        raise InputFileError(f"{where}: field 'instances' is empty; give at least one input and output")
    for instance in instances:
        if not isinstance(instance, dict) or not all(
            isinstance(instance.get(name), str) for name in ("input", "output")
        ):
            raise InputFileError(f"{where}: each of 'instances' must be an object with strings 'input' and 'output'")
        if is_blank(instance["output"]):
            raise InputFileError(f"{where}: an instance has an empty 'output'")
    return tuple((instance["input"], instance["output"]) for instance in instances)


def require_seed_tasks(tasks: tuple[SeedTask, ...], kind: Kind, needed: int, path: Path | None) -> list[SeedTask]:
    """The tasks of one kind, in order; raises `InputFileError` if there are fewer than a prompt of step 1 shows."""
    chosen = [task for task in tasks if task.kind == kind]
    if len(chosen) < needed:
        raise InputFileError(
            f"{path or 'bundled seed tasks'}: {len(chosen)} seed tasks of kind {kind}, but a prompt shows {needed}; "
            f"add some, or set instructions.demonstrations.{kind} or instructions.target.{kind} lower"
        )
    return chosen


def load_demonstrations(kind: Kind, path: Path | None = None) -> tuple[Demonstration, ...]:
    """Demonstrations of step 2 from a JSONL file of `{instruction, input, output}`; None takes the bundled ones.

    The kind `output_only` has no `input`. Raises `InputFileError` for an empty field, and for a line inside a
    text that begins with one of the headings `instruction:`, `input:`, `output:`, which would be read as one.
    """
    if path is None:
        with as_file(_DATA / f"demonstrations_{kind}.jsonl") as bundled:
            return load_demonstrations(kind, bundled)
    path = bundled_path(path)
    names = ("instruction", "input", "output") if kind == "input_output" else ("instruction", "output")
    demonstrations = []
    for _, row, where in read_rows(path, dict.fromkeys(names, str)):
        for name in names:
            if is_blank(row[name]):
                raise InputFileError(f"{where}: field {name!r} is empty")
            if any(part.lstrip().startswith(_MARKERS) for part in row[name].splitlines()):
                raise InputFileError(f"{where}: a line of field {name!r} begins with one of {', '.join(_MARKERS)}")
        if kind == "output_only" and row.get("input"):
            raise InputFileError(f"{where}: a demonstration of kind output_only has no 'input'")
        task_input = row["input"] if kind == "input_output" else ""
        demonstrations.append(Demonstration(row["instruction"], task_input, row["output"]))
    if not demonstrations:
        raise InputFileError(f"{path}: holds no demonstrations")
    return tuple(demonstrations)


def seed_tasks_digest(tasks: Sequence[SeedTask]) -> str:
    """What a fingerprint holds of the seed tasks."""
    return short_rows_digest(tasks)
