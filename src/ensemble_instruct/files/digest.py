"""Digests (SHA-256) by which files, folders and rows are known, in keys of requests, in runs and in datasets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

SMALL_MODEL = 64 * 2**20
"""Bytes up to which a model's folder is known by its content, and read into memory."""
_SHORT = 12
"""Hexadecimal digits of the digests that a run notes of its settings."""
_BEGINNING = 2**20
"""Bytes of each file of a large folder that are looked at."""


def file_digest(path: Path) -> str:
    """Of the content of a file, read a piece at a time. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short_file_digest(path: Path | None) -> str | None:
    """The first digits of a `file_digest`; None where there is no file."""
    return None if path is None or not path.is_file() else file_digest(path)[:_SHORT]


def replies_digest(path: Path | None) -> str:
    """What a file of replies is known by in the keys of requests: its content, or its path where no file is."""
    return file_digest(path) if path is not None and path.is_file() else str(path)


def model_digest(folder: Path) -> str:
    """What a model's folder is known by in the keys of requests: its files, or its path where they are large."""
    if not folder.is_dir():
        return str(folder)
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    if sum(path.stat().st_size for path in paths) > SMALL_MODEL:
        return str(folder)
    digest = sha256()
    for path in paths:
        digest.update(f"{path.name} {file_digest(path)}\n".encode())
    return f"content {digest.hexdigest()}"


def model_file_digest(path: Path) -> str:
    """What a model in one file is known by in the keys of requests: its content, or path and size where it is large.

    The parts of one that is split (`NAME-00001-of-00003.gguf`) count together.
    """
    begins, is_split, ends = re.sub(r"-\d{5}(-of-\d{5}\.\w+)$", r"\0\1", path.name).partition("\0")
    names = re.compile(re.escape(begins) + (r"-\d{5}" if is_split else "") + re.escape(ends))
    parts = sorted(part for part in path.parent.iterdir() if names.fullmatch(part.name)) if path.is_file() else []
    if (size := sum(part.stat().st_size for part in parts)) > SMALL_MODEL or not parts:
        return f"{path} of {size} bytes" if parts else str(path)
    return f"content {sha256(' '.join(map(file_digest, parts)).encode()).hexdigest()}"


def short_folder_digest(folder: Path) -> str:
    """Of the names and sizes of all files below a folder, however large, and of how each begins."""
    digest = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            begins = sha256(file.read(_BEGINNING)).hexdigest()
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size} {begins}\n".encode())
    return digest.hexdigest()[:_SHORT]


def short_rows_digest(rows: Iterable[object]) -> str:
    """Of records, in order, by all their fields."""
    return sha256("\n".join(map(repr, rows)).encode()).hexdigest()[:_SHORT]
