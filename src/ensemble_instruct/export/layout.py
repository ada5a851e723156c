"""The tables of a dataset in a folder, in the layout of the Hub: which files, columns and rows they have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.digest import file_digest
from ensemble_instruct.files.parquet import arrow, arrow_errors

FOLDERS = {"default": "data", "candidates": "candidates"}
"""Where the files of each table lie, as the Hub expects them."""
_SHARD = re.compile(r"(?P<split>\w+)-\d{5}-of-\d{5}\.parquet")
"""The name of a Parquet file of a split."""


def shard_name(split: str, number: int, count: int) -> str:
    """The name of one of `count` Parquet files of a split; they are numbered from 0."""
    return f"{split}-{number:05}-of-{count:05}.parquet"


def is_shard(path: str) -> bool:
    """Whether a path in a dataset is that of a Parquet file of one of its tables."""
    folder, _, name = path.partition("/")
    return folder in FOLDERS.values() and _SHARD.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a split, by its path in the dataset."""

    path: str
    sha256: str = ""
    size: int = 0
    """Both are known of a dataset that is read, not of one that was just written."""


@dataclass(frozen=True, slots=True)
class Split:
    """One split of a table; the files are empty where nothing is written yet."""

    name: str
    rows: int
    files: tuple[DataFile, ...] = ()
    bytes: int = 0
    """Before compression."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `text`, `number` or `other`, a list of these, or (a list of) objects with columns of their own."""

    name: str
    type: str
    is_list: bool = False
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a dataset, which the Hub calls a config."""

    name: str
    splits: tuple[Split, ...]
    columns: tuple[Column, ...] = ()
    """As far as they are known: none of JSON lines."""
    is_lines: bool = False
    """Whether each split is a file of JSON lines, not Parquet in the layout of the Hub."""

    @property
    def folder(self) -> str:
        """Where its files lie."""
        return FOLDERS.get(self.name, self.name)

    @property
    def rows(self) -> int:
        """Those of all splits."""
        return sum(split.rows for split in self.splits)

    def pattern(self, split: Split) -> str:
        """Which files are of that split."""
        return f"{split.name}.jsonl" if self.is_lines else f"{self.folder}/{split.name}-*"

    @property
    def sizes(self) -> dict[str, Any]:
        """Rows and bytes, as the Hub keeps them of a config."""
        return {
            "config_name": self.name,
            "splits": [
                {"name": split.name, "num_bytes": split.bytes, "num_examples": split.rows} for split in self.splits
            ],
            "download_size": sum(file.size for split in self.splits for file in split.files),
            "dataset_size": sum(split.bytes for split in self.splits),
        }


_TEXTS = {name: Column(name, "text") for name in ("id", "kind", "instruction", "input", "output", "voter")}
_ORIGIN = (
    Column("winners", "text", is_list=True), Column("agreement", "number"), Column("confidence", "number"),
    Column("basis", "text"),
)  # fmt: skip
_MESSAGES = Column("messages", "object", is_list=True, columns=(Column("role", "text"), Column("content", "text")))
_CANDIDATES = Column(
    "candidates", "object", is_list=True,
    columns=(
        _TEXTS["voter"], _TEXTS["output"],
        Column("score", "number"), Column("rank", "number"), Column("rating", "number"),
        Column("barred", "text"),
        Column("removed", "text", is_list=True),
    ),
)  # fmt: skip


def usual_tables(rows: int, *, is_merged: bool = False) -> tuple[Table, ...]:
    """The tables that a run with this many examples becomes on the Hub unless told otherwise."""
    run = (Column("run", "text"),) if is_merged else ()
    split = (Split("train", rows),)
    task = tuple(_TEXTS[name] for name in ("id", "kind", "instruction", "input", "output"))
    return (
        Table("default", split, (_MESSAGES, _TEXTS["id"], _TEXTS["kind"], *_ORIGIN, *run)),
        Table("candidates", split, (*task, *_ORIGIN, _CANDIDATES, Column("matrix", "other", is_list=True), *run)),
    )


def lines_table(folder: Path, rows: Mapping[str, int]) -> Table:
    """The table of a folder with a file of JSON lines for each split, `rows` says how many each has."""
    splits = []
    for name, count in rows.items():
        path = folder / f"{name}.jsonl"
        file = DataFile(path.name, file_digest(path), path.stat().st_size)
        splits.append(Split(name, count, (file,), file.size))
    return Table("default", tuple(splits), is_lines=True)


def read_tables(folder: Path) -> tuple[Table, ...]:
    """The tables in a folder that `export` wrote; splits in the order of their names, `train` first.

    Raises `InputFileError` where there is no table, and for files that are not Parquet.
    """
    arrow()
    with arrow_errors(folder):
        tables = [_read_table(name, folder / place) for name, place in FOLDERS.items() if (folder / place).is_dir()]
    read = tuple(table for table in tables if table is not None)
    if not read:
        raise InputFileError(f"{folder}: holds no Parquet files of a dataset; write them with --format hub --dry-run")
    return read


@dataclass(slots=True)
class _Files:
    rows: int = 0
    bytes: int = 0
    files: list[DataFile] = field(default_factory=list)


def _read_table(name: str, folder: Path) -> Table | None:
    import pyarrow.parquet as pq

    splits: dict[str, _Files] = {}
    schema: Any = None
    for path in sorted(folder.iterdir()):
        shard = _SHARD.fullmatch(path.name)
        if shard is None:
            continue
        metadata = pq.read_metadata(path)
        schema = metadata.schema.to_arrow_schema() if schema is None else schema
        split = splits.setdefault(shard["split"], _Files())
        split.rows += metadata.num_rows
        split.bytes += sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
        split.files.append(DataFile(f"{folder.name}/{path.name}", file_digest(path), path.stat().st_size))
    if schema is None:
        return None
    order = sorted(splits, key=lambda split: (split != "train", split))
    in_order = tuple(
        Split(split, splits[split].rows, tuple(splits[split].files), splits[split].bytes) for split in order
    )
    return Table(name, in_order, tuple(_column(column.name, column.type) for column in schema))


def _column(name: str, kind: Any) -> Column:
    import pyarrow as pa

    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    inner = kind.value_type if is_list else kind
    if pa.types.is_struct(inner):
        columns = tuple(_column(inner.field(place).name, inner.field(place).type) for place in range(inner.num_fields))
        return Column(name, "object", is_list, columns)
    is_text = pa.types.is_string(inner) or pa.types.is_large_string(inner)
    is_number = pa.types.is_floating(inner) or pa.types.is_integer(inner)
    return Column(name, "text" if is_text else "number" if is_number else "other", is_list)
