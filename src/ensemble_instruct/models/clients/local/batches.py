"""What is waiting goes together: requests to a model of this process, worked on by threads of their own.

The event loop hands a request over and waits for a future. When the engine is free, the oldest request that waits is
taken, and with it others that the engine can answer in the same pass, up to a number of requests and of tokens.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ensemble_instruct.errors import EnsembleInstructError, ModelError, RequestRefusedError
from ensemble_instruct.models.clients.base import closed_error
from ensemble_instruct.models.clients.local.engine import BatchRow, Engine
from ensemble_instruct.models.clients.local.reply_text import ReplyText
from ensemble_instruct.records import Request, Response


@dataclass(slots=True, eq=False)
class _Pending:
    """A request that waits for its reply."""

    request: Request
    reply: asyncio.Future[Response]
    loop: asyncio.AbstractEventLoop

    def settle(self, outcome: Response | EnsembleInstructError) -> None:
        """Give the reply or the error to who waits; for the threads."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(_settle, self.reply, outcome)


_Encoded = tuple[_Pending, BatchRow]
"""A request with its prompt as tokens."""


class Batches:
    """The threads of one engine."""

    def __init__(self, name: str, engine: Engine, timeout: float) -> None:
        self._name, self._engine, self._timeout = name, engine, timeout
        self._changed = threading.Condition()
        self._waiting: deque[_Pending] = deque()
        self._ready: list[_Encoded] = []
        """Encoded, and left over by the batch before; for the one thread of an engine that works on batches."""
        self._is_closed = False
        self._open: set[_Pending] = set()
        """All that are not settled; for the event loop."""
        self._threads: list[threading.Thread] = []

    async def start(self) -> None:
        """Load the model and get to work; raises `ModelError`."""
        loop = asyncio.get_running_loop()
        loaded: asyncio.Future[None] = loop.create_future()
        self._begin(lambda: self._load(loop, loaded))
        await asyncio.shield(loaded)
        for _ in range(self._engine.workers - 1):
            self._begin(self._work)

    def _begin(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"model-{self._name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    async def reply(self, request: Request) -> Response:
        """The model's reply. Cancelling it drops the request, wherever it is."""
        loop = asyncio.get_running_loop()
        pending = _Pending(request, loop.create_future(), loop)
        with self._changed:
            if self._is_closed:
                raise closed_error()
            self._waiting.append(pending)
            self._changed.notify()
        self._open.add(pending)
        try:
            return await pending.reply
        finally:
            self._open.discard(pending)

    async def stop(self) -> None:
        """Drop what is under way, end the threads and let the weights go."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify_all()
        for pending in self._open:
            _settle(pending.reply, closed_error())
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._engine.free()

    def _load(self, loop: asyncio.AbstractEventLoop, loaded: asyncio.Future[None]) -> None:
        """Load the model, then work."""
        with _Border(self._name) as border:
            self._engine.load()
        with self._changed:
            self._is_closed |= border.error is not None
        loop.call_soon_threadsafe(_settle, loaded, border.error)
        if border.error is None:
            self._work()

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            self._answer(batch)

    def _next(self) -> list[_Encoded] | None:
        """The requests that go next, if any of those that waited is left; None when the client is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ready or self._is_closed)
            if self._is_closed:
                return None
            most = 1 if self._engine.workers > 1 else len(self._waiting)
            taken = [self._waiting.popleft() for _ in range(most)]
        encoded = [(pending, row) for pending in taken if (row := self._encoded(pending)) is not None]
        waiting = [(pending, row) for pending, row in (*self._ready, *encoded) if not pending.reply.done()]
        batch = self._batch(waiting)
        if self._engine.workers == 1:
            self._ready = [each for each in waiting if each not in batch]
        return batch

    def _encoded(self, pending: _Pending) -> BatchRow | None:
        """A request as a row; None when it is refused."""
        sampling, engine = pending.request.sampling, self._engine
        try:
            prompt = engine.encode(pending.request.messages)
        except EnsembleInstructError as error:
            pending.settle(error)
            return None
        room = sampling.max_tokens if engine.context is None else engine.context - len(prompt)
        if room <= 0:
            problem = f"the prompt has {len(prompt)} tokens, the model's context {engine.context}"
            pending.settle(RequestRefusedError(problem, type="prompt_too_long"))
            return None
        text = ReplyText(engine.decode, after=prompt, stop=sampling.stop, min_tokens=sampling.min_tokens)
        return BatchRow(
            prompt=prompt,
            sampling=sampling,
            text=text,
            ends=engine.ends(sampling),
            limit=min(sampling.max_tokens, room),
            is_dropped=pending.reply.done,
        )

    def _batch(self, waiting: Sequence[_Encoded]) -> list[_Encoded]:
        """The oldest, and those that can go with it."""
        engine, batch = self._engine, list(waiting[:1])
        for pending, row in waiting[1:]:
            first = waiting[0][1]
            rows = [row, *(each for _, each in batch)]
            longest = max(len(each.prompt) for each in rows) + max(each.limit for each in rows)
            if (
                len(rows) <= engine.batch_size
                and (engine.context is None or longest <= engine.context)
                and (engine.batch_tokens is None or longest * len(rows) <= engine.batch_tokens)
                and (engine.spread is None or abs(len(row.prompt) - len(first.prompt)) <= engine.spread)
                and engine.group(row.sampling) == engine.group(first.sampling)
            ):
                batch.append((pending, row))
        return batch

    def _answer(self, batch: Sequence[_Encoded]) -> None:
        """Let the engine work, and settle each request, whatever happens."""
        rows = [row for _, row in batch]
        for row in rows:
            row.until = time.monotonic() + self._timeout
        with _Border(self._name) as border:
            if rows:
                self._engine.generate(rows)
        for pending, row in batch:
            pending.settle(border.error or _outcome(row))


class _Border:
    """What an engine raises goes no further than this block: a thread has no caller; all becomes one of our errors."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.error: EnsembleInstructError | None = None

    def __enter__(self) -> _Border:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, EnsembleInstructError):
            self.error = error
        elif error is not None:
            what = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            self.error = ModelError(f"model {self._name}: {what}; check models.{self._name}")
        return isinstance(error, Exception)


def _outcome(row: BatchRow) -> Response | EnsembleInstructError:
    try:
        return row.response()
    except EnsembleInstructError as error:
        return error


def _settle(future: asyncio.Future[Response] | asyncio.Future[None], outcome: Response | Exception | None) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)  # type: ignore[arg-type]
