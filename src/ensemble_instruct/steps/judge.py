"""For the utility `judge`: a model says of each two outputs of an instance whether they say the same.

Asked while step 4 goes on; step 5 then takes the verdicts from the store, so that selecting anew asks nobody.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from itertools import combinations
from pathlib import Path

from ensemble_instruct.agreement.answers import answer_form
from ensemble_instruct.agreement.ballots import Matrix, pairwise, rouge_l_matrix
from ensemble_instruct.agreement.selection import outputs_of
from ensemble_instruct.agreement.utilities import Texts
from ensemble_instruct.errors import RunError
from ensemble_instruct.models.known import KnownAnswers
from ensemble_instruct.models.model import Model
from ensemble_instruct.prompts.forms import Form
from ensemble_instruct.records import Answered, Failure, Instance, Rejected, Request
from ensemble_instruct.replies.verdicts import verdict_of
from ensemble_instruct.steps.judging import make_judgements

NO_VERDICT = "no_verdict"
"""Why a reply is dropped that cannot be read."""


def verdict_request(form: Form, instance: Instance, one: str, other: str) -> Request:
    """The question about two outputs, the same whichever comes first."""
    first, second = sorted((one, other))
    return form.verdict(instance, first, second)


def make_verdicts(
    answered: AsyncIterable[Answered | Rejected], judge: Model
) -> AsyncGenerator[Answered | Rejected, None]:
    """See `make_judgements`: a question about each two outputs that are neither blank nor equal as answers."""

    def questions(row: Answered) -> list[Request]:
        return [verdict_request(judge.form, row.instance, *pair) for pair in _open_pairs(outputs_of(row))]

    return make_judgements(answered, judge, questions, lambda reply: verdict_of(reply) is not None, NO_VERDICT)


def _open_pairs(outputs: Sequence[str]) -> list[tuple[str, str]]:
    """Each two texts about which a judge must be asked, once."""
    distinct = {form: text for text in sorted(outputs, reverse=True) if (form := answer_form(text))}
    return list(combinations(sorted(distinct.values()), 2))


class Verdicts:
    """The comparer of the utility `judge`: the verdicts of the judge on the outputs of the run in a folder.

    Where a verdict cannot be read, ROUGE-L takes its place. Raises `RunError` where it was not asked.
    """

    def __init__(self, known: KnownAnswers, folder: Path) -> None:
        self._known, self._folder = known, folder

    def __call__(self, rows: Sequence[Texts]) -> list[Matrix]:
        """See `utilities.Comparer`."""
        return [self._matrix(instance, outputs) for instance, outputs in rows]

    def _matrix(self, instance: Instance, outputs: Sequence[str]) -> Matrix:
        instead = rouge_l_matrix(outputs)
        forms = [answer_form(text) for text in outputs]
        # by their forms: the judge was asked once about outputs that are the same answer
        pairs = {frozenset((answer_form(one), answer_form(other))): (one, other) for one, other in _open_pairs(outputs)}

        def agreement(i: int, j: int) -> float:
            pair = pairs.get(frozenset((forms[i], forms[j])))
            verdict = None if pair is None else self._verdict(instance, *pair)
            return instead[i][j] if verdict is None else verdict

        return pairwise(len(outputs), agreement)

    def _verdict(self, instance: Instance, one: str, other: str) -> float | None:
        answer = self._known.to(verdict_request(self._known.form, instance, one, other))
        if answer is None:
            raise RunError(
                f"{self._folder}: the judge has not compared all outputs; set ensemble.utility and "
                "roles.judge in its config.yaml, and run it with --force: the judge is asked, and nothing else"
            )
        return None if isinstance(answer.outcome, Failure) else verdict_of(answer.outcome.text)
