"""What one example becomes in each format that trainers read: a row, and the types of its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from ensemble_instruct.errors import UsageError

if TYPE_CHECKING:
    from ensemble_instruct.files.jsonl import JsonRow

ColumnType = Literal["text", "number", "texts", "messages", "candidates", "matrix"]
"""What a column holds; `writers` knows the Arrow type of each."""

_ORIGIN: dict[str, ColumnType] = {"id": "text", "kind": "text", "winners": "texts", "agreement": "number"}
"""Where a row comes from; each row of a table has it, whatever the trainer."""
_TASK: dict[str, ColumnType] = {"instruction": "text", "input": "text", "output": "text"}
"""The columns of an example as the original has them."""
_PREFERENCE: dict[str, ColumnType] = {
    "prompt": "text", "chosen": "text", "rejected": "text", "margin": "number", "chosen_voters": "texts",
    "rejected_voters": "texts", "id": "text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Format:
    """How an example is written: `row` makes its row, or None where it has none in this format."""

    row: Callable[[JsonRow], JsonRow | None]
    columns: Mapping[str, ColumnType]
    ascii_only: bool = False
    """Whether lines of JSON escape what is not ASCII."""


def original_row(example: JsonRow) -> JsonRow:
    """`{instruction, input, output}`, as the original writes its file."""
    return {name: example[name] for name in _TASK}


def user_text(example: JsonRow) -> str:
    """Instruction and input as one message: a blank line between them."""
    return f"{example['instruction']}\n\n{example['input']}" if example["input"] else str(example["instruction"])


def messages_row(example: JsonRow, system: str | None = None) -> JsonRow:
    """One exchange in the chat format (`messages` of role and content), after a system message if there is a text.

    A row of a user's file may have a system message of its own.
    """
    messages = [("user", user_text(example)), ("assistant", example["output"])]
    first = example.get("system") if system is None else system
    if first is not None:
        messages.insert(0, ("system", first))
    return {"messages": [{"role": role, "content": content} for role, content in messages]}


def prompt_completion_row(example: JsonRow) -> JsonRow:
    """TRL's prompt-completion format."""
    return {"prompt": user_text(example), "completion": example["output"]}


def preference_row(example: JsonRow) -> JsonRow | None:
    """TRL's preference format with explicit prompt: the winning output and the least agreed-on other text.

    Of equally low ones the longer text, then the first in alphabetical order: the order of the voters never matters.
    None where no voter gave another text that is not blank, or only texts that are as agreed on. White space at the
    ends makes no other text, and what a quality filter has something against is in no pair.
    """
    chosen, candidates = example["output"], example["candidates"]
    others = [
        candidate
        for candidate in candidates
        if candidate["output"].strip() not in ("", chosen.strip()) and "barred" not in candidate
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


def _voters(candidates: Sequence[JsonRow], text: str) -> list[str]:
    """Who gave this very text, in alphabetical order."""
    return sorted(candidate["voter"] for candidate in candidates if candidate["output"] == text)


def table_row(example: JsonRow) -> JsonRow:
    """An example as it is: a table takes only the columns that it has."""
    return example


def candidates_row(example: JsonRow) -> JsonRow:
    """An example whose candidates are all fit to be published.

    What a filter has something against (`barred` says why) is there without its text, which may be nobody's to read.
    """
    candidates = [
        candidate | ({"output": None} if candidate.get("barred") else {"barred": None})
        for candidate in example["candidates"]
    ]
    return example | {"candidates": candidates}


def _with_run(make: Callable[[JsonRow], JsonRow | None], example: JsonRow) -> JsonRow | None:
    row = make(example)
    return row and row | {"run": example.get("run", "")}


def _with_origin(make: Callable[[JsonRow], JsonRow | None], example: JsonRow) -> JsonRow | None:
    row = make(example)
    return row and row | {name: example[name] for name in _ORIGIN}


FILE_FORMATS = ("original", "alpaca", "messages", "prompt-completion", "preference")
"""What the rows of a file of JSON lines may be."""
TABLE_ROWS = ("examples", "alpaca", "messages", "prompt-completion", "preference")
"""What the rows of a Parquet file may be."""
_EXAMPLE: dict[str, ColumnType] = {
    "id": "text", "kind": "text", **_TASK, "winners": "texts", "agreement": "number",
}  # fmt: skip
_WHOLE = {
    "examples": Format(table_row, _EXAMPLE),
    "candidates": Format(candidates_row, {**_EXAMPLE, "candidates": "candidates", "matrix": "matrix"}),
}
"""Examples as they are, and with every candidate, its score, and the agreement of each pair of them."""


def file_format(name: str, system: str | None = None) -> Format:
    """The format of a file with one object a line; `system` is the system message of `messages`."""
    formats: dict[str, Format] = {
        "original": Format(original_row, _TASK, ascii_only=True),
        "alpaca": Format(original_row, _TASK),
        "messages": Format(partial(messages_row, system=system), {"messages": "messages"}),
        "prompt-completion": Format(prompt_completion_row, {"prompt": "text", "completion": "text"}),
        "preference": Format(preference_row, _PREFERENCE),
    }
    return formats[name]


def plain_table_format(name: str, system: str | None = None) -> Format:
    """The format of a table of rows that come from no run: what the trainer reads."""
    return file_format("original" if name == "examples" else name, system)


def table_format(name: str, system: str | None = None, *, is_merged: bool = False) -> Format:
    """The format of a table: what the trainer reads, then where the row comes from.

    Of a run that several were merged into, the last column is the one that an example comes from.
    """
    if name in _WHOLE:
        form = _WHOLE[name]
    else:
        form = file_format(name, system)
        if name != "preference":
            form = Format(partial(_with_origin, form.row), {**form.columns, **_ORIGIN})
    return Format(partial(_with_run, form.row), {**form.columns, "run": "text"}) if is_merged else form


def require_known(option: str, name: str, known: Sequence[str]) -> None:
    """Raise `UsageError` for a name that is not one of the known ones."""
    if name not in known:
        raise UsageError(f"{option} {name}: no such format; there are {', '.join(known)}")
