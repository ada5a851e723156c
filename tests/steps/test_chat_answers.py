"""What chat models say around their answers: it never votes, the row says what it was, and the store keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ensemble_instruct.store.reading import reading
from ensemble_instruct.viewer.queries import dropped_detail, example_detail
from tests.conftest import Cli, rows
from tests.support.finished import stored
from tests.support.forks import on_path
from tests.support.good_input import write

SCRIPT = """
import re, zlib

def base(request):
    number = zlib.crc32(request.prompt.encode() + str(request.sampling.seed).encode()) % 10**6
    if request.step == "instructions":
        return f" Say the number {number} of the day {number * 7 % 1000003} to friend{number * 13 % 99991}"
    number = re.search("[0-9]+", request.prompt.rpartition("instruction: ")[2])[0]
    return f"output: the number is {number}" if int(number) % 2 else f"output: {number} it is"

def talks(request):
    text = f"the number is {re.search('[0-9]+', request.prompt)[0]}"
    return f"Sure! Here is the answer:\\n\\nOutput: {text}\\n\\nLet me know if you need anything else!"

def plain(request):
    return f"the number is {re.search('[0-9]+', request.prompt)[0]}"
"""
TAKEN = ["Sure! Here is the answer:", "Output:", "Let me know if you need anything else!"]
FRAME = "Sure! Here is the answer:\n\nOutput: {}\n\nLet me know if you need anything else!"

ROLES = {"instructions": "base", "instances": "base"}


def _config(**sections: Any) -> str:
    return yaml.safe_dump(
        {
            "instructions": {"target": {"input_output": 0, "output_only": 6}, "window": 2},
            "models": {
                "base": {"provider": "scripted", "function": "script:base"},
                "chat": {"provider": "scripted", "function": "script:talks", "endpoint": "chat"},
                "completes": {"provider": "scripted", "function": "script:talks"},
                "plain": {"provider": "scripted", "function": "script:plain", "endpoint": "chat"},
            },
            "roles": {
                "instructions": "base",
                "instances": "base",
                "outputs": ["chat", "completes", "plain"],
                "fusion": "chat",
            },
            "ensemble": {"fusion": True, "min_confidence": 0.0},
            **sections,
        }
    )


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> Any:
    (tmp_path / "script.py").write_text(SCRIPT)

    def start(*options: str, **sections: Any) -> Path:
        (tmp_path / "config.yaml").write_text(_config(**sections))
        done = cli("run", "config.yaml", "--out", "run", "--allow-empty", *options, env=on_path(tmp_path))
        assert done.returncode == 0, done.stderr
        return tmp_path / "run"

    return start


def test_a_row_says_what_was_taken_away_of_each_chat_models_answer(run: Any, cli: Cli, tmp_path: Path) -> None:
    folder = run()
    examples = rows(folder / "examples.jsonl")
    assert len(examples) >= 6
    for example in examples:
        voices = {voice["voter"]: voice for voice in example["candidates"]}
        assert voices["chat"]["output"] == voices["plain"]["output"] == voices["fusion"]["output"]
        assert voices["completes"]["output"] == FRAME.format(voices["plain"]["output"])
        taken = {name: voice.get("removed") for name, voice in voices.items()}
        assert taken == {"instance": None, "chat": TAKEN, "completes": None, "plain": None, "fusion": TAKEN}
        assert voices["chat"]["score"] == voices["plain"]["score"]
        with reading(folder / "run.db") as connection:
            detail = example_detail(connection, example["id"])
        assert detail is not None
        assert detail["candidates"] == example["candidates"]
    replies = stored(folder, "SELECT request.text FROM request JOIN candidate ON key = request WHERE voter = 'chat'")
    assert len(replies) == len(examples)
    assert all(text.startswith("Sure!") and text.endswith("else!") for (text,) in replies)
    assert cli("select", "run", "--strategy", "consensus", "--to", "anew.jsonl").returncode == 0
    anew = [
        {voice["voter"]: voice.get("removed") for voice in row["candidates"]} for row in rows(tmp_path / "anew.jsonl")
    ]
    assert [taken["chat"] for taken in anew] == [TAKEN] * len(examples)


def test_a_row_that_was_dropped_says_it_too(run: Any) -> None:
    folder = run(ensemble={"min_confidence": 0.9}, roles=ROLES | {"outputs": ["chat", "plain"]})
    dropped = stored(folder, "SELECT id FROM rejected WHERE reason = 'low_confidence'")
    assert dropped
    with reading(folder / "run.db") as connection:
        detail = dropped_detail(connection, dropped[0][0])
    assert detail is not None
    taken = {voice["voter"]: voice.get("removed") for voice in detail["candidates"]}
    assert taken == {"instance": None, "chat": TAKEN, "plain": None}


def test_what_only_frames_the_input_is_an_echo(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("def says(request):\n    return 'Sure! Here it is:\\n\\nblue'\n")
    models = {"chat": {"provider": "scripted", "function": "script:says", "endpoint": "chat"}}
    roles = {"instructions": "chat", "instances": "chat", "outputs": ["chat"]}
    (tmp_path / "config.yaml").write_text(_config(models=models, roles=roles, ensemble={}))
    write(tmp_path / "tasks.jsonl", {"instruction": "Which colour is the sky?", "input": "blue", "output": "?"})
    step = ("outputs", "config.yaml", "--model", "chat", "--instances", "tasks.jsonl", "--to", "out.jsonl")
    cli(*step, env=on_path(tmp_path))
    assert [row["reason"] for row in rows(tmp_path / "out.jsonl.rejected.jsonl")] == ["output_equals_input"]


def test_the_profile_published_reads_an_answer_as_it_came(run: Any) -> None:
    folder = run(profile="published", ensemble={"strategy": "released"}, roles=ROLES | {"outputs": ["chat", "plain"]})
    said = stored(folder, "SELECT text, removed FROM candidate WHERE voter = 'chat'")
    assert said
    assert all(text.startswith("Sure!") and removed == "[]" for text, removed in said)
