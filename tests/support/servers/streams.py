"""A listener on a free port whose conversations a test writes byte by byte."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What it does with a connection."""


@contextmanager
def stream_server(converse: Conversation) -> Iterator[int]:
    """It listens in a thread with an event loop of its own; gives its port. What is open at the end is closed."""
    ready, loop, stop = Future[int](), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        listener = await asyncio.start_server(converse, "127.0.0.1", 0)
        ready.set_result(listener.sockets[0].getsockname()[1])
        await stop.wait()
        listener.close()
        open_ones = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)
        await asyncio.sleep(0)  # what was closed is

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield ready.result(30)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
