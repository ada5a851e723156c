"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from ensemble_instruct.errors import StoreError

UNFINISHED = ".partial"
"""What the name of a file or folder ends in that will take the place of another."""


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that replaces `path` when the block ends without an error, after an fsync.

    Where `path` is a symbolic link, the file that it points to is replaced. What a process that was killed left beside
    it is removed. Raises `StoreError` when the disk does not take it.
    """
    path = path.resolve()
    with writing(path):
        _remove_left_behind(path)
        with _unfinished(path) as file:
            temporary = Path(file.name)
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                temporary.chmod(0o666 & ~umask())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        sync(path.parent)


def _unfinished(path: Path) -> IO[bytes]:
    """A new file beside `path`, locked until it is closed, so that no other process takes it for left behind."""
    while True:
        file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed by the caller
            dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED, delete=False
        )
        with suppress(BlockingIOError):
            _lock(file)
            if os.fstat(file.fileno()).st_nlink:
                return cast("IO[bytes]", file)
        file.close()


def _remove_left_behind(path: Path) -> None:
    """Remove unfinished files of processes that are no more."""
    for found in path.parent.iterdir():
        if found.name.startswith(f".{path.name}.") and found.name.endswith(UNFINISHED) and found.is_file():
            with suppress(OSError), found.open("rb") as file:
                if _lock(file):
                    found.unlink()


def _lock(file: IO[bytes]) -> bool:
    """Hold the lock of a file until it is closed; False where the file system has no locks.

    Raises `BlockingIOError` where another process holds it.
    """
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
        return False
    return True


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the disk does not take becomes a `StoreError`."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written: {error.strerror}; free some space or choose another place"
        ) from error


def umask() -> int:
    """The permissions that new files and folders shall not have."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync(path: Path) -> None:
    """Return once a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
