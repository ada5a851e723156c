"""Digests by which a file or folder is known."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

SMALL_MODEL = 64 * 2**20
"""Bytes up to which a model's folder is known by its content, and read into memory."""


def content_of(folder: Path) -> str:
    """A digest of a small folder's files, or the path of a larger one."""
    if not folder.is_dir():
        return str(folder)
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    if sum(path.stat().st_size for path in paths) > SMALL_MODEL:
        return str(folder)
    digest = sha256()
    for path in paths:
        digest.update(f"{path.name} {sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"content {digest.hexdigest()}"


def _digest(path: Path | None) -> str:
    return sha256(path.read_bytes()).hexdigest() if path is not None and path.is_file() else str(path)
