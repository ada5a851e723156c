"""Rows that a server fails at for ever are told from a server that fails: soon where others succeed, else by time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import pytest

from ensemble_instruct.concurrency import map_in_order
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import TransientError
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import Failure, Request, Response
from tests.models.test_admission import each
from tests.support.busy import Memory, prompts, request
from tests.support.simulated_time import START, simulated_time

TRIES = 6
"""Of a row by default."""
USUAL = 30.0
"""Seconds after which a row is given up where nothing proves that it is at fault."""


@dataclass
class Server(Client):
    """Answers 64 at a time within a fifth of a second, but for what fails by a function of the prompt and the time."""

    fails: Callable[[str, float], bool]
    asked: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(64)

    async def answer(self, request: Request) -> Response:
        self.asked[request.prompt] += 1
        async with self._places:
            await asyncio.sleep(0.2)
        if self.fails(request.prompt, asyncio.get_running_loop().time() - START):
            raise TransientError("out of memory", cause="500")
        return Response("x", "stop", 50, 50)


def decided(server: Server, count: int) -> dict[str, tuple[float, bool]]:
    """When each row was decided, and whether it failed."""

    async def ask() -> dict[str, tuple[float, bool]]:
        section = ModelSection(base_url="http://127.0.0.1:1", model="m")
        model, times, loop = Model("m", section, [("s", server)], Memory()), {}, asyncio.get_running_loop()

        async def one(asked: Request) -> None:
            answer = await model.ask(asked)
            times[asked.prompt] = loop.time() - START, isinstance(answer.outcome, Failure)

        async for _ in map_in_order(each(map(request, prompts(count))), one, model.window):
            pass
        return times

    with simulated_time() as runner:
        return runner.run(ask())


def failed(times: dict[str, tuple[float, bool]]) -> Collection[str]:
    return {prompt for prompt, (_, is_failure) in times.items() if is_failure}


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_fail_for_ever_are_given_up_while_others_are_answered(seed: int) -> None:
    poison = set(random.Random(seed).sample(prompts(1950), 20))
    server = Server(lambda prompt, _: prompt in poison)
    times = decided(server, 2000)
    assert failed(times) == poison
    assert max(at for at, _ in times.values()) <= 15
    assert {server.asked[prompt] for prompt in poison} == {TRIES}
    assert server.asked.total() == 2000 + (TRIES - 1) * len(poison)


def test_where_a_server_answers_nobody_any_more_no_row_is_given_up_early() -> None:
    server = Server(lambda _, now: now > 1.0)
    times = decided(server, 200)
    given_up = [at for at, is_failure in times.values() if is_failure]
    assert not given_up or min(given_up) >= USUAL


def test_rows_are_not_lost_to_a_server_that_fails_at_most_requests_for_some_seconds() -> None:
    rng = random.Random(0)
    server = Server(lambda _, now: 1.0 < now < 5.0 and rng.random() < 0.8)
    assert failed(decided(server, 2000)) == set()


def test_the_last_row_of_all_is_given_up_by_time() -> None:
    server = Server(lambda prompt, _: prompt == "prompt 299")
    times = decided(server, 300)
    assert failed(times) == {"prompt 299"}
    assert times["prompt 299"][0] >= USUAL
