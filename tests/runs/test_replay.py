"""A run that an older version began, whose replies this version reads otherwise, never pays again without a word."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import SIMULATED, Cli
from tests.support.finished import change, stored


@pytest.fixture
def older(finished_run: Path, tmp_path: Path) -> Path:
    """A run that says nothing of how its replies were read."""
    run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    change(run, "DELETE FROM meta WHERE name = 'reading'")
    return run


def test_it_goes_on_where_its_replies_are_read_as_before(cli: Cli, older: Path) -> None:
    before = stored(older, "SELECT key FROM request ORDER BY key")
    assert cli("run", "--out", "run", SIMULATED).returncode == 0
    assert stored(older, "SELECT key FROM request ORDER BY key") == before
    assert stored(older, "SELECT value FROM meta WHERE name = 'reading'")


@pytest.mark.parametrize(
    "read_otherwise",
    [
        "UPDATE instruction SET text = '7. ' || text WHERE kind = 'output_only' AND position = 2",
        "UPDATE instruction SET position = position + 1000 WHERE kind = 'output_only' AND position = 2",
    ],
    ids=["as another text", "not at all"],
)
def test_it_stops_where_they_are_read_otherwise_and_says_how_much_would_be_asked_again(
    cli: Cli, older: Path, read_otherwise: str
) -> None:
    change(older, read_otherwise)
    tables = ("request", "instruction", "instance", "candidate", "example", "rejected")
    before = [stored(older, f"SELECT * FROM {table}") for table in tables]
    files = {path.name: path.read_bytes() for path in older.iterdir() if not path.name.startswith("run.db")}
    done = cli("run", "--out", "run", SIMULATED)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    (total,) = stored(older, "SELECT COUNT(*) FROM request WHERE step = 'instructions' AND kind = 'output_only'")[0]
    named = int(line.partition("up to ")[2].split()[0])
    assert 0 < named < total
    assert "--force" in line
    assert [stored(older, f"SELECT * FROM {table}") for table in tables] == before
    assert {path.name: path.read_bytes() for path in older.iterdir() if not path.name.startswith("run.db")} == files
    assert cli("run", "--out", "run", SIMULATED, "--force").returncode == 0
    assert cli("run", "--out", "run", SIMULATED).returncode == 0
