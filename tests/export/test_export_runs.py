"""Exports of runs that are not like others: one that is not finished and has filters, a merged one, an empty one."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests.conftest import rows
from tests.support.forks import Forks, on_path
from tests.support.made_run import made_examples, make_run

SCRIPTS = '''
"""Models that agree on what a filter is against, by the first word of the task; one of them may break."""
import os
import random

WORDS = "Plain Odd Harmful Known".split()
MORE = "amber birch cedar delta ember flint grove haven inlet jade kelp larch north opal pine river".split()
asked = set()

def case(request):
    return request.prompt[max(map(request.prompt.rfind, WORDS)):].split()[0]

def base(request):
    if request.step == "instructions":
        rng = random.Random(request.sampling.seed)
        return f" {rng.choice(WORDS)} {' '.join(rng.sample(MORE, 8))}."
    return "output: " + answers(request)[0]

def answers(request):
    return {
        "Plain": ["It is so.", "It is so."],
        "Odd": ["As an AI language model, I cannot do it.", "My language model cannot do it."],
        "Harmful": ["It is harmful.", "It is harmful."],
        "Known": ["one two three four five six seven eight nine ten eleven twelve thirteen"] * 2,
    }[case(request)]

def one(request):
    asked.add(request.prompt)
    if "BREAKS" in os.environ and len(asked) > 24:
        raise RuntimeError("broken")
    return answers(request)[0]

def two(request):
    return answers(request)[1]

def guard(request):
    return "toxic" if "is harmful." in request.prompt else "safe"
'''
CONFIG = """
instructions: {target: {input_output: 0, output_only: 40}, window: 4}
models:
  base: {provider: scripted, function: "filtered_scripts:base"}
  one: {provider: scripted, function: "filtered_scripts:one"}
  two: {provider: scripted, function: "filtered_scripts:two"}
  guard: {provider: scripted, function: "filtered_scripts:guard"}
roles: {instructions: base, instances: base, outputs: [one, two]}
ensemble: {strategy: consensus, min_confidence: 0.1}
quality: {refusals: true, decontaminate: [benchmark.txt], toxicity: {model: guard}}
"""


def cases(outputs: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """What was kept for which tasks."""
    return {(row["instruction"].split()[0], row["output"]) for row in outputs}


def test_examples_so_far_are_without_what_the_filters_of_the_run_are_against(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "filtered_scripts.py").write_text(SCRIPTS)
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "benchmark.txt").write_text("one two three four five six seven eight nine ten eleven twelve thirteen\n")
    env = on_path(tmp_path)
    broken = forks.run(tmp_path, ["run", "config.yaml", "--out", "run"], env | {"BREAKS": "1"})
    assert broken.returncode == 1, broken.stderr
    assert "give --partial" in forks.run(tmp_path, ["export", "run", "--format", "alpaca", "--to", "no"]).stderr
    command = ["export", "run", "--format", "alpaca", "--to", "so-far.jsonl", "--partial"]
    early = forks.run(tmp_path, command)
    assert early.returncode == 0, early.stderr
    so_far = rows(tmp_path / "so-far.jsonl")
    kept = {("Plain", "It is so."), ("Odd", "My language model cannot do it.")}
    assert cases(so_far) == kept
    assert early.stderr.startswith("note: the run is not finished: these are its examples so far, without ")
    assert early.stderr.endswith(" that its filters leave out; at its end it may choose others\n")
    assert int(early.stderr.split("without ")[1].split()[0]) > 0
    (tmp_path / "benchmark.txt").rename(tmp_path / "elsewhere.txt")
    assert "benchmark.txt: cannot be read" in forks.refused(tmp_path, *command)
    (tmp_path / "elsewhere.txt").rename(tmp_path / "benchmark.txt")
    assert forks.run(tmp_path, ["run", "config.yaml", "--out", "run"], env).returncode == 0
    assert cases(rows(tmp_path / "run" / "examples.jsonl")) == kept
    done = forks.run(tmp_path, command)
    assert (done.returncode, done.stderr) == (0, "")
    assert so_far == rows(tmp_path / "so-far.jsonl")[: len(so_far)]
    assert len(so_far) < len(rows(tmp_path / "so-far.jsonl"))


def merged_run(folder: Path) -> list[dict[str, str]]:
    """A run as `merge` leaves it, of two others; the run of each instruction."""
    examples = [
        replace(example, instance=replace(example.instance, run="first" if number % 3 else "other/second"))
        for number, example in enumerate(made_examples(30))
    ]
    make_run(folder, examples)
    counts = {"instructions": 15, "instances": 15, "dropped": {}}
    parts = [{"run": name, **counts, "models": {}, "config": {}} for name in ("first", "other/second")]
    with closing(sqlite3.connect(folder / "run.db")) as connection, connection:
        connection.execute("INSERT INTO meta VALUES ('merged', ?)", (json.dumps(parts),))
    return [{"id": example.instance.id, "run": example.instance.run} for example in examples]


@pytest.mark.parametrize(
    "arguments", [["parquet"], *(["parquet", "--rows", name] for name in ("messages", "preference"))]
)
def test_a_table_says_which_run_each_example_comes_from(forks: Forks, tmp_path: Path, arguments: list[str]) -> None:
    origins = merged_run(tmp_path / "run")
    done = forks.run(tmp_path, ["export", "run", "--format", *arguments, "--to", "out/", "--candidates"])
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("data", "candidates"):
        table = pq.read_table(tmp_path / "out" / name / "train-00000-of-00001.parquet")
        assert table.select(["id", "run"]).to_pylist() == origins
        assert table.column_names[-1] == "run"
    front = yaml.safe_load((tmp_path / "out" / "README.md").read_text().split("---\n")[1])
    assert [size["splits"][0]["num_examples"] for size in front["dataset_info"]] == [30, 30]


def test_the_card_of_a_merged_run_tells_of_that_column(forks: Forks, tmp_path: Path) -> None:
    merged_run(tmp_path / "run")
    done = forks.run(tmp_path, ["card", "run"])
    assert "`basis`, `run`." in done.stdout, done.stderr
    assert "`matrix`, `run`." in done.stdout
    forks.run(tmp_path, ["export", "run", "--format", "hub", "--dry-run"])
    readme = (tmp_path / "run" / "hub" / "README.md").read_text(encoding="utf-8")
    assert [line for line in done.stdout.splitlines() if line.startswith("Columns")] == [
        line for line in readme.splitlines() if line.startswith("Columns")
    ]
    assert "`run` is the one of the merged runs" in readme


def test_the_files_of_trainers_of_a_merged_run_are_as_of_any_other(forks: Forks, tmp_path: Path) -> None:
    merged_run(tmp_path / "run")
    make_run(tmp_path / "plain", made_examples(30))
    for form in ("messages", "prompt-completion", "preference", "original", "alpaca"):
        for name in ("run", "plain"):
            assert forks.run(tmp_path, ["export", name, "--format", form, "--to", f"{name}.out"]).returncode == 0
        assert (tmp_path / "run.out").read_bytes() == (tmp_path / "plain.out").read_bytes()


def test_a_dataset_for_the_hub_that_has_no_row_is_noted(forks: Forks, tmp_path: Path) -> None:
    make_run(tmp_path / "run", [])
    done = forks.run(
        tmp_path, ["export", "run", "--format", "hub", "--dry-run", "--split", "train=0.5,test=0.5", "--allow-empty"]
    )
    assert done.returncode == 0
    assert done.stderr == "note: no row was written, and `datasets` loads nothing that has none\n"


def test_files_of_the_run_are_no_place_for_an_export(forks: Forks, tmp_path: Path) -> None:
    make_run(tmp_path / "run", made_examples(3))
    for name in ("examples.jsonl", "report.html", "config.yaml", "run.db"):
        (tmp_path / "run" / name).touch()
        message = forks.refused(tmp_path, "export", "run", "--format", "alpaca", "--to", f"run/{name}")
        assert f"run/{name}: is a file of the run" in message
