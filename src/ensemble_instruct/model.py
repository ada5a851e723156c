"""Between a step and a language model: replay from the store → admit → retry → client → commit."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections import Counter, deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
)
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeVar

from ensemble_instruct.clients import make_client
from ensemble_instruct.clients.base import Client
from ensemble_instruct.config import ModelSection, api_key
from ensemble_instruct.errors import ModelError, RequestRefusedError, RunError, TransientError
from ensemble_instruct.records import Answer, Failure, Request, Response
from ensemble_instruct.store import Store

_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0
_FEW = 10
"""So many requests may fail at the same time for reasons of their own; when more do, the server is at fault."""
_FIRST_LIMIT, _GROWTH = 4, 1
_PATIENT_CAUSES = ("429", "502", "503", "504", "unreachable")
"""The server has no place or is not there: no fault of the request, so tries are not counted."""

log = logging.getLogger(__name__)
Value = TypeVar("Value")
Result = TypeVar("Result")


@dataclass(slots=True)
class Usage:
    """What one model did in this process."""

    asked: int = 0
    replayed: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    retries: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Response | Failure) -> None:
        """Count one answer."""
        self.asked += 1
        if isinstance(outcome, Failure):
            self.failed += 1
        else:
            self.prompt_tokens += outcome.prompt_tokens or 0
            self.completion_tokens += outcome.completion_tokens or 0


@dataclass(slots=True)
class _Tries:
    """What became of a request so far."""

    began: float
    made: int = 0
    counted: int = 0
    """Those that speak against the request, not against the server."""
    delay: float = 0.0
    """Seconds to wait before the next one."""


class _Slots:
    """Requests in flight: four at first, one more with each success, never more than the ceiling.

    So a server that is just starting, or has a short queue for connections, is not met by all requests at once.
    """

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._limit = min(ceiling, _FIRST_LIMIT)
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        if self._in_flight < self._limit and not self._waiting:
            self._in_flight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def grow(self) -> None:
        """A request succeeded."""
        if self._limit < self._ceiling:
            self._limit = min(self._ceiling, self._limit + _GROWTH)
            self._admit()

    def _leave(self) -> None:
        self._in_flight -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._in_flight < self._limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)


class Model:
    """One model of the config: asks its client what the store does not know yet.

    `ask` is safe to call from many tasks; a request that is already on its way is not sent twice.
    """

    def __init__(self, name: str, section: ModelSection, client: Client, store: Store) -> None:
        self.name = name
        self.max_in_flight = section.max_in_flight
        self.usage = Usage()
        self._section, self._client, self._store = section, client, store
        self._identity = list(section.identity)
        self._slots = _Slots(section.max_in_flight)
        self._on_the_way: dict[str, asyncio.Future[Answer]] = {}
        self._opening: asyncio.Task[None] | None = None
        self._last_success = time.monotonic()
        self._ever_succeeded = False
        self._refused = 0
        self._failing: set[str] = set()
        self._jitter = random.Random()  # noqa: S311 - spreads retries, decides no record

    def key(self, request: Request) -> str:
        """32 hexadecimal digits over everything that can change the answer, and nothing else."""
        sampling = request.sampling
        parts = [
            *self._identity, request.prompt, sampling.max_tokens, sampling.min_tokens, sampling.temperature,
            sampling.top_k, sampling.top_p, sampling.stop, sampling.seed, request.repeat,
        ]  # fmt: skip
        return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()

    async def open(self) -> None:
        """Open the client, once; raises `ModelError` when the model cannot be reached."""
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._client.open())
        await asyncio.shield(self._opening)

    async def close(self) -> None:
        """Close the client."""
        if self._opening is not None:
            self._opening.cancel()
            with suppress(asyncio.CancelledError, RunError):
                await self._opening
        await self._client.close()

    async def ask(self, request: Request) -> Answer:
        """The committed answer to a request: from the store, or from the model once it is on disk.

        Raises `RunError` when the run cannot go on.
        """
        key = self.key(request)
        if (on_the_way := self._on_the_way.get(key)) is not None:
            return await asyncio.shield(on_the_way)
        if (answer := self._store.answer(key)) is not None:
            self.usage.replayed += 1
            self._ever_succeeded |= isinstance(answer.outcome, Response)
            return answer
        task = asyncio.ensure_future(self._ask_client(key, request))
        self._on_the_way[key] = task
        try:
            return await task
        finally:
            del self._on_the_way[key]

    async def _ask_client(self, key: str, request: Request) -> Answer:
        """Try until there is an outcome; it is committed before the slot is given back."""
        tries = _Tries(time.monotonic())
        while True:
            async with self._slots:
                await self.open()
                began = time.monotonic()
                outcome = await self._try(key, request, tries)
                if outcome is not None:
                    await self._store.commit(key, self.name, request, outcome, time.monotonic() - began)
                    self.usage.add(outcome)
                    return Answer(key, outcome)
            await asyncio.sleep(tries.delay)

    async def _try(self, key: str, request: Request, tries: _Tries) -> Response | Failure | None:
        """One try: the outcome, or None when the request shall be tried again after `tries.delay`.

        Raises `RunError` after `give_up_after` seconds without any success.
        """
        try:
            response = await self._client.answer(request)
        except RequestRefusedError as error:
            self._require_some_success(error)
            return Failure(error.type, str(error))
        except TransientError as error:
            self._failing.add(key)
            self._note(error, max(tries.began, self._last_success))
            return self._verdict(error, tries)
        self._last_success = time.monotonic()
        self._ever_succeeded = True
        self._failing.clear()
        self._slots.grow()
        return response

    def _verdict(self, error: TransientError, tries: _Tries) -> Failure | None:
        """The failure of this very request, after so many tries while others succeed; None to try again."""
        tries.made += 1
        tries.counted += error.cause not in _PATIENT_CAUSES
        server_works = self._last_success > tries.began or (self._ever_succeeded and len(self._failing) < _FEW)
        if tries.counted >= self._section.max_tries and server_works:
            return Failure("server_error", f"{tries.counted} tries failed, the last one: {error}")
        backoff = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** (tries.made - 1)) * self._jitter.uniform(0.5, 1.5)
        tries.delay = max(backoff, error.retry_after or 0.0)
        return None

    def _require_some_success(self, error: RequestRefusedError) -> None:
        """Raise `ModelError` when the server refuses everything: then the config is at fault, not the requests."""
        self._refused += 1
        if error.type == "bad_request" and not self._ever_succeeded and self._refused >= _FEW:
            raise ModelError(
                f"model {self.name}: the first {self._refused} requests were all refused, the last one with: {error}; "
                f"check models.{self.name}"
            )

    def _note(self, error: TransientError, since: float) -> None:
        self.usage.retries[error.cause] += 1
        if self.usage.retries[error.cause] == 1:
            log.warning("model %s: %s; trying again", self.name, error)
        waited = time.monotonic() - since
        if waited > self._section.give_up_after:
            raise RunError(
                f"model {self.name}: no success for {waited:.0f} s, the last error was: {error}; "
                f"all answers are kept: see to the server, then run the same command again"
            )


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


@asynccontextmanager
async def open_models(
    sections: Mapping[str, ModelSection], store: Store, *, check: bool
) -> AsyncIterator[dict[str, Model]]:
    """The models by name, closed at the end. With `check`, each is opened now, else when it is first asked.

    Raises `ConfigError` for a missing key or script, `ModelError` for a server that cannot be reached.
    """
    models = {
        name: Model(name, section, make_client(name, section, api_key(name, section)), store)
        for name, section in sections.items()
    }
    try:
        if check:
            await together(model.open() for model in models.values())
        yield models
    finally:
        await asyncio.gather(*(model.close() for model in models.values()), return_exceptions=True)
