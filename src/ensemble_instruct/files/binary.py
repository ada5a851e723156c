"""Files that are no text, known by their magic number: which format it is, and what to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ensemble_instruct.errors import InputFileError

PARQUET_MAGIC = b"PAR1"
"""The first four bytes of every Parquet file."""
_FORMATS: Mapping[bytes, str] = {
    PARQUET_MAGIC: "is Parquet in a packed file; unpack it first",
    b"ARROW1": "is an Arrow file; write its rows as Parquet or JSON lines first",
    b"\x1f\x8b": "is packed twice; unpack it once, with gunzip",
    b"\x28\xb5\x2f\xfd": "is packed twice; unpack it once, with unzstd",
    b"BZh": "is compressed; unpack it first, with bunzip2",
    b"\xfd7zXZ\0": "is compressed; unpack it first, with unxz",
    b"PK\x03\x04": "is an archive; unpack it first, with unzip",
    b"SQLite format 3\0": "is a database; where it is that of a run, name the folder of the run",
}
"""By the magic number, what there is to say."""


def require_text(path: Path, start: bytes) -> None:
    """Raise `InputFileError` for a file in a known format that is no text; `start` is how it begins."""
    for magic, problem in _FORMATS.items():
        if start.startswith(magic):
            raise InputFileError(f"{path}: {problem}")
