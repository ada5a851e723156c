"""The `scripted` client: replies from a Python function of the user's or from a JSONL file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import rows
from tests.support.forks import Forks, on_path
from tests.support.good_input import TASK, write

MODULE = """
from ensemble_instruct.records import Request, Response

constant = "not a function"

def text(request: Request) -> str:
    return f"{request.step} {request.kind} {len(request.prompt)} {request.sampling.max_tokens}"

def cut_off(request: Request) -> Response:
    return Response("half an ans", "length", 3, 4)

def nothing(request: Request) -> None:
    return None

def failing(request: Request) -> str:
    raise ZeroDivisionError("my own mistake")

def taking_none() -> str:
    return "x"
"""
TASKS = [{**TASK, "input": place} for place in ("Ghana", "Peru", "Österreich")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a module of scripts, a config that has none yet, and tasks."""
    (tmp_path / "my_scripts.py").write_text(MODULE)
    (tmp_path / "config.yaml").write_text(
        "models: {m: {provider: scripted, function: 'my_scripts:text'}, f: {provider: scripted, replies: said.jsonl}}\n"
        "roles: {instructions: m, instances: m, outputs: [m]}\n"
    )
    write(tmp_path / "tasks.jsonl", *TASKS)
    return tmp_path


def outputs(model: str = "m", **settings: str) -> list[str]:
    given = [part for name, value in settings.items() for part in ("--set", f"models.{model}.{name}={value}")]
    return ["outputs", "config.yaml", "--model", model, "--instances", "tasks.jsonl", "--to", "out.jsonl", *given]


def test_a_function_answers_from_the_whole_request(forks: Forks, folder: Path) -> None:
    done = forks.run(folder, outputs(), on_path(folder))
    assert done.returncode == 0, done.stderr
    lengths = [len(f"{task['instruction']}\n{task['input']}") for task in TASKS]
    assert [row["output"] for row in rows(folder / "out.jsonl")] == [
        f"outputs input_output {length} 512" for length in lengths
    ]


def test_a_function_may_say_how_it_ended(forks: Forks, folder: Path) -> None:
    done = forks.run(folder, outputs(function="my_scripts:cut_off"), on_path(folder))
    assert done.returncode == 0, done.stderr
    assert rows(folder / "out.jsonl") == []
    dropped = rows(folder / "out.jsonl.rejected.jsonl")
    assert [(row["reason"], row["text"]) for row in dropped] == [("cut_off", "half an ans")] * 3


@pytest.mark.parametrize(
    "function",
    [
        "my_scripts:txt",
        "my_script:text",
        "my_scripts",
        "my_scripts:",
        ":text",
        "my_scripts.text",
        "my_scripts:constant",
    ],
)
def test_a_function_that_is_not_there_is_refused(forks: Forks, folder: Path, function: str) -> None:
    said = forks.refused(folder, *outputs(function=f"'{function}'"), env=on_path(folder))
    assert f"models.m.function: '{function}'" in said
    assert "package.module:name" in said


@pytest.mark.parametrize("source", ["import no_such_module_at_all\n", "def text(:\n", "1 / 0\n"])
def test_a_module_that_cannot_be_imported_is_refused(forks: Forks, folder: Path, source: str) -> None:
    (folder / "my_scripts.py").write_text(source)
    assert "models.m.function: 'my_scripts:text'" in forks.refused(folder, *outputs(), env=on_path(folder))


@pytest.mark.parametrize("function", ["failing", "nothing", "taking_none"])
def test_a_function_that_fails_is_one_line_that_names_it(forks: Forks, folder: Path, function: str) -> None:
    done = forks.run(folder, outputs(function=f"my_scripts:{function}"), on_path(folder))
    assert done.returncode in (1, 2)
    assert done.stderr.count("\n") == 1
    assert function in done.stderr
    assert "internal error" not in done.stderr
    assert not (folder / "out.jsonl").exists()


def test_a_file_answers_its_prompts_and_refuses_the_others(forks: Forks, folder: Path) -> None:
    prompts = [f"{task['instruction']}\n{task['input']}" for task in TASKS]
    write(folder / "said.jsonl", *({"prompt": prompt, "text": f"to {prompt}"} for prompt in prompts[::2]))
    done = forks.run(folder, outputs("f"))
    assert done.returncode == 0, done.stderr
    assert [row["output"] for row in rows(folder / "out.jsonl")] == [f"to {prompt}" for prompt in prompts[::2]]
    (dropped,) = rows(folder / "out.jsonl.rejected.jsonl")
    assert dropped["reason"] == "no_scripted_reply"
    assert "1 no_scripted_reply" in done.stdout


def test_the_file_is_sought_beside_the_config(forks: Forks, folder: Path) -> None:
    write(folder / "said.jsonl", {"prompt": f"{TASK['instruction']}\nPeru", "text": "Lima"})
    below = folder / "below"
    below.mkdir()
    given = [part.replace("config", "../config").replace("tasks", "../tasks") for part in outputs("f")]
    done = forks.run(below, given)
    assert done.returncode == 0, done.stderr
    assert [row["output"] for row in rows(below / "out.jsonl")] == ["Lima"]


def test_a_file_that_changed_is_asked_again(forks: Forks, folder: Path) -> None:
    for text in ("first", "second"):
        prompts = [f"{task['instruction']}\n{task['input']}" for task in TASKS]
        write(folder / "said.jsonl", *({"prompt": prompt, "text": text} for prompt in prompts))
        assert forks.run(folder, outputs("f")).returncode == 0
        assert {row["output"] for row in rows(folder / "out.jsonl")} == {text}
