"""Rows of a user's file that are tasks, with an answer or without: what each has of a task, by whichever names."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.conversations import asked_text, content_text, turns_of
from ensemble_instruct.files.jsonl import JsonRow, dump, fields_of, type_name
from ensemble_instruct.invisible import is_blank

INSTRUCTION = ("instruction", "prompt", "question", "messages", "conversations", "text")
"""The columns that may hold what is asked; the first that a row has is taken."""
_INPUT = ("input", "context")
_OUTPUT = ("output", "response", "completion", "answer")
_REFERENCE = ("reference",)
_OF_STEPS = ("instruction", "input", "output")
"""The columns of the files that steps write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRow:
    """What a row has of a task; a text that shows nothing is empty."""

    instruction: str
    input: str
    output: str
    reference: str
    further: str = ""
    """With what a conversation goes on after its first answer."""
    kind: object = None
    """As a column `kind` has it."""


def own_row(row: JsonRow, where: str) -> OwnRow:
    """The task of a row, which is `where`.

    A conversation asks what its system and its first user say, and the answer to that is its output. What is null is
    not there. Raises `InputFileError` for a row without any of these columns, and for one that holds no text.
    """
    asking = next((name for name in INSTRUCTION if row.get(name) is not None), None)
    asking = asking or next((name for name in INSTRUCTION if name in row), None)
    if asking is None:
        others = ", ".join(INSTRUCTION[1:])
        raise InputFileError(
            f"{where}: field 'instruction' is missing, and so are {others}; the row has {fields_of(row)}"
        )
    turns = turns_of(row[asking])
    answer, further = "", ""
    if turns is not None:
        instruction = asked_text(row[asking]) or ""
        first = next((place for place, turn in enumerate(turns) if turn.role == "user"), len(turns))
        rest = [turn.text or "" for turn in turns[first + 1 :]]
        is_answered = bool(rest) and turns[first + 1].role == "assistant"
        answer, further = (rest[0], "\n\n".join(rest[1:])) if is_answered else ("", "\n\n".join(rest))
    else:
        instruction = _text(row, (asking,), where)
    return OwnRow(
        instruction="" if is_blank(instruction) else instruction,
        input=_text(row, _INPUT, where),
        output=_text(row, _OUTPUT, where) or ("" if is_blank(answer) else answer),
        reference=_text(row, _REFERENCE, where),
        further="" if is_blank(further) else further,
        kind=row.get("kind"),
    )


def plain_row(row: JsonRow, where: str) -> JsonRow:
    """The same as an object with `instruction`, `input` and `output`; a row that is one already stays as it is.

    In these a step writes texts alone: a number there is a mistake.
    """
    if all(isinstance(row.get(name), str) for name in _OF_STEPS):
        return row
    if wrong := [name for name in _OF_STEPS if isinstance(row.get(name), int | float)]:
        raise InputFileError(f"{where}: field {wrong[0]!r} must be a string, found {type_name(row[wrong[0]])}")
    task = own_row(row, where)
    return {"instruction": task.instruction, "input": task.input, "output": task.output}


def _text(row: JsonRow, names: tuple[str, ...], where: str) -> str:
    """The text of the first of some columns that a row has."""
    name = next((name for name in names if row.get(name) is not None), None)
    if name is None:
        return ""
    text = _said(row[name])
    if text is None:
        raise InputFileError(f"{where}: field {name!r} must be one text or messages, found {type_name(row[name])}")
    return "" if is_blank(text) else text


def _said(value: object) -> str | None:
    """A text, a number as a text, the text of parts, or what the last of some messages says; of several texts none."""
    if isinstance(value, int | float):
        return "" if math.isnan(value) else dump(value)  # no number is how tables say that nothing is there
    if isinstance(value, list) and (not value or (len(value) > 1 and all(isinstance(each, str) for each in value))):
        return None if value else ""
    turns = turns_of(value)
    return content_text(value) if turns is None else (turns[-1].text or "")
