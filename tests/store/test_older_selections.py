"""A run begun before keeps the strategy that it was begun with, and its one number is read as what it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

import ensemble_instruct as ei
from ensemble_instruct.records import DEFAULT_STRATEGY
from ensemble_instruct.store.reading import is_edited, reading
from ensemble_instruct.store.settings import run_config
from ensemble_instruct.viewer.queries import ExampleFilter, examples_page
from tests.conftest import rows
from tests.support.finished import change, stored
from tests.support.forks import Forks, on_path
from tests.support.older_run import OLDER_MODELS, OLDER_RUN, SILENT_MODELS, of_today, older_run

NOTE = "ensemble.min_agreement is called min_confidence now"
SIMULATED = "simulated models, not real ones"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of an older version by `consensus`, which is no default, and a threshold by its old name."""
    folder = older_run(tmp_path, SILENT_MODELS)
    assert run_config(folder).strategy == "consensus" != DEFAULT_STRATEGY
    return folder


def without_strategy(config: Path, to: Path, **ensemble: Any) -> Path:
    """The config without the key `ensemble.strategy`, and with these."""
    values = yaml.safe_load(config.read_text(encoding="utf-8"))
    del values["ensemble"]["strategy"]
    values["ensemble"] |= ensemble
    to.write_text(yaml.safe_dump(values), encoding="utf-8")
    return to


def kept(folder: Path) -> dict[str, Any]:
    section = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["ensemble"]
    return {name: value for name, value in section.items() if name in ("strategy", "min_confidence", "min_agreement")}


def test_a_config_that_names_no_strategy_is_no_changed_one_also_by_the_old_name(
    forks: Forks, run: Path, tmp_path: Path
) -> None:
    own = without_strategy(run / "config.yaml", tmp_path / "own.yaml")
    for command in (["run", "own.yaml", "--out", "run"], ["select", "run"]) * 2:
        done = forks.run(tmp_path, command, on_path(tmp_path))
        assert done.returncode == 0, done.stderr
        assert [line for line in done.stderr.splitlines() if NOTE not in line and SIMULATED not in line] == []
        assert done.stderr.count(NOTE) == (command[0] == "run")
        assert rows(run / "examples.jsonl") == of_today(OLDER_RUN / "examples.jsonl")
        assert kept(run) == {"strategy": "consensus", "min_confidence": 0.1}
    assert own.read_text(encoding="utf-8").count("min_agreement") == 1


def test_a_run_whose_own_config_names_none_goes_by_the_same_strategy_everywhere(
    forks: Forks, run: Path, tmp_path: Path
) -> None:
    without_strategy(run / "config.yaml", run / "config.yaml")
    for command in (
        ["status", "run"],
        ["report", "run", "--json"],
        ["card", "run"],
        ["export", "run", "--format", "original", "--to", "out.jsonl"],
        ["select", "run", "--to", "second.jsonl"],
        ["select", "run"],
        ["run", "--out", "run"],
    ):
        done = forks.run(tmp_path, command, on_path(tmp_path))
        assert done.returncode == 0, done.stderr
        assert [line for line in done.stderr.splitlines() if SIMULATED not in line] == [], command
        if command[0] == "report":
            report = json.loads(done.stdout)
            assert report["strategy"] == "consensus"
            assert report["confidence"]["least"] == {"input_output": 0.1, "output_only": 0.1}
            assert sum(report["confidence"]["dropped"]["counts"]) == 2, "drops of an older run"
        assert ei.open_run(run).config.strategy == "consensus"
    assert rows(run / "examples.jsonl") == of_today(OLDER_RUN / "examples.jsonl")
    assert "strategy consensus" in forks.run(tmp_path, ["select", "run"]).stdout


def test_what_an_older_run_was_begun_with_stays_known_after_another_selection(
    forks: Forks, run: Path, tmp_path: Path
) -> None:
    without_strategy(run / "config.yaml", tmp_path / "own.yaml")
    assert forks.run(tmp_path, ["select", "run", "--strategy", "balanced", "--min-confidence", "0"]).returncode == 0
    assert kept(run) == {"strategy": "balanced", "min_confidence": 0.0}
    done = forks.run(tmp_path, ["run", "own.yaml", "--out", "run"], on_path(tmp_path))
    assert done.returncode == 2
    assert 'ensemble.strategy: "balanced" → "consensus"' in done.stderr
    assert forks.run(tmp_path, ["run", "own.yaml", "--out", "run", "--force"], on_path(tmp_path)).returncode == 0
    assert kept(run) == {"strategy": "consensus", "min_confidence": 0.1}


@pytest.mark.parametrize("named", ["single", DEFAULT_STRATEGY])
def test_a_strategy_that_a_config_names_is_that_of_the_config(
    forks: Forks, run: Path, tmp_path: Path, named: str
) -> None:
    without_strategy(run / "config.yaml", tmp_path / "own.yaml", strategy=named)
    done = forks.run(tmp_path, ["run", "own.yaml", "--out", "run"], on_path(tmp_path))
    assert done.returncode == 2
    assert f'ensemble.strategy: "consensus" → "{named}"' in done.stderr
    assert "min_confidence:" not in done.stderr


def test_a_run_of_today_has_the_strategy_that_its_config_names_or_the_default(
    forks: Forks, run: Path, tmp_path: Path
) -> None:
    (meta,) = stored(run, "SELECT value FROM meta WHERE name = 'config'")
    settings = json.loads(meta[0])
    settings["ensemble.min_confidence"] = settings.pop("ensemble.min_agreement")
    change(run, "UPDATE meta SET value = ? WHERE name = 'config'", json.dumps(settings))
    without_strategy(run / "config.yaml", tmp_path / "own.yaml")
    done = forks.run(tmp_path, ["run", "own.yaml", "--out", "run"], on_path(tmp_path))
    assert done.returncode == 2
    assert f'ensemble.strategy: "consensus" → "{DEFAULT_STRATEGY}"' in done.stderr


def test_a_run_that_was_stopped_before_it_had_anything_begins_by_a_config_that_names_no_strategy(
    forks: Forks, run: Path, tmp_path: Path
) -> None:
    config = without_strategy(run / "config.yaml", tmp_path / "own.yaml")
    (tmp_path / "older_models.py").write_text(OLDER_MODELS, encoding="utf-8")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "run.db").touch()
    for _ in range(2):
        done = forks.run(tmp_path, ["run", config.name, "--out", "new"], on_path(tmp_path))
        assert done.returncode == 0, done.stderr
        assert kept(tmp_path / "new")["strategy"] == DEFAULT_STRATEGY
    assert stored(tmp_path / "new", "SELECT value FROM meta WHERE name = 'default_strategy'") == []


def by_balance(run: Path) -> None:
    """Let the one number of the older rows be 0.3, as `balanced` would have had it, where the outputs agree by 0.5."""
    change(run, "UPDATE example SET row = json_set(row, '$.agreement', 0.3)")


def test_the_number_of_an_older_row_is_its_confidence(forks: Forks, run: Path, tmp_path: Path) -> None:
    by_balance(run)
    examples = list(ei.open_run(run).examples())
    assert [(one.agreement, one.confidence, one.basis) for one in examples] == [(0.5, 0.3, "text")] * 4
    with reading(run / "run.db") as connection:
        assert examples_page(connection, ExampleFilter(least=0.4), 0, 9)["total"] == 0
        page = examples_page(connection, ExampleFilter(least=0.3, most=0.4), 0, 9)
    assert [(row["agreement"], row["confidence"]) for row in page["rows"]] == [(0.5, 0.3)] * 4
    report = json.loads(forks.run(tmp_path, ["report", "run", "--json", "--ignore-edits"]).stdout)
    assert (report["agreement"]["kept"]["mean"], report["confidence"]["kept"]["mean"]) == pytest.approx((0.5, 0.3))
    card = forks.run(tmp_path, ["card", "run", "--ignore-edits"]).stdout
    assert "| input_output | 0.500 | 0.300 | 0 | 0 | 0 | 2 |" in card
    done = forks.run(tmp_path, ["export", "run", "--format", "parquet", "--to", "out.parquet", "--ignore-edits"])
    assert done.returncode == 0, done.stderr
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["agreement"], row["confidence"], row["basis"]) for row in table] == [(0.5, 0.3, "text")] * 4


def test_an_older_row_on_which_all_agree_has_an_agreement_of_one(run: Path) -> None:
    by_balance(run)
    change(
        run,
        "UPDATE example SET row = json_set(row, '$.output', '日本', '$.winners', json('[\"instance\", \"voter\"]'),"
        ' \'$.candidates\', json(\'[{"voter": "instance", "output": "日本", "score": 0.0},'
        ' {"voter": "voter", "output": "日本", "score": 0.0}]\'))',
    )
    assert {(one.agreement, one.confidence) for one in ei.open_run(run).examples()} == {(1.0, 0.3)}


def test_the_file_of_an_older_run_is_not_taken_for_an_edited_one(forks: Forks, run: Path, tmp_path: Path) -> None:
    assert not is_edited(run)
    done = forks.run(tmp_path, ["export", "run", "--format", "messages", "--to", "out.jsonl"])
    assert (done.returncode, done.stderr) == (0, "")
    change(run, "DELETE FROM meta WHERE name = 'examples'")
    assert not is_edited(run)
    by_balance(run)
    assert is_edited(run)


def test_an_older_run_and_one_of_today_are_merged_if_they_select_alike(forks: Forks, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "today")
    assert forks.run(tmp_path, ["select", "today"]).returncode == 0
    for folders in (["run", "today"], ["today", "run"]):
        to = "-".join(folders)
        done = forks.run(tmp_path, ["merge", *folders, "--to", to])
        assert done.returncode == 0, done.stderr
        assert len(rows(tmp_path / to / "examples.jsonl")) == 4
        assert {row["confidence"] for row in rows(tmp_path / to / "examples.jsonl")} == {0.5}
        assert forks.run(tmp_path, ["report", to, "--json"]).returncode == 0
    assert forks.run(tmp_path, ["select", "today", "--min-confidence", "0.2"]).returncode == 0
    done = forks.run(tmp_path, ["merge", "run", "today", "--to", "both"])
    assert done.returncode == 2
    assert "ensemble.min_confidence is 0.2, and 0.1 in" in done.stderr
