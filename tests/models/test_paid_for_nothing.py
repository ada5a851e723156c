"""A try that was paid and gave no answer is counted: in `status`, in the report and in the budget, also when killed."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.finished import stored
from tests.support.forks import Forks
from tests.support.processes import told_to_stop, wait_for
from tests.support.servers.model import model_config, simulated
from tests.support.servers.reply import Served, prompt_of, said, serving

MADE = 16
"""Tokens of each reply of the dear model, which is as many as it may have."""
A_TRY = MADE * 1000 / 1e6
"""US dollars."""
USAGE = {"prompt_tokens": 30, "completion_tokens": MADE}
CHOICE = {"index": 0, "text": "x", "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
LAST = {"choices": [], "usage": USAGE}


def streamed(*events: dict[str, Any]) -> web.Response:
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return web.Response(text=text, content_type="text/event-stream")


LATE = "a reply that comes too late"
LOST: dict[str, Callable[[], web.Response | None]] = {
    "no text, with usage": lambda: said("", usage=USAGE),
    "no choice, with usage": lambda: web.json_response({"choices": [], "usage": USAGE}),
    "two texts": lambda: web.json_response({"choices": [CHOICE, CHOICE], "usage": USAGE}),
    "withheld by a filter": lambda: said("", "content_filter", usage=USAGE),
    "an error with usage": lambda: web.json_response({"error": {"message": "no"}, "usage": USAGE}, status=500),
    "a body that is cut off": lambda: web.Response(text='{"choices": [{"text": "x'),
    "a stream without text, with usage": lambda: streamed({"choices": [{"delta": {}, "finish_reason": "stop"}]}, LAST),
    "a stream that breaks off": lambda: streamed({"choices": [{"delta": {"content": "x"}, "text": "x"}]}),
    "no JSON": lambda: web.Response(text="<html>a page</html>"),
    "a connection that is dropped": lambda: None,
    LATE: lambda: said("", usage=USAGE),
}
FREE: dict[str, Callable[[], web.Response | None]] = {
    "too many requests": lambda: web.json_response({"error": {"message": "slow down"}}, status=429),
    "a server that failed": lambda: web.json_response({"error": {"message": "no"}}, status=500),
    "an error in a success": lambda: web.json_response({"error": {"message": "busy", "code": 503}}),
    "nothing made": lambda: web.json_response(
        {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}
    ),
}


class Dear:
    """A server of the demo's models whose `voter_a` makes tokens and loses them."""

    def __init__(self, lose: Callable[[], web.Response | None], at_most: float = float("inf")) -> None:
        self.lose, self.at_most = lose, at_most
        self.tries: Counter[str] = Counter()
        self.usage: dict[str, Any] = USAGE
        self.seconds = 0.1  # a kept connection that is lost at once was never read from
        self.is_over = False
        """Nobody waits for a reply any more."""

    async def answer(self, body: dict[str, Any], _: int) -> web.Response | None:
        prompt = prompt_of(body)
        if body["model"] == "voter_a":
            self.tries[prompt] += 1
            is_lost = self.tries[prompt] <= self.at_most
            end = asyncio.get_running_loop().time() + self.seconds
            while not self.is_over and (left := end - asyncio.get_running_loop().time()) > 0:
                await asyncio.sleep(min(left, 0.1))
            if is_lost:
                return self.lose()
        response = simulated(body, prompt)
        usage = self.usage if body["model"] == "voter_a" else USAGE
        return said(response.text, response.finish_reason, usage=usage)

    def configure(self, folder: Path, served: Served) -> None:
        config = model_config(served.base_url)
        dear = "model: voter_a, price: {input: 0, output: 1000}"
        config = config.replace("model: voter_a", dear) + f"\noutputs: {{sampling: {{max_tokens: {MADE}}}}}\n"
        (folder / "config.yaml").write_text(config)


def in_status(text: str) -> tuple[Any, Any]:
    """Tries for nothing and US dollars in all."""
    tries, dollars = re.search(r"paid for nothing: (\d+) tries", text), re.search(r"([\d.]+) USD in all", text)
    return int(tries[1]) if tries else 0, float(dollars[1]) if dollars else 0.0


@pytest.mark.parametrize("way", LOST)
def test_a_budget_holds_and_status_says_what_was_paid_whatever_becomes_of_the_replies(
    forks: Forks, tmp_path: Path, way: str
) -> None:
    dear = Dear(LOST[way])
    with serving(dear.answer) as served:
        dear.configure(tmp_path, served)
        command = ["run", "config.yaml", "--out", "run", "--budget", "0.1"]
        if way == LATE:
            dear.seconds = 3.0
            command.append("--set=models.careful.timeout=1.0")
        done = forks.run(tmp_path, command)
        assert done.returncode == 1, done.stderr
        assert "budget of 0.1 USD is used up" in done.stderr
        tries = dear.tries.total()
        assert 0 < tries * A_TRY <= 0.1
        assert in_status(forks.run(tmp_path, ["status", "run"]).stdout) == (tries, pytest.approx(tries * A_TRY))
        again = forks.run(tmp_path, command)
        assert "budget of 0.1 USD is used up" in again.stderr
        assert dear.tries.total() == tries, "what was paid before is not counted"
    done = forks.run(tmp_path, ["report", "run", "--json"])
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    (use,) = [use for use in report["models"] if use["wasted"]]
    assert (use["wasted"], use["cost"]) == (tries, pytest.approx(tries * A_TRY))


@pytest.mark.parametrize("way", FREE)
def test_what_nobody_charges_for_is_not_counted(forks: Forks, tmp_path: Path, way: str) -> None:
    dear = Dear(FREE[way], at_most=1)
    with serving(dear.answer) as served:
        dear.configure(tmp_path, served)
        done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run", "--budget", "1"])
        assert done.returncode == 0, done.stderr
    answers = len(dear.tries)
    assert dear.tries.total() == 2 * answers
    assert in_status(done.stdout) == (0, pytest.approx(answers * A_TRY, abs=1e-4))


def test_tries_that_came_to_an_answer_in_the_end_are_paid_too(forks: Forks, tmp_path: Path) -> None:
    dear = Dear(LOST["no text, with usage"], at_most=1)
    with serving(dear.answer) as served:
        dear.configure(tmp_path, served)
        done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run"])
        assert done.returncode == 0, done.stderr
    answers = len(dear.tries)
    assert in_status(done.stdout) == (answers, pytest.approx(2 * answers * A_TRY, abs=1e-4))
    assert f"{answers * A_TRY:.4f} of it for nothing" in done.stdout
    card = tmp_path / "card.md"
    assert forks.run(tmp_path, ["card", "run", "--to", card]).returncode == 0
    assert f"Beside these, {answers} tries were paid for" in card.read_text()


def test_what_was_paid_is_known_after_a_kill(forks: Forks, tmp_path: Path) -> None:
    dear = Dear(LOST["no JSON"])
    with serving(dear.answer) as served:
        dear.configure(tmp_path, served)
        with forks.at_work(tmp_path, "run", "config.yaml", "--out", "run") as process:
            wait_for(lambda: max(dear.tries.values(), default=0) > 1)
            process.send_signal(signal.SIGKILL)
            process.wait()
        # a request is tried again only when the store has its try before
        paid = sum(tries - 1 for tries in dear.tries.values())
        kept = stored(tmp_path / "run", "SELECT COUNT(*) FROM attempt")[0][0]
        assert 0 < paid <= kept <= dear.tries.total()
        asked = dear.tries.total()
        budget = f"{kept * A_TRY:.6f}"
        done = forks.run(tmp_path, ["run", "--out", "run", "--budget", budget])
        assert f"budget of {float(budget):g} USD is used up" in done.stderr
        assert dear.tries.total() == asked


def test_the_cost_that_a_server_states_is_what_a_budget_counts(forks: Forks, tmp_path: Path) -> None:
    """Each reply costs more than its price says, and only one is in flight."""
    dear = Dear(lambda: None, at_most=0)
    with serving(dear.answer) as served:
        dear.usage = {**USAGE, "cost": 0.25}
        dear.configure(tmp_path, served)
        one = "--set=models.careful.max_in_flight=1"
        done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run", one, "--budget", "1.1"])
        assert done.returncode == 1, done.stderr
        assert "budget of 1.1 USD is used up" in done.stderr
        assert dear.tries.total() == 4
        assert in_status(forks.run(tmp_path, ["status", "run"]).stdout) == (0, pytest.approx(1.0))
        assert forks.run(tmp_path, ["run", "--out", "run", one, "--budget", "9"]).returncode == 0
    answers = len(dear.tries)
    assert in_status(forks.run(tmp_path, ["status", "run"]).stdout) == (0, pytest.approx(answers * 0.25))


def test_what_is_dropped_by_a_second_stop_may_have_been_paid(forks: Forks, tmp_path: Path) -> None:
    dear = Dear(LOST[LATE])
    dear.seconds = 60.0
    with serving(dear.answer) as served:
        dear.configure(tmp_path, served)
        with forks.at_work(
            tmp_path, "run", "config.yaml", "--out", "run", "--set=models.careful.max_in_flight=2"
        ) as process:
            wait_for(lambda: dear.tries.total() == 2 and len(stored_outputs(tmp_path)) > 3)
            told_to_stop(process, signal.SIGINT)
            process.send_signal(signal.SIGINT)
            assert process.wait() == 1
        dear.is_over = True
    assert in_status(forks.run(tmp_path, ["status", "run"]).stdout) == (2, pytest.approx(2 * A_TRY))


def stored_outputs(folder: Path) -> list[tuple[Any, ...]]:
    """The answers of the other voter."""
    return stored(folder / "run", "SELECT key FROM request WHERE model = 'talkative'")
