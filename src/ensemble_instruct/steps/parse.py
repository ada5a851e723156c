"""Step 3: read instances out of completions; no model is asked (paper, section 3.2).

The profile `published` reads as the original does: single lines, the first piece alone (design, section 7). The
default profile keeps lines together and reads the further tasks that a completion states.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from dataclasses import dataclass, field

from ensemble_instruct.concurrency import closing
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.records import END_MARKER, Completion, Instance, Kind, Profile, Rejected
from ensemble_instruct.replies.end_marker import before_marker, squeezed, without_marker
from ensemble_instruct.steps.first_replies import FirstReplies
from ensemble_instruct.steps.usable import InstructionFilters

UNREADABLE = ("unreadable", "no_output", "empty_output")
"""Reasons that mean: there was no example. All others drop an example that was read."""
_HEADING = re.compile(r"^([ \t]*)(instruction|input|output):", re.MULTILINE)
"""A heading at the start of a line, with how far it is set in."""
_MARKERS = ("input:", "output:", END_MARKER)
"""What the original removes from the texts that it keeps."""


class Parser:
    """Reads completions in their order; remembers what was read, for novelty and duplicates.

    `pool` holds the instructions that a further task must differ from: the seeds to begin with; the
    instructions of the completions join as these are read. `filters`: which further tasks are dropped at once.
    """

    def __init__(
        self, profile: Profile, pool: NoveltyPool, novelty_threshold: float, filters: InstructionFilters | None = None
    ) -> None:
        self._filters = filters or InstructionFilters.of(None)
        self._profile = profile
        self._pool = pool
        self._threshold = novelty_threshold
        self._seen: set[str] = set()

    def read(self, completion: Completion) -> Iterator[Instance | Rejected]:
        """The instances of a completion and what was dropped of it, in the order of the text."""
        if self._profile == "published":
            yield _read_published(completion)
        else:
            yield from self._read_default(completion)

    def _read_default(self, completion: Completion) -> Iterator[Instance | Rejected]:
        instruction = without_marker(completion.instruction)
        self._pool.add(instruction)
        for number, task in enumerate(_tasks(completion, instruction)):
            reason, detail = self._reason(task, number)
            if reason:
                yield _rejected(completion, reason, task.text, number, detail)
            else:
                yield Instance(
                    kind=task.kind, instruction=task.instruction, input=task.input or "", output=task.output or "",
                    completion_id=completion.id, request_key=completion.request_key, follow_on=number,
                )  # fmt: skip
            if task.further:
                yield _rejected(completion, "further_example", task.further, number)

    def _reason(self, task: _Task, number: int) -> tuple[str, str]:
        """(reason to drop a task or empty, detail); a kept one is remembered."""
        if not task.instruction:
            return "empty_instruction", ""
        if reason := task.problem():
            return reason, ""
        if number:
            if reason := self._filters.reason(task.instruction):
                return f"instruction_{reason}", ""
            if closest := self._pool.above(task.instruction, self._threshold):
                return "not_novel", f"{closest[0]:.3f} to: {self._pool[closest[1]]}"
        instance = Instance(kind=task.kind, instruction=task.instruction, input=task.input or "", output="")
        if instance.id in self._seen:
            return "duplicate", ""
        self._seen.add(instance.id)
        if number:
            self._pool.add(task.instruction)
        return "", ""


async def parse_completions(
    completions: AsyncIterable[Completion], parser: Parser, first: FirstReplies | None = None
) -> AsyncGenerator[Instance | Rejected, None]:
    """Yield the instances and drops of each completion, in order; a further task after the one asked for.

    Raises `RunError` where the `first` completions are of no use.
    """
    async with closing(completions) as source:
        async for completion in source:
            reasons = []
            for record in parser.read(completion):
                reasons.append(record.reason if isinstance(record, Rejected) else "")
                yield record
            if first is not None:
                first.note(completion.text, reasons)


@dataclass(slots=True, kw_only=True)
class _Task:
    """One stated task of a completion, as far as it was read."""

    instruction: str
    wanted: Kind | None
    input: str | None = None
    output: str | None = None
    cut_off: bool = False
    further: str = ""
    """Examples after the first for the same instruction, as text."""
    raw: list[str] = field(default_factory=list)

    @property
    def kind(self) -> Kind:
        return self.wanted or ("output_only" if self.input is None else "input_output")

    @property
    def text(self) -> str:
        return "".join(self.raw).strip()

    def problem(self) -> str:
        """Why this is no usable example, or the empty string."""
        if self.output is None:
            return ("cut_off" if self.cut_off else "no_output") if self.raw else "unreadable"
        if not self.output:
            return "empty_output"
        if self.cut_off:
            return "cut_off"
        if self.kind == "input_output" and not self.input:
            return "no_input"
        if self.kind == "output_only" and self.input:
            return "unexpected_input"
        return "output_equals_input" if self.input and squeezed(self.input) == squeezed(self.output) else ""


def _tasks(completion: Completion, instruction: str) -> Iterator[_Task]:
    """The task that was asked for, then each further one that the text states.

    Text before the first heading and between an end marker and the next heading belongs to no task: it stays
    readable in the completion.
    """
    text = completion.text.replace("\r\n", "\n")
    every = list(_HEADING.finditer(text))
    headings = [heading for heading in every if len(heading[1]) <= len(every[0][1])]  # one set in is part of a text
    ends = [heading.start() for heading in headings[1:]] + [len(text)] * bool(headings)
    task = _Task(instruction=instruction, wanted=completion.kind)
    if not headings and text.strip():
        task.raw.append(text)
    for heading, end in zip(headings, ends, strict=True):
        content, is_ended = before_marker(text[heading.end() : end])
        unfinished = completion.finish_reason == "length" and end == len(text) and not is_ended
        if heading[2] == "instruction":
            yield task
            task = _Task(instruction=squeezed(content), wanted=completion.kind)
            task.raw.append(text[heading.start() : end])
            task.cut_off = unfinished
            continue
        if task.output is not None:
            task.further += text[heading.start() : end]
            continue
        task.raw.append(text[heading.start() : end])
        task.cut_off = unfinished
        if heading[2] == "output":
            task.output = _trimmed(content)
        elif task.input is None:
            task.input = _trimmed(content)
    yield task


def _trimmed(content: str) -> str:
    """Without white space at the end, blank lines at the start, and the space between heading and text.

    Lines below the heading keep their indentation.
    """
    first, _, rest = content.rstrip().partition("\n")
    if first.strip():
        return content.strip()
    lines = rest.split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    return "\n".join(lines)


def _read_published(completion: Completion) -> Instance | Rejected:
    first = completion.text.strip().replace("\n\n", "^").split("^")[0]  # a `^` of the text splits too, as it did there
    lines = first.split("\n")
    task_input, output, kind = "", "", completion.kind
    problem = "unreadable"
    if "input:" in lines[0]:
        problem = "no_output"
        if len(lines) > 1 and "output:" in lines[1]:
            task_input, output, problem = _unmarked(lines[0]), _unmarked(lines[1]), "empty_output"
        kind = kind or "input_output"
    elif "output:" in lines[0]:
        output, problem = _unmarked(lines[0]), "empty_output"
        kind = kind or "output_only"
    if not output:
        return _rejected(completion, problem, completion.text, 0)
    instruction = completion.instruction.replace(END_MARKER, "").strip()
    return Instance(
        kind=kind or "output_only",
        instruction=instruction,
        input=task_input,
        output=output,
        completion_id=completion.id,
        request_key=completion.request_key,
    )


def _rejected(completion: Completion, reason: str, text: str, number: int, detail: str = "") -> Rejected:
    return Rejected(
        step="parse",
        reason=reason,
        text=text,
        kind=completion.kind,
        source=completion.id,
        request_key=completion.request_key,
        detail=detail,
        follow_on=number,
    )


def _unmarked(line: str) -> str:
    for marker in _MARKERS:
        line = line.replace(marker, "")
    return line.strip()
