"""Which texts share a run of words with a text: exact, in flat arrays.

A run of n words is found by a 64-bit hash of the numbers of its words; then the words themselves are compared, so a
collision of two hashes is never taken for a hit.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]
_UNKNOWN = 2**32 - 1
"""The number of a word that no text of the index has."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True, slots=True)
class Shared:
    """A run of words that a text shares with one of the index."""

    start: int
    """Place of its first word in the text that was asked about."""
    length: int
    text: int
    """Number of the earliest text of the index that has it."""


@dataclass(frozen=True, slots=True)
class _Table:
    """The different runs of one length, by their hashes in ascending order."""

    hashes: Hashes
    places: npt.NDArray[np.int64]
    """Of equal hashes the run that stands first in the index comes first."""


class NgramIndex:
    """The runs of `size` words of some texts, by the order of the texts.

    A text that is shorter, but has at least `shortest` words, is one run of its own length; still shorter ones have
    none, so that a few common words are no hit.
    """

    def __init__(self, texts: Iterable[Sequence[str]], size: int = 13, shortest: int = 8) -> None:
        self._numbers: dict[str, int] = {}
        self._size = size
        self._tokens, self._ends = self._taken_in(texts)
        lengths = np.diff(self._ends, prepend=0)
        starts = self._ends - lengths
        self._tables = {
            length: self._table(starts[lengths == length], length)
            for length in range(shortest, size)
            if (lengths == length).any()
        }
        if (lengths >= size).any():
            self._tables[size] = self._table(_starts_of_runs(starts, lengths, size), size)
        self._fewest = min(self._tables, default=0)

    def first(self, tokens: Sequence[str]) -> Shared | None:
        """The earliest run of a text that a text of the index shares; of those that start together the longest."""
        if not self._fewest or len(tokens) < self._fewest:
            return None
        known = self._numbers.get
        ids = np.array([known(token, _UNKNOWN) for token in tokens], dtype=np.uint32)
        found = [run for length, table in self._tables.items() if (run := self._first(table, ids, length))]
        return min(found, key=lambda run: (run.start, -run.length), default=None)

    def _first(self, table: _Table, ids: Ids, length: int) -> Shared | None:
        if len(ids) < length:
            return None
        hashes = _hashes(ids, length)
        at = np.searchsorted(table.hashes, hashes)
        at[at == len(table.hashes)] = 0
        for start in np.flatnonzero(table.hashes[at] == hashes).tolist():
            run, entry = ids[start : start + length], int(at[start])
            while entry < len(table.hashes) and table.hashes[entry] == hashes[start]:
                place = int(table.places[entry])
                if np.array_equal(self._tokens[place : place + length], run):
                    return Shared(start, length, int(np.searchsorted(self._ends, place, side="right")))
                entry += 1
        return None

    def _taken_in(self, texts: Iterable[Sequence[str]]) -> tuple[Ids, npt.NDArray[np.int64]]:
        """The numbers of all words of all texts, one after the other, and where each text ends."""
        tokens, ends = array("I"), array("q")
        number_of = self._numbers.setdefault
        for text in texts:
            tokens.extend([number_of(token, len(self._numbers)) for token in text])
            ends.append(len(tokens))
        return np.frombuffer(tokens, dtype=np.uint32), np.frombuffer(ends, dtype=np.int64)

    def _table(self, places: npt.NDArray[np.int64], length: int) -> _Table:
        """The different runs that start at these places, which ascend."""
        hashes = _hashes(self._tokens, length)[places]
        order = np.argsort(hashes, kind="stable")
        hashes, places = hashes[order], places[order]
        again = np.flatnonzero(hashes[1:] == hashes[:-1]) + 1
        for offset in range(length):
            same = self._tokens[places[again] + offset] == self._tokens[places[again - 1] + offset]
            again = again[same]
        keep = np.ones(len(places), dtype=np.bool_)
        keep[again] = False
        return _Table(hashes[keep], places[keep])


def _starts_of_runs(starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """Where a run of so many words starts that ends in the same text."""
    long = lengths >= size
    counts = lengths[long] - size + 1
    before = np.cumsum(counts) - counts
    return np.repeat(starts[long] - before, counts) + np.arange(counts.sum())


def _hashes(ids: Ids, length: int) -> Hashes:
    """A hash of each run of so many words."""
    mixed = ids.astype(np.uint64) + np.uint64(1)
    for shift, factor in zip((np.uint64(30), np.uint64(27)), _MIX, strict=True):
        mixed ^= mixed >> shift
        mixed *= factor
    count = len(ids) - length + 1
    hashes = np.zeros(max(0, count), dtype=np.uint64)
    for offset in range(length):
        hashes *= _FACTOR
        hashes += mixed[offset : offset + count]
    return hashes
