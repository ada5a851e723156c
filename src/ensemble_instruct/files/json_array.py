"""A JSON array of objects, read an object at a time: what trainers call a JSON file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.jsonl import DECODER, MAX_LINE_BYTES, JsonRow, UnfitError, has_lone_surrogate, type_name

_CHUNK = 2**16
"""Bytes that are read at a time, at least."""
_SPACE = " \t\r\n"
"""What JSON takes for white space; Python's `lstrip` knows more."""


def array_objects(path: Path, file: IO[bytes]) -> Iterator[tuple[int, JsonRow]]:
    """Yield (place from 1, object) for each element of the array that a stream begins with.

    Raises `InputFileError`, which names file and place, for an object longer than 16 MiB, bytes that are not UTF-8,
    and what is not an array of objects.
    """
    for number, row, _ in array_texts(path, file):
        yield number, row


def array_texts(path: Path, file: IO[bytes]) -> Iterator[tuple[int, JsonRow, str]]:
    """The same, each object also as the text that it is in the file."""
    number = 0
    try:
        for number, row, own in _objects(path, _Text(file)):
            yield number, row, own
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{path}: object {number + 1}, or soon after: not UTF-8; save the file as UTF-8"
        ) from error


class _Text:
    """The text of a file from some place on, as far as it has been read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._decoder = file, codecs.getincrementaldecoder("utf-8-sig")()
        self.rest = ""

    def more(self) -> bool:
        """Read on; False at the end of the file."""
        # Twice as much each time: an object longer than a chunk is not decoded once for every chunk of it
        read = self._file.read(max(_CHUNK, len(self.rest)))
        self.rest += self._decoder.decode(read, final=not read)
        return bool(read)

    def take(self) -> str:
        """The next character that is not white space; empty at the end of the file."""
        while not (text := self.rest.lstrip(_SPACE)):
            self.rest = ""
            if not self.more():
                return ""
        self.rest = text[1:]
        return text[0]


def _objects(path: Path, text: _Text) -> Iterator[tuple[int, JsonRow, str]]:
    text.take()  # the bracket by which the array was known
    number = 0
    while (sign := text.take()) != "]":
        number += 1
        where = f"{path}: object {number}"
        if number > 1:
            if sign != ",":
                raise InputFileError(f"{where}: a comma or the end of the array is missing before it")
            sign = text.take()
        text.rest = sign + text.rest
        yield number, *_object(where, text)
    if text.take():
        raise InputFileError(f"{path}: something follows the end of the array; put all objects into one array")


def _object(where: str, text: _Text) -> tuple[JsonRow, str]:
    while True:
        try:
            row, end = DECODER.raw_decode(text.rest)
            break
        except UnfitError as error:
            raise InputFileError(f"{where}: {error}") from error
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
    own, text.rest = text.rest[:end], text.rest[end:]
    return row, own
