"""The simulated models of the demo: repeatable, varied enough for a run, wrong at about their set rates."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from ensemble_instruct.config.load import load_config
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.prompts.completions import (
    instances_sampling,
    instances_template,
    instructions_prompt,
    instructions_sampling,
    outputs_prompt,
    outputs_sampling,
)
from ensemble_instruct.records import KINDS, Completion, Instance, Kind, Rejected, Request, Response
from ensemble_instruct.steps.parse import Parser
from ensemble_instruct.steps.seed_tasks import load_demonstrations, load_seed_tasks
from ensemble_instruct.steps.usable import InstructionFilters
from tests.conftest import SIMULATED
from tests.support.simulated.models import FAMILIES, base, family_answer, is_right, voter_a, voter_b

REQUESTS = 200


@cache
def seeds(kind: Kind) -> tuple[str, ...]:
    return tuple(task.instruction for task in load_seed_tasks() if task.kind == kind)


@cache
def first_step(kind: Kind) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    """(novel instructions, reasons of the drops, replies of two items) of some requests of step 1."""
    filters, pool, longer = InstructionFilters.of(None), NoveltyPool(seeds(kind)), 0
    kept: list[str] = []
    reasons: list[str] = []
    for number in range(REQUESTS):
        rng = random.Random(f"{kind}/{number}")
        shown = rng.sample(kept, min(4, len(kept))) + rng.sample(seeds(kind), 6)
        sampling = instructions_sampling(len(shown), "default", number)
        text = base(
            Request(prompt=instructions_prompt(shown, "default"), sampling=sampling, step="instructions", kind=kind)
        ).text
        items = re.split(rf"\n{len(shown) + 2}\. ", text)
        longer += len(items) > 1
        for item in (item.strip() for item in items):
            reason = filters.reason(item) or ("" if pool.is_novel(item, 0.7) else "not_novel")
            if reason:
                reasons.append(reason)
            else:
                pool.add(item)
                kept.append(item)
    return tuple(kept), tuple(reasons), longer


def completed(kind: Kind, instruction: str, seed: int) -> Response:
    template = instances_template(kind, load_demonstrations(kind), "default")
    return base(
        Request(
            prompt=template.prompt(instruction),
            sampling=instances_sampling("default", seed),
            step="instances",
            kind=kind,
        )
    )


@cache
def second_step() -> tuple[Instance | Rejected, ...]:
    """What is read from three completions for each of 80 instructions of each kind."""
    records: list[Instance | Rejected] = []
    for kind in KINDS:
        parser = Parser("default", NoveltyPool(seeds(kind)), 0.7)
        for instruction in first_step(kind)[0][:80]:
            for seed in (1, 2, 3):
                reply = completed(kind, instruction, seed)
                records += parser.read(Completion(instruction, kind, reply.text, reply.finish_reason))
    return tuple(records)


def instances() -> Iterator[Instance]:
    for record in second_step():
        if isinstance(record, Instance) and family_answer(record.instruction, record.input) is not None:
            yield record


def vote(voter: Callable[[Request], Response], instance: Instance) -> str:
    prompt = outputs_prompt(instance.instruction, instance.input)
    return voter(Request(prompt=prompt, sampling=outputs_sampling("default"), step="outputs", kind=instance.kind)).text


def share(verdicts: list[bool]) -> float:
    return sum(verdicts) / len(verdicts)


@pytest.mark.parametrize("kind", KINDS)
def test_step_1_gives_enough_novel_instructions_and_some_drops(kind: Kind) -> None:
    kept, reasons, longer = first_step(kind)
    assert len(kept) >= 60
    assert {"too_short", "needs_more_than_text", "not_novel"} <= set(reasons)
    assert 0.2 < longer / REQUESTS < 0.5


def test_there_are_enough_families_of_each_kind() -> None:
    kinds = [family.kind for family in FAMILIES]
    assert kinds.count("input_output") >= 12
    assert kinds.count("output_only") >= 8
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


@pytest.mark.slow
def test_every_instruction_is_recognised_by_its_own_family() -> None:
    for family in FAMILIES:
        for number in range(60):
            rng = random.Random(f"{family.name}/{number}")
            instruction = family.make_instruction(rng)
            assert InstructionFilters.of(None).reason(instruction) == "", instruction
            reply = completed(family.kind, instruction, number)
            assert reply.text.startswith("input: " if family.kind == "input_output" else "output:")
            given = reply.text.removeprefix("input: ").partition("\noutput:")[0] if family.make_input else ""
            assert family_answer(instruction, given) is not None, (family.name, instruction, given)


def test_replies_depend_on_the_request_alone() -> None:
    instruction = "Add 17 to the given number."
    assert completed("input_output", instruction, 5) == completed("input_output", instruction, 5)
    assert len({completed("input_output", instruction, seed).text for seed in range(20)}) > 5
    prompt = instructions_prompt(seeds("output_only")[:6], "default")
    sampling = instructions_sampling(6, "default", 1)
    texts = {
        base(Request(prompt=prompt, sampling=sampling, step="instructions", kind="output_only", repeat=repeat)).text
        for repeat in range(20)
    }
    assert len(texts) > 15


def test_tokens_are_counted() -> None:
    reply = completed("output_only", "What is 60 plus 5?", 1)
    assert reply.completion_tokens == round(len(reply.text.split()) * 1.3)
    assert reply.prompt_tokens is not None
    assert reply.prompt_tokens > 100


def test_models_are_right_at_about_their_rates() -> None:
    rows = list(instances())[:300]
    assert len(rows) == 300
    rates = {
        "base": share([bool(is_right(row.instruction, row.input, row.output)) for row in rows]),
        "a": share([bool(is_right(row.instruction, row.input, vote(voter_a, row))) for row in rows]),
        "b": share([bool(is_right(row.instruction, row.input, vote(voter_b, row))) for row in rows]),
    }
    assert 0.55 < rates["base"] < 0.78
    assert 0.77 < rates["a"] < 0.93
    assert 0.65 < rates["b"] < 0.85
    assert rates["a"] > rates["b"] > rates["base"]


def test_voters_seldom_make_the_same_mistake_and_do_not_always_use_the_same_words() -> None:
    pairs = [(row, vote(voter_a, row), vote(voter_b, row)) for row in instances()]
    both_wrong = [
        first == second
        for row, first, second in pairs
        if not is_right(row.instruction, row.input, first) and not is_right(row.instruction, row.input, second)
    ]
    assert both_wrong
    assert share(both_wrong) < 0.7
    assert any(first != second and is_right(row.instruction, row.input, second) for row, first, second in pairs)


def test_step_2_gives_follow_on_tasks_several_lines_and_drops() -> None:
    made = [record for record in second_step() if isinstance(record, Instance)]
    reasons = {record.reason for record in second_step() if isinstance(record, Rejected)}
    assert {"output_equals_input", "empty_output", "cut_off"} <= reasons
    assert 0.05 < share([record.follow_on > 0 for record in made]) < 0.3
    assert any("\n" in record.input for record in made)
    assert any("\n" in record.output for record in made)


@pytest.mark.parametrize(
    ("instruction", "given", "answer"),
    [
        ("Add 17 to the given number.", "25", "42"),
        ("Which of the two numbers is larger? Keep it short.", "418 and 481", "481"),
        ("Sort the fruits from Z to A.", "plum\napple\nmango", "plum\nmango\napple"),
        ("Count how often the letter e occurs in the sentence.", "The eagle sees bees.", "7"),
        ("Convert the given amount from hours to minutes.", "3 hours", "180 minutes"),
        ("Quick check before the lesson starts. Write the plural of the noun.", "berry", "berries"),
        ("Is the given number even or odd?", "77", "odd"),
        ("Which tools got lost between the two lists?", "first: axe, saw, rake\nsecond: rake, axe", "saw"),
        ("Without any tool other than pencil and paper, write 94 as a Roman numeral.", "", "XCIV"),
        ("Today is Friday. Which weekday will it be in 10 days? Give only the result.", "", "Monday"),
        ("How many days does February have in a leap year?", "", "29"),
        ("How many sides does a regular heptagon have?", "", "7"),
        ("List all divisors of 12 in ascending order, one per line.", "", "1\n2\n3\n4\n6\n12"),
        ("Which number comes next: 4, 9, 14, 19?", "", "24"),
        ("Compose a poem about the sea.", "", None),
        ("Add 17 to the given number.", "many", None),
    ],
)
def test_family_answer(instruction: str, given: str, answer: str | None) -> None:
    assert family_answer(instruction, given) == answer


def test_a_right_answer_may_be_a_sentence() -> None:
    assert is_right("Add 17 to the given number.", "25", "It is 42.") is True
    assert is_right("Add 17 to the given number.", "25", "It is 43.") is False
    assert is_right("Compose a poem about the sea.", "", "Waves.") is None


@pytest.mark.parametrize("model", [base, voter_a, voter_b])
def test_unknown_tasks_get_some_answer(model: Callable[[Request], Response]) -> None:
    for prompt in ("Compose a poem about the sea.\n", "hello", "", "Spell the given word backwards.\n"):
        reply = model(Request(prompt=prompt, sampling=outputs_sampling("default"), step="outputs", kind="input_output"))
        assert reply.text.strip()
    assert completed("input_output", "Compose a poem about the sea.", 3).text.startswith("input: ")


def test_the_config_loads() -> None:
    config = load_config(Path(SIMULATED))
    assert config.instructions.target.of("input_output") == 40
    assert config.instructions.target.of("output_only") == 30
    assert config.used_models == ("simulated-base", "simulated-a", "simulated-b")
    assert {model.provider for model in config.models.values()} == {"scripted"}
    assert {model.license for model in config.models.values()} == {"Apache-2.0"}
