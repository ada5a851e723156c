"""What a run has cost and will cost: tokens and money by model, step and kind, in `status` and in a plan."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.records import Response
from tests.support.forks import Forks, tree
from tests.support.servers.meter import (
    PRICES,
    Paid,
    Usage,
    as_made,
    cost,
    metered,
    priced_config,
    status,
    used,
)
from tests.support.servers.model import model_server
from tests.support.servers.reply import prompt_of


def test_status_prints_the_tokens_that_the_server_counted_and_their_cost(forks: Forks, paid: Paid) -> None:
    text = status(forks, paid.folder)
    found, meter = used(text), paid.counted
    assert {place[0] for place in found} == set(PRICES)
    assert {place for place in found if len(place) == 3} == set(meter.used)
    for place, line in found.items():
        assert [line.answers, line.prompt_tokens, line.completion_tokens] == meter.of(*place)
        assert line.cost == pytest.approx(meter.cost(*place), abs=6e-5)
        assert (line.failed, line.is_estimated) == (0, False)
    tokens = sum(sum(sums[1:]) for sums in meter.used.values())
    examples = paid.examples.count(b"\n")
    money = f"{meter.cost() / examples:.6f} USD, {meter.cost():.4f} USD in all"
    assert f"{tokens / examples:,.0f} tokens for each of {examples} examples and {money}" in text.splitlines()
    assert used(paid.out) == found


def test_a_request_that_failed_is_counted(forks: Forks, tmp_path: Path) -> None:
    filtered = 400, "blocked by our content policy"
    with model_server(fault=lambda number, _: filtered if number in (2, 4) else None) as server:
        (tmp_path / "config.yaml").write_text(priced_config(server.base_url))
        assert forks.run(tmp_path, ["run", "config.yaml", "--out", "run"]).returncode == 0
        found = used(status(forks, tmp_path))
        assert sum(line.answers for place, line in found.items() if len(place) == 1) == len(server.asked)
    assert found["base",].failed == 2


def uncounted(body: dict[str, Any], response: Response) -> Usage:
    """No usage from one voter, half a usage from the other."""
    counts = as_made(body, response)
    return {"base": counts, "voter_a": {}, "voter_b": {"prompt_tokens": counts["prompt_tokens"]}}[body["model"]]


def test_what_a_server_does_not_count_is_estimated_and_stays_marked(forks: Forks, tmp_path: Path) -> None:
    with metered(uncounted) as meter:
        (tmp_path / "config.yaml").write_text(priced_config(meter.served.base_url))
        done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run"])
        assert done.returncode == 0, done.stderr
        before = used(status(forks, tmp_path))
        asked = [prompt_of(body) for body in meter.served.bodies if body["model"] == "voter_a"]
        assert {place[0] for place, line in before.items() if line.is_estimated} == {"careful", "talkative"}
        assert not any(line.is_estimated for place, line in before.items() if place[0] == "base")
        assert before["careful",].prompt_tokens == sum(max(1, len(prompt.encode()) // 4) for prompt in asked)
        assert before["careful",].completion_tokens >= len(asked)
        assert before["talkative",].prompt_tokens == meter.of("talkative")[1]
        assert before["talkative",].completion_tokens > 0
        with closing(sqlite3.connect(tmp_path / "run" / "run.db")) as connection, connection:
            connection.execute("DELETE FROM request WHERE step = 'outputs' AND rowid % 3 = 0")
        assert used(status(forks, tmp_path)) != before
        for _ in range(2):
            done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run"])
            assert done.returncode == 0, done.stderr
            assert used(status(forks, tmp_path)) == used(done.stdout) == before


PLAN_ROW = re.compile(r"^(\w+) +(\w*) +([\w-]*) +(\d+) +(\d+) +(\d+) +(\d+\.\d\d)$", re.MULTILINE)


def test_a_dry_run_predicts_about_what_the_run_then_needs(forks: Forks, tmp_path: Path) -> None:
    with metered() as meter:
        config = priced_config(meter.served.base_url, 40, 20)
        dear = re.sub(r"(?<=put: )(\d+\.\d)", lambda price: f"{1e4 * float(price[1]):.1f}", config)
        (tmp_path / "config.yaml").write_text(dear)
        before = tree(tmp_path)
        dry = forks.run(tmp_path, ["run", "config.yaml", "--out", "run", "--dry-run"])
        assert (dry.returncode, dry.stderr, meter.asked) == (0, "", 0)
        assert tree(tmp_path) == before
        checked = forks.run(tmp_path, ["check", "config.yaml"])
        assert checked.returncode == 0, checked.stdout
        assert checked.stdout.startswith(dry.stdout)
        assert meter.asked == 8 * len(PRICES) + 2  # over chat too, where a model has no name that tells
        meter.used.clear()
        assert forks.run(tmp_path, ["run", "config.yaml", "--out", "run"]).returncode == 0
    *planned, whole = PLAN_ROW.findall(dry.stdout)
    assert {(name, step, kind) for step, kind, name, *_ in planned} == set(meter.used)
    for step, kind, name, requests, *_ in planned:
        assert 0.5 < meter.used[name, step, kind][0] / int(requests) < 2
    for number in range(2):
        assert 0.3 < meter.of()[number] / int(whole[3 + number]) < 3
    money = sum(1e4 * cost(row[2], int(row[4]), int(row[5])) for row in planned)
    assert float(whole[-1]) == pytest.approx(money, abs=0.1)
    assumed = dry.stdout.splitlines()[-1]
    for word in ("estimated", "bytes a token", "0.6 instructions", "0.8 instances", "replies of 30, 120 and 60 tokens"):
        assert word in assumed
