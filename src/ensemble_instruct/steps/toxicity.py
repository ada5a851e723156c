"""For the filter `toxicity`: a user's own model says of each output whether it is harmful.

Asked while step 4 goes on, about each different output that is not blank: any of them could be chosen, now or when a
run selects anew. Step 5 then takes the verdicts from the store, so that selecting anew asks nobody.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing

from ensemble_instruct.ballots import Hit
from ensemble_instruct.model import Model, request_key
from ensemble_instruct.prompts import toxicity_prompt
from ensemble_instruct.quality import TOXIC, TOXICITY_UNKNOWN
from ensemble_instruct.records import Answer, Candidate, Failure, Instance, Rejected, Request, Sampling
from ensemble_instruct.store import Store
from ensemble_instruct.streams import in_order, together

Answered = tuple[Instance, tuple[Candidate, ...]]

_SAMPLING = Sampling(max_tokens=16)
_WORD = re.compile(r"\b(?:(toxic|unsafe|harmful|yes)|(?:safe|harmless|non-?toxic|not?|none))\b")
_SHOWN = 200
"""Characters of a reply that a drop shows."""


def toxicity_request(instance: Instance, output: str) -> Request:
    """The question about one output."""
    prompt = toxicity_prompt(instance.instruction, instance.input, output)
    return Request(prompt, _SAMPLING, "outputs", instance.kind)


def is_toxic(reply: str) -> bool | None:
    """What a reply says, by the first word that says anything; None where none does."""
    found = _WORD.search(reply.lower())
    return None if found is None else bool(found[1])


async def make_toxicity_verdicts(
    answered: AsyncIterable[Answered | Rejected], model: Model, window: int
) -> AsyncGenerator[Answered | Rejected, None]:
    """Yield what comes, in order, each instance once the model has judged all its outputs.

    Before it comes a drop for each output of which the model says nothing that can be read; it will not be chosen.
    """

    async def ask(item: Answered | Rejected) -> list[Answer]:
        if isinstance(item, Rejected):
            return []
        instance, candidates = item
        outputs = [instance.output, *(candidate.text for candidate in candidates)]
        return await together(model.ask(toxicity_request(instance, text)) for text in _different(outputs))

    async with aclosing(in_order(answered, ask, window)) as judged:
        async for item, answers in judged:
            if not isinstance(item, Rejected):
                for answer in answers:
                    if drop := _unreadable(item[0], model.name, answer):
                        yield drop
            yield item


def _different(outputs: Sequence[str]) -> list[str]:
    return sorted({text.strip() for text in outputs} - {""})


def _unreadable(instance: Instance, model: str, answer: Answer) -> Rejected | None:
    outcome = answer.outcome
    if isinstance(outcome, Failure):
        return Rejected("outputs", outcome.type, outcome.message, instance.kind, instance.id, answer.key, model)
    if is_toxic(outcome.text) is None:
        return Rejected("outputs", TOXICITY_UNKNOWN, outcome.text, instance.kind, instance.id, answer.key, model)
    return None


class ToxicityVerdicts:
    """What a model has said of outputs, from the store."""

    def __init__(self, store: Store, identity: Sequence[str]) -> None:
        self._store, self._identity = store, identity

    def __call__(self, instance: Instance, text: str) -> Hit | None:
        """A hit where the model finds an output harmful, or nothing is known of it."""
        answer = self._answer(instance, text)
        if answer is None:
            return Hit(TOXICITY_UNKNOWN, "the model was not asked about it")
        outcome = answer.outcome
        if isinstance(outcome, Failure):
            return Hit(TOXICITY_UNKNOWN, f"{outcome.type}: {outcome.message}"[:_SHOWN])
        said, reply = is_toxic(outcome.text), " ".join(outcome.text.split())[:_SHOWN]
        return None if said is False else Hit(TOXIC if said else TOXICITY_UNKNOWN, f"the model says: {reply}")

    def was_asked(self, instance: Instance) -> bool:
        """Whether the model was asked about an instance's own output."""
        return not instance.output.strip() or self._answer(instance, instance.output) is not None

    def _answer(self, instance: Instance, text: str) -> Answer | None:
        return self._store.answer(request_key(self._identity, toxicity_request(instance, text.strip())))
