"""A run from a file of 200 instances of one's own ends in a report and an export, also when it was killed."""

from __future__ import annotations

import gzip
import json
import signal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import rows
from tests.support.forks import Forks, on_path

pytestmark = pytest.mark.slow
COUNT = 200
SCRIPTS = """
import itertools, os, signal

calls = itertools.count(1)

def right(request):
    if next(calls) == int(os.environ.get("AT", 0)):
        os.kill(os.getpid(), signal.SIGKILL)
    return "The number is " + request.prompt.split()[-1]

def nearly(request):
    number = int(request.prompt.split()[-1])
    return f"The number is {number}." if number % 5 else "I would say that it is eleven"
"""
CONFIG = """
models:
  right: {provider: scripted, function: 'my_scripts:right', max_in_flight: 2}
  nearly: {provider: scripted, function: 'my_scripts:nearly', max_in_flight: 2}
roles: {outputs: [right, nearly]}
licenses: {tasks: CC-BY-4.0}
"""


def task(number: int) -> dict[str, str]:
    own = {} if number % 4 == 0 else {"output": f"It is {number}"}
    given = {"input": f"Number {number}"} if number % 2 else {}
    return {"instruction": f"Which number is it? {number}", **given, **own, "reference": f"The number is {number}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_scripts.py").write_text(SCRIPTS)
    (tmp_path / "config.yaml").write_text(CONFIG)
    bad = [{"instruction": "\u200b", "output": "nothing is asked"}, task(7), {"instruction": None, "output": "x"}]
    (tmp_path / "tasks.json").write_text(json.dumps([*map(task, range(COUNT)), *bad], indent=1))
    return tmp_path


def test_a_run_from_instances_of_ones_own_ends_in_a_report_and_an_export(forks: Forks, folder: Path) -> None:
    begin = ["run", "config.yaml", "--out", "run", "--instances", "tasks.json"]
    killed = forks.run(folder, begin, {**on_path(folder), "AT": "90"})
    assert killed.returncode == -signal.SIGKILL
    (folder / "tasks.json").rename(folder / "elsewhere.json")  # the run has kept them
    done = forks.run(folder, ["run", "config.yaml", "--out", "run"], on_path(folder))
    assert done.returncode == 0, done.stderr
    assert "output_only   parse            102 tasks of your own: 100 instances kept, 2 dropped" in done.stdout
    assert (
        "input_output  parse            101 tasks of your own: 100 instances kept, 1 dropped (1 duplicate)"
        in done.stdout
    )
    whole = forks.run(
        folder, ["run", "config.yaml", "--out", "other", "--instances", "elsewhere.json"], on_path(folder)
    )
    assert whole.returncode == 0, whole.stderr
    examples = rows(folder / "run" / "examples.jsonl")
    assert examples == rows(folder / "other" / "examples.jsonl")
    assert len(examples) > COUNT / 2
    assert all(row["reference"].startswith("The number is ") for row in examples)
    without = [row for row in examples if int(row["instruction"].split()[-1]) % 4 == 0]
    assert {tuple(voice["voter"] for voice in row["candidates"]) for row in without} == {("right", "nearly")}
    report = (folder / "run" / "report.html").read_text()
    assert "Which number is it?" in report
    assert "answered tasks of the run's owner" in report
    assert "wrote the tasks" not in report

    for arguments in (["export", "run", "--format", "parquet", "--to", "t.parquet"],
                      ["export", "run", "--format", "hub", "--repo", "me/data", "--dry-run", "--to", "hub/"],
                      ["select", "run", "--strategy", "released"],
                      ["select", "run", "--strategy", "vouched", "--keep", "0.5"]):  # fmt: skip
        done = forks.run(folder, arguments, on_path(folder))
        assert done.returncode == 0, (arguments, done.stderr)
    assert pq.read_table(folder / "t.parquet").to_pylist()[0]["reference"] == examples[0]["reference"]
    card = (folder / "hub" / "README.md").read_text()
    assert "in two steps, from tasks of its owner" in card
    assert "`instance` being the output that a task of its owner came with" in card
    assert "All texts but the tasks of its owner were written by language models" in card
    assert "cc-by-4.0" in card.lower()
    done = forks.run(folder, ["evaluate", "--run", "run"], on_path(folder))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("200 tasks, 3 models")
    assert "right " in done.stdout


def test_the_same_tasks_in_another_file_go_on_and_others_are_refused(forks: Forks, folder: Path) -> None:
    begin = ["run", "config.yaml", "--out", "run", "--instances"]
    assert forks.run(folder, [*begin, "tasks.json"], on_path(folder)).returncode == 0
    tasks = json.loads((folder / "tasks.json").read_text())
    (folder / "same.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, tasks)).encode()))
    (folder / "fewer.jsonl").write_text("\n".join(map(json.dumps, tasks[:50])))
    assert forks.run(folder, [*begin, "same.jsonl.gz"], on_path(folder)).returncode == 0
    forks.run(folder, ["status", "run"])  # who reads a database makes files beside it
    said = forks.refused(folder, *begin, "fewer.jsonl", env=on_path(folder))
    assert "run: the run was begun with other instances: tasks.json, 203 rows; leave the option" in said
    said = forks.refused(folder, "run", "config.yaml", "--out", "run", "--instructions", "tasks.json",
                         env=on_path(folder))  # fmt: skip
    assert "leave the option --instructions out" in said
    assert forks.run(folder, ["run", "--out", "run"], on_path(folder)).returncode == 0


def test_what_is_missing_is_one_line_before_anything_is_made(forks: Forks, folder: Path) -> None:
    env = on_path(folder)
    said = forks.refused(folder, "run", "config.yaml", "--out", "run", env=env)
    assert "config.yaml:5: roles.instructions: is missing; name a model, or begin with instructions of your own" in said
    said = forks.refused(folder, "run", "config.yaml", "--out", "run", "--instructions", "tasks.json", env=env)
    assert "roles.instances: is missing; name a model, or begin with instances of your own" in said
    own = ["run", "config.yaml", "--out", "run", "--instances"]
    said = forks.refused(folder, *own, "tasks.json", "--set", "licenses.tasks=null", env=env)
    assert "licenses.tasks: the licence is not declared" in said
    (folder / "none.jsonl").write_text('{"instruction": " "}\n{"instruction": "\\u2060", "output": "x"}\n')
    assert "none.jsonl: holds no task to begin with: 2 empty_instruction" in forks.refused(
        folder, *own, "none.jsonl", env=env
    )
    (folder / "other.jsonl").write_text('{"title": "x"}\n')
    assert "other.jsonl:1: field 'instruction' is missing" in forks.refused(folder, *own, "other.jsonl", env=env)
    assert "give either --instructions or --instances" in forks.refused(
        folder, *own, "tasks.json", "--instructions", "tasks.json", env=env
    )
    said = forks.refused(folder, "run", "config.yaml", "--out", "run", "--set", "tasks=instances", env=env)
    assert "tasks: instances: name their file: --instances FILE" in said
    assert not (folder / "run").exists()


def test_a_step_alone_reads_the_same_columns(forks: Forks, folder: Path) -> None:
    rows_there = [{"question": "Which number is 3", "answer": None}, {"prompt": "Say 4", "response": "4"}]
    (folder / "q.json").write_text(json.dumps(rows_there))
    done = forks.run(folder, ["outputs", "config.yaml", "--model", "right", "--instances", "q.json", "--to", "o.jsonl"],
                     on_path(folder))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [row["output"] for row in rows(folder / "o.jsonl")] == ["The number is 3", "The number is 4"]


def test_a_run_without_own_tasks_takes_none_later(forks: Forks, folder: Path) -> None:
    (folder / "run").mkdir()
    generator = [*("--set", "roles.instructions=right"), *("--set", "roles.instances=right")]
    first = ["run", "config.yaml", "--out", "run", *generator, "--set", "instructions.patience=1"]
    forks.run(folder, first, on_path(folder))
    if (folder / "run" / "run.db").exists():
        said = forks.refused(folder, *first, "--instances", "tasks.json", env=on_path(folder))
        assert "was begun without tasks of your own; give another --out" in said


def test_what_is_merged_out_of_such_runs_is_no_run_to_go_on_with(forks: Forks, folder: Path) -> None:
    for name, text in (("one", "Say 4"), ("two", "Say 5")):
        (folder / f"{name}.json").write_text(json.dumps([{"prompt": text, "answer": "The number is " + text[4:]}]))
        done = forks.run(folder, ["run", "config.yaml", "--out", name, "--instances", f"{name}.json"], on_path(folder))
        assert done.returncode == 0, done.stderr
    done = forks.run(folder, ["merge", "one", "two", "--to", "both"], on_path(folder))
    assert done.returncode == 0, done.stderr
    for option in ([], ["--instances", "one.json"]):
        said = forks.refused(folder, "run", "--out", "both", *option, env=on_path(folder))
        assert "both: was merged out of other runs, so it cannot be resumed" in said


def test_python_takes_rows_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ensemble_instruct as ei

    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)
    talk = [{"role": "user", "content": [{"type": "text", "text": "Which number is 12"}]},
            {"role": "assistant", "content": "12"}, {"role": "user", "content": "And 13"}]  # fmt: skip
    some: list[dict[str, Any]] = [
        task(1),
        {"messages": talk},
        {"prompt": "Say 3", "completion": "3"},
        {"question": "Is it 4", "answer": "4"},
    ]
    made = ei.run("config.yaml", "run", instances=some, progress=False, allow_empty=True)
    assert {drop.reason for drop in made.rejected()} >= {"further_turns"}
    texts = {example.instance.instruction for example in made.examples()}
    assert texts >= {"Say 3", "Is it 4"}
    assert ei.run("config.yaml", "run", progress=False, allow_empty=True).state == "finished"
