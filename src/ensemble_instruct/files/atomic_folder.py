"""Folders that are written whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ensemble_instruct.files.atomic import UNFINISHED, sync, umask, writing

_OLD = "old"
_HERE, _SWAP_ON_LINUX, _SWAP_ON_MACOS = -100, 2, 2


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `path` when the block ends without an error, after an fsync of all in it.

    Until then what stands at `path` is untouched, and then it is gone. The change is one step of the file system where
    that can swap two folders (Linux, macOS); elsewhere the old one is set aside for a moment, in `.NAME.….partial`.
    What a process that was killed left beside `path` is removed, or put back. Raises `StoreError` when the disk does
    not take it.
    """
    path = path.resolve()
    with writing(path):
        _remove_left_behind(path)
        made, held = _new_folder(path)
        try:
            yield made
            _sync_tree(made)
            made.chmod(0o777 & ~umask())
            if path.exists():
                _swap(made, path)
            else:
                made.rename(path)
            sync(path.parent)
        finally:
            shutil.rmtree(made, ignore_errors=True)
            os.close(held)


def _new_folder(path: Path) -> tuple[Path, int]:
    """A folder beside `path`, and the descriptor that holds its lock.

    Another process may take one that is not locked yet for what was left behind, and remove it: then a next one.
    """
    while True:
        made = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED))
        try:
            held = _lock(made)
        except (BlockingIOError, FileNotFoundError):
            continue
        if made.exists():
            return made, held
        os.close(held)


def _lock(folder: Path) -> int:
    """A descriptor that holds the folder's lock until it is closed, at the latest when the process ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_left_behind(path: Path) -> None:
    """Remove unfinished folders of processes that are no more; put back the old one where that is all there is."""
    for folder in path.parent.iterdir():
        if folder.name.startswith(f".{path.name}.") and folder.name.endswith(UNFINISHED) and folder.is_dir():
            try:
                held = _lock(folder)
            except OSError:  # another process works on it
                continue
            if (folder / _OLD).exists() and not path.exists():
                (folder / _OLD).rename(path)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def _sync_tree(folder: Path) -> None:
    for name, _, files in os.walk(folder):
        for file in files:
            sync(Path(name, file))
        sync(Path(name))


def _swap(made: Path, path: Path) -> None:
    """Let the two folders change places."""
    if _swapped_at_once(made, path):
        return
    aside, held = _new_folder(path)
    try:
        path.rename(aside / _OLD)
        made.rename(path)
    finally:
        if not path.exists():
            (aside / _OLD).rename(path)
        shutil.rmtree(aside, ignore_errors=True)
        os.close(held)


def _swapped_at_once(made: Path, path: Path) -> bool:
    """Whether the file system has swapped the two in one step; False where it has no such step."""
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(made), os.fsencode(path)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        code = library.renamex_np(*names, _SWAP_ON_MACOS)
    elif hasattr(library, "renameat2"):
        code = library.renameat2(_HERE, names[0], _HERE, names[1], _SWAP_ON_LINUX)
    else:
        return False
    number = ctypes.get_errno()
    if code and number not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        raise OSError(number, os.strerror(number))
    return not code
