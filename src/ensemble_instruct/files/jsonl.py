"""JSON Lines: strict reading with the line named in every error, and writing that is whole or not at all.

Neither needs memory for more than one line: `RowSpool` keeps rows on disk.
"""

from __future__ import annotations

import codecs
import json
import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.atomic import FOR_ALL, whole_file, writing
from ensemble_instruct.files.binary import require_text
from ensemble_instruct.files.destination import is_stream

MAX_LINE_BYTES = 16 * 2**20
"""The longest line that is read: a file without line breaks must not fill the memory."""
_LONGEST_SHOWN = 60
"""Characters of a name or a number that a message shows."""

JsonRow = dict[str, Any]
"""One line: a JSON object."""


class UnfitError(ValueError):
    """Raised for JSON that is read in another way by each program: what is wrong with it, and what to write."""


def _object_of(pairs: list[tuple[str, Any]]) -> JsonRow:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UnfitError(f"has the field {twice[:_LONGEST_SHOWN]!r} twice; keep one of them")
    return row


def _no_number(name: str) -> Any:
    raise UnfitError(f"holds {name[:_LONGEST_SHOWN]}, which is no number of JSON; write null, or leave the field out")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


DECODER = json.JSONDecoder(object_pairs_hook=_object_of, parse_constant=_no_number, parse_float=_finite)
"""Reads JSON as it is defined: no field twice in an object, no `NaN` and no infinity; else raises `UnfitError`."""


def json_lines(path: Path, lines: IO[bytes]) -> Iterator[tuple[int, JsonRow]]:
    """Yield (line number from 1, object) for each line that is not blank.

    Raises `InputFileError`, which names file and line, for a line longer than 16 MiB and what is no JSON object in
    UTF-8, and `OSError`.
    """
    number = 0
    while line := lines.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            require_text(path, line)
            line = line.removeprefix(codecs.BOM_UTF8)
        if len(line) > MAX_LINE_BYTES:
            raise InputFileError(f"{path}:{number}: line is longer than 16 MiB; put one JSON object on each line")
        if line.strip():
            yield number, _object(f"{path}:{number}", line)


def _object(where: str, line: bytes) -> JsonRow:
    try:
        row = DECODER.decode(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{where}: not UTF-8 at byte {error.start + 1} of the line; save the file as UTF-8"
        ) from error
    except UnfitError as error:
        raise InputFileError(f"{where}: {error}") from error
    except (ValueError, RecursionError) as error:
        problem = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise InputFileError(f"{where}: not JSON: {problem}; put one JSON object on each line") from error
    if not isinstance(row, dict):
        raise InputFileError(f"{where}: expected a JSON object, found {type_name(row)}")
    # Only an escape can make a lone surrogate: UTF-8 cannot hold one, so most lines need no second look.
    if b"\\u" in line and has_lone_surrogate(row):
        raise InputFileError(f"{where}: holds half of a surrogate pair (\\ud800 to \\udfff), which is no character")
    return row


def require_fields(
    row: JsonRow, where: str, required: Mapping[str, type], optional: Mapping[str, type] | None = None
) -> None:
    """Raise `InputFileError`, which begins with `where`, for a field that is missing or of another type."""
    for field, kind in (*required.items(), *(optional or {}).items()):
        if field in row and not isinstance(row[field], kind):
            raise InputFileError(f"{where}: field {field!r} must be {_name(kind)}, found {type_name(row[field])}")
        if field not in row and field in required:
            raise InputFileError(f"{where}: field {field!r} is missing; needed: {', '.join(required)}")


def has_lone_surrogate(row: object) -> bool:
    """Whether a text in a value cannot be written as UTF-8."""
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _name(kind: type) -> str:
    return {str: "a string", bool: "true or false", list: "a list", dict: "an object"}.get(kind, kind.__name__)


def type_name(value: object) -> str:
    """What JSON calls a value, with its article."""
    return "null" if value is None else _name(type(value))


def fields_of(row: JsonRow) -> str:
    """The names of a row's first fields, as a message shows them, where they are long by their beginnings."""
    return ", ".join(repr(name if len(name) <= 60 else f"{name[:60]}…") for name in list(row)[:10]) or "no field"


def dump(row: object, *, ascii_only: bool = False) -> str:
    """One line of JSON without its line break."""
    return json.dumps(row, ensure_ascii=ascii_only)


def write_rows(path: Path, rows: Iterable[object], *, ascii_only: bool = False, mode: int = FOR_ALL) -> int:
    """Write one JSON object a line and return their number; see `whole_file`."""
    count = 0
    with whole_file(path, mode) as file:
        for row in rows:
            file.write((dump(row, ascii_only=ascii_only) + "\n").encode())
            count += 1
    return count


class RowSpool:
    """Rows that come one at a time, on their way to the file `path`, which is untouched until `save`.

    They wait in the same folder, in a file without a name, so that a process that is killed leaves nothing behind.
    Use it as a context manager. Raises `StoreError` when the disk does not take them.
    """

    def __init__(self, path: Path, *, ascii_only: bool = False) -> None:
        self.count = 0
        self._path, self._ascii_only = path, ascii_only
        with writing(path):
            # O_TMPFILE where the system has it: a file without a name is gone with its process.
            folder = None if is_stream(path) else path.parent
            self._waiting = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `__exit__`

    def __enter__(self) -> RowSpool:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # closing writes what waits: a full disk refuses it, and nobody wants it any more
            self._waiting.close()

    def add(self, row: object) -> None:
        """Append a row."""
        with writing(self._path):
            self._waiting.write((dump(row, ascii_only=self._ascii_only) + "\n").encode())
        self.count += 1

    def save(self) -> None:
        """Write all rows to `path`; it is complete or untouched."""
        with whole_file(self._path) as file:
            self._waiting.seek(0)
            shutil.copyfileobj(self._waiting, file, 2**20)
