"""What a text quotes, in code or between quotation marks: a tag or a token there is no tag of the text itself."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

_MARK = re.compile(
    r"^[ \t>]*(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)?(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)$|(?P<ticks>`+)|\n", re.MULTILINE
)
"""A fence on a line of its own, a run of backticks, or the end of a line."""
_QUOTES = {"`": "`", '"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb", "\u300c": "\u300d"}
"""What closes each quotation mark."""


def stands_in_quotes(text: str, begin: int, end: int) -> bool:
    """Whether quotation marks or backticks stand directly before and after a piece of a text."""
    return begin > 0 and end < len(text) and _QUOTES.get(text[begin - 1]) == text[end]


class _Code(NamedTuple):
    begin: int
    end: int
    fence: str
    """Empty where it is a span within a line."""


class Quoted:
    """The code of a text, from a place on: spans within a line, and blocks whose fence is closed."""

    def __init__(self, text: str, begin: int = 0) -> None:
        self._text = text
        self._code: list[_Code] = []
        self._fences: list[tuple[int, str]] = []
        self._alike: dict[str, list[int]] = {}
        """By fence, where all that could open or close its block stand."""
        open_fence, opened, kept = "", 0, 0
        ticks: list[tuple[int, int]] = []
        for mark in _MARK.finditer(text, begin):
            if mark["ticks"]:
                ticks.append(mark.span())
                continue
            if ticks:
                self._code += _within_line(ticks)
                ticks = []
            if not (fence := mark["fence"]):
                continue
            self._fences.append((mark.start(), fence))
            if not open_fence:
                open_fence, opened, kept = fence, mark.start(), len(self._code)
            elif fence.startswith(open_fence) and not mark["info"].strip():
                self._code[kept:] = [_Code(opened, mark.end(), open_fence)]
                open_fence = ""
        self._code += _within_line(ticks)

    def holds(self, begin: int, end: int) -> bool:
        """Whether a piece of the text lies in code, or stands alone between quotation marks.

        Where the fences after it pair off among themselves, an earlier one was left open, and it lies in no block.
        """
        if stands_in_quotes(self._text, begin, end):
            return True
        place = bisect_right(self._code, begin, key=lambda code: code.begin)
        if not place or end > self._code[place - 1].end:
            return False
        fence = self._code[place - 1].fence
        if not fence:
            return True
        if fence not in self._alike:
            self._alike[fence] = [place for place, other in self._fences if other.startswith(fence)]
        after = self._alike[fence]
        return (len(after) - bisect_right(after, begin)) % 2 == 1


def _within_line(ticks: Sequence[tuple[int, int]]) -> list[_Code]:
    """Each run of backticks with the next run of its length."""
    partners: list[int | None] = [None] * len(ticks)
    last: dict[int, int] = {}
    for number in reversed(range(len(ticks))):
        length = ticks[number][1] - ticks[number][0]
        partners[number] = last.get(length)
        last[length] = number
    spans, number = [], 0
    while number < len(ticks):
        partner = partners[number]
        if partner is not None:
            spans.append(_Code(ticks[number][0], ticks[partner][1], ""))
            number = partner
        number += 1
    return spans
