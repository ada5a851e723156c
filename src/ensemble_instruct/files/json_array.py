"""A JSON array of objects, read an object at a time: what trainers call a JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.jsonl import MAX_LINE_BYTES, JsonRow, NumberedRow, has_lone_surrogate, type_name

_CHUNK = 2**16
"""Characters that are read at a time, at least."""
_SPACE = " \t\r\n"
"""What JSON takes for white space; Python's `lstrip` knows more."""


def is_array(path: Path) -> bool:
    """Whether a file begins as a JSON array; raises `InputFileError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_CHUNK).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read: {error.strerror}; check the path") from error


def read_array(path: Path) -> Iterator[NumberedRow]:
    """Yield (place from 1, object) for each element.

    Raises `InputFileError`, which names file and place, for an object longer than 16 MiB, bytes that are not UTF-8,
    and what is not an array of objects.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from _objects(path, _Text(file))
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path}: is not UTF-8; save the file as UTF-8") from error
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read: {error.strerror}; check the path") from error


class _Text:
    """The text of a file from some place on, as far as it has been read."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.rest = ""

    def more(self) -> bool:
        """Read on; False at the end of the file."""
        # Twice as much each time: an object longer than a chunk is not decoded once for every chunk of it
        read = self._file.read(max(_CHUNK, len(self.rest)))
        self.rest += read
        return bool(read)

    def take(self) -> str:
        """The next character that is not white space; empty at the end of the file."""
        while not (text := self.rest.lstrip(_SPACE)):
            self.rest = ""
            if not self.more():
                return ""
        self.rest = text[1:]
        return text[0]


def _objects(path: Path, text: _Text) -> Iterator[NumberedRow]:
    text.take()  # the bracket that `is_array` has seen
    number, decoder = 0, json.JSONDecoder()
    while (sign := text.take()) != "]":
        number += 1
        where = f"{path}: object {number}"
        if number > 1:
            if sign != ",":
                raise InputFileError(f"{where}: a comma or the end of the array is missing before it")
            sign = text.take()
        text.rest = sign + text.rest
        yield number, _object(where, text, decoder)
    if text.take():
        raise InputFileError(f"{path}: something follows the end of the array; put all objects into one array")


def _object(where: str, text: _Text, decoder: json.JSONDecoder) -> JsonRow:
    while True:
        try:
            row, end = decoder.raw_decode(text.rest)
            break
        except (ValueError, RecursionError) as error:
            if len(text.rest) > MAX_LINE_BYTES:
                raise InputFileError(f"{where}: not JSON, or longer than 16 MiB") from error
            if not text.more():
                problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                raise InputFileError(f"{where}: not JSON: {problem}; the file must be an array of objects") from error
    if not isinstance(row, dict):
        raise InputFileError(f"{where}: expected a JSON object, found {type_name(row)}")
    if has_lone_surrogate(row):
        raise InputFileError(f"{where}: holds half of a surrogate pair (\\ud800 to \\udfff), which is no character")
    text.rest = text.rest[end:]
    return row
