"""Sums over the rows of a run, from which all that is learned of its voters follows without the rows."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import fmean

from ensemble_instruct.agreement.ballots import Ballot
from ensemble_instruct.agreement.content import WordWeights, places_of_words, weight_in_task

_LONG_ENOUGH = 8
"""Distinct words, that the task does not have, from which on two outputs can be a copy of each other.

Right answers that are shorter, or that put words of the task in order, are often the same.
"""
_FEWEST_PAIRS = 10
"""Rows with two such outputs, below which nobody is told to be a copy."""
_FEWEST_HALVES = 5
"""Outputs with two halves, below which it is not known whether a voter runs on."""

Pair = tuple[int, int]
Weights = defaultdict[int, float]
"""The weight of words by who has them, as bits."""
Halves = tuple[frozenset[str], frozenset[str]]
"""The words of an output's first half and of its task, and of its second half."""
Pattern = tuple[int, int]
"""Who has an output in a row, and who of them a long one, as bits."""


@dataclass(frozen=True, slots=True)
class VotedRow:
    """The outputs of one row, and who gave them."""

    voters: tuple[str, ...]
    ballot: Ballot


@dataclass(slots=True)
class Tallies:
    """What the outputs of some rows weigh, by who says it; voters are numbers, in the order of their names."""

    names: tuple[str, ...]
    words: WordWeights
    by_pattern: dict[Pattern, Weights] = field(default_factory=dict)
    """For each pattern the weight of words by the voters that have them (as bits), over its rows."""
    by_presence: dict[int, Weights] = field(default_factory=dict)
    """The same whatever the length of the outputs."""
    rows: Counter[Pattern] = field(default_factory=Counter)
    spoken: list[tuple[dict[str, int], Collection[str]]] = field(default_factory=list)
    """For each row the words with the voters that have them, and the words of the task."""

    def vouched(self, kept: Sequence[int], kinship: Mapping[Pair, float]) -> dict[int, float]:
        """For each voter the weight of what it says and another kept one says too.

        What only relatives vouch for counts as much as they do (`kinship`, 1 for strangers).
        """
        return {voter: own for voter, (own, _) in self._vouched(kept, kinship).items()}

    def strengths(self, kept: Sequence[int], kinship: Mapping[Pair, float]) -> dict[int, float]:
        """The same for each voter as a share of what the kept voters have on average in the rows in which it speaks."""
        return {voter: own / usual if usual else 0.0 for voter, (own, usual) in self._vouched(kept, kinship).items()}

    def _vouched(self, kept: Sequence[int], kinship: Mapping[Pair, float]) -> dict[int, tuple[float, float]]:
        terms: dict[int, list[tuple[float, float]]] = {voter: [] for voter in range(len(self.names))}
        for present, weights in self.by_presence.items():
            here = {voter: _vouched(weights, voter, kept, kinship) for voter in terms if present >> voter & 1}
            mean = fmean([here[voter] for voter in kept if voter in here] or [0.0])
            for voter, weight in here.items():
                terms[voter].append((weight, mean))
        # exact sums, here and below: neither the order of rows nor that of the words in a set makes a difference
        return {
            voter: (math.fsum(own for own, _ in each), math.fsum(mean for _, mean in each))
            for voter, each in terms.items()
        }

    def outputs(self, voter: int) -> int:
        """In how many rows a voter has an output."""
        return sum(number for (present, _), number in self.rows.items() if present >> voter & 1)

    def own(self, voter: int) -> float:
        """The weight of all that a voter says."""
        return sum(
            weight for weights in self.by_presence.values() for who, weight in weights.items() if who >> voter & 1
        )

    def lacking(self, voter: int, other: int) -> float | None:
        """The share of what the other says that a voter does not, in rows where both say much; None if they are few."""
        both = 1 << voter | 1 << other
        shared = said = number = 0.0
        for (_, long), weights in self.by_pattern.items():
            if long & both == both:
                number += self.rows[_, long]
                shared += sum(weight for who, weight in weights.items() if who & both == both)
                said += sum(weight for who, weight in weights.items() if who >> other & 1)
        return 1 - shared / said if number >= _FEWEST_PAIRS and said else None

    def by_chance(self, kept: Sequence[int]) -> dict[int, float]:
        """For each kept voter the weight of what it would share by chance with the others' outputs to other tasks."""
        everybody = sum(1 << voter for voter in kept)
        frequency = Counter(word for spoken, _ in self.spoken for word, who in spoken.items() if who & everybody)
        chances = WordWeights(self.words.rows, frequency)
        weights = {word: self.words.weight(word) * chances.chance(word) for word in frequency}
        terms: defaultdict[int, list[float]] = defaultdict(list)
        for spoken, task in self.spoken:
            for word, who in spoken.items():
                if who & everybody:
                    terms[who].append(weight_in_task(weights[word], is_of_task=word in task))
        totals = {who: math.fsum(own) for who, own in terms.items()}
        return {voter: math.fsum(weight for who, weight in totals.items() if who >> voter & 1) for voter in kept}


def _vouched(weights: Mapping[int, float], voter: int, kept: Sequence[int], kinship: Mapping[Pair, float]) -> float:
    others = [(1 << other, kinship.get((voter, other), 1.0)) for other in kept if other != voter]
    others.sort(key=lambda other: -other[1])  # the first that has the word is the one that counts most
    return math.fsum(
        weight * next((share for bit, share in others if who & bit), 0.0)
        for who, weight in weights.items()
        if who >> voter & 1
    )


def tallies_of(rows: Sequence[VotedRow]) -> Tallies:
    """The sums over some rows."""
    names = tuple(sorted({name for row in rows for name in row.voters}))
    places = {name: place for place, name in enumerate(names)}
    words = WordWeights.of(row.ballot.contents for row in rows)
    tallies = Tallies(names, words)
    for row in rows:
        bits = tuple(1 << places[name] for name in row.voters)
        own = (len(content.words - row.ballot.task) for content in row.ballot.contents)
        long = sum(bit for bit, number in zip(bits, own, strict=True) if number >= _LONG_ENOUGH)
        pattern = sum(bits), long
        weights = tallies.by_pattern.setdefault(pattern, defaultdict(float))
        spoken = {word: _moved(who, bits) for word, who in places_of_words(row.ballot.contents).items()}
        for word, who in spoken.items():
            weights[who] += weight_in_task(words.weight(word), is_of_task=word in row.ballot.task)
        tallies.by_presence.setdefault(sum(bits), defaultdict(float))
        tallies.rows[pattern] += 1
        tallies.spoken.append((spoken, row.ballot.task))
    for (present, _), weights in tallies.by_pattern.items():
        for who, weight in weights.items():
            tallies.by_presence[present][who] += weight
    return tallies


@lru_cache(maxsize=2**12)
def _moved(places: int, bits: tuple[int, ...]) -> int:
    """The places of a row as those of all voters; remembered, as most rows have the same voters."""
    return sum(bit for place, bit in enumerate(bits) if places >> place & 1)


def coherence_of(halves: Sequence[Halves]) -> float | None:
    """How much the second halves of a voter's outputs speak of what their first halves and tasks do, less by chance.

    The mean over the outputs that are long enough; None where they are too few. By chance: what the second half of one
    shares with the first half of another.
    """
    frequency = Counter(word for first, _ in halves for word in first)
    others = max(1, len(halves) - 1)
    shares = [
        math.fsum((word in first) - (frequency[word] - (word in first)) / others for word in second) / len(second)
        for first, second in halves
        if second
    ]
    return fmean(shares) if len(shares) >= _FEWEST_HALVES else None


def coherence_of_voters(rows: Sequence[VotedRow]) -> dict[str, float | None]:
    """The same for each voter of some rows."""
    halves: dict[str, list[Halves]] = {}
    for row in rows:
        for name, content in zip(row.voters, row.ballot.contents, strict=True):
            halves.setdefault(name, []).append(content.halves(row.ballot.task))
    return {name: coherence_of(own) for name, own in halves.items()}
