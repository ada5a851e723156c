"""A small chat model that gives back what it was told of tasks makes no task of it."""

from __future__ import annotations

import asyncio

import pytest

from ensemble_instruct.config.section import PerKind
from ensemble_instruct.config.steps import InstructionsSection
from ensemble_instruct.prompts.forms import ChatForm, Form
from ensemble_instruct.records import KINDS, Answer, Instruction, Kind, Rejected, Request, Response
from ensemble_instruct.steps.instructions import InstructionsPlan, make_instructions

SEEDS = ("Name a river of the country.", "Say what the word means.", "Sort the numbers from low to high.")


class Parrot:
    """Says again, as a list, what stands in the prompt, and states one task."""

    form: Form = ChatForm()

    async def ask(self, request: Request) -> Answer:
        lines = [line.strip() for line in request.prompt.replace(". ", ".\n").splitlines() if line.strip()]
        listed = "\n".join(f"{number}. {line}" for number, line in enumerate([*lines, "Compare two old bridges."], 1))
        return Answer("00", Response(listed))

    def set_aside(self, name: str, places: int) -> None:
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_the_sentences_of_a_prompt_are_no_tasks(kind: Kind) -> None:
    section = InstructionsSection(target=PerKind(input_output=5, output_only=5), window=1, patience=1)
    section = section.model_copy(update={"demonstrations": PerKind(input_output=3, output_only=3)})
    plan = InstructionsPlan(kind=kind, seeds=SEEDS, section=section, profile="default", seed=1)

    async def made() -> list[Instruction | Rejected]:
        return [record async for record in make_instructions(Parrot(), plan)]

    records = asyncio.run(made())
    assert [record.text for record in records if isinstance(record, Instruction)] == ["Compare two old bridges."]
    assert sum(isinstance(record, Rejected) and record.reason == "not_a_task" for record in records) > 4
