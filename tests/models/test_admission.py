"""How many requests a server gets: found out, lowered when it refuses, kept to what it allows; and no row is lost."""

from __future__ import annotations

import asyncio
import email.utils
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from ensemble_instruct.concurrency import map_in_order
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import RunError, TransientError
from ensemble_instruct.models.admission.gate import Gate
from ensemble_instruct.models.clients import make_clients
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import Failure, Request, Response
from ensemble_instruct.store.store import Store
from tests.support.busy import Busy, Memory, prompts, request
from tests.support.servers.reply import Answering, Reply, listening, prompt_of, said
from tests.support.simulated_time import START, simulated_time, time_of_day

SMALLEST_LIMIT = 16
"""What a server without a ceiling gets as long as it neither refuses nor lets time run out."""


@dataclass
class Simulated(Client):
    """A server with so many places; further requests queue, or are refused where there is no queue."""

    places: int
    latency: float = 0.2
    sigma: float = 0.0
    has_queue: bool = True
    refused_share: float = 0.0
    closed: tuple[float, float] = (0.0, 0.0)
    """From when to when nothing is answered, in seconds from the start."""
    cause: str = "429"
    timeout: float = 1e9
    poison: frozenset[str] = frozenset()
    seed: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    events: list[tuple[float, str]] = field(default_factory=list)
    """When each request ended, and how."""
    ceilings: list[int] = field(default_factory=list)
    """The gate's limit at each request."""
    here: int = 0
    most: int = 0
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self._random, self._slots = random.Random(self.seed), asyncio.Semaphore(self.places)

    def share(self, outcome: str, since: float = 0.0) -> float:
        """Of the outcomes after that share of all, how many were so."""
        later = [which for _, which in self.events[int(since * len(self.events)) :]]
        return later.count(outcome) / len(later)

    def asked_between(self, begin: float, end: float) -> int:
        return len([at for at, _ in self.events if begin < at < end])

    async def answer(self, request: Request) -> Response:
        self.asked[request.prompt] += 1
        self.ceilings.append(int(self.gate.limit))
        self.here += 1
        self.most = max(self.most, self.here)
        cause = ""
        try:
            cause = await self._fault()
            async with asyncio.timeout(self.timeout), self._slots:
                await asyncio.sleep(0 if cause else self.latency * math.exp(self.sigma * self._random.gauss(0, 1)))
            cause = "500" if request.prompt in self.poison else cause
        except TimeoutError:
            cause = "timeout"
        finally:
            self.here -= 1
            self.events.append((asyncio.get_running_loop().time() - START, cause))
        if cause:
            raise TransientError("not now", cause=cause)
        return Response("x")

    async def _fault(self) -> str:
        is_closed = self.closed[0] <= asyncio.get_running_loop().time() - START < self.closed[1]
        is_full = not self.has_queue and self.here > self.places
        if not (is_closed or is_full or self._random.random() < self.refused_share):
            return ""
        await asyncio.sleep(5 if is_closed and self.cause == "timeout" else 0.002)
        return self.cause if is_closed else "429"


async def each(requests: Iterable[Request]) -> AsyncIterator[Request]:
    for one in requests:
        yield one


def simulate(
    server: Simulated, count: int, store: Store | None = None, **settings: Any
) -> tuple[float, list[Response | Failure]]:
    """Ask a model on a simulated server as a step does: the seconds that it takes there, and the outcomes."""

    async def ask() -> tuple[float, list[Response | Failure]]:
        section = ModelSection(base_url="http://127.0.0.1:1", model="org/model", **settings)
        model = Model("m", section, [("simulated", server)], store or Memory())
        server.gate = model._servers.gates[0]
        model._retries._jitter.seed(server.seed)
        wanted = map_in_order(each(map(request, prompts(count))), model.ask, model.window)
        outcomes = [answer.outcome async for _, answer in wanted]
        return max(at for at, _ in server.events), outcomes

    with simulated_time() as runner:
        return runner.run(ask())


@pytest.mark.slow
@pytest.mark.parametrize(("places", "latency"), [(1, 0.2), (16, 0.5), (64, 0.05), (64, 0.2), (64, 2.0), (256, 0.1)])
def test_the_capacity_of_a_server_is_found(places: int, latency: float) -> None:
    server = Simulated(places, latency)
    count = 2000 + 16 * places
    seconds, _ = simulate(server, count)
    assert places <= server.gate.limit <= 3 * max(places, SMALLEST_LIMIT)
    assert seconds <= 1.25 * count / places * latency


@pytest.mark.slow
@pytest.mark.parametrize(("places", "seed"), [(16, 0), (64, 0), (64, 1), (64, 2), (256, 0)])
def test_latencies_that_differ_hide_no_capacity(places: int, seed: int) -> None:
    server = Simulated(places, sigma=0.8, seed=seed)
    simulate(server, 1000 + 20 * places)
    middle = server.ceilings[len(server.ceilings) // 2]
    assert 0.9 * places <= middle <= 4 * places


def test_a_ceiling_is_reached_at_once_and_never_passed() -> None:
    server = Simulated(32)
    simulate(server, 400, max_in_flight=32)
    assert server.most == 32
    assert set(server.ceilings) == {32}


@pytest.mark.slow
@pytest.mark.parametrize("ceiling", [None, 64])
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_refusals_by_chance_do_not_stop_the_line(share: float, ceiling: int | None) -> None:
    server = Simulated(64, refused_share=share)
    simulate(server, 3000, max_in_flight=ceiling)
    later = server.ceilings[len(server.ceilings) // 4 : -len(server.ceilings) // 8]
    assert sum(later) / len(later) >= 0.5 * server.places


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.0, 0.3])
@pytest.mark.parametrize(("places", "latency"), [(4, 0.2), (8, 0.2), (16, 0.02), (16, 0.2), (64, 0.2)])
def test_a_server_that_refuses_what_is_too_much_is_soon_asked_as_much_as_it_takes(
    places: int, latency: float, sigma: float
) -> None:
    server = Simulated(places, latency, sigma, has_queue=False)
    simulate(server, 60 * places + 100)
    assert server.share("429", since=0.3) <= 0.2
    assert server.share("429") <= 0.3


def test_requests_that_take_too_long_bring_the_limit_down() -> None:
    server = Simulated(8, timeout=1.0)
    simulate(server, 2000, max_in_flight=512)
    assert server.share("timeout", since=0.5) <= 0.1
    assert server.gate.limit <= 40


@pytest.mark.slow
@pytest.mark.parametrize("begin", [0, 2])
@pytest.mark.parametrize("cause", ["429", "503"])
def test_a_server_that_refuses_everything_for_20_s_is_asked_a_few_times_and_is_then_used_again(
    cause: str, begin: int
) -> None:
    server = Simulated(64, closed=(begin, begin + 20), cause=cause)
    seconds, outcomes = simulate(server, 3000)
    assert all(isinstance(outcome, Response) for outcome in outcomes)
    assert server.asked_between(begin + 1, begin + 20) <= 20
    assert server.places <= server.gate.limit <= 3 * server.places
    assert seconds <= 20 + 20 + 1.5 * 3000 / server.places * server.latency


@pytest.mark.parametrize("cause", ["500", "502", "connection", "timeout"])
def test_a_server_that_fails_at_everything_for_five_minutes_loses_no_row(cause: str) -> None:
    server = Simulated(16, closed=(2, 302), cause=cause)
    seconds, outcomes = simulate(server, 400)
    assert all(isinstance(outcome, Response) for outcome in outcomes)
    assert max(server.asked.values()) <= 25
    assert seconds <= 302 + 30 + 2 * 400 / 16 * 0.2


def test_a_server_that_never_answers_again_stops_the_run_in_time() -> None:
    server = Simulated(8, closed=(2, math.inf))
    with pytest.raises(RunError, match=r"no success for 18\d\d s"):
        simulate(server, 3000)
    assert server.events[-1][0] <= 1900


def test_prompts_that_always_fail_are_given_up_after_some_tries_also_when_asked_again_alone() -> None:
    store, poison = Memory(), frozenset(prompts(1000)[::90])
    for count in (1000, len(poison)):
        server = Simulated(64, poison=poison)
        seconds, outcomes = simulate(server, 1000, store)
        failed = {prompt for prompt, outcome in zip(prompts(1000), outcomes, strict=True) if outcome != Response("x")}
        assert failed == poison
        assert len(server.asked) == count
        assert server.asked.total() <= count + 13 * len(poison)
        assert seconds <= 180
        store.forget_failures()


def ask_all(answering: Answering, asked: Sequence[str], **settings: Any) -> tuple[list[str], Model]:
    """The answers of a real server to prompts that are asked all at once, in simulated time, and who asked it."""

    async def ask() -> tuple[list[str], Model]:
        async with listening(answering) as served:
            section = ModelSection(base_url=served.base_url, model="org/model", **settings)
            model = Model("m", section, make_clients("m", section), Memory())
            model._retries._jitter.seed(0)
            try:
                answers = await asyncio.gather(*(model.ask(request(prompt)) for prompt in asked))
            finally:
                await model.close()
            outcomes = [answer.outcome for answer in answers]
            return [outcome.text for outcome in outcomes if isinstance(outcome, Response)], model

    with simulated_time() as runner:
        return runner.run(ask())


HEADERS: dict[str, Callable[[], str | None]] = {
    "none": lambda: None,
    "fraction": lambda: "0.2",
    "date": lambda: email.utils.formatdate(time_of_day() + 1, usegmt=True),
}


@pytest.mark.slow
@pytest.mark.parametrize(("places", "header"), [(8, "date"), (16, "none")])
def test_a_server_that_refuses_beyond_its_places_loses_no_row(places: int, header: str) -> None:
    busy, asked = Busy(places, retry_after=HEADERS[header]), prompts(25 * places)
    texts, _ = ask_all(busy, asked)
    assert texts == asked
    assert busy.answered == Counter(asked)
    assert busy.share(since=0.4) <= 0.4
    assert busy.share(since=0.0) <= 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "header", "ceiling"), [(429, "fraction", None), (503, "date", 32), (500, "none", 32)]
)
def test_a_server_that_refuses_everything_is_left_alone_for_a_while(
    status: int, header: str, ceiling: int | None
) -> None:
    busy, asked = Busy(status=status, retry_after=HEADERS[header], closed_seconds=0.6), prompts(120)
    texts, model = ask_all(busy, asked, max_in_flight=ceiling)
    assert texts == asked
    assert busy.answered == Counter(asked)
    assert busy.while_closed <= (3 * len(asked) if status == 500 else (ceiling or SMALLEST_LIMIT) + 8)
    (server,) = model.servers
    assert server.limit >= SMALLEST_LIMIT
    assert server.state == "open"


@pytest.mark.slow
@pytest.mark.parametrize("ceilings", [{"requests_per_minute": 1800.0}, {"tokens_per_minute": 180_000.0}])
def test_a_ceiling_per_minute_is_kept_and_used(ceilings: dict[str, float]) -> None:
    arrivals: list[float] = []

    def answering(body: dict[str, Any], _: int) -> Reply:
        arrivals.append(asyncio.get_running_loop().time())
        return said(prompt_of(body), usage={"prompt_tokens": 50, "completion_tokens": 50})

    texts, _ = ask_all(answering, prompts(36), **ceilings)
    assert texts == prompts(36)
    for first in range(18):
        within = [at for at in arrivals if 0 <= at - arrivals[first] < 0.5]
        assert len(within) <= 25, "15 are allowed, and a few after a pause"
    assert arrivals[-1] - arrivals[0] < 2.5


def test_the_limits_that_a_server_tells_are_kept() -> None:
    """A server that takes ten requests in each quarter of a second, says so, and refuses the others."""
    length, most = 0.25, 10
    taken: Counter[int] = Counter()

    async def answering(body: dict[str, Any], _: int) -> Reply:
        await asyncio.sleep(0.01)
        now = asyncio.get_running_loop().time()
        place = int(now / length)
        taken[place] += 1
        left = max(0, most - taken[place])
        limits = {
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": f"{1000 * ((place + 1) * length - now):.0f}ms",
        }
        reply = said(prompt_of(body)) if taken[place] <= most else web.Response(status=429)
        reply.headers.update(limits)
        return reply

    texts, _ = ask_all(answering, prompts(60))
    assert texts == prompts(60)
    assert taken.total() - 60 <= 45
