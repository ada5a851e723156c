"""A checkout of AlpacaEval becomes rows that `evaluate` reads."""

from __future__ import annotations

import gzip
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.agreement.evaluation import evaluate
from tests.conftest import SHARED, needs_shared

main: Any = import_module("benchmarks.alpaca_eval").main  # no package, so the types of its functions are not known
BASELINES = {"weighted_alpaca_eval_gpt4_turbo": "gpt4_1106_preview", "alpaca_eval_gpt4": "text_davinci_003"}
TASKS = [("helpful_base", "Name a colour."), ("koala", "Name a town."), ("vicuna", "Name a river.")]


def put(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def model(
    checkout: Path, name: str, config: str | None, preferences: list[Any], folder: str = "alpaca_eval_gpt4"
) -> None:
    """A model as a checkout has it, with an annotation for each preference."""
    results = checkout / "results" / name
    outputs = [
        {"dataset": dataset, "instruction": instruction, "output": f"{name} {place}", "generator": name}
        for place, (dataset, instruction) in enumerate(TASKS)
    ]
    put(results / "model_outputs.json", outputs)
    annotations = [
        {
            "instruction": output["instruction"], "output_1": "the baseline's", "generator_1": BASELINES[folder],
            "dataset": output["dataset"], "output_2": output["output"], "generator_2": name,
            "annotator": folder, "preference": preference,
        }
        for output, preference in zip(outputs, preferences, strict=False)
    ]  # fmt: skip
    put(results / folder / "annotations.json", annotations)
    if config is not None:
        put(checkout / "src" / "alpaca_eval" / "models_configs" / name / "configs.yaml", f"{name}:\n{config}")


LOCAL = "  fn_completions: huggingface_local_completions\n"
LINKED = "  fn_completions: null\n  link: https://huggingface.co/x/y\n"
CLOSED = "  fn_completions: openai_completions\n  link: https://example.com\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    model(tmp_path, "ours", LOCAL, [2.0, 1.0, 1.5])
    model(tmp_path, "linked", LINKED, [0, None])
    model(tmp_path, "closed", CLOSED, [2.0, 2.0, 2.0])
    model(tmp_path, "unknown", None, [2.0, 2.0, 2.0])
    model(tmp_path, "ours-best-of-16", LOCAL, [2.0, 2.0, 2.0])
    model(tmp_path, "ours_verbose", LOCAL, [2.0, 2.0, 2.0])
    model(tmp_path, "turbo", LOCAL, [1.25, 1.0000123, 2.0], "weighted_alpaca_eval_gpt4_turbo")
    return tmp_path


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_open_models_become_voters_and_a_tie_is_half(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(checkout), "--judge", "gpt4", "--to", str(checkout / "rows.jsonl.gz")])
    found = written(checkout / "rows.jsonl.gz")
    assert found[0] == {
        "id": "helpful_base#0",
        "instruction": "Name a colour.",
        "input": "",
        "outputs": {"linked": "linked 0", "ours": "ours 0"},
        "preference": {"linked": 0.5, "ours": 1.0},
    }
    assert [row["preference"] for row in found[1:]] == [{"linked": None, "ours": 0.0}, {"linked": None, "ours": 0.5}]
    assert "ours" in capsys.readouterr().out
    scores = {name: voter.score for name, voter in evaluate(checkout / "rows.jsonl.gz").voters.items()}
    assert scores == {"linked": 50.0, "ours": 50.0}


def test_the_preference_of_the_other_judge_is_a_probability(checkout: Path) -> None:
    main([str(checkout), "--to", str(checkout / "rows.jsonl")])
    rows = [json.loads(line) for line in (checkout / "rows.jsonl").read_text().splitlines()]
    assert [row["preference"]["turbo"] for row in rows] == [0.25, 0.0, 1.0]


def test_the_text_that_was_judged_counts_and_only_against_the_baseline(checkout: Path) -> None:
    path = checkout / "results" / "ours" / "alpaca_eval_gpt4" / "annotations.json"
    annotations = json.loads(path.read_text())
    annotations[0]["output_2"] = "as it was when it was judged"
    annotations[1]["generator_1"] = "another"
    put(path, annotations)
    main([str(checkout), "--judge", "gpt4", "--models", "ours", "closed", "--to", str(checkout / "rows.jsonl.gz")])
    found = written(checkout / "rows.jsonl.gz")
    assert found[0]["outputs"] == {"ours": "as it was when it was judged", "closed": "closed 0"}
    assert found[1]["preference"] == {"ours": None, "closed": 1.0}


def test_a_checkout_of_before_the_judges_had_folders_gives_the_same_rows(checkout: Path) -> None:
    arguments = [str(checkout), "--judge", "gpt4", "--to"]
    main([*arguments, str(checkout / "new.jsonl.gz")])
    for path in list(checkout.glob("results/*/alpaca_eval_gpt4/annotations.json")):
        path.rename(path.parent.parent / "annotation_alpaca_eval_gpt4.json")
    main([*arguments, str(checkout / "old.jsonl.gz")])
    assert written(checkout / "old.jsonl.gz") == written(checkout / "new.jsonl.gz")


def test_the_same_rows_are_the_same_bytes(checkout: Path) -> None:
    for name in ("one.jsonl.gz", "two.jsonl.gz"):
        main([str(checkout), "--to", str(checkout / name)])
    assert (checkout / "one.jsonl.gz").read_bytes() == (checkout / "two.jsonl.gz").read_bytes()


def test_what_is_no_checkout_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--to", str(tmp_path / "rows.jsonl")])
    assert "has no open model with weighted_alpaca_eval_gpt4_turbo/annotations.json" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="give a whole checkout, or other --models"):
        main([str(tmp_path), "--models", "x", "--to", str(tmp_path / "rows.jsonl")])
    assert not (tmp_path / "rows.jsonl").exists()


@needs_shared
def test_rows_have_the_form_of_the_known_ones(checkout: Path) -> None:
    with gzip.open(SHARED / "golden" / "alpaca-eval" / "gpt4-dev.jsonl.gz", "rt", encoding="utf-8") as file:
        known = json.loads(next(file))
    main([str(checkout), "--judge", "gpt4", "--to", str(checkout / "rows.jsonl.gz")])
    row = written(checkout / "rows.jsonl.gz")[0]
    assert {name: type(value) for name, value in row.items()} == {name: type(value) for name, value in known.items()}
