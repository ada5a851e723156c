"""Parquet: what needs pyarrow, which is an extra, and errors that say how to install it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from ensemble_instruct.errors import InputFileError, UsageError
from ensemble_instruct.files.binary import PARQUET_MAGIC

_BATCH = 1024
"""Rows in memory at a time."""
_NO_VALUES = (OSError, ArithmeticError, LookupError, ValueError)
"""What else pyarrow raises: for a date that Python does not have, a text that is no UTF-8, an unknown time zone."""
_TEXT_TYPES = ("string", "large_string", "string_view")
"""Arrow's types of texts; older versions of pyarrow do not know the last one."""


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


def parquet_rows(path: Path, file: IO[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number from 1, row) of an open file.

    Raises `InputFileError` where it cannot be read, `UsageError` where the extra `parquet` is not installed.
    """
    require_pyarrow(path)
    with arrow_errors(path):
        number = 0
        for batch in opened_parquet(path, file).iter_batches(_BATCH):
            for row in batch.to_pylist():
                number += 1
                yield number, row


def opened_parquet(path: Path, source: IO[bytes] | Path) -> Any:
    """The `ParquetFile`; raises `InputFileError` where two columns have one name: rows would hold only one of them."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source)
    names = file.schema_arrow.names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputFileError(f"{path}: has the column {twice!r} twice; rename one of them")
    return file


def holds_text(kind: Any) -> bool:
    """Whether values of a type of Arrow are texts, whichever way it keeps them, or hold some."""
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return holds_text(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return holds_text(kind.value_type)
    inner = [kind.field(place).type for place in range(kind.num_fields)]
    return str(kind) in _TEXT_TYPES or any(map(holds_text, inner))


def writable_schema(schema: Any) -> Any:
    """A schema of Arrow whose rows can be filtered and written: texts and bytes that are views become plain ones."""
    import pyarrow as pa

    plain = {"string_view": pa.large_string(), "binary_view": pa.large_binary()}
    fields = [field.with_type(plain.get(str(field.type), field.type)) for field in schema]
    return pa.schema(fields, schema.metadata)


@contextmanager
def arrow_errors(path: Path) -> Iterator[None]:
    """In the block, what pyarrow cannot read becomes an `InputFileError`."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, *_NO_VALUES) as error:
        raise InputFileError(f"{path}: cannot be read as Parquet: {' '.join(str(error).split())}") from error


def arrow() -> tuple[ModuleType, ModuleType]:
    """`pyarrow` and `pyarrow.parquet`; raises `UsageError` where the extra `parquet` is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow: pip install 'ensemble-instruct[parquet]'") from error
    return pa, pq
