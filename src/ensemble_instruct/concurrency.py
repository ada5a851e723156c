"""Async generators that work ahead and yield in order, and coroutines that end together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Value = TypeVar("Value")
Result = TypeVar("Result")
_WAITING = 16
"""Windows full of results that may wait at most for one before them."""


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


class _Window:
    """What is at work or waits to be taken, in order, and whether there is room for more.

    What is done holds its place until it is taken; but where it waits for one before it that is not, its place is free.
    So a slow consumer is never left behind by more than the window, and a slow piece of work holds nothing up. How much
    may wait behind one is bounded, for it takes memory.
    """

    def __init__(self, size: int) -> None:
        self.held: deque[asyncio.Future[Any]] = deque()
        self._size, self._at_work = size, 0
        self._changed = asyncio.Event()

    async def room(self) -> None:
        """Return once there is room."""
        while not self._has_room():
            self._changed.clear()
            await self._changed.wait()

    def add(self, task: asyncio.Future[Any]) -> None:
        """It is at work."""
        self.held.append(task)
        self._at_work += 1
        task.add_done_callback(self._done)

    def take(self) -> None:
        """The first one was taken."""
        self.held.popleft()
        self._changed.set()

    def _has_room(self) -> bool:
        is_in_order = not self.held or self.held[0].done()
        return self._at_work < self._size and len(self.held) < self._size * (1 if is_in_order else _WAITING)

    def _done(self, _: object) -> None:
        self._at_work -= 1
        self._changed.set()


async def map_in_order(
    source: AsyncIterable[Value], work: Callable[[Value], Coroutine[Any, Any, Result]], window: int
) -> AsyncGenerator[tuple[Value, Result], None]:
    """Yield (value, result of `work`) in the order of the source, with up to `window` values at work at once.

    It draws from the source and works ahead while the consumer is busy, up to the window, and while one value takes
    long, up to several windows. What source or work raises ends all other work and is raised here at once. Leaving
    early (`aclose`) cancels what is at work.
    """
    places, tasks = _Window(window), Tasks()
    started: asyncio.Queue[tuple[Value, asyncio.Future[Result]] | None] = asyncio.Queue()

    async def feed() -> None:
        try:
            async with closing(source) as values:
                async for value in values:
                    await places.room()
                    task = tasks.start(work(value))
                    places.add(task)
                    started.put_nowait((value, task))
        finally:
            started.put_nowait(None)

    feeder = tasks.start(feed())
    try:
        while (item := await started.get()) is not None:
            yield item[0], await tasks.result(item[1])
            places.take()
        await tasks.result(feeder)
    finally:
        await tasks.cancel()
