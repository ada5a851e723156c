"""Step 3: read instances out of completions; no model is asked (paper, section 3.2).

The profile `published` reads as the original does: single lines, the first piece alone (design, section 7). The
default profile keeps lines together and reads the further tasks that a completion states.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Mapping
from dataclasses import replace

from ensemble_instruct.concurrency import closing
from ensemble_instruct.invisible import is_blank
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.records import END_MARKER, Completion, Failure, Instance, Kind, Profile, Rejected, Response
from ensemble_instruct.replies.end_marker import squeezed, without_marker
from ensemble_instruct.replies.reader import REFUSAL, THOUGHT_ONLY, read_reply
from ensemble_instruct.replies.worked_tasks import WorkedTask, read_worked_tasks
from ensemble_instruct.replies.worked_tasks.labels import Name
from ensemble_instruct.steps.first_replies import FirstReplies
from ensemble_instruct.steps.usable import InstructionFilters

UNREADABLE = ("unreadable", "no_output", "empty_output", THOUGHT_ONLY, REFUSAL)
"""Reasons that mean: there was no example. All others drop an example that was read."""
_MARKERS = ("input:", "output:", END_MARKER)
"""What the original removes from the texts that it keeps."""


class Parser:
    """Reads completions in their order; remembers what was read, for novelty and duplicates.

    `pool` holds the instructions that a further task must differ from: the seeds to begin with; the
    instructions of the completions join as these are read. `filters`: which further tasks are dropped at once;
    `labels`: words of the user's own before the parts of an example.
    """

    def __init__(
        self,
        profile: Profile,
        pool: NoveltyPool,
        novelty_threshold: float,
        filters: InstructionFilters | None = None,
        labels: Mapping[str, Name] | None = None,
    ) -> None:
        self._labels = labels
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
        is_cut_off = completion.finish_reason == "length"
        tasks = read_worked_tasks(completion.text, instruction=instruction, is_cut_off=is_cut_off, own=self._labels)
        for number, task in enumerate(tasks):
            kind = completion.kind or ("output_only" if task.input is None else "input_output")
            reason, detail = self._reason(task, kind, number)
            if reason:
                yield _rejected(completion, reason, task.raw, number, detail)
            else:
                yield Instance(
                    kind=kind, instruction=task.instruction, input=task.input or "", output=task.output or "",
                    completion_id=completion.id, request_key=completion.request_key, follow_on=number,
                )  # fmt: skip
            if task.further:
                yield _rejected(completion, "further_example", task.further, number)

    def _reason(self, task: WorkedTask, kind: Kind, number: int) -> tuple[str, str]:
        """(reason to drop a task or empty, detail); a kept one is remembered."""
        if is_blank(task.instruction):
            return "empty_instruction", ""
        if reason := _problem(task, kind):
            return reason, ""
        if number:
            if reason := self._filters.reason(task.instruction):
                return f"instruction_{reason}", ""
            if closest := self._pool.above(task.instruction, self._threshold):
                return "not_novel", f"{closest[0]:.3f} to: {self._pool[closest[1]]}"
        instance = Instance(kind=kind, instruction=task.instruction, input=task.input or "", output="")
        if instance.id in self._seen:
            return "duplicate", ""
        self._seen.add(instance.id)
        if number:
            self._pool.add(task.instruction)
        return "", ""


def completion_in(
    text: str, instruction: str, kind: Kind | None, finish_reason: str, profile: Profile
) -> Completion | Rejected:
    """The completion that a text of a file is, without what a model thought; or its drop, where nothing else is there.

    In the profile `published` a text is read as it is.
    """
    completion = Completion(instruction, kind, text, finish_reason)
    if profile == "published":
        return completion
    reply = read_reply(Response(text, finish_reason), profile)
    if isinstance(reply, Failure):
        return _rejected(completion, reply.type, text, 0, reply.message)
    return replace(completion, text=reply.text, finish_reason=reply.finish_reason)


async def parse_completions(
    completions: AsyncIterable[Completion | Rejected], parser: Parser, first: FirstReplies | None = None
) -> AsyncGenerator[Instance | Rejected, None]:
    """Yield the instances and drops of each completion, in order; a further task after the one asked for.

    What was dropped before passes as it is. Raises `RunError` where the `first` completions are of no use.
    """
    async with closing(completions) as source:
        async for completion in source:
            reasons = []
            for record in [completion] if isinstance(completion, Rejected) else parser.read(completion):
                reasons.append(record.reason if isinstance(record, Rejected) else "")
                yield record
            if first is not None:
                first.note(completion.text, reasons)


def _problem(task: WorkedTask, kind: Kind) -> str:
    """Why a task is no usable example of a kind, or the empty string."""
    if task.output is None:
        if task.is_cut_off:
            return "cut_off"
        return "no_output" if without_marker(task.raw) else "unreadable"
    if is_blank(task.output):
        return "empty_output"
    if task.is_cut_off:
        return "cut_off"
    if kind == "input_output" and is_blank(task.input or ""):
        return "no_input"
    if kind == "output_only" and task.input:
        return "unexpected_input"
    return "output_equals_input" if task.input and squeezed(task.input) == squeezed(task.output) else ""


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
