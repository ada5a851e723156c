"""Work that a terminal watches: its progress and log lines on stderr, and Ctrl-C, which lets it end well."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from ensemble_instruct.cli.logs import LogFormat, logging_to
from ensemble_instruct.cli.progress import Watch, shown_while
from ensemble_instruct.errors import EnsembleInstructError, RunError
from ensemble_instruct.runs.recorder import Monitor

Result = TypeVar("Result")
log = logging.getLogger(__name__)
_SWITCH_SECONDS = 0.0005
"""The thread that writes the store waits so long for its turn, ten times less than by default, and requests for it."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def watched(
    work: Callable[[Monitor], Coroutine[Any, Any, Result]],
    log_file: Path | None = None,
    log_format: LogFormat = "text",
) -> Result:
    """The result of `work`, while its progress is shown.

    Once models are at work, the first Ctrl-C (or SIGTERM) stops sending and waits until the requests in flight are
    answered and on disk; the second drops them. Both then raise `RunError`.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.freeze()  # what is imported stays: no need to look through it again
    watch, console = Watch(), None
    if sys.stderr.isatty():
        from rich.console import Console

        console = Console(stderr=True)
    with (
        logging_to(console, log_file, log_format),
        shown_while(watch, console),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        try:
            return runner.run(_until_stopped(work(watch), watch))
        except EnsembleInstructError as error:
            log.info("ended: %s", error, extra={"error": type(error).__name__})
            raise


async def _until_stopped(work: Coroutine[Any, Any, Result], watch: Watch) -> Result:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_note)
    task = asyncio.ensure_future(work)
    stop = _Stop(task, watch)

    def models_are_at_work() -> None:
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop.signalled)

    watch.on_start = models_are_at_work

    def before_models_are_at_work(*_: object) -> None:
        """End work that computes or reads where it is, and work that waits by cancelling it."""
        if asyncio.current_task(loop) is task:
            raise KeyboardInterrupt
        stop.signals += 1
        loop.call_soon_threadsafe(task.cancel)

    signal.signal(signal.SIGINT, before_models_are_at_work)
    try:
        return await task
    except asyncio.CancelledError:
        if not stop.signals:
            raise
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end is near: another Ctrl-C would only spoil it
        came_home = f"{stop.came_home} answers came home; " if stop.came_home else ""
        raise RunError(f"stopped; {came_home}what was answered is kept: run the same command again to go on") from None
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What goes wrong in a callback of the loop that nobody waits for, such as a connection that is given up."""
    log.info("event loop: %s: %s", context["message"], context.get("exception"))


class _Stop:
    """What the signals so far have brought about."""

    def __init__(self, work: asyncio.Future[Any], watch: Watch) -> None:
        self.work, self.signals, self.came_home = work, 0, 0
        self._watch = watch
        self._leaving: asyncio.Task[None] | None = None

    def signalled(self) -> None:
        """Stop sending; the second time, stop at once."""
        self.signals += 1
        if self.signals == 1:
            self._leaving = asyncio.ensure_future(self._leave())
        elif self._leaving is not None:
            self._leaving.cancel()
            self.work.cancel()

    async def _leave(self) -> None:
        models = self._watch.models.values()
        in_flight, answered = sum(model.in_flight for model in models), self._answered()
        log.info("stopping", extra={"in_flight": in_flight})
        if in_flight:
            self._watch.say(f"stopping: {in_flight} requests in flight are coming home; Ctrl-C again drops them")
            await asyncio.gather(*(model.stop() for model in models))
        self.came_home = self._answered() - answered
        self.work.cancel()

    def _answered(self) -> int:
        return sum(model.usage.asked for model in self._watch.models.values())
