"""What the outputs of one instance are like, each by itself and in pairs: all that a strategy needs to know."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ensemble_instruct.quality.hit import Hit
from ensemble_instruct.rouge import lcs_f1, normalised, rouge_tokens, word_tokens

Matrix = tuple[tuple[float, ...], ...]
"""Pairwise agreement of some outputs, 0 to 1, symmetric, 0 on the diagonal."""

_PARTS = 4
"""Words of a part that may be repeated."""
_NUMBER = re.compile(r"(?<![\w.,])([-+]?)(\d{1,3}(?:,\d{3})+|\d+|(?=\.\d))(?:\.(\d+))?(?![\w]|[.,]\d)")
_VALUE = re.compile(r"-?\d+(?:\.\d+)?")
_DIGIT = re.compile(r"\d")
_QUOTES = str.maketrans({**dict.fromkeys("\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"), "\u2212": "-"})
_STOPS = re.compile(r"[.,;:!?\u2026]+(?=[\s)\]}]|$)|(?<!\S)[(\[{]+|[)\]}]+(?=[\s.,;:!?]|$)")
"""What ends a sentence or stands around a word: no part of what is said."""
_NO_LETTERS = dict.fromkeys(
    [
        *map(ord, string.punctuation + string.digits),
        *_QUOTES,
        0x2026,
        *filter(lambda code: chr(code).isspace(), range(0x3001)),
    ]
)
"""All that two texts can differ in and be the same answer, beside case."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """The outputs of one instance."""

    outputs: tuple[str, ...]
    matrix: Matrix
    words: tuple[int, ...]
    repetition: tuple[float, ...]
    """Share of the runs of four words that stood in the same output before, 0 to 1."""
    counts: tuple[bool, ...]
    """Whether an output may be chosen: an empty one, and one that only repeats the source, may not."""
    barred: tuple[Hit | None, ...] = ()
    """For each output what a quality filter has against it; such a one votes, but may not be chosen. Empty: nothing."""

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
    tokens = [word_tokens(text, stem=True) for text in outputs]
    answers = _Answers((*outputs, source))
    return Ballot(
        tuple(outputs),
        _rouge_l_or_equal(tokens, answers) if matrix is None else matrix,
        tuple(map(len, tokens)),
        tuple(map(_repetition, tokens)),
        tuple(bool(text.strip()) and not answers.same(place, len(outputs)) for place, text in enumerate(outputs)),
    )


def original_ballot(outputs: Sequence[str], source: str = "") -> Ballot:
    """A ballot whose agreement is what the original computes: stemmed ROUGE-L F1 of the normalised texts, and no more.

    The numbers of each output by itself are of the normalised texts too.
    """
    forms = [normalised(text) for text in outputs]
    tokens = [rouge_tokens(form, stem=True) for form in forms]
    return Ballot(
        tuple(outputs),
        pairwise(len(outputs), lambda i, j: lcs_f1(tokens[i], tokens[j])),
        tuple(map(len, tokens)),
        tuple(map(_repetition, tokens)),
        tuple(bool(form) and form != normalised(source) for form in forms),
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


def triangle(matrix: Matrix) -> Iterator[float]:
    """The numbers of a matrix, each pair once."""
    return (matrix[i][j] for j in range(len(matrix)) for i in range(j))


def from_triangle(size: int, numbers: Iterable[float]) -> Matrix:
    """The matrix that has these numbers."""
    given = iter(numbers)
    return pairwise(size, lambda *_: next(given))


def rouge_l_matrix(outputs: Sequence[str]) -> Matrix:
    """The agreement that a ballot has by itself."""
    return _rouge_l_or_equal([word_tokens(text, stem=True) for text in outputs], _Answers(outputs))


class _Answers:
    """Texts as answers; their forms are made only for those that have the same letters, which is seen fast."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._letters = [text.lower().translate(_NO_LETTERS) for text in texts]
        self._forms: dict[int, str] = {}

    def same(self, i: int, j: int) -> bool:
        """Whether two texts are the same answer, and say anything."""
        return self._letters[i] == self._letters[j] and self._form(i) == self._form(j) != ""

    def numbers(self, i: int, j: int) -> bool:
        """Whether both are numbers."""
        return self._letters[i] == self._letters[j] == "" and all(_VALUE.fullmatch(self._form(at)) for at in (i, j))

    def _form(self, place: int) -> str:
        if place not in self._forms:
            self._forms[place] = answer_form(self._texts[place])
        return self._forms[place]


def _rouge_l_or_equal(tokens: Sequence[Sequence[str]], answers: _Answers) -> Matrix:
    def agreement(i: int, j: int) -> float:
        if answers.same(i, j):
            return 1.0
        return 0.0 if answers.numbers(i, j) else lcs_f1(tokens[i], tokens[j])

    return pairwise(len(tokens), agreement)


def answer_form(text: str) -> str:
    """The text as an answer: equal for two that differ only in what makes no difference.

    That is case, white space, quotation marks, brackets around words, punctuation at the end of words, and how a
    number is put. 1,000 is 1000, 3.50 is 3.5 and .5 is 0.5; but -5 is not 5, 3.5 not 35, 1/2 not 12, a + b not a - b.
    Empty for a text of white space alone.
    """
    plain = text.lower().translate(_QUOTES)
    if _DIGIT.search(plain):
        plain = _NUMBER.sub(_number, plain)
    return " ".join(_STOPS.sub("", plain).split()) or text.strip()


def _number(match: re.Match[str]) -> str:
    """A number without what makes no difference."""
    sign, whole, decimals = match.groups()
    decimals = (decimals or "").rstrip("0")
    value = (whole.replace(",", "") or "0") + (f".{decimals}" if decimals else "")
    return f"-{value}" if sign == "-" and value.strip("0.") else value


def source_of(instruction: str, given: str) -> str:
    """What an output must not just repeat: the input, or the instruction where there is none."""
    return given if given.strip() else instruction


def _repetition(tokens: Sequence[str]) -> float:
    number = len(tokens) - _PARTS + 1
    if number <= 0:
        return 0.0
    return 1 - len(set(zip(*(tokens[first:] for first in range(_PARTS)), strict=False))) / number
