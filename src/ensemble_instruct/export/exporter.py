"""The examples of a run in the formats that trainers read. What is written is complete or untouched."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ensemble_instruct.errors import InputFileError, RunError
from ensemble_instruct.export.formats import Format, Row, file_format, table_format
from ensemble_instruct.export.options import ExportPlan
from ensemble_instruct.export.splits import split_of
from ensemble_instruct.export.writers import ArrayWriter, LinesWriter, ParquetWriter, RowWriter, ShardWriter
from ensemble_instruct.files.atomic import UNFINISHED, whole_file
from ensemble_instruct.files.atomic_folder import whole_folder
from ensemble_instruct.files.parquet import arrow
from ensemble_instruct.files.places import require_place, require_writable
from ensemble_instruct.store.reading import read_meta, reading, require_run

_CHUNK_ROWS, _CHUNK_BYTES = 1_000, 16 * 2**20
"""Rows are read and written in portions of so many, or fewer where they are large."""
_FOLDERS = {"default": "data", "candidates": "candidates"}
"""Where the files of each config lie, as the Hub expects them."""
_ABOUT = ("README.md", "LICENSE.md", "croissant.json")
_KNOWN = re.compile(
    r"\w+\.jsonl|(data|candidates)/\w+-\d{5}-of-\d{5}\.parquet|\.gitattributes|\.cache/huggingface/.*|"
    rf"(.+/)?\.[^/]+{re.escape(UNFINISHED)}|" + "|".join(map(re.escape, _ABOUT))
)
"""What may lie in a folder that is replaced: what an export writes, also one that was killed, and what the Hub's own
tools leave."""


@dataclass(frozen=True, slots=True)
class WrittenSplit:
    """How many rows a split has, in how many files."""

    name: str
    rows: int
    files: int = 1


@dataclass(frozen=True, slots=True)
class WrittenConfig:
    """One of the tables of a dataset, and the folder that its files lie in."""

    name: str
    folder: str
    splits: tuple[WrittenSplit, ...]

    @property
    def rows(self) -> int:
        """Those of all splits."""
        return sum(split.rows for split in self.splits)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and how many examples were not, as they have no row in that format."""

    configs: tuple[WrittenConfig, ...]
    left_out: int = 0
    barred: int | None = None
    """How many of the examples so far the quality filters left out; None where all are final."""

    @property
    def main(self) -> WrittenConfig:
        """The table of the examples."""
        return self.configs[0]


Choose = Callable[[Row], Row | None]
"""What an example of an unfinished run becomes, as it will be chosen with the quality filters; None: nothing."""
ChooseAgain = Callable[[Path, sqlite3.Connection], Choose]
Describe = Callable[[Path, Path, Exported], Mapping[str, str]]
"""Makes the texts about a dataset, by file name, out of the run folder, the folder of the dataset and its tables."""


@dataclass(slots=True)
class _Table:
    """A table on its way to its files."""

    name: str
    format: Format
    writers: Mapping[str, RowWriter]
    folder: Path | None = None
    """Where its files lie, if it has more than one."""
    rows: dict[str, int] = field(default_factory=dict)

    def add(self, split: str, examples: Sequence[Row]) -> None:
        rows = [row for row in map(self.format.row, examples) if row is not None]
        self.writers[split].add(rows)
        self.rows[split] = self.rows.get(split, 0) + len(rows)

    def closed(self) -> WrittenConfig:
        """Close the files and say what is in them.

        A split without rows has no file, unless there are no rows at all: `datasets` refuses to load an empty one.
        """
        splits = []
        for name, writer in self.writers.items():
            writer.close()
            if self.folder is not None and any(self.rows.values()) and not self.rows.get(name):
                _remove_split(self.folder, name)
                continue
            files = writer.shards if isinstance(writer, ShardWriter) else 1
            splits.append(WrittenSplit(name, self.rows.get(name, 0), files))
        return WrittenConfig(self.name, _FOLDERS[self.name], tuple(splits))


def _remove_split(folder: Path, name: str) -> None:
    for path in [path for path in folder.iterdir() if re.split("[-.]", path.name)[0] == name]:
        path.unlink()


def export_run(
    folder: Path, order: ExportPlan, describe: Describe | None = None, choose_again: ChooseAgain | None = None
) -> Exported:
    """Write the examples of a finished run as ordered; a folder gets the texts about it too.

    Those of a run that is not finished are chosen again before. Raises `RunError` for such a run, unless the order
    takes what is there; `InputFileError` for a place that cannot be written, or where something else would be lost.
    """
    if order.as_folder:
        require_place(order.to, lambda name: _KNOWN.fullmatch(name) is not None)
    else:
        require_writable(order.to)
        _require_no_file_of_run(order.to, folder)
    if order.is_table:
        arrow()
    with reading(require_run(folder)) as connection:
        examples = _examples(folder, connection, order, choose_again)
        if not order.as_folder:
            return _to_file(examples, order)
        with whole_folder(order.to) as made:
            with ExitStack() as files:
                exported = _written(examples, order, _folder_tables(examples, order, made, files))
            for name, text in (describe(folder, made, exported) if describe else {}).items():
                (made / name).write_text(text, encoding="utf-8")
        return exported


def _require_no_file_of_run(path: Path, folder: Path) -> None:
    if any(path.resolve() == found.resolve() for found in folder.glob("*")):
        raise InputFileError(f"{path}: is a file of the run, and would be overwritten; name another one with --to")


class _Examples:
    """The examples of a run, some at a time, and what became of them."""

    def __init__(self, connection: sqlite3.Connection, *, is_merged: bool, choose: Choose | None) -> None:
        self.is_merged = is_merged
        self.count = 0
        self.barred: int | None = None if choose is None else 0
        self._connection, self._choose = connection, choose

    def chunks(self, most_bytes: int) -> Iterator[list[Row]]:
        """All of them, `input_output` first, each kind in order."""
        chunk: list[Row] = []
        size = 0
        for (text,) in self._connection.execute("SELECT row FROM example ORDER BY kind, position"):
            row = json.loads(text)
            if self._choose is not None and (row := self._choose(row)) is None:
                self.barred = (self.barred or 0) + 1
                continue
            if chunk and (len(chunk) == _CHUNK_ROWS or size + len(text) > most_bytes):
                yield chunk
                chunk, size = [], 0
            chunk.append(row)
            size += len(text)
            self.count += 1
        if chunk:
            yield chunk


def _examples(
    folder: Path, connection: sqlite3.Connection, order: ExportPlan, choose_again: ChooseAgain | None
) -> _Examples:
    meta = read_meta(connection)
    if meta.get("state") == "finished":
        return _Examples(connection, is_merged="merged" in meta, choose=None)
    if not order.partial:
        raise RunError(
            f"{folder}: the run is not finished; run it to its end (`ensemble-instruct run --out {folder}`), "
            f"or give --partial for the examples so far"
        )
    choose = choose_again(folder, connection) if choose_again and meta.get("state") == "running" else None
    return _Examples(connection, is_merged="merged" in meta, choose=choose)


def _to_file(examples: _Examples, order: ExportPlan) -> Exported:
    (split,) = order.splits
    with whole_file(order.to) as file:
        writer: RowWriter
        if order.is_table:
            made = table_format(order.rows, order.system, is_merged=examples.is_merged)
            writer = ParquetWriter(file, made.columns)
        else:
            made = file_format(order.form, order.system)
            is_array = order.form == "alpaca" and order.to.suffix == ".json"
            writer = ArrayWriter(file) if is_array else LinesWriter(file, ascii_only=made.ascii_only)
        return _written(examples, order, [_Table("default", made, {split.name: writer})])


def _folder_tables(examples: _Examples, order: ExportPlan, folder: Path, files: ExitStack) -> list[_Table]:
    """The tables of a folder, their files still empty, and open until `files` is closed."""
    if order.is_table:
        wanted = {"default": order.rows, **({"candidates": "candidates"} if order.candidates else {})}
        formats = {
            name: table_format(rows, order.system, is_merged=examples.is_merged) for name, rows in wanted.items()
        }
        return [_sharded(order, folder / _FOLDERS[name], name, made) for name, made in formats.items()]
    made = file_format(order.form, order.system)
    writers = {
        split.name: LinesWriter(
            files.enter_context((folder / f"{split.name}.jsonl").open("wb")), ascii_only=made.ascii_only
        )
        for split in order.splits
    }
    return [_Table("default", made, writers, folder)]


def _sharded(order: ExportPlan, folder: Path, name: str, made: Format) -> _Table:
    folder.mkdir()
    writers = {split.name: ShardWriter(folder, split.name, made.columns, order.shard_bytes) for split in order.splits}
    return _Table(name, made, writers, folder)


def _written(examples: _Examples, order: ExportPlan, tables: Sequence[_Table]) -> Exported:
    """Write all examples to the tables, each row to its split, and close them."""
    for chunk in examples.chunks(min(_CHUNK_BYTES, order.shard_bytes)):
        sides: dict[str, list[Row]] = {}
        for row in chunk:
            sides.setdefault(split_of(order.splits, row["instruction"]), []).append(row)
        for split, rows in sides.items():
            for table in tables:
                table.add(split, rows)
    configs = tuple(table.closed() for table in tables)
    return Exported(configs, examples.count - configs[0].rows, examples.barred)
