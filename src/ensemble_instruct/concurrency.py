"""Async generators that work ahead and yield in order, and coroutines that end together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Value = TypeVar("Value")
Result = TypeVar("Result")


async def gather(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """The results of all, in order; the first failure cancels the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in work]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


@asynccontextmanager
async def closing(source: AsyncIterable[Value]) -> AsyncIterator[AsyncIterable[Value]]:
    """A source that is closed when the block ends, so that what it started ends with it."""
    # `contextlib.aclosing` needs a generator; a source may be any async iterable.
    try:
        yield source
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


async def drain(source: AsyncIterable[Any]) -> None:
    """Take all values of a source and drop them: for what happens on the way."""
    async with closing(source) as values:
        async for _ in values:
            pass


class Tasks:
    """Tasks of which the first failure cancels all others, and is raised to whoever waits for any of them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Future[Any]] = set()
        self._failure: BaseException | None = None

    def start(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Start a coroutine as a task of its own."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def result(self, task: asyncio.Future[Result]) -> Result:
        """The result of a task that was started here; raises the first failure of any of them."""
        try:
            return await task
        except asyncio.CancelledError:
            # Cancelled by a failure elsewhere: that is the cause. Cancelled from outside: that is to be passed on.
            if self._failure is None:
                raise
            raise self._failure from None

    async def cancel(self) -> None:
        """Cancel the tasks that have not ended, and wait until they have."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None and self._failure is None:
            self._failure = failure
            for other in self._tasks:
                other.cancel()


async def map_in_order(
    source: AsyncIterable[Value], work: Callable[[Value], Coroutine[Any, Any, Result]], window: int
) -> AsyncGenerator[tuple[Value, Result], None]:
    """Yield (value, result of `work`) in the order of the source, with up to `window` values at work at once.

    It draws from the source and works ahead while the consumer is busy. What source or work raises ends all other
    work and is raised here at once. Leaving early (`aclose`) cancels what is at work.
    """
    # A semaphore as sliding window: a place is free again when its result was taken, not when it was ready, so results
    # that wait behind a slow one count too and memory stays bounded. The queue itself needs no limit.
    free = asyncio.Semaphore(window)
    started: asyncio.Queue[tuple[Value, asyncio.Future[Result]] | None] = asyncio.Queue()
    tasks = Tasks()

    async def feed() -> None:
        try:
            async with closing(source) as values:
                async for value in values:
                    await free.acquire()
                    started.put_nowait((value, tasks.start(work(value))))
        finally:
            started.put_nowait(None)

    feeder = tasks.start(feed())
    try:
        while (item := await started.get()) is not None:
            yield item[0], await tasks.result(item[1])
            free.release()
        await tasks.result(feeder)
    finally:
        await tasks.cancel()
