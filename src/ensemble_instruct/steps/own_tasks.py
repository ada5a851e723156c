"""Tasks of a user's own, with which a run begins: instructions at step 2, instances at step 4.

A run keeps them in its store, so that it goes on without the file. What cannot be used is a drop with its reason.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ensemble_instruct.config.load import ConfigSource, config_of, load_config
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import ConfigError, InputFileError, UsageError
from ensemble_instruct.files.jsonl import JsonRow
from ensemble_instruct.files.own_rows import own_row
from ensemble_instruct.files.rows import read_rows
from ensemble_instruct.records import KINDS, Instance, Instruction, Kind, OwnForm, Rejected
from ensemble_instruct.store.own_tasks import NOTED, KeptTask
from ensemble_instruct.store.reading import read_meta, reading

Source = Path | str | Iterable[Mapping[str, Any]]
"""The file that has the tasks, or its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksNote:
    """What a run notes of the tasks that it begins with."""

    form: OwnForm
    name: str
    """Of their file."""
    rows: int
    usable: dict[Kind, int]
    """How many can be used, by kind."""
    digest: str
    """Of all that they say, in order."""

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def tasks_of(
    folder: Path | None, *, instructions: Source | None = None, instances: Source | None = None
) -> OwnTasks | None:
    """The tasks that a run of a folder begins with: those of the file, or those with which it was begun; else None.

    Reads the file once. Raises `UsageError` for two files, for others than the run was begun with, and for tasks of a
    run that was begun without; `InputFileError` for a file that cannot be read, and one without a task to be used.
    """
    if instructions is not None and instances is not None:
        raise UsageError("give either --instructions or --instances, not both")
    begun = None if folder is None else noted_tasks(folder)
    if instructions is not None:
        tasks = _looked_through("instructions", instructions)
    elif instances is not None:
        tasks = _looked_through("instances", instances)
    else:
        return None if begun is None else OwnTasks(begun)
    if begun is None and folder is not None and (folder / "run.db").is_file():
        raise UsageError(f"{folder}: the run was begun without tasks of your own; give another --out for these")
    if begun is not None and (begun.form, begun.digest) != (tasks.note.form, tasks.note.digest):
        raise UsageError(
            f"{folder}: the run was begun with other {begun.form}: {begun.name}, {begun.rows} rows; leave the option "
            f"--{tasks.note.form} out to go on with those, or give another --out to begin with {tasks.note.name}"
        )
    return tasks


def settled(
    config: ConfigSource, folder: Path | None, *, instructions: Source | None = None, instances: Source | None = None
) -> tuple[Config, OwnTasks | None]:
    """The config of a run of a folder, if it has one, and the tasks that it begins with, if any: see `tasks_of`."""
    tasks = tasks_of(folder, instructions=instructions, instances=instances)
    if isinstance(config, Mapping) and tasks is not None:
        config = {**config, "tasks": tasks.note.form}
    elif isinstance(config, str | Path):
        config = load_config(config, overrides=form_override(tasks))
    return required(config_of(config), tasks), tasks


def noted_tasks(folder: Path) -> TasksNote | None:
    """What the run of a folder notes of the tasks that it was begun with, if it was, and if there is a run.

    Raises `UsageError` for one that was merged out of others.
    """
    path = folder / "run.db"
    if not path.is_file():
        return None
    try:
        with reading(path) as connection:
            meta = read_meta(connection)
    except InputFileError:  # no run yet, or of another program: who starts it says so
        return None
    require_not_merged(folder, meta.get("merged"))
    noted = meta.get(NOTED)
    return None if noted is None else TasksNote(**json.loads(noted))


def require_not_merged(folder: Path, merged: str | None) -> None:
    """Raise `UsageError` where a run notes that it was merged out of others: it has no steps to go on with."""
    if merged is not None:
        raise UsageError(
            f"{folder}: was merged out of other runs, so it cannot be resumed; resume those and merge them again, or "
            f"select anew: ensemble-instruct select {folder}"
        )


def required(config: Config, tasks: OwnTasks | None) -> Config:
    """The config of a run that begins with these tasks; raises `ConfigError` where it wants some and there are none."""
    if tasks is not None:
        return config.with_tasks(tasks.note.form, tasks.counts)
    if config.tasks is not None:
        raise ConfigError(f"tasks: {config.tasks}: name their file: --{config.tasks} FILE")
    return config


def form_override(tasks: OwnTasks | None) -> list[str]:
    """What makes a config one of a run that begins with these tasks, as `--set` has it."""
    return [] if tasks is None else [f"tasks={tasks.note.form}"]


@dataclass(frozen=True, slots=True)
class OwnTasks:
    """The tasks that a run begins with."""

    note: TasksNote
    source: Path | Sequence[Mapping[str, Any]] | None = None
    """Where they are read; None where the run has them already."""
    few: int | None = None
    """How many of each kind the run begins with at most, where it is a preview."""

    @property
    def counts(self) -> dict[Kind, int]:
        """How many of each kind the run begins with."""
        usable = self.note.usable
        return usable if self.few is None else {kind: min(count, self.few) for kind, count in usable.items()}

    def kept(self) -> Iterator[KeptTask]:
        """The tasks as the run keeps them, in order; what cannot be used goes with the task before it."""
        if self.source is None:
            return
        left, is_in = dict(self.counts), True
        for task in read_tasks(self.note.form, self.source):
            if not task.reason:
                is_in = left[task.kind] > 0
                left[task.kind] -= is_in
                if not is_in and not any(left.values()):
                    return
            if is_in:
                yield task


def read_tasks(form: OwnForm, source: Path | Sequence[Mapping[str, Any]]) -> Iterator[KeptTask]:
    """The tasks of a file or of rows, in order; raises `InputFileError` for a row that is none."""
    seen: set[int] = set()
    for row, where in _rows(source):
        task = own_row(row, where)
        kind: Kind = "input_output" if task.input else "output_only"
        if form == "instructions":
            kind = next((known for known in KINDS if known == task.kind), kind)
            task_id = Instruction(kind=kind, text=task.instruction).id
        else:
            task_id = Instance(kind=kind, instruction=task.instruction, input=task.input, output="").id
        reason, key = "", int(task_id, 16)
        if not task.instruction:
            reason = "empty_instruction"
        elif key in seen:
            reason = "duplicate"
        seen.add(key)
        texts = {"instruction": task.instruction, "input": task.input}
        yield KeptTask(kind=kind, **texts, output=task.output, reference=task.reference, reason=reason, detail=where)
        if task.further and not reason:
            further = {**texts, "output": task.further, "reference": ""}
            yield KeptTask(kind=kind, **further, reason="further_turns", detail=where)


def record_of(task: KeptTask, form: OwnForm) -> Instruction | Instance | Rejected:
    """The record that a task is, or its drop."""
    if task.reason:
        is_further = task.reason == "further_turns"
        return Rejected(
            step="instructions" if form == "instructions" else "parse",
            reason=task.reason,
            text=task.output if is_further else f"{task.instruction}\n{task.input}".strip(),
            kind=task.kind,
            detail=task.detail,
        )
    if form == "instructions":
        return Instruction(kind=task.kind, text=task.instruction)
    return Instance(
        kind=task.kind,
        instruction=task.instruction,
        input=task.input,
        output=task.output,
        reference=task.reference,
    )


def _rows(source: Path | Sequence[Mapping[str, Any]]) -> Iterator[tuple[JsonRow, str]]:
    if isinstance(source, Path):
        for _, row, where in read_rows(source, {}):
            yield row, f"{source.name}{where.removeprefix(str(source))}"
    else:
        for number, entry in enumerate(source, start=1):
            if not isinstance(entry, Mapping):
                raise InputFileError(f"rows:{number}: expected a mapping, found {entry!r}")
            yield dict(entry), f"rows:{number}"


def _looked_through(form: OwnForm, source: Source) -> OwnTasks:
    place = Path(source) if isinstance(source, str | Path) else list(source)
    if isinstance(place, Path) and place.exists() and not place.is_file():  # a pipe: it can be read only once
        place = [row for _, row, _ in read_rows(place, {})]
    digest, usable, dropped = blake2b(digest_size=8), Counter[Kind](), Counter[str]()
    for task in read_tasks(form, place):
        said = {name: value for name, value in asdict(task).items() if name != "detail"}
        digest.update(f"{json.dumps(said)}\n".encode())
        if task.reason:
            dropped[task.reason] += 1
        else:
            usable[task.kind] += 1
    name = place.name if isinstance(place, Path) else "rows"
    if not usable:
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.most_common()) or "it has no row"
        raise InputFileError(f"{place if isinstance(place, Path) else 'rows'}: holds no task to begin with: {reasons}")
    rows = usable.total() + dropped.total() - dropped["further_turns"]
    counts = {kind: usable[kind] for kind in KINDS}
    return OwnTasks(TasksNote(form=form, name=name, rows=rows, usable=counts, digest=digest.hexdigest()), place)
