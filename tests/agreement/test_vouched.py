"""`vouched` among real models: a strong voter is found, a second one of the same costs nothing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.agreement.ensemble import ensemble
from ensemble_instruct.agreement.evaluation import evaluate
from ensemble_instruct.rouge import rouge_l
from tests.agreement.test_strategies import kept, reasons, tell
from tests.conftest import SHARED, Cli, needs_shared
from tests.conftest import rows as rows_of

USER_TASKS = SHARED / "golden" / "user-tasks" / "dev.jsonl"
GPT4_TURBO = SHARED / "golden" / "alpaca-eval" / "gpt4-turbo-dev.jsonl.gz"
MODELS = ("davinci", "davinci-self-instruct", "text-davinci-003")


@pytest.mark.slow
@needs_shared
def test_a_strong_voter_among_weak_ones_is_not_outvoted() -> None:
    with gzip.open(GPT4_TURBO, "rt", encoding="utf-8") as file:
        lines: list[dict[str, Any]] = [json.loads(line) for line in file][::2]
    found = evaluate(lines, size=3, subsets=30)
    assert found.best_single is not None
    scores = {name: found.strategies[name].all_score for name in ("vouched", "balanced")}
    assert scores["vouched"] >= 0.92 * found.best_single
    assert scores["vouched"] > scores["balanced"] + 2


@pytest.mark.slow
@needs_shared
def test_among_voters_of_like_strength_it_is_as_good_as_balanced() -> None:
    found = evaluate(USER_TASKS, size=3, subsets=30)
    vouched, balanced = found.strategies["vouched"], found.strategies["balanced"]
    assert vouched.all_score >= balanced.all_score - 0.2
    assert vouched.kept_score is not None
    assert balanced.kept_score is not None
    assert vouched.kept_score >= balanced.kept_score - 0.2


@pytest.mark.slow
@needs_shared
@pytest.mark.parametrize("again", MODELS)
def test_a_second_model_that_is_the_same_costs_nothing(again: str) -> None:
    lines = rows_of(USER_TASKS)
    tasks = [(line["instruction"], line["input"]) for line in lines]
    outputs = [{name: line["outputs"][name] for name in MODELS} for line in lines]

    def score(table: list[dict[str, str]]) -> float:
        chosen = ensemble(table, tasks=tasks, min_confidence=0.0)
        return sum(
            100 * rouge_l(line["reference"], one.output or "", stem=True)
            for line, one in zip(lines, chosen, strict=True)
        ) / len(lines)  # fmt: skip

    assert score([row | {"again": row[again]} for row in outputs]) == pytest.approx(score(outputs))
    assert score(outputs) > 30


def test_no_row_of_files_is_kept_whose_short_outputs_all_differ(cli: Cli, tmp_path: Path) -> None:
    options = tell(tmp_path, [["one task", "task one", "0"], ["7", "-7", "9"], ["a b", "A b.", "c"]])
    for bound in ((), ("--keep", "1.0"), ("--min-confidence", "0.01")):
        assert kept(cli, tmp_path, *options, *bound) == ["a b"]
        assert reasons(tmp_path) == ["all_differ"] * 2
    assert len(kept(cli, tmp_path, *options, "--min-confidence", "0")) == 3
