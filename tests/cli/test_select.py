"""`select`: a finished run selects anew, in place or into a second file, and says what that changes."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import Cli, rows

KEEP = ("--strategy", "consensus", "--keep", "0.4")


@pytest.fixture
def run_folder(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


def contents(folder: Path) -> dict[str, str]:
    """The digest of each file of a folder that holds something: not the lock, and not what readers leave of SQLite."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if not path.name.endswith((".lock", "-wal", "-shm"))
    }


def test_it_says_what_it_replaced_and_which_settings_the_run_keeps(cli: Cli, run_folder: Path) -> None:
    before = len(rows(run_folder / "examples.jsonl"))
    done = cli("select", "run", *KEEP, "--set", "quality.refusals=true")
    assert done.returncode == 0, done.stderr
    after = len(rows(run_folder / "examples.jsonl"))
    assert 0 < after < before
    assert f"run/examples.jsonl was replaced: it has {after} rows, and had {before}\n" in done.stdout
    assert done.stdout.endswith(
        "the run keeps these settings, for `run` and `select`: "
        "strategy consensus, utility rouge-l, keep 0.4, filters: refusals\n"
    )
    goes_on = cli("select", "run")
    assert f"run/examples.jsonl was replaced: it has {after} rows, and had {after}\n" in goes_on.stdout
    assert "strategy consensus, utility rouge-l, keep 0.4, filters: refusals" in goes_on.stdout
    assert cli("run", "--out", "run").returncode == 0
    assert len(rows(run_folder / "examples.jsonl")) == after


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (("--strategy", "released"), "strategy released, threshold 0.01, min_confidence 0, no filters"),
        (("--utility", "exact", "--utility", "rouge-l=3"),
         "strategy balanced, utility 0.25 exact + 0.75 rouge-l, min_confidence 0.188, no filters"),
        (("--min-confidence", "0.3"), "strategy balanced, utility rouge-l, min_confidence 0.3, no filters"),
    ],
    ids=["of three", "mixture", "least agreement"],
)  # fmt: skip
def test_the_settings_that_a_run_keeps_have_their_defaults_with_them(
    cli: Cli, run_folder: Path, options: tuple[str, ...], kept: str
) -> None:
    done = cli("select", run_folder.name, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"for `run` and `select`: {kept}\n")


def test_a_second_selection_leaves_the_files_of_the_run_as_they_are(cli: Cli, tmp_path: Path, run_folder: Path) -> None:
    before = contents(run_folder)
    done = cli("select", "run", *KEEP, "--to", "run/strict.jsonl")
    assert done.returncode == 0, done.stderr
    second = (run_folder / "strict.jsonl").read_bytes()
    drops = rows(run_folder / "strict.jsonl.rejected.jsonl")
    assert (
        f"{len(second.splitlines())} examples in run/strict.jsonl; the run's own files stay as they are\n"
        in done.stdout
    )
    assert f"{len(drops)} rows dropped by step 5, each in run/strict.jsonl.rejected.jsonl\n" in done.stdout
    (run_folder / "strict.jsonl").unlink()
    (run_folder / "strict.jsonl.rejected.jsonl").unlink()
    assert contents(run_folder) == before
    assert cli("select", "run", *KEEP).returncode == 0
    assert (run_folder / "examples.jsonl").read_bytes() == second, "the same selection, wherever it is written"


def test_the_hidden_option_of_ensemble_does_the_same(cli: Cli, run_folder: Path) -> None:
    assert cli("select", "run", *KEEP).returncode == 0
    selected = (run_folder / "examples.jsonl").read_bytes()
    assert cli("select", "run", "--strategy", "balanced").returncode == 0
    assert (run_folder / "examples.jsonl").read_bytes() != selected
    done = cli("ensemble", "--run", "run", *KEEP)
    assert "run/examples.jsonl was replaced" in done.stdout
    assert (run_folder / "examples.jsonl").read_bytes() == selected
    assert "--run" not in cli("ensemble", "--help").stdout


def test_what_it_is_not_told_stays_as_the_run_has_it(cli: Cli, run_folder: Path) -> None:
    def ensemble_section() -> dict[str, object]:
        section: dict[str, object] = yaml.safe_load((run_folder / "config.yaml").read_text("utf-8"))["ensemble"]
        return section

    before = ensemble_section()
    assert cli("select", "run", "--min-confidence", "0.5").returncode == 0
    assert ensemble_section() == before | {"min_confidence": 0.5}
    assert cli("select", "run", "--threshold", "0.2").returncode == 0
    assert ensemble_section() == before | {"min_confidence": 0.5, "threshold": 0.2}
    assert cli("select", "run", "--strategy", "consensus").returncode == 0, "a bound of another strategy is gone"
    assert ensemble_section() == before | {"strategy": "consensus", "threshold": 0.2}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("run", "--keep", "0.5", "--min-confidence", "0.5"), "give either --min-confidence or --keep, not both"),
        (("run", "--to", "run/examples.jsonl"), "run/examples.jsonl: is a file of the run, and would be overwritten"),
        (("run", "--to", "run/run.db"), "run/run.db: is a file of the run"),
        (("run", "--to", "nowhere/x.jsonl"), "folder nowhere does not exist"),
        (("run", "--utility", "judge"), "roles.judge: 'ensemble' needs a model for it"),
        (("run", "--utility", "judge", "--to", "x.jsonl"), "roles.judge: 'ensemble' needs a model for it"),
        (("run", "--set", "seed=1", "--to", "x.jsonl"), "--set seed=1: a finished run takes other filters alone"),
        (("nowhere",), "nowhere: is not a run folder"),
        (("nowhere", "--to", "x.jsonl"), "nowhere: is not a run folder"),
        ((), "Missing argument 'RUN'"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    cli: Cli, tmp_path: Path, run_folder: Path, arguments: tuple[str, ...], problem: str
) -> None:
    before = contents(run_folder)
    done = cli("select", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert problem in done.stderr
    assert contents(run_folder) == before
    assert not (tmp_path / "x.jsonl").exists()
