"""What the end of a run and `status` say: each number with its unit, and numbers that add up."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from ensemble_instruct.config.bundled import preset_names
from ensemble_instruct.records import KINDS, STEPS
from tests.conftest import SIMULATED, Cli, rows

_STEP = re.compile(
    r"(\w+) +(\w+) +(\d+) ([a-z ]+): (\d+) ([a-z]+) kept(?: of (\d+) wanted| \((\d+) first, (\d+) follow-on\)|"
    r" for (\d+) of (\d+) instances)?, (\d+) dropped(?: \((.+)\))?"
)


class StepLine(NamedTuple):
    """A line of a step: what came in, what was kept, what was dropped."""

    came: int
    unit: str
    kept: int
    made: str
    details: tuple[int, ...]
    dropped: int
    reasons: dict[str, int]


def step_lines(text: str) -> dict[tuple[str, str], StepLine]:
    lines = {}
    for kind, step, came, unit, kept, made, *details, dropped, reasons in _STEP.findall(text):
        counts = {name: int(count) for count, name in (part.split() for part in reasons.split(", ") if part)}
        numbers = tuple(int(number) for number in details if number)
        lines[kind, step] = StepLine(int(came), unit, int(kept), made, numbers, int(dropped), counts)
    return lines


def test_the_numbers_of_a_finished_run_add_up_from_step_to_step(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", SIMULATED, "--out", "run")
    lines = step_lines(done.stdout)
    assert list(lines) == [(kind, step) for kind in KINDS for step in STEPS]
    for line in lines.values():
        assert line.came == line.kept + line.dropped
        assert sum(line.reasons.values()) == line.dropped
    for kind, target in zip(KINDS, (40, 30), strict=True):
        instructions, instances, parse, outputs, ensemble = (lines[kind, step] for step in STEPS)
        assert instructions.details == (target,)
        assert (instances.came, instances.unit) == (instructions.kept, instructions.made)
        assert sum(parse.details) == parse.kept
        assert parse.details[0] <= instances.kept
        assert outputs.came == 2 * parse.kept
        assert outputs.details == (parse.kept, parse.kept)
        assert (ensemble.came, ensemble.unit) == (parse.kept, parse.made)
        assert ensemble.kept == sum(row["kind"] == kind for row in rows(tmp_path / "run" / "examples.jsonl"))
    answers = sum(int(count) for count in re.findall(r"^model [\w-]+: (\d+) answers", done.stdout, re.MULTILINE))
    assert re.search(rf"^finished; {answers} requests in (all|\d+ s, [\d.]+/s on average)$", done.stdout, re.MULTILINE)
    assert "example was made" not in done.stderr


def test_a_run_without_an_example_of_a_kind_is_no_success(cli: Cli, tmp_path: Path) -> None:
    strict = ("run", SIMULATED, "--out", "run", "--set", "ensemble.min_confidence=0.9")
    done = cli(*strict)
    assert done.returncode == 1
    assert "1 examples in run/examples.jsonl" in done.stdout
    last = done.stderr.splitlines()[-1]
    dropped = step_lines(done.stdout)["output_only", "parse"].kept
    assert re.fullmatch(
        rf"error: no output_only example was made: step ensemble kept none; dropped most: {dropped} low_confidence in "
        rf"ensemble, .*; run/report.html shows their texts; see what the models disagree on, and how much confidence "
        rf"the section `ensemble` wants; give --allow-empty if this is as wanted",
        last,
    ), last
    assert "target_reached" not in last
    assert "example was made" not in done.stderr.removesuffix(f"{last}\n")
    assert cli("status", "run").stdout.splitlines()[-1].startswith("finished; ")
    assert {"examples.jsonl", "report.html"} < {path.name for path in (tmp_path / "run").iterdir()}
    allowed = cli(*strict, "--allow-empty", "--log-file", "log")
    assert allowed.returncode == 0
    said = last.removeprefix("error: ").partition("; give --allow-empty")[0]
    assert allowed.stderr.splitlines()[-1] == f"warning: {said}"
    assert f"INFO {said}" in (tmp_path / "log").read_text()


def test_a_run_without_any_example_says_so_of_all_kinds_at_once(cli: Cli) -> None:
    done = cli("run", SIMULATED, "--out", "run", "--set", "ensemble.min_confidence=1")
    assert done.returncode == 1
    dropped = sum(step_lines(done.stdout)[kind, "parse"].kept for kind in KINDS)
    assert re.findall("^.* was made: .*$", done.stderr, re.MULTILINE) == [done.stderr.splitlines()[-1]]
    assert f"error: no example was made: step ensemble kept none; dropped most: {dropped} low_confidence" in done.stderr


def test_a_selection_or_a_merge_without_an_example_warns(cli: Cli, finished_run: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        shutil.copytree(finished_run, tmp_path / name)
        assert "example was made" not in cli("select", name).stderr

    def ended(*arguments: str) -> str:
        done = cli(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr.splitlines()[-1]

    strict = ("--min-confidence", "0.9")
    second = ended("select", "first", *strict, "--to", "second.jsonl")
    assert re.findall(r"^warning: no output_only example was made: .*; (\S+) shows", second) == [
        "second.jsonl.rejected.jsonl"
    ]
    assert len(rows(tmp_path / "second.jsonl")) == 1
    in_place = ended("select", "first", *strict)
    assert re.findall(r"^warning: no output_only .*; (\S+) shows", in_place) == ["first/report.html"]
    assert len(rows(tmp_path / "first" / "examples.jsonl")) == 1
    ended("select", "second", *strict)
    merged = ended("merge", "first", "second", "--to", "both")
    assert re.findall(r"^warning: no output_only .*; (\S+) shows", merged) == ["both/report.html"]
    filtered = ended("select", "both", "--min-confidence", "0", "--set", "quality.languages=[de]")
    assert filtered.startswith("warning: no example was made: step ensemble kept none; dropped most: ")
    assert "filters of the section `quality`" in filtered


@pytest.mark.parametrize("command", ["run", "init"])
def test_the_help_names_the_presets(cli: Cli, command: str) -> None:
    text = " ".join(cli(command, "--help", env={"COLUMNS": "100"}).stdout.split())
    assert f": {', '.join(preset_names())}." in text
