"""A run that an older version of the program left: it is read as it is, and goes on in the newest schema."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.store.database import APPLICATION_ID, MIGRATIONS
from ensemble_instruct.store.reading import reading
from ensemble_instruct.viewer.queries import ExampleFilter, example_detail, examples_page, overview
from tests.conftest import rows
from tests.support.finished import change, stored
from tests.support.forks import Forks, on_path
from tests.support.older_run import OLDER_MODELS, OLDER_RUN, SILENT_MODELS, of_today, older_run
from tests.support.servers.meter import Paid, status, used


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
    before = paid.counted.asked
    done = forks.run(tmp_path, ["run", "--out", "run"])
    assert (done.returncode, done.stderr) == (0, "")
    assert paid.counted.asked - before == gone > 0
    assert (folder / "examples.jsonl").read_bytes() == paid.examples
    assert schema(folder) == len(MIGRATIONS)
    assert used(done.stdout) == used(paid.out)


def test_a_run_of_an_earlier_version_is_finished_and_asks_no_model(forks: Forks, tmp_path: Path) -> None:
    run = older_run(tmp_path, SILENT_MODELS)
    answers = stored(run, "SELECT key, step, model, prompt, text, failure, answered_at FROM request ORDER BY key")
    done = forks.run(tmp_path, ["run", "--out", "run"], on_path(tmp_path))
    assert done.returncode == 0, done.stderr
    assert rows(run / "examples.jsonl") == of_today(OLDER_RUN / "examples.jsonl")
    assert (
        stored(run, "SELECT key, step, model, prompt, text, failure, answered_at FROM request ORDER BY key") == answers
    )
    assert forks.run(tmp_path, ["export", "run", "--format", "original", "--to", "out.jsonl"]).returncode == 0
    columns = ("instruction", "input", "output")
    assert rows(tmp_path / "out.jsonl") == [
        {name: row[name] for name in columns} for row in rows(OLDER_RUN / "examples.jsonl")
    ]


@pytest.mark.parametrize("step", ["instructions", "instances", "outputs"])
def test_a_run_that_an_earlier_version_did_not_finish_goes_on(forks: Forks, tmp_path: Path, step: str) -> None:
    run = older_run(tmp_path, OLDER_MODELS)
    keys = {key for (key,) in stored(run, "SELECT key FROM request")}
    change(run, "UPDATE meta SET value = 'running' WHERE name = 'state'")
    change(run, "DELETE FROM request WHERE step = ? AND rowid % 2", step)
    (run / "examples.jsonl").unlink()
    done = forks.run(tmp_path, ["run", "--out", "run"], on_path(tmp_path))
    assert done.returncode == 0, done.stderr
    assert rows(run / "examples.jsonl") == of_today(OLDER_RUN / "examples.jsonl")
    assert {key for (key,) in stored(run, "SELECT key FROM request")} == keys, "a request has another key than it had"


def over_chat(run: Path, model: str) -> None:
    """Let an older run be one whose `model` was asked over chat: with one text, as there was no conversation then."""
    config = run / "config.yaml"
    before, heading, after = config.read_text(encoding="utf-8").partition(f"  {model}:\n")
    config.write_text(before + heading + after.replace("endpoint: completions", "endpoint: chat", 1), encoding="utf-8")
    key = f'$."models.{model}.endpoint"'
    change(run, "UPDATE meta SET value = json_set(value, ?, 'chat') WHERE name = 'config'", key)


def contents(run: Path) -> list[Any]:
    """All that a run says of itself, and its files beside the database."""
    whole = ("meta", "instruction", "instance", "example", "rejected")
    instance = "kind, position, id, instruction, input, output, follow_on, completion, request"
    columns = {
        **dict.fromkeys(whole, "*"),
        "instance": instance,
        "request": "key, text, failure",
        "candidate": "instance, voter, text",
    }
    files = {path.name: path.read_bytes() for path in run.iterdir() if not path.name.startswith("run.db")}
    return [files, *(stored(run, f"SELECT {names} FROM {table}") for table, names in columns.items())]


@pytest.mark.parametrize(
    ("model", "cost"), [("voter", "asks again: 6 answers"), ("base", "asks every step again: up to 18 answers")]
)
def test_a_run_over_chat_from_before_there_were_conversations_does_not_pay_again_unless_it_is_forced(
    forks: Forks, tmp_path: Path, model: str, cost: str
) -> None:
    run = older_run(tmp_path, SILENT_MODELS)
    over_chat(run, model)
    before = contents(run)
    done = forks.run(tmp_path, ["run", "--out", "run"], on_path(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert f"models.{model}.form: " in line
    assert cost in line
    assert "--force" in line
    assert contents(run) == before

    if model == "voter":
        (tmp_path / "older_models.py").write_text(OLDER_MODELS, encoding="utf-8")
        done = forks.run(tmp_path, ["run", "--out", "run", "--force"], on_path(tmp_path))
        assert done.returncode == 0, done.stderr
        assert len(stored(run, "SELECT key FROM request")) == 18 + 6
        columns = ("instruction", "input", "output")
        expected = [[row[name] for name in columns] for row in rows(OLDER_RUN / "examples.jsonl")]
        assert [[row[name] for name in columns] for row in rows(run / "examples.jsonl")] == expected
        done = forks.run(tmp_path, ["run", "--out", "run"], on_path(tmp_path))
        assert done.returncode == 0, "what was forced is known from then on"
