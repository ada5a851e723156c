"""The training corpus of the embedded models: the same for a seed, in the pipeline's own formats, nothing held out."""

from __future__ import annotations

import random
import re
from itertools import islice

import pytest

from ensemble_instruct.demo.tasks import FAMILIES, answer_of
from ensemble_instruct.demo.tasks.families import held_out, read_instruction
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.prompts.completions import HEADING
from ensemble_instruct.records import KINDS, Completion
from ensemble_instruct.steps.parse import Parser
from ensemble_instruct.steps.seed_tasks import load_demonstrations, load_seed_tasks
from tools.embedded_models.corpus import SHARES, Share, answer_pairs, documents
from tools.embedded_models.evaluate import unseen_tasks
from tools.embedded_models.seeds import TOY, as_lines, demonstration_rows, seed_rows

_BASE = SHARES["tiny-base"]


def instructions_of(document: str) -> list[str]:
    pattern = r"^\d+\. (.+)$" if document.startswith(HEADING) else r"^instruction: (.+)$"
    return re.findall(pattern, document, re.MULTILINE)


def is_training_wording(instruction: str, share: Share) -> bool:
    found = read_instruction(FAMILIES, instruction)
    assert found is not None, instruction
    family, values = found
    return any(wording.format_map(values) in instruction for wording in share.wordings(family))


def test_the_corpus_is_a_function_of_the_seed() -> None:
    def texts(seed: int) -> list[str]:
        rng = random.Random(seed)
        made = list(islice(documents(rng, _BASE), 30))
        return made + ["\n".join(pair) for pair in islice(answer_pairs(rng, SHARES["tiny-a"]), 100)]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)


@pytest.mark.slow
def test_no_document_has_a_wording_that_is_held_out() -> None:
    unseen = [task.instruction for task in unseen_tasks(200)]
    assert not any(is_training_wording(instruction, _BASE) for instruction in unseen)
    made = 0
    for document in islice(documents(random.Random(3), _BASE), 150):
        for instruction in instructions_of(document):
            assert is_training_wording(instruction, _BASE)
            made += 1
    assert made > 1000
    for name in ("tiny-a", "tiny-b"):
        for prompt, _ in islice(answer_pairs(random.Random(3), SHARES[name]), 1000):
            assert is_training_wording(prompt.partition("\n")[0], SHARES[name])


@pytest.mark.slow
def test_no_pair_has_a_value_that_is_held_out_and_every_answer_is_right() -> None:
    for prompt, answer in islice(answer_pairs(random.Random(4), SHARES["tiny-b"]), 2000):
        instruction, _, given = prompt.partition("\n")
        assert answer_of(instruction, given) == answer
        found = read_instruction(FAMILIES, instruction)
        assert found is not None
        assert found[0].closed or not held_out(*found, given)


def test_step_3_reads_the_worked_examples_of_a_document() -> None:
    blocks = [text for text in islice(documents(random.Random(5), _BASE), 60) if not text.startswith(HEADING)]
    read = 0
    for text in blocks:
        first, _, rest = text.removeprefix("instruction: ").partition("\n")
        kind = KINDS[0] if rest.startswith("input:") else KINDS[1]
        parser = Parser("default", NoveltyPool(), 1.0)
        for record in parser.read(Completion(first, kind, rest, "stop")):
            assert getattr(record, "reason", "") in {"", "duplicate", "not_novel"}
            read += 1
    assert read > 100


def test_seed_tasks_and_demonstrations_are_as_the_command_writes_them() -> None:
    assert (TOY / "seed_tasks.jsonl").read_text(encoding="utf-8") == as_lines(seed_rows())
    tasks = load_seed_tasks(TOY / "seed_tasks.jsonl")
    for kind in KINDS:
        path = TOY / f"demonstrations_{kind}.jsonl"
        assert path.read_text(encoding="utf-8") == as_lines(demonstration_rows(kind))
        shown = load_demonstrations(kind, path)
        assert 3 <= len(shown) <= 4
        assert sum(task.kind == kind for task in tasks) >= 40
        for demonstration in shown:
            assert answer_of(demonstration.instruction, demonstration.input) == demonstration.output
    for task in tasks:
        ((given, output),) = task.instances
        assert answer_of(task.instruction, given) == output
        assert is_training_wording(task.instruction, _BASE)
