"""Servers that come and go, and prompts that no server answers: what becomes of the rows, and what it costs."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import TransientError
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import Request, Response
from tests.conftest import SHARED, needs_shared, rows, stats
from tests.support.busy import Busy, Memory, prompts, request
from tests.support.forks import Forks
from tests.support.good_input import TASK, write
from tests.support.servers.reply import Reply, prompt_of, said, serving
from tests.support.servers.stub import OTHERS, stub_llm
from tests.support.simulated_time import START, simulated_time


@dataclass
class Script(Client):
    """A server that fails with a cause or answers (the empty cause) after so many seconds, then answers at once."""

    replies: list[tuple[str, float]] = field(default_factory=list)
    arrived: list[str] = field(default_factory=list)
    here: int = 0
    most: int = 0

    async def answer(self, request: Request) -> Response:
        self.arrived.append(request.prompt)
        self.here += 1
        self.most = max(self.most, self.here)
        cause, seconds = self.replies.pop(0) if self.replies else ("", 0.1)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.here -= 1
        if cause:
            raise TransientError("not now", cause=cause, server_down=cause == "unreachable")
        return Response(request.prompt)


def asked(
    servers: Sequence[Script], count: int, ceiling: int | None, cancelled: Sequence[tuple[int, float]] = ()
) -> list[float]:
    """Ask a model on these servers all at once, and cancel some after a time; the times when the others are answered.

    A request that has no answer after a day is a failure.
    """

    async def ask() -> list[float]:
        section = ModelSection(
            base_url="http://127.0.0.1:1", model="m", max_in_flight=ceiling, max_tries=10_000, give_up_after=1e9
        )
        model = Model("m", section, [(str(number), server) for number, server in enumerate(servers)], Memory())
        loop, times = asyncio.get_running_loop(), []

        async def one(prompt: str) -> None:
            assert (await model.ask(request(prompt))).outcome == Response(prompt)
            times.append(loop.time() - START)

        tasks = [asyncio.ensure_future(one(prompt)) for prompt in prompts(count)]
        for number, after in cancelled:
            loop.call_later(after, tasks[number].cancel)
        _, pending = await asyncio.wait(tasks, timeout=86_400)
        assert not pending
        for task in tasks:
            if not task.cancelled():
                task.result()
        assert model.in_flight == sum(server.here for server in servers) == 0
        return times

    with simulated_time() as runner:
        return runner.run(ask())


def test_who_asked_first_goes_first_and_who_is_tried_again_goes_before() -> None:
    server = Script([("", 1.0), ("500", 1.0), *[("", 1.0)] * 8])
    asked([server], 8, ceiling=1)
    again = server.arrived.index("prompt 1", 2)
    assert server.arrived[:again] + server.arrived[again + 1 :] == prompts(8)
    assert again <= 4


def test_a_request_that_avoids_a_server_holds_up_nobody() -> None:
    quick, slow = Script([("500", 0.1)]), Script([("", 500.0)] * 2)
    times = asked([quick, slow], 60, ceiling=2)
    assert len([at for at in times if at < 60]) >= 57


def test_a_request_that_is_cancelled_while_it_probes_a_server_leaves_that_to_others() -> None:
    server = Script([("unreachable", 0.0), ("", 500.0)])
    times = asked([server], 3, ceiling=1, cancelled=[(0, 50.0)])
    assert len(times) == 2


CAUSES = ["", "", "429", "500", "502", "503", "connection", "timeout", "unreachable"]
REPLIES = st.lists(st.tuples(st.sampled_from(CAUSES), st.sampled_from([0.0, 0.1, 2.0, 10.0])), max_size=40)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(REPLIES, min_size=1, max_size=3),
    st.sampled_from([None, 1, 3, 40]),
    st.lists(st.tuples(st.integers(0, 39), st.floats(0, 100)), max_size=10),
)
def test_whatever_happens_everybody_is_answered_and_no_server_gets_more_than_its_ceiling(
    replies: list[list[tuple[str, float]]], ceiling: int | None, cancelled: list[tuple[int, float]]
) -> None:
    servers = [Script(list(each)) for each in replies]
    times = asked(servers, 40, ceiling, cancelled)
    assert len(times) >= 40 - len(cancelled)
    assert all(server.most <= (ceiling or 40) for server in servers)


OUTPUTS = ["outputs", "voter.yaml", "--model", "real", "--instances", "tasks.jsonl", "--to"]
RUN = ["run", "voter.yaml", "--out", "run"]


def configure(folder: Path, addresses: Sequence[str], count: int = 0, **model: Any) -> list[dict[str, str]]:
    """A config with a voter on these servers, and so many instances for it, which are returned."""
    extra = "".join(f", {key}: {value}" for key, value in model.items())
    real = f"  real: {{base_url: [{', '.join(addresses)}], model: org/model{extra}}}\n"
    roles = "roles: {instructions: base, instances: base, outputs: [a, real]}\n"
    (folder / "voter.yaml").write_text(OTHERS + real + roles)
    instances = [{**TASK, "input": f"Country {number}"} for number in range(count)]
    write(folder / "tasks.jsonl", *instances)
    return instances


def prompts_of(instances: Sequence[dict[str, str]]) -> list[str]:
    return [f"{row['instruction']}\n{row['input']}" for row in instances]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass
class Stub:
    """A server of ../shared/tools in a process of its own, which can be killed."""

    base_url: str
    process: subprocess.Popen[str]

    def wait_until_asked(self, count: int) -> int:
        """Return once so many requests have come, and how many that are."""
        for _ in range(3000):
            if (seen := int(stats(self.base_url)["requests"])) >= count:
                return seen
            time.sleep(0.01)
        raise AssertionError("the server is not asked")


@contextmanager
def stub(*arguments: str, port: int = 0) -> Iterator[Stub]:
    command = [sys.executable, str(SHARED / "tools" / "stub_llm.py"), "--port", str(port), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://[\d.]+:\d+/v1", process.stdout.readline())
            assert found, "the server did not start"
            yield Stub(found[0], process)
        finally:
            process.kill()


Done = subprocess.CompletedProcess[str]


@contextmanager
def meanwhile(forks: Forks, folder: Path, *arguments: str) -> Iterator[Future[Done]]:
    """The command goes on while the block does."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(forks.run, folder, arguments)


def require_rows(folder: Path, instances: Sequence[dict[str, str]]) -> None:
    """Every row of out.jsonl is the stub's right answer to its instance, and none is missing."""
    expected: Callable[[str], str] = stub_llm().expected
    made = rows(folder / "out.jsonl")
    assert [row["input"] for row in made] == [row["input"] for row in instances]
    assert all(expected(prompt) in row["output"] for prompt, row in zip(prompts_of(instances), made, strict=True))


def test_all_replicas_work_and_the_rows_are_those_of_one(forks: Forks, tmp_path: Path) -> None:
    servers = [Busy(latency=latency) for latency in (0.01, 0.05, 0.2)]
    with serving(servers[0]) as one, serving(servers[1]) as two, serving(servers[2]) as three:
        for addresses in [[one.base_url], [one.base_url, two.base_url, three.base_url]]:
            for server in servers:
                server.answered.clear()
            instances = configure(tmp_path, addresses, 300, max_in_flight=8)
            assert forks.run(tmp_path, [*OUTPUTS, f"{len(addresses)}.jsonl"]).returncode == 0
    assert (tmp_path / "3.jsonl").read_bytes() == (tmp_path / "1.jsonl").read_bytes()
    assert sum((server.answered for server in servers), Counter()) == Counter(prompts_of(instances))
    shares = [server.answered.total() for server in servers]
    assert shares[0] > shares[2] >= 10


@needs_shared
def test_a_replica_that_is_killed_costs_what_was_in_flight_there_and_works_again_once_it_is_back(
    forks: Forks, tmp_path: Path
) -> None:
    slots, settings_of_stub = 8, ("--latency-ms", "36", "--slots", "8")
    with stub(*settings_of_stub) as one, stub(*settings_of_stub) as two, stub(*settings_of_stub) as three:
        servers = [one, two, three]
        addresses = [server.base_url for server in servers]
        instances = configure(tmp_path, addresses, 1200, max_in_flight=slots)
        with meanwhile(forks, tmp_path, *OUTPUTS, "out.jsonl") as done:
            seen = two.wait_until_asked(100)
            two.process.kill()
            two.process.wait()
            with stub(*settings_of_stub, port=int(addresses[1].split(":")[2].removesuffix("/v1"))) as back:
                assert done.result().returncode == 0, done.result().stderr
                counted = [stats(server.base_url) for server in (one, three, back)]
    require_rows(tmp_path, instances)
    assert sum(each["repeat_successes"] for each in counted) == 0
    answered = sum(each["successes"] for each in counted)
    assert sum(each["requests"] for each in counted) == answered
    assert len(instances) - answered >= seen - slots, "answers of the killed server were asked again"
    assert counted[2]["successes"] >= 5


@needs_shared
def test_a_replica_that_is_not_there_at_first_is_a_warning_and_works_once_it_is_there(
    forks: Forks, tmp_path: Path
) -> None:
    port = free_port()
    with stub("--latency-ms", "30") as one:
        instances = configure(tmp_path, [one.base_url, f"http://127.0.0.1:{port}/v1"], 1500, max_in_flight=8)
        with meanwhile(forks, tmp_path, *OUTPUTS, "out.jsonl") as done:
            one.wait_until_asked(30)
            with stub("--latency-ms", "30", port=port) as other:
                told = done.result()
                counted = [stats(server.base_url) for server in (one, other)]
    assert told.returncode == 0, told.stderr
    require_rows(tmp_path, instances)
    assert sum(each["requests"] for each in counted) == len(instances)
    assert counted[1]["successes"] >= 5
    lines = [line for line in told.stderr.splitlines() if f":{port}" in line]
    assert len(lines) == 1
    assert lines[0].startswith("warning: ")


def test_when_no_replica_is_there_the_error_names_one(forks: Forks, tmp_path: Path) -> None:
    addresses = [f"http://127.0.0.1:{free_port()}/v1" for _ in range(3)]
    configure(tmp_path, addresses, 3)
    told = forks.refused(tmp_path, *OUTPUTS, "out.jsonl")
    assert "models.real.base_url" in told
    assert any(address in told for address in addresses)


@needs_shared
def test_when_all_replicas_die_the_command_stops_and_goes_on_later(forks: Forks, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    addresses = [f"http://127.0.0.1:{port}/v1" for port in ports]
    instances = configure(tmp_path, addresses, 300, max_in_flight=4, give_up_after=0.6)
    with stub("--latency-ms", "10", port=ports[0]) as one, stub("--latency-ms", "10", port=ports[1]) as two:
        with meanwhile(forks, tmp_path, *OUTPUTS, "out.jsonl") as done:
            seen = one.wait_until_asked(40)
            for server in (one, two):
                server.process.kill()
        require_stopped(done.result())
    with stub("--latency-ms", "1", port=ports[0]) as one, stub("--latency-ms", "1", port=ports[1]) as two:
        assert forks.run(tmp_path, [*OUTPUTS, "out.jsonl"]).returncode == 0
        asked = sum(stats(server.base_url)["requests"] for server in (one, two))
    require_rows(tmp_path, instances)
    assert asked <= len(instances) - (seen - 4)


def require_stopped(done: Done) -> None:
    """The command ended as a failed run does: one line, which says what to do."""
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert line.startswith("error: model real: no success for ")
    assert "run the same command again" in line


def test_a_replica_that_joins_asks_nothing_again(forks: Forks, tmp_path: Path) -> None:
    with serving(lambda body, _: said(prompt_of(body))) as one, serving(lambda *_: said("x")) as two:
        configure(tmp_path, [one.base_url], 20)
        for command in ([*OUTPUTS, "out.jsonl"], RUN):
            assert forks.run(tmp_path, command).returncode == 0
        asked = len(one.bodies)
        configure(tmp_path, [one.base_url, two.base_url], 20)
        for command in ([*OUTPUTS, "out.jsonl"], RUN):
            done = forks.run(tmp_path, command)
            assert done.returncode == 0, done.stderr
    assert len(one.bodies) == asked > 20
    assert two.bodies == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_never_answers_again_stops_the_run_which_goes_on_when_it_does(
    forks: Forks, tmp_path: Path, status: int
) -> None:
    works = False
    answered: Counter[str] = Counter()

    def answering(body: dict[str, Any], _: int) -> Reply:
        if answered.total() >= 10 and not works:
            return web.Response(status=status)
        answered[prompt_of(body)] += 1
        return said(prompt_of(body))

    with serving(answering) as served:
        instances = configure(tmp_path, [served.base_url], 150, max_in_flight=4, give_up_after=0.8)
        require_stopped(forks.run(tmp_path, [*OUTPUTS, "out.jsonl"]))
        assert not (tmp_path / "out.jsonl").exists()
        assert len(served.bodies) <= 10 + 4 * len(instances)
        works = True
        assert forks.run(tmp_path, [*OUTPUTS, "out.jsonl"]).returncode == 0
    assert answered == Counter(prompts_of(instances))
    assert len(rows(tmp_path / "out.jsonl")) == len(instances)


@dataclass
class Poisoned:
    """A server that cannot answer some of the prompts."""

    poison: set[str]
    asked: Counter[str] = field(default_factory=Counter)

    async def __call__(self, body: dict[str, Any], _: int) -> Reply:
        prompt = prompt_of(body)
        self.asked[prompt] += 1
        await asyncio.sleep(0.02)
        return web.Response(status=500, text="out of memory") if prompt in self.poison else said(prompt[::-1])


@contextmanager
def poisoned(folder: Path, count: int, **model: Any) -> Iterator[tuple[Poisoned, list[str]]]:
    """The server of a config that `configure` writes, and the prompts of step 4 on it."""
    server = Poisoned(set())
    with serving(server) as served:
        yield server, prompts_of(configure(folder, [served.base_url], count, max_in_flight=4, **model))


def test_prompts_that_no_server_answers_are_dropped_and_only_they_are_asked_again(forks: Forks, tmp_path: Path) -> None:
    with poisoned(tmp_path, 200, max_tries=2) as (server, wanted):
        server.poison = {wanted[7], wanted[120]}
        done = forks.run(tmp_path, [*OUTPUTS, "out.jsonl"])
        assert done.returncode == 0, done.stderr
        assert "198 rows in out.jsonl" in done.stdout
        assert "2 dropped (2 server_error)" in done.stdout
        dropped = rows(tmp_path / "out.jsonl.rejected.jsonl")
        assert [row["reason"] for row in dropped] == ["server_error"] * 2
        assert all("out of memory" in row["text"] for row in dropped)
        assert {prompt for prompt, count in server.asked.items() if count > 1} == server.poison
        assert max(server.asked.values()) <= 4
        server.asked.clear()
        assert forks.run(tmp_path, [*OUTPUTS, "out.jsonl"]).returncode == 0
        assert server.asked == {}
        poison, server.poison = server.poison, set()
        assert forks.run(tmp_path, [*OUTPUTS, "out.jsonl", "--retry-failed"]).returncode == 0
    assert server.asked == Counter(poison)
    assert [row["output"] for row in rows(tmp_path / "out.jsonl")] == [prompt[::-1] for prompt in wanted]
    assert not (tmp_path / "out.jsonl.rejected.jsonl").exists()


def test_a_run_says_what_failed_and_asks_it_again_when_told_to(forks: Forks, tmp_path: Path) -> None:
    with poisoned(tmp_path, 0, max_tries=1) as (server, _):
        assert forks.run(tmp_path, [*RUN[:3], "calm"]).returncode == 0
        poison = server.poison = {list(server.asked)[1]}
        done = forks.run(tmp_path, RUN)
        assert done.returncode == 0, done.stderr
        assert "1 requests failed for good (1 server_error); --retry-failed asks them again" in done.stdout
        server.poison = set()
        server.asked.clear()
        done = forks.run(tmp_path, [*RUN, "--retry-failed"])
        assert done.returncode == 0, done.stderr
    assert server.asked == Counter(poison)
    assert "failed for good" not in done.stdout
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == (tmp_path / "calm" / "examples.jsonl").read_bytes()
