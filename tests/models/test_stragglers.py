"""A request that is never answered, or far later than others, is asked again; the rest goes on, and all is counted."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.admission.dispatcher import Dispatcher
from ensemble_instruct.models.admission.gate import Gate
from ensemble_instruct.models.budget import Budget
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import Request, Response
from tests.support.busy import Memory, prompts, request
from tests.support.forks import Forks
from tests.support.servers.model import model_config, simulated
from tests.support.servers.reply import Reply, Served, prompt_of, said, serving
from tests.support.simulated_time import START, simulated_time

NEVER = 1e9


@dataclass
class Server(Client):
    """Answers after as many seconds as a function says of a prompt and of how often it has come; keeps what it saw."""

    seconds: Callable[[str, int], float] = lambda *_: 1.0
    asked: Counter[str] = field(default_factory=Counter)
    answered: list[tuple[str, float]] = field(default_factory=list)
    hung_up: int = 0

    async def answer(self, request: Request) -> Response:
        loop, prompt = asyncio.get_running_loop(), request.prompt
        self.asked[prompt] += 1
        try:
            await asyncio.sleep(self.seconds(prompt, self.asked[prompt]))
        except asyncio.CancelledError:
            self.hung_up += 1
            raise
        self.answered.append((prompt, loop.time() - START))
        return Response(f"{prompt} by {id(self)}", "stop", 10, 10)


def asked(
    servers: Sequence[Server], count: int, *, wait: float = 3600.0, budget: Budget | None = None, **settings: Any
) -> tuple[Model, Memory, dict[str, str], float]:
    """A model that was asked so many prompts at once, the texts that it gave within a time, and when the last came."""

    async def ask() -> tuple[Model, Memory, dict[str, str], float]:
        section = ModelSection(base_url="http://127.0.0.1:1", model="m", **{"max_in_flight": 8, **settings})
        store, loop = Memory(), asyncio.get_running_loop()
        model = Model("m", section, [(str(number), each) for number, each in enumerate(servers)], store, budget)
        texts: dict[str, str] = {}
        last = 0.0

        async def one(prompt: str) -> None:
            nonlocal last
            outcome = (await model.ask(request(prompt))).outcome
            assert isinstance(outcome, Response), outcome
            texts[prompt], last = outcome.text, loop.time() - START

        tasks = [asyncio.ensure_future(one(prompt)) for prompt in prompts(count)]
        _, pending = await asyncio.wait(tasks, timeout=wait)
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=bool(pending))
        return model, store, texts, last

    with simulated_time() as runner:
        return runner.run(ask())


def hangs(*numbers: int, tries: int = 1) -> Callable[[str, int], float]:
    """Hangs at the first tries of these prompts."""
    hanging = {f"prompt {number}" for number in numbers}
    return lambda prompt, number: NEVER if prompt in hanging and number <= tries else 1.0


@pytest.mark.parametrize("number", [0, 50, 99])
def test_what_hangs_is_given_up_after_eight_times_the_usual_time_and_asked_again(number: int) -> None:
    server = Server(hangs(number))
    model, store, texts, last = asked([server], 100)
    assert len(texts) == 100
    assert server.asked == Counter(prompts(100)) + Counter({f"prompt {number}": 1})
    assert server.hung_up == 1
    assert last <= 100 / 8 + 12
    (attempt,) = store.attempts
    assert (attempt.cause, attempt.request.prompt) == ("overdue", f"prompt {number}")
    assert 7.9 <= attempt.seconds <= 10
    assert model.usage.retries == {"overdue": 1}
    assert int(model.servers[0].limit) == 8


def test_before_twenty_answers_only_the_timeout_ends_a_try() -> None:
    server = Server(hangs(3))
    _, store, texts, _ = asked([server], 20)
    assert len(texts) == 19
    assert server.asked == Counter(prompts(20))
    assert [attempt.cause for attempt in store.attempts] == ["dropped"]  # by the end of the test


def test_a_request_that_needs_long_is_answered_and_then_others_have_that_time_too() -> None:
    server = Server(lambda prompt, _: 30.0 if int(prompt.split()[1]) % 40 == 39 else 1.0)
    _, _, texts, _ = asked([server], 400)
    assert len(texts) == 400
    tries = [server.asked[f"prompt {number}"] for number in range(39, 400, 40)]
    assert max(tries) == 2
    assert tries.count(1) >= 3


def test_a_server_that_stands_still_for_a_while_is_not_asked_everything_twice() -> None:
    server = Server(lambda prompt, number: 60.0 if int(prompt.split()[1]) >= 40 and number == 1 else 1.0)
    _, _, texts, _ = asked([server], 48)
    assert len(texts) == 48
    assert server.asked.total() <= 48 + 8


def test_a_server_that_answers_nobody_any_more_gets_a_few_tries_and_not_all_again() -> None:
    server = Server(lambda prompt, _: 1.0 if int(prompt.split()[1]) < 40 else NEVER)
    _, store, texts, _ = asked([server], 400, wait=600.0)
    assert len(texts) == 40
    assert server.asked.total() <= 40 + 8 + 40
    assert sum(attempt.cause == "overdue" for attempt in store.attempts) <= 40


@pytest.mark.parametrize("seconds", [NEVER, 50.0])
def test_a_replica_that_hangs_or_is_far_slower_is_left_alone_and_the_others_go_on(seconds: float) -> None:
    good, other, bad = Server(), Server(), Server(lambda *_: seconds)
    _, _, texts, last = asked([good, other, bad], 800)
    assert len(texts) == 800
    assert last <= 1.2 * 800 / 16 + 9
    assert bad.asked.total() <= 16


def test_a_request_goes_to_the_replica_with_the_least_load_for_its_speed() -> None:
    async def ask() -> Counter[int]:
        gates = [Gate("slow", 8), Gate("fast", 8)]
        for gate, seconds in zip(gates, (4.0, 1.0), strict=True):
            gate.answered(1, seconds, START)
        dispatcher = Dispatcher(gates)
        await asyncio.sleep(1)
        return Counter([await dispatcher.enter(1.0) for _ in range(9)])

    with simulated_time() as runner:
        assert runner.run(ask()) == Counter({1: 7, 0: 2})


def test_where_all_replicas_hang_the_timeout_ends_their_tries_as_ever() -> None:
    servers = [Server(lambda prompt, number: NEVER), Server(lambda prompt, number: NEVER)]
    _, store, texts, _ = asked(servers, 40, wait=100.0)
    assert texts == {}
    assert sum((server.asked for server in servers), Counter()).total() == 16
    assert {attempt.cause for attempt in store.attempts} == {"dropped"}


def test_an_idle_replica_is_asked_too_and_the_first_answer_counts() -> None:
    for seconds, is_first in ((NEVER, False), (8.5, True)):
        calls = 0

        def takes(prompt: str, _: int, seconds: float = seconds) -> float:
            nonlocal calls
            calls += prompt == "prompt 60"
            return seconds if prompt == "prompt 60" and calls == 1 else 3.0 if prompt == "prompt 60" else 1.0

        servers = [Server(takes), Server(takes)]
        _, store, texts, _ = asked(servers, 61)
        assert [server.asked["prompt 60"] for server in servers] == [1, 1], "both are asked, each once"
        (attempt,) = [one for one in store.attempts if one.request.prompt == "prompt 60"]
        assert attempt.cause == "overdue"
        assert (attempt.seconds > 8.2) != is_first
        (winner,) = [server for server in servers if any(prompt == "prompt 60" for prompt, _ in server.answered)]
        assert texts["prompt 60"].endswith(str(id(winner)))
        assert sum(server.hung_up for server in servers) == 1


def test_no_second_try_is_begun_that_the_budget_does_not_cover() -> None:
    price = {"price": {"input": 0.0, "output": 1.0}}
    for dollars, tries in ((100.0, 2), (61 * 10e-6 + 60e-6, 1)):
        server = Server(hangs(60))
        asked([server], 61, budget=Budget(dollars, 0.0), wait=300.0, **price)
        assert server.asked["prompt 60"] == tries


@contextmanager
def never_answering(is_hung: Callable[[dict[str, Any], str], bool]) -> Iterator[tuple[Served, list[str]]]:
    """A server of the demo's models that never answers a request of which a function says so, and those prompts."""
    over, hung = threading.Event(), list[str]()

    async def answering(body: dict[str, Any], _: int) -> Reply:
        prompt = prompt_of(body)
        if is_hung(body, prompt):
            hung.append(prompt)
            while not over.is_set():
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.01)
        response = simulated(body, prompt)
        return said(response.text, response.finish_reason)

    with serving(answering) as served:
        try:
            yield served, hung
        finally:
            over.set()


@pytest.mark.parametrize(("model", "number"), [("base", 2), ("base", 60), ("voter_a", 3)])
def test_a_run_makes_the_same_though_a_request_hangs_and_says_what_that_cost(
    forks: Forks, tmp_path: Path, model: str, number: int
) -> None:
    """The first requests of the base model are those of step 1, in which each depends on earlier ones."""
    made = []
    for name, which in (("calm", 0), ("hung", number)):
        count = itertools.count(1)

        def is_hung(body: dict[str, Any], _: str, count: Iterator[int] = count, which: int = which) -> bool:
            return body["model"] == model and next(count) == which

        with never_answering(is_hung) as (served, hung):
            config = model_config(served.base_url, input_output=24, output_only=24, window=16)
            (tmp_path / "config.yaml").write_text(config)
            done = forks.run(tmp_path, ["run", "config.yaml", "--out", name])
            assert done.returncode == 0, done.stderr
            assert len(hung) == (which > 0)
        made.append((tmp_path / name / "examples.jsonl").read_bytes())
    assert made[0] == made[1] != b""
    assert "overdue" in forks.run(tmp_path, ["status", "hung"]).stdout
