"""Work driven to its end on an event loop that does nothing else, and stopped so that nothing is lost.

A stop has two degrees. Asked for once, the models send nothing more, and the work ends when the requests in flight are
answered and on disk; asked for again, these are dropped. The command drives its work in the main thread and hears
signals (`cli.terminal`). What is called from Python, perhaps in a notebook whose loop runs already, drives it in a
thread of its own, and hears `KeyboardInterrupt` where it waits: no handler of the process is touched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

import uvloop

from ensemble_instruct.errors import RunError
from ensemble_instruct.runs.progress import Watch

Result = TypeVar("Result")
log = logging.getLogger(__name__)
_SECONDS_BETWEEN_LOOKS = 0.1
"""At the task of the caller: whether it was cancelled while it waited."""


class Driver:
    """Drives one piece of work, which tells `watch` of its models, and stops it when asked to.

    Where it `keeps` nothing, the first stop drops what is in flight.
    """

    def __init__(
        self,
        watch: Watch,
        *,
        go_on: str = "run the same command again",
        again: str = "Ctrl-C again",
        keeps: bool = True,
    ) -> None:
        self.stops = 0
        """How often the work was asked to stop."""
        self._watch, self._go_on, self._again, self._keeps = watch, go_on, again, keeps
        self._came_home = 0
        self._work: asyncio.Future[Any] | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def drive(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of the work; raises `RunError` when it was stopped."""
        asyncio.get_running_loop().set_exception_handler(_note)
        self._work = task = asyncio.ensure_future(work)
        if self.stops:
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            if not self.stops:
                raise
            if not self._keeps:
                raise RunError("stopped; nothing is kept") from None
            home = f"{self._came_home} answers came home; " if self._came_home else ""
            raise RunError(f"stopped; {home}what was answered is kept: {self._go_on} to go on") from None

    def drive_in_thread(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The same where no loop runs, or one runs already: on a loop of its own, in a thread of its own.

        Each `KeyboardInterrupt` while it waits asks the work to stop, and so does a cancellation of the task that
        waits: in `asyncio.run` that is what becomes of the first Ctrl-C.
        """
        loop = uvloop.new_event_loop()

        def run() -> Result:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                return runner.run(self.drive(work))

        task = asyncio.current_task() if loop_runs_here() else None
        cancellations = task.cancelling() if task else 0
        with ThreadPoolExecutor(1, thread_name_prefix="driver") as thread:
            outcome = thread.submit(copy_context().run, run)
            is_done = False
            while not is_done:
                try:
                    is_done = bool(wait([outcome], _SECONDS_BETWEEN_LOOKS).done)
                    must_stop = task is not None and task.cancelling() > cancellations
                    cancellations += must_stop
                except KeyboardInterrupt:
                    must_stop = True
                if must_stop:
                    with suppress(RuntimeError):  # the loop is closed: the work has just ended
                        loop.call_soon_threadsafe(self.stop)
        return outcome.result()

    @property
    def computes(self) -> bool:
        """Whether the work has the thread at this moment; else it waits for something."""
        return self._work is not None and asyncio.current_task(self._work.get_loop()) is self._work

    def stop(self) -> None:
        """Ask the work to stop, in the thread of its loop: the first time well, the second time at once."""
        self.stops += 1
        if self._work is None:
            return  # it has not begun, and will not
        if self.stops == 1 and self._watch.models and self._keeps:
            self._leaving = asyncio.ensure_future(self._leave(self._work))
            return
        if self._leaving is not None:
            self._leaving.cancel()
        self._work.cancel()

    async def _leave(self, work: asyncio.Future[Any]) -> None:
        models = self._watch.models.values()
        in_flight, answered = sum(model.in_flight for model in models), self._answered()
        log.info("stopping", extra={"in_flight": in_flight})
        if in_flight:
            self._watch.say(f"stopping: {in_flight} requests in flight are coming home; {self._again} drops them")
            await asyncio.gather(*(model.stop() for model in models))
        self._came_home = self._answered() - answered
        work.cancel()

    def _answered(self) -> int:
        return sum(model.usage.asked for model in self._watch.models.values())


def loop_runs_here() -> bool:
    """Whether an event loop runs in this thread: then no other can."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What goes wrong in a callback of the loop that nobody waits for, such as a connection that is given up."""
    log.info("event loop: %s: %s", context["message"], context.get("exception"))
