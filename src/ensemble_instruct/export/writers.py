"""Files that take rows some at a time: lines of JSON, a JSON array, Parquet, and Parquet in shards.

What they write follows from the rows, and from how they came in portions: the same rows give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Protocol

from ensemble_instruct.export.formats import ColumnType
from ensemble_instruct.export.layout import shard_name
from ensemble_instruct.files.jsonl import JsonRow, dump
from ensemble_instruct.files.parquet import arrow

_GROUP_ROWS = 10_000
"""A row group is written when it has that many rows or bytes: it is what a reader needs memory for."""
_GROUP_BYTES = 32 * 2**20
"""Before compression."""


class RowWriter(Protocol):
    """Takes rows until it is closed."""

    def add(self, rows: Sequence[JsonRow]) -> None:
        """Put rows behind the others."""

    def close(self) -> None:
        """Write what is still to be written."""


class LinesWriter:
    """One JSON object a line."""

    def __init__(self, file: IO[bytes], *, ascii_only: bool) -> None:
        self._file, self._ascii_only = file, ascii_only

    def add(self, rows: Sequence[JsonRow]) -> None:
        """See `RowWriter`."""
        self._file.writelines((dump(row, ascii_only=self._ascii_only) + "\n").encode() for row in rows)

    def close(self) -> None:
        """See `RowWriter`."""


class ArrayWriter:
    """One JSON array, an object a line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._begin = file, b"[\n"

    def add(self, rows: Sequence[JsonRow]) -> None:
        """See `RowWriter`."""
        for row in rows:
            self._file.write(self._begin + dump(row).encode())
            self._begin = b",\n"

    def close(self) -> None:
        """See `RowWriter`."""
        self._file.write(b"[\n]\n" if self._begin == b"[\n" else b"\n]\n")


class ParquetWriter:
    """One Parquet file, in row groups of `_GROUP_ROWS` rows, or fewer where they are large."""

    def __init__(self, file: IO[bytes], columns: Mapping[str, ColumnType]) -> None:
        _, parquet = arrow()
        self._schema = _schema(columns)
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[Any] = []

    def add(self, rows: Sequence[JsonRow]) -> None:
        """See `RowWriter`."""
        self.add_table(table_of(rows, self._schema))

    def add_table(self, table: Any) -> None:
        """Put the rows of an Arrow table behind the others."""
        self._waiting.append(table)
        if (
            sum(part.num_rows for part in self._waiting) >= _GROUP_ROWS
            or sum(part.nbytes for part in self._waiting) >= _GROUP_BYTES
        ):
            self._write_group()

    def close(self) -> None:
        """See `RowWriter`."""
        self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        pa, _ = arrow()
        if any(part.num_rows for part in self._waiting):
            self._writer.write_table(pa.concat_tables(self._waiting))
        self._waiting = []


class ShardWriter:
    """Parquet files `NAME-00000-of-0000N.parquet` in a folder, each with at most `most_bytes` before compression.

    Rows that came together stay together, even where they alone are more. There is at least one file.
    """

    def __init__(self, folder: Path, name: str, columns: Mapping[str, ColumnType], most_bytes: int) -> None:
        self._folder, self._name, self._columns, self._most_bytes = folder, name, columns, most_bytes
        self._schema = _schema(columns)
        self._open = ExitStack()
        self.shards = 0
        self._start()

    def add(self, rows: Sequence[JsonRow]) -> None:
        """See `RowWriter`."""
        table = table_of(rows, self._schema)
        if self._bytes and self._bytes + table.nbytes > self._most_bytes:
            self._open.close()
            self._start()
        self._writer.add_table(table)
        self._bytes += table.nbytes

    def close(self) -> None:
        """See `RowWriter`; names each file by its number and theirs."""
        self._open.close()
        for number, name in enumerate(self.file_names):
            self._path(number).rename(self._folder / name)

    @property
    def file_names(self) -> list[str]:
        """The names of the files once they are closed."""
        return [shard_name(self._name, number, self.shards) for number in range(self.shards)]

    def _start(self) -> None:
        file = self._open.enter_context(self._path(self.shards).open("wb"))
        self._writer = ParquetWriter(file, self._columns)
        self._open.callback(self._writer.close)
        self.shards += 1
        self._bytes = 0

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number:05}.parquet"


def _schema(columns: Mapping[str, ColumnType]) -> Any:
    pa, _ = arrow()
    text, number = pa.string(), pa.float64()
    types: dict[ColumnType, Any] = {
        "text": text,
        "number": number,
        "texts": pa.list_(text),
        "messages": pa.list_(pa.struct([("role", text), ("content", text)])),
        "thinking_messages": pa.list_(pa.struct([("role", text), ("content", text), ("reasoning_content", text)])),
        "candidates": pa.list_(
            pa.struct(
                [
                    ("voter", text),
                    ("output", text),
                    ("score", number),
                    ("rank", number),
                    ("rating", number),
                    ("barred", text),
                    ("removed", pa.list_(text)),
                ]
            )
        ),
        "matrix": pa.list_(pa.list_(number)),
    }
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])


def table_of(rows: Sequence[JsonRow], schema: Any) -> Any:
    """The rows as an Arrow table with the columns of a schema; what else they hold is left out."""
    pa, _ = arrow()
    columns = [_column([row[field.name] for row in rows], field) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _column(values: Sequence[Any], field: Any) -> Any:
    """An Arrow array of the values; raises `TypeError` for objects with other names than the column's type has."""
    pa, _ = arrow()
    item = field.type.value_type if pa.types.is_list(field.type) else None
    if item is not None and pa.types.is_struct(item):
        known = {part.name for part in item}
        objects = (entry for value in values for entry in value)
        # Arrow would write nulls for names that it does not find, without a word
        if unknown := next((entry.keys() - known for entry in objects if not entry.keys() <= known), None):
            raise TypeError(f"column {field.name}: its type has no {', '.join(sorted(unknown))}")
    return pa.array(values, type=field.type)
