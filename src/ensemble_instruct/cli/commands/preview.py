"""`preview`: a few tasks through all steps, as one would want to read them, before a whole run."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from ensemble_instruct.cli.logs import LogFormat
from ensemble_instruct.cli.options import PATH, ShareRange, asking, preset_option
from ensemble_instruct.errors import EmptyError, RunError, UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from ensemble_instruct.config.schema import Config
    from ensemble_instruct.records import Message
    from ensemble_instruct.runs.estimate import Estimate
    from ensemble_instruct.runs.preview import Call, KindSeen, Preview, Read, Task, Voted

_KEPT = re.compile(r"; (?:all answers are|what was answered is) kept(?=[:;]|$)")
"""What the messages of a run that stops say, and what is not so where nothing is kept."""
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
_HARMLESS = "\n\t\u200c\u200d"
"""What is shown as it is, although it cannot be printed: line ends, and what joins emoji and letters."""
_WIDTH = 100
"""Columns where there is no terminal."""
_LABEL = 10
"""Columns of the words before what is shown, at least."""


class Line(NamedTuple):
    """A line with a bar before it, which stays before its parts where the line is wrapped; and a label, or none."""

    label: str
    text: str
    style: str
    width: int = _LABEL


@click.command()
@click.argument("config_path", metavar="[CONFIG]", type=PATH, required=False)
@click.option("--rows", type=click.IntRange(1, 20), default=3, show_default=True, help="Tasks of each kind.")
@click.option("--out", type=PATH, help="Keep the preview in this folder; else it is only shown.")
@preset_option("A bundled config instead of CONFIG")
@click.option("--budget", metavar="USD", type=ShareRange(0, 1e9, min_open=True), help="Stop before it has cost more.")
@click.option("--json", "as_json", is_flag=True, help="Print all that was seen as JSON.")
@asking
def preview(
    config_path: Path | None,
    rows: int,
    out: Path | None,
    preset: str | None,
    overrides: tuple[str, ...],
    budget: float | None,
    as_json: bool,
    log_file: Path | None,
    log_format: LogFormat,
) -> None:
    """Show what becomes of a few tasks, step by step."""
    from ensemble_instruct.cli.terminal import watched
    from ensemble_instruct.runs.preview import make_preview, passing_folder, read_preview

    config = _config_for_preview(config_path, preset, overrides)
    problem: RunError | None = None
    with _ending_well(keeps=out is not None) as hear, nullcontext(out) if out else passing_folder() as folder:
        try:
            watched(
                lambda monitor: make_preview(config, rows, folder, monitor, budget=budget),
                log_file,
                log_format,
                keeps=out is not None,
            )
        except RunError as error:
            if not (folder / "run.db").exists() or str(error).startswith("stopped"):
                raise
            problem = error
            if out is None:
                problem.args = (_KEPT.sub("", str(error)),)
        finally:
            hear()
        seen = read_preview(config, folder)
    if as_json:
        click.echo(json.dumps(asdict(seen), indent=2))
    else:
        _show(seen, config, out)
    if problem is not None:
        raise problem
    if not any(each.chosen and not each.chosen.reason for kind in seen.kinds for each in _instances(kind)):
        raise EmptyError("no task became an example; see above what was dropped, and why")


def _config_for_preview(path: Path | None, preset: str | None, overrides: Sequence[str]) -> Config:
    """The config; raises `UsageError` where there is none, and for one that begins with tasks of the user's own."""
    from ensemble_instruct.config.load import load_config
    from ensemble_instruct.licences.policy import require_admitted

    if path is None and preset is None:
        raise UsageError("give a CONFIG or --preset NAME; `ensemble-instruct init my.yaml` writes a config")
    config = load_config(path, preset=preset, overrides=overrides)
    if config.tasks is not None:
        raise UsageError(
            f"preview: makes tasks of its own, and this config begins with {config.tasks} of yours; to look at a few, "
            f"run a file of a few rows"
        )
    require_admitted(config)
    return config


@contextmanager
def _ending_well(*, keeps: bool) -> Iterator[Callable[[], None]]:
    """Let SIGTERM and SIGHUP, like Ctrl-C, end the block in order, so that nothing is left behind.

    Yields what must be called once an event loop that heard signals itself has ended.
    """
    from ensemble_instruct.cli.terminal import hang_up, owns_process

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def hear() -> None:
        for number in before:
            signal.signal(number, interrupt)

    heard = [signal.SIGTERM, *hang_up()] if owns_process() else []
    before = {number: signal.getsignal(number) for number in heard}
    hear()
    try:
        yield hear
    except KeyboardInterrupt:
        raise RunError("stopped; run the same command again" if keeps else "stopped; nothing is kept") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _instances(seen: KindSeen) -> Iterator[Voted]:
    for task in seen.tasks:
        yield from task.instances


def _show(seen: Preview, config: Config, out: Path | None) -> None:
    """Print a preview: in colours and as wide as it is on a terminal, as plain text elsewhere."""
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else _WIDTH
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # where it can show ASCII alone
    console = Console(file=sys.stdout, width=max(40, width), highlight=False, emoji=False, legacy_windows=False)
    for line in _lines(seen, config):
        for part in _barred(line, console, is_terminal) if isinstance(line, Line) else [line]:
            console.print(part, soft_wrap=not is_terminal)
    if out is not None:
        console.print(f"kept in {out}; look at it with: ensemble-instruct view {out}", markup=False, soft_wrap=True)


def _barred(line: Line, console: Console, is_wrapped: bool) -> Iterator[Text | Line]:
    from rich.text import Text

    width = max(20, console.width - line.width - 5)
    parts = list(Text(line.text, line.style).wrap(console, width)) if is_wrapped else [Text(line.text, line.style)]
    for number, part in enumerate(parts or [Text()]):
        yield Text.assemble((f"  {line.label if number == 0 else '':<{line.width}} │ ", "blue"), part)


def _lines(seen: Preview, config: Config) -> Iterator[Text | Line]:
    from rich.text import Text

    for kind in seen.kinds:
        yield Text(f"══ {kind.kind} ══", style="bold")
        yield Text()
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
    yield from _costs(seen)
    yield from _forecast(seen, config)


def _task(task: Task, *, is_first: bool) -> Iterator[Text | Line]:
    from rich.text import Text

    if task.worked is not None:
        yield from _head(f"Step 2: {task.worked.who} writes a worked example", task.worked)
        yield from _asked(task.worked.asked, is_first=is_first)
        yield from _came(task.worked)
        yield from _block("read", (line for read in task.worked.read for line in _worked(read, task)))
        yield Text()
    for instance in task.instances:
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


def _chosen(instance: Voted) -> Iterator[Text | Line]:
    from rich.text import Text

    chosen = instance.chosen
    if chosen is None:
        return
    if chosen.reason:
        yield Text("Step 5: dropped", style="bold cyan")
        yield _why(chosen.reason, chosen.detail)
    else:
        numbers = f"agreement {chosen.agreement:.2f}, confidence {chosen.confidence:.2f}"
        yield Text(f"Step 5: the output of {', '.join(chosen.winners)} ({numbers})", style="bold cyan")
        yield from _block("chosen", _cut(chosen.output), style="green")
    yield Text()


def _head(title: str, call: Call) -> Iterator[Text | Line]:
    from rich.text import Text

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
    from rich.text import Text

    return Text(f"  dropped: {_words(reason, detail)}", style="yellow")


def _words(reason: str, detail: str) -> str:
    from ensemble_instruct.report.wording import REASONS

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


def harmless(text: str) -> str:
    """A text of a server without what a terminal would act on: control characters are shown by their codes."""
    text = text.replace("\r\n", "\n")
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in _HARMLESS else each.encode("unicode_escape").decode() for each in text
    )


def _costs(seen: Preview) -> Iterator[Text | Line]:
    from rich.text import Text

    yield Text("══ what this preview took ══", style="bold")
    yield Text(f"{'step':<13}{'kind':<14}{'model':<24}{'requests':>9}{'tokens in':>12}{'tokens out':>12}{'USD':>9}")
    rows = [(use, use.answers, "") for use in seen.uses] + [(one, one.tries, one.cause) for one in seen.wasted]
    for spent, count, cause in rows:
        yield Text(
            f"{spent.step:<13}{spent.kind:<14}{harmless(spent.model):<24}{count:>9,}{spent.prompt_tokens:>12,}"
            f"{spent.completion_tokens:>12,}{_usd(spent.cost, 4):>9}{f'  for nothing: {cause}' if cause else ''}"
        )
    yield Text()


def _forecast(seen: Preview, config: Config) -> Iterator[Text | Line]:
    from rich.text import Text

    from ensemble_instruct.runs.preview import AT_ONCE
    from ensemble_instruct.runs.progress import duration

    targets = ", ".join(f"{config.instructions.target.of(each.kind):,} {each.kind}" for each in seen.kinds)
    yield Text(f"══ a whole run ({targets}), if it goes on so ══", style="bold")
    yield Text(f"{'model':<51}{'requests':>9}{'tokens in':>12}{'tokens out':>12}{'USD':>9}")
    models = dict.fromkeys(row.model for row in seen.whole)
    for model in models:
        yield _sums(model, [row for row in seen.whole if row.model == model])
    yield _sums("all", seen.whole)
    if not seen.is_seen:
        yield Text("not all steps were seen: the others are estimated as `check` does", style="yellow")
    yield Text(
        f"about {seen.examples:,} examples; about {duration(seen.seconds)}, if a model answers {AT_ONCE} requests at a "
        f"time as fast as it answered here, and longer where it does not"
    )
    yield Text("A few tasks say little: shares and lengths of a whole run will differ.", style="dim")


def _sums(name: str, rows: Sequence[Estimate]) -> Text:
    from rich.text import Text

    from ensemble_instruct.store.costs import sum_of_costs

    requests = sum(row.requests for row in rows)
    tokens_in, tokens_out = sum(row.prompt_tokens for row in rows), sum(row.completion_tokens for row in rows)
    cost = sum_of_costs(row.cost for row in rows)
    return Text(f"{harmless(name):<51}{requests:>9,}{tokens_in:>12,}{tokens_out:>12,}{_usd(cost, 2):>9}")


def _usd(cost: float | None, digits: int) -> str:
    return "unknown" if cost is None else f"{cost:,.{digits}f}"
