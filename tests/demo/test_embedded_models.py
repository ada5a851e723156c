"""The models in the box: small, whole, readable without PyTorch, and the same through two engines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from ensemble_instruct.demo.tasks import is_right
from ensemble_instruct.prompts.completions import instances_template, instructions_prompt, outputs_prompt
from ensemble_instruct.records import KINDS
from ensemble_instruct.steps.seed_tasks import load_demonstrations, load_seed_tasks
from tools.embedded_models.evaluate import TOY, unseen_tasks
from tools.embedded_models.shapes import SHAPES, SHIPPED

each_model = pytest.mark.parametrize("name", list(SHAPES))
MEGABYTE = 10**6


def test_the_folders_together_are_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) <= 25 * MEGABYTE


@each_model
def test_a_folder_is_whole_and_its_card_is_valid(name: str) -> None:
    folder = SHIPPED / name
    for needed in ("model.bin", "config.json", "tokenizer.json", "README.md"):
        assert (folder / needed).stat().st_size > 0
    assert list(folder.glob("*vocabulary*"))
    _, front, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    metadata = yaml.safe_load(front)
    assert metadata["license"] == "apache-2.0"
    assert metadata["language"] == ["en"]
    assert metadata["pipeline_tag"] == ("text-generation" if SHAPES[name].is_decoder_only else "text2text-generation")
    assert "toy tasks" in text


def test_the_figures_show_that_agreement_is_right_more_often_than_any_model_alone() -> None:
    found = json.loads((SHIPPED / "evaluation.json").read_text(encoding="utf-8"))
    assert found["tasks"] == 500
    assert found["kept_right"] > max(found["right"].values())


@each_model
def test_every_text_can_be_encoded_and_comes_back(name: str) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="reading a tokenizer needs `tokenizers`")
    tokenizer = tokenizers.Tokenizer.from_file(str(SHIPPED / name / "tokenizer.json"))
    for text in ("Write the words.\nlemon apple 12", "Grüße, 漢字!\n\n\ttabs", "x" * 300, "1. One\n2. Two\n"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    tokens = tokenizer.encode("What is 12 plus 7?").tokens
    assert tokens[0] == "<s>" if SHAPES[name].is_decoder_only else tokens[-1] == "</s>"
    assert "1" in tokens


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny-a", "tiny-b"])
def test_a_voter_answers_many_unseen_tasks(name: str) -> None:
    pytest.importorskip("ctranslate2", reason="running a model needs `ctranslate2`")
    pytest.importorskip("tokenizers", reason="running a model needs `tokenizers`")
    from tools.embedded_models.engine import Answerer

    tasks = unseen_tasks(148)
    answers = Answerer(SHIPPED / name).answers([outputs_prompt(task.instruction, task.input) for task in tasks], 64)
    right = sum(bool(is_right(task.instruction, task.input, text)) for task, text in zip(tasks, answers, strict=True))
    assert right > 0.35 * len(tasks)


def test_the_base_model_continues_lists_and_worked_examples() -> None:
    pytest.importorskip("ctranslate2", reason="running a model needs `ctranslate2`")
    pytest.importorskip("tokenizers", reason="running a model needs `tokenizers`")
    from tools.embedded_models.engine import Writer

    writer = Writer(SHIPPED / "tiny-base")
    seeds = [task.instruction for task in load_seed_tasks(TOY / "seed_tasks.jsonl")]
    (text,) = writer.continued([instructions_prompt(seeds[:8], "default")], most_tokens=100)
    assert re.match(r" [A-Z].+\n10\. [A-Z]", text)
    for kind, instruction, expected in zip(
        KINDS,
        ("Which month comes before?", "Name the month after May."),
        (r"input: .+\noutput: .+\n\ninstruction:", r"output: .+\n\ninstruction:"),
        strict=True,
    ):
        template = instances_template(kind, load_demonstrations(kind, TOY / f"demonstrations_{kind}.jsonl"), "default")
        (text,) = writer.continued([template.prompt(instruction)], most_tokens=100)
        assert re.match(expected, text)


@each_model
def test_transformers_gives_the_same_greedy_text_on_the_restored_weights(name: str, tmp_path: Path) -> None:
    for module in ("ctranslate2", "torch", "transformers"):
        pytest.importorskip(module, reason=f"comparing the two engines needs `{module}`")
    from tools.embedded_models.restore import differences

    tasks = unseen_tasks(12)
    assert differences(SHIPPED / name, tmp_path, [outputs_prompt(task.instruction, task.input) for task in tasks]) == []
