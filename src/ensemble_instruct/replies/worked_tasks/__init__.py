"""Worked examples, read out of a completion: the task that was asked for, and the further ones that the text states.

    labels           `Input:`, `**Output:**` and the like: where they stand, and which count
    fences           which of them stand in code
    json_examples    examples that are written as JSON
    surroundings     what stands between examples and behind the last one

Nothing is judged here: `steps.parse` says which tasks are of use. Public: `WorkedTask`, `read_worked_tasks`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ensemble_instruct.replies.end_marker import before_marker, squeezed, without_marker
from ensemble_instruct.replies.worked_tasks.json_examples import JsonExample, json_examples
from ensemble_instruct.replies.worked_tasks.labels import Label, Name, find_labels
from ensemble_instruct.replies.worked_tasks.surroundings import (
    without_closing_remarks,
    without_example_lines,
    without_rules,
)

_NO_INPUT = re.compile(
    r"[(\[<\"']?(?:none|n/a|n\.a|not applicable|no[ _-]?(?:additional |further |specific )?inputs?|[-\u2013\u2014]|"
    r"keine?|aucune?|ningun[oa]|nenhuma?|nessun[oa]|\u65e0|\u7121|\u306a\u3057|\uc5c6\uc74c)"
    r"(?: (?:is )?(?:needed|required|necessary|provided|given)(?: for this (?:task|instruction))?)?[.)\]>\"']*"
    r"|[(\[<](?:empty|blank|null|nil)[)\]>]|\"\"|''",
    re.IGNORECASE,
)
"""What stands for an input that there is not."""
_ANSWERS = ("output", "answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkedTask:
    """One stated task of a completion, as far as it was read."""

    instruction: str
    input: str | None
    """None where the text has none or says that there is none; empty where nothing stands behind its label."""
    output: str | None
    """None where the text has none."""
    raw: str
    """Where it was read, with what is not part of it: of the first task, from the start of the text."""
    further: str
    """Examples after the first for the same instruction, as text."""
    is_cut_off: bool
    """Whether the text ends, at the token limit, before the task does."""


def read_worked_tasks(
    text: str, *, instruction: str, is_cut_off: bool, own: Mapping[str, Name] | None = None
) -> Iterator[WorkedTask]:
    """The task that was asked for, even where the text states nothing of it, then each further one.

    `is_cut_off` says that the token limit ended the text. Text before the first label, between an end marker and the
    next label, and behind a fence around an example is part of no input or output; it stays readable in `raw`. `own`:
    see `find_labels`.
    """
    text = text.replace("\r\n", "\n")
    labels, fences = find_labels(text, own)
    stated = list(json_examples(text, labels[0].start if labels else len(text)))
    if stated:
        yield from _in_json(text, stated, instruction)
    else:
        yield from _labelled(text, labels, fences, instruction, is_cut_off)


def says_no_input(text: str) -> bool:
    """Whether the text of an input says that there is none: `None`, `N/A`, `(no input)`, `-`."""
    return len(text) < 80 and _NO_INPUT.fullmatch(text.strip().strip("*_`").strip()) is not None


@dataclass(slots=True)
class _Draft:
    """A task as it grows."""

    instruction: str
    input: str | None = None
    output: str | None = None
    raw: list[str] = field(default_factory=list)
    further: list[str] = field(default_factory=list)
    is_cut_off: bool = False

    def take(self, label: Label, value: str, text: str, is_cut_off: bool) -> None:
        """Adds what a label says; `text` is where it says so."""
        if self.input is not None and label.name == "input" and label.number:  # it has an output of its own
            self.further.append(text)
            return
        self.raw.append(text)
        self.is_cut_off = is_cut_off
        if label.name != "input":
            self.output = value
        elif self.input is None:
            self.input = value

    @property
    def asked(self) -> str:
        """What the output is the answer to."""
        return f"{self.instruction}\n{self.input or ''}"

    def add(self, example: JsonExample, text: str) -> None:
        """Adds an example in JSON; `text` is where it stands."""
        if self.output is not None:
            self.further.append(text)
            return
        self.raw.append(text)
        self.is_cut_off = example.is_cut_off
        if example.input and self.input is None:
            self.input = _whole(example.input)
        if example.output is not None:
            self.output = _whole(example.output)

    def finished(self) -> WorkedTask:
        is_none = self.input is not None and says_no_input(self.input)
        return WorkedTask(
            instruction=self.instruction,
            input=None if is_none else self.input,
            output=self.output,
            raw="".join(self.raw).strip(),
            further="".join(self.further),
            is_cut_off=self.is_cut_off,
        )


def _in_json(text: str, stated: Sequence[JsonExample], instruction: str) -> Iterator[WorkedTask]:
    task = _Draft(instruction, raw=[text[: stated[0].start]])
    ends = [example.start for example in stated[1:]] + [len(text)]
    for at, (example, end) in enumerate(zip(stated, ends, strict=True)):
        if example.instruction and (at > 0 or not _is_same(example.instruction, instruction)):
            yield task.finished()
            task = _Draft(squeezed(before_marker(example.instruction)[0]))
        task.add(example, text[example.start : end])
    yield task.finished()


def _labelled(
    text: str, labels: Sequence[Label], fences: Sequence[int], instruction: str, is_cut_off: bool
) -> Iterator[WorkedTask]:
    before = text[: labels[0].start] if labels else text
    task, is_framed = _Draft(instruction, raw=[before]), bool(before.strip())
    ends = [label.start for label in labels[1:]] + [len(text)]
    for at, (label, end) in enumerate(zip(labels, ends, strict=False)):
        if task.output is not None and label.name != "instruction":
            task.further.append(text[label.start : end])
            continue
        value, is_whole = _value(text, label, end, fences)
        if end == len(text) and not is_whole and label.name in _ANSWERS:
            value, is_whole = without_closing_remarks(value, task.asked, is_framed=is_framed)
        is_open = is_cut_off and end == len(text) and not is_whole
        if label.name != "instruction":
            task.take(label, value, text[label.start : end], is_open)
            continue
        if at > 0 or not _repeats(text, label, value, instruction):
            yield task.finished()
            task = _Draft(squeezed(value))
        task.raw.append(text[label.start : end])
        task.is_cut_off = is_open
    yield task.finished()


def _value(text: str, label: Label, end: int, fences: Sequence[int]) -> tuple[str, bool]:
    """(what a label stands for, up to where the next one starts; whether it is whole, however the text ends)."""
    at = bisect_left(fences, label.end)
    fence = fences[at] if at < len(fences) else end
    value, is_marked = before_marker(text[label.end : min(end, fence)])
    if label.open_mark:
        first, line_end, rest = value.partition("\n")
        value = first.rstrip().removesuffix(label.open_mark) + line_end + rest
    if label.name in _ANSWERS and end < len(text):
        value = without_example_lines(value)
    return _trimmed(without_rules(value)), is_marked or fence < end


def _repeats(text: str, label: Label, value: str, instruction: str) -> bool:
    """Whether the first label of a text repeats the instruction that was asked for: the same letters and digits.

    Where a model goes on with examples as they are written in a prompt, and leaves blank what was asked for, it does
    not: there it goes on to the next task.
    """
    before = text[: label.start]
    if label.is_lower and before and not without_marker(before):
        return False
    return _is_same(value, instruction)


def _is_same(one: str, other: str) -> bool:
    """Whether two instructions have the same letters and digits, and some."""
    letters, others = ("".join(filter(str.isalnum, text.casefold())) for text in (one, other))
    return bool(letters) and letters == others


def _whole(text: str) -> str:
    return _trimmed(before_marker(text)[0])


def _trimmed(content: str) -> str:
    """Without white space at the end, blank lines at the start, and the space between label and text.

    Lines below the label keep their indentation.
    """
    first, _, rest = content.rstrip().partition("\n")
    if first.strip():
        return content.strip()
    lines = rest.split("\n")
    begin = next((at for at, line in enumerate(lines) if line.strip()), len(lines))
    return "\n".join(lines[begin:])
