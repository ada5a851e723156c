"""Tasks with their answers in a file of a user, as objects with `instruction`, `input` and `output`.

They come as steps 3 to 5 and `export` write them, in any form that `rows` reads: `{instruction, input, output}` with
any further fields; `{messages}` or `{conversations}` with one exchange; `{prompt, completion}`. What steps 1 and 2
write has no answers yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Literal

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.conversations import content_text, turns_of
from ensemble_instruct.files.jsonl import JsonRow, fields_of, type_name
from ensemble_instruct.files.rows import read_rows

_EXCHANGES = (["user", "assistant"], ["system", "user", "assistant"])
"""The roles in a conversation that is a task with its answer."""
_Unanswered = Literal["instructions", "completions"]
_GOES_ON: Mapping[_Unanswered, str] = {
    "instructions": "as step 1 writes it; the commands `instances` and then `parse` make its input and output",
    "completions": "as step 2 writes it; the command `parse` reads input and output out of it",
}
"""Who wrote a row without an output, and what makes a task of it."""


def read_task_rows(path: Path) -> Iterator[JsonRow]:
    """The tasks of a file, one at a time, in order; with `system` where a conversation begins with such a message.

    A conversation or a prompt is the instruction of a task without input. Raises `InputFileError`, which names the
    line, for a file that cannot be read and for a row that is not a task with its answer.
    """
    for where, row in _rows(path):
        yield task_row(where, row)


def read_task_or_step_rows(path: Path) -> Iterator[JsonRow]:
    """The same, and of a file of step 1 or 2 its rows, with `instruction` alone or with `completion` too.

    The first row decides what the file holds: raises `InputFileError` for one that is something else, too.
    """
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        return
    holds = _unanswered(first[1])
    for where, row in chain([first], rows):
        yield task_row(where, row) if holds is None else _step_row(where, row, holds)


def _rows(path: Path) -> Iterator[tuple[str, JsonRow]]:
    """Each object with where it is."""
    if not path.is_file():
        raise InputFileError(f"{path}: is no regular file, and its format has to be looked at; save it to a file first")
    for _, row, where in read_rows(path, {}):
        yield where, row


def _unanswered(row: JsonRow) -> _Unanswered | None:
    """Whether step 1 or 2 wrote a row."""
    if "instruction" not in row or "input" in row or "output" in row:
        return None
    return "completions" if "raw_instances" in row else "instructions"


def _step_row(where: str, row: JsonRow, holds: _Unanswered) -> JsonRow:
    if _unanswered(row) != holds:
        raise InputFileError(f"{where}: is not one of the {holds} that the file begins with; give each its own file")
    completion = {"completion": row["raw_instances"]} if holds == "completions" else {}
    return _texts(where, instruction=row["instruction"], **completion)


def is_task_row(row: JsonRow) -> bool:
    """Whether a row has the fields of a task with its answer."""
    fields = [{"messages"}, {"conversations"}, {"prompt", "completion"}, {"instruction", "output"}]
    return any(names <= row.keys() for names in fields)


def task_row(where: str, row: JsonRow) -> JsonRow:
    """The task of a row, which is `where`; raises `InputFileError` for one that is not a task with its answer."""
    for name in ("messages", "conversations"):
        if name in row:
            return _exchange(where, name, row[name])
    if "prompt" in row and "completion" in row:
        asked, answer = row["prompt"], row["completion"]
        if turns_of(asked) is not None:
            said = answer if turns_of(answer) is not None else [{"role": "assistant", "content": answer}]
            return _exchange(where, "prompt and completion", [*asked, *said])
        return _texts(where, instruction=asked, input="", output=answer)
    if "instruction" in row and "output" in row:
        task_input = "" if row.get("input") is None else row["input"]
        return _texts(where, instruction=row["instruction"], input=task_input, output=row["output"])
    if holds := _unanswered(row):
        raise InputFileError(f"{where}: is not a task with its answer: it has no output yet, {_GOES_ON[holds]}")
    raise InputFileError(
        f"{where}: is not a task with its answer: it has {fields_of(row)}; needed: "
        f"'instruction' and 'output', or 'messages', or 'prompt' and 'completion'"
    )


def _exchange(where: str, name: str, messages: object) -> JsonRow:
    turns = turns_of(messages) or []
    roles = [turn.role for turn in turns]
    if roles not in _EXCHANGES or not isinstance(messages, list):
        raise InputFileError(
            f"{where}: {name!r} must be one exchange: a message of the user and one of the assistant, after at most "
            f"one of the system"
        )
    user, assistant = (_content(message) for message in messages[-2:])
    task = _texts(where, instruction=user, input="", output=assistant)
    return task | _texts(where, system=_content(messages[0])) if roles[0] == "system" else task


def _content(message: JsonRow) -> object:
    """The text of a message; what it has in its place where it holds none."""
    content = message.get("content", message.get("value"))
    text = content_text(content)
    return content if text is None else text


def _texts(where: str, **values: object) -> JsonRow:
    for name, value in values.items():
        if not isinstance(value, str):
            raise InputFileError(f"{where}: the {name} must be a string, found {type_name(value)}")
    return values
