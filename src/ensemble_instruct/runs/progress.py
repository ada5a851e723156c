"""How a run is shown while it goes: bars on a terminal or in a notebook, plain lines without one.

All of it goes to stderr, but for what a notebook displays below its cell.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from ensemble_instruct.invisible import harmless
from ensemble_instruct.models.admission.stragglers import Oldest, oldest_of
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import STEPS, Kind, Step

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import TaskID

_EXACT_MINUTES = 10
"""From here on seconds are left out."""
_FEW = 0.1
"""Requests a second, below which they are told by the minute."""
_LINE_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""
_SILENT = 60.0
"""Seconds after which there is one though nothing has changed."""
_LONG = 10.0
"""Seconds from which on the oldest request in flight is named."""
_FRAME = 0.2
"""Seconds between two pictures of the bars on a terminal."""
_NOTEBOOK_FRAME = 0.5
"""The same in a notebook, which has to send each."""
_NOTEBOOK_WIDTH = 100
"""Columns of what a notebook displays."""
_NOTEBOOK_PAGE = '<pre style="white-space: pre; line-height: normal">{code}</pre>'
"""Lines that rich writes stay as they are."""
_MADE: Mapping[Step, str] = {
    "instructions": "kept",
    "instances": "completed",
    "parse": "instances",
    "outputs": "answered",
    "ensemble": "examples",
}
"""What each step has made of its rows."""
Value = TypeVar("Value")


class Watch:
    """Counts what a run reports (`recorder.Monitor`)."""

    def __init__(self) -> None:
        self.models: Mapping[str, Model] = {}
        self.targets: Mapping[Kind, int] = {}
        self.kept: Counter[tuple[Step, Kind | None]] = Counter()
        self.dropped: Counter[tuple[Step, Kind | None]] = Counter()
        self.began = time.monotonic()
        self.on_start: Callable[[], None] | None = None
        """Called once the models are there."""
        self.console: Console | None = None
        self.is_silent = False

    def started(self, models: Mapping[str, Model], targets: Mapping[Kind, int]) -> None:
        """Remember whom to watch."""
        self.models, self.targets = models, targets
        self.began = time.monotonic()
        if self.on_start is not None:
            self.on_start()

    def counted(self, kind: Kind | None, step: Step, reason: str) -> None:
        """Count one record or drop."""
        if reason:
            self.dropped[step, kind] += 1
        else:
            self.kept[step, kind] += 1

    def say(self, line: str) -> None:
        """A line for whoever watches."""
        if self.is_silent:
            return
        line = harmless(line)
        with suppress(OSError):  # the terminal is closed: nobody watches any more
            if self.console is None:
                print(line, file=sys.stderr, flush=True)  # noqa: T201 - stderr is where a run is watched
            else:
                self.console.print(line, soft_wrap=True, highlight=False, markup=False)

    def rows(self) -> list[tuple[Step, Kind | None, int | None]]:
        """The (step, kind) pairs that something is known of, with the number to expect where there is one."""
        kinds: list[Kind | None] = [*self.targets] or sorted({kind for _, kind in (*self.kept, *self.dropped)}, key=str)
        rows: list[tuple[Step, Kind | None, int | None]] = []
        for kind in kinds:
            expected = self.targets.get(kind) if kind else None
            for step in STEPS:
                if self.targets or self.kept[step, kind] or self.dropped[step, kind]:
                    rows.append((step, kind, expected))
                expected = self.kept[step, kind] or expected
        return rows

    def totals(self) -> str:
        """Requests, rate and tokens, in words."""
        usages = [model.usage for model in self.models.values()]
        requests, replayed = sum(usage.asked for usage in usages), sum(usage.replayed for usage in usages)
        tokens = sum(usage.prompt_tokens + usage.completion_tokens for usage in usages)
        retries = sum((Counter(dict(usage.retries)) for usage in usages), Counter[str]())
        rate = requests / max(0.001, time.monotonic() - self.began)
        parts = [f"{self._left(requests + replayed, rate)}{requests} requests", _pace(requests, rate)]
        parts += [f"{tokens:,} tokens"]
        parts += [f"{sum(model.in_flight for model in self.models.values())} in flight"]
        parts += oldest_in_words(oldest_of(model.oldest for model in self.models.values()), at_least=_LONG)
        parts += [f"{replayed} replayed"] if replayed else []
        parts += [f"tried again: {counted(retries)}"] if retries else []
        return ", ".join(parts)

    def _left(self, answers: int, rate: float) -> str:
        """How much longer it takes, in words; nothing while that is not known."""
        from ensemble_instruct.runs.status import seconds_left

        kept = Counter({(step, kind): count for (step, kind), count in self.kept.items() if kind is not None})
        made = [step for step in STEPS[:2] if any(kept[step, kind] for kind in self.targets)]
        left = seconds_left(kept, STEPS[:2] if made else ("outputs",), dict(self.targets), answers, rate)
        return "" if left is None or left < 1 else f"about {duration(left)} left; "


def oldest_in_words(oldest: Oldest | None, at_least: float = 0.0) -> list[str]:
    """Which request has been in flight for the longest time; nothing where none has been for `at_least` seconds."""
    if oldest is None or (age := max(0.0, time.time() - oldest.since)) < at_least:
        return []
    at = f" at {oldest.server}" if oldest.server else ""
    return [f"oldest request in flight: {oldest.step}, {oldest.model}{at}, for {duration(age)}"]


def duration(seconds: float) -> str:
    """Seconds in the units that one would say them in."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes >= _EXACT_MINUTES else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _pace(requests: int, rate: float) -> str:
    """Requests a second, or a minute where they are few."""
    if not requests:
        return "nothing answered yet"
    return f"{rate:.1f}/s" if rate >= _FEW else f"{60 * rate:.1f} a minute"


def counted(causes: Mapping[str, int]) -> str:
    """Causes with their numbers, the most frequent first, in words."""
    return ", ".join(f"{count}x {cause}" for cause, count in sorted(causes.items(), key=lambda pair: -pair[1]))


def with_progress(rows: Iterable[Value], total: int, title: str) -> Iterator[Value]:
    """Pass rows on; show how many of how many have gone by, as a bar on a terminal, else as plain lines."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(
            rows, title, total, console=Console(file=getattr(sys.stderr, "styled", None), stderr=True), transient=True
        )
        return
    number, stop = 0, threading.Event()

    def say() -> None:
        while not stop.wait(_LINE_EVERY):
            print(f"{title}: {number:,} of {total:,} rows", file=sys.stderr, flush=True)  # noqa: T201

    thread = threading.Thread(target=say, name="progress", daemon=True)  # a single row may take minutes
    thread.start()
    try:
        for row in rows:
            yield row
            number += 1
    finally:
        stop.set()
        thread.join()


@contextmanager
def shown_while(watch: Watch, console: Console | None) -> Iterator[None]:
    """Show what a watch counts until the block ends: as bars on a console, or in its notebook; else as plain lines."""
    stop = threading.Event()
    show = _lines
    if console is not None and console.is_jupyter:
        show = _in_notebook
    elif console is not None:
        watch.console, show = console, _bars
    thread = threading.Thread(target=show, args=(watch, stop), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _lines(watch: Watch, stop: threading.Event) -> None:
    last, said_at = "", time.monotonic()
    while not stop.wait(_LINE_EVERY):
        steps = "; ".join(
            f"{step} {watch.kept[step, kind]} {_MADE[step]} {watch.dropped[step, kind]} dropped"
            + (f" ({kind})" if kind else "")
            for step, kind, _ in watch.rows()
            if watch.kept[step, kind] or watch.dropped[step, kind]
        )
        if steps != last or time.monotonic() - said_at > _SILENT:
            last, said_at = steps, time.monotonic()
            watch.say(f"{steps}; {watch.totals()}")


class _Frames:
    """What is shown of a watch: a bar for each step and kind, and a line of totals."""

    def __init__(self, watch: Watch) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._watch = watch
        self._tasks: dict[tuple[Step, Kind | None], TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description:<26}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[dropped]} dropped", style="dim"),
            console=watch.console,
        )

    def next(self) -> RenderableType:
        """What to show at this moment."""
        from rich.console import Group
        from rich.text import Text

        watch = self._watch
        for step, kind, expected in watch.rows():
            place = (step, kind)
            if place not in self._tasks:
                self._tasks[place] = self._progress.add_task(f"{step} {kind or ''}", total=None, dropped=0)
            kept, dropped = watch.kept[place], watch.dropped[place]
            total = max(expected or kept, kept)
            self._progress.update(self._tasks[place], completed=kept, total=total, dropped=dropped)
        return Group(self._progress, Text(watch.totals(), style="dim")) if watch.models else self._progress


def _bars(watch: Watch, stop: threading.Event) -> None:
    from rich.live import Live

    frames = _Frames(watch)
    # OSError: the terminal is closed
    with suppress(OSError), Live(console=watch.console, transient=True, auto_refresh=False) as live:
        while not stop.wait(_FRAME):
            live.update(frames.next(), refresh=True)


def _in_notebook(watch: Watch, stop: threading.Event) -> None:
    """One display below the cell, written anew; rich's own `Live` needs ipywidgets there, which few have."""
    from IPython.display import HTML, display

    frames = _Frames(watch)
    shown = display(HTML(""), display_id=True)
    while not stop.wait(_NOTEBOOK_FRAME):
        shown.update(HTML(_as_html(frames.next())))
    shown.update(HTML(_as_html(frames.next())))


def _as_html(frame: RenderableType) -> str:
    from rich.console import Console

    console = Console(file=io.StringIO(), record=True, width=_NOTEBOOK_WIDTH, force_jupyter=False)
    console.print(frame)
    return console.export_html(inline_styles=True, code_format=_NOTEBOOK_PAGE)
