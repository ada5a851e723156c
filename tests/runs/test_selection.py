"""A finished run selects anew: as a run with those settings would have, or not at all; it is left able to go on."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.agreement.ballots import ballot
from tests.conftest import SIMULATED, Cli, rows
from tests.support.finished import stored


@pytest.fixture
def finished(finished_run: Path, tmp_path: Path) -> Path:
    """The folder `run`: a finished run that may be changed."""
    return shutil.copytree(finished_run, tmp_path / "run")


def selected(folder: Path) -> tuple[bytes, list[Any]]:
    """The examples, and what step 5 dropped."""
    dropped = "SELECT reason, text, detail, lower(hex(request)) FROM rejected WHERE step = 'ensemble' ORDER BY 2, 1"
    return (folder / "examples.jsonl").read_bytes(), stored(folder, dropped)


@pytest.mark.parametrize(
    "options",
    [
        ["--strategy", "consensus"],
        ["--strategy", "released"],
        ["--strategy", "balanced", "--keep", "0.6"],
        ["--min-confidence", "0.5"],
        ["--keep", "0.25"],
    ],
    ids=" ".join,
)
def test_a_finished_run_selects_anew_as_a_run_with_that_strategy_does(
    cli: Cli, tmp_path: Path, finished: Path, options: list[str]
) -> None:
    before = selected(finished)
    done = cli("ensemble", "--run", "run", *options)
    assert done.returncode == 0, done.stderr
    settings = [
        f"--set=ensemble.{name.removeprefix('--').replace('-', '_')}={value}"
        for name, value in zip(options[::2], options[1::2], strict=True)
    ]
    if "--strategy" not in options:
        settings.append(f"--set=ensemble.strategy={json.loads(_config(finished))['strategy']}")
    assert cli("run", SIMULATED, "--out", "fresh", *settings).returncode == 0
    assert selected(finished) == selected(tmp_path / "fresh") != before
    assert f"{len(rows(finished / 'examples.jsonl'))} examples in run/examples.jsonl" in done.stdout
    again = cli("run", "--out", "run")
    assert again.returncode == 0, again.stderr
    assert selected(finished) == selected(tmp_path / "fresh")


def _config(folder: Path) -> str:
    import yaml

    return json.dumps(yaml.safe_load((folder / "config.yaml").read_text("utf-8"))["ensemble"])


def test_each_example_says_how_all_outputs_agree(finished_run: Path) -> None:
    for row in rows(finished_run / "examples.jsonl"):
        outputs = [candidate["output"] for candidate in row["candidates"]]
        votes = ballot(outputs)
        assert row["matrix"] == [list(scores) for scores in votes.matrix]
        assert [candidate["score"] for candidate in row["candidates"]] == list(votes.scores)


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["--run", "run", "--keep", "0.5", "--min-confidence", "0.5"], "give either --min-confidence or --keep", 2),
        (["--run", "run", "--to", "x.jsonl"], "give either --run, or --instances, --outputs and --to", 2),
        (["--run", "nowhere"], "nowhere: is not a run folder", 2),
        (["--to", "x.jsonl"], "give --instances, --outputs and --to; to select anew", 2),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    cli: Cli, finished: Path, arguments: list[str], said: str, code: int
) -> None:
    before = selected(finished)
    done = cli("ensemble", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert said in done.stderr
    assert selected(finished) == before


INTERRUPTED = """
import os, signal, sys
from ensemble_instruct.runs import selecting as runs
from ensemble_instruct.steps import ensemble

at, how = sys.argv.pop(1), sys.argv.pop(1)

def stop(*_):
    os.kill(os.getpid(), getattr(signal, how))
    raise SystemExit("not stopped")

def at_row(number, work=ensemble.decide):
    calls = iter(range(10**9))
    return lambda *given, **named: stop() if next(calls) == number else work(*given, **named)

if at.isdigit():
    ensemble.decide = at_row(int(at))
else:
    setattr(runs, at, stop)
from ensemble_instruct.cli import main
sys.argv[0] = "ensemble-instruct"
main()
"""


@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL"])
@pytest.mark.parametrize("at", ["0", "30", "write_config", "write_examples"])
def test_a_selection_that_is_stopped_leaves_a_run_that_goes_on(
    cli: Cli, tmp_path: Path, finished: Path, at: str, how: str
) -> None:
    (tmp_path / "interrupted.py").write_text(INTERRUPTED)
    before = selected(finished)
    options = ["ensemble", "--run", "run", "--strategy", "consensus", "--keep", "0.3"]
    done = subprocess.run(
        [sys.executable, "interrupted.py", at, how, *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == (1 if how == "SIGINT" else -signal.SIGKILL)
    assert "Traceback" not in done.stderr
    exported = cli("export", "run", "--format", "original", "--to", "out.jsonl")
    if at.isdigit():
        assert selected(finished) == before
        assert exported.returncode == 0
    else:
        assert exported.returncode == 1, "a run between two selections is not finished"
    resumed = cli("run", "--out", "run")
    assert resumed.returncode == 0, resumed.stderr
    if at != "write_examples":
        assert selected(finished) == before
    assert cli(*options).returncode == 0
    assert cli("run", SIMULATED, "--out", "fresh", "--set=ensemble.strategy=consensus",
               "--set=ensemble.keep=0.3").returncode == 0  # fmt: skip
    assert selected(finished) == selected(tmp_path / "fresh")


def test_selecting_anew_reads_nothing_else_and_hides_no_other_change(cli: Cli, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.jsonl"
    with as_file(files("ensemble_instruct") / "data" / "seed_tasks.jsonl") as bundled:
        seeds.write_bytes(bundled.read_bytes())
    assert cli("run", SIMULATED, "--out", "run", "--set", "seed_tasks=seeds.jsonl").returncode == 0
    text = seeds.read_text("utf-8")
    seeds.unlink()
    done = cli("ensemble", "--run", "run", "--keep", "0.5")
    assert done.returncode == 0, done.stderr
    seeds.write_text(text.replace("Write", "Compose"), "utf-8")
    refused = cli("run", "--out", "run")
    assert refused.returncode == 2
    assert "seed_tasks" in refused.stderr
    assert "ensemble" not in refused.stderr.replace("ensemble-instruct", "")


@pytest.mark.parametrize("option", ["--keep", "--min-confidence", "--threshold"])
def test_nan_is_no_share(cli: Cli, option: str) -> None:
    done = cli("ensemble", "--run", "run", option, "nan")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nan is no number" in done.stderr
