"""The examples of a run in the formats that trainers read. A file is complete or untouched."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ensemble_instruct.database import read_examples, reading, require_run
from ensemble_instruct.errors import RunError, UsageError
from ensemble_instruct.jsonl import dump, require_folder_of, whole_file, write_rows

Row = dict[str, Any]
_PARQUET_ROWS = 10_000


def original_row(example: Row) -> Row:
    """`{instruction, input, output}`, as the original writes its file."""
    return {name: example[name] for name in ("instruction", "input", "output")}


def user_text(example: Row) -> str:
    """Instruction and input as one message: a blank line between them."""
    return f"{example['instruction']}\n\n{example['input']}" if example["input"] else str(example["instruction"])


def messages_row(example: Row) -> Row:
    """One exchange in the chat format (`messages` of role and content)."""
    return {
        "messages": [
            {"role": "user", "content": user_text(example)},
            {"role": "assistant", "content": example["output"]},
        ]
    }


def prompt_completion_row(example: Row) -> Row:
    """TRL's prompt-completion format."""
    return {"prompt": user_text(example), "completion": example["output"]}


_ROWS: dict[str, tuple[Callable[[Row], Row], bool]] = {
    "original": (original_row, True),
    "alpaca": (original_row, False),
    "messages": (messages_row, False),
    "prompt-completion": (prompt_completion_row, False),
}
FORMATS = (*_ROWS, "parquet")


def export_run(folder: Path, form: str, to: Path, *, partial: bool = False) -> int:
    """Write the examples of a finished run to a file and return their number.

    `alpaca` gives a JSON array when the file is called `.json`, else one object a line like the others. Raises
    `RunError` for a run that is not finished, unless `partial` takes what is there; `UsageError` for a format
    that does not exist.
    """
    if form not in FORMATS:
        raise UsageError(f"--format {form}: no such format; there are {', '.join(FORMATS)}")
    require_folder_of(to, folder / "config.yaml", *folder.glob("run.db*"))
    with reading(require_run(folder)) as connection:
        _require_finished(connection, folder, partial=partial)
        examples = read_examples(connection)
        if form == "parquet":
            return _write_parquet(examples, to)
        make_row, ascii_only = _ROWS[form]
        rows = map(make_row, examples)
        if form == "alpaca" and to.suffix == ".json":
            return _write_array(rows, to)
        return write_rows(to, rows, ascii_only=ascii_only)


def _require_finished(connection: sqlite3.Connection, folder: Path, *, partial: bool) -> None:
    row = connection.execute("SELECT value FROM meta WHERE name = 'state'").fetchone()
    if not partial and (row is None or row[0] != "finished"):
        raise RunError(
            f"{folder}: the run is not finished; run it to its end (`ensemble-instruct run --out {folder}`), "
            f"or give --partial for the examples so far"
        )


def _write_array(rows: Iterator[Row], to: Path) -> int:
    count = 0
    with whole_file(to) as file:
        file.write(b"[")
        for row in rows:
            file.write(b",\n" if count else b"\n")
            file.write(dump(row).encode())
            count += 1
        file.write(b"\n]\n")
    return count


def _write_parquet(examples: Iterator[Row], to: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("kind", pa.string()),
            ("instruction", pa.string()),
            ("input", pa.string()),
            ("output", pa.string()),
            ("winners", pa.list_(pa.string())),
            ("agreement", pa.float64()),
        ]
    )
    count = 0
    with whole_file(to) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := list(islice(examples, _PARQUET_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count
