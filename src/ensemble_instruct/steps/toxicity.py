"""For the filter `toxicity`: a user's own model says of each output whether it is harmful.

Asked while step 4 goes on, about each different output that is not blank: any of them could be chosen, now or when a
run selects anew. Step 5 then takes the verdicts from the store, so that selecting anew asks nobody.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Sequence

from ensemble_instruct.agreement.selection import outputs_of
from ensemble_instruct.models.known import KnownAnswers
from ensemble_instruct.models.model import Model
from ensemble_instruct.quality.filters import TOXIC, TOXICITY_UNKNOWN
from ensemble_instruct.quality.hit import Hit
from ensemble_instruct.records import Answer, Answered, Failure, Instance, Rejected, Request
from ensemble_instruct.replies.verdicts import is_toxic
from ensemble_instruct.steps.judging import make_judgements

_SHOWN = 200
"""Characters of a reply that a drop shows."""


def make_toxicity_verdicts(
    answered: AsyncIterable[Answered | Rejected], model: Model
) -> AsyncGenerator[Answered | Rejected, None]:
    """See `make_judgements`: one question about each output. One of which nothing can be read will not be chosen."""

    def questions(row: Answered) -> list[Request]:
        return [model.form.toxicity(row.instance, text) for text in _different(outputs_of(row))]

    return make_judgements(answered, model, questions, lambda reply: is_toxic(reply) is not None, TOXICITY_UNKNOWN)


def _different(outputs: Sequence[str]) -> list[str]:
    return sorted({text.strip() for text in outputs} - {""})


class ToxicityVerdicts:
    """The filter `toxicity`: what a model says of outputs, by the answers that are known."""

    def __init__(self, known: KnownAnswers) -> None:
        self._known = known

    def __call__(self, instance: Instance, text: str) -> Hit | None:
        """A hit where the model finds an output harmful, or nothing is known of it."""
        answer = self._answer(instance, text)
        if answer is None:
            return Hit(TOXICITY_UNKNOWN, "the model was not asked about it")
        outcome = answer.outcome
        if isinstance(outcome, Failure):
            return Hit(TOXICITY_UNKNOWN, f"{outcome.type}: {outcome.message}"[:_SHOWN])
        verdict, reply = is_toxic(outcome.text), " ".join(outcome.text.split())[:_SHOWN]
        return None if verdict is False else Hit(TOXIC if verdict else TOXICITY_UNKNOWN, f"the model says: {reply}")

    def was_asked(self, instance: Instance) -> bool:
        """Whether the model was asked about an instance's own output."""
        return not instance.output.strip() or self._answer(instance, instance.output) is not None

    def _answer(self, instance: Instance, text: str) -> Answer | None:
        return self._known.to(self._known.form.toxicity(instance, text.strip()))
