"""A user's own dataset, in any form that `rows` reads: the texts of one column, and a copy with some of the rows.

A column holds strings, or conversations (lists of messages), of which the text is the first message of a user.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.atomic import whole_file
from ensemble_instruct.files.conversations import content_text, turns_of
from ensemble_instruct.files.json_array import array_texts
from ensemble_instruct.files.jsonl import dump
from ensemble_instruct.files.opening import opened, packing, start_of, unpacked, unpacked_name
from ensemble_instruct.files.parquet import arrow_errors, is_parquet, opened_parquet, require_pyarrow, writable_schema
from ensemble_instruct.files.rows import read_rows

COLUMNS = ("instruction", "prompt", "question", "text", "messages", "conversations")
"""The columns in which common formats have the text of a task; the first that a dataset has is taken."""
_BATCH = 8192
"""Rows of Parquet in memory at a time."""
_LINES = (".jsonl", ".ndjson")
"""What the names of files end in that hold an object a line."""


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
        """Write the rows whose place in `keep` is not 0, unchanged, in the same form; the file is whole or untouched.

        `keep` has a number for each row. The objects of an array become lines where the name of `to` ends in `.jsonl`;
        what it says of `.gz` or `.zst` is done. Raises `StoreError` when the disk does not take it.
        """


def open_dataset(path: Path, column: str | None = None) -> Dataset:
    """The dataset in a file; without a column, the first of `COLUMNS` that it has.

    Raises `InputFileError` when the file cannot be read or has no such column.
    """
    if path.exists() and not path.is_file():
        raise InputFileError(f"{path}: is no regular file, and it has to be read twice; save it to a file first")
    if not is_parquet(path):
        return _JsonDataset(path, column)
    require_pyarrow(path)
    return _ParquetDataset(path, column)


class _JsonDataset:
    """JSON lines or a JSON array, packed or not."""

    def __init__(self, path: Path, column: str | None) -> None:
        self.path = path
        with opened(path) as file:
            self._is_array = start_of(path, file).startswith(b"[")
        first = next(read_rows(path, {}), None)
        names = list(first.row) if first else []
        self.column = _chosen(path, names, column) if first else column or COLUMNS[0]

    def __len__(self) -> int:
        return sum(1 for _ in self._own_texts(as_lines=False))

    def texts(self) -> Iterator[str]:
        for _, row, where in read_rows(self.path, {}):
            if self.column not in row:
                raise InputFileError(f"{where}: field {self.column!r} is missing; each row needs it")
            yield _text(where, self.column, row[self.column])

    def save(self, keep: Sequence[int], to: Path) -> None:
        as_array = self._is_array and not unpacked_name(to).lower().endswith(_LINES)
        before, between, after = (b"[\n", b",\n", b"\n]\n") if as_array else (b"", b"\n", b"\n")
        with whole_file(to) as file, packing(to, file) as kept:
            count = 0
            for wanted, text in zip(keep, self._own_texts(as_lines=not as_array), strict=True):
                if wanted:
                    kept.write((between if count else before) + text)
                    count += 1
            kept.write(after if count else b"[]\n" * as_array)

    def _own_texts(self, *, as_lines: bool) -> Iterator[bytes]:
        """The objects as the file has them; `as_lines` anew where one of an array goes over several lines."""
        with opened(self.path) as file:
            stream = unpacked(self.path, file)
            if not self._is_array:
                for line in stream:
                    if line.strip():
                        yield line.removesuffix(b"\n")
                return
            for _, row, text in array_texts(self.path, stream):
                yield (dump(row) if as_lines and "\n" in text else text).encode()


class _ParquetDataset:
    def __init__(self, path: Path, column: str | None) -> None:
        self.path = path
        with arrow_errors(path):
            self._file = opened_parquet(path, path)
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

        schema, number = writable_schema(self._file.schema_arrow), 0
        with (
            arrow_errors(self.path),
            whole_file(to) as file,
            pq.ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            for batch in self._file.iter_batches(_BATCH):
                wanted = pa.array([bool(flag) for flag in keep[number : number + len(batch)]])
                writer.write_batch(batch.cast(schema).filter(wanted))
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
        turns = turns_of(value)
        if turns is None:
            return content_text(value) or ""
        return next((turn.text for turn in turns if turn.role == "user" and turn.text is not None), "")
    raise InputFileError(f"{where}: {column!r} holds no text; name another column with --column")
