"""Texts without what makes no difference to an answer, and when two of them are the same one."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence

_NUMBER = re.compile(r"(?<![\w.,])([-+]?)(\d{1,3}(?:,\d{3})+|\d+|(?=\.\d))(?:\.(\d+))?(?![\w]|[.,]\d)")
"""A number with a sign, commas between thousands, and decimals; no part of a longer one."""
_VALUE = re.compile(r"-?\d+(?:\.\d+)?")
"""A text that is a number and nothing else."""
_DIGIT = re.compile(r"\d")
_QUOTES = str.maketrans({**dict.fromkeys("\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"), "\u2212": "-"})
"""Quotation marks, which go, and the minus sign, which becomes a hyphen."""
_STOPS = re.compile(
    r"(?<![.,;:!?\u2026])[.,;:!?\u2026]++(?=[\s)\]}]|$)|(?<!\S)[(\[{]+|(?<![)\]}])[)\]}]++(?=[\s.,;:!?]|$)"
)
"""What ends a sentence or encloses a word: not a part of the answer. Each run of marks is looked at once."""
_WIDE = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
"""Marks and letters as wide as an ideograph."""
_MARKS = _WIDE | str.maketrans(
    {
        **dict.fromkeys("\u3002\uff61\u0964\u0965\u06d4\u0589\u1362\u104b", "."),
        **dict.fromkeys("\u3001\uff64\u060c", ","),
        **dict.fromkeys("\u061b\u037e", ";"),
        "\u061f": "?",
        **dict.fromkeys("\u00bf\u00a1\u201a\u201e\u201b\u201f\u2039\u203a\u300c\u300d\u300e\u300f", ""),
    }
)
"""The marks of other scripts as those of ASCII; what quotes a word, or begins a question in Spanish, goes."""
_THOUSANDS = re.compile(r"[\u00a0\u2009\u202f](?<=\d.)(?=\d{3}(?!\d))")
"""A space that does not break, between thousands."""
_HEAD = 48
"""Characters by which most texts are told apart."""
_NO_LETTERS = {
    **{ord(letter): letter for letter in string.ascii_lowercase},  # what a table lacks costs `translate` an exception
    **dict.fromkeys(
        [
            *map(ord, string.punctuation + string.digits),
            *_QUOTES,
            0x2026,
            *filter(lambda code: chr(code).isspace(), range(0x3001)),
        ]
    ),
}
"""All in which two texts can differ and still be the same answer, apart from case, goes; letters stay."""


class Answers:
    """Texts as answers; their forms are made only for those that have the same letters, which is cheap to compare."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        # necessary conditions that `translate` tests: most texts of a pair differ in how they begin, and need no form
        self._heads = [_letters(_head(text)) for text in texts]
        self._letters: dict[int, str] = {}
        self._forms: dict[int, str] = {}

    def same(self, i: int, j: int) -> bool:
        """Whether two texts are the same answer, and say anything."""
        one, other = self._heads[i], self._heads[j]
        if not one.startswith(other) and not other.startswith(one):
            return False
        return self._all_letters(i) == self._all_letters(j) and self._form(i) == self._form(j) != ""

    def numbers(self, i: int, j: int) -> bool:
        """Whether both are numbers."""
        if self._heads[i] or self._heads[j]:
            return False
        return self._all_letters(i) == self._all_letters(j) == "" and all(
            _VALUE.fullmatch(self._form(at)) for at in (i, j)
        )

    def _all_letters(self, place: int) -> str:
        if place not in self._letters:
            self._letters[place] = _letters(self._texts[place])
        return self._letters[place]

    def _form(self, place: int) -> str:
        if place not in self._forms:
            self._forms[place] = answer_form(self._texts[place])
        return self._forms[place]


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


def is_same_answer(one: str, other: str) -> bool:
    """Whether two texts say the same, and differ at most in how it is written, in any script.

    What makes no difference is that of `answer_form`, by which agreement is measured, and the like of it elsewhere:
    東京。 is 東京, „Oslo“ is Oslo. False for two texts of white space alone.
    """
    heads = [_letters(_with_ascii_marks(_head(text))) for text in (one, other)]
    if not heads[0].startswith(heads[1]) and not heads[1].startswith(heads[0]):
        return False
    return Answers([_with_ascii_marks(one), _with_ascii_marks(other)]).same(0, 1)


def _with_ascii_marks(text: str) -> str:
    if text.isascii():
        return text
    return _THOUSANDS.sub("", unicodedata.normalize("NFC", text).translate(_MARKS))


def _head(text: str) -> str:
    """How a text begins, up to a space: nothing that follows one changes how a character is composed or lower-cased."""
    return text if len(text) <= _HEAD else text[:_HEAD].rpartition(" ")[0]


def _letters(text: str) -> str:
    return text.lower().translate(_NO_LETTERS)


def _number(match: re.Match[str]) -> str:
    """A number without what makes no difference."""
    sign, whole, decimals = match.groups()
    decimals = (decimals or "").rstrip("0")
    value = (whole.replace(",", "") or "0") + (f".{decimals}" if decimals else "")
    return f"-{value}" if sign == "-" and value.strip("0.") else value


def source_of(instruction: str, task_input: str) -> str:
    """What an output must not just repeat: the input, or the instruction where there is no input."""
    return task_input if task_input.strip() else instruction
