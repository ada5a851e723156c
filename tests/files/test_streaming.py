"""Files of many rows: each is read, answered and written as it comes, and what is written is whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import COMMAND, rows
from tests.support.forks import Forks, on_path
from tests.support.good_input import write
from tests.support.processes import PATIENCE

pytestmark = pytest.mark.slow

MODULE = """
import itertools, os, signal
from ensemble_instruct.records import Request, Response

calls = itertools.count(1)

def number(request: Request) -> int:
    return int(request.prompt.split()[-1])

def plain(request: Request) -> str:
    return f"answer {number(request)}"

def half(request: Request) -> str | Response:
    # to every third, an answer that was cut off
    return Response("cut " * 500, "length") if number(request) % 3 == 0 else f"answer {number(request)}"

def completing(request: Request) -> str:
    return "output: yes"

def changing(request: Request) -> str:
    # the file of the rows is rewritten where it stands
    if next(calls) == 1:
        with open("tasks.jsonl", "r+b") as file:
            exec(os.environ["CHANGE"])
    return plain(request)

def replacing(request: Request) -> str:
    if next(calls) == 1:
        os.replace("others.jsonl", "tasks.jsonl")
    return plain(request)

def failing(request: Request) -> str:
    if next(calls) == int(os.environ.get("AT", 0)):
        raise ZeroDivisionError("my own mistake")
    return plain(request)

def dying(request: Request) -> str:
    if next(calls) == int(os.environ.get("AT", 0)):
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(request)
"""
OLD = '{"instruction": "old", "input": "", "output": "old"}\n'
OUTPUTS = ["outputs", "config.yaml", "--model", "m", "--instances", "tasks.jsonl", "--to", "out.jsonl"]
INSTANCES = ["instances", "config.yaml", "--kind", "output_only", "--instructions", "tasks.jsonl", "--to", "out.jsonl"]
COUNT = 300
"""More rows than a step with one request at a time reads ahead."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with scripts, a config that lets them answer one request at a time, and tasks."""
    (tmp_path / "my_scripts.py").write_text(MODULE)
    (tmp_path / "config.yaml").write_text(
        "models: {m: {provider: scripted, function: 'my_scripts:plain', max_in_flight: 1}}\n"
        "roles: {instructions: m, instances: m, outputs: [m]}\n"
    )
    write_tasks(tmp_path / "tasks.jsonl", COUNT)
    return tmp_path


def write_tasks(path: Path, count: int, filling: str = "") -> None:
    write(path, *({"instruction": f"{filling}Say", "input": str(number), "output": ""} for number in range(count)))


def saying(function: str) -> list[str]:
    return ["--set", f"models.m.function=my_scripts:{function}"]


def answered(count: int) -> str:
    """The file that step 4 writes for `count` tasks."""
    rows_of_file = (
        {"instruction": "Say", "input": str(number), "output": f"answer {number}"} for number in range(count)
    )
    return "".join(json.dumps(row) + "\n" for row in rows_of_file)


def files(folder: Path) -> set[str]:
    """What a command left beside its store, without what was there before and what Python left."""
    before = {"my_scripts.py", "config.yaml", "tasks.jsonl", "__pycache__"}
    return {path.name for path in folder.iterdir() if not path.name.startswith("out.jsonl.db")} - before


_PEAK_MEMORY = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_mebibytes(folder: Path, arguments: list[str]) -> float:
    """The most memory that a command took; measured from a small parent, whose size would count too."""
    measured = [sys.executable, "-c", _PEAK_MEMORY, str(COMMAND), *arguments]
    environment = {**os.environ, **on_path(folder)}
    done = subprocess.run(measured, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    code, size = done.stdout.split()
    assert code == "0"
    return int(size) / (1024 if sys.platform == "linux" else 1024**2)


@pytest.mark.parametrize(
    ("command", "function", "many"), [(OUTPUTS, "half", 1500), (INSTANCES, "completing", 500)],
    ids=["outputs", "instances"],
)  # fmt: skip
def test_memory_does_not_grow_with_the_rows(folder: Path, command: list[str], function: str, many: int) -> None:
    """36 MB of rows in place of 6."""
    peaks = []
    for count in (many // 6, many):
        write_tasks(folder / "tasks.jsonl", count, "word " * (7_200_000 // many))
        done_by = [*saying(function), "--set", "models.m.max_in_flight=4", "--store", f"{count}.db"]
        peaks.append(peak_mebibytes(folder, [*command, *done_by]))
        assert sum(path.read_bytes().count(b"\n") for path in folder.glob("out.jsonl*")) == count
    assert peaks[1] < peaks[0] + 15


def test_rows_and_drops_stand_in_their_order(forks: Forks, folder: Path) -> None:
    done = forks.run(folder, [*OUTPUTS, *saying("half")], on_path(folder))
    assert done.returncode == 0, done.stderr
    places = range(COUNT)
    answers = [json.loads(line) for line in answered(COUNT).splitlines()]
    assert rows(folder / "out.jsonl") == [answers[place] for place in places if place % 3]
    dropped = rows(folder / "out.jsonl.rejected.jsonl")
    cut_off = {"step": "outputs", "reason": "cut_off", "text": ("cut " * 500).strip(), "detail": "m"}
    assert dropped == [cut_off for place in places if place % 3 == 0]
    assert files(folder) == {"out.jsonl", "out.jsonl.rejected.jsonl"}


def test_the_drops_of_an_earlier_time_are_removed_when_there_are_none(forks: Forks, folder: Path) -> None:
    (folder / "out.jsonl.rejected.jsonl").write_text("{}\n")
    done = forks.run(folder, OUTPUTS, on_path(folder))
    assert done.returncode == 0, done.stderr
    assert (folder / "out.jsonl").read_text() == answered(COUNT)
    assert files(folder) == {"out.jsonl"}


@pytest.mark.parametrize("command", [OUTPUTS, INSTANCES], ids=["outputs", "instances"])
def test_a_broken_last_line_of_many_is_found_before_anything_is_asked(
    forks: Forks, folder: Path, command: list[str]
) -> None:
    count = 20_000
    write_tasks(folder / "tasks.jsonl", count)
    with (folder / "tasks.jsonl").open("a") as file:
        file.write('{"instruction": "Say", "in')
    (folder / "out.jsonl").write_text(OLD)
    message = forks.refused(folder, *command, *saying("dying"), env={**on_path(folder), "AT": "1"})
    assert f"tasks.jsonl:{count + 1}: not JSON" in message


@pytest.mark.parametrize(
    "change",
    [
        "file.seek(0, 2); file.write(b'{}')",
        "file.truncate(10_000)",
        "file.truncate(0)",
        "text = file.read(); file.seek(0); file.write(text.replace(b'Say', b'Spy'))",
    ],
    ids=["longer", "shorter", "empty", "same length"],
)
def test_a_file_that_is_changed_while_it_is_read_is_named(forks: Forks, folder: Path, change: str) -> None:
    (folder / "out.jsonl").write_text(OLD)
    done = forks.run(folder, [*OUTPUTS, *saying("changing")], {**on_path(folder), "CHANGE": change})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: tasks.jsonl: was changed")
    assert (folder / "out.jsonl").read_text() == OLD
    assert files(folder) == {"out.jsonl"}


def test_another_file_that_takes_the_name_meanwhile_is_not_read(forks: Forks, folder: Path) -> None:
    (folder / "others.jsonl").write_text("no row at all\n" * 1000)
    done = forks.run(folder, [*OUTPUTS, *saying("replacing")], on_path(folder))
    assert done.returncode == 0, done.stderr
    assert (folder / "out.jsonl").read_text() == answered(COUNT)


@pytest.mark.parametrize("last", ["", '{"instruction": 5}\n'], ids=["good", "broken"])
def test_rows_may_come_through_a_pipe(folder: Path, last: str) -> None:
    piped = [*OUTPUTS]
    piped[piped.index("tasks.jsonl")] = "/dev/stdin"
    count = 1400
    write_tasks(folder / "tasks.jsonl", count)
    tasks = (folder / "tasks.jsonl").read_text() + last
    assert len(tasks) > 2**16, "more than a pipe holds"
    done = subprocess.run(
        [COMMAND, *piped], cwd=folder, env={**os.environ, **on_path(folder)}, input=tasks, capture_output=True,
        text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    if last:
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert f"/dev/stdin:{count + 1}: field 'instruction' must be a string" in done.stderr
        assert files(folder) == set()
    else:
        assert done.returncode == 0, done.stderr
        assert (folder / "out.jsonl").read_text() == answered(count)


@pytest.mark.parametrize(("function", "code"), [("failing", 1), ("dying", -signal.SIGKILL)])
def test_what_ends_in_the_middle_leaves_the_old_file_and_nothing_half_written(
    forks: Forks, folder: Path, function: str, code: int
) -> None:
    (folder / "out.jsonl").write_text(OLD)
    (folder / "out.jsonl.rejected.jsonl").write_text("{}\n")
    done = forks.run(folder, [*OUTPUTS, *saying(function)], {**on_path(folder), "AT": "150"})
    assert done.returncode == code, done.stderr
    assert (folder / "out.jsonl").read_text() == OLD
    assert (folder / "out.jsonl.rejected.jsonl").read_text() == "{}\n"
    assert files(folder) == {"out.jsonl", "out.jsonl.rejected.jsonl"}
    done = forks.run(folder, [*OUTPUTS, *saying(function)], on_path(folder))
    assert done.returncode == 0, done.stderr
    assert (folder / "out.jsonl").read_text() == answered(COUNT)


def test_a_disk_that_fills_up_is_one_line_and_the_same_command_goes_on(forks: Forks, folder: Path) -> None:
    filling = "word " * 4000
    write_tasks(folder / "tasks.jsonl", 100, filling)
    (folder / "out.jsonl").write_text(OLD)
    script = f"ulimit -f 1000; exec '{COMMAND}' {' '.join(OUTPUTS)}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env={**os.environ, **on_path(folder)}, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "out.jsonl: cannot be written: File too large" in done.stderr
    assert (folder / "out.jsonl").read_text() == OLD
    assert files(folder) == {"out.jsonl"}
    assert forks.run(folder, OUTPUTS, on_path(folder)).returncode == 0
    assert (folder / "out.jsonl").read_text() == answered(100).replace("Say", f"{filling}Say")
