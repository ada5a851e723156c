"""Folders that are written whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.atomic import FOR_OWNER, UNFINISHED, opened_own, sync, umask, writing
from ensemble_instruct.files.destination import own_path
from ensemble_instruct.files.locks import lock

_OLD = "old"
"""The name of the folder that is replaced while it is set aside."""
_AT_FDCWD = -100
"""`renameat2`'s word for: paths are relative to the working folder."""
_RENAME_EXCHANGE = 2
"""`renameat2`'s flag (Linux) to swap two names in one step."""
_RENAME_SWAP = 2
"""`renamex_np`'s flag (macOS) for the same."""


@contextmanager
def whole_folder(path: Path, *, is_new: bool = False, for_owner: bool = False) -> Iterator[Path]:
    """An empty folder that takes the place of `path` when the block ends without an error, after an fsync of all in it.

    Until then the folder at `path` is untouched, and then it is gone. The change is one step of the file system where
    that can swap two folders (Linux, macOS); elsewhere the old one is set aside for a moment, in `.NAME.….partial`.
    What a killed process of this user left next to `path` is removed, or put back. A folder that is replaced hands its
    permissions on; a new one has those that the umask leaves, or, `for_owner`, is for its owner alone with all in it.
    Raises `StoreError` when the disk does not take it, `InputFileError` where somebody else has laid a link and, if the
    folder `is_new`, where there is something by then.
    """
    path = own_path(path, opens=True)
    with writing(path):
        _remove_left_behind(path)
        unfinished, held = _new_folder(path)
        try:
            yield unfinished
            _sync_tree(unfinished, for_owner=for_owner)
            unfinished.chmod(path.stat().st_mode & 0o777 if path.is_dir() else 0o700 if for_owner else 0o777 & ~umask())
            try:
                unfinished.rename(path)
            except OSError as error:  # asked for and not looked up before: another process may write it at any moment
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
                if is_new:
                    raise InputFileError(f"{path}: was made by another process meanwhile; name a new folder") from error
                _swap(unfinished, path)
            sync(path.parent)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
            os.close(held)


def _new_folder(path: Path) -> tuple[Path, int]:
    """A folder next to `path`, and the descriptor that holds its lock.

    Another process may take one that is not locked yet for left behind, and remove it: then a next one is made.
    """
    while True:
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED))
        try:
            held = _lock(folder)
        except (BlockingIOError, FileNotFoundError):
            continue
        if folder.exists():
            return folder, held
        os.close(held)


def _lock(folder: Path, *, is_left: bool = False) -> int:
    """A descriptor that holds the folder's lock until it is closed, at the latest when the process ends.

    Raises `BlockingIOError` where another process holds it, and of one that `is_left` by a process, `OSError` where the
    file system has no locks or another user has laid it there.
    """
    descriptor = opened_own(folder) if is_left else os.open(folder, os.O_RDONLY)
    is_held = False
    try:
        is_held = lock(descriptor) or not is_left
    finally:
        if not is_held:
            os.close(descriptor)
    if not is_held:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(folder))
    return descriptor


def _remove_left_behind(path: Path) -> None:
    """Remove unfinished folders of processes that have ended; put the old one back where nothing took its place."""
    for folder in path.parent.iterdir():
        if folder.name.startswith(f".{path.name}.") and folder.name.endswith(UNFINISHED):
            try:
                held = _lock(folder, is_left=True)
            except OSError:  # another process works on it, another user has laid it there, or nobody can tell
                continue
            if not stat.S_ISDIR(os.fstat(held).st_mode):
                os.close(held)
                continue
            if (folder / _OLD).exists() and not path.exists():
                (folder / _OLD).rename(path)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def _sync_tree(folder: Path, *, for_owner: bool) -> None:
    for name, _, files in os.walk(folder):
        for path in (*(Path(name, file) for file in files), Path(name)):
            if for_owner:
                path.chmod(0o700 if path.is_dir() else FOR_OWNER)
            sync(path)


def _swap(unfinished: Path, path: Path) -> None:
    """Let the two folders change places."""
    if _swapped_at_once(unfinished, path):
        return
    aside, held = _new_folder(path)
    try:
        path.rename(aside / _OLD)
        unfinished.rename(path)
    finally:
        if not path.exists():
            (aside / _OLD).rename(path)
        shutil.rmtree(aside, ignore_errors=True)
        os.close(held)


def _swapped_at_once(unfinished: Path, path: Path) -> bool:
    """Whether the file system has swapped the two in one step; False where it has no such step."""
    library = ctypes.CDLL(None, use_errno=True)  # Python's rename cannot swap: the C library's own can
    names = os.fsencode(unfinished), os.fsencode(path)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        code = library.renamex_np(*names, _RENAME_SWAP)
    elif hasattr(library, "renameat2"):
        code = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    else:
        return False
    number = ctypes.get_errno()
    if code and number not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        raise OSError(number, os.strerror(number))
    return not code
