"""For the strategy `judged`: judges rate each output of an instance, from 1 to 5, beside each other one as reference.

That is minimum Bayes risk with a language model as utility (Wu et al., 2025, arXiv 2410.02902). Each question is asked
twice, with the output and with the reference shown first, and no judge rates an output of its own. Outputs of the same
text are one output. The judges are asked while step 4 goes on; step 5 then takes the ratings from the store, so that
selecting anew asks nobody.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ensemble_instruct.agreement.ratings import Ratings, mean_rating
from ensemble_instruct.agreement.selection import outputs_of, voter_names
from ensemble_instruct.errors import RunError
from ensemble_instruct.models.known import KnownAnswers
from ensemble_instruct.models.model import Model
from ensemble_instruct.prompts.forms import Form
from ensemble_instruct.records import Answered, Failure, Rejected, Request
from ensemble_instruct.replies.ratings import HIGHEST, LOWEST, rating_of
from ensemble_instruct.steps.judging import make_judgements

NO_RATING = "no_rating"
"""Why a reply is dropped that cannot be read."""


def make_ratings(
    answered: AsyncIterable[Answered | Rejected], judge: Model, own: frozenset[str]
) -> AsyncGenerator[Answered | Rejected, None]:
    """See `make_judgements`: two questions about each output and each other one; `own` are the voters that it is."""

    def questions(row: Answered) -> list[Request]:
        return [request for _, request in _questions(row, judge.form, own)]

    return make_judgements(answered, judge, questions, lambda reply: rating_of(reply) is not None, NO_RATING)


def _questions(row: Answered, form: Form, own: frozenset[str]) -> Iterator[tuple[str, Request]]:
    """The texts that a judge rates, each with a question about it; the order of the voters does not matter."""
    given_by: dict[str, set[str]] = {}
    for voter, text in zip(voter_names(row), outputs_of(row), strict=True):
        if text.strip():
            given_by.setdefault(text.strip(), set()).add(voter)
    texts = sorted(given_by)
    for text in texts:
        if own.isdisjoint(given_by[text]):
            for reference in texts:
                if reference != text:
                    for is_first in (False, True):
                        yield text, form.rating(row.instance, text, reference, reference_first=is_first)


@dataclass(frozen=True, slots=True)
class Judge:
    """A judge by what it has answered."""

    name: str
    known: KnownAnswers
    own: frozenset[str]
    """The voters that it is itself."""


class JudgedRatings:
    """The rater of the strategy `judged`: the mean of what the judges of the run in a folder say of an output.

    A rating that was refused or cannot be read is left out. Raises `RunError` where a judge was not asked.
    """

    def __init__(self, judges: Sequence[Judge], folder: Path) -> None:
        self._judges, self._folder = judges, folder

    def __call__(self, rows: Sequence[Answered]) -> list[Ratings]:
        """See `ratings.Rater`."""
        return [self._ratings(row) for row in rows]

    def _ratings(self, row: Answered) -> Ratings:
        found: dict[str, list[float]] = {}
        for judge in self._judges:
            for text, request in _questions(row, judge.known.form, judge.own):
                rating = self._rating(judge, request)
                if rating is not None:
                    found.setdefault(text, []).append(rating)
        return tuple(mean_rating(found.get(text.strip(), []), LOWEST, HIGHEST) for text in outputs_of(row))

    def _rating(self, judge: Judge, request: Request) -> float | None:
        answer = judge.known.to(request)
        if answer is None:
            raise RunError(
                f"{self._folder}: {judge.name} has not rated all outputs; set ensemble.strategy: judged in its "
                "config.yaml, with the models of roles.judges or without, and run it with --force: the judges are "
                "asked, and nothing else"
            )
        return None if isinstance(answer.outcome, Failure) else rating_of(answer.outcome.text)
