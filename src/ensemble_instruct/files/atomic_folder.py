"""Folders that are written whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.jsonl import UNFINISHED, sync, umask, writing

_OLD = "old"
_HERE, _SWAP_ON_LINUX, _SWAP_ON_MACOS = -100, 2, 2


def require_place(path: Path, is_known: Callable[[str], bool]) -> None:
    """Raise `InputFileError` unless a folder can be made at `path`, or replaced there with nothing lost.

    A folder may be replaced when `is_known` knows the path of every file in it.
    """
    if path.exists() and not path.is_dir():
        raise InputFileError(f"{path}: is a file; name a folder with --to, or remove it")
    if path.is_dir() and (foreign := next((name for name in _files_of(path) if not is_known(name)), None)):
        raise InputFileError(
            f"{path}: is a folder that holds something else than an export ({foreign}); name a new one with --to"
        )
    parent = path.resolve().parent
    if not parent.is_dir():
        raise InputFileError(f"{path}: folder {path.parent} does not exist; create it first")
    try:
        tempfile.TemporaryFile(dir=parent).close()
    except OSError as error:
        raise InputFileError(f"{path}: cannot be written: {error.strerror}; choose another place") from error


def _files_of(folder: Path) -> Iterator[str]:
    """The paths of the files in a folder, those at its top first: it may be a large one that is none of ours."""
    for name, folders, files in os.walk(folder):
        folders.sort()
        links = [found for found in folders if Path(name, found).is_symlink()]
        for file in sorted([*files, *links]):
            yield Path(name, file).relative_to(folder).as_posix()


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
