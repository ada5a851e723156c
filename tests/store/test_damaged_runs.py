"""A run whose file is damaged: each command says what is wrong and what to do, and what can be read can be exported."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.store.reading import errors_of_reading
from ensemble_instruct.store.salvage import Salvage
from tests.conftest import SIMULATED, Cli, rows
from tests.support.finished import change, stored
from tests.support.made_run import made_examples, make_run
from tests.support.older_run import OLDER_RUN, SILENT_MODELS, older_run

_PAGE = 4096


def no_utf8(run: Path) -> None:
    """One text of each table is no text any more."""
    for table, column, row in (
        ("request", "text", "rowid = 9"), ("instance", "input", "position = 1"), ("example", "row", "position = 1"),
    ):  # fmt: skip
        change(run, f"UPDATE {table} SET {column} = CAST(x'7bff80' AS TEXT) WHERE {row}")


def no_json(run: Path) -> None:
    """One text of the examples is cut short, as are lists beside an instruction and a candidate."""
    change(run, "UPDATE example SET row = substr(row, 1, 40) WHERE position = 1")
    change(run, "UPDATE instruction SET most_similar = '[[' WHERE position = 1")
    change(run, "UPDATE candidate SET removed = '' WHERE instance IN (SELECT id FROM instance WHERE position = 1)")


def other_types(run: Path) -> None:
    """Values are of other types than were written."""
    change(run, "UPDATE example SET row = 12 WHERE position = 1")
    change(run, "UPDATE request SET text = x'00ff' WHERE rowid = 9")
    change(run, "UPDATE instruction SET request = 'text' WHERE position = 1")


def broken_pages(run: Path) -> None:
    """Every page but the first has lost its second half."""
    change(run, "PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray((run / "run.db").read_bytes())
    for place in range(_PAGE, len(data), _PAGE):
        data[place : place + 8] = b"\xa5" * 8
    (run / "run.db").write_bytes(data)


def cut_short(run: Path) -> None:
    """A copy that was not finished."""
    change(run, "PRAGMA wal_checkpoint(TRUNCATE)")
    data = (run / "run.db").read_bytes()
    (run / "run.db").write_bytes(data[: len(data) // 2 // _PAGE * _PAGE])


@pytest.mark.parametrize("damage", [no_utf8, no_json, other_types, broken_pages, cut_short])
def test_each_command_says_that_a_run_is_damaged_and_what_to_do(
    finished_run: Path, tmp_path: Path, cli: Cli, damage: Callable[[Path], None]
) -> None:
    run, kept = tmp_path / "run", tmp_path / "kept"
    shutil.copytree(finished_run, kept)
    damage(kept)
    (kept / "examples.jsonl").unlink()
    said = set()
    for arguments in (
        ("run", SIMULATED, "--out", "run"),
        ("export", "run", "--format", "messages", "--to", "out.jsonl"),
        ("report", "run", "--to", "out.html"),
        ("status", "run"),
        ("card", "run"),
        ("select", "run"),
        ("merge", "run", finished_run, "--to", "both"),
    ):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(kept, run)
        done = cli(*arguments)
        if done.returncode:
            (line,) = [line for line in done.stderr.splitlines() if not line.startswith(("note: ", "warning: "))]
            assert line.startswith("error: run/run.db: is damaged: "), (arguments, line)
            assert "ensemble-instruct export run --salvage" in line
            said.add(arguments[0])
    assert "export" in said
    assert len(said) > 2
    shutil.rmtree(run)
    kept.rename(run)
    done = cli("export", "run", "--salvage", "--format", "original", "--to", "out.jsonl", "--allow-empty")
    if done.returncode == 0:
        lost = re.search(r"note: (?:up to )?(\d+) examples of the damaged run could not be read", done.stderr)
        assert lost, done.stderr
        assert len(rows(tmp_path / "out.jsonl")) + int(lost[1]) >= len(rows(finished_run / "examples.jsonl"))
    else:
        assert done.stderr.startswith("error: run/run.db: is damaged: ")


def found(run: Path) -> tuple[list[dict[str, Any]], Salvage]:
    salvage = Salvage(run / "run.db")
    return [row for row, _ in salvage.rows()], salvage


def test_whatever_page_is_broken_all_other_examples_are_salvaged(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", made_examples(60))
    columns = "kind, position, id, instruction, input, output, follow_on, completion, request"
    change(
        run, f"INSERT INTO instance ({columns}) SELECT kind, position, instance, '', '', '', 0, '', x'00' FROM example"
    )
    change(run, "PRAGMA wal_checkpoint(TRUNCATE)")
    whole, salvage = found(run)
    assert (len(whole), salvage.lost, salvage.is_most) == (60, 0, False)
    data = (run / "run.db").read_bytes()
    by_page = {}
    for page in range(1, len(data) // _PAGE):
        place = page * _PAGE
        (run / "run.db").write_bytes(data[:place] + bytes(_PAGE) + data[place + _PAGE :])
        rows_, salvage = found(run)
        assert [row for row in whole if row in rows_] == rows_
        assert salvage.lost >= len(whole) - len(rows_)
        if not salvage.is_most:
            assert salvage.lost == len(whole) - len(rows_)
        by_page[page] = len(rows_)
    assert sum(count == 60 for count in by_page.values()) > 5, "pages of other tables cost nothing"
    assert sum(0 < count < 60 for count in by_page.values()) > 5, "a page costs its own examples"


def test_an_example_that_is_another_than_was_written_is_not_salvaged(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", made_examples(6))
    row = json.loads(stored(run, "SELECT row FROM example WHERE position = 2 AND kind = 'input_output'")[0][0])
    row["instruction"] += "?"
    change(run, "UPDATE example SET row = ? WHERE position = 2 AND kind = 'input_output'", json.dumps(row))
    change(run, "DELETE FROM example WHERE position = 0 AND kind = 'output_only'")
    rows_, salvage = found(run)
    assert (len(rows_), salvage.lost, salvage.is_most) == (4, 2, False)


def test_a_run_of_an_older_version_is_salvaged_whole(tmp_path: Path) -> None:
    run = older_run(tmp_path, SILENT_MODELS)
    rows_, salvage = found(run)
    assert [row["output"] for row in rows_] == [row["output"] for row in rows(OLDER_RUN / "examples.jsonl")]
    assert salvage.lost == 0


def test_salvage_writes_each_format_and_refuses_what_needs_more_than_the_examples(
    finished_run: Path, tmp_path: Path, cli: Cli
) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    change(run, "UPDATE example SET row = '{' WHERE position = 0")
    change(run, "UPDATE meta SET value = CAST(x'ff' AS TEXT) WHERE name = 'words'")
    expected = len(rows(finished_run / "examples.jsonl")) - 2
    for form, name in (("messages", "a.jsonl"), ("alpaca", "b.json"), ("preference", "c.jsonl"), ("parquet", "d/")):
        done = cli("export", "run", "--salvage", "--format", form, "--to", name)
        assert done.returncode == 0, done.stderr
        assert "note: 2 examples of the damaged run could not be read" in done.stderr
    assert len(rows(tmp_path / "a.jsonl")) == expected
    for arguments in (("--format", "hub", "--dry-run"), ("--format", "messages", "--to", "x.jsonl", "--reasoning")):
        done = cli("export", "run", "--salvage", *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "--salvage: reads the examples of a damaged run alone" in done.stderr
    done = cli("export", "a.jsonl", "--salvage", "--format", "alpaca", "--to", "e.json")
    assert done.returncode == 2
    assert "--salvage: goes with a run" in done.stderr


def test_a_mistake_of_the_program_is_not_called_damage(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", made_examples(2))
    with pytest.raises(AttributeError, match="a mistake"), errors_of_reading(run / "run.db"):
        raise AttributeError("a mistake")
