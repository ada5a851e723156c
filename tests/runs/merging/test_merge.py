"""Several runs become one: nothing twice, everything with its origin, whole or not at all, no two models confused."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from ensemble_instruct.config.load import parse_config
from ensemble_instruct.errors import InputFileError, RunError, StoreError, UsageError
from ensemble_instruct.report.report import read_report
from ensemble_instruct.rouge import lcs_f1, word_tokens
from ensemble_instruct.runs.lifecycle import start_or_resume
from ensemble_instruct.runs.merging.merge import merge_runs
from ensemble_instruct.runs.progress import Watch
from ensemble_instruct.store.reading import reading
from ensemble_instruct.viewer.queries import dropped_detail, example_detail
from tests.conftest import COMMAND, Cli, rows

SCRIPT = """
import random, re, zlib

WORDS = "balan beler bimip bonos burut dasef detak dilan".split()

def base(request):
    rng = random.Random(zlib.crc32(request.prompt.encode() + str(request.sampling.seed).encode()))
    if request.step == "instructions":
        return " Say " + " ".join(rng.choices(WORDS, k=5))
    return "output: " + request.prompt.rpartition("Say ")[2].split()[0] + " it is"

def one(request):
    return request.prompt.split()[1] + " it is"

def two(request):
    return request.prompt.split()[1] + " it is not"

def three(request):
    return request.prompt.split()[1] + " it never is" if zlib.crc32(request.prompt.encode()) % 3 else ""

def same(request):
    if request.step == "instructions":
        return " Say " + " ".join(random.Random(request.sampling.seed).choices(WORDS, k=5))
    return "output: " + request.prompt.rpartition("Say ")[2].split()[0] + " it was"
"""


def config(seed: int, **changed: Any) -> dict[str, Any]:
    """A run of 30 instructions."""
    return {
        "seed": seed,
        "instructions": {"target": {"input_output": 0, "output_only": 30}, "window": 4},
        "models": {name: scripted(name) for name in ("base", "one", "two")},
        "roles": {"instructions": "base", "instances": "base", "outputs": ["one", "two"]},
        "ensemble": {"strategy": "consensus", "min_confidence": 0.0},
        **changed,
    }


def scripted(function: str) -> dict[str, str]:
    return {"provider": "scripted", "function": f"script:{function}"}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "script.py").write_text(SCRIPT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "script", raising=False)

    def start(name: str, settings: dict[str, Any]) -> Path:
        made = parse_config(yaml.safe_dump(settings), name, tmp_path)
        asyncio.run(start_or_resume(made, tmp_path / name, Watch()))
        return tmp_path / name

    return start


def merged(tmp_path: Path, *names: str, to: str) -> Path:
    asyncio.run(merge_runs([tmp_path / name for name in names], tmp_path / to, Watch()))
    return tmp_path / to


def read(folder: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        return connection.execute(query).fetchall()


def closest(text: str, others: list[str]) -> float:
    return max((lcs_f1(word_tokens(other), word_tokens(text)) for other in others), default=0.0)


def read_page(folder: Path) -> str:
    """The words of a run's report."""
    return " ".join(re.sub(r"<[^>]*>", "", (folder / "report.html").read_text(encoding="utf-8")).split())


def test_two_runs_are_one_in_which_nothing_stands_twice(run: Any, cli: Cli, tmp_path: Path) -> None:
    a, b = run("a", config(1)), run("b", config(2))
    shutil.copytree(a, tmp_path / "again")
    done = cli("merge", "a", "b", "again", "--to", "both")
    assert done.returncode == 0, done.stderr
    both = tmp_path / "both"
    made = {name: rows(tmp_path / name / "examples.jsonl") for name in ("a", "b", "both")}
    first = [row["instruction"] for row in made["a"]]
    new = [row for row in made["b"] if closest(row["instruction"], first) <= 0.7]
    assert 0 < len(new) < len(made["b"])
    expected = [{"id": row["id"], "run": name, **row} for name, part in (("a", made["a"]), ("b", new)) for row in part]
    assert made["both"] == expected
    assert not any(row["run"] == "again" for row in made["both"])
    lost = dict(read(both, "SELECT text, detail FROM rejected WHERE step = 'parse' AND reason = 'not_novel'"))
    for row in made["b"]:
        if row not in new:
            assert lost[row["instruction"]].partition(":")[0].endswith("(run a)")
    assert {detail for (detail,) in read(both, "SELECT detail FROM rejected WHERE detail LIKE '%run again%'")} == set()
    assert "the same in run a" in {detail for (detail,) in read(both, "SELECT DISTINCT detail FROM rejected")}
    # every answer is there, once
    asked = set().union(*(read(folder, "SELECT key, text FROM request") for folder in (a, b)))
    assert set(read(both, "SELECT key, text FROM request")) == asked
    provenance = json.loads(read(both, "SELECT value FROM meta WHERE name = 'merged'")[0][0])
    assert [part["run"] for part in provenance] == ["a", "b", "again"]
    assert [part["instances"] for part in provenance] == [len(made["a"]), len(new), 0]
    assert provenance[1]["config"]["seed"] == 2


def test_all_commands_work_on_a_merged_run(run: Any, cli: Cli, tmp_path: Path) -> None:
    run("a", config(1)), run("b", config(2))
    assert cli("merge", "a", "b", "--to", "both").returncode == 0
    both = tmp_path / "both"
    first = (both / "examples.jsonl").read_bytes()
    status = cli("status", "both")
    assert "merged from a (" in status.stdout
    assert "finished" in status.stdout
    assert "Merged from 2 runs: a and b." in read_page(both)
    assert cli("export", "both", "--format", "messages", "--to", "out.jsonl").returncode == 0
    assert len(rows(tmp_path / "out.jsonl")) == len(rows(both / "examples.jsonl"))
    assert cli("ensemble", "--run", "both").returncode == 0
    assert (both / "examples.jsonl").read_bytes() == first
    assert cli("ensemble", "--run", "both", "--keep", "0.5").returncode == 0
    assert len(rows(both / "examples.jsonl")) < len(first.splitlines())
    assert "both" in (both / "report.html").read_text()
    resumed = cli("run", "--out", "both", "--force")
    assert (resumed.returncode, resumed.stderr.count("\n")) == (2, 1)
    assert "merge them again" in resumed.stderr
    # and a merged run merges
    run("c", config(3))
    assert cli("ensemble", "--run", "both", "--min-confidence", "0").returncode == 0
    all_of_them = rows(merged(tmp_path, "both", "c", to="all") / "examples.jsonl")
    assert {row["run"] for row in all_of_them} == {"both/a", "both/b", "c"}
    of_c = sum(row["run"] == "c" for row in all_of_them)
    parts = [(part.run, part.examples) for part in read_report(tmp_path / "all").setup.merged]
    assert parts == [("both", len(all_of_them) - of_c), ("c", of_c)]
    assert rows(merged(tmp_path, "c", "both", to="other") / "examples.jsonl")[0]["run"] == "c"


@pytest.mark.slow
def test_it_is_the_same_every_time_and_the_first_has_precedence(run: Any, tmp_path: Path) -> None:
    a, b = run("a", config(1)), run("b", config(2))
    for to, order in (("one", ("a", "b")), ("two", ("a", "b")), ("turned", ("b", "a"))):
        merged(tmp_path, *order, to=to)
    one, two, turned = ((tmp_path / to / "examples.jsonl").read_bytes() for to in ("one", "two", "turned"))
    assert one == two
    assert (tmp_path / "one" / "config.yaml").read_bytes() == (tmp_path / "two" / "config.yaml").read_bytes()
    assert one != turned
    kept = {row["id"] for row in rows(tmp_path / "turned" / "examples.jsonl")}
    assert kept >= {row["id"] for row in rows(b / "examples.jsonl")}
    assert not kept >= {row["id"] for row in rows(a / "examples.jsonl")}


def test_two_models_of_one_name_are_two(run: Any, cli: Cli, tmp_path: Path) -> None:
    run("a", config(1))
    models = {"base": scripted("same"), "one": scripted("three"), "other": scripted("one")}
    roles = {"instructions": "base", "instances": "base", "outputs": ["one", "other"]}
    b = run("b", config(2, models=models, roles=roles))
    done = cli("merge", "a", "b", "--to", "both")
    assert done.returncode == 0, done.stderr
    assert "b: its model one is called one-2" in done.stdout
    both = tmp_path / "both"
    settings = yaml.safe_load((both / "config.yaml").read_text())
    functions = {name: model["function"] for name, model in settings["models"].items()}
    assert functions == {
        "base": "script:base", "one": "script:one", "two": "script:two",
        "base-2": "script:same", "one-2": "script:three",
    }  # fmt: skip
    assert settings["roles"]["outputs"] == ["one", "two", "one-2"]
    assert settings["roles"]["merged"] == ["base-2"]
    for row in rows(both / "examples.jsonl"):
        said = {candidate["voter"]: candidate["output"] for candidate in row["candidates"]}
        assert said.keys() <= {"instance", "one", {"a": "two", "b": "one-2"}[row["run"]]}
        assert said.get("one-2", "it never is").endswith("it never is")
        assert said.get("two", "it is not").endswith("it is not")
    answers = dict(read(both, "SELECT model, COUNT(*) FROM request GROUP BY model"))
    assert answers["base-2"] == dict(read(b, "SELECT model, COUNT(*) FROM request GROUP BY model"))["base"]


@pytest.mark.slow
def test_all_adds_up_and_what_was_asked_can_be_read(run: Any, tmp_path: Path) -> None:
    """Also where a run comes in twice, by itself and in a merged one."""
    models = {"base": scripted("base"), "one": scripted("one"), "two": scripted("three")}
    for seed, name in enumerate("abc", start=1):
        run(name, config(seed, models=models))
    merged(tmp_path, "b", "a", to="first")
    both = merged(tmp_path, "a", "first", "c", to="both")
    for table, step in (("instruction", "instructions"), ("instance", "parse")):
        count = f"SELECT (SELECT COUNT(*) FROM {table}), (SELECT COUNT(*) FROM rejected WHERE step = '{step}')"
        parts = [read(tmp_path / name, count)[0] for name in ("a", "first", "c")]
        assert sum(map(sum, parts)) == sum(read(both, count)[0]), table
        assert read(both, count)[0][0] < sum(kept for kept, _ in parts)
    instances, candidates, silent, examples, dropped = read(
        both,
        "SELECT (SELECT COUNT(*) FROM instance), (SELECT COUNT(*) FROM candidate), (SELECT COUNT(*) FROM rejected WHERE"
        " step = 'outputs'), (SELECT COUNT(*) FROM example), (SELECT COUNT(*) FROM rejected WHERE step = 'ensemble')",
    )[0]
    assert silent
    assert candidates + silent == 2 * instances
    assert examples + dropped == instances
    with reading(both / "run.db") as connection:
        for row in rows(both / "examples.jsonl"):
            chain = (example_detail(connection, row["id"]) or {})["chain"]
            assert [link["made"] for link in chain] == ["instruction", "instance", "candidate", "candidate"]
            assert all(link["request"]["prompt"] for link in chain)
        for (number,) in connection.execute("SELECT id FROM rejected").fetchall():
            chain = (dropped_detail(connection, number) or {})["chain"]
            assert chain
            assert all(link["request"]["prompt"] for link in chain)


@pytest.mark.slow
def test_two_merges_to_one_place_do_not_spoil_each_other(run: Any, tmp_path: Path) -> None:
    run("a", config(1)), run("b", config(2))
    whole = (merged(tmp_path, "a", "b", to="whole") / "examples.jsonl").read_bytes()
    command = [str(COMMAND), "merge", "a", "b", "--to", "both"]
    several = [subprocess.Popen(command, cwd=tmp_path, stdout=-1, stderr=-1, text=True) for _ in range(2)]
    said = [process.communicate() for process in several]
    assert sorted(process.returncode for process in several) == [0, 2], said
    for process, (_, error) in zip(several, said, strict=True):
        assert process.returncode == 0 or (error.count("\n") == 1 and "both: " in error), error
    assert (tmp_path / "both" / "examples.jsonl").read_bytes() == whole
    assert not list(tmp_path.glob(".both*"))


@pytest.mark.slow
def test_one_question_with_two_answers_keeps_both(run: Any, tmp_path: Path) -> None:
    a, b = run("a", config(1)), run("b", config(1))
    with closing(sqlite3.connect(b / "run.db")) as connection, connection:
        (key, old) = connection.execute("SELECT request, text FROM candidate WHERE voter = 'one'").fetchone()
        connection.execute("UPDATE request SET text = 'another answer' WHERE key = ?", (key,))
        (instance, task) = connection.execute(
            "SELECT id, instruction FROM instance WHERE id = (SELECT instance FROM candidate WHERE request = ?)", (key,)
        ).fetchone()
        connection.execute("UPDATE candidate SET text = 'another answer' WHERE request = ?", (key,))
    with closing(sqlite3.connect(a / "run.db")) as connection, connection:  # so that the instance is new in b
        connection.execute("DELETE FROM instance WHERE id = ?", (instance,))
        connection.execute("DELETE FROM instruction WHERE text = ?", (task,))
    both = merged(tmp_path, "a", "b", to="both")
    query = f"SELECT request.text FROM candidate JOIN request ON key = request WHERE instance = '{instance}'"
    assert ("another answer",) in read(both, query)
    assert read(both, f"SELECT text FROM request WHERE hex(key) = '{key.hex().upper()}'") == [(old,)]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"ensemble": {"strategy": "balanced", "min_confidence": 0.0}}, "ensemble.strategy"),
        ({"ensemble": {"strategy": "consensus", "min_confidence": 0.1}}, "ensemble.min_confidence"),
        ({"quality": {"refusals": True}}, "quality.refusals"),
        ({"outputs": {"samples": {"one": 2}}}, "outputs.samples of one"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_merged_are_one_line(
    run: Any, cli: Cli, tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    run("a", config(1)), run("b", config(2, **changed))
    done = cli("merge", "a", "b", "--to", "both")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert named in done.stderr
    assert not (tmp_path / "both").exists()
    assert not list(tmp_path.glob(".both*"))


def test_what_is_no_finished_run_or_no_place_is_refused(run: Any, tmp_path: Path) -> None:
    a = run("a", config(1))
    (tmp_path / "empty").mkdir()
    for name, state in (("half", "running"), ("anew", "selecting")):
        shutil.copytree(a, tmp_path / name)
        with closing(sqlite3.connect(tmp_path / name / "run.db")) as connection, connection:
            connection.execute("UPDATE meta SET value = ? WHERE name = 'state'", (state,))
    shutil.copytree(a, tmp_path / "edited")
    edited = (tmp_path / "edited" / "config.yaml").read_text().replace("script:two", "script:three")
    (tmp_path / "edited" / "config.yaml").write_text(edited)
    shutil.copytree(a, tmp_path / "broken")
    broken = (tmp_path / "broken" / "run.db").read_bytes()
    (tmp_path / "broken" / "run.db").write_bytes(broken[:4096] + b"\xff" * (len(broken) - 4096))
    for names, to, error, said in (
        (("a",), "both", UsageError, "two runs or more"),
        (("a", "a"), "both", UsageError, "named twice"),
        (("a", "empty"), "both", InputFileError, "not a run folder"),
        (("a", "half"), "both", RunError, "not finished.* run --out .*half$"),
        (("a", "anew"), "both", RunError, "not finished.* select .*anew$"),
        (("a", "edited"), "both", UsageError, r"models\.two\.function has been changed"),
        (("a", "half"), "a", InputFileError, "exists already"),
        (("broken", "a"), "both", StoreError, r"broken/run\.db: is damaged"),
    ):
        with pytest.raises(error, match=said):
            merged(tmp_path, *names, to=to)
    assert not (tmp_path / "both").exists()


def test_a_merge_that_is_killed_leaves_nothing_half(run: Any, cli: Cli, tmp_path: Path) -> None:
    run("a", config(1)), run("b", config(2))
    whole = (merged(tmp_path, "a", "b", to="whole") / "examples.jsonl").read_bytes()
    seen_half = 0
    for delay in (0.0, 0.01, 0.03, 0.06):
        process = subprocess.Popen(
            [COMMAND, "merge", "a", "b", "--to", "both"], cwd=tmp_path, stdout=subprocess.DEVNULL
        )
        while process.poll() is None and not list(tmp_path.glob(".both.*/run.db")):
            time.sleep(0.001)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen_half += bool(list(tmp_path.glob(".both.*")))
        if (tmp_path / "both").exists():
            assert (tmp_path / "both" / "examples.jsonl").read_bytes() == whole
            shutil.rmtree(tmp_path / "both")
    assert seen_half
    assert cli("merge", "a", "b", "--to", "both").returncode == 0
    assert (tmp_path / "both" / "examples.jsonl").read_bytes() == whole
    assert not list(tmp_path.glob(".both*"))
