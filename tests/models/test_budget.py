"""A budget: no start spends more, what was paid for is kept, and a higher one goes on."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.records import Response
from tests.support.forks import Forks, tree
from tests.support.servers.meter import Paid, Usage, cost, metered, priced_config
from tests.support.servers.model import is_step_1, model_config
from tests.support.servers.reply import prompt_of, said, serving


def spent(folder: Path) -> float:
    """What the answers in the store cost."""
    if not (folder / "run.db").exists():
        return 0.0
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        sums = connection.execute("SELECT model, SUM(prompt_tokens), SUM(completion_tokens) FROM request GROUP BY 1")
        return sum(cost(name, tokens_in or 0, tokens_out or 0) for name, tokens_in, tokens_out in sums)


def stopped_for_money(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert re.search("budget of .* is used up.* kept.*same command.*higher --budget", done.stderr)


def test_no_start_passes_the_budget_and_a_higher_one_goes_on(forks: Forks, tmp_path: Path) -> None:
    """Three models, with many requests in flight at each."""
    with metered(delay=0.02) as meter:
        (tmp_path / "config.yaml").write_text(priced_config(meter.served.base_url, 24, 12))
        command = ["run", "config.yaml", "--out"]
        assert forks.run(tmp_path, [*command, "free"]).returncode == 0
        whole, needed = meter.cost(), meter.asked
        before, folder = 0.0, tmp_path / "run"
        for share in (0.25, 0.5, 0.9):
            stopped_for_money(forks.run(tmp_path, [*command, "run", "--budget", f"{share * whole:.8f}"]))
            assert before < spent(folder) <= share * whole
            assert spent(folder) == pytest.approx(meter.cost() - whole), "not all that was paid for is kept"
            before = spent(folder)
        done = forks.run(tmp_path, [*command, "run", "--budget", f"{whole + 0.05:.8f}"])
        assert done.returncode == 0, done.stderr
        assert meter.asked == 2 * needed
        assert spent(folder) == pytest.approx(whole)
    assert (folder / "examples.jsonl").read_bytes() == (tmp_path / "free" / "examples.jsonl").read_bytes()


DEAR: dict[str, Callable[[str], int]] = {
    "a token a byte": lambda prompt: len(prompt.encode()),
    "step 1 in another script": lambda prompt: len(prompt.encode()) // (4 if is_step_1(prompt) else 1),
}


@pytest.mark.parametrize("tokens", DEAR)
def test_a_budget_holds_whatever_the_tokenizer(forks: Forks, tmp_path: Path, tokens: str) -> None:
    """Every reply is as long as it may be."""

    def counting(body: dict[str, Any], _: Response) -> Usage:
        return {"prompt_tokens": DEAR[tokens](prompt_of(body)), "completion_tokens": body["max_tokens"]}

    passed = {}
    with metered(counting, delay=0.02) as meter:
        limits = [f"--set={step}.sampling.max_tokens=16" for step in ("instructions", "instances", "outputs")]
        (tmp_path / "config.yaml").write_text(priced_config(meter.served.base_url))
        for budget in (0.004, 0.012, 0.03, 0.05):
            done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run", f"--budget={budget}", *limits])
            stopped_for_money(done)
            if spent(tmp_path / "run") > budget:
                passed[budget] = spent(tmp_path / "run")
    assert not passed


def test_a_budget_too_small_for_one_request_asks_nothing(forks: Forks, tmp_path: Path) -> None:
    with metered() as meter:
        (tmp_path / "config.yaml").write_text(priced_config(meter.served.base_url))
        before = tree(tmp_path)
        stopped_for_money(forks.run(tmp_path, ["run", "config.yaml", "--out", "run", "--budget", "1e-9"]))
        assert meter.asked == 0
    assert tree(tmp_path) == before


def test_a_lower_budget_than_was_spent_asks_nothing_more(forks: Forks, paid: Paid, tmp_path: Path) -> None:
    shutil.copytree(paid.folder / "run", tmp_path / "run")
    asked, command = paid.counted.asked, ["run", "--out", "run", "--budget", "0.0001"]
    assert forks.run(tmp_path, command).returncode == 0
    with closing(sqlite3.connect(tmp_path / "run" / "run.db")) as connection, connection:
        connection.execute("DELETE FROM request WHERE step = 'outputs'")
    stopped_for_money(forks.run(tmp_path, command))
    assert paid.counted.asked == asked


@pytest.mark.parametrize("budget", ["0", "-1", "x", "nan"])
def test_what_is_no_sum_of_money_is_refused(forks: Forks, paid: Paid, tmp_path: Path, budget: str) -> None:
    shutil.copy(paid.folder / "config.yaml", tmp_path)
    assert "--budget" in forks.refused(tmp_path, "run", "config.yaml", "--out", "run", f"--budget={budget}")


def test_a_budget_without_any_price_is_refused(forks: Forks, tmp_path: Path) -> None:
    with serving(lambda *_: said("x")) as served:
        (tmp_path / "config.yaml").write_text(model_config(served.base_url))
        told = forks.refused(tmp_path, "run", "config.yaml", "--out", "run", "--budget", "5")
        assert served.paths == []
    assert "price" in told


def test_the_price_of_one_model_is_enough_for_a_budget(forks: Forks, tmp_path: Path) -> None:
    with metered() as meter:
        config = model_config(meter.served.base_url, 24, 12)
        (tmp_path / "config.yaml").write_text(config.replace("model: voter_a", "model: voter_a, price: {input: 3.0}"))
        command = ["run", "config.yaml", "--out", "run", "--budget"]
        stopped_for_money(forks.run(tmp_path, [*command, "0.0015"]))
        assert 0 < meter.of("careful")[1] * 3.0 / 1e6 <= 0.0015
        assert forks.run(tmp_path, [*command, "5"]).returncode == 0
