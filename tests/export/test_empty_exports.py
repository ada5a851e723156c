"""An export without a row is no success: one line says why and what to do, and what was at its place stays there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.finished import change
from tests.support.forks import Forks
from tests.support.made_run import made_examples, make_run

PLACES = {
    "original": "out.jsonl",
    "alpaca, lines": "out.jsonl",
    "alpaca, an array": "out.json",
    "messages": "out.jsonl",
    "messages, a folder": "out/",
    "prompt-completion": "out.jsonl",
    "preference": "out.jsonl",
    "preference, Parquet": "out.parquet",
    "parquet": "out.parquet",
    "parquet, a folder": "out/",
    "hub": "out/",
}
"""Where each format is written to."""
OF_A_RUN = ("preference", "preference, Parquet", "hub")
formats = pytest.mark.parametrize("name", PLACES)


def export(forks: Forks, folder: Path, source: str, name: str, *options: str) -> Any:
    form = name.partition(",")[0]
    hub = ["--dry-run"] if form == "hub" else []
    return forks.run(folder, ["export", source, "--format", form, "--to", PLACES[name], *hub, *options])


def content(path: Path) -> dict[str, bytes]:
    """What is at a place, a file or a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return {file.name: file.read_bytes() for file in files if file.is_file()}


@formats
def test_a_run_without_an_example_is_refused_and_leaves_what_was_there(forks: Forks, tmp_path: Path, name: str) -> None:
    make_run(tmp_path / "full", made_examples(6))
    make_run(tmp_path / "run", [])
    assert export(forks, tmp_path, "full", name).returncode == 0
    before = content(tmp_path / PLACES[name])
    done = export(forks, tmp_path, "run", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: run: has no example; dropped most: nothing; see `ensemble-instruct status run`; nothing was written: "
        "give --allow-empty for an empty dataset\n"
    )
    assert content(tmp_path / PLACES[name]) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    allowed = export(forks, tmp_path, "run", name, "--allow-empty")
    assert allowed.returncode == 0, allowed.stderr
    assert allowed.stdout.startswith("0 examples in out")
    assert content(tmp_path / PLACES[name]) != before


@pytest.mark.parametrize("name", [name for name in PLACES if name not in OF_A_RUN])
@pytest.mark.parametrize("text", ["", "\n", "[]"], ids=["nothing", "a blank line", "an empty array"])
def test_a_file_without_a_row_is_refused(forks: Forks, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "tasks.json").write_text(text)
    done = export(forks, tmp_path, "tasks.json", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: tasks.json: holds no task; name one with rows; nothing was written: ")
    assert {path.name for path in tmp_path.iterdir()} == {"tasks.json"}
    assert export(forks, tmp_path, "tasks.json", name, "--allow-empty").returncode == 0


def test_a_run_that_goes_on_and_has_no_example_yet_is_refused(forks: Forks, tmp_path: Path) -> None:
    make_run(tmp_path / "run", [])
    change(tmp_path / "run", "UPDATE meta SET value = 'running'")
    assert "give --partial" in export(forks, tmp_path, "run", "alpaca, lines").stderr
    done = export(forks, tmp_path, "run", "alpaca, lines", "--partial")
    assert done.returncode == 1
    assert done.stderr.startswith("error: run: has no example; ")
    assert export(forks, tmp_path, "run", "alpaca, lines", "--partial", "--allow-empty").returncode == 0


def test_examples_so_far_that_the_filters_leave_out_are_told_of(forks: Forks, tmp_path: Path) -> None:
    make_run(tmp_path / "run", made_examples(8))
    change(tmp_path / "run", "UPDATE meta SET value = 'running'")
    with (tmp_path / "run" / "config.yaml").open("a") as config:
        config.write("quality: {decontaminate: [benchmark.txt]}\n")
    (tmp_path / "run" / "benchmark.txt").write_text(
        "".join(f"{example.instance.instruction}\n" for example in made_examples(8))
    )
    done = export(forks, tmp_path, "run", "alpaca, lines", "--partial")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: run: its quality filters leave out all 8 examples so far; nothing was written"
    )
