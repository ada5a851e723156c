"""Statuses by which a server takes no request at all, where it has answered before: they may pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import AuthenticationError, ModelError, QuotaError
from ensemble_instruct.models.clients.openai.client import OpenAIClient
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import Answer
from tests.conftest import rows
from tests.support.busy import Memory, prompts, request
from tests.support.forks import Forks
from tests.support.one_model import OUTPUTS, configure
from tests.support.servers.raw import Act, Exchange, answer_to, head, raw_server, reply, says
from tests.support.servers.reply import Answering, Reply, Served, listening, prompt_of, refused, said
from tests.support.simulated_time import START, simulated_time

PAGE = b"<html><head><title>default backend - 404</title></head></html>"
ODD: dict[str, bytes] = {
    **{str(status): reply(b"{}", f"{status} Odd") for status in (401, 402, 403, 404, 405, 406, 407, 410, 418, 426)},
    "401 without a body": reply(b"", "401 Unauthorized"),
    "404 page": reply(PAGE, "404 Not Found", Content_Type="text/html"),
    "403 page": reply(PAGE, "403 Forbidden", Content_Type="text/html"),
    "no model": reply(
        b'{"error": {"message": "model `m` does not exist", "code": "model_not_found"}}', "404 Not Found"
    ),
    "quota": reply(b'{"error": {"message": "no credits", "code": "insufficient_quota"}}', "429 Too Many"),
    "code in the body": reply(b'{"error": {"message": "Unauthorized", "code": 401}}'),
    "101": head("101 Switching Protocols", Upgrade="h2c", Connection="upgrade"),
    "304": head("304 Not Modified"),
    "300": reply(b"", "300 Multiple Choices"),
    "204": head("204 No Content"),
}
INPUTS = [f"task {number}" for number in range(24)]


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("name", ODD)
def test_one_odd_status_after_a_success_ends_nothing(forks: Forks, tmp_path: Path, name: str, replicas: int) -> None:
    act = says(ODD[name])
    odd: list[str] = []

    def chosen(exchange: Exchange) -> Act | None:
        if odd or not served.answered:
            return None
        odd.append(exchange.prompt)
        return act

    with raw_server(chosen) as served, raw_server(lambda _: None) as two, raw_server(lambda _: None) as three:
        addresses = [served.base_url, two.base_url, three.base_url][:replicas]
        configure(tmp_path, addresses, INPUTS, max_in_flight=2)
        done = forks.run(tmp_path, OUTPUTS)
    assert done.returncode == 0, done.stderr
    assert {row["input"]: row["output"] for row in rows(tmp_path / "out.jsonl")} == {
        each: answer_to(each) for each in INPUTS
    }
    assert len(odd) == 1
    assert sum((each.tries for each in (served, two, three)), type(served.tries)()).total() == len(INPUTS) + 1


class Asked:
    """What became of requests to a model on several servers, in simulated time."""

    def __init__(self, *answerings: Answering, count: int = 60, **settings: Any) -> None:
        self.count, self.settings = count, {"max_in_flight": 4, **settings}
        self.served: list[Served] = []
        self.ended: BaseException | None = None
        self.seconds, self.answers = 0.0, 0
        with simulated_time() as runner:
            runner.run(self._ask(answerings))

    async def _ask(self, answerings: Sequence[Answering]) -> None:
        async with AsyncExitStack() as stack:
            self.served = [await stack.enter_async_context(listening(each)) for each in answerings]
            urls = [each.base_url for each in self.served]
            section = ModelSection(base_url=urls, model="m", **self.settings)
            clients = [(url, OpenAIClient("a", section.model_copy(update={"base_url": url}), None)) for url in urls]
            model = Model("a", section, clients, Memory())
            tasks = [asyncio.ensure_future(model.ask(request(prompt))) for prompt in prompts(self.count)]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            self.seconds = asyncio.get_running_loop().time() - START
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            self.ended = next((each for each in ended if isinstance(each, Exception)), None)
            self.answers = sum(isinstance(each, Answer) for each in ended)
            await model.close()


def works(seconds: float = 0.1) -> Answering:
    async def answering(body: dict[str, Any], _: int) -> Reply:
        await asyncio.sleep(seconds)
        return said(prompt_of(body))

    return answering


def breaks(after: int, fault: Callable[[], Reply], until: float = float("inf")) -> Answering:
    """Answers so many, then fails at all until that time."""
    arrived = 0

    async def answering(body: dict[str, Any], _: int) -> Reply:
        nonlocal arrived
        arrived += 1
        if arrived > after and asyncio.get_running_loop().time() - START < until:
            return fault()
        await asyncio.sleep(0.1)
        return said(prompt_of(body))

    return answering


@pytest.mark.parametrize(
    ("fault", "error", "at_least", "at_most"),
    [
        (lambda: refused("Unauthorized", 401), AuthenticationError, 3, 8),
        (lambda: refused("pay", 402), QuotaError, 3, 8),
        (lambda: refused("not found", 404), ModelError, 30, 50),
        (lambda: web.Response(status=418), ModelError, 30, 50),
    ],
)
@pytest.mark.parametrize("replicas", [1, 3])
def test_a_model_of_which_no_server_is_left_ends_the_run_with_what_is_to_do(
    fault: Callable[[], Reply], error: type[Exception], at_least: float, at_most: float, replicas: int
) -> None:
    asked = Asked(*[breaks(5, fault) for _ in range(replicas)])
    assert isinstance(asked.ended, error)
    assert "; " in str(asked.ended)
    assert asked.answers == 5 * replicas
    assert at_least <= asked.seconds <= at_most
    assert sum(len(each.bodies) for each in asked.served) <= replicas * (5 + 4 + 10)


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("first", [0, 1])
def test_before_any_success_it_ends_the_run_at_once(replicas: int, first: int) -> None:
    servers = [works(60.0)] * (replicas - 1)
    servers.insert(first, breaks(0, lambda: refused("Unauthorized", 401)))
    asked = Asked(*servers)
    assert isinstance(asked.ended, AuthenticationError)
    assert asked.seconds < 1


def test_a_server_that_starts_anew_behind_its_gateway_is_waited_for() -> None:
    asked = Asked(breaks(5, lambda: refused("default backend - 404", 404), until=25.0))
    assert asked.ended is None
    assert asked.answers == 60
    assert 25 <= asked.seconds <= 45


NEVER = {
    "no JSON": lambda: web.Response(text="hello"),
    "a page": lambda: web.Response(text="<html><title>Welcome</title></html>", content_type="text/html"),
    "other JSON": lambda: web.json_response({"detail": "ok"}),
    "empty": web.Response,
    "500": lambda: web.Response(status=500),
    "dropped": lambda: None,
    "404": lambda: refused("not found", 404),
    "401": lambda: refused("Unauthorized", 401),
    "304": lambda: web.Response(status=304),
    "redirect": lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:9/v1"}),
    "text that is empty": lambda: said("", "stop", usage={"prompt_tokens": 3, "completion_tokens": 60}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "after"), [*((name, 20) for name in NEVER), ("no JSON", 0), ("500", 0), ("404", 0)])
def test_a_replica_that_never_answers_any_more_gets_next_to_nothing(name: str, after: int) -> None:
    late = breaks(after, NEVER[name])

    async def first_later(body: dict[str, Any], tries: int) -> Reply:
        if not after:
            await asyncio.sleep(0.2)  # before any success some of these end the run
        reply = late(body, tries)
        return await reply if isinstance(reply, Awaitable) else reply

    asked = Asked(works(), works(), first_later, count=600)
    assert asked.ended is None
    assert asked.answers == 600
    wasted = len(asked.served[2].bodies) - after
    assert wasted <= 30
    assert asked.seconds <= 1.1 * 600 * 0.1 / 8 + 1


def test_a_replica_that_was_left_alone_gets_its_share_once_it_answers() -> None:
    asked = Asked(works(), breaks(0, lambda: web.Response(text="hello"), until=4.0), count=1000)
    assert asked.answers == 1000
    assert len(asked.served[1].bodies) >= 200
