"""What the outputs of one instance are like, each by itself and in pairs: all that a strategy needs to know."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise as pairs

from ensemble_instruct.agreement.answers import Answers
from ensemble_instruct.agreement.content import Content
from ensemble_instruct.invisible import is_blank
from ensemble_instruct.quality.hit import Hit
from ensemble_instruct.records import Basis
from ensemble_instruct.rouge import lcs_f1, normalised, rouge_tokens, word_tokens

Matrix = tuple[tuple[float, ...], ...]
"""Pairwise agreement of some outputs, 0 to 1, symmetric, 0 on the diagonal."""

_PARTS = 4
"""Words of a part that may be repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """The outputs of one instance."""

    outputs: tuple[str, ...]
    matrix: Matrix
    words: tuple[int, ...]
    repetition: tuple[float, ...]
    """Share of the runs of four words that were in the same output before, 0 to 1."""
    counts: tuple[bool, ...]
    """Whether an output may be chosen: an empty one, and one that only repeats the source, may not."""
    barred: tuple[Hit | None, ...] = ()
    """For each output what a quality filter has against it; such a one votes, but may not be chosen. Empty: nothing."""

    basis: Basis = "text"
    """What agreement was measured on."""
    alike: Matrix = ()
    """How alike the texts are, where agreement is measured on something else; empty: as in `matrix`."""
    contents: tuple[Content, ...] = ()
    """For each output what it says, for the strategy `vouched`; empty for the others."""
    task: frozenset[str] = frozenset()
    """The content words of the task, for the same."""

    @property
    def has_same_answers(self) -> bool:
        """Whether any two outputs agree at all."""
        return any(map(any, self.matrix))

    def bar(self, place: int) -> Hit | None:
        """What a quality filter has against an output."""
        return self.barred[place] if self.barred else None

    @property
    def scores(self) -> tuple[float, ...]:
        """For each output its mean agreement with the others; exact sums, so that their order does not matter."""
        return mean_agreements(self.matrix)


def ballot(outputs: Sequence[str], source: str = "", matrix: Matrix | None = None) -> Ballot:
    """The ballot of some outputs; `source` is the text that an output must not just repeat.

    Without a `matrix`, agreement is 1 for texts with the same answer (`answer_form`), 0 for two other numbers, else
    stemmed ROUGE-L F1 with the words of every script. An empty text agrees with nothing, not even another one.
    """
    return ballot_of_tokens(outputs, [word_tokens(text, stem=True) for text in outputs], source, matrix)


def ballot_of_tokens(
    outputs: Sequence[str],
    tokens: Sequence[Sequence[str]],
    source: str,
    matrix: Matrix | None = None,
    *,
    contents: tuple[Content, ...] = (),
    task: frozenset[str] = frozenset(),
) -> Ballot:
    """The same, for outputs whose tokens (`word_tokens`, stemmed) are there already, and what they say, if it is."""
    answers = Answers((*outputs, source))
    return Ballot(
        outputs=tuple(outputs),
        matrix=_rouge_l_or_equal(tokens, answers) if matrix is None else matrix,
        words=tuple(map(len, tokens)),
        repetition=tuple(map(_repetition, tokens, [content.distinct for content in contents] or _distinct(tokens))),
        counts=tuple(
            [not is_blank(text) and not answers.same(place, len(outputs)) for place, text in enumerate(outputs)]
        ),
        contents=contents,
        task=task,
    )


def original_ballot(outputs: Sequence[str], source: str = "") -> Ballot:
    """A ballot whose agreement is what the original computes: stemmed ROUGE-L F1 of the normalised texts, and no more.

    The numbers of each output by itself are of the normalised texts too.
    """
    forms = [normalised(text) for text in outputs]
    tokens = [rouge_tokens(form, stem=True) for form in forms]
    return Ballot(
        outputs=tuple(outputs),
        matrix=pairwise(len(outputs), lambda i, j: lcs_f1(tokens[i], tokens[j])),
        words=tuple(map(len, tokens)),
        repetition=tuple(map(_repetition, tokens, _distinct(tokens))),
        counts=tuple(bool(form) and form != normalised(source) for form in forms),
    )


def pairwise(size: int, agreement: Callable[[int, int], float]) -> Matrix:
    """The matrix of a function of two places, asked once for each pair, the lower place first."""
    matrix = [[0.0] * size for _ in range(size)]
    for j in range(size):
        for i in range(j):
            matrix[i][j] = matrix[j][i] = agreement(i, j)
    return tuple(map(tuple, matrix))


def mean_agreements(matrix: Matrix) -> tuple[float, ...]:
    """For each output its mean agreement with the others."""
    others = max(1, len(matrix) - 1)
    return tuple(math.fsum(row) / others for row in matrix)


def agreement_of(outputs: Sequence[str], place: int, matrix: Matrix) -> float:
    """The mean agreement of one output with the others, 0 to 1; 1 where all say the same.

    The same answer counts as full agreement, also where the matrix does not see it: the original's has no words for
    most scripts. One output alone has nobody to agree with: 0.
    """
    answers, others = Answers(outputs), [at for at in range(len(outputs)) if at != place]
    numbers = (1.0 if answers.same(place, at) else matrix[place][at] for at in others)
    return min(1.0, math.fsum(numbers) / max(1, len(others)))


def triangle(matrix: Matrix) -> Iterator[float]:
    """The numbers of a matrix, each pair once."""
    return (matrix[i][j] for j in range(len(matrix)) for i in range(j))


def from_triangle(size: int, numbers: Iterable[float]) -> Matrix:
    """The matrix that has these numbers."""
    ordered = iter(numbers)
    return pairwise(size, lambda *_: next(ordered))  # pairwise asks in the order of `triangle`


def rouge_l_matrix(outputs: Sequence[str]) -> Matrix:
    """The agreement that a ballot has by itself."""
    return _rouge_l_or_equal([word_tokens(text, stem=True) for text in outputs], Answers(outputs))


def _rouge_l_or_equal(tokens: Sequence[Sequence[str]], answers: Answers) -> Matrix:
    def agreement(i: int, j: int) -> float:
        if answers.same(i, j):
            return 1.0
        return 0.0 if answers.numbers(i, j) else lcs_f1(tokens[i], tokens[j])

    return pairwise(len(tokens), agreement)


def _distinct(tokens: Iterable[Sequence[str]]) -> list[int]:
    return [len(set(own)) for own in tokens]


def _repetition(tokens: Sequence[str], distinct: int) -> float:
    number = len(tokens) - _PARTS + 1
    # a part that is repeated repeats four words and three pairs of words: most texts do not, and that is quicker to see
    if number <= 0 or distinct >= number or len(set(pairs(tokens))) >= number:
        return 0.0
    return 1 - len(set(zip(*(tokens[first:] for first in range(_PARTS)), strict=False))) / number
