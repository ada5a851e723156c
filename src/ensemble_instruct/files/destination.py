"""Where a file goes: to a path at which nobody else has laid anything, or into a stream.

In a folder that all may write to, such as /tmp, another user may have laid a link to a file of the victim's own, or a
pipe, under the name that is about to be written. The kernel guards against some of this on some systems; here it is
looked at by hand on each.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import select
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from ensemble_instruct.errors import InputFileError

STDOUT = Path("-")
"""The path that means stdout."""
_DESCRIPTOR = re.compile(r"/(?:dev|proc/(?:self|thread-self|(?P<process>\d+)))/fd/(?P<number>\d+)")
"""A path that names an open file of a process."""
_MOST_LINKS = 40
"""That are followed, as by the kernel."""
_STANDARD = 3
"""Descriptors below this are stdin, stdout and stderr."""


def own_path(path: Path, *, opens: bool = False) -> Path:
    """The path without links, as `Path.resolve` gives it.

    Raises `InputFileError` where a link on the way, or a pipe at the end, was laid by somebody else in a folder that
    all may write to. With `opens`, for what is written where it lies, also where the end is anything of somebody
    else's in such a folder where each may remove only what is their own (as in /tmp).
    """
    at, links = Path("/"), 0
    parts = list(path.absolute().parts[:0:-1])
    while parts:
        part = parts.pop()
        entry = at.parent if part == ".." else at / part
        found = _found(entry)
        if found is None or not stat.S_ISLNK(found.st_mode):
            at = entry
            if found is not None and not parts and _is_laid(entry, found, opens=opens):
                raise _laid(entry)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise InputFileError(f"{path}: its links lead in a circle; choose another place")
        if _is_laid(entry, found, opens=opens):
            raise _laid(entry)
        target = entry.readlink()
        at = Path("/") if target.is_absolute() else at
        parts += [part for part in reversed(target.parts) if part != "/"]
    return at


def is_another_ones(entry: Path, found: os.stat_result) -> bool:
    """Whether somebody else has laid what was found at a path: it is theirs, and all may write to its folder."""
    return found.st_uid not in (os.geteuid(), 0) and bool(entry.parent.stat().st_mode & stat.S_IWOTH)


def descriptor_of(path: Path) -> int | None:
    """Which open file of this process a path means, `-` or like /dev/stdout; None for any other path.

    Raises `InputFileError` for one that was not handed to the process: it is a file of its own work.
    """
    if path == STDOUT:
        return 1
    place = os.path.abspath(path)  # noqa: PTH100 - resolves no link
    for _ in range(_MOST_LINKS):
        match = _DESCRIPTOR.fullmatch(place)
        if match and match["process"] in (None, str(os.getpid())):
            number = int(match["number"])
            _require_handed_over(path, number)
            return number
        entry = Path(place)
        found = _found(entry)
        if found is None or not stat.S_ISLNK(found.st_mode):
            return None
        if _is_laid(entry, found, opens=False):
            raise _laid(entry)
        place = os.path.abspath(entry.parent / entry.readlink())  # noqa: PTH100
    return None


def is_stdout(path: Path) -> bool:
    """Whether what is written to a path comes out at stdout."""
    return descriptor_of(path) == 1


def is_stream(path: Path) -> bool:
    """Whether a path is written as a stream: an open file of the process, a pipe, or a device of characters."""
    if descriptor_of(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


@contextmanager
def stream(path: Path) -> Iterator[IO[bytes]]:
    """The stream at a path, for which `is_stream` holds; a pipe is waited for until somebody reads it.

    Raises `OSError` where it does not take what is written.
    """
    number = descriptor_of(path)
    if number is None:
        descriptor = os.open(own_path(path), os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW)
    else:
        descriptor = os.dup(number)  # opened anew, a file behind it would be written from its start
    with io.BufferedWriter(Descriptor(descriptor, "w")) as file:
        yield cast("IO[bytes]", file)


class Descriptor(io.FileIO):
    """An open file that is written from here on; it is waited for where another program has set it not to wait."""

    _written = 0

    def write(self, data: Any, /) -> int:
        """See `io.RawIOBase.write`."""
        count: int | None
        while (count := super().write(data)) is None:
            select.select([], [self], [])
        self._written += count
        return count

    def tell(self) -> int:
        """How many bytes were written: Parquet asks for it, and a pipe cannot say."""
        return self._written


def _found(entry: Path) -> os.stat_result | None:
    try:
        return entry.lstat()
    except OSError:
        return None


def _is_laid(entry: Path, found: os.stat_result, *, opens: bool) -> bool:
    if not is_another_ones(entry, found):
        return False
    is_trap = stat.S_ISLNK(found.st_mode) or stat.S_ISFIFO(found.st_mode)
    return is_trap or (opens and bool(entry.parent.stat().st_mode & stat.S_ISVTX))


def _laid(entry: Path) -> InputFileError:
    return InputFileError(
        f"{entry}: was laid there by another user, in a folder that all may write to; choose another place"
    )


def _require_handed_over(path: Path, number: int) -> None:
    try:
        is_handed_over = number < _STANDARD or os.get_inheritable(number)
        can_write = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except OSError:
        is_handed_over = can_write = False
    if not (is_handed_over and can_write):
        raise InputFileError(f"{path}: is not open for writing; name a file, or redirect it")
