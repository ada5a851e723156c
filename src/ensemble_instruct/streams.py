"""Async generators that work ahead and yield in order, and coroutines that end together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Value = TypeVar("Value")
Result = TypeVar("Result")


async def together(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """The results of all, in order; the first failure cancels the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in work]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


@asynccontextmanager
async def drawn(source: AsyncIterable[Value]) -> AsyncIterator[AsyncIterable[Value]]:
    """A source that is closed when the block ends, so that what it started ends with it."""
    try:
        yield source
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


async def in_order(
    source: AsyncIterable[Value], work: Callable[[Value], Awaitable[Result]], window: int
) -> AsyncGenerator[tuple[Value, Result], None]:
    """Yield (value, result of `work`) in the order of the source, with up to `window` values at work at once.

    It draws from the source and works ahead while the consumer is busy. What source or work raises is raised
    here, in its turn. Leaving early (`aclose`) cancels what is at work.
    """
    free = asyncio.Semaphore(window)
    started: asyncio.Queue[tuple[Value, asyncio.Future[Result]] | None] = asyncio.Queue()
    at_work: set[asyncio.Future[Result]] = set()

    async def feed() -> None:
        try:
            async with drawn(source) as values:
                async for value in values:
                    await free.acquire()
                    result = asyncio.ensure_future(work(value))
                    at_work.add(result)
                    started.put_nowait((value, result))
        finally:
            started.put_nowait(None)

    feeder = asyncio.ensure_future(feed())
    try:
        while (item := await started.get()) is not None:
            yield item[0], await item[1]
            at_work.discard(item[1])
            free.release()
        await feeder
    finally:
        feeder.cancel()
        await asyncio.gather(feeder, return_exceptions=True)
        for result in at_work:
            result.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)
