"""What outputs say: their content words, how much each weighs, and how much of them other outputs say too."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from ensemble_instruct.rouge import word_tokens

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


@dataclass(frozen=True, slots=True)
class Content:
    """What one output says: its words, stemmed, without function words."""

    words: frozenset[str]
    first: frozenset[str] = frozenset()
    """Those of its first half and of the task."""
    second: frozenset[str] = frozenset()
    """Those of its second half; empty where the output is too short to have one."""


@dataclass(frozen=True, slots=True)
class WordWeights:
    """How much each word says, by in how many rows of a run any voter has it (inverse document frequency)."""

    rows: int = 0
    frequency: Mapping[str, int] = field(default_factory=dict)
    """In how many of the rows a word is. Without rows all words weigh the same."""

    def weight(self, word: str) -> int:
        """What a word weighs, in units of 1/4096."""
        return round(_UNITS * (math.log((1 + self.rows) / (1 + self.frequency.get(word, 0))) + 0.5))

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


@dataclass(frozen=True, slots=True)
class SharedWords:
    """How much the outputs of one row say, and say together.

    `weights` has for each set of places (as bits: 1 the first output, 2 the second, 3 both, …) the weight of the words
    that just those outputs have.
    """

    weights: Mapping[int, float]

    def of(self, place: int) -> float:
        """The weight of all that an output says."""
        return sum(weight for places, weight in self.weights.items() if places >> place & 1)

    def vouched(self, place: int, others: int) -> float:
        """The weight of what an output says and at least one of the others, whose places are bits, says too."""
        others &= ~(1 << place)
        return sum(weight for places, weight in self.weights.items() if places >> place & 1 and places & others)

    def share(self, place: int, other: int) -> float:
        """The share of what the other output says that this one says too; 0 where it says nothing."""
        both = 1 << place | 1 << other
        shared = sum(weight for places, weight in self.weights.items() if places & both == both)
        return shared / self.of(other) if shared else 0.0


def shared_words(contents: Sequence[Content], task: Collection[str], weights: WordWeights) -> SharedWords:
    """What the outputs of a row say together; words of the task count for a quarter."""
    by_places: dict[int, float] = {}
    for word, places in places_of_words(contents).items():
        weight = weights.weight(word)
        by_places[places] = by_places.get(places, 0) + weight_in_task(weight, is_of_task=word in task)
    return SharedWords(by_places)


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


def content_of(tokens: Sequence[str], task: frozenset[str]) -> Content:
    """What an output with these tokens (`word_tokens`, stemmed) says; `task` has the content words of the task."""
    words = content_words(tokens)
    if len(tokens) < _LONG_ENOUGH:
        return Content(words)
    half = len(tokens) // 2
    return Content(words, content_words(tokens[:half]) | task, content_words(tokens[half:]))


def content_words(tokens: Sequence[str]) -> frozenset[str]:
    """The distinct tokens without function words; all of them where nothing else is left."""
    words = frozenset(tokens)
    return (words - function_words()) or words


@cache
def function_words() -> frozenset[str]:
    """The function words of English, and their stems."""
    return frozenset([*_FUNCTION_WORDS.split(), *word_tokens(_FUNCTION_WORDS, stem=True)])
