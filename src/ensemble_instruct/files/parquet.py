"""Parquet: what needs pyarrow, which is an extra, and errors that say how to install it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from ensemble_instruct.errors import InputFileError, UsageError
from ensemble_instruct.files.binary import PARQUET_MAGIC


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, by how it begins; raises `InputFileError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read: {error.strerror}; check the path") from error


def require_pyarrow(path: Path) -> None:
    """Raise `UsageError`, which names the file, where the extra `parquet` is not installed."""
    if find_spec("pyarrow") is None:
        raise UsageError(f"{path}: Parquet needs pyarrow; pip install 'ensemble-instruct[parquet]', or use JSONL")


@contextmanager
def arrow_errors(path: Path) -> Iterator[None]:
    """In the block, what pyarrow cannot read becomes an `InputFileError`."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputFileError(f"{path}: cannot be read as Parquet: {' '.join(str(error).split())}") from error


def arrow() -> tuple[ModuleType, ModuleType]:
    """`pyarrow` and `pyarrow.parquet`; raises `UsageError` where the extra `parquet` is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow: pip install 'ensemble-instruct[parquet]'") from error
    return pa, pq
