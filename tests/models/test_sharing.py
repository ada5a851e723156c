"""The steps of a run share a model: step 1, on which all others wait, goes first, and does not starve them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ensemble_instruct.config.load import load_config
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.admission.dispatcher import Dispatcher
from ensemble_instruct.models.admission.gate import Gate
from ensemble_instruct.models.admission.rates import Rates
from ensemble_instruct.models.clients import make_clients
from ensemble_instruct.models.model import Model
from ensemble_instruct.steps.instructions import make_instructions
from ensemble_instruct.steps.plans import prepare
from ensemble_instruct.store.store import opened_store
from tests.conftest import SIMULATED, Cli
from tests.support.servers.model import is_step_1, model_config, model_server
from tests.support.simulated_time import simulated_time

T = TypeVar("T")


def test_step_1_ends_long_before_the_completions_and_leaves_them_a_share(cli: Cli, tmp_path: Path) -> None:
    with model_server(0.02) as server:
        config = tmp_path / "config.yaml"
        config.write_text(model_config(server.base_url, input_output=40, output_only=40, window=16), encoding="utf-8")
        done = cli("run", config, "--out", tmp_path / "run", "--set", "models.base.max_in_flight=6")
        assert done.returncode == 0, done.stderr
        asked = [is_step_1(one.prompt) for one in server.asked if one.model == "base"]
    places = [place for place, first in enumerate(asked) if first]
    nearly_done = asked[: places[int(0.9 * len(places))]]
    assert 0.15 <= nearly_done.count(False) / asked.count(False) <= 0.6


def simulated(asking: Coroutine[Any, Any, T]) -> T:
    """What comes of it on a clock that jumps."""
    with simulated_time() as runner:
        return runner.run(asking)


async def served(dispatcher: Dispatcher, callers: int, seconds: float) -> tuple[int, int]:
    """How many requests of step 1 and how many others are served while equally many callers want to send both."""
    sent = {True: 0, False: 0}

    async def work(*, first: bool) -> None:
        while True:
            number = await dispatcher.enter(1, first=first)
            sent[first] += 1
            await asyncio.sleep(0.001)
            dispatcher.leave(number, first=first)

    tasks = [asyncio.create_task(work(first=number % 2 == 0)) for number in range(callers)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return sent[True], sent[False]


@pytest.mark.slow
@pytest.mark.parametrize("per_minute", [None, 30_000])
@pytest.mark.parametrize("places", [1, 2, 3, 8, 64])
def test_step_1_gets_two_of_three_turns_whatever_it_is_that_binds(places: int, per_minute: float | None) -> None:
    async def ask() -> tuple[int, int]:
        dispatcher = Dispatcher([Gate("s", places, Rates(per_minute))])
        dispatcher.set_aside("input_output", 100)
        return await served(dispatcher, 4 * places, 0.4)

    first, others = simulated(ask())
    assert 0.55 * (first + others) <= first <= 0.75 * (first + others)


def test_requests_that_hang_at_a_server_that_is_away_take_no_place_of_the_others() -> None:
    async def ask() -> tuple[int, int]:
        gates = [Gate("works", 4), Gate("hangs", 4)]
        dispatcher = Dispatcher(gates)
        while gates[1].in_flight < 4:
            await dispatcher.enter(1)
        for _ in range(gates[0].in_flight):
            dispatcher.leave(0)
        gates[1].leave_alone(asyncio.get_running_loop().time(), 60.0)
        dispatcher.set_aside("input_output", 8)
        return await served(dispatcher, 8, 0.2)

    first, others = simulated(ask())
    assert others >= 0.2 * (first + others) > 0


def test_step_1_keeps_no_places_for_replies_that_wait_to_be_drawn() -> None:
    async def ask() -> int:
        kept: dict[str, int] = {}

        class Counting(Model):
            def set_aside(self, name: str, places: int) -> None:
                kept[name] = places

        plan = prepare(load_config(Path(SIMULATED)))["input_output"].instructions
        with opened_store(Path(folder) / "run.db") as store:
            section = ModelSection(provider="scripted", function="tests.support.simulated.models:base")
            model = Counting("m", section, make_clients("m", section), store)
            made = make_instructions(model, plan)
            await anext(made)
            before = kept["input_output"]
            async with asyncio.timeout(60):
                while kept["input_output"]:
                    await asyncio.sleep(0.01)
            await made.aclose()
            return before

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(ask()) > 0


def test_all_places_are_used_while_nothing_is_set_aside() -> None:
    async def ask() -> int:
        dispatcher = Dispatcher([Gate("s", 4)])
        dispatcher.set_aside("input_output", 3)
        entered = [asyncio.create_task(dispatcher.enter(1)) for _ in range(4)]
        await asyncio.sleep(0.05)
        before = sum(task.done() for task in entered)
        dispatcher.set_aside("input_output", 0)
        await asyncio.gather(*entered)
        return before

    assert simulated(ask()) == 2


def test_answers_that_come_in_bursts_are_not_taken_for_a_queue() -> None:
    """All requests are sent together and answered together; a round ends in the middle of a burst."""
    gate, sent = Gate("s"), 0

    def send(count: int, now: float) -> None:
        nonlocal sent
        for _ in range(count):
            gate.enter(now, 1)
        sent += count

    def answer(count: int, now: float) -> None:
        for _ in range(count):
            gate.answered(sent, 0.5, now)
        for _ in range(count):
            gate.leave(now)

    send(16, 0.0)
    answer(16, 0.5)
    capacity = int(gate.limit) - 1
    for number in range(1, 8):
        send(capacity, 0.5 * number)
        answer(capacity, 0.5 * (number + 1))
    assert gate.limit >= capacity
