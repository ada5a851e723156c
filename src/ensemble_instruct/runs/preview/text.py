"""What a preview has seen, as lines to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rich.text import Text

from ensemble_instruct.invisible import harmless
from ensemble_instruct.records import Message
from ensemble_instruct.report.wording import REASONS
from ensemble_instruct.runs.preview.seen import Call, KindSeen, Read, Task, Voted

_MOST_LINES = 30
"""Of a text that is shown."""
_MOST_LETTERS = 3000
"""Of a text that is shown."""
_LAST_LINES, _LAST_LETTERS = 4, 400
"""Of the end of a text that is too long to be shown."""
_TURNS = 4
"""Of a conversation, beside what is asked now."""
_LINE = 200
"""Letters of a text that is shown in one line."""
_LABEL = 10
"""Columns of the words before what is shown, at least."""


class Line(NamedTuple):
    """A line with a bar before it, which stays before its parts where the line is wrapped; and a label, or none."""

    label: str
    text: str
    style: str
    width: int = _LABEL


def lines_of(kind: KindSeen) -> Iterator[Text | Line]:
    """What was seen of one kind, step by step."""
    yield Text(f"══ {kind.kind} ══", style="bold")
    yield Text()
    yield from _unused(kind)
    for number, call in enumerate(kind.lists, start=1):
        yield from _head(f"Step 1, request {number}: {call.who} writes tasks", call)
        same = _block("asked", ["(as above, with other tasks shown)"], style="dim")
        yield from _asked(call.asked, is_first=True) if number == 1 else same
        yield from _came(call)
        yield from _block("read", _tasks_read(call.read))
        yield Text()
    for number, task in enumerate(kind.tasks, start=1):
        yield Text(f"── task {number} of {len(kind.tasks)}: {_short(task.instruction)}", style="bold")
        yield Text()
        yield from _task(task, is_first=number == 1)


def _unused(kind: KindSeen) -> Iterator[Text | Line]:
    """The user's own tasks that are dropped before anybody is asked."""
    if not kind.unused:
        return
    yield Text("Your tasks that cannot be used", style="bold cyan")
    more = kind.unused_count - len(kind.unused)
    yield from _block("dropped", [*map(_in_a_line, kind.unused), *([f"  and {more:,} more"] if more else [])])
    yield Text()


def _task(task: Task, *, is_first: bool) -> Iterator[Text | Line]:
    if task.worked is not None:
        yield from _head(f"Step 2: {task.worked.who} writes a worked example", task.worked)
        yield from _asked(task.worked.asked, is_first=is_first)
        yield from _came(task.worked)
        yield from _block("read", (line for read in task.worked.read for line in _worked(read, task)))
        yield Text()
    for instance in task.instances:
        if task.worked is None:
            yield from _brought(instance)
        yield Text("Step 4: the voters answer", style="bold cyan")
        shown = ""
        width = max((len(harmless(call.who)) for call in instance.votes), default=0)
        for call in instance.votes:
            if call.asked[-1].content != shown:
                shown = call.asked[-1].content
                yield from _asked(call.asked, is_first=True)
            said = call.failure or (call.read[0].text if call.read else call.reply)
            yield from _block(call.who, _cut(said), width=width)
            yield from (_dropped(read) for read in call.read if read.reason)
        yield Text()
        yield from _chosen(instance)


def _brought(instance: Voted) -> Iterator[Text | Line]:
    """What a task of the user's own says beside its instruction."""
    said = {"input": instance.input, "output": instance.output, "reference": instance.reference}
    if any(said.values()):
        yield Text("Your task", style="bold cyan")
        for name, text in said.items():
            yield from _block(name, _cut(text) if text else [])
        yield Text()


def _chosen(instance: Voted) -> Iterator[Text | Line]:
    chosen = instance.chosen
    if chosen is None:
        return
    if chosen.reason:
        yield Text("Step 5: dropped", style="bold cyan")
        yield _why(chosen.reason, chosen.detail)
    else:
        numbers = f"agreement {chosen.agreement:.2f}, confidence {chosen.confidence:.2f}"
        yield Text(f"Step 5: the output of {harmless(', '.join(chosen.winners))} ({numbers})", style="bold cyan")
        yield from _block("chosen", _cut(chosen.output), style="green")
    yield Text()


def _head(title: str, call: Call) -> Iterator[Text | Line]:
    numbers = f"{call.prompt_tokens:,} tokens in, {call.completion_tokens:,} out, {call.seconds:.1f} s"
    yield Text(f"{harmless(title)} ({numbers})", style="bold cyan")


def _asked(asked: Sequence[Message], *, is_first: bool) -> Iterator[Text | Line]:
    """What was asked: the turns of the first request of its sort, the last line of the others."""
    text = asked[-1].content
    if not is_first:
        yield from _block("asked", [f"… {_short(text.rstrip().rpartition(chr(10))[2])}"], style="dim")
        return
    for message in asked[:-1][:_TURNS]:
        yield from _block(message.role, _cut(message.content), style="dim")
    if (more := len(asked) - 1 - _TURNS) > 0:
        yield from _block("", [f"… {more} turns more …"], style="dim")
    yield from _block("asked", _cut(text), style="dim")


def _came(call: Call) -> Iterator[Text | Line]:
    if call.thought.strip():
        yield from _block("thought", _cut(call.thought), style="dim italic")
    yield from _block("came", _cut(call.failure or call.reply))
    if call.finish_reason == "length":
        yield from _block("", ["(the token limit ended it)"], style="yellow")


def _worked(read: Read, task: Task) -> Iterator[str]:
    if read.reason:
        yield _in_a_line(read)
        return
    if read.text != task.instruction:
        yield f"+ a further task: {_short(read.text)}"
    yield from (f"{name}: {_short(text)}" for name, text in (("input", read.input), ("output", read.output)) if text)


def _tasks_read(read: Sequence[Read]) -> Iterator[str]:
    """What became of the tasks in a reply; those that came over the few of a preview are counted."""
    over = [each for each in read if each.reason == "target_reached"]
    yield from (_in_a_line(each) for each in read if each not in over)
    if over:
        yield f"  and {len(over)} of use, which this preview does not need"


def _in_a_line(read: Read) -> str:
    if not read.reason:
        return f"+ {_short(read.text)}"
    return f"- {_short(read.text)} [{_words(read.reason, read.detail)}]"


def _dropped(read: Read) -> Text:
    return _why(read.reason, read.detail)


def _why(reason: str, detail: str) -> Text:
    return Text(f"  dropped: {_words(reason, detail)}", style="yellow")


def _words(reason: str, detail: str) -> str:
    said = REASONS.get(reason, "")
    return ": ".join(filter(None, (reason, said, _short(detail))))


def _block(label: str, lines: Iterable[str], style: str = "", width: int = _LABEL) -> Iterator[Line]:
    """Lines with a bar before each, and the label before the first."""
    for number, line in enumerate(lines):
        yield Line(harmless(label) if number == 0 else "", line, style, max(width, _LABEL))


def _cut(text: str) -> list[str]:
    """The lines of a text, harmless; of a long one its beginning and its end."""
    text = text.strip("\n")
    lines = harmless(text[:_MOST_LETTERS]).split("\n")
    if len(lines) <= _MOST_LINES and len(text) <= _MOST_LETTERS:
        return lines
    begin = lines[: _MOST_LINES - _LAST_LINES]
    end = harmless(text[-_LAST_LETTERS:]).split("\n")[-_LAST_LINES:]
    return [*begin, f"… ({len(text):,} letters in all)", *end]


def _short(text: str) -> str:
    """The beginning of a text on one line, harmless."""
    line = " ".join(harmless(text[: 4 * _LINE]).split())
    return f"{line[:_LINE]}…" if len(line) > _LINE or len(text) > 4 * _LINE else line
