"""The examples of a run in the formats that trainers read. A file is complete or untouched."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ensemble_instruct.database import read_examples, reading, require_run
from ensemble_instruct.errors import RunError, UsageError
from ensemble_instruct.jsonl import dump, require_folder_of, whole_file, write_rows

Row = dict[str, Any]
_PARQUET_ROWS = 10_000
_EXAMPLE_COLUMNS: dict[str, type] = {
    "id": str, "kind": str, "instruction": str, "input": str, "output": str, "winners": list, "agreement": float
}  # fmt: skip
_PREFERENCE_COLUMNS: dict[str, type] = {
    "prompt": str, "chosen": str, "rejected": str, "margin": float, "chosen_voters": list, "rejected_voters": list,
    "id": str,
}  # fmt: skip
"""The columns of a Parquet file; a list is one of strings."""


@dataclass(frozen=True, slots=True)
class Exported:
    """How many examples a file got, and how many it did not; as text, what the command says of it before `examples`."""

    written: int
    left_out: int = 0

    def __str__(self) -> str:
        if not self.left_out:
            return str(self.written)
        return f"{self.left_out} left out, as no candidate has another text that is less agreed on; {self.written}"


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


def preference_row(example: Row) -> Row | None:
    """TRL's preference format with explicit prompt: the winning output and the least agreed-on other text.

    Of equally low ones the longer text, then the first in alphabetical order: the order of the voters never matters.
    None where no other text that is not blank was given, or none that is less agreed on; what a quality filter has
    something against is in no pair.
    """
    chosen, candidates = example["output"], example["candidates"]
    others = [
        candidate
        for candidate in candidates
        if candidate["output"] != chosen and candidate["output"].strip() and "barred" not in candidate
    ]
    if not others:
        return None
    worst = min(others, key=lambda other: (other["score"], -len(other["output"]), other["output"]))
    score = next(candidate["score"] for candidate in candidates if candidate["output"] == chosen)
    if score <= worst["score"]:
        return None
    return {
        "prompt": user_text(example),
        "chosen": chosen,
        "rejected": worst["output"],
        "margin": score - worst["score"],
        "chosen_voters": _voters(candidates, chosen),
        "rejected_voters": _voters(candidates, worst["output"]),
        "id": example["id"],
    }


def _voters(candidates: Sequence[Row], text: str) -> list[str]:
    """Who gave this very text, in alphabetical order."""
    return sorted(candidate["voter"] for candidate in candidates if candidate["output"] == text)


_ROWS: dict[str, tuple[Callable[[Row], Row | None], bool]] = {
    "original": (original_row, True),
    "alpaca": (original_row, False),
    "messages": (messages_row, False),
    "prompt-completion": (prompt_completion_row, False),
    "preference": (preference_row, False),
}
FORMATS = (*_ROWS, "parquet")


def export_run(folder: Path, form: str, to: Path, *, partial: bool = False) -> Exported:
    """Write the examples of a finished run to a file and return how many it got.

    `alpaca` gives a JSON array when the file is called `.json`, `preference` Parquet when it is called `.parquet`,
    else one object a line like the others. Raises `RunError` for a run that is not finished, unless `partial` takes
    what is there; `UsageError` for a format that does not exist.
    """
    if form not in FORMATS:
        raise UsageError(f"--format {form}: no such format; there are {', '.join(FORMATS)}")
    require_folder_of(to, folder / "config.yaml", *folder.glob("run.db*"))
    with reading(require_run(folder)) as connection:
        _require_finished(connection, folder, partial=partial)
        examples = _Counted(read_examples(connection))
        written = _write(examples, form, to)
    return Exported(written, examples.number - written)


@dataclass(slots=True)
class _Counted:
    """Rows on their way, and the number of those that have passed."""

    rows: Iterator[Row]
    number: int = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            self.number += 1
            yield row


def _write(examples: Iterable[Row], form: str, to: Path) -> int:
    if form == "parquet":
        return _write_parquet(iter(examples), to, _EXAMPLE_COLUMNS)
    make_row, ascii_only = _ROWS[form]
    rows = (row for row in map(make_row, examples) if row is not None)
    if form == "preference" and to.suffix == ".parquet":
        return _write_parquet(rows, to, _PREFERENCE_COLUMNS)
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


def _write_parquet(rows: Iterator[Row], to: Path, columns: Mapping[str, type]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {str: pa.string(), float: pa.float64(), list: pa.list_(pa.string())}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    count = 0
    with whole_file(to) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := list(islice(rows, _PARQUET_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count
