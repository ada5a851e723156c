"""A process that stands still for hours, by Ctrl-Z or with its machine: only time in which it could ask counts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import RunError, TransientError
from ensemble_instruct.models.awake import AwakeClock
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.models.clients.openai.client import OpenAIClient
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import Request, Response
from tests.support.busy import Memory, prompts, request
from tests.support.servers.reply import Reply, listening, said
from tests.support.simulated_time import START, SimulatedLoop, simulated_time

HOUR = 3600.0


def stand_still(seconds: float) -> None:
    """All clocks go on, and nothing happens."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    loop.now += seconds


@dataclass
class Failing(Client):
    """Fails with a cause until the loop's time is `until`, each time after a second."""

    cause: str
    until: float
    asked_at: list[float] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        self.asked_at.append(loop.time() - START)
        await asyncio.sleep(1.0)
        if loop.time() - START < self.until:
            raise TransientError("not now", cause=self.cause, server_down=self.cause == "unreachable")
        return Response("yes")


def ended(client: Client, pauses: dict[float, float], *, is_kept: bool = True, count: int = 4) -> float:
    """When all requests to a model are answered that gives up after 60 s; `pauses`: when it stands still, how long."""

    async def ask() -> float:
        clock = AwakeClock()
        section = ModelSection(base_url="http://127.0.0.1:1", model="m", give_up_after=60.0)
        model = Model("m", section, [("one", client)], Memory(), clock=clock)
        keeper = asyncio.ensure_future(clock.keep() if is_kept else asyncio.sleep(0))
        loop = asyncio.get_running_loop()
        for at, seconds in pauses.items():
            loop.call_at(START + at, stand_still, seconds)
        try:
            await asyncio.gather(*(model.ask(request(prompt)) for prompt in prompts(count)))
        finally:
            keeper.cancel()
        return loop.time() - START

    with simulated_time() as runner:
        return runner.run(ask())


CAUSES = ["unreachable", "connection", "timeout", "500", "429", "malformed"]


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("pauses", [{10.0: HOUR}, {10.5: 70.0}, {5.0: 40.0, 50.0: 40.0}, {0.5: 1e6}])
def test_a_pause_ends_no_run(cause: str, pauses: dict[float, float]) -> None:
    slept = sum(pauses.values())
    assert ended(Failing(cause, slept + 30.0), pauses) < slept + 60


def test_a_pause_while_all_is_well_ends_no_run() -> None:
    assert ended(Failing("500", 0.0), {0.5: HOUR}) == pytest.approx(HOUR + 1, abs=1)


@pytest.mark.parametrize("cause", CAUSES)
def test_time_in_which_a_request_could_be_sent_counts(cause: str) -> None:
    with pytest.raises(RunError, match=r"no success for 6\d s"):
        ended(Failing(cause, 1e9), {20.0: HOUR})


def test_without_anything_that_keeps_the_clock_all_time_counts() -> None:
    with pytest.raises(RunError, match="no success for"):
        ended(Failing("500", 1e9), {20.0: HOUR}, is_kept=False)


def fetched(answer_at: float, pause_at: float, pause: float, timeout: float) -> tuple[Response | BaseException, float]:
    """What a request comes to whose answer is sent at a time, and when; the process stands still meanwhile."""

    async def ask() -> tuple[Response | BaseException, float]:
        loop = asyncio.get_running_loop()

        async def answering(*_: object) -> Reply:
            await asyncio.sleep(answer_at)
            return said("yes")

        async with listening(answering) as served:
            section = ModelSection(base_url=served.base_url, model="m", timeout=timeout)
            client = OpenAIClient("m", section, None)
            loop.call_at(START + pause_at, stand_still, pause)
            found = (await asyncio.gather(client.answer(request("p")), return_exceptions=True))[0]
            ended_at = loop.time() - START
            await client.close()
            return found, ended_at

    with simulated_time() as runner:
        return runner.run(ask())


def test_an_answer_that_came_during_a_pause_is_read() -> None:
    found, _ = fetched(answer_at=100.0, pause_at=10.0, pause=HOUR, timeout=60.0)
    assert isinstance(found, Response)


@pytest.mark.parametrize("pause", [0.0, HOUR])
def test_a_time_out_comes_all_the_same(pause: float) -> None:
    found, at = fetched(answer_at=1e7, pause_at=10.0, pause=pause, timeout=60.0)
    assert isinstance(found, TransientError)
    assert found.cause == "timeout"
    assert at == pytest.approx(max(60.0, 10.0 + pause + 5.0), abs=2)
