"""Who else may answer, and judge, in a run: samples of a model, a fusion, verdicts; selecting anew asks nobody."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ensemble_instruct.store.reading import reading
from ensemble_instruct.viewer.queries import example_detail
from tests.conftest import Cli, rows
from tests.support.finished import stored
from tests.support.forks import on_path
from tests.support.good_input import write

SCRIPT = """
import re, zlib
from ensemble_instruct.errors import RequestRefusedError
from ensemble_instruct.records import Request, Response

def base(request):
    number = zlib.crc32(request.prompt.encode() + str(request.sampling.seed).encode()) % 10**6
    if request.step == "instructions":
        return f" Say the number {number} of the day {number * 7 % 1000003} to friend{number * 13 % 99991}"
    task = request.prompt.rpartition("instruction: ")[2]
    return f"output: number {re.search('[0-9]+', task)[0]} it is"

def voter(request):
    number = re.search("[0-9]+", request.prompt)[0]
    if "Best answer:" in request.prompt:
        return f"fused number {number}|EoS|and more"
    if "Reply:" in request.prompt:
        return "maybe" if int(number) % 3 == 0 else "partly"
    return f"number {number} sample {request.repeat} at {request.sampling.temperature:g} {request.sampling.seed}"

def other(request):
    number = re.search("[0-9]+", request.prompt)[0]
    if "Reply:" in request.prompt and int(number) % 3 == 1:
        raise RequestRefusedError("not this one", type="content_filter")
    return "maybe" if "Reply:" in request.prompt else f"the number is {number}"
"""
CONFIG: dict[str, Any] = {
    "instructions": {"target": {"input_output": 0, "output_only": 12}, "window": 4},
    "models": {name: {"provider": "scripted", "function": f"script:{name}"} for name in ("base", "voter", "other")},
    "roles": {"instructions": "base", "instances": "base", "outputs": ["voter", "other"], "judge": "voter",
              "fusion": "voter"},
}  # fmt: skip


REQUESTS = "SELECT COUNT(*) FROM request"


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> Any:
    (tmp_path / "script.py").write_text(SCRIPT)

    def start(**sections: Any) -> Any:
        config = {**CONFIG, **sections}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        return cli("run", "config.yaml", "--out", "run", env=on_path(tmp_path))

    return start


def test_samples_of_a_model_are_voters(run: Any, cli: Cli, tmp_path: Path) -> None:
    done = run(outputs={"samples": {"voter": 3}}, ensemble={"min_confidence": 0.0})
    assert done.returncode == 0, done.stderr
    examples = rows(tmp_path / "run" / "examples.jsonl")
    assert len(examples) >= 12
    for example in examples:
        said = {candidate["voter"]: candidate["output"] for candidate in example["candidates"]}
        assert list(said) == ["instance", "voter#1", "voter#2", "voter#3", "other"]
        assert len({said[f"voter#{number}"] for number in (1, 2, 3)}) == 3
        assert "at 0.7" in said["voter#1"]
        assert len(example["matrix"]) == 5
    assert stored(tmp_path / "run", "SELECT DISTINCT repeat FROM request WHERE step = 'outputs' ORDER BY 1") == [
        (0,),
        (1,),
        (2,),
    ]
    instances = [{key: example[key] for key in ("instruction", "input", "output")} for example in examples]
    write(tmp_path / "instances.jsonl", *instances)
    env = on_path(tmp_path)
    one = ("outputs", "config.yaml", "--model", "voter", "--instances", "instances.jsonl", "--to", "two.jsonl")
    assert cli(*one, "--sample", "2", env=env).returncode == 0
    second = [next(c["output"] for c in example["candidates"] if c["voter"] == "voter#2") for example in examples]
    assert [row["output"] for row in rows(tmp_path / "two.jsonl")] == second
    refused = cli(*one, "--sample", "4", env=env)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "outputs.samples" in refused.stderr


def test_names_of_samples_are_no_other_models(run: Any, tmp_path: Path) -> None:
    models = {**CONFIG["models"], "voter#1": CONFIG["models"]["other"]}
    roles = {**CONFIG["roles"], "outputs": ["voter", "voter#1"]}
    done = run(models=models, roles=roles, outputs={"samples": {"voter": 2}})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "voter#1" in done.stderr


def test_fusion_is_one_voter_more(run: Any, tmp_path: Path) -> None:
    done = run(ensemble={"fusion": True, "min_confidence": 0.0})
    assert done.returncode == 0, done.stderr
    for example in rows(tmp_path / "run" / "examples.jsonl"):
        assert [candidate["voter"] for candidate in example["candidates"]] == ["instance", "voter", "other", "fusion"]
        assert example["candidates"][3]["output"].startswith("fused number")
        assert "|EoS|" not in json.dumps(example)


def test_a_judge_is_asked_once_for_each_pair_and_not_when_a_run_selects_anew(
    run: Any, cli: Cli, tmp_path: Path
) -> None:
    done = run(ensemble={"utility": "judge", "min_confidence": 0.0, "strategy": "consensus"})
    assert done.returncode == 0, done.stderr
    before, examples = stored(tmp_path / "run", REQUESTS), rows(tmp_path / "run" / "examples.jsonl")
    (judged,) = stored(tmp_path / "run", "SELECT COUNT(*) FROM request WHERE step = 'ensemble'")[0]
    assert judged == 3 * len(examples)
    unread = stored(
        tmp_path / "run", "SELECT source, COUNT(*) FROM rejected WHERE reason = 'no_verdict' GROUP BY source"
    )
    assert unread
    assert {count for _, count in unread} == {3}
    for example in examples:
        off = [example["matrix"][i][j] for i in range(3) for j in range(3) if i != j]
        assert (set(off) == {0.5}) == (example["id"] not in dict(unread))
    with reading(tmp_path / "run" / "run.db") as connection:
        details = [example_detail(connection, example["id"]) for example in examples]
    assert [detail["missing"] for detail in details if detail] == [[]] * len(examples)  # verdicts are no votes
    first = (tmp_path / "run" / "examples.jsonl").read_bytes()
    for options in (
        ["--utility", "chrf"],
        ["--utility", "judge", "--utility", "rouge-l=0.5"],
        ["--strategy", "balanced"],
    ):
        done = cli("ensemble", "--run", "run", *options, "--min-confidence", "0")
        assert done.returncode == 0, done.stderr
        assert "words on average, those kept" in done.stdout
        assert (tmp_path / "run" / "examples.jsonl").read_bytes() != first
    back = ["--utility", "judge", "--strategy", "consensus", "--min-confidence", "0"]
    assert cli("ensemble", "--run", "run", *back).returncode == 0
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == first
    assert stored(tmp_path / "run", REQUESTS) == before
    assert cli("ensemble", "--run", "run", "--utility", "chrf").returncode == 0
    resumed = cli("run", "--out", "run", env=on_path(tmp_path))
    assert resumed.returncode == 0, resumed.stderr
    config = (tmp_path / "run" / "config.yaml").read_text().replace("judge: voter", "judge: other")
    (tmp_path / "run" / "config.yaml").write_text(config)
    refused = cli("ensemble", "--run", "run", "--utility", "judge")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "--force" in refused.stderr


@pytest.mark.parametrize("judge", ["voter", "other"], ids=["some unread", "all unread or refused"])
def test_verdicts_that_are_missing_are_no_missing_answers(run: Any, cli: Cli, tmp_path: Path, judge: str) -> None:
    roles = {**CONFIG["roles"], "judge": judge}
    done = run(roles=roles, ensemble={"utility": "judge", "min_confidence": 0.0, "strategy": "consensus"})
    assert done.returncode == 0, done.stderr
    reasons = dict(stored(tmp_path / "run", "SELECT reason, COUNT(*) FROM rejected WHERE step = 'outputs' GROUP BY 1"))
    assert set(reasons) == {"no_verdict"} | ({"content_filter"} if judge == "other" else set())
    (line,) = [line for line in cli("status", "run").stdout.splitlines() if " answers to instances: " in line]
    answers, candidates = re.findall(r"(\d+) (?:answers|candidates)", line)
    assert answers == candidates
    words = ", ".join(f"{count} {why}" for why, count in sorted(reasons.items(), key=lambda item: -item[1]))
    assert line.endswith(f", 0 dropped; {sum(reasons.values())} verdicts on answers missing ({words})")
    (funnel,) = json.loads(cli("report", "run", "--json").stdout)["funnels"]
    stages = {stage["name"]: (stage["kept"], stage["dropped"]) for stage in funnel["stages"]}
    assert stages["answered"] == (stages["instances"][0], 0)
    page = (tmp_path / "run" / "report.html").read_text()
    assert " missing</span>" not in page
    assert '<b class="mono">no_verdict</b> <small>a model was asked whether two outputs say the same' in page


def test_a_run_without_verdicts_says_how_to_get_them(run: Any, cli: Cli, tmp_path: Path) -> None:
    assert run().returncode == 0
    first = (tmp_path / "run" / "examples.jsonl").read_bytes()
    refused = cli("ensemble", "--run", "run", "--utility", "judge")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "--force" in refused.stderr
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == first
    assert "words on average" in cli("status", "run").stdout
    before = stored(tmp_path / "run", "SELECT step, COUNT(*) FROM request GROUP BY step")
    changed = run(ensemble={"utility": "judge"})
    assert changed.returncode == 2
    assert "roles.judge" in changed.stderr
    forced = cli("run", "config.yaml", "--out", "run", "--force", env=on_path(tmp_path))
    assert forced.returncode == 0, forced.stderr
    after = dict(stored(tmp_path / "run", "SELECT step, COUNT(*) FROM request GROUP BY step"))
    assert after.pop("ensemble") > 0
    assert after == dict(before)


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"ensemble": {"utility": "judge"}, "roles": {**CONFIG["roles"], "judge": None}}, "roles.judge"),
        ({"ensemble": {"fusion": True}, "roles": {**CONFIG["roles"], "fusion": None}}, "roles.fusion"),
        ({"ensemble": {"utility": "embedding"}}, "embedding_model"),
        ({"ensemble": {"utility": "bleu"}}, "utility"),
        ({"ensemble": {"utility": {"chrf": 0}}}, "utility"),
        ({"outputs": {"samples": 9}}, "outputs.samples"),
        ({"outputs": {"samples": {"vote": 2}}}, "outputs.samples"),
        ({"outputs": {"samples": 2, "sampling": {"temperature": 0.0}}}, "outputs.samples"),
        ({"outputs": {"samples": 0}}, "outputs.samples"),
        ({"ensemble": {"fusion": True, "strategy": "released"}}, "released"),
        ({"ensemble": {"fusion": True, "strategy": "consensus"}, "profile": "published"}, "fusion"),
        ({"roles": {**CONFIG["roles"], "judge": "nosuch"}}, "roles.judge"),
        ({"roles": {**CONFIG["roles"], "fusion": "nosuch"}}, "roles.fusion"),
        ({"ensemble": {"utility": "embedding", "embedding_model": "nofolder"}}, "embedding_model"),
    ],
    ids=str,
)
def test_what_cannot_be_is_one_line(run: Any, tmp_path: Path, section: dict[str, Any], named: str) -> None:
    done = run(**section)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert named in done.stderr
    assert not (tmp_path / "run").exists()
