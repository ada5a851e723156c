"""What a command prints goes to stdout and stderr, whatever these can hold and whether or not they take it."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from ensemble_instruct.errors import RunError
from ensemble_instruct.files.destination import Descriptor, is_stdout
from ensemble_instruct.invisible import harmless


@contextmanager
def standard_streams() -> Iterator[None]:
    """In the block, stdout and stderr spell out each character that their encoding lacks or a terminal would act on.

    A stdout that cannot be written raises `RunError`, a reader that has gone `BrokenPipeError`; a stderr that cannot be
    written stops nothing. Streams that somebody else has put in their place are left alone.
    """
    _occupy_closed()
    before = sys.stdout, sys.stderr
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(_Stdout, 1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(_Stderr, 2, sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def print_document(text: str) -> None:
    """Print what is a file by its nature: in UTF-8, as if it were written to one, but on a terminal."""
    click.echo(text if sys.stdout.isatty() else text.encode("utf-8", "replace"), nl=False)


def styled(stream: TextIO) -> TextIO:
    """One of the streams for who writes colours himself, and nothing that others have written as it came."""
    own: TextIO = getattr(stream, "styled", stream)
    return own


def say_beside(to: Path, line: str) -> None:
    """Print a line about what was written: to stderr where that itself went to stdout."""
    click.echo(line, err=is_stdout(to))


def _occupy_closed() -> None:
    """Let no file of ours get the number of a standard stream that is closed: what is printed would land in it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def _text(kind: type[Descriptor], number: int, before: TextIO | None) -> TextIO:
    if before is None:  # it was closed when Python began
        return io.TextIOWrapper(io.BufferedWriter(io.FileIO(os.devnull, "w")), "utf-8", "backslashreplace")
    buffer = io.BufferedWriter(kind(number, "w", closefd=False))
    stream = _Harmless(buffer, before.encoding, "backslashreplace", line_buffering=True)
    stream.styled = io.TextIOWrapper(buffer, before.encoding, "backslashreplace", line_buffering=True)
    return stream


class _Harmless(io.TextIOWrapper):
    """What names and servers' words hold for a terminal, such as colours and directions, is spelled out."""

    styled: TextIO
    """The same stream for who writes colours himself."""

    def write(self, text: str, /) -> int:
        """See `io.TextIOBase.write`."""
        super().write(harmless(text))
        return len(text)


class _Stdout(Descriptor):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise RunError(
                f"stdout: cannot be written: {error.strerror}; send it to another place; files that the command has "
                f"written stay"
            ) from error


class _Stderr(Descriptor):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes
