"""What each command does for its user: init, check, run, status, export, and how a run is watched."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ensemble_instruct.config.bundled import preset_names
from ensemble_instruct.config.load import load_config
from ensemble_instruct.records import STEPS
from ensemble_instruct.rouge import lcs_f1, pairwise_mean, word_tokens
from ensemble_instruct.steps.seed_tasks import load_seed_tasks
from ensemble_instruct.version import __version__
from tests.conftest import COMMAND, SIMULATED, Cli, rows
from tests.support.forks import Forks, tree
from tests.support.processes import PATIENCE, started, terminal_environment, wait_for
from tests.support.servers.model import ModelServer, model_config, model_server
from tests.support.servers.reply import refused, said, serving

pytestmark = pytest.mark.slow

PLAN_ROW = re.compile(r"^(\w+) +(\w*) +([\w-]*) +(\d+) +(\d+) +(\d+) +(\d+\.\d\d)$", re.MULTILINE)


@dataclass
class Held:
    """A run in its middle: its server answers no more until it is let go on."""

    folder: Path
    server: ModelServer
    process: subprocess.Popen[str]
    answered: int


@pytest.fixture(scope="module", autouse=True)
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """Started before the first test, as it takes a while until the first line about a run is due."""
    folder, answered = tmp_path_factory.mktemp("held"), 40
    with model_server(hold_after=answered) as server:
        (folder / "config.yaml").write_text(model_config(server.base_url, 20, 10))
        with started(folder, "run", "config.yaml", "--out", "run") as process:
            server.wait_until_asked(answered + 1)
            yield Held(folder, server, process, answered)


@pytest.mark.parametrize("preset", preset_names())
def test_init_writes_each_preset_with_comments_and_it_loads(forks: Forks, tmp_path: Path, preset: str) -> None:
    done = forks.run(tmp_path, ["init", "--preset", preset, "my.yaml"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "my.yaml" in done.stdout
    assert (tmp_path / "my.yaml").read_text().count("#") >= 3
    assert load_config(tmp_path / "my.yaml").roles.outputs
    assert len(list(tmp_path.iterdir())) == 1


def test_init_explains_every_section(forks: Forks, tmp_path: Path) -> None:
    assert forks.run(tmp_path, ["init", "my.yaml"]).returncode == 0
    text = (tmp_path / "my.yaml").read_text()
    for section in ("seed", "profile", "seed_tasks", "instructions", "models", "roles", "ensemble"):
        assert re.search(rf"^{section}:", text, re.MULTILINE)
    assert sum("#" in line for line in text.splitlines()) > 15


def test_init_does_not_overwrite(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("mine")
    assert "my.yaml: exists already" in forks.refused(tmp_path, "init", "my.yaml")


def test_version_and_module_start(tmp_path: Path) -> None:
    for command in ([COMMAND], [sys.executable, "-m", "ensemble_instruct"]):
        done = subprocess.run([*command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout == f"ensemble-instruct, version {__version__}\n"


def planned(text: str) -> tuple[list[tuple[str, ...]], list[float]]:
    """The rows of a printed plan, and its last one, the sums."""
    found = PLAN_ROW.findall(text)
    return found[:-1], [float(number) for number in found[-1][3:]]


PRICE = "price: {input: 1000, output: 30000}"


def test_check_prints_the_plan_with_its_cost_and_a_word_of_each_model(forks: Forks, tmp_path: Path) -> None:
    with model_server() as server:
        config = model_config(server.base_url, 30, 20).replace("model: base}", f"model: base, {PRICE}}}")
        (tmp_path / "config.yaml").write_text(re.sub(r"(model: voter_.)", r"\1, price: {input: 0, output: 0}", config))
        done = forks.run(tmp_path, ["check", "config.yaml"])
        assert {asked.model for asked in server.asked} == {"base", "voter_a", "voter_b"}
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("base", "careful", "talkative"):
        assert re.search(rf"^model {name} says '.+' \(seed .+, top_k .+, min_tokens .+\)$", done.stdout, re.MULTILINE)
    plan, totals = planned(done.stdout)
    assert [(step, kind, model) for step, kind, model, *_ in plan] == [
        (step, kind, model)
        for kind in ("input_output", "output_only")
        for step, model in [("instructions", "base"), ("instances", "base"), ("outputs", "careful"),
                            ("outputs", "talkative")]
    ]  # fmt: skip
    numbers = [[float(number) for number in row[3:]] for row in plan]
    assert [row[3] for row in plan if row[0] == "instances"] == ["30", "20"]
    for row, (_, tokens_in, tokens_out, cost) in zip(plan, numbers, strict=True):
        assert tokens_in > 0
        assert tokens_out > 0
        dollars = (1000 * tokens_in + 30000 * tokens_out) / 1e6 if row[2] == "base" else 0.0
        assert cost == pytest.approx(dollars, abs=0.006)
    for column, total in zip(zip(*numbers, strict=True), totals, strict=True):
        assert total == pytest.approx(sum(column), abs=0.05)
    assert totals[3] > 0
    assert tree(tmp_path).keys() == {tmp_path / "config.yaml"}


def test_check_names_the_model_that_does_not_answer(forks: Forks, tmp_path: Path) -> None:
    with model_server() as server, serving(lambda *_: refused("no such model", 404)) as broken:
        config = model_config(server.base_url).replace(
            f"talkative: {{base_url: {server.base_url}", f"talkative: {{base_url: {broken.base_url}"
        )
        (tmp_path / "config.yaml").write_text(config)
        done = forks.run(tmp_path, ["check", "config.yaml"])
    assert done.returncode == 2
    assert re.fullmatch("error: .*talkative.*\n", done.stderr)
    assert "base," not in done.stderr
    assert "model base says" in done.stdout
    assert "no such model" in done.stdout + done.stderr


def test_check_of_a_key_that_is_not_set_is_one_line(forks: Forks, tmp_path: Path) -> None:
    with model_server() as server:
        config = model_config(server.base_url).replace("model: base}", "model: base, api_key_env: MY_OWN_KEY}")
        (tmp_path / "config.yaml").write_text(config)
        done = forks.run(tmp_path, ["check", "config.yaml"])
    assert done.returncode == 2
    assert re.fullmatch("error: .*MY_OWN_KEY.*\n", done.stderr)


def test_a_dry_run_asks_nothing_and_writes_nothing(forks: Forks, tmp_path: Path) -> None:
    with serving(lambda *_: said("x")) as served:
        config = re.sub(r"(model: \w+)", r"\1, price: {input: 0, output: 0}", model_config(served.base_url))
        (tmp_path / "config.yaml").write_text(config)
        before = tree(tmp_path)
        done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run", "--dry-run"])
        assert served.paths == []
    assert (done.returncode, done.stderr) == (0, "")
    plan, totals = planned(done.stdout)
    assert sum(int(row[3]) for row in plan) == totals[0] > 0
    assert tree(tmp_path) == before


def test_set_overrides_the_config_and_the_run_remembers_it(forks: Forks, tmp_path: Path) -> None:
    with model_server() as server:
        (tmp_path / "config.yaml").write_text(model_config("http://127.0.0.1:9/v1"))
        names = ("base", "careful", "talkative")
        moved = [part for name in names for part in ("--set", f"models.{name}.base_url={server.base_url}")]
        target = ["--set", "instructions.target.output_only=0", "--set", "ensemble.min_confidence=0"]
        done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run", *moved, *target])
    assert done.returncode == 0, done.stderr
    assert {row["kind"] for row in rows(tmp_path / "run" / "examples.jsonl")} == {"input_output"}
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert {kept["models"][name]["base_url"] for name in names} == {server.base_url}
    assert kept["ensemble"]["min_confidence"] == 0


def answers(forks: Forks, folder: Path) -> int:
    """How many answers `status` counts, over all models."""
    done = forks.run(folder, ["status", "run"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("running; ")
    return sum(int(count) for count in re.findall(r"^model [\w-]+: (\d+) answers", done.stdout, re.MULTILINE))


def test_status_of_a_run_at_work_counts_what_was_answered(forks: Forks, held: Held) -> None:
    wait_for(lambda: answers(forks, held.folder) == held.answered)
    text = forks.run(held.folder, ["status", "run"]).stdout
    line = r"^\w+ +instructions .*: (\d+) instructions kept of (?:20|10) wanted"
    made = [int(number) for number in re.findall(line, text, re.MULTILINE)]
    assert len(made) == 2
    assert 0 < sum(made) <= 30


def test_a_second_run_in_the_folder_of_a_running_one_is_refused(forks: Forks, held: Held) -> None:
    done = forks.run(held.folder, ["run", "config.yaml", "--out", "run"])
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "another process" in done.stderr


def test_an_unfinished_run_is_exported_only_in_part(forks: Forks, held: Held) -> None:
    export = ["export", "run", "--format", "alpaca", "--to", "part.json"]
    done = forks.run(held.folder, export)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "--partial" in done.stderr
    assert not (held.folder / "part.json").exists()
    done = forks.run(held.folder, [*export, "--partial", "--allow-empty"])
    assert done.returncode == 0
    assert done.stdout == f"{len(json.loads((held.folder / 'part.json').read_text()))} examples in part.json\n"


def _read_terminal(terminal: int) -> str:
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:  # the other end is closed
        return ""


def test_a_run_on_a_terminal_shows_a_bar_for_each_step(tmp_path: Path) -> None:
    terminal, other_end = pty.openpty()
    termios.tcsetwinsize(other_end, (50, 160))
    wide = {**terminal_environment(), "COLUMNS": "160", "LINES": "50"}
    with model_server(hold_after=60) as server:
        (tmp_path / "config.yaml").write_text(model_config(server.base_url, 20, 10))
        with started(tmp_path, "run", "config.yaml", "--out", "run", stderr=other_end, env=wide) as process:
            os.close(other_end)
            shown = ""
            while not all(f"{step} {kind}" in shown for step in STEPS for kind in ("input_output", "output_only")):
                more = _read_terminal(terminal)
                assert more, shown
                shown += more
            server.go_on()
            while more := _read_terminal(terminal):
                shown += more
            out, _ = process.communicate(timeout=PATIENCE)
    os.close(terminal)
    assert process.returncode == 0
    assert "\x1b[" in shown
    assert " dropped" in shown
    assert re.search(r"\d+ requests, [\d.]+/s, [\d,]+ tokens", shown)
    assert "\x1b" not in out
    assert re.fullmatch(r"\d+ examples in run/examples.jsonl after [\d.]+ s", out.splitlines()[-1])


def test_a_run_of_simulated_models_makes_the_same_examples_again(cli: Cli, tmp_path: Path, finished_run: Path) -> None:
    done = cli("run", SIMULATED, "--out", "second")
    assert done.returncode == 0, done.stderr
    assert "simulated" in done.stdout + done.stderr
    examples = rows(finished_run / "examples.jsonl")
    assert len(examples) >= 40
    assert {row["kind"] for row in examples} == {"input_output", "output_only"}
    assert f"{len(examples)} examples in second/examples.jsonl" in done.stdout
    assert (tmp_path / "second" / "examples.jsonl").read_bytes() == (finished_run / "examples.jsonl").read_bytes()


def test_a_run_without_a_terminal_says_in_plain_lines_how_far_it_is(forks: Forks, held: Held) -> None:
    assert held.process.stderr is not None
    # the server holds its requests back: a warning may tell of it before, and one of them is asked again
    line = next(line for line in held.process.stderr if not line.startswith("warning: "))
    held.server.go_on()
    out, err = held.process.communicate(timeout=PATIENCE)
    assert held.process.returncode == 0
    assert re.search(r"\binstructions \d+ kept", line)
    requests = re.search(
        r"\b(\d+) requests, [\d.]+/s, [\d,]+ tokens, \d+ in flight(?:, tried again: 1x overdue)?$", line.rstrip("\n")
    )
    assert requests
    assert 0 < int(requests[1]) <= held.answered
    assert "\x1b" not in line + out + err
    assert "\r" not in line + out + err
    status = forks.run(held.folder, ["status", "run"]).stdout
    assert status.splitlines()[-1].startswith("finished; ")
    examples = len(rows(held.folder / "run" / "examples.jsonl"))
    assert sum(int(kept) for kept in re.findall(r"ensemble .*: (\d+) examples kept", status)) == examples
    said_last = out.splitlines()[-1]
    assert re.fullmatch(rf"{examples} examples in run/examples.jsonl after [\d.]+ s", said_last)
    assert out.splitlines()[:-2] == status.splitlines()[:-1]


def test_the_mean_similarity_of_an_instruction_is_made_where_it_is_asked_for(cli: Cli, tmp_path: Path) -> None:
    command = ("instructions", SIMULATED, "--kind", "output_only", "--set", "instructions.target.output_only=8")
    made = []
    for name, options in (("without", ()), ("with", ("--set", "instructions.mean_similarity=true"))):
        assert cli(*command, *options, "--to", name, "--store", "store.db").returncode == 0
        made.append(list(rows(tmp_path / name)))
    pool = [task.instruction for task in load_seed_tasks() if task.kind == "output_only"]
    for without, same in zip(*made, strict=True):
        text = same["instruction"]
        scores = [lcs_f1(word_tokens(other), word_tokens(text)) for other in pool]
        assert same["avg_similarity_score"] == pairwise_mean(scores)
        assert list(same["most_similar"].values()) == sorted(scores, reverse=True)[:10]
        assert without == same | {"avg_similarity_score": None}
        pool.append(text)
