"""The examples of a damaged run that can still be read, each asked for by its place."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from ensemble_instruct.records import KINDS, Kind
from ensemble_instruct.store.database import connect
from ensemble_instruct.store.faults import OF_READING, OF_WRONG_VALUES
from ensemble_instruct.store.reading import has_reference, read_meta
from ensemble_instruct.store.rows import example_of, parsed_row

_SMALLEST = 64
"""Bytes of a row at least: a file has no more of them than fit."""
_GIVEN_UP = 100_000
"""Places in a row of which nothing can be read, where it is not known how many there are."""


class Salvage:
    """What was found of a run's examples, once all `rows` were asked for.

    Raises `StoreError` or `InputFileError` where the database cannot be opened at all.
    """

    def __init__(self, path: Path) -> None:
        self.lost = 0
        """Examples that cannot be read."""
        self.is_most = False
        """Whether there may have been fewer: it cannot be read how many there were."""
        self.is_merged = self.has_references = False
        """Whether examples name the run that they come from, or what a good output is, as far as that can be read."""
        self._path = path
        with closing(connect(path, read_only=True)) as connection:
            with suppress(sqlite3.Error):
                self.is_merged = "merged" in read_meta(connection)
            with suppress(sqlite3.Error):
                self.has_references = has_reference(connection)

    def rows(self) -> Iterator[tuple[dict[str, Any], int]]:
        """The examples that are whole, in order, each with the length of its text."""
        with closing(connect(self._path, read_only=True)) as connection:
            for kind in KINDS:
                yield from self._rows(connection, kind)

    def _rows(self, connection: sqlite3.Connection, kind: Kind) -> Iterator[tuple[dict[str, Any], int]]:
        end, is_sure = self._end(connection, kind)
        missing = 0
        for position in range(end):
            found = _read(connection, kind, position)
            if found is not None:
                self.lost += missing
                missing = 0
                yield found
            elif missing == _GIVEN_UP and not is_sure:
                break
            else:
                missing += 1
        self.lost += missing
        self.is_most |= bool(missing) and not is_sure

    def _end(self, connection: sqlite3.Connection, kind: Kind) -> tuple[int, bool]:
        """The place after the last example of a kind, and whether that is sure; else the most that there can be."""
        most = sum(file.stat().st_size for file in self._path.parent.glob(f"{self._path.name}*")) // _SMALLEST
        for table in ("example", "instance"):  # no more examples than instances
            try:
                sql = f"SELECT MAX(position) FROM {table} WHERE kind = ?"  # noqa: S608 - constant names
                (last,) = connection.execute(sql, (kind,)).fetchone()
                return min(-1 if last is None else int(last), most) + 1, table == "example"
            except (sqlite3.Error, ValueError, TypeError):
                continue
        return most, False


def _read(connection: sqlite3.Connection, kind: Kind, position: int) -> tuple[dict[str, Any], int] | None:
    """An example, if it is there and is the one that was written, as far as its id tells."""
    try:
        sql = "SELECT row FROM example WHERE kind = ? AND position = ?"
        (text,) = connection.execute(sql, (kind, position)).fetchone()
        row = parsed_row(text)
        is_whole = example_of(row).instance.id == row["id"]
    except (*OF_READING, *OF_WRONG_VALUES, StopIteration):
        return None
    return (row, len(text)) if is_whole else None
