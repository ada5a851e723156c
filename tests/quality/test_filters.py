"""Filters in step 5 and in a run: a bad output loses its place, and only a row without a good one goes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.config.quality import QualitySection
from ensemble_instruct.quality.filters import Filters
from ensemble_instruct.records import Answered, Candidate, Example, Instance, Rejected, Strategy
from ensemble_instruct.steps.ensemble import select
from tests.conftest import Cli, rows
from tests.support.finished import stored
from tests.support.forks import on_path

# In the final selection

REFUSED = "I'm sorry, but I cannot help with that request."
GOOD = "Boil the water, add the tea and wait for four minutes before you pour it"
LEAK = f"{GOOD} or ask jane.doe@gmail.com"


def chosen(
    outputs: list[str], strategy: Strategy = "balanced", task: str = "How is tea made?", **switched: Any
) -> Example | Rejected:
    filters = Filters(QualitySection(**switched))
    row = Answered(
        Instance(kind="output_only", instruction=task, input="", output=outputs[0]),
        tuple(Candidate("", f"v{number}", text) for number, text in enumerate(outputs[1:])),
    )
    (record,) = select(lambda: [row], Selection(strategy, min_confidence=0.0), filters=filters)
    return record


@pytest.mark.parametrize("strategy", ["balanced", "consensus", "single", "random"])
def test_a_bad_output_is_passed_over_and_marked(strategy: Strategy) -> None:
    outputs = [REFUSED, GOOD, REFUSED, REFUSED]
    without = chosen(outputs, strategy)
    assert isinstance(without, Example)
    record = chosen(outputs, strategy, refusals=True)
    assert isinstance(record, Example)
    assert record.output == GOOD
    assert record.barred == ("refusal", "", "refusal", "refusal")
    assert record.scores == without.scores


@pytest.mark.parametrize("strategy", ["balanced", "consensus", "single", "random", "released", "published"])
def test_a_row_without_a_good_output_is_dropped_for_what_would_have_won(strategy: Strategy) -> None:
    record = chosen([LEAK, LEAK, REFUSED], strategy, refusals=True, personal_data=True)
    assert isinstance(record, Rejected)
    assert record.step == "ensemble"
    if strategy == "random":
        assert record.reason in ("personal_data", "refusal")
    else:
        assert (record.reason, record.detail) == ("personal_data", "e-mail address: jane.doe@gmail.com")
    assert len(record.candidates) == 3


def test_what_is_wrong_with_the_task_drops_the_row() -> None:
    record = chosen([GOOD, GOOD], task="Answer the letter of jane.doe@gmail.com", personal_data=True)
    assert isinstance(record, Rejected)
    assert record.reason == "personal_data"
    record = chosen(
        [GOOD, GOOD],
        task="Der Ausschuss trifft sich am Donnerstag, um über die neue Bibliothek zu sprechen.",
        languages=["en"],
    )
    assert isinstance(record, Rejected)
    assert record.reason == "language"


def test_repetition_is_a_share_of_the_words_that_stood_before() -> None:
    loop = "tea is good for you " * 20
    record = chosen([loop, loop, GOOD], "consensus", repetition=0.3)
    assert isinstance(record, Example)
    assert record.output == GOOD
    assert isinstance(chosen([loop, loop], "consensus", repetition=0.3), Rejected)


def test_a_share_is_one_of_the_rows_that_the_filters_leave() -> None:
    lines = [
        Answered(
            Instance(
                kind="output_only",
                instruction=f"task {number}{' of jane@gmail.com' if number < 6 else ''}",
                input="",
                output=GOOD,
            ),
            (Candidate("", "v", GOOD),),
        )
        for number in range(10)
    ]
    filters = Filters(QualitySection(personal_data=True))
    records = list(select(lambda: lines, Selection(keep=0.5), filters=filters))
    reasons = Counter(record.reason if isinstance(record, Rejected) else "" for record in records)
    assert reasons == {"personal_data": 6, "below_share": 2, "": 2}


# In a run

SCRIPT = """
import re, zlib

def base(request):
    number = zlib.crc32(request.prompt.encode() + str(request.sampling.seed).encode()) % 10**6
    if request.step == "instructions":
        return f" Say the number {number} of the day {number * 7 % 1000003} to friend{number * 13 % 99991}"
    task = request.prompt.rpartition("instruction: ")[2]
    return f"output: number {re.search('[0-9]+', task)[0]} it is"

def voter(request):
    number = re.search("[0-9]+", request.prompt)[0]
    if int(number) % 3 == 0:
        return "I'm sorry, but I cannot help with that request."
    return f"the number is {number}"

def other(request):
    return f"the number is {re.search('[0-9]+', request.prompt)[0]}"

def guard(request):
    answer = request.prompt.rpartition("Answer:")[2]
    if "number is" not in answer:
        return "safe"
    return {0: "toxic", 1: "hm"}.get(int(re.search('[0-9]+', answer)[0]) % 4, "safe")
"""
CONFIG: dict[str, Any] = {
    "instructions": {"target": {"input_output": 0, "output_only": 16}, "window": 4},
    "models": {
        name: {"provider": "scripted", "function": f"script:{name}"} for name in ("base", "voter", "other", "guard")
    },
    "roles": {"instructions": "base", "instances": "base", "outputs": ["voter", "other"]},
    "ensemble": {"strategy": "balanced", "min_confidence": 0.0},
}


REQUESTS = "SELECT COUNT(*) FROM request"


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> Any:
    (tmp_path / "script.py").write_text(SCRIPT)

    def start(*options: str, **sections: Any) -> Any:
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({**CONFIG, **sections}))
        return cli("run", "config.yaml", "--out", "run", *options, env=on_path(tmp_path))

    return start


def test_a_model_is_asked_once_about_each_output_and_not_when_a_run_selects_anew(
    run: Any, cli: Cli, tmp_path: Path
) -> None:
    done = run(quality={"toxicity": {"model": "guard"}})
    assert done.returncode == 0, done.stderr
    texts = stored(tmp_path / "run", "SELECT id, output FROM instance UNION SELECT instance, text FROM candidate")
    assert stored(tmp_path / "run", "SELECT COUNT(*) FROM request WHERE model = 'guard'") == [(len(set(texts)),)]
    for example in rows(tmp_path / "run" / "examples.jsonl"):
        for candidate in example["candidates"]:
            words = candidate["output"].split()
            rest = int(words[3]) % 4 if words[1] == "number" else 2
            assert candidate.get("barred", "") == {0: "toxic", 1: "toxicity_unknown"}.get(rest, "")
        assert example["output"].split()[1] != "number" or int(example["output"].split()[3]) % 4 > 1
    assert stored(tmp_path / "run", "SELECT 1 FROM rejected WHERE step = 'outputs' AND reason = 'toxicity_unknown'")
    before, first = stored(tmp_path / "run", REQUESTS), (tmp_path / "run" / "examples.jsonl").read_bytes()
    for change in ("quality.toxicity=null", "quality.toxicity.model=guard"):
        done = cli("ensemble", "--run", "run", "--set", change)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == first
    assert stored(tmp_path / "run", REQUESTS) == before


def test_filters_are_off_by_default_and_switched_on_anew(run: Any, cli: Cli, tmp_path: Path) -> None:
    assert run().returncode == 0
    first = (tmp_path / "run" / "examples.jsonl").read_bytes()
    assert b"barred" not in first
    assert not any(
        "quality" in key for (key,) in stored(tmp_path / "run", "SELECT value FROM meta WHERE name = 'config'")
    )
    done = cli("ensemble", "--run", "run", "--set", "quality.refusals=true", "--set", "quality.languages=[en]")
    assert done.returncode == 0, done.stderr
    examples = rows(tmp_path / "run" / "examples.jsonl")
    assert not any(example["output"].startswith("I'm sorry") for example in examples)
    passed_over = sum(candidate.get("barred") == "refusal" for row in examples for candidate in row["candidates"])
    assert passed_over
    assert f"outputs passed over in the rows that were kept: {passed_over} refusal" in cli("status", "run").stdout
    assert cli("export", "run", "--format", "preference", "--to", "pairs.jsonl").returncode == 0
    assert not any(pair["rejected"].startswith("I'm sorry") for pair in rows(tmp_path / "pairs.jsonl"))
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["quality"]["refusals"] is True
    changed = run()
    assert (changed.returncode, changed.stderr.count("\n")) == (2, 1)
    assert "quality.refusals" in changed.stderr
    assert "asks nothing again" in changed.stderr
    refused = cli("ensemble", "--run", "run", "--set", "seed=1")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    unasked = cli("ensemble", "--run", "run", "--set", "quality.toxicity.model=guard")
    assert (unasked.returncode, unasked.stderr.count("\n")) == (1, 1)
    assert "--force" in unasked.stderr
    assert cli("ensemble", "--run", "run", "--set", "quality={}").returncode == 0
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == first


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"languages": ["english"]}, "ISO 639-1"),
        ({"languages": ["qq"]}, "quality.languages"),
        ({"toxicity": {"model": "gard"}}, "quality.toxicity.model: no model is called 'gard'; did you mean 'guard'"),
        ({"repetition": 2.0}, "quality.repetition"),
        ({"personal": True}, "personal_data"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_one_line(run: Any, tmp_path: Path, section: dict[str, Any], named: str) -> None:
    done = run(quality=section)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert named in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_plan_counts_what_the_model_will_be_asked(run: Any) -> None:
    done = run("--dry-run", quality={"toxicity": {"model": "guard"}})
    assert done.returncode == 0, done.stderr
    assert any(line.split()[:3] == ["ensemble", "output_only", "guard"] for line in done.stdout.splitlines())
