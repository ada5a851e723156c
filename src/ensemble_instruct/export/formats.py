"""What one example becomes in each format that trainers read: a row, and the types of its columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from ensemble_instruct.errors import UsageError

if TYPE_CHECKING:
    from ensemble_instruct.files.jsonl import JsonRow

ColumnType = Literal["text", "number", "texts", "messages", "thinking_messages", "candidates", "matrix"]
"""What a column holds; `writers` knows the Arrow type of each."""

_NUMBERS: dict[str, ColumnType] = {"agreement": "number", "confidence": "number", "basis": "text"}
"""How much the voters agree, how sure the choice is, and what that was measured on."""
_ORIGIN: dict[str, ColumnType] = {"id": "text", "kind": "text", "winners": "texts", **_NUMBERS}
"""Where a row comes from; each row of a table has it, whatever the trainer."""
_TASK: dict[str, ColumnType] = {"instruction": "text", "input": "text", "output": "text"}
"""The columns of an example as the original has them."""
Reasoning = Literal["field", "tags"]
"""Where the thought before an output stands: in a field of its own (`messages` alone have one), or in the text."""
_SAME = 0.8
"""Agreement from which on two short answers, or outputs that end in a result, say the same."""
_TAG = re.compile("</?think>")
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

    A row of a user's file may have a system message of its own. A thought goes into the assistant's message.
    """
    answer = {"role": "assistant", "content": example["output"]}
    if thought := example.get("reasoning"):
        answer["reasoning_content"] = thought
    messages = [{"role": "user", "content": user_text(example)}, answer]
    first = example.get("system") if system is None else system
    if first is not None:
        messages.insert(0, {"role": "system", "content": first})
    return {"messages": messages}


def prompt_completion_row(example: JsonRow) -> JsonRow:
    """TRL's prompt-completion format."""
    return {"prompt": user_text(example), "completion": example["output"]}


def preference_row(example: JsonRow) -> JsonRow | None:
    """TRL's preference format with explicit prompt: the winning output and the least agreed-on other text.

    Where the strategy has ranked or models have rated the outputs, it is the lowest one by that. Of equally low ones
    the longer text, then the first in alphabetical order: the order of the voters never matters. None where no voter
    gave another text that is not blank, or only texts that are no lower. What is the same answer in other marks
    (`1,000` and `1000`) is no other text, and what a quality filter has something against is in no pair.
    """
    from ensemble_instruct.agreement.answers import is_same_answer  # for pairs alone: other formats start without it

    chosen, candidates = example["output"], example["candidates"]
    winner = next(candidate for candidate in candidates if candidate["output"] == chosen)
    measure = next(name for name in ("rating", "rank", "score") if name in winner)
    same = _same_as(candidates.index(winner), example)
    others = (
        candidate
        for place, candidate in enumerate(candidates)
        if candidate["output"].strip() not in ("", chosen.strip())
        and measure in candidate
        and "barred" not in candidate
        and place not in same
    )
    ranked = sorted(others, key=lambda other: (other[measure], -len(other["output"]), other["output"]))
    worst = next((other for other in ranked if not is_same_answer(chosen, other["output"])), None)
    if worst is None or winner[measure] <= worst[measure]:
        return None
    return {
        "prompt": user_text(example),
        "chosen": chosen,
        "rejected": worst["output"],
        "margin": winner[measure] - worst[measure],
        "chosen_voters": _voters(candidates, chosen),
        "rejected_voters": _voters(candidates, worst["output"]),
        "id": example["id"],
    }


def _same_as(place: int, example: JsonRow) -> set[int]:
    """The places of what step 5 took for the same answer or result as the text in a place."""
    if example.get("basis", "text") == "text":
        return set()
    return {at for at, agreement in enumerate(example["matrix"][place]) if agreement >= _SAME}


def _voters(candidates: Sequence[JsonRow], text: str) -> list[str]:
    """Who gave this very text, in alphabetical order."""
    return sorted(candidate["voter"] for candidate in candidates if candidate["output"] == text)


def table_row(example: JsonRow) -> JsonRow:
    """An example as it is: a table takes only the columns that it has."""
    return example


def candidates_row(example: JsonRow) -> JsonRow:
    """An example whose candidates are all fit to be published.

    What a filter has something against (`barred` says why) is there without its texts, which may be nobody's to read.
    """
    free, kept_back = {"rank": None, "rating": None, "barred": None, "removed": None}, {"output": None, "removed": None}
    candidates = [free | each | (kept_back if each.get("barred") else {}) for each in example["candidates"]]
    return example | {"candidates": candidates}


def _with_tags(make: Callable[[JsonRow], JsonRow | None], example: JsonRow) -> JsonRow | None:
    """The row of an example whose output begins with its thought, if it has one."""
    if not (thought := example.get("reasoning")):
        return make(example)
    thought = _TAG.sub("", thought).strip()  # one within would end the thought for who reads it
    rest = {name: value for name, value in example.items() if name != "reasoning"}
    return make(rest | {"output": f"<think>\n{thought}\n</think>\n\n{example['output']}"})


def _with_text(column: str, make: Callable[[JsonRow], JsonRow | None], example: JsonRow) -> JsonRow | None:
    row = make(example)
    return row and row | {column: example.get(column, "")}


def _with_origin(make: Callable[[JsonRow], JsonRow | None], example: JsonRow) -> JsonRow | None:
    row = make(example)
    return row and row | {name: example[name] for name in _ORIGIN}


FILE_FORMATS = ("original", "alpaca", "messages", "prompt-completion", "preference")
"""What the rows of a file of JSON lines may be."""
TABLE_ROWS = ("examples", "alpaca", "messages", "prompt-completion", "preference")
"""What the rows of a Parquet file may be."""
WITHOUT_REASONING = ("original", "preference")
"""Of these, rows have no place for a thought: the original has none, and in a pair it would be of one side alone."""
_EXAMPLE: dict[str, ColumnType] = {
    "id": "text", "kind": "text", **_TASK, "winners": "texts", **_NUMBERS,
}  # fmt: skip
_WHOLE = {
    "examples": Format(table_row, _EXAMPLE),
    "candidates": Format(candidates_row, {**_EXAMPLE, "candidates": "candidates", "matrix": "matrix"}),
}
"""Examples as they are, and with every candidate, its score, and the agreement of each pair of them."""


def file_format(name: str, system: str | None = None, reasoning: Reasoning | None = None) -> Format:
    """The format of a file with one object a line; `system` is the system message of `messages`."""
    chat: ColumnType = "thinking_messages" if reasoning == "field" else "messages"
    formats: dict[str, Format] = {
        "original": Format(original_row, _TASK, ascii_only=True),
        "alpaca": Format(original_row, _TASK),
        "messages": Format(partial(messages_row, system=system), {"messages": chat}),
        "prompt-completion": Format(prompt_completion_row, {"prompt": "text", "completion": "text"}),
        "preference": Format(preference_row, _PREFERENCE),
    }
    return _thinking(name, formats[name], reasoning)


def _thinking(name: str, form: Format, reasoning: Reasoning | None) -> Format:
    """The format with thoughts in the text, where that is where they go."""
    if reasoning is None or (name == "messages" and reasoning == "field"):
        return form
    return replace(form, row=partial(_with_tags, form.row))


def plain_table_format(name: str, system: str | None = None) -> Format:
    """The format of a table of rows that come from no run: what the trainer reads."""
    return file_format("original" if name == "examples" else name, system)


def table_format(
    name: str,
    system: str | None = None,
    *,
    is_merged: bool = False,
    has_references: bool = False,
    reasoning: Reasoning | None = None,
) -> Format:
    """The format of a table: what the trainer reads, then where the row comes from.

    Of a run that several were merged into, the last column is the one that an example comes from; of one whose tasks
    have references, there is a column for these.
    """
    if name in _WHOLE:
        form = _thinking(name, _WHOLE[name], None if name == "candidates" else reasoning)
    else:
        form = file_format(name, system, reasoning)
        if name != "preference":
            form = Format(partial(_with_origin, form.row), {**form.columns, **_ORIGIN})
    for column, is_wanted in (("reference", has_references), ("run", is_merged)):
        if is_wanted:
            form = Format(partial(_with_text, column, form.row), {**form.columns, column: "text"})
    return form


def require_known(option: str, name: str, known: Sequence[str]) -> None:
    """Raise `UsageError` for a name that is not one of the known ones."""
    if name not in known:
        raise UsageError(f"{option} {name}: no such format; there are {', '.join(known)}")
