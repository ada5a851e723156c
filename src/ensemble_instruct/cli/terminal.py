"""Work that a terminal watches: its progress and log lines on stderr, and Ctrl-C, which lets it end well."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from ensemble_instruct.cli.logs import LogFormat, logging_to
from ensemble_instruct.cli.streams import styled
from ensemble_instruct.descriptors import raise_limit
from ensemble_instruct.errors import EnsembleInstructError
from ensemble_instruct.runs.driver import Driver, loop_runs_here
from ensemble_instruct.runs.progress import Watch, shown_while
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
    *,
    keeps: bool = True,
) -> Result:
    """The result of `work`, while its progress is shown.

    Once models are at work, the first Ctrl-C (or SIGTERM, or SIGHUP where it is not ignored) stops sending and waits
    until the requests in flight are answered and on disk; the second drops them, but not a second SIGHUP. Both then
    raise `RunError`. What `keeps` nothing is dropped at the first. Where the process is not the command's own, its
    settings and its signals are left alone.
    """
    watch, console = Watch(), None
    driver = Driver(watch, keeps=keeps)
    if sys.stderr.isatty():
        from rich.console import Console

        console = Console(file=styled(sys.stderr), stderr=True)
    with logging_to(console, log_file, log_format), shown_while(watch, console):
        try:
            if not owns_process():
                return driver.drive_in_thread(work(watch))
            raise_limit()
            sys.setswitchinterval(_SWITCH_SECONDS)
            gc.freeze()  # what is imported stays: no need to look through it again
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_hearing_signals(driver, watch, work(watch)))
        except EnsembleInstructError as error:
            log.info("ended: %s", error, extra={"error": type(error).__name__})
            raise


def driven(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of work that needs no watching."""
    return asyncio.run(work) if owns_process() else Driver(Watch()).drive_in_thread(work)


def owns_process() -> bool:
    """Whether the command is all that there is: not where it was called while a loop runs, or from another thread."""
    return threading.current_thread() is threading.main_thread() and not loop_runs_here()


def hang_up() -> list[signal.Signals]:
    """SIGHUP, which comes when a terminal is closed; nothing where `nohup` lets it be ignored."""
    return [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]


async def _hearing_signals(driver: Driver, watch: Watch, work: Coroutine[Any, Any, Result]) -> Result:
    loop = asyncio.get_running_loop()
    heard = [*_SIGNALS, *hang_up()]

    def hung_up() -> None:
        """The shell sends one, and so does the terminal: together they are one."""
        if not driver.stops:
            driver.stop()

    def models_are_at_work() -> None:
        for number in heard:
            loop.add_signal_handler(number, hung_up if number == signal.SIGHUP else driver.stop)

    watch.on_start = models_are_at_work

    def before_models_are_at_work(*_: object) -> None:
        """End work that computes or reads where it is, and work that waits by cancelling it."""
        if driver.computes:
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(driver.stop)

    signal.signal(signal.SIGINT, before_models_are_at_work)
    try:
        return await driver.drive(work)
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
        for number in (signal.SIGINT, *hang_up()) if driver.stops else ():
            signal.signal(number, signal.SIG_IGN)  # the end is near: another one would only spoil it
