"""Where the package's log records go: warnings to stderr, everything from INFO on to a file, as text or as JSON.

Every record is one line, whatever its text holds. Where a module logs, it gives what a program should read as
`extra={"model": ..., "cause": ...}`; keys and prompts are not for the log.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.destination import descriptor_of, own_path
from ensemble_instruct.invisible import harmless

if TYPE_CHECKING:
    from rich.console import Console

LogFormat = Literal["text", "json"]

_LOGGER = "ensemble_instruct"
_APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""How the log file is opened: a pipe that nobody reads holds up nothing."""
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_LONGEST = 2000
"""Characters of one text: a reply of a server may be a page."""
_DEEPEST = 4
"""Levels of nested values that are kept as JSON."""
_BREAKS = re.compile(r"\r\n|[\t-\r\x1c-\x1e\x85\u2028\u2029]")
_NOT_BARE = re.compile(r'[\s"=]')


@contextmanager
def logging_to(console: Console | None, file: Path | None, form: LogFormat) -> Iterator[None]:
    """While the block runs, write the package's log records, one line each.

    Warnings and worse go to stderr (through `console` if there is one, so that they and its progress bars do
    not break each other), everything from INFO on to the end of `file`. Raises `InputFileError` when the file
    cannot be opened; when writing fails later, one warning says so and the block goes on. Only the package's own
    logger is touched, and it is afterwards as it was.
    """
    logger = logging.getLogger(_LOGGER)
    stream = sys.stderr if console is None else _ConsoleStream(console)
    on_stderr = _Lines(stream, logging.WARNING, _Json() if form == "json" else _Short())
    handlers = [on_stderr]
    opened = None if file is None else _opened(file)
    if opened is not None:
        handlers.append(_Lines(opened, logging.INFO, _Json() if form == "json" else _Long(), on_stderr))
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.WARNING if opened is None else logging.INFO)
    logger.propagate = False
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(level)
        logger.propagate = propagate
        if opened is not None:
            with suppress(OSError):  # a full disk was reported when the line could not be written
                opened.close()


def _opened(file: Path) -> TextIO:
    number = descriptor_of(file)
    try:
        descriptor = os.dup(number) if number is not None else os.open(own_path(file, opens=True), _APPENDING, 0o666)
        if number is None and stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "w", encoding="utf-8", buffering=1, newline="\n")
    except OSError as error:
        reason = "nobody reads this pipe" if error.errno == errno.ENXIO else error.strerror
        raise InputFileError(f"{file}: cannot be written: {reason}; choose another place for --log-file") from error


class _ConsoleStream:
    """What a handler writes to, where the lines go above the progress bars of a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, line: str) -> None:
        self._console.print(line.removesuffix("\n"), markup=False, emoji=False, highlight=False, soft_wrap=True)

    def flush(self) -> None:
        """Nothing is held back."""


class _Lines(logging.StreamHandler[Any]):
    """Writes lines to a stream. A place that fails is told of once, on `fallback`, and never by a traceback."""

    def __init__(
        self, stream: TextIO | _ConsoleStream, level: int, form: logging.Formatter, fallback: _Lines | None = None
    ) -> None:
        super().__init__(stream)
        self.setLevel(level)
        self.setFormatter(form)
        self._fallback, self._failed = fallback, False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging calls
        if self._fallback is None or self._failed:
            return
        self._failed = True
        error = sys.exc_info()[1]
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        text = f"the log file cannot be written: {reason}; the run goes on, lines of its log are missing"
        self._fallback.handle(logging.LogRecord(record.name, logging.WARNING, "", 0, text, None, None))


class _Short(logging.Formatter):
    """`warning: message`."""

    def format(self, record: logging.LogRecord) -> str:
        exception = _exception(record)
        return f"{record.levelname.lower()}: {_message(record)}" + (f" ({exception})" if exception else "")


class _Long(logging.Formatter):
    """`2026-01-31T12:00:00.123Z INFO message key=value ...`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = (f"{_NOT_BARE.sub('_', key)}={_in_text(value)}" for key, value in _fields(record).items())
        return " ".join([_time(record), record.levelname, _message(record), *fields])


class _Json(logging.Formatter):
    """One object: time, level, logger, message, then the fields. ASCII alone, so that no character ends a line."""

    def format(self, record: logging.LogRecord) -> str:
        row: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        for key, value in _fields(record).items():
            row[f"{key}_" if key in row else key] = value
        return json.dumps(row)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    try:
        return _one_line(record.getMessage())
    except (TypeError, ValueError, KeyError):  # the arguments do not fit the text
        return _one_line(str(record.msg))


def _exception(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return "" if error is None else _one_line(f"{type(error).__name__}: {error}")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {_one_line(key): _held(value) for key, value in vars(record).items() if key not in _STANDARD}
    exception = _exception(record)
    return {**fields, "exception": exception} if exception else fields


def _held(value: object, depth: int = 0) -> Any:
    """The value as JSON can hold it; what it cannot hold, as a string."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, dict) and depth < _DEEPEST:
        return {_one_line(str(key)): _held(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple) and depth < _DEEPEST:
        return [_held(inner, depth + 1) for inner in value]
    return _one_line(str(value))


def _in_text(value: object) -> str:
    if isinstance(value, str) and value and not _NOT_BARE.search(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _one_line(text: str) -> str:
    """The text with line breaks as spaces and unseen characters spelt out; the end of a very long one is cut off."""
    text = f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text
    return harmless(_BREAKS.sub(" ", text))
