"""The same config gives the same examples, whatever the timing; a window changes what step 1 shows its model."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations, groupby, pairwise
from pathlib import Path

import pytest

from ensemble_instruct.records import KINDS, Kind
from tests.conftest import rows
from tests.support.forks import Forks
from tests.support.processes import PATIENCE
from tests.support.servers.model import Asked, is_step_1, kind_of, model_config, model_server, shows_only_seeds

pytestmark = pytest.mark.slow

WINDOWS = (1, 8, 64)
RUNS = 5
TARGETS = {"input_output": 14, "output_only": 11}
MODELS = ("base", "careful", "talkative")


@dataclass(frozen=True, slots=True)
class Run:
    folder: Path
    base_url: str
    asked: list[Asked]

    @property
    def examples(self) -> bytes:
        return (self.folder / "examples.jsonl").read_bytes()

    @property
    def prompts_of_step_1(self) -> list[tuple[str, int]]:
        return sorted((request.prompt, request.seed or 0) for request in self.asked if is_step_1(request.prompt))


@pytest.fixture(scope="module")
def runs(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[Run]]:
    """For each window five runs, each against a server of its own with other latencies, with another concurrency."""
    place = tmp_path_factory.mktemp("runs")
    with ThreadPoolExecutor(2) as pool:
        made = {
            window: [
                pool.submit(run_once, forks, place / f"{window}-{number}", window, number) for number in range(RUNS)
            ]
            for window in WINDOWS
        }
        return {window: [run.result() for run in of_window] for window, of_window in made.items()}


def run_once(forks: Forks, folder: Path, window: int, number: int) -> Run:
    with model_server(delay=0.02, seed=number) as server:
        config = folder.with_suffix(".yaml")
        config.write_text(model_config(server.base_url, **TARGETS, window=window), encoding="utf-8")
        in_flight = 1 << number
        settings = [word for name in MODELS for word in ("--set", f"models.{name}.max_in_flight={in_flight}")]
        log = folder.with_suffix(".log")
        with forks.started(folder.parent, log, "run", config, "--out", folder, *settings) as process:
            assert process.wait(PATIENCE) == 0, log.read_text()
        return Run(folder, server.base_url, server.asked)


@pytest.mark.parametrize("window", WINDOWS)
def test_latency_concurrency_and_port_change_nothing(runs: dict[int, list[Run]], window: int) -> None:
    of_window = runs[window]
    assert len({run.base_url for run in of_window}) == RUNS
    assert len({run.examples for run in of_window}) == 1
    assert of_window[0].examples.count(b"\n") > 20
    questions = {tuple(sorted((one.model, one.prompt, one.seed or 0) for one in run.asked)) for run in of_window}
    assert len(questions) == 1


def test_replies_did_arrive_in_another_order_in_each_run(runs: dict[int, list[Run]]) -> None:
    orders = {tuple((one.model, one.prompt) for one in run.asked) for run in runs[8]}
    assert len(orders) > 1


def test_the_window_decides_how_many_requests_see_only_seeds(runs: dict[int, list[Run]]) -> None:
    for first, second in combinations(WINDOWS, 2):
        assert runs[first][0].prompts_of_step_1 != runs[second][0].prompts_of_step_1
    for kind in KINDS:
        blind = [
            sum(kind_of(prompt) == kind and shows_only_seeds(prompt) for prompt, _ in runs[window][0].prompts_of_step_1)
            for window in WINDOWS
        ]
        assert blind == [min(window, TARGETS[kind]) for window in WINDOWS]


@pytest.mark.parametrize("window", WINDOWS)
def test_rows_stand_in_the_order_of_their_instructions_and_a_follow_on_after_its_parent(
    runs: dict[int, list[Run]], window: int
) -> None:
    folder = runs[window][0].folder
    examples = rows(folder / "examples.jsonl")
    kinds = [row["kind"] for row in examples]
    assert kinds == sorted(kinds)
    assert set(kinds) == set(KINDS)
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        expected = [task for kind in KINDS for task in instances_in_order(connection, kind)]
    places = [expected.index((row["instruction"], row["input"])) for row in examples]
    assert places == sorted(places)
    assert any(row["follow_on"] for row in examples)


def instances_in_order(connection: sqlite3.Connection, kind: Kind) -> Iterator[tuple[str, str]]:
    """(instruction, input) of the instances of a kind, while it is shown that they stand in the order of step 1."""
    made = connection.execute("SELECT text FROM instruction WHERE kind = ? ORDER BY position", (kind,)).fetchall()
    instances = connection.execute(
        "SELECT completion, follow_on, instruction, input FROM instance WHERE kind = ? ORDER BY position", (kind,)
    ).fetchall()
    parents = [made.index((instruction,)) for _, follow_on, instruction, _ in instances if not follow_on]
    assert parents == sorted(parents)
    completions = [completion for completion, _ in groupby(instances, key=lambda row: row[0])]
    assert len(completions) == len(set(completions)), "the tasks of a completion do not stand together"
    for before, after in pairwise(instances):
        assert before[0] != after[0] or before[1] < after[1], "a follow-on stands before its parent"
    for _, _, instruction, given in instances:
        yield instruction, given
