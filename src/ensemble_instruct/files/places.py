"""Whether something can be written at a place: asked before any work is done."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.destination import descriptor_of, is_stream, own_path


def require_writable(path: Path, *inputs: Path) -> None:
    """Raise `InputFileError` unless a file can be written at `path` without loss of an input.

    It must not be one of the `inputs`, by whatever name or link. What is a stream (see `is_stream`) will be written as
    one. Where something else exists, it must be a regular file, which will be replaced, and nobody else may have laid
    a link or a pipe there; the folder must exist and take a new file, which is tried with one that is removed at once.
    """
    if any(path.resolve() == source.resolve() for source in inputs):
        raise InputFileError(f"{path}: is an input too, and would be overwritten; name another file with --to")
    if is_stream(path):
        if descriptor_of(path) is None:
            own_path(path)
        return
    own_path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputFileError(f"{path}: is neither a regular file nor a pipe; name one with --to")
    if not path.parent.is_dir():
        raise InputFileError(f"{path}: folder {path.parent} does not exist; create it first")
    if path.is_dir():
        raise InputFileError(f"{path}: is a folder; name a file")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise InputFileError(f"{path}: cannot be written: {error.strerror}; choose another place") from error


def require_place(path: Path, is_known: Callable[[str], bool]) -> None:
    """Raise `InputFileError` unless a folder can be made at `path`, or replaced there with nothing lost.

    A folder may be replaced when `is_known` is true of the path of every file in it, relative to the folder and with
    slashes. The folder above it must exist and take a new file, which is tried with one that is removed at once.
    """
    own_path(path, opens=True)
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
    """The paths of the files in a folder, lazily and those at its top first: it may be a large one of somebody else."""
    for name, folders, files in os.walk(folder):
        folders.sort()
        links = [inner for inner in folders if Path(name, inner).is_symlink()]
        for file in sorted([*files, *links]):
            yield Path(name, file).relative_to(folder).as_posix()
