"""What outputs say: their content words, how much each weighs, and how much of them other outputs say too."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby, pairwise
from typing import NamedTuple

from ensemble_instruct.rouge import is_unspaced, word_tokens

_FUNCTION_WORDS = """
    a about above after again against all also am an and any are as at be because been before being below between both
    but by can cannot could d did do does doing don down during each etc even few for from further had has have having
    he her here hers herself him himself his how however i if in into is it its itself just let ll m may me might more
    most much must my myself no nor not now of off on once one only or other our ours ourselves out over own per re s
    same shall she should so some such t than that the their theirs them themselves then there therefore these they
    this those through thus to too under until up upon us use using ve very was we were what when where whether which
    while who whom whose why will with within without would yes you your yours yourself yourselves
"""
"""Of English, which say little by themselves. In other languages they weigh little because they are in most rows."""
_OF_THE_TASK = 0.25
"""What a word weighs that the task itself has, for each of its own: repeating the task is no answer."""
_UNITS = 4096
"""Parts of a weight. Weights are whole numbers: so sums of them are the same in any order of the words."""
_LONG_ENOUGH = 10
"""Words from which on an output has two halves to compare."""
_MOST_WORDS = 2**16
"""Whose weights are remembered."""

Shares = tuple[tuple[float, ...], ...]
"""A share for each pair of outputs of a row, 0 on the diagonal."""


class Content(NamedTuple):
    """What one output says: its words, stemmed, without function words."""

    words: frozenset[str]
    tokens: Sequence[str] = ()
    """All of its words, in their order."""
    distinct: int = 0
    """How many different ones these are."""

    def halves(self, task: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """The words of its first half and of the task, and those of its second half: none where it is short."""
        if len(self.tokens) < _LONG_ENOUGH:
            return task, frozenset()
        half = len(self.tokens) // 2
        return content_words(self.tokens[:half]) | task, content_words(self.tokens[half:])


class _Weights(dict[str, int]):
    """What each word weighs, worked out when it is first asked for: most words of a run never are."""

    def __init__(self, rows: int, frequency: Mapping[str, int]) -> None:
        self._rows, self._frequency = rows, frequency
        self._by_number: dict[int, int] = {}

    def __missing__(self, word: str) -> int:
        number = self._frequency.get(word, 0)
        if number not in self._by_number:  # one object for all words as frequent: they stay in the processor's cache
            self._by_number[number] = round(_UNITS * (math.log((1 + self._rows) / (1 + number)) + 0.5))
        weight = self._by_number[number]
        if len(self) < _MOST_WORDS:  # the words of a million rows are too many
            self[word] = weight
        return weight


@dataclass(frozen=True, slots=True)
class WordWeights:
    """How much each word says, by in how many rows of a run any voter has it (inverse document frequency)."""

    rows: int = 0
    frequency: Mapping[str, int] = field(default_factory=dict)
    """In how many of the rows a word is. Without rows all words weigh the same."""
    _weights: _Weights = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_weights", _Weights(self.rows, self.frequency))

    def weight(self, word: str) -> int:
        """What a word weighs, in units of 1/4096."""
        return self._weights[word]

    def total(self, words: frozenset[str], of_task: frozenset[str]) -> float:
        """What some words weigh together in a row whose task has those of them.

        Exact, as weights are whole numbers: the order of the words makes no difference.
        """
        weight = self._weights.__getitem__
        total: float = sum(map(weight, words))
        return total - (1 - _OF_THE_TASK) * sum(map(weight, of_task)) if of_task else total

    def chance(self, word: str) -> float:
        """How likely another row has a word that this one has."""
        return max(0, self.frequency.get(word, 0) - 1) / max(1, self.rows - 1)

    @classmethod
    def of(cls, rows: Iterable[Sequence[Content]]) -> WordWeights:
        """The weights that the outputs of some rows give."""
        frequency: Counter[str] = Counter()
        number = 0
        for contents in rows:
            frequency.update(frozenset[str]().union(*(content.words for content in contents)))
            number += 1
        return cls(number, frequency)


def shared_words(contents: Sequence[Content], task: frozenset[str], weights: WordWeights) -> Shares:
    """For each output of a row and each other one the share of what the other says that the first says too.

    By weight; words of the task count for a quarter. An output that says nothing has nothing to share.
    """
    words, total = [content.words for content in contents], weights.total
    own: list[float] = []
    matrix = [[0.0] * len(words) for _ in words]
    for i, one in enumerate(words):
        of_task = one & task
        own.append(total(one, of_task))
        for j in range(i):
            if (both := one & words[j]) and (shared := total(both, of_task & both if of_task else of_task)):
                matrix[i][j], matrix[j][i] = shared / own[j], shared / own[i]
    return tuple(map(tuple, matrix))


def weight_in_task(weight: float, *, is_of_task: bool) -> float:
    """What a word of that weight weighs in a row whose task has it or not."""
    return weight * _OF_THE_TASK if is_of_task else weight


def places_of_words(contents: Sequence[Content]) -> dict[str, int]:
    """For each word of some outputs the places of those that have it, as bits."""
    places: dict[str, int] = {}
    for place, content in enumerate(contents):
        for word in content.words:
            places[word] = places.get(word, 0) | 1 << place
    return places


def content_of(tokens: Sequence[str], *, is_ascii: bool = False) -> Content:
    """What an output with these tokens (`word_tokens`, stemmed) says; see `content_words`.

    `is_ascii`: whether it is known that none is of a script without spaces.
    """
    distinct = frozenset(tokens)
    words = _without_function_words(distinct) if is_ascii else content_words(tokens)
    return Content(words, tokens, len(distinct))


def content_words(tokens: Sequence[str]) -> frozenset[str]:
    """The distinct tokens without function words; all of them where nothing else is left.

    Of a script without spaces, whose characters are tokens, each two in a row are a word: one alone says little, and
    long texts on whatever topic share most of them.
    """
    return _without_function_words(frozenset(tokens if "".join(tokens).isascii() else _in_pairs(tokens)))


def _without_function_words(words: frozenset[str]) -> frozenset[str]:
    return words - function_words() or words


def length_of(tokens: Sequence[str]) -> float:
    """How many words some tokens are; two characters of a script without spaces are about one."""
    return sum(0.5 if is_unspaced(token) else 1.0 for token in tokens)


def _in_pairs(tokens: Sequence[str]) -> list[str]:
    words: list[str] = []
    for is_character, group in groupby(tokens, is_unspaced):
        run = list(group)
        words += map("".join, pairwise(run)) if is_character and len(run) > 1 else run
    return words


@cache
def function_words() -> frozenset[str]:
    """The function words of English, and their stems."""
    return frozenset([*_FUNCTION_WORDS.split(), *word_tokens(_FUNCTION_WORDS, stem=True)])
