"""The texts of a benchmark's file: every one that a row holds, in whichever column and however deep.

Every one counts, since a leak is a leak whether a model has seen the question, a choice, the passage or the solution.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.binary import require_text
from ensemble_instruct.files.jsonl import read_rows
from ensemble_instruct.files.parquet import arrow_errors, is_parquet, require_pyarrow

NumberedText = tuple[int, str]
"""The number of the row or line, from 1, and one of its texts."""

_JSON_LINES = (".jsonl", ".ndjson")
"""What the names of files of JSON Lines end in."""
_BATCH = 1024
"""Rows of Parquet in memory at a time."""


def passages(path: Path) -> Iterator[Iterable[NumberedText]]:
    """The texts of a file, those together that belong together: the texts of a row, the lines of a paragraph.

    JSON Lines, an array of JSON, and Parquet have rows; any other file is text. Each passage must be read before the
    next. Raises `InputFileError`, which names file and row, for what cannot be read, and for a file without any text.
    """
    groups = _paragraphs(path) if _is_text(path) else _rows(path)
    first = next(groups, None)
    if first is None:
        raise InputFileError(f"{path}: holds no text to compare examples with; check the file")
    yield from chain([first], groups)


def _is_text(path: Path) -> bool:
    if is_parquet(path) or path.suffix.lower() in (*_JSON_LINES, ".json"):
        return False
    with path.open("rb") as file:
        first = next((line for line in file if line.strip()), b"")
    require_text(path, first)
    return not first.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")


def _paragraphs(path: Path) -> Iterator[Iterable[NumberedText]]:
    for has_text, lines in groupby(_lines(path), key=lambda line: bool(line[1])):
        if has_text:
            yield lines


def _lines(path: Path) -> Iterator[NumberedText]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield number, (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise InputFileError(f"{path}:{number}: not UTF-8; save the file as UTF-8") from error


def _rows(path: Path) -> Iterator[Iterable[NumberedText]]:
    rows = _parquet_rows(path) if is_parquet(path) else _json_rows(path)
    for number, row in rows:
        if texts := [(number, text) for text in texts_in(row)]:
            yield texts


def _json_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """The objects of JSON Lines; or the values of the array that the whole file is."""
    if path.suffix.lower() == ".json":
        with suppress(ValueError, RecursionError):  # JSON Lines under another name, or what `read_rows` complains of
            whole = json.loads(path.read_bytes())
            return enumerate(whole if isinstance(whole, list) else [whole], start=1)
    return read_rows(path, {})


def _parquet_rows(path: Path) -> Iterator[tuple[int, Any]]:
    require_pyarrow(path)
    with arrow_errors(path):
        import pyarrow.parquet as pq

        number, file = 0, pq.ParquetFile(path)
        names = [field.name for field in file.schema_arrow if _holds_text(field.type)]
        for batch in file.iter_batches(_BATCH, columns=names) if names else ():
            for row in batch.to_pylist():
                number += 1
                yield number, row


def _holds_text(kind: Any) -> bool:
    """Whether values of a type of Arrow are texts, or hold some."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _holds_text(kind.value_type)
    inner = [kind.field(place).type for place in range(kind.num_fields)]
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or any(map(_holds_text, inner))


def texts_in(value: Any) -> list[str]:
    """All strings in a value of JSON that are not blank, in their order; keys of objects do not count."""
    texts: list[str] = []
    waiting = [value]  # a stack, not recursion: what a parser can nest, this can read
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if value.strip():
                texts.append(value)
        elif isinstance(value, dict):
            waiting += reversed(value.values())
        elif isinstance(value, list | tuple):
            waiting += reversed(value)
    return texts
