"""Counting for the report: histograms with round edges, texts as they are shown, and steps of time that are round."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from ensemble_instruct.rouge import word_count, word_tokens

_ROUND = (1, 2, 3, 4, 5, 10, 15, 20, 25, 30, 40, 50)
"""Round widths of a bar, times a power of ten."""
_SECONDS = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
)  # fmt: skip
"""Round times."""
_BARS = 24
"""About how many bars a histogram of lengths has."""
_COUNTED_WHOLE = 4000
"""Words beyond ASCII are slow to count: those of a text with more characters than that are estimated."""
_PLAIN = re.compile("[A-Za-z0-9]+")
"""A word of ASCII, as ROUGE splits texts."""
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufdd0-\ufdef\ufffe\uffff]"
)
"""Characters that are not seen, or that turn what follows."""
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character: it has no place in UTF-8."""


@dataclass(frozen=True, slots=True, order=True)
class ShownText:
    """A text as far as it is shown."""

    text: str
    characters: int
    """Length of the whole text."""

    @property
    def is_cut(self) -> bool:
        """Whether there is more of it."""
        return self.characters > len(self.text)


def shortened(text: str, most: int, lines: int) -> ShownText:
    """The first characters of a text, at most `most` in at most `lines` lines, and how many it has in all."""
    return ShownText("\n".join(text[:most].split("\n", lines)[:lines]), len(text))


def visible(text: str) -> str:
    """The text with a mark in place of each character that would be invisible, or that would turn what follows."""
    return _CONTROL.sub(_mark, _SURROGATE.sub("\ufffd", text.replace("\r\n", "\n")))


def _mark(match: re.Match[str]) -> str:
    return f"[U+{ord(match[0]):04X}]"


@dataclass(frozen=True, slots=True)
class Series:
    """Counts between edges; those beyond the last edge are in the last count."""

    counts: tuple[int, ...]
    mean: float | None
    median: float | None

    @property
    def total(self) -> int:
        """How many values there were."""
        return sum(self.counts)


def series(values: Sequence[float], edges: Sequence[float], *, upper: bool = False) -> Series:
    """How many values lie between each two edges; one on an edge counts above it, with `upper` below."""
    counts = [0] * (len(edges) - 1)
    bisect = bisect_left if upper else bisect_right
    for value in values:
        counts[max(0, min(len(counts) - 1, bisect(edges, value) - 1))] += 1
    return Series(tuple(counts), fmean(values) if values else None, median(values) if values else None)


def word_edges(values: Sequence[int]) -> tuple[float, ...]:
    """Round edges under which almost all values lie."""
    ordered = sorted(values)
    high = ordered[int(0.98 * (len(ordered) - 1))] + 1 if ordered else 1
    return tuple(number * _round_up(high / _BARS) for number in range(max(2, _pieces(high)) + 1))


def _pieces(high: int) -> int:
    return math.ceil(high / _round_up(high / _BARS))


def _round_up(value: float) -> int:
    scale = 1
    while value > _ROUND[-1] * scale:
        scale *= 10
    return next(step for step in _ROUND if step * scale >= value) * scale


def unit_edges(pieces: int) -> tuple[float, ...]:
    """Edges that cut 0 to 1 into equal pieces."""
    return tuple(number / pieces for number in range(pieces + 1))


def round_seconds(least: float) -> float:
    """The shortest round time that is not below `least`."""
    return next((step for step in _SECONDS if step >= least), math.ceil(least / 86_400) * 86_400.0)


def words_in(text: str) -> int:
    """`word_count`; of a long text in another script that of its beginning, for its whole length."""
    if len(text) <= _COUNTED_WHOLE or text.isascii():
        return word_count(text)
    parts = text.split()
    plain = sum(len(_PLAIN.findall(part)) for part in parts if part.isascii())
    others = " ".join(part for part in parts if not part.isascii())
    return plain + round(len(word_tokens(others[:_COUNTED_WHOLE])) * max(1.0, len(others) / _COUNTED_WHOLE))
