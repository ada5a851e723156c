"""How the voters of a run do, where it is shown: `status`, the report, the viewer, the card, the end of a command."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from ensemble_instruct.export.card import dataset_card
from ensemble_instruct.export.facts import read_facts
from ensemble_instruct.report.page import write_report
from ensemble_instruct.report.report import read_report, report_json
from ensemble_instruct.runs.status import read_status
from ensemble_instruct.store.reading import reading
from ensemble_instruct.viewer.queries import dropped_detail, example_detail, overview
from tests.conftest import Cli, rows
from tests.support.finished import change, stored
from tests.support.forks import Forks, on_path
from tests.support.unlike_voters import config

AHEAD = "note: nearly all rows are strong's: the others serve as a check"
COPY = "note: copy says all that strong does: it is set aside"
RAMBLING = "note: rambling is set aside: it runs on into further tasks"
FEW = "note: fewer than 30 rows: their strength is not known; each voter counts by its weight alone"
LONG = "confidence was found to rank hardly at all"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> tuple[Path, str]:
    """A folder with the run `run` of unlike voters, and what the command said."""
    folder = tmp_path_factory.mktemp("unlike")
    config(folder)
    done = forks.run(folder, ["run", "config.yaml", "--out", "run"], on_path(folder))
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture
def run(made: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of that run, in the folder in which commands run."""
    shutil.copy(made[0] / "unlike_voters_script.py", tmp_path)
    return shutil.copytree(made[0] / "run", tmp_path / "run")


def test_the_end_of_a_run_and_its_status_say_each_note_once(made: tuple[Path, str], run: Path, cli: Cli) -> None:
    shown = cli("status", run).stdout.splitlines()
    for note in (AHEAD, COPY, RAMBLING):
        assert shown.count(note) == made[1].splitlines().count(note) == 1
    assert shown[-1].startswith("finished")


def test_status_has_a_line_for_each_voter_and_each_length(run: Path, cli: Cli) -> None:
    lines, examples = cli("status", run).stdout, rows(run / "examples.jsonl")
    status = read_status(run)
    assert status.voters is not None
    assert status.selected is not None
    won = Counter(name for row in examples for name in row["winners"])
    assert {voter.name: voter.won for voter in status.voters.voters if voter.won} == won
    assert {voter.name for voter in status.voters.voters if voter.set_aside} == {"copy", "rambling"}
    assert "set aside: it says all that strong does" in lines
    assert "weight 0.5" in lines
    assert f"over 50 words {status.selected.lengths[-1].mean:.2f} ±" in lines
    assert f"agreed by: whole texts {len(examples)} rows" in lines
    assert LONG in lines


def test_the_report_shows_the_same_as_page_and_as_numbers(run: Path) -> None:
    report, page = report_json(read_report(run)), write_report(run).read_text()
    status = read_status(run)
    assert json.loads(json.dumps(report["standings"]))["notes"] == list(status.voters.notes if status.voters else ())
    assert sum(report["selected"]["bases"].values()) == report["examples"]
    for words in ("nearly all rows are strong", "it says all that strong does", "Weight", "over 50 words", LONG):
        assert words in page


def test_the_viewer_says_whose_voter_was_set_aside(run: Path) -> None:
    with reading(run / "run.db") as connection:
        whole = overview(connection)
        detail = example_detail(connection, rows(run / "examples.jsonl")[0]["id"])
    assert detail is not None
    assert detail["set_aside"] == {
        "copy": "it says all that strong does",
        "rambling": "it runs on into further tasks",
    }
    assert whole["standings"]["voters"][0]["name"] == "strong"


def test_the_card_says_where_confidence_does_not_rank(run: Path, finished_run: Path) -> None:
    assert LONG in dataset_card(read_facts(run))
    assert LONG not in dataset_card(read_facts(finished_run))  # its outputs are short


def test_selecting_anew_says_the_notes_and_another_strategy_has_none(run: Path, cli: Cli, tmp_path: Path) -> None:
    env = on_path(tmp_path)
    beside = cli("select", run, "--to", "second.jsonl", "--min-confidence", "0", env=env)
    assert beside.stdout.splitlines().count(COPY) == 1, beside.stderr
    other = cli("select", run, "--strategy", "consensus", env=env)
    assert (other.returncode, other.stderr) == (0, "")
    assert "note:" not in other.stdout
    status = read_status(run)
    assert status.voters is None
    assert status.selected is not None
    back = cli("select", run, "--strategy", "vouched", "--min-confidence", "0", env=env)
    assert back.stdout.splitlines().count(COPY) == 1
    assert read_status(run).voters is not None


def test_a_merged_run_has_learned_from_all_of_its_rows(run: Path, cli: Cli, tmp_path: Path) -> None:
    config(tmp_path, 20, seed=7)
    env = on_path(tmp_path)
    small = cli("run", "config.yaml", "--out", "small", env=env)
    assert small.stdout.splitlines().count(FEW) == 1
    assert FEW in cli("status", "small").stdout
    assert "fewer than 30 rows" in (tmp_path / "small" / "report.html").read_text()
    merged = cli("merge", "small", "run", "--to", "both", env=env)
    assert merged.returncode == 0, merged.stderr
    assert merged.stdout.splitlines().count(COPY) == 1
    seen, part = read_status(tmp_path / "both").voters, read_status(run).voters
    assert seen is not None
    assert part is not None
    assert seen.rows == part.rows + 20


@pytest.mark.parametrize("state", ["older", "running"])
def test_a_run_that_does_not_know_shows_nothing_of_it(run: Path, cli: Cli, state: str) -> None:
    if state == "older":
        change(run, "DELETE FROM meta WHERE name IN ('voters', 'word_frequency', 'kept')")
    else:
        change(run, "DELETE FROM meta WHERE name = 'state'")
    shown = cli("status", run)
    assert shown.returncode == 0
    assert "note:" not in shown.stdout
    assert "strength" not in shown.stdout
    report = report_json(read_report(run))
    assert report["standings"] is report["selected"] is None
    assert "Agreement by length" not in write_report(run).read_text()
    with reading(run / "run.db") as connection:
        assert overview(connection)["standings"] is None
    assert LONG not in dataset_card(read_facts(run))


def test_rows_whose_short_outputs_all_differ_are_seen_wherever_drops_are(
    demo_run: Path, cli: Cli, tmp_path: Path
) -> None:
    run = shutil.copytree(demo_run, tmp_path / "demo")
    counts = stored(run, "SELECT COUNT(*), MIN(id) FROM rejected WHERE reason = 'all_differ'")
    ((count, number),) = counts
    assert count
    assert "all_differ" in cli("status", run).stdout
    page = write_report(run).read_text()
    assert f"{count} of them" in page
    assert "whatever the confidence" in page
    assert sum(drop.count for drop in read_report(run).totals.drops if drop.reason == "all_differ") == count
    with reading(run / "run.db") as connection:
        assert sum(row["count"] for row in overview(connection)["dropped"] if row["reason"] == "all_differ") == count
        detail = dropped_detail(connection, number)
    assert detail is not None
    assert {candidate["score"] for candidate in detail["candidates"]} == {0.0}  # as step 5 saw them
