"""What a model is asked about the outputs of an instance, while step 4 goes on, for step 5 to read from the store."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing

from ensemble_instruct.concurrency import gather, map_in_order
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import Answer, Answered, Failure, Rejected, Request
from ensemble_instruct.steps.candidates import drop_of_answer

Questions = Callable[[Answered], list[Request]]
"""The requests about an instance and its outputs; each asked once."""


async def make_judgements(
    answered: AsyncIterable[Answered | Rejected],
    model: Model,
    questions: Questions,
    is_readable: Callable[[str], bool],
    reason: str,
) -> AsyncGenerator[Answered | Rejected, None]:
    """Yield what comes, in order, each instance once the model has answered all questions about it.

    Before it comes a drop for each that was refused, or whose reply cannot be read (then with `reason`).
    """

    async def ask(item: Answered | Rejected) -> list[Answer]:
        if isinstance(item, Rejected):
            return []
        return await gather(model.ask(request) for request in questions(item))

    async with aclosing(map_in_order(answered, ask, model.window)) as judged:
        async for item, answers in judged:
            if not isinstance(item, Rejected):
                for answer in answers:
                    outcome = answer.outcome
                    if isinstance(outcome, Failure):
                        yield drop_of_answer(item.instance, model.name, answer, outcome.type, outcome.message)
                    elif not is_readable(outcome.text):
                        yield drop_of_answer(item.instance, model.name, answer, reason, outcome.text)
            yield item
