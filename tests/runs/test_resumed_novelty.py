"""What a resumed run says its instructions are similar to is what it would say had it never been stopped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SIMULATED, Cli
from tests.support.finished import change, stored


def instructions(folder: Path) -> list[Any]:
    """The records of step 1."""
    return stored(folder, "SELECT * FROM instruction ORDER BY kind, position")


@pytest.fixture
def finished(finished_run: Path, tmp_path: Path) -> list[Any]:
    """The records of a run that was never stopped, in the folder `run`."""
    return instructions(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.mark.parametrize("kept", [0, 1, 17, 40])
def test_a_run_stopped_anywhere_ends_with_the_same_records(
    cli: Cli, tmp_path: Path, finished: list[Any], kept: int
) -> None:
    change(tmp_path / "run", f"DELETE FROM instruction WHERE position >= {kept}")
    assert cli("run", "--out", "run", SIMULATED).returncode == 0
    assert instructions(tmp_path / "run") == finished


def test_records_that_do_not_fit_are_made_anew_from_there(cli: Cli, tmp_path: Path, finished: list[Any]) -> None:
    change(
        tmp_path / "run",
        "UPDATE instruction SET text = 'another', most_similar = '[]' WHERE position = 9",
    )
    change(tmp_path / "run", "UPDATE instruction SET most_similar = '[]' WHERE position > 9")
    assert cli("run", "--out", "run", SIMULATED).returncode == 0
    assert instructions(tmp_path / "run") == finished


@pytest.mark.parametrize(
    "setting", ["instructions.novelty_threshold=0.5", "seed_tasks=seeds.jsonl", "instructions.against=[known.jsonl]"]
)
def test_another_pool_takes_nothing_from_before(cli: Cli, tmp_path: Path, finished: list[Any], setting: str) -> None:
    (tmp_path / "known.jsonl").write_text('{"instruction": "Sort the numbers of a list from large to small"}\n')
    source = Path(shutil.copy(_bundled_seeds(), tmp_path / "seeds.jsonl"))
    source.write_text(source.read_text("utf-8").replace("Write", "Compose"), "utf-8")
    for out, options in (("run", ["--force"]), ("fresh", [])):
        done = cli("run", "--out", out, SIMULATED, "--set", setting, "--set", "licenses.policy=any", *options)
        assert done.returncode == 0, done.stderr
    assert instructions(tmp_path / "run") == instructions(tmp_path / "fresh") != finished


def test_the_mean_is_there_from_when_it_is_asked_for(cli: Cli, tmp_path: Path, finished: list[Any]) -> None:
    for out in ("run", "fresh"):
        done = cli("run", "--out", out, SIMULATED, "--set", "instructions.mean_similarity=true")
        assert done.returncode == 0, done.stderr
    assert instructions(tmp_path / "run") == instructions(tmp_path / "fresh") != finished
    assert cli("run", "--out", "run", SIMULATED).returncode == 0
    assert instructions(tmp_path / "run") == finished


def _bundled_seeds() -> Path:
    from importlib.resources import files

    return Path(str(files("ensemble_instruct") / "data" / "seed_tasks.jsonl"))
