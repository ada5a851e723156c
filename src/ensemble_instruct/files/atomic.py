"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from ensemble_instruct.errors import InputFileError, StoreError
from ensemble_instruct.files.destination import is_another_ones, is_stream, own_path, stream
from ensemble_instruct.files.locks import lock

UNFINISHED = ".partial"
"""What the name of a file or folder ends in that will take the place of another."""
FOR_ALL = 0o666
"""Permissions of a new file, less those that the umask takes away."""
FOR_OWNER = 0o600
"""Permissions of a new file of a run."""


@contextmanager
def whole_file(path: Path, mode: int = FOR_ALL) -> Iterator[IO[bytes]]:
    """A binary file that replaces `path` when the block ends without an error, after an fsync.

    Where `path` is a symbolic link, the file that it points to is replaced. A file that is replaced keeps its
    permissions; a new one gets those of `mode` that the umask leaves. What is no regular file is written as a stream,
    at once. Unfinished files that a killed process left in the folder are removed. Raises `StoreError` when the disk
    does not take it, `InputFileError` where somebody else has laid a link or a pipe.
    """
    if is_stream(path):
        with writing(path), stream(path) as file:
            yield file
        return
    path = own_path(path)
    with writing(path):
        _remove_left_behind(path)
        with _unfinished(path) as file:
            temporary = Path(file.name)
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                _permit(file.fileno(), path, mode)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        sync(path.parent)


def _unfinished(path: Path) -> IO[bytes]:
    """A new file in the folder of `path`, locked until it is closed: no other process takes it for left behind."""
    while True:
        file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed by the caller
            dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED, delete=False
        )
        with suppress(BlockingIOError):
            _lock(file)
            # Between creation and lock another process may have taken it for left behind: no link is left then.
            if os.fstat(file.fileno()).st_nlink:
                return cast("IO[bytes]", file)
        file.close()


def _remove_left_behind(path: Path) -> None:
    """Remove unfinished files of processes that have ended."""
    for entry in path.parent.iterdir():
        if entry.name.startswith(f".{path.name}.") and entry.name.endswith(UNFINISHED):
            with suppress(OSError), os.fdopen(opened_own(entry), "rb") as file:
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and _lock(file):
                    entry.unlink()


def opened_own(entry: Path) -> int:
    """A descriptor of what this user has left at a path; raises `OSError` for a link and for what is another user's."""
    descriptor = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if os.fstat(descriptor).st_uid != os.geteuid():
        os.close(descriptor)
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(entry))
    return descriptor


def _permit(descriptor: int, path: Path, mode: int) -> None:
    """Give the file that is to replace `path` its permissions."""
    try:
        before = path.lstat()
    except FileNotFoundError:
        os.fchmod(descriptor, mode & ~umask())
        return
    if not stat.S_ISREG(before.st_mode):
        raise InputFileError(f"{path}: is no regular file; choose another place")
    if is_another_ones(path, before):  # what somebody laid there does not say who may read ours
        os.fchmod(descriptor, mode & ~umask())
        return
    for owner in ((before.st_uid, -1), (-1, before.st_gid)):  # the first only the superuser may
        with suppress(OSError):
            os.fchown(descriptor, *owner)
    is_same_group = os.fstat(descriptor).st_gid == before.st_gid
    os.fchmod(descriptor, before.st_mode & (0o777 if is_same_group else 0o707))


def _lock(file: IO[bytes]) -> bool:
    # it ends with its process, also after kill -9: a stale file is one that can be locked
    return lock(file.fileno())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """In the block, what the disk does not take becomes a `StoreError`."""
    try:
        yield
    except BrokenPipeError as error:
        raise StoreError(f"{path}: cannot be written: who read it has gone, so it is not whole") from error
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "free some space or choose another place" if is_full else "choose another place"
        raise StoreError(f"{path}: cannot be written: {error.strerror}; {what}") from error


def umask() -> int:
    """The permissions that new files and folders do not get."""
    mask = os.umask(0)  # POSIX can only set the mask and give back the one before
    os.umask(mask)
    return mask


def sync(path: Path) -> None:
    """Return once a file, or the names in a folder, are on disk.

    After a rename the folder needs it too: without, a power cut can bring the old name back.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
