"""JSON Lines: strict reading with the line named in every error, and writing that is whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ensemble_instruct.errors import InputFileError, StoreError

MAX_LINE_BYTES = 16 * 2**20


def read_rows(path: Path, required: Mapping[str, type]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for each line that is not blank.

    `required` maps a field to the type of its value. Raises `InputFileError`, which names file and line, for
    a file that cannot be opened, a line longer than 16 MiB, bytes that are not UTF-8, text that is not a JSON
    object, and a field that is missing or of another type.
    """
    try:
        with path.open("rb") as lines:
            number = 0
            while line := lines.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise InputFileError(
                        f"{path}:{number}: line is longer than 16 MiB; put one JSON object on each line"
                    )
                if line.strip():
                    yield number, _object(path, number, line, required)
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read: {error.strerror}; check the path") from error


def _object(path: Path, number: int, line: bytes, required: Mapping[str, type]) -> dict[str, Any]:
    where = f"{path}:{number}"
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{where}: not UTF-8 at byte {error.start + 1} of the line; save the file as UTF-8"
        ) from error
    except (ValueError, RecursionError) as error:
        problem = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise InputFileError(f"{where}: not JSON: {problem}; put one JSON object on each line") from error
    if not isinstance(row, dict):
        raise InputFileError(f"{where}: expected a JSON object, found {_type_name(row)}")
    if b"\\u" in line and _has_lone_surrogate(row):
        raise InputFileError(f"{where}: holds half of a surrogate pair (\\ud800 to \\udfff), which is no character")
    for field, kind in required.items():
        if field not in row:
            raise InputFileError(f"{where}: field {field!r} is missing; needed: {', '.join(required)}")
        if not isinstance(row[field], kind):
            raise InputFileError(f"{where}: field {field!r} must be {_name(kind)}, found {_type_name(row[field])}")
    return row


def _has_lone_surrogate(row: object) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _name(kind: type) -> str:
    return {str: "a string", bool: "true or false", list: "a list", dict: "an object"}.get(kind, kind.__name__)


def _type_name(value: object) -> str:
    return "null" if value is None else _name(type(value))


def dump(row: object, *, ascii_only: bool = False) -> str:
    """One line of JSON without its line break."""
    return json.dumps(row, ensure_ascii=ascii_only)


def write_rows(path: Path, rows: Iterable[object], *, ascii_only: bool = False) -> int:
    """Write one JSON object a line and return their number; the file is complete or untouched."""
    count = 0
    with whole_file(path) as file:
        for row in rows:
            file.write((dump(row, ascii_only=ascii_only) + "\n").encode())
            count += 1
    return count


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that replaces `path` when the block ends without an error, after an fsync.

    Where `path` is a symbolic link, the file that it points to is replaced. Raises `StoreError` when the disk does
    not take it.
    """
    path = path.resolve()
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            is_whole = False
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                is_whole = True
            finally:
                if not is_whole:
                    temporary.unlink(missing_ok=True)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written: {error.strerror}; free some space or choose another place"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_folder_of(path: Path, *inputs: Path) -> None:
    """Raise `InputFileError` unless `path` can be created where it stands and is none of the inputs."""
    if any(path.resolve() == given.resolve() for given in inputs):
        raise InputFileError(f"{path}: is an input too, and would be overwritten; name another file with --to")
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputFileError(f"{path}: is no regular file; name one with --to")
    if not path.parent.is_dir():
        raise InputFileError(f"{path}: folder {path.parent} does not exist; create it first")
    if path.is_dir():
        raise InputFileError(f"{path}: is a folder; name a file")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise InputFileError(f"{path}: cannot be written: {error.strerror}; choose another place") from error
