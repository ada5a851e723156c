"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from ensemble_instruct.errors import StoreError
from ensemble_instruct.files.locks import lock

UNFINISHED = ".partial"
"""What the name of a file or folder ends in that will take the place of another."""


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that replaces `path` when the block ends without an error, after an fsync.

    Where `path` is a symbolic link, the file that it points to is replaced. Unfinished files that a killed process left
    in the folder are removed. Raises `StoreError` when the disk does not take it.
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
        if entry.name.startswith(f".{path.name}.") and entry.name.endswith(UNFINISHED) and entry.is_file():
            with suppress(OSError), entry.open("rb") as file:
                if _lock(file):
                    entry.unlink()


def _lock(file: IO[bytes]) -> bool:
    # it ends with its process, also after kill -9: a stale file is one that can be locked
    return lock(file.fileno())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """In the block, what the disk does not take becomes a `StoreError`."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written: {error.strerror}; free some space or choose another place"
        ) from error


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
