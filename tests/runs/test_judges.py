"""The strategy `judged`: judges with a known bias rate outputs whose quality is known; selecting anew asks nobody."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from ensemble_instruct.config.load import parse_config
from ensemble_instruct.runs.fingerprint import changes, fingerprint
from ensemble_instruct.store.database import unpack_prompt
from tests.conftest import Cli, rows
from tests.support.finished import stored
from tests.support.forks import on_path

SCRIPT = '''
import re, zlib
from ensemble_instruct.errors import RequestRefusedError

QUALITY = {"base": 2, "a": 3, "b": 4, "c": 3, "fused": 4}

def base(request):
    number = zlib.crc32(request.prompt.encode() + str(request.sampling.seed).encode()) % 10**6
    if request.step == "instructions":
        return f" Say the number {number} of the day {number * 7 % 1000003} to friend{number * 13 % 99991}"
    if request.step == "ensemble":
        return fair(request)
    task = request.prompt.rpartition("instruction: ")[2]
    if "SKIPPED" in globals() and int(re.search("[0-9]+", task)[0]) % 5 == 0:
        return "output:"
    return f"output: number {re.search('[0-9]+', task)[0]} from base"

def voter(name):
    def answer(request):
        if request.step == "ensemble":
            return selfish(name, request)
        if "Best answer:" in request.prompt:
            return "one that is fused"
        return f"the number {re.search('[0-9]+', request.prompt)[0]}, sample {request.repeat}, says {name}"
    return answer

a, b, c = voter("a"), voter("b"), voter("c")

def both(request):
    """Whose output is rated, and whether it stands first."""
    first, second = re.findall(r"^(?:Answer to rate|Reference):\\n(.*)$", request.prompt, re.MULTILINE)
    is_first = request.prompt.index("Answer to rate:") < request.prompt.index("Reference:")
    return (first if is_first else second).split()[-1], is_first

def fair(request):
    return f" {QUALITY[both(request)[0]]}"

def for_the_first(request):
    whose, is_first = both(request)
    return f"Rating: {QUALITY[whose] + (1 if is_first else -1)}/5"

def selfish(name, request):
    return "5" if both(request)[0] == name else "1"

def flat(request):
    return "3"

def mumbles(request):
    return "any number from 1 to 5" if both(request)[0] == "b" else fair(request)

def silent(request):
    raise RequestRefusedError("not this one", type="content_filter")
'''
NAMES = ("base", "a", "b", "c", "fair", "for_the_first", "flat", "mumbles", "silent")
REQUESTS = "SELECT model, step, COUNT(*) FROM request GROUP BY model, step ORDER BY 1, 2"
ASKED = re.compile(r"^(?:Answer to rate|Reference):\n(.*)$", re.MULTILINE)


def config(judges: list[str] | None, roles: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    return {
        "instructions": {"target": {"input_output": 0, "output_only": 6}, "window": 4},
        "models": {name: {"provider": "scripted", "function": f"script:{name}"} for name in NAMES},
        "roles": {"instructions": "base", "instances": "base", "outputs": ["a", "b", "c"], "judges": judges}
        | (roles or {}),
        "ensemble": {"strategy": "judged", "min_confidence": 0.0},
        **sections,
    }  # fmt: skip


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> Any:
    (tmp_path / "script.py").write_text(SCRIPT)

    def start(folder: str, values: dict[str, Any], *options: str) -> Any:
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
        return cli("run", "config.yaml", "--out", folder, *options, env=on_path(tmp_path))

    return start


def chosen(folder: Path) -> dict[str, tuple[str, float]]:
    """By row, whose output was chosen and how sure that is."""
    return {row["id"]: (row["output"].split()[-1], row["confidence"]) for row in rows(folder / "examples.jsonl")}


def questions(folder: Path) -> Iterator[tuple[str, str, str]]:
    """For each question to a judge: who is asked, whose output is rated, and whose is the reference."""
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        asked = connection.execute("SELECT model, prompt FROM request WHERE step = 'ensemble'").fetchall()
    for model, packed in asked:
        prompt = unpack_prompt(packed, "")
        first, second = (text.split()[-1] for text in ASKED.findall(prompt))
        is_first = prompt.index("Answer to rate:") < prompt.index("Reference:")
        yield (model, first, second) if is_first else (model, second, first)


@pytest.mark.parametrize(
    "judges", [["fair"], ["for_the_first"], ["for_the_first", "fair"], ["fair", "mumbles", "silent"]], ids=str
)
def test_the_output_that_the_judges_rate_highest_is_chosen_whatever_their_bias(
    run: Any, tmp_path: Path, judges: list[str]
) -> None:
    done = run("run", config(judges))
    assert done.returncode == 0, done.stderr
    assert len(chosen(tmp_path / "run")) >= 6
    assert set(chosen(tmp_path / "run").values()) == {("b", 0.75)}


def test_a_judge_that_says_always_the_same_moves_nothing_but_the_confidence(run: Any, tmp_path: Path) -> None:
    assert run("run", config(["fair", "flat"])).returncode == 0
    assert set(chosen(tmp_path / "run").values()) == {("b", 0.625)}


def test_no_judge_rates_an_output_of_its_own_and_each_pair_is_asked_in_both_orders(run: Any, tmp_path: Path) -> None:
    values = config(None, outputs={"samples": {"a": 2}})
    assert run("run", values).returncode == 0
    counts = Counter(questions(tmp_path / "run"))
    examples = len(chosen(tmp_path / "run"))
    pairs = {("a", "b"): 2, ("a", "c"): 2, ("base", "b"): 1, ("b", "base"): 1, ("b", "c"): 1, ("c", "base"): 1}
    for judge in "abc":
        own = {rated for asked, rated, _ in counts if asked == judge}
        assert own == {"base", "a", "b", "c"} - {judge}
        assert {reference for asked, _, reference in counts if asked == judge} == {"base", "a", "b", "c"}
    for (rated, reference), both in pairs.items():
        judges = [judge for judge in "abc" if judge != rated]
        assert [counts[judge, rated, reference] for judge in judges] == [2 * both * examples] * len(judges)
    assert {place for place, _ in chosen(tmp_path / "run").values()} != {"base"}


def test_the_instances_own_output_and_the_fusion_are_their_models_own(run: Any, tmp_path: Path) -> None:
    values = config(["base", "c"], {"fusion": "c"})
    values["ensemble"]["fusion"] = True
    assert run("run", values).returncode == 0
    rated = {(judge, whose) for judge, whose, _ in questions(tmp_path / "run")}
    assert {whose for judge, whose in rated if judge == "base"} == {"a", "b", "c", "fused"}
    assert {whose for judge, whose in rated if judge == "c"} == {"a", "b", "base"}


def test_a_plan_says_how_many_questions_there_will_be_and_selecting_anew_asks_nobody(
    run: Any, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "script.py").write_text(f"SKIPPED = True\n{SCRIPT}")
    values = config(["base", "a", "fair"], instructions={"target": {"input_output": 0, "output_only": 10}, "window": 4})
    checked = run("run", values, "--dry-run")
    assert checked.returncode == 0, checked.stderr
    assert run("run", values).returncode == 0
    made = {(model, step): count for model, step, count in stored(tmp_path / "run", REQUESTS)}
    examples = len(rows(tmp_path / "run" / "examples.jsonl"))
    planned = dict(re.findall(r"^ensemble +output_only +(\w+) +(\d+)", checked.stdout, re.MULTILINE))
    assert planned.keys() == {"base", "a", "fair"}
    for judge, count in planned.items():
        assert made[judge, "ensemble"] / examples == int(count) / 8, "of 10 instructions 8 instances are expected"
    first, asked = (tmp_path / "run" / "examples.jsonl").read_bytes(), stored(tmp_path / "run", REQUESTS)
    assert cli("select", "run", "--strategy", "consensus", "--keep", "0.5").returncode == 0
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() != first
    assert cli("select", "run", "--strategy", "judged", "--min-confidence", "0").returncode == 0
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == first
    assert cli("run", "--out", "run", env=on_path(tmp_path)).returncode == 0
    assert stored(tmp_path / "run", REQUESTS) == asked


@pytest.mark.parametrize("bound", [{"min_confidence": 0.0}, {"keep": 1.0}], ids=str)
def test_each_output_shows_its_rating_and_a_preference_is_against_the_lowest(
    run: Any, cli: Cli, tmp_path: Path, bound: dict[str, float]
) -> None:
    assert run("run", config(["fair", "base"], ensemble={"strategy": "judged", **bound})).returncode == 0
    for row in rows(tmp_path / "run" / "examples.jsonl"):
        known = {each["output"].split()[-1]: each["rating"] for each in row["candidates"]}
        assert known == {"base": 0.25, "a": 0.5, "b": 0.75, "c": 0.5}
        assert row["confidence"] == known["b"]
    assert cli("export", "run", "--format", "preference", "--to", "pairs.jsonl").returncode == 0
    pairs = rows(tmp_path / "pairs.jsonl")
    assert len(pairs) == len(rows(tmp_path / "run" / "examples.jsonl"))
    assert {(row["rejected"].split()[-1], row["margin"]) for row in pairs} == {("base", 0.5)}
    assert cli("select", "run", "--strategy", "consensus").returncode == 0
    assert not any("rating" in each for row in rows(tmp_path / "run" / "examples.jsonl") for each in row["candidates"])


def test_the_order_of_voters_and_judges_never_matters(run: Any, tmp_path: Path) -> None:
    for folder, voters in (("one", ["a", "b", "c"]), ("other", ["c", "b", "a"])):
        assert run(folder, config(voters, {"outputs": voters})).returncode == 0
    assert chosen(tmp_path / "one") == chosen(tmp_path / "other") != {}


def test_what_cannot_be_read_is_a_drop_and_what_nobody_rated_is_chosen_last(run: Any, tmp_path: Path) -> None:
    assert run("run", config(["mumbles"])).returncode == 0
    found = chosen(tmp_path / "run")
    drops = stored(tmp_path / "run", "SELECT reason, source, COUNT(*) FROM rejected WHERE step = 'outputs' GROUP BY 2")
    assert [(reason, count) for reason, _, count in drops] == [("no_rating", 6)] * len(found)
    assert {confidence for _, confidence in found.values()} == {0.5}
    assert {whose for whose, _ in found.values()} <= {"a", "c"}


def test_where_nobody_rated_anything_agreement_decides(run: Any, cli: Cli, tmp_path: Path) -> None:
    assert run("run", config(["silent"])).returncode == 0
    found = chosen(tmp_path / "run")
    assert {whose for whose, _ in found.values()} <= {"a", "b", "c"}, "they share more words than base with them"
    assert cli("select", "run", "--strategy", "consensus", "--min-confidence", "0").returncode == 0
    assert chosen(tmp_path / "run") == found


def test_a_run_without_ratings_says_how_to_get_them_and_then_asks_the_judges_alone(
    run: Any, cli: Cli, tmp_path: Path
) -> None:
    assert run("run", config(None, {"judge": "fair"}, ensemble={"strategy": "consensus"})).returncode == 0
    first, before = (tmp_path / "run" / "examples.jsonl").read_bytes(), stored(tmp_path / "run", REQUESTS)
    refused = cli("select", "run", "--strategy", "judged", env=on_path(tmp_path))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "roles.judges" in refused.stderr
    assert "--force" in refused.stderr
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == first
    changed = run("run", config(None, {"judge": "fair"}))
    assert changed.returncode == 2
    assert 'roles.judges: null \u2192 ["fair"]; this asks nothing again, only for what is missing' in changed.stderr
    forced = run("run", config(None, {"judge": "fair"}), "--force")
    assert forced.returncode == 0, forced.stderr
    after = stored(tmp_path / "run", REQUESTS)
    assert [row for row in after if row not in before] == [("fair", "ensemble", 24 * len(chosen(tmp_path / "run")))]
    assert set(chosen(tmp_path / "run").values()) == {("b", 0.75)}
    assert run("run", config(["fair", "flat"]), "--force").returncode == 0
    added = [row for row in stored(tmp_path / "run", REQUESTS) if row not in after]
    assert added == [("flat", "ensemble", 24 * len(chosen(tmp_path / "run")))], "who was a judge before is not asked"


def test_a_judge_whose_licence_forbids_it_stops_the_run(run: Any, tmp_path: Path) -> None:
    values = config(["fair"])
    values["models"]["fair"] = {"base_url": "http://127.0.0.1:1/v1", "model": "fair", "license": "CC-BY-NC-4.0"}
    done = run("run", values)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "models.fair.license" in done.stderr
    values["ensemble"]["strategy"] = "consensus"
    assert run("run", values).returncode == 0, "it has no use then"


@pytest.mark.parametrize(
    ("roles", "named"),
    [
        ({"judges": ["nosuch"]}, "roles.judges: no model is called 'nosuch'"),
        ({"judges": ["fair", "fair"]}, "roles.judges: 'fair' is named twice"),
        ({"judges": []}, "roles.judges"),
        ({"outputs": ["a"]}, "roles.judges: 'a' is the only judge and the only voter"),
    ],
    ids=str,
)
def test_judges_that_cannot_be_are_one_line(run: Any, tmp_path: Path, roles: dict[str, Any], named: str) -> None:
    done = run("run", config(None, roles))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert named in done.stderr
    assert not (tmp_path / "run").exists()


def test_another_model_in_the_folder_of_the_reward_model_is_another_config(tmp_path: Path) -> None:
    (tmp_path / "rewards").mkdir()
    (tmp_path / "rewards" / "model.safetensors").write_bytes(b"one")
    values = config(None, ensemble={"strategy": "reward", "reward_model": "rewards"})
    made = parse_config(yaml.safe_dump(values), "config", tmp_path)
    first = fingerprint(made)
    assert first == fingerprint(made)
    (tmp_path / "rewards" / "model.safetensors").write_bytes(b"two")
    assert [change.key for change in changes(first, fingerprint(made))] == ["ensemble.reward_model"]


def test_files_alone_have_no_ratings(cli: Cli, tmp_path: Path) -> None:
    task = json.dumps({"instruction": "Name a colour.", "input": "", "output": "red"}) + "\n"
    for name in ("instances.jsonl", "a.jsonl"):
        (tmp_path / name).write_text(task)
    files = ("ensemble", "--instances", "instances.jsonl", "--outputs", "a.jsonl", "--to", "out.jsonl")
    for strategy, word in (("judged", "ratings of a run"), ("reward", "--reward-model")):
        done = cli(*files, "--strategy", strategy)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert word in done.stderr
