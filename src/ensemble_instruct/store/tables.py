"""The records of a run as rows of a table, for data frames and datasets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from ensemble_instruct.records import Example, Instance, Instruction, Rejected
from ensemble_instruct.store.rows import example_row

Records = Literal["examples", "rejected", "instructions"]


def columns(what: Records) -> list[str]:
    """The columns of a table without rows: those of a record that holds nothing."""
    match what:
        case "examples":
            instance = Instance(kind="output_only", instruction="", input="", output="")
            nothing = Example(
                instance=instance, output="", winners=(), agreement=0, confidence=0, candidates=(), scores=()
            )
            return list(example_row(nothing))
        case "rejected":
            return list(rejected_row(Rejected(step="parse", reason="", text="")))
        case "instructions":
            return list(instruction_row(Instruction(kind="output_only", text="")))


def rejected_row(record: Rejected) -> dict[str, Any]:
    """A drop as a row."""
    row = asdict(record)
    del row["candidates"]  # the store keeps those of a drop by its instance, not with it
    return row


def instruction_row(record: Instruction) -> dict[str, Any]:
    """An instruction as a row. A column has one type, so what was similar is by name, not by position."""
    return asdict(record) | {"most_similar": [{"text": text, "score": score} for text, score in record.most_similar]}
