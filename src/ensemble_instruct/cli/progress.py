"""How a run is shown while it goes: bars on a terminal, plain lines without one. All of it goes to stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from ensemble_instruct.models.model import Model
from ensemble_instruct.records import STEPS, Kind, Step

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

_LINE_EVERY, _FRAME = 10.0, 0.2
_ROWS_BETWEEN_LOOKS = 100
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
    """Counts what a run reports (`pipeline.Monitor`)."""

    def __init__(self) -> None:
        self.models: Mapping[str, Model] = {}
        self.targets: Mapping[Kind, int] = {}
        self.kept: Counter[tuple[Step, Kind | None]] = Counter()
        self.dropped: Counter[tuple[Step, Kind | None]] = Counter()
        self.began = time.monotonic()
        self.on_start: Callable[[], None] | None = None
        """Called once the models are there."""
        self.console: Console | None = None

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
        asked, replayed = sum(usage.asked for usage in usages), sum(usage.replayed for usage in usages)
        tokens = sum(usage.prompt_tokens + usage.completion_tokens for usage in usages)
        retries = sum((Counter(dict(usage.retries)) for usage in usages), Counter[str]())
        rate = asked / max(0.001, time.monotonic() - self.began)
        parts = [f"{asked} requests", f"{rate:.1f}/s", f"{tokens:,} tokens"]
        parts += [f"{sum(model.in_flight for model in self.models.values())} in flight"]
        parts += [f"{replayed} replayed"] if replayed else []
        parts += [f"tried again: {counted(retries)}"] if retries else []
        return ", ".join(parts)


def counted(causes: Mapping[str, int]) -> str:
    """Causes with their numbers, the most frequent first, in words."""
    return ", ".join(f"{count}x {cause}" for cause, count in sorted(causes.items(), key=lambda pair: -pair[1]))


def with_progress(rows: Iterable[Value], total: int, title: str) -> Iterator[Value]:
    """Pass rows on; show how many of how many have gone by, as a bar on a terminal, else as plain lines."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(rows, title, total, console=Console(stderr=True), transient=True)
        return
    said_at = time.monotonic()
    for number, row in enumerate(rows, start=1):
        yield row
        if number % _ROWS_BETWEEN_LOOKS == 0 and time.monotonic() - said_at > _LINE_EVERY:
            said_at = time.monotonic()
            print(f"{title}: {number:,} of {total:,} rows", file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def shown_while(watch: Watch, console: Console | None) -> Iterator[None]:
    """Show what a watch counts until the block ends: as bars on a console, else as plain lines."""
    stop = threading.Event()
    watch.console = console
    show = _lines if console is None else _bars
    thread = threading.Thread(target=show, args=(watch, stop), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _lines(watch: Watch, stop: threading.Event) -> None:
    said = ""
    while not stop.wait(_LINE_EVERY):
        steps = "; ".join(
            f"{step} {watch.kept[step, kind]} {_MADE[step]} {watch.dropped[step, kind]} dropped"
            + (f" ({kind})" if kind else "")
            for step, kind, _ in watch.rows()
            if watch.kept[step, kind] or watch.dropped[step, kind]
        )
        if steps != said:
            said = steps
            watch.say(f"{steps}; {watch.totals()}")


def _bars(watch: Watch, stop: threading.Event) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.text import Text

    progress = Progress(
        TextColumn("{task.description:<26}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[dropped]} dropped", style="dim"),
        console=watch.console,
    )
    tasks: dict[tuple[Step, Kind | None], TaskID] = {}
    with Live(console=watch.console, transient=True, auto_refresh=False) as live:
        while not stop.wait(_FRAME):
            for step, kind, expected in watch.rows():
                place = (step, kind)
                if place not in tasks:
                    tasks[place] = progress.add_task(f"{step} {kind or ''}", total=None, dropped=0)
                kept, dropped = watch.kept[place], watch.dropped[place]
                progress.update(tasks[place], completed=kept, total=max(expected or kept, kept), dropped=dropped)
            live.update(Group(progress, Text(watch.totals(), style="dim")), refresh=True)
