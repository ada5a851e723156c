"""The texts of a benchmark's file: every one that a row holds, in whichever column and however deep.

Every one counts, since a leak is a leak whether a model has seen the question, a choice, the passage or the solution.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.binary import PARQUET_MAGIC, require_text
from ensemble_instruct.files.opening import opened, start_of, unpacked, unpacked_name
from ensemble_instruct.files.rows import rows_of

NumberedText = tuple[int, str]
"""The number of the row or line, from 1, and one of its texts."""

_OF_ROWS = (".jsonl", ".ndjson", ".json", ".parquet")
"""What the names of files end in that are no plain text, however they begin."""
_SAYING = frozenset(("content", "text", "value"))
"""What a message or a part of it has its text in."""
_ABOUT_A_PART = frozenset(("role", "from", "type"))
"""What says which part it is."""
_LIST_OF_OBJECTS = re.compile(rb"\[\s*(\{|\]\s*\Z)")
"""How an array of objects begins; a line of text may begin with a bracket, too."""


def passages(path: Path) -> Iterator[Iterable[NumberedText]]:
    """The texts of a file, those together that belong together: the texts of a row, the lines of a paragraph.

    JSON lines, an array of JSON, and Parquet have rows; any other file is text. All but Parquet may be packed. Each
    passage must be read before the next. Raises `InputFileError`, which names file and row, for what cannot be read,
    and for a file without any text.
    """
    groups = _paragraphs(path) if _is_text(path) else _rows(path)
    first = next(groups, None)
    if first is None:
        raise InputFileError(f"{path}: holds no text to compare examples with; check the file")
    yield from chain([first], groups)


def _is_text(path: Path) -> bool:
    if Path(unpacked_name(path)).suffix.lower() in _OF_ROWS:
        return False
    with opened(path) as file:
        begins = start_of(path, file)
    if begins.startswith(PARQUET_MAGIC):
        return False
    require_text(path, begins)
    return not begins.startswith(b"{") and _LIST_OF_OBJECTS.match(begins) is None


def _paragraphs(path: Path) -> Iterator[Iterable[NumberedText]]:
    for has_text, lines in groupby(_lines(path), key=lambda line: bool(line[1])):
        if has_text:
            yield lines


def _lines(path: Path) -> Iterator[NumberedText]:
    with opened(path) as file:
        for number, line in enumerate(unpacked(path, file), start=1):
            try:
                yield number, (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise InputFileError(f"{path}:{number}: not UTF-8; save the file as UTF-8") from error


def _rows(path: Path) -> Iterator[Iterable[NumberedText]]:
    for number, row in _values(path):
        if texts := [(number, text) for text in texts_in(row)]:
            yield texts


def _values(path: Path) -> Iterator[tuple[int, Any]]:
    """The rows of a file; or what the one value of JSON holds that the whole file is."""
    with opened(path) as file:
        is_whole = unpacked_name(path).lower().endswith(".json") and not _LIST_OF_OBJECTS.match(start_of(path, file))
        if is_whole:
            with suppress(ValueError, RecursionError):  # JSON lines under another name, or what `rows_of` complains of
                whole = json.loads(unpacked(path, file).read())
                yield from enumerate(whole if isinstance(whole, list) else [whole], start=1)
                return
        for number, row, _ in rows_of(path, file, {}, {}):
            yield number, row


def texts_in(value: Any) -> list[str]:
    """All strings in a value of JSON that are not blank, in their order; keys of objects do not count.

    Nor do words that say what a part of a conversation is: a text may go on in the next part.
    """
    texts: list[str] = []
    waiting = [value]  # a stack, not recursion: what a parser can nest, this can read
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if value.strip():
                texts.append(value)
        elif isinstance(value, dict):
            is_part = not _SAYING.isdisjoint(value)
            waiting += [inner for key, inner in reversed(value.items()) if not (is_part and key in _ABOUT_A_PART)]
        elif isinstance(value, list | tuple):
            waiting += reversed(value)
    return texts
