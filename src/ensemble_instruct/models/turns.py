"""Questions to several models at the same time; one after the other where only one of them fits at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ensemble_instruct.config.models import ModelSection

Result = TypeVar("Result")
Question = tuple[ModelSection, Callable[[], Awaitable[Result]]]
"""A model, and what asks it."""
_THIS_PROCESS = ("this process",)
"""Where models fit that run here."""


async def in_turns(questions: Sequence[Question[Result]]) -> list[Result]:
    """The results, in the order of the questions.

    Models that run here have their turns one after the other, and so have those that share what `exclusive` names.
    """
    queues: dict[object, list[int]] = {}
    for number, (section, _) in enumerate(questions):
        place = section.exclusive or (_THIS_PROCESS if section.is_local else number)
        queues.setdefault(place, []).append(number)
    results: dict[int, Result] = {}

    async def turns(numbers: Sequence[int]) -> None:
        for number in numbers:
            results[number] = await questions[number][1]()

    await asyncio.gather(*map(turns, queues.values()))
    return [results[number] for number in range(len(questions))]
