"""The examples of a run in the formats that trainers read. What is written is complete or untouched."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ensemble_instruct.database import reading, require_run
from ensemble_instruct.errors import RunError
from ensemble_instruct.export_order import Order
from ensemble_instruct.folders import require_place, whole_folder
from ensemble_instruct.formats import CANDIDATES, Format, Row, file_format, table_format
from ensemble_instruct.jsonl import require_folder_of, whole_file
from ensemble_instruct.splits import split_of
from ensemble_instruct.writers import ArrayWriter, LinesWriter, ParquetWriter, ShardWriter, Writer, arrow

_CHUNK_ROWS, _CHUNK_BYTES = 1_000, 16 * 2**20
"""Rows are read and written in portions of so many, or fewer where they are large."""
_FOLDERS = {"default": "data", "candidates": "candidates"}
"""Where the files of each config lie, as the Hub expects them."""
_ABOUT = ("README.md", "LICENSE.md", "croissant.json")
_KNOWN = re.compile(
    r"\w+\.jsonl|(data|candidates)/\w+-\d{5}-of-\d{5}\.parquet|\.gitattributes|\.cache/huggingface/.*|"
    + "|".join(map(re.escape, _ABOUT))
)
"""What may lie in a folder that is replaced: what an export writes, and what the Hub's own tools leave."""


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

    @property
    def main(self) -> WrittenConfig:
        """The table of the examples."""
        return self.configs[0]


Describe = Callable[[Path, Path, Exported], Mapping[str, str]]
"""Makes the texts about a dataset, by file name, out of the run folder, the folder of the dataset and its tables."""


@dataclass(slots=True)
class _Table:
    """A table on its way to its files."""

    name: str
    format: Format
    writers: Mapping[str, Writer]
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


def export_run(folder: Path, order: Order, describe: Describe | None = None) -> Exported:
    """Write the examples of a finished run as ordered; a folder gets the texts about it too.

    Raises `RunError` for a run that is not finished, unless the order takes what is there; `InputFileError` for a
    place that cannot be written, or where something else would be lost.
    """
    if order.as_folder:
        require_place(order.to, lambda name: _KNOWN.fullmatch(name) is not None)
    else:
        require_folder_of(order.to, folder / "config.yaml", *folder.glob("run.db*"))
    if order.is_table:
        arrow()
    with reading(require_run(folder)) as connection:
        _require_finished(connection, folder, partial=order.partial)
        chunks = _chunks(connection, min(_CHUNK_BYTES, order.shard_bytes))
        if not order.as_folder:
            return _to_file(chunks, order)
        with whole_folder(order.to) as made:
            with ExitStack() as files:
                exported = _written(chunks, order, _folder_tables(order, made, files))
            for name, text in (describe(folder, made, exported) if describe else {}).items():
                (made / name).write_text(text, encoding="utf-8")
        return exported


def _require_finished(connection: sqlite3.Connection, folder: Path, *, partial: bool) -> None:
    row = connection.execute("SELECT value FROM meta WHERE name = 'state'").fetchone()
    if not partial and (row is None or row[0] != "finished"):
        raise RunError(
            f"{folder}: the run is not finished; run it to its end (`ensemble-instruct run --out {folder}`), "
            f"or give --partial for the examples so far"
        )


def _chunks(connection: sqlite3.Connection, most_bytes: int) -> Iterator[list[Row]]:
    """The examples, `input_output` first, each kind in order, some at a time."""
    chunk: list[Row] = []
    size = 0
    for (text,) in connection.execute("SELECT row FROM example ORDER BY kind, position"):
        if chunk and (len(chunk) == _CHUNK_ROWS or size + len(text) > most_bytes):
            yield chunk
            chunk, size = [], 0
        chunk.append(json.loads(text))
        size += len(text)
    if chunk:
        yield chunk


def _to_file(chunks: Iterator[list[Row]], order: Order) -> Exported:
    (split,) = order.splits
    with whole_file(order.to) as file:
        writer: Writer
        if order.is_table:
            made = table_format(order.rows, order.system)
            writer = ParquetWriter(file, made.columns)
        else:
            made = file_format(order.form, order.system)
            is_array = order.form == "alpaca" and order.to.suffix == ".json"
            writer = ArrayWriter(file) if is_array else LinesWriter(file, ascii_only=made.ascii_only)
        return _written(chunks, order, [_Table("default", made, {split.name: writer})])


def _folder_tables(order: Order, folder: Path, files: ExitStack) -> list[_Table]:
    """The tables of a folder, their files still empty, and open until `files` is closed."""
    if order.is_table:
        formats = {"default": table_format(order.rows, order.system)}
        if order.candidates:
            formats["candidates"] = CANDIDATES
        return [_sharded(order, folder / _FOLDERS[name], name, made) for name, made in formats.items()]
    made = file_format(order.form, order.system)
    writers = {
        split.name: LinesWriter(
            files.enter_context((folder / f"{split.name}.jsonl").open("wb")), ascii_only=made.ascii_only
        )
        for split in order.splits
    }
    return [_Table("default", made, writers, folder)]


def _sharded(order: Order, folder: Path, name: str, made: Format) -> _Table:
    folder.mkdir()
    writers = {split.name: ShardWriter(folder, split.name, made.columns, order.shard_bytes) for split in order.splits}
    return _Table(name, made, writers, folder)


def _written(chunks: Iterator[list[Row]], order: Order, tables: Sequence[_Table]) -> Exported:
    """Write all chunks to the tables, each row to its split, and close them."""
    examples = 0
    for chunk in chunks:
        examples += len(chunk)
        sides: dict[str, list[Row]] = {}
        for row in chunk:
            sides.setdefault(split_of(order.splits, row["instruction"]), []).append(row)
        for split, rows in sides.items():
            for table in tables:
                table.add(split, rows)
    configs = tuple(table.closed() for table in tables)
    return Exported(configs, examples - configs[0].rows)
