"""`preview` of tasks of one's own: a few of the file begin where the whole run would; what all would take is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.forks import Forks, on_path, tree

pytestmark = pytest.mark.slow
COUNT = 40
SCRIPTS = """
def worked(request):
    return "input: Number 3\\noutput: It is 3" if "input: " in request.prompt else "The number is 3"

def right(request):
    return "The number is " + request.prompt.split()[-1]

def same(request):
    return "The number is " + request.prompt.split()[-1] + "."
"""
CONFIG = """
models:
  worked: {provider: scripted, function: 'my_scripts:worked', endpoint: completions}
  right: {provider: scripted, function: 'my_scripts:right'}
  same: {provider: scripted, function: 'my_scripts:same'}
roles: {instances: worked, outputs: [right, same]}
licenses: {tasks: CC-BY-4.0}
"""


def task(number: int) -> dict[str, str]:
    brought = {"input": f"Number {number}", "output": f"It is {number}"} if number % 2 else {}
    return {"instruction": f"Which number is it? {number}", **brought, "reference": f"The number is {number}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_scripts.py").write_text(SCRIPTS)
    (tmp_path / "my.yaml").write_text(CONFIG)
    rows = [{"instruction": "\u200b"}, *map(task, range(COUNT)), {"instruction": None}]
    (tmp_path / "tasks.json").write_text(json.dumps(rows))
    (tmp_path / "spare").mkdir()
    return tmp_path


def preview(forks: Forks, folder: Path, *arguments: str) -> Any:
    environment = {**on_path(folder), "TMPDIR": str(folder / "spare")}
    return forks.run(folder, ["preview", "my.yaml", *arguments], environment)


def test_a_few_instances_are_voted_on_and_all_of_them_are_reckoned_with(forks: Forks, folder: Path) -> None:
    before = tree(folder)
    done = preview(forks, folder, "--instances", "tasks.json", "--rows", "2")
    assert done.returncode == 0, done.stderr
    assert tree(folder) == before, "nothing is left behind"
    with_input, without = done.stdout.split("══ output_only ══")
    for number in (1, 3):
        at = with_input.index(f": Which number is it? {number}\n")
        for part in (
            f"  input      │ Number {number}\n", f"  output     │ It is {number}\n",
            f"  reference  │ The number is {number}\n", f"  asked      │ Which number is it? {number}\n",
            f"  right      │ The number is {number}\n", f"  same       │ The number is {number}.\n", "Step 5: ",
        ):  # fmt: skip
            at = with_input.index(part, at)
    assert with_input.count("── task ") == 2
    assert "Your tasks that cannot be used\n  dropped    │ -  [empty_instruction: " in without
    assert "  output     │ " not in without, "these have none of their own"
    assert "Step 1" not in done.stdout
    assert "Step 2" not in done.stdout
    assert f"a whole run ({COUNT // 2} input_output, {COUNT // 2} output_only), if it goes on so" in done.stdout


def test_what_all_of_the_file_would_take_follows_from_the_few(forks: Forks, folder: Path) -> None:
    seen = json.loads(preview(forks, folder, "--instances", "tasks.json", "--rows", "4", "--json").stdout)
    assert seen["is_seen"]
    assert seen["examples"] == COUNT
    assert {(row["kind"], row["model"]): row["requests"] for row in seen["whole"]} == {
        (kind, voter): COUNT // 2 for kind in ("input_output", "output_only") for voter in ("right", "same")
    }
    assert [(use["kind"], use["model"], use["answers"]) for use in seen["uses"]] == [
        (kind, voter, 4) for kind in ("input_output", "output_only") for voter in ("right", "same")
    ]


def test_instructions_begin_with_their_worked_examples(forks: Forks, folder: Path) -> None:
    done = preview(forks, folder, "--instructions", "tasks.json", "--rows", "2")
    assert done.returncode == 0, done.stderr
    assert "Step 1" not in done.stdout
    assert done.stdout.count("Step 2: worked writes a worked example") == 4
    assert "asked      │ … instruction: Which number is it? 3\n" in done.stdout
    assert "Your task\n" not in done.stdout, "no input and no output of the file is used"
    assert list((folder / "spare").iterdir()) == []


def test_a_folder_keeps_the_few_and_goes_on_without_the_file(forks: Forks, folder: Path) -> None:
    few = ("--rows", "2", "--out", "few")
    first = preview(forks, folder, "--instances", "tasks.json", *few)
    assert first.returncode == 0, first.stderr
    (folder / "tasks.json").rename(folder / "elsewhere.json")
    again = preview(forks, folder, *few)
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert forks.run(folder, ["status", "few"]).stdout.count("tasks of your own: 2 instances kept") == 2
    for arguments, said in (
        (
            ["--instructions", "elsewhere.json", *few],
            "few: the run was begun with other instances: tasks.json, 42 rows",
        ),
        (["--rows", "3", "--out", "few"], "; give another --out to start anew"),
    ):
        done = preview(forks, folder, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
    whole = forks.run(folder, ["run", "my.yaml", "--out", "few", "--instances", "elsewhere.json"], on_path(folder))
    assert whole.stderr == "error: few: is the preview of a run; name another folder with --out\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "tasks=instances"), "tasks: instances: name their file: --instances FILE"),
        (("--instances", "none.jsonl"), "none.jsonl: "),
        (("--instances", "tasks.json", "--instructions", "tasks.json"), "give either --instructions or --instances"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(
    forks: Forks, folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    before = tree(folder)
    done = preview(forks, folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {said}")
    assert done.stderr.count("\n") == 1
    assert tree(folder) == before
