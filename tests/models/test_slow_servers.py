"""A slow server is not asked more than it works on, and a fast one gets all that it can do."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import dataclass, field
from statistics import median

import pytest

from ensemble_instruct.concurrency import map_in_order
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.admission.gate import Gate
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import Request, Response
from tests.models.test_admission import each
from tests.support.busy import Memory, prompts, request
from tests.support.simulated_time import START, simulated_time


@dataclass
class Queueing(Client):
    """A server with so many places that queues the rest; with `shared`, all in it slow each other down, too."""

    places: int
    seconds: float
    spread: float = 0.0
    """Of the lengths of replies: the standard deviation of their logarithm."""
    shared: float = math.inf
    """How many requests together take twice as long as one."""
    latencies: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    """How long each would have taken without others."""
    given: list[int] = field(default_factory=list)
    ended: float = 0.0
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self._random, self._slots, self._here = random.Random(0), asyncio.Semaphore(self.places), 0

    async def answer(self, request: Request) -> Response:
        clock = asyncio.get_running_loop()
        began, length = clock.time(), math.exp(self.spread * self._random.gauss(0, 1))
        self.given.append(int(self.gate.limit))
        async with self._slots:
            self._here += 1
            await asyncio.sleep(length * self.seconds * (1 + self._here / self.shared))
            self._here -= 1
        self.ended = clock.time() - START
        self.latencies.append(self.ended + START - began)
        self.alone.append(length * self.seconds)
        return Response("x", "stop", 50, max(1, round(100 * length)))


def asked(server: Queueing, count: int, ceiling: int | None = None, *, is_fixed: bool = False) -> Queueing:
    """The server after so many requests, with a limit that is found out, or a fixed one."""

    async def ask() -> None:
        section = ModelSection(base_url="http://127.0.0.1:1", model="org/model", max_in_flight=ceiling)
        model = Model("m", section, [("simulated", server)], Memory())
        server.gate = model._servers.gates[0]
        if is_fixed:
            server.gate._outcome = lambda *_, **__: None  # type: ignore[method-assign]
        async for _ in map_in_order(each(map(request, prompts(count))), model.ask, model.window):
            pass

    with simulated_time() as runner:
        runner.run(ask())
    return server


def test_a_server_that_answers_one_at_a_time_soon_gets_one_at_a_time() -> None:
    server = asked(Queueing(1, 15.0), 120)
    assert median(server.latencies) <= 1.1 * server.seconds
    assert max(server.latencies) <= 16 * server.seconds
    assert server.ended == pytest.approx(120 * server.seconds)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.5])
@pytest.mark.parametrize(("places", "count"), [(1, 200), (4, 400), (64, 3000)])
def test_a_server_that_queues_gives_as_much_as_with_the_best_limit_and_does_not_queue_long(
    places: int, count: int, spread: float
) -> None:
    fixed = (places, math.ceil(1.5 * places), 2 * places)
    best = min(asked(Queueing(places, 0.5, spread), count, limit, is_fixed=True).ended for limit in fixed)
    server = asked(Queueing(places, 0.5, spread), count)
    assert best / server.ended >= 0.97
    assert median(server.latencies) <= 2 * median(server.alone)


@pytest.mark.slow
def test_a_ceiling_that_is_much_too_high_is_left_for_what_the_server_works_on() -> None:
    server = asked(Queueing(4, 5.0, 0.3), 600, ceiling=64)
    later = server.given[len(server.given) // 2 :]
    assert sum(later) / len(later) <= 3 * server.places
    assert max(server.given) == 64


@pytest.mark.slow
def test_a_server_that_is_slower_with_more_requests_but_gives_more_keeps_them() -> None:
    fixed = asked(Queueing(64, 0.5, 0.3, shared=32), 3000, ceiling=64, is_fixed=True)
    server = asked(Queueing(64, 0.5, 0.3, shared=32), 3000, ceiling=64)
    assert fixed.ended / server.ended >= 0.97
