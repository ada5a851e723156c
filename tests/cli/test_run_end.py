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


def test_a_kind_that_ends_without_examples_is_warned_of(cli: Cli) -> None:
    done = cli("run", SIMULATED, "--out", "run", "--set", "ensemble.min_agreement=1")
    assert done.returncode == 0
    (line,) = [line for line in done.stderr.splitlines() if "no output_only example" in line]
    assert line.startswith("warning: ")
    instances = step_lines(done.stdout)["output_only", "parse"].kept
    assert re.search(rf"dropped most: {instances} \w+ in ensemble, ", line)
    assert "run/report.html" in line
    assert "target_reached" not in line


def test_selecting_and_merging_warn_of_it_too(cli: Cli, finished_run: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        shutil.copytree(finished_run, tmp_path / name)
        assert "example was made" not in cli("select", name).stderr
    second = cli("select", "first", "--min-agreement", "1", "--to", "second.jsonl")
    assert re.findall(r"no output_only example was made: .*; (\S+) shows", second.stderr) == [
        "second.jsonl.rejected.jsonl"
    ]
    in_place = cli("select", "first", "--min-agreement", "1")
    assert re.findall(r"warning: no output_only .*; (\S+) shows", in_place.stderr) == ["first/report.html"]
    assert cli("select", "second", "--min-agreement", "1").returncode == 0
    merged = cli("merge", "first", "second", "--to", "both")
    assert merged.returncode == 0, merged.stderr
    assert re.findall(r"warning: no output_only .*; (\S+) shows", merged.stderr) == ["both/report.html"]
    filtered = cli("select", "both", "--min-agreement", "0", "--set", "quality.languages=[de]")
    assert "dropped most" in filtered.stderr
    assert "filters of the section `quality`" in filtered.stderr


@pytest.mark.parametrize("command", ["run", "init"])
def test_the_help_names_the_presets(cli: Cli, command: str) -> None:
    text = " ".join(cli(command, "--help", env={"COLUMNS": "100"}).stdout.split())
    assert f": {', '.join(preset_names())}." in text
