"""`evaluate` on preferences: what a judge said of each output takes the place of a reference."""

from __future__ import annotations

import gzip
import json
import math
import random
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from ensemble_instruct.agreement.ballots import ballot
from ensemble_instruct.agreement.evaluation import evaluate
from ensemble_instruct.agreement.strategies import consensus
from ensemble_instruct.cli.commands.evaluate import evaluation_json, evaluation_lines
from tests.conftest import SHARED, Cli, needs_shared
from tests.support.good_input import write

MODELS = ("ant", "bee", "cat", "dog")
WORDS = ["the", "river", "runs", "slowly", "past", "seven", "quiet", "houses", "and", "nobody", "walked", "there"]


def judged(count: int = 12, seed: int = 4) -> list[dict[str, Any]]:
    """Rows in which some outputs are missing and some have no preference."""
    chosen = random.Random(seed)
    rows = []
    for place in range(count):
        outputs = {name: " ".join(chosen.choices(WORDS, k=chosen.randint(1, 9))) for name in MODELS}
        preference = {name: chosen.choice([None, round(chosen.random(), 2), 0, 1]) for name in MODELS}
        for absent in MODELS if chosen.random() < 0.5 else ():
            if chosen.random() < 0.4:
                del outputs[absent]
        rows.append({"instruction": f"Say {place}", "input": "", "outputs": outputs, "preference": preference})
    return rows


def test_a_choice_without_a_preference_counts_nothing_and_a_mean_leaves_it_out() -> None:
    rows = judged()
    found = evaluation_json(evaluate(rows, size=3))
    every, bests, means = [], [], []
    for names in combinations(MODELS, 3):
        points = []
        for row in rows:
            there = [name for name in names if name in row["outputs"]]
            place = consensus(ballot([row["outputs"][name] for name in there])).place
            points.append(100 * (row["preference"][there[place]] or 0) if place is not None else 0)
        every.append(fmean(points))
        singles = [
            fmean(100 * row["preference"][name] for row in rows
                  if name in row["outputs"] and row["preference"][name] is not None)
            for name in names
        ]  # fmt: skip
        bests.append(max(singles))
        means.append(fmean(singles))
    assert found["strategies"]["consensus"]["all_score"] == pytest.approx(fmean(every), abs=1e-4)
    assert found["best_single"] == pytest.approx(fmean(bests), abs=1e-4)
    assert found["mean_single"] == pytest.approx(fmean(means), abs=1e-4)


def test_a_model_that_gave_nothing_does_not_vote_and_three_are_not_there_for_a_rule_of_three() -> None:
    outputs = {"a": "one two three", "b": "one two four", "c": "five six seven"}
    preference = {"a": 1, "b": 1, "c": 0}
    whole = {"instruction": "Say", "input": "", "outputs": outputs, "preference": preference}
    without = {**whole, "instruction": "Say it", "outputs": {name: outputs[name] for name in ("a", "b")}}
    null = {**whole, "instruction": "Say that", "outputs": {**outputs, "c": None}}
    found = evaluation_json(evaluate([whole, without, null], size=3, keep=1.0))
    assert found["strategies"]["consensus"]["all_score"] == 100
    assert found["strategies"]["algorithm1"]["all_score"] == 0
    first = found["voters"]["c"]
    assert (first["score"], first["words"]) == (0, 3)


def test_a_packed_file_gives_the_figures_of_its_rows(cli: Cli, tmp_path: Path) -> None:
    rows = judged()
    plain = write(tmp_path / "plain.jsonl", *rows)
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    packed = cli("evaluate", "packed.jsonl.gz", "--json")
    assert (packed.returncode, packed.stderr) == (0, "")
    assert packed.stdout == cli("evaluate", "plain.jsonl", "--json").stdout
    assert json.loads(packed.stdout) == json.loads(json.dumps(evaluation_json(evaluate(rows))))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"instruction": "Say"}\n', "t.jsonl.gz:1: field 'input' is missing"),
        (
            gzip.compress(json.dumps(judged()[0]).encode(), mtime=0)[:-9],
            "t.jsonl.gz:1: from here on it is damaged or not whole",
        ),
        (gzip.compress(b"\xff\n", mtime=0), "t.jsonl.gz:1: not UTF-8"),
    ],
)
def test_a_packed_file_that_is_none_is_one_line(cli: Cli, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.jsonl.gz").write_bytes(content)
    done = cli("evaluate", "t.jsonl.gz")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


def test_the_table_has_the_longest_output_and_figures_without_length(cli: Cli, tmp_path: Path) -> None:
    """A judge that only counts words: without length its preferences are all alike."""
    chosen = random.Random(1)
    rows = []
    for place in range(40):
        outputs = {name: " ".join(chosen.choices(WORDS, k=chosen.randint(3, 60))) for name in MODELS}
        preference = {name: math.log1p(len(text.split())) / 5 for name, text in outputs.items()}
        rows.append({"instruction": f"Say {place}", "input": "", "outputs": outputs, "preference": preference})
    write(tmp_path / "tasks.jsonl", *rows)
    found = json.loads(cli("evaluate", "tasks.jsonl", "--json").stdout)
    assert found["label"] == "preference"
    assert found["longest"] == pytest.approx(found["oracle"])
    adjusted = found["adjusted"]
    assert adjusted["slope"] == pytest.approx(20)
    level = adjusted["longest"]
    assert [adjusted[name] for name in ("best_single", "mean_single", "oracle")] == pytest.approx([level] * 3)
    for name, result in adjusted["strategies"].items():
        if name in ("balanced", "consensus", "single", "random"):
            assert result["all_score"] == pytest.approx(level)
            assert result["all_interval"] == pytest.approx([level, level])
    table = cli("evaluate", "tasks.jsonl").stdout
    (line,) = (line for line in table.splitlines() if line.startswith("longest output"))
    assert line.split()[2:] == [f"{found['longest']:.1f}", f"{level:.1f}"]
    assert "scores are preferences x 100" in table
    assert "e times the words are worth 20.0 points" in table


def test_the_table_says_how_well_confidence_ranks() -> None:
    """Where outputs agree more, the judge likes the chosen one better."""
    rows = []
    for place in range(9):
        same = " ".join(WORDS[:place])
        outputs = {"a": f"{same} one two", "b": f"{same} three four", "c": f"{same} five six"}
        preference = dict.fromkeys(outputs, place / 10)
        rows.append({"instruction": f"Say {place}", "input": "", "outputs": outputs, "preference": preference})
    found = evaluate(rows)
    assert found.confidence_ranks["consensus"] == pytest.approx(1)
    assert found.strength_rank is None
    (line,) = (line for line in evaluation_lines(found) if line.startswith("Spearman"))
    assert "consensus +1.00" in line


@pytest.mark.slow
@needs_shared
def test_the_known_figures_of_a_judge() -> None:
    found = evaluate(SHARED / "golden" / "alpaca-eval" / "gpt4-turbo-dev.jsonl.gz", subsets=3)
    assert (found.tasks, found.subsets, found.possible) == (402, 3, 816)
    assert found.voters["FuseChat-Gemma-2-9B-Instruct"].score == pytest.approx(71.0, abs=0.06)
    assert found.voters["oasst-sft-pythia-12b"].score == pytest.approx(2.4, abs=0.06)
