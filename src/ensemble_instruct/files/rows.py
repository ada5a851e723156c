"""The rows of a file in whichever form people have them: JSON lines, a JSON array, Parquet; the first two also packed.

What a file is, its content tells and not its name. Nothing needs memory for more than a few rows: `checked_rows` reads
a file twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.binary import PARQUET_MAGIC
from ensemble_instruct.files.json_array import array_objects
from ensemble_instruct.files.jsonl import JsonRow, json_lines, require_fields
from ensemble_instruct.files.opening import opened, start_of, unpacked, unreadable
from ensemble_instruct.files.parquet import parquet_rows

_ROWS_BETWEEN_LOOKS = 32
"""Rows after which it is looked again whether the file is as it was."""


ReadAs = Callable[[JsonRow, str], JsonRow]
"""What becomes of a row, which is at a place; raises `InputFileError` for one of which nothing can."""


class NumberedRow(NamedTuple):
    """A row of a file and its place there."""

    number: int
    """Of the line, or of the object of an array, or of the row of Parquet, from 1."""
    row: JsonRow
    where: str
    """File and place, as an error names them."""


def read_rows(path: Path, required: Mapping[str, type]) -> Iterator[NumberedRow]:
    """Yield the objects of a file, one at a time, in order; blank lines are none.

    `required` maps a field to the type of its value. Raises `InputFileError`, which names file and place, for a file
    that cannot be opened or is in another format or damaged, a line or an object longer than 16 MiB, bytes that are not
    UTF-8, what is no JSON object, and a field that is missing or of another type. Raises `UsageError` where an extra is
    needed that is not installed.
    """
    with opened(path) as file:
        yield from rows_of(path, file, required, {})


def rows_of(
    path: Path, file: IO[bytes], required: Mapping[str, type], optional: Mapping[str, type]
) -> Iterator[NumberedRow]:
    """The same for an open file, from its start; `optional` fields may be missing, but have their type."""
    try:
        begins = start_of(path, file)
        if begins.startswith(PARQUET_MAGIC) and unpacked(path, file) is file:
            rows = ((number, row, f"{path}: row {number}") for number, row in parquet_rows(path, file))
        elif begins.startswith(b"["):
            objects = array_objects(path, unpacked(path, file))
            rows = ((number, row, f"{path}: object {number}") for number, row in objects)
        else:
            lines = json_lines(path, unpacked(path, file))
            rows = ((number, row, f"{path}:{number}") for number, row in lines)
        for number, row, where in rows:
            require_fields(row, where, required, optional)
            yield NumberedRow(number, row, where)
    except OSError as error:
        raise unreadable(path, error) from error


class CheckedRows:
    """The rows of an open file, all of them checked; each iteration reads them again, one iteration at a time."""

    def __init__(
        self,
        path: Path,
        file: IO[bytes],
        required: Mapping[str, type],
        optional: Mapping[str, type],
        read_as: ReadAs | None = None,
    ) -> None:
        self._path, self._file, self._required, self._optional = path, file, required, optional
        self._read_as = read_as
        self._checked = _state(file)
        self._count = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[NumberedRow]:
        """The rows, as long as the file is as it was when it was checked."""
        try:
            rows = rows_of(self._path, self._file, self._required, self._optional)
            for count, row in enumerate(rows, start=1):
                if count % _ROWS_BETWEEN_LOOKS == 0 and _state(self._file) != self._checked:
                    break
                yield row if self._read_as is None else row._replace(row=self._read_as(row.row, row.where))
        except InputFileError:
            if _state(self._file) == self._checked:
                raise
        if _state(self._file) != self._checked:
            raise InputFileError(
                f"{self._path}: was changed while it was read; leave it alone and run the same command again"
            )


@contextmanager
def checked_rows(
    path: Path,
    required: Mapping[str, type],
    optional: Mapping[str, type] | None = None,
    read_as: ReadAs | None = None,
) -> Iterator[CheckedRows]:
    """All rows of a file, checked as `read_rows` does before the block begins, and in it read again, one at a time.

    `optional` fields may be missing, but have their type. `read_as` makes of each row what the block gets. Where
    another file takes the name in between, the one that was checked is read; where the file itself is changed, the next
    row raises `InputFileError`.
    """
    with opened(path) as file:
        yield CheckedRows(path, file, required, optional or {}, read_as)


def _state(file: IO[bytes]) -> tuple[int, int]:
    """Size and time of the last change: another value after each change of a file."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns
