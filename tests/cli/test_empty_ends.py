"""A step alone that writes no row says so, and step 1 says when it ends short of what was wanted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, rows
from tests.support.good_input import COMPLETION, TASK, write
from tests.support.servers.reply import Served, refused, said, serving

STEPS = {
    "instructions": "instructions config.yaml --kind output_only --to out.jsonl",
    "instances": "instances config.yaml --kind output_only --instructions tasks.jsonl --to out.jsonl",
    "parse": "parse --instances completions.jsonl --to out.jsonl",
    "outputs": "outputs config.yaml --model base --instances tasks.jsonl --to out.jsonl",
    "ensemble": "ensemble --instances tasks.jsonl --outputs other.jsonl --min-confidence 1 --to out.jsonl",
}
REASONS = {
    "instructions": "content_filter",
    "instances": "content_filter",
    "parse": "no_output",
    "outputs": "content_filter",
    "ensemble": "all_differ",
}
TO_TRY = {
    "instructions": "its requests fail: mend that",
    "instances": "its requests fail: mend that",
    "parse": "see whether the completions state an output",
    "outputs": "see whether the models of roles.outputs answer",
    "ensemble": "see what the models disagree on",
}


def configure(folder: Path, served: Served, target: int = 5, patience: int = 3) -> None:
    config: dict[str, Any] = {
        "instructions": {"target": {"input_output": 0, "output_only": target}, "patience": patience, "window": 1},
        "models": {"base": {"base_url": served.base_url, "model": "m", "license": "Apache-2.0"}},
        "roles": {"instructions": "base", "instances": "base", "outputs": ["base"]},
    }
    (folder / "config.yaml").write_text(json.dumps(config))


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_writes_no_row_says_why(cli: Cli, tmp_path: Path, step: str) -> None:
    write(tmp_path / "tasks.jsonl", TASK)
    write(tmp_path / "other.jsonl", {**TASK, "output": "no idea"})
    write(tmp_path / "completions.jsonl", {**COMPLETION, "raw_instances": "no idea"})
    with serving(lambda *_: refused("blocked by our content policy")) as served:
        configure(tmp_path, served)
        done = cli(*STEPS[step].split())
    assert done.returncode == 0
    assert rows(tmp_path / "out.jsonl") == []
    dropped = rows(tmp_path / "out.jsonl.rejected.jsonl")
    assert {row["reason"] for row in dropped} == {REASONS[step]}
    assert "0 rows in out.jsonl" in done.stdout
    assert done.stderr.splitlines()[-1].startswith(
        f"warning: no row was made: step {step} kept none; dropped most: {len(dropped)} {REASONS[step]} in {step}; "
        f"out.jsonl.rejected.jsonl shows their texts; {TO_TRY[step]}"
    )


def test_voters_whose_thoughts_are_all_cut_off_are_said_to_need_more_tokens(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "tasks.jsonl", TASK)
    with serving(lambda *_: said("<think>Well, a long thought", "length")) as served:
        configure(tmp_path, served)
        done = cli(*STEPS["outputs"].split())
    assert done.returncode == 0
    assert "1 thought_only in outputs" in done.stderr
    assert "; raise outputs.sampling.max_tokens, so that it comes to its end" in done.stderr


@pytest.mark.parametrize("step", ["instances", "parse", "outputs", "ensemble"])
def test_a_step_that_is_given_no_row_says_so(cli: Cli, tmp_path: Path, step: str) -> None:
    for name in ("tasks", "other", "completions"):
        (tmp_path / f"{name}.jsonl").write_text("\n")
    with serving(lambda *_: said("an answer")) as served:
        configure(tmp_path, served)
        done = cli(*STEPS[step].split())
        assert served.bodies == []
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1].startswith(
        "warning: no row was written, for the files that were read have none; "
    )


def test_step_1_alone_says_how_many_of_how_many_it_made_and_why(cli: Cli, tmp_path: Path) -> None:
    with serving(lambda *_: said(" Write a letter to the mayor about the old bridge")) as served:
        configure(tmp_path, served)
        alone = cli(*STEPS["instructions"].split())
        run = cli("run", "config.yaml", "--out", "run")
    assert alone.returncode == 0
    assert len(rows(tmp_path / "out.jsonl")) == 1
    assert alone.stderr == (
        "note: step 1 ended at 1 of 5 output_only instructions: the last 3 replies in a row gave nothing new "
        "(instructions.patience)\n"
    )
    assert alone.stderr in run.stderr


def test_step_1_alone_that_makes_what_was_wanted_says_nothing(cli: Cli, tmp_path: Path) -> None:
    with serving(lambda *_: said(" Write a letter to the mayor about the old bridge")) as served:
        configure(tmp_path, served, target=1)
        done = cli(*STEPS["instructions"].split())
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_whose_step_1_gives_nothing_is_finished_and_no_success(cli: Cli, tmp_path: Path) -> None:
    with serving(lambda *_: said("I cannot!")) as served:
        configure(tmp_path, served)
        done = cli("run", "config.yaml", "--out", "run")
        again = cli("run", "config.yaml", "--out", "run", "--allow-empty")
        assert len(served.bodies) == 3
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "error: no example was made: step instructions kept none; dropped most: 3 "
    )
    assert "if base is a chat model, set models.base.endpoint: chat" in done.stderr
    assert again.returncode == 0
    assert cli("status", "run").stdout.splitlines()[-1].startswith("finished; ")
    assert "There are no examples in this run." in (tmp_path / "run" / "report.html").read_text()


def test_a_run_that_no_kind_is_wanted_of_is_no_success(cli: Cli, tmp_path: Path) -> None:
    with serving(lambda *_: said("an answer")) as served:
        configure(tmp_path, served, target=0)
        done = cli("run", "config.yaml", "--out", "run")
    assert done.returncode == 1
    assert "instructions.target is 0 for both kinds" in done.stderr
