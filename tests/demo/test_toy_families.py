"""The toy tasks: each has one right answer, and an instruction in any known wording is recognised and answered."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from ensemble_instruct.demo.tasks import FAMILIES, answer_of, families_of, is_right
from ensemble_instruct.demo.tasks.families import Family, held_out, make_task, read_instruction
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.records import KINDS, Kind
from ensemble_instruct.rouge import normalised
from ensemble_instruct.steps.usable import InstructionFilters

each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def test_there_are_many_families_of_both_kinds_with_many_wordings() -> None:
    counts = Counter(family.kind for family in FAMILIES)
    assert all(counts[kind] >= 30 for kind in KINDS)
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        wordings = family.wordings + family.unseen_wordings
        assert len(set(wordings)) == len(wordings) >= 12, family.name
        assert family.unseen_wordings, family.name


@each_family
def test_a_made_task_is_recognised_and_answered_again(family: Family) -> None:
    rng = random.Random(family.name)
    for number in range(120):
        wordings = (family.wordings, family.unseen_wordings)[number % 2]
        task = make_task(family, rng, wordings=wordings, unseen_values=number % 3 == 0)
        found = read_instruction(FAMILIES, task.instruction)
        assert found is not None
        assert found[0] is family
        assert answer_of(task.instruction, task.input) == task.output
        assert is_right(task.instruction, task.input, f" {task.output.rstrip('.')}. ")
        assert is_right(task.instruction, task.input, f"{task.output} or so") is False


@each_family
def test_a_task_can_pass_the_pipeline(family: Family) -> None:
    rng = random.Random(family.name)
    for _ in range(60):
        task = make_task(family, rng, wordings=family.wordings + family.unseen_wordings)
        assert InstructionFilters.of(None).reason(task.instruction) == ""
        assert bool(task.input) == (family.kind == "input_output")
        assert task.output == task.output.strip() != ""
        assert normalised(task.output) != normalised(task.input)


@pytest.mark.parametrize("kind", KINDS)
def test_most_wordings_are_novel_to_each_other(kind: Kind) -> None:
    pool, novel = NoveltyPool((), 0.7), 0
    texts = []
    for family in families_of(kind):
        rng = random.Random(family.name)
        values = {name: slot.make(rng) for name, slot in family.slots.items()}
        texts += [wording.format_map(values) for wording in family.wordings]
    for text in texts:
        if pool.is_novel(text, 0.7):
            pool.add(text)
            novel += 1
    assert novel > 0.85 * len(texts)


@pytest.mark.parametrize(
    ("instruction", "given", "answer"),
    [
        ("What is 7 plus 12?", "", "19"),
        ("Write the word lemon in capital letters.", "", "LEMON"),
        ("Name the month after December. Take your time.", "", "January"),
        ("Now comes something easy. This one is for beginners. Which country lies in Rome?", "", None),
        ("Write the words in reverse order. Keep the reply short. Take your time.", "red old lamp", "lamp old red"),
        ("Sort the numbers from small to large.", "10, 9, 33", "9, 10, 33"),
        ("Sort the numbers from small to large.", "ten and nine", None),
        ("Sort the numbers from small to large.", "", None),
        ("What is 7 plus 12?", "an input that does not belong here", None),
        ("Write a poem about the sea.", "", None),
        ("", "", None),
    ],
)
def test_answers(instruction: str, given: str, answer: str | None) -> None:
    assert answer_of(instruction, given) == answer


def test_a_tenth_of_the_values_of_open_families_is_held_out() -> None:
    for family in FAMILIES:
        if family.closed:
            continue
        rng, held = random.Random(family.name), 0
        for _ in range(400):
            values = {name: slot.make(rng) for name, slot in family.slots.items()}
            held += held_out(family, values, family.make_input(rng, values) if family.make_input else "")
        assert 0 < held < 120, family.name
