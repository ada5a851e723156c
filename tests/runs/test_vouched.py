"""The strategy `vouched` in a run: a choice can be retraced, and what the user says of voters and results counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ensemble_instruct.agreement.selection import Selection, ballots_of, decide
from ensemble_instruct.agreement.voters.standing import View
from ensemble_instruct.agreement.voters.stored import voters_of
from ensemble_instruct.records import Example
from ensemble_instruct.runs.fingerprint import fingerprint
from ensemble_instruct.store.reading import read_meta
from ensemble_instruct.store.settings import run_config
from ensemble_instruct.store.store import opened_store
from tests.conftest import Cli, rows
from tests.support.finished import stored
from tests.support.forks import on_path

SCRIPT = """
import random, re, zlib

def number_of(text):
    return int(re.search("[0-9]+", text)[0])

def base(request):
    if request.step == "instructions":
        number = zlib.crc32(request.prompt.encode() + str(request.sampling.seed).encode()) % 10**6
        words = ("".join(random.Random(number + at).choices("abcdefghij", k=6)) for at in range(9))
        return f" {number} " + " ".join(words)
    return "output: " + said("base", number_of(request.prompt.rpartition("instruction: ")[2]), 0.5)

def said(name, number, share):
    drawing, words = random.Random(f"{name} {number}"), [f"w{number * 31 + place}" for place in range(30)]
    known = [word for word in words if drawing.random() < share]
    drawing.shuffle(known)
    price = number % 3 if name == "cid" else number % 97
    points = " ".join(f"{word} is of {words[place % 3]}" for place, word in enumerate(known))
    return f"{points}. The answer is {price}."

def ann(request):
    return said("ann", number_of(request.prompt), 0.8)

def ben(request):
    return said("ben", number_of(request.prompt), 0.7)

def cid(request):
    return said("cid", number_of(request.prompt), 0.75)
"""
MODELS = {name: {"provider": "scripted", "function": f"script:{name}"} for name in ("base", "ann", "ben", "cid")}
CONFIG: dict[str, Any] = {
    "instructions": {"target": {"input_output": 0, "output_only": 36}, "window": 4},
    "models": MODELS,
    "roles": {"instructions": "base", "instances": "base", "outputs": ["ann", "ben", "cid"]},
}
REQUESTS = "SELECT COUNT(*), MIN(hex(key)), MAX(hex(key)) FROM request"


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> Any:
    (tmp_path / "script.py").write_text(SCRIPT)

    def start(*options: str, weights: dict[str, float] | None = None, **sections: Any) -> Any:
        models = {name: model | {"weight": (weights or {}).get(name, 1.0)} for name, model in MODELS.items()}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "models": models, **sections}))
        return cli("run", "config.yaml", "--out", "run", *options, env=on_path(tmp_path))

    return start


def made(folder: Path) -> list[tuple[str, float, str]]:
    return sorted((row["output"], row["confidence"], row["basis"]) for row in rows(folder / "examples.jsonl"))


def test_each_example_follows_from_what_the_run_has_noted_of_its_voters(run: Any, tmp_path: Path) -> None:
    done = run(weights={"ben": 1.3})
    assert done.returncode == 0, done.stderr
    config = run_config(tmp_path / "run")
    selection = Selection.of(config)
    examples = {row["output"]: row for row in rows(tmp_path / "run" / "examples.jsonl")}
    with opened_store(tmp_path / "run" / "run.db") as store:
        voters = voters_of(read_meta(store.reader))
        answered = list(store.answered(config.voter_names))
    assert voters is not None, len(answered)
    assert voters.rows == len(answered)
    assert sorted(voters.standings) == ["ann", "ben", "cid", "instance"]
    assert voters.standings["ben"].weight == 1.3
    retraced = {}
    for row in answered:
        (ballot,) = ballots_of([row], selection, voters=voters)
        record = decide(row, selection, ballot, View(voters=voters))
        if isinstance(record, Example):
            retraced[row.instance.id] = record
    assert len(retraced) == len(examples) > 30
    for record in retraced.values():
        assert examples[record.output]["confidence"] == pytest.approx(record.confidence, abs=1e-4)


def test_another_weight_and_no_results_select_anew_and_ask_nobody(run: Any, tmp_path: Path) -> None:
    assert run().returncode == 0
    folder = tmp_path / "run"
    asked, first = stored(folder, REQUESTS), made(folder)
    assert {basis for *_, basis in first} == {"result"}
    refused = run(weights={"cid": 30.0})
    assert refused.returncode != 0
    assert "weight" in refused.stderr
    assert "; this asks nothing again; give --force" in refused.stderr
    assert run("--force", weights={"cid": 30.0}).returncode == 0
    assert stored(folder, REQUESTS) == asked
    trusted = made(folder)
    assert trusted != first
    assert {"cid"} <= {name for row in rows(folder / "examples.jsonl") for name in row["winners"]}
    refused = run(weights={"cid": 30.0}, ensemble={"results": False})
    assert "ensemble.results" in refused.stderr
    assert "; this asks nothing again; give --force" in refused.stderr
    assert run("--force", ensemble={"results": False}).returncode == 0
    assert stored(folder, REQUESTS) == asked
    assert {basis for *_, basis in made(folder)} == {"text"}
    assert run("--force").returncode == 0
    assert made(folder) == first


def test_defaults_leave_the_fingerprint_as_it_was_before_there_were_such_settings(run: Any, tmp_path: Path) -> None:
    assert run().returncode == 0
    known = fingerprint(run_config(tmp_path / "run"))
    assert not [key for key in known if "weight" in key or "results" in key]


@pytest.mark.parametrize("weight", ["0", "-1", ".nan", ".inf", "much"])
def test_a_weight_must_be_above_nothing(cli: Cli, run: Any, tmp_path: Path, weight: str) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    done = cli("run", "config.yaml", "--out", "run", "--set", f"models.ann.weight={weight}", env=on_path(tmp_path))
    assert done.returncode == 2
    assert "models.ann.weight" in done.stderr
    assert not (tmp_path / "run").exists()


def test_another_utility_than_that_of_vouched_goes_by_balanced(cli: Cli, run: Any, tmp_path: Path) -> None:
    assert run().returncode == 0
    done = cli("select", "run", "--utility", "exact=1", "--keep", "1.0")
    assert done.returncode == 0, done.stderr
    settings = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text("utf-8"))["ensemble"]
    assert settings["strategy"] == "balanced"
    assert "balanced" in done.stdout + done.stderr


def test_the_first_look_goes_by_nothing_that_was_learned(run: Any, tmp_path: Path) -> None:
    from ensemble_instruct.steps.ensemble import decide_alone

    assert run().returncode == 0
    config = run_config(tmp_path / "run")
    selection = replace(Selection.of(config), trust=())
    with opened_store(tmp_path / "run" / "run.db") as store:
        answered = list(store.answered(config.voter_names))
    for row in answered:
        alone = decide_alone(row, selection)
        (ballot,) = ballots_of([row], selection)
        assert alone == decide(row, selection, ballot)
