"""The examples of a run in the formats that trainers read. What is written is complete or untouched."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ensemble_instruct.errors import EmptyError, InputFileError, RunError
from ensemble_instruct.export.formats import Format, file_format, plain_table_format, table_format
from ensemble_instruct.export.layout import FOLDERS, DataFile, Split, Table, is_shard
from ensemble_instruct.export.options import ExportPlan
from ensemble_instruct.export.reasoning import AddThought, thoughts_of
from ensemble_instruct.export.splits import split_of
from ensemble_instruct.export.writers import ArrayWriter, LinesWriter, ParquetWriter, RowWriter, ShardWriter
from ensemble_instruct.files.atomic import FOR_ALL, FOR_OWNER, UNFINISHED, whole_file
from ensemble_instruct.files.atomic_folder import whole_folder
from ensemble_instruct.files.jsonl import JsonRow
from ensemble_instruct.files.parquet import arrow
from ensemble_instruct.files.places import require_place, require_writable
from ensemble_instruct.files.task_rows import read_task_rows
from ensemble_instruct.store.reading import (
    drops_by_reason,
    drops_in_words,
    has_reference,
    read_example_texts,
    read_meta,
    reading,
    require_run,
    require_unedited,
)
from ensemble_instruct.store.rows import parsed_row
from ensemble_instruct.store.salvage import Salvage

_CHUNK_ROWS = 1_000
"""Rows that are read and written at once, or fewer where they are large."""
_CHUNK_BYTES = 16 * 2**20
"""Bytes of their text, above which a portion has fewer rows."""
_ABOUT = ("README.md", "LICENSE.md", "croissant.json")
"""Files about a dataset, which an export writes too."""
_NO_PAIR = "no candidate has another answer that is less agreed on"
_LINES_FILE = re.compile(r"\w+\.jsonl")
_LEFT_BY_TOOLS = re.compile(rf"\.gitattributes|\.cache/huggingface/.*|(.+/)?\.[^/]+{re.escape(UNFINISHED)}")
"""What the Hub's own tools leave in a folder, and an export that was killed."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and how many examples were not, as they have no row in that format."""

    tables: tuple[Table, ...]
    left_out: int = 0
    barred: int | None = None
    """How many of the examples so far the quality filters left out; None where all are final."""
    systems_lost: int = 0
    """Rows of a file that began with a system message, for which the format has no place."""
    systems_replaced: int = 0
    """Rows of a file that began with a system message, in whose place that of the plan is."""
    with_thought: int | None = None
    """How many of the examples have a thought; None where thoughts are left out."""
    salvaged: Salvage | None = None
    """What of a damaged run could not be read, where it was asked for."""

    @property
    def main(self) -> Table:
        """The table of the examples."""
        return self.tables[0]


SizedRow = tuple[JsonRow, int]
"""A row and about how much text it is."""
Choose = Callable[[JsonRow], JsonRow | None]
"""What an example of an unfinished run becomes, as it will be chosen with the quality filters; None: nothing."""
ChooseAgain = Callable[[Path, sqlite3.Connection], Choose]
"""Makes that choice for a run: out of its folder and a connection to its database."""
Describe = Callable[[Path, Path, Exported], Mapping[str, str]]
"""Makes the texts about a dataset, by file name, out of the run folder, the folder of the dataset and its tables."""


@dataclass(slots=True, kw_only=True)
class _OpenTable:
    """A table while its files are written."""

    name: str
    format: Format
    writers: Mapping[str, RowWriter]
    """By split."""
    folder: Path | None = None
    """Where its files lie; None for a table that is one file."""
    file_name: str = ""
    """Of a table that is one file."""
    rows: Counter[str] = field(default_factory=Counter)
    """By split."""

    def add(self, split: str, examples: Sequence[JsonRow]) -> None:
        rows = [row for row in map(self.format.row, examples) if row is not None]
        self.writers[split].add(rows)
        self.rows[split] += len(rows)

    def closed(self) -> Table:
        """Close the files and say what is in them.

        A split without rows has no file, unless there are no rows at all: `datasets` refuses to load an empty one.
        """
        splits = []
        for name, writer in self.writers.items():
            writer.close()
            files = self._files_of(name, writer)
            if self.folder is not None and self.rows.total() and not self.rows[name]:
                for file in files:
                    (self.folder / Path(file.path).name).unlink()
                continue
            splits.append(Split(name, self.rows[name], files))
        return Table(self.name, tuple(splits))

    def _files_of(self, split: str, writer: RowWriter) -> tuple[DataFile, ...]:
        if isinstance(writer, ShardWriter):
            return tuple(DataFile(f"{FOLDERS[self.name]}/{name}") for name in writer.file_names)
        return (DataFile(self.file_name or f"{split}.jsonl"),)


def export_run(
    folder: Path, plan: ExportPlan, describe: Describe | None = None, choose_again: ChooseAgain | None = None
) -> Exported:
    """Write the examples of a finished run as planned; a folder gets the texts about it too.

    Those of a run that is not finished are chosen again before. Raises `RunError` for such a run, unless the plan
    takes what is there; `InputFileError` for a place that cannot be written, or where something else would be lost,
    and for an edited `examples.jsonl`, unless the plan ignores edits; `EmptyError` where there is no row to write,
    unless the plan allows that.
    """
    _require_place(plan)
    if not plan.as_folder:
        _require_no_file_of_run(plan.to, folder)
    if plan.salvage:
        return _salvaged(folder, plan)
    if not plan.ignore_edits:
        require_unedited(folder)
    with reading(require_run(folder)) as connection:
        return _exported(folder, _examples(folder, connection, plan, choose_again), plan, describe)


def _salvaged(folder: Path, plan: ExportPlan) -> Exported:
    """Write the examples that can be read of a run whose database is damaged."""
    salvage = Salvage(require_run(folder))
    form = partial(table_format, is_merged=salvage.is_merged, has_references=salvage.has_references)
    examples = _Examples(folder, salvage.rows(), form, lambda: "has no example that can be read")
    return replace(_exported(folder, examples, plan, None), salvaged=salvage)


def export_file(path: Path, plan: ExportPlan, describe: Describe | None = None) -> Exported:
    """Write the tasks of a user's file as planned, in their order; see `export_run`.

    Raises `InputFileError` for a row that is not a task with its answer.
    """
    _require_place(plan, path)
    examples = _Examples(path, _rows_of_file(path), plain_table_format, lambda: "holds no task; name one with rows")
    return _exported(path, examples, plan, describe)


def _require_place(plan: ExportPlan, *inputs: Path) -> None:
    """Raise `InputFileError` for a place that cannot be written, `UsageError` where Parquet cannot be."""
    if plan.as_folder:
        if any(plan.to.resolve() in path.resolve().parents for path in inputs):
            raise InputFileError(f"{plan.to}: is replaced by the export, with its input in it; name another folder")
        require_place(plan.to, _is_of_an_export)
    else:
        require_writable(plan.to, *inputs)
    if plan.is_table:
        arrow()  # fails here where the extra is missing, before anything is written


def _exported(source: Path, examples: _Examples, plan: ExportPlan, describe: Describe | None) -> Exported:
    if not plan.as_folder:
        return _to_file(examples, plan, FOR_OWNER if _lies_in(plan.to, source) else FOR_ALL)
    with whole_folder(plan.to, for_owner=_lies_in(plan.to, source)) as unfinished:
        with ExitStack() as files:
            exported = _written(examples, plan, _folder_tables(examples, plan, unfinished, files))
        for name, text in (describe(source, unfinished, exported) if describe else {}).items():
            (unfinished / name).write_text(text, encoding="utf-8")
    return exported


def _lies_in(path: Path, folder: Path) -> bool:
    """Whether an export goes into the folder of the run that it is of."""
    return folder.resolve() in path.resolve().parents


def _is_of_an_export(path: str) -> bool:
    """Whether a file may be lost when its folder is replaced: an export wrote it, or the tools of the Hub did."""
    is_data = is_shard(path) or _LINES_FILE.fullmatch(path) is not None
    return path in _ABOUT or is_data or _LEFT_BY_TOOLS.fullmatch(path) is not None


def _require_no_file_of_run(path: Path, folder: Path) -> None:
    if any(path.resolve() == file.resolve() for file in folder.glob("*")):
        raise InputFileError(f"{path}: is a file of the run, and would be overwritten; name another one with --to")


class _Examples:
    """Examples, some at a time, and what became of them; `table_format` is for a table of them, by its name.

    `none` says why there are none, where that is so, and what to do.
    """

    def __init__(
        self,
        source: Path,
        rows: Iterable[SizedRow],
        table_format: Callable[[str, str | None], Format],
        none: Callable[[], str],
        choose: Choose | None = None,
        add_thought: AddThought | None = None,
    ) -> None:
        self.table_format = table_format
        self.count = self.with_system = 0
        self.barred: int | None = None if choose is None else 0
        self.with_thought: int | None = None if add_thought is None else 0
        self._source, self._rows, self._none, self._choose = source, rows, none, choose
        self._add_thought = add_thought

    def chunks(self, most_bytes: int) -> Iterator[list[JsonRow]]:
        """All of them, in order."""
        chunk: list[JsonRow] = []
        size = 0
        for example, text_length in self._rows:
            row = example if self._choose is None else self._choose(example)
            if row is None:
                self.barred = (self.barred or 0) + 1
                continue
            if self._add_thought is not None:
                row = self._add_thought(row)
                self.with_thought = (self.with_thought or 0) + ("reasoning" in row)
            length = text_length + len(row.get("reasoning", ""))
            if chunk and (len(chunk) == _CHUNK_ROWS or size + length > most_bytes):
                yield chunk
                chunk, size = [], 0
            chunk.append(row)
            size += length
            self.count += 1
            self.with_system += "system" in row
        if chunk:
            yield chunk

    def require_rows(self, written: int) -> None:
        """Raise `EmptyError` where not one row was written of all of them."""
        if written:
            return
        if self.count:
            why = f"none of its {self.count} examples makes a pair: {_NO_PAIR}; let more models vote (roles.outputs)"
        elif self.barred:
            why = f"its quality filters leave out all {self.barred} examples so far"
        else:
            why = self._none()
        raise EmptyError(f"{self._source}: {why}; nothing was written: give --allow-empty for an empty dataset")


def _rows_of_run(connection: sqlite3.Connection) -> Iterator[SizedRow]:
    return ((parsed_row(text), len(text)) for text in read_example_texts(connection))


def _rows_of_file(path: Path) -> Iterator[SizedRow]:
    for row in read_task_rows(path):
        yield row, sum(map(len, row.values()))


def _examples(
    folder: Path, connection: sqlite3.Connection, plan: ExportPlan, choose_again: ChooseAgain | None
) -> _Examples:
    meta = read_meta(connection)
    rows = _rows_of_run(connection)
    is_merged, has_references = "merged" in meta, has_reference(connection)
    format_of_table = partial(
        table_format, is_merged=is_merged, has_references=has_references, reasoning=plan.reasoning
    )
    none = partial(_none_in_run, folder, connection)
    add_thought = thoughts_of(connection) if plan.reasoning else None
    if meta.get("state") == "finished":
        return _Examples(folder, rows, format_of_table, none, add_thought=add_thought)
    if not plan.partial:
        raise RunError(
            f"{folder}: the run is not finished; run it to its end (`ensemble-instruct run --out {folder}`), "
            f"or give --partial for the examples so far"
        )
    choose = choose_again(folder, connection) if choose_again and meta.get("state") == "running" else None
    return _Examples(folder, rows, format_of_table, none, choose, add_thought)


def _none_in_run(folder: Path, connection: sqlite3.Connection) -> str:
    dropped = drops_in_words(drops_by_reason(connection))
    return f"has no example; dropped most: {dropped or 'nothing'}; see `ensemble-instruct status {folder}`"


def _to_file(examples: _Examples, plan: ExportPlan, mode: int) -> Exported:
    (split,) = plan.splits
    with whole_file(plan.to, mode) as file, ExitStack() as opened:
        writer: RowWriter
        if plan.is_table:
            form = examples.table_format(plan.rows, plan.system)
            writer = ParquetWriter(file, form.columns)
            opened.callback(writer.close)  # where a row is refused: left open, Arrow writes to the closed file later
        else:
            form = file_format(plan.form, plan.system, plan.reasoning)
            is_array = plan.form == "alpaca" and plan.to.suffix == ".json"
            writer = ArrayWriter(file) if is_array else LinesWriter(file, ascii_only=form.ascii_only)
        table = _OpenTable(name="default", format=form, writers={split.name: writer}, file_name=plan.to.name)
        return _written(examples, plan, [table])


def _folder_tables(examples: _Examples, plan: ExportPlan, folder: Path, files: ExitStack) -> list[_OpenTable]:
    """The tables of a folder, their files still empty, and open until `files` is closed."""
    if plan.is_table:
        wanted = {"default": plan.rows, **({"candidates": "candidates"} if plan.candidates else {})}
        formats = {name: examples.table_format(rows, plan.system) for name, rows in wanted.items()}
        return [_sharded(plan, folder / FOLDERS[name], name, form) for name, form in formats.items()]
    form = file_format(plan.form, plan.system, plan.reasoning)
    writers = {
        split.name: LinesWriter(
            files.enter_context((folder / f"{split.name}.jsonl").open("wb")), ascii_only=form.ascii_only
        )
        for split in plan.splits
    }
    return [_OpenTable(name="default", format=form, writers=writers, folder=folder)]


def _sharded(plan: ExportPlan, folder: Path, name: str, form: Format) -> _OpenTable:
    folder.mkdir()
    writers = {split.name: ShardWriter(folder, split.name, form.columns, plan.shard_bytes) for split in plan.splits}
    return _OpenTable(name=name, format=form, writers=writers, folder=folder)


def _written(examples: _Examples, plan: ExportPlan, tables: Sequence[_OpenTable]) -> Exported:
    """Write all examples to the tables, each row to its split, and close them."""
    for chunk in examples.chunks(min(_CHUNK_BYTES, plan.shard_bytes)):
        by_split: dict[str, list[JsonRow]] = {}
        for row in chunk:
            by_split.setdefault(split_of(plan.splits, row["instruction"]), []).append(row)
        for split, rows in by_split.items():
            for table in tables:
                table.add(split, rows)
    if not plan.allow_empty:
        examples.require_rows(tables[0].rows.total())
    closed = tuple(table.closed() for table in tables)
    has_place = plan.rows == "messages"
    return Exported(
        tables=closed,
        left_out=examples.count - closed[0].rows,
        barred=examples.barred,
        systems_lost=0 if has_place else examples.with_system,
        systems_replaced=examples.with_system if has_place and plan.system is not None else 0,
        with_thought=examples.with_thought,
    )
