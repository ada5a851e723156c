"""What a run has cost and will cost: tokens and money by model, step and kind, budgets, plans, and `status`."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import sqlite3
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import web

from ensemble_instruct.records import Kind, Request, Response, Sampling, Step
from ensemble_instruct.store.database import APPLICATION_ID, MIGRATIONS
from ensemble_instruct.store.reading import reading
from ensemble_instruct.viewer.queries import ExampleFilter, example_detail, examples_page, overview
from tests.support.forks import Forks, tree
from tests.support.servers.model import MODELS, is_step_1, kind_of, model_config, model_server
from tests.support.servers.reply import Served, prompt_of, said, serving

PRICES = {"base": (1.0, 4.0), "careful": (3.0, 15.0), "talkative": (0.5, 0.0)}
"""US dollars per million tokens in and out."""
SERVED = {"base": "base", "careful": "voter_a", "talkative": "voter_b"}
USED = r"(\d+) answers(?:, (\d+) failed)?, ([\d,]+) tokens in, ([\d,]+) out(, estimated)?(?:, (\d+\.\d{4}) USD)?"

Place = tuple[str, Step, Kind]
Usage = dict[str, int]
Counting = Callable[[dict[str, Any], Response], Usage]
"""The `usage` that a server gives with a reply to a body; empty: none."""


class Used(NamedTuple):
    """A line of `status` about tokens."""

    answers: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    is_estimated: bool
    cost: float


@dataclass
class Meter:
    """A server of the demo's models, and the tokens that it counted."""

    served: Served = field(default_factory=Served)
    used: dict[Place, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    """Answers, tokens in and tokens out, by model, step and kind."""

    @property
    def asked(self) -> int:
        return len(self.served.bodies)

    def of(self, *place: str) -> list[int]:
        """The sums of a model, or of a model, step and kind."""
        used = [sums for at, sums in self.used.items() if at[: len(place)] == place]
        return [sum(column) for column in zip(*used, strict=True)]

    def cost(self, *place: str) -> float:
        return sum(cost(at[0], *used[1:]) for at, used in self.used.items() if at[: len(place)] == place)


def cost(name: str, prompt_tokens: int, completion_tokens: int) -> float:
    return (prompt_tokens * PRICES[name][0] + completion_tokens * PRICES[name][1]) / 1e6


def place_of(prompt: str) -> tuple[Step, Kind]:
    if is_step_1(prompt):
        return "instructions", kind_of(prompt)
    if prompt.startswith("instruction: "):
        return "instances", kind_of(prompt)
    return "outputs", "input_output" if prompt.partition("\n")[2] else "output_only"


def as_made(_: dict[str, Any], response: Response) -> Usage:
    return {"prompt_tokens": response.prompt_tokens or 0, "completion_tokens": response.completion_tokens or 0}


@contextmanager
def metered(counting: Counting = as_made, delay: float = 0.0) -> Iterator[Meter]:
    """A server that keeps count; each reply takes up to `delay` seconds."""
    meter, rng = Meter(), random.Random(0)
    names = {served: name for name, served in SERVED.items()}

    async def answering(body: dict[str, Any], _: int) -> web.Response:
        prompt = prompt_of(body)
        await asyncio.sleep(rng.uniform(0, delay))
        request = Request(
            prompt=prompt,
            sampling=Sampling(max_tokens=body["max_tokens"], seed=body.get("seed")),
            step="instructions",
            kind=kind_of(prompt),
        )
        response = MODELS[body["model"]](request)
        counted = counting(body, response)
        sums = meter.used[(names[body["model"]], *place_of(prompt))]
        for number, count in enumerate((1, counted.get("prompt_tokens", 0), counted.get("completion_tokens", 0))):
            sums[number] += count
        return said(response.text, response.finish_reason, **({"usage": counted} if counted else {}))

    with serving(answering) as meter.served:
        yield meter


def priced_config(base_url: str, input_output: int = 6, output_only: int = 5) -> str:
    config = model_config(base_url, input_output, output_only).replace("  window", "  mean_similarity: true\n  window")
    for name, (tokens_in, tokens_out) in PRICES.items():
        price = f"price: {{input: {tokens_in}, output: {tokens_out}}}"
        config = config.replace(f"model: {SERVED[name]}", f"model: {SERVED[name]}, {price}")
    return config


def used(text: str) -> dict[tuple[str, ...], Used]:
    """The lines about tokens that `status` prints, by model, and by model, step and kind."""
    found: dict[tuple[str, ...], Used] = {}
    model = ""
    for line in text.splitlines():
        if match := re.fullmatch(rf"(?:model ([\w-]+)|  (\w+) (\w+)): {USED}", line):
            model, step, kind, *rest = match[1] or model, *match.groups()[1:]
            place = (model, step, kind) if step else (model,)
            answers, failed, tokens_in, tokens_out = (int((count or "0").replace(",", "")) for count in rest[:4])
            found[place] = Used(answers, failed, tokens_in, tokens_out, bool(rest[4]), float(rest[5] or 0))
    return found


def spent(folder: Path) -> float:
    """What the answers in the store cost."""
    if not (folder / "run.db").exists():
        return 0.0
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        sums = connection.execute("SELECT model, SUM(prompt_tokens), SUM(completion_tokens) FROM request GROUP BY 1")
        return sum(cost(name, tokens_in or 0, tokens_out or 0) for name, tokens_in, tokens_out in sums)


class Paid(NamedTuple):
    """A finished run, its server, what the run printed at its end, and its examples."""

    folder: Path
    meter: Meter
    out: str
    examples: bytes


@pytest.fixture(scope="module")
def paid(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paid]:
    folder = tmp_path_factory.mktemp("paid")
    with metered() as meter:
        (folder / "config.yaml").write_text(priced_config(meter.served.base_url))
        done = forks.run(folder, ["run", "config.yaml", "--out", "run"])
        assert (done.returncode, done.stderr) == (0, "")
        yield Paid(folder, meter, done.stdout, (folder / "run" / "examples.jsonl").read_bytes())


def status(forks: Forks, folder: Path, run: str = "run") -> str:
    done = forks.run(folder, ["status", run])
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_status_prints_the_tokens_that_the_server_counted_and_their_cost(forks: Forks, paid: Paid) -> None:
    text = status(forks, paid.folder)
    found, meter = used(text), paid.meter
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


def of_version_1(source: Path, folder: Path) -> Path:
    """The same run as the first version of the program would have left it."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("run.db*"))
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        connection.executescript(f"{MIGRATIONS[0]} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=1;")
        connection.execute("ATTACH ? AS newer", (str(source / "run.db"),))
        for (table,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
            columns = ", ".join(f'"{row[1]}"' for row in connection.execute(f"PRAGMA main.table_info({table})"))
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}")
        connection.execute("DELETE FROM main.meta WHERE name = 'servers'")
        connection.commit()
    return folder


def schema(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def seen(folder: Path) -> list[Any]:
    """What the viewer shows of a run."""
    with reading(folder / "run.db") as connection:
        page = examples_page(connection, ExampleFilter(), 0, 100)
        return [overview(connection), page, *(example_detail(connection, row["id"]) for row in page["rows"])]


def test_a_run_of_the_first_schema_is_read_and_left_as_it_is(forks: Forks, paid: Paid, tmp_path: Path) -> None:
    folder = of_version_1(paid.folder / "run", tmp_path / "run")
    expected, found = status(forks, paid.folder), status(forks, tmp_path)
    assert found.splitlines()[:-1] == [line for line in expected.splitlines()[:-1] if not line.startswith("  server ")]
    assert seen(folder) == seen(paid.folder / "run")
    exported = []
    for place, name in ((paid.folder, "expected.jsonl"), (tmp_path, "found.jsonl")):
        done = forks.run(place, ["export", "run", "--format", "messages", "--to", str(tmp_path / name)])
        assert done.returncode == 0, done.stderr
        exported.append((tmp_path / name).read_bytes())
    assert exported[0] == exported[1] != b""
    assert schema(folder) == 1


def test_a_run_of_the_first_schema_goes_on_in_the_newest(forks: Forks, paid: Paid, tmp_path: Path) -> None:
    folder = of_version_1(paid.folder / "run", tmp_path / "run")
    with closing(sqlite3.connect(folder / "run.db")) as connection, connection:
        gone = connection.execute("DELETE FROM request WHERE rowid % 4 = 0").rowcount
        connection.execute("UPDATE meta SET value = 'running' WHERE name = 'state'")
    (folder / "examples.jsonl").unlink()
    assert status(forks, tmp_path).splitlines()[-1].startswith("stopped; ")
    before = paid.meter.asked
    done = forks.run(tmp_path, ["run", "--out", "run"])
    assert (done.returncode, done.stderr) == (0, "")
    assert paid.meter.asked - before == gone > 0
    assert (folder / "examples.jsonl").read_bytes() == paid.examples
    assert schema(folder) == len(MIGRATIONS)
    assert used(done.stdout) == used(paid.out)


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
    asked, command = paid.meter.asked, ["run", "--out", "run", "--budget", "0.0001"]
    assert forks.run(tmp_path, command).returncode == 0
    with closing(sqlite3.connect(tmp_path / "run" / "run.db")) as connection, connection:
        connection.execute("DELETE FROM request WHERE step = 'outputs'")
    stopped_for_money(forks.run(tmp_path, command))
    assert paid.meter.asked == asked


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
        assert meter.asked == 8 * len(PRICES)
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
