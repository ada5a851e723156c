"""A user's own dataset, JSON Lines or Parquet: the texts of one column, and a copy with some of the rows.

A column holds strings, or conversations (lists of messages), of which the text is the first message of a user.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.atomic import whole_file
from ensemble_instruct.files.jsonl import read_rows
from ensemble_instruct.files.parquet import arrow_errors, is_parquet, require_pyarrow

COLUMNS = ("instruction", "prompt", "question", "text", "messages", "conversations")
"""The columns in which common formats have the text of a task; the first that a dataset has is taken."""
_BATCH = 8192
"""Rows of Parquet in memory at a time."""


class Dataset(Protocol):
    """A dataset in a file; each iteration over its texts reads the file anew."""

    path: Path
    column: str
    """The column that the texts are read from."""

    def __len__(self) -> int:
        """How many rows there are."""

    def texts(self) -> Iterator[str]:
        """The text of each row, in order; empty where a row has none. Raises `InputFileError`."""

    def save(self, keep: Sequence[int], to: Path) -> None:
        """Write the rows whose place in `keep` is not 0, unchanged, in the same format; the file is whole or untouched.

        `keep` has a number for each row. Raises `StoreError` when the disk does not take it.
        """


def open_dataset(path: Path, column: str | None = None) -> Dataset:
    """The dataset in a file; without a column, the first of `COLUMNS` that it has.

    Raises `InputFileError` when the file cannot be read or has no such column.
    """
    if not is_parquet(path):
        return _JsonlDataset(path, column)
    require_pyarrow(path)
    return _ParquetDataset(path, column)


class _JsonlDataset:
    def __init__(self, path: Path, column: str | None) -> None:
        self.path = path
        if not path.is_file():
            raise InputFileError(f"{path}: is no regular file, and it has to be read twice; save it to a file first")
        first = next(read_rows(path, {}), None)
        names = list(first[1]) if first else []
        self.column = _chosen(path, names, column) if first else column or COLUMNS[0]

    def __len__(self) -> int:
        with self.path.open("rb") as file:
            return sum(1 for line in file if line.strip())

    def texts(self) -> Iterator[str]:
        for number, row in read_rows(self.path, {}):
            if self.column not in row:
                raise InputFileError(f"{self.path}:{number}: field {self.column!r} is missing; each row needs it")
            yield _text(f"{self.path}:{number}", self.column, row[self.column])

    def save(self, keep: Sequence[int], to: Path) -> None:
        with self.path.open("rb") as file, whole_file(to) as kept:
            rows = (line for line in file if line.strip())
            for wanted, line in zip(keep, rows, strict=True):
                if wanted:
                    kept.write(line if line.endswith(b"\n") else line + b"\n")


class _ParquetDataset:
    def __init__(self, path: Path, column: str | None) -> None:
        self.path = path
        with arrow_errors(path):
            import pyarrow.parquet as pq

            self._file = pq.ParquetFile(path)
        self.column = _chosen(path, self._file.schema_arrow.names, column)

    def __len__(self) -> int:
        rows: int = self._file.metadata.num_rows
        return rows

    def texts(self) -> Iterator[str]:
        number = 0
        with arrow_errors(self.path):
            for batch in self._file.iter_batches(_BATCH, columns=[self.column]):
                for value in batch.column(0).to_pylist():
                    number += 1
                    yield _text(f"{self.path}: row {number}", self.column, value)

    def save(self, keep: Sequence[int], to: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema, number = self._file.schema_arrow, 0
        with (
            arrow_errors(self.path),
            whole_file(to) as file,
            pq.ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            for batch in self._file.iter_batches(_BATCH):
                wanted = pa.array([bool(flag) for flag in keep[number : number + len(batch)]])
                writer.write_batch(batch.filter(wanted))
                number += len(batch)


def _chosen(path: Path, names: Sequence[str], column: str | None) -> str:
    chosen = next((name for name in ([column] if column else COLUMNS) if name in names), None)
    if chosen is None:
        there = ", ".join(names[:20]) or "none"
        wanted = f"column {column!r}" if column else f"column of {', '.join(COLUMNS)}"
        raise InputFileError(f"{path}: has no {wanted}; there are {there}: name one with --column, or rename it")
    return chosen


def _text(where: str, column: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list):
        for message in value:
            if isinstance(message, dict):
                role, content = message.get("role", message.get("from")), message.get("content", message.get("value"))
                if role in ("user", "human") and isinstance(content, str):
                    return content
        return ""
    raise InputFileError(f"{where}: {column!r} holds no text; name another column with --column")
