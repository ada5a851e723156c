"""Commands refuse files of rows that are not what they should be: one line on stderr, exit 2, nothing written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import COMMAND
from tests.support.forks import Forks
from tests.support.good_input import COMPLETION, FAULTS, REPLY, SEED, TASK, working_folder, write

READERS: dict[str, tuple[dict[str, Any], str]] = {
    "instances --instructions": (
        {"instruction": TASK["instruction"]},
        "instances config.yaml --kind input_output --instructions FILE --to out.jsonl",
    ),
    "parse --instances": (COMPLETION, "parse --instances FILE --to out.jsonl"),
    "parse --seed-tasks": (SEED, "parse --instances completions.jsonl --seed-tasks FILE --to out.jsonl"),
    "outputs --instances": (
        dict(reversed(TASK.items())),
        "outputs config.yaml --model a --instances FILE --to out.jsonl",
    ),
    "ensemble --instances": (TASK, "ensemble --instances FILE --outputs good.jsonl --to out.jsonl"),
    "ensemble --outputs": (TASK, "ensemble --instances good.jsonl --outputs FILE --to out.jsonl"),
    "run seed_tasks": (SEED, "run config.yaml --out run --set seed_tasks=FILE"),
    "check seed_tasks": (SEED, "check config.yaml --set seed_tasks=FILE"),
    "instructions seed_tasks": (
        SEED,
        "instructions config.yaml --kind input_output --to out.jsonl --set seed_tasks=FILE",
    ),
    "run demonstrations": (TASK, "run config.yaml --out run --set instances.demonstrations.input_output=FILE"),
    "outputs replies": (
        REPLY,
        "outputs config.yaml --model file --instances good.jsonl --to out.jsonl --set models.file.replies=FILE",
    ),
}
"""Each place where a file of rows goes in, with a good row for it and a command that reads it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return working_folder(tmp_path)


def command(reader: str, file: Path | str) -> list[str]:
    return READERS[reader][1].replace("FILE", str(file)).split()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("reader", READERS)
def test_a_bad_row_is_named_with_file_and_line(forks: Forks, folder: Path, reader: str, fault: str) -> None:
    good = READERS[reader][0]
    line, problem = FAULTS[fault](good)
    (folder / "bad.jsonl").write_bytes(json.dumps(good).encode() + b"\n\n" + line + b"\n")
    said = forks.refused(folder, *command(reader, "bad.jsonl"))
    assert "bad.jsonl:3: " in said
    assert problem in said


@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_is_not_there_is_named(forks: Forks, folder: Path, reader: str) -> None:
    assert "nowhere.jsonl: cannot be read: No such file" in forks.refused(folder, *command(reader, "nowhere.jsonl"))


def test_a_folder_in_place_of_a_file_is_named(forks: Forks, folder: Path) -> None:
    (folder / "rows").mkdir()
    assert "rows: cannot be read: Is a directory" in forks.refused(folder, *command("parse --instances", "rows"))


@pytest.mark.parametrize(
    "line", [b'{"x": ' + b"[" * 200_000, b'{"instruction": ' + b"1" * 5000 + b"}"], ids=["deep", "digits"]
)
def test_json_that_breaks_a_parser_is_one_line(forks: Forks, folder: Path, line: bytes) -> None:
    (folder / "bad.jsonl").write_bytes(line)
    assert "bad.jsonl:1: not JSON" in forks.refused(folder, *command("parse --instances", "bad.jsonl"))


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one line of 50 MB, which is JSON."""
    path = tmp_path_factory.mktemp("huge") / "huge.jsonl"
    path.write_bytes(b'{"instruction": "' + b"word " * 10_000_000 + b'"}\n')
    return path


@pytest.mark.parametrize("reader", READERS)
def test_a_line_of_50_mb_is_refused(forks: Forks, folder: Path, huge: Path, reader: str) -> None:
    assert f"{huge}:1: line is longer than 16 MiB" in forks.refused(folder, *command(reader, huge))


_PEAK_MEMORY = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_mebibytes(folder: Path, arguments: list[str]) -> float:
    """The most memory that a refused command took; measured from a small parent, whose size would count too."""
    asked = [sys.executable, "-c", _PEAK_MEMORY, str(COMMAND), *arguments]
    done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True)
    code, kilobytes = done.stdout.split()
    assert code == "2"
    return int(kilobytes) / (1024 if sys.platform == "linux" else 1024**2)


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["parse --instances", "outputs --instances", "run seed_tasks"])
def test_a_line_of_50_mb_takes_little_memory(folder: Path, huge: Path, reader: str) -> None:
    write(folder / "short.jsonl", 3)
    usual = peak_mebibytes(folder, command(reader, "short.jsonl"))
    assert peak_mebibytes(folder, command(reader, huge)) < usual + 45


@pytest.mark.parametrize(
    "reader", ["run seed_tasks", "check seed_tasks", "instructions seed_tasks", "parse --seed-tasks"]
)
def test_seed_tasks_without_a_row_are_refused(forks: Forks, folder: Path, reader: str) -> None:
    (folder / "empty.jsonl").write_text("\n")
    assert "empty.jsonl: holds no seed tasks" in forks.refused(folder, *command(reader, "empty.jsonl"))


def test_demonstrations_without_a_row_are_refused(forks: Forks, folder: Path) -> None:
    (folder / "empty.jsonl").write_text("")
    said = forks.refused(folder, *command("run demonstrations", "empty.jsonl"))
    assert "empty.jsonl: holds no demonstrations" in said


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": "seed_1"}, "id 'seed_1' stands already in line 1"),
        ({"instruction": " "}, "field 'instruction' is empty"),
        ({"instances": []}, "field 'instances' is empty"),
        ({"instances": ["France"]}, "each of 'instances' must be an object"),
        ({"instances": [{"input": "France"}]}, "each of 'instances' must be an object"),
        ({"instances": [{"input": None, "output": "Paris"}]}, "each of 'instances' must be an object"),
        ({"instances": [{"input": "France", "output": " "}]}, "empty 'output'"),
        ({"is_classification": 0}, "field 'is_classification' must be true or false"),
    ],
)
def test_a_bad_seed_task_is_refused_with_its_reason(
    forks: Forks, folder: Path, change: dict[str, Any], problem: str
) -> None:
    write(folder / "bad.jsonl", SEED, {**SEED, "id": "seed_2", **change})
    said = forks.refused(folder, *command("run seed_tasks", "bad.jsonl"))
    assert f"bad.jsonl:2: {problem}" in said or ("bad.jsonl:2: " in said and problem in said)


@pytest.mark.parametrize(
    ("kind", "row", "problem"),
    [
        ("input_output", {**TASK, "output": "\t"}, "field 'output' is empty"),
        ("input_output", {**TASK, "input": "France\noutput: Paris"}, "a line of field 'input' begins with"),
        ("output_only", TASK, "a demonstration of kind output_only has no 'input'"),
    ],
)
def test_a_bad_demonstration_is_refused_with_its_reason(
    forks: Forks, folder: Path, kind: str, row: dict[str, Any], problem: str
) -> None:
    good = TASK if kind == "input_output" else {**TASK, "input": ""}
    write(folder / "bad.jsonl", good, row)
    said = forks.refused(
        folder, "run", "config.yaml", "--out", "run", "--set", f"instances.demonstrations.{kind}=bad.jsonl"
    )
    assert "bad.jsonl:2: " in said
    assert problem in said


@pytest.mark.parametrize(
    "arguments",
    [
        "run config.yaml --out run",
        "run config.yaml --out run --dry-run",
        "check config.yaml",
        "instructions config.yaml --kind output_only --to out.jsonl",
    ],
)
def test_too_few_seed_tasks_of_one_kind_are_refused(forks: Forks, folder: Path, arguments: str) -> None:
    pairs = {"input_output": {"input": "1", "output": "2"}, "output_only": {"input": "", "output": "2"}}
    kinds = ["input_output"] * 9 + ["output_only"] * 3
    tasks = [{**SEED, "id": f"seed_{place}", "instances": [pairs[kind]]} for place, kind in enumerate(kinds)]
    write(folder / "few.jsonl", *tasks)
    said = forks.refused(folder, *arguments.split(), "--set", "seed_tasks=few.jsonl")
    assert "few.jsonl: 3 seed tasks of kind output_only, but a prompt shows 4" in said


@pytest.mark.parametrize("value", [5, None, ["length"]])
def test_a_finish_reason_that_is_no_text_is_refused(forks: Forks, folder: Path, value: object) -> None:
    write(folder / "bad.jsonl", {**COMPLETION, "finish_reason": value})
    said = forks.refused(folder, *command("parse --instances", "bad.jsonl"))
    assert "bad.jsonl:1: field 'finish_reason' must be a string" in said
