"""Which texts share a run of words with a text: exact, in flat arrays.

A run of n words is found by a rolling 64-bit hash of the numbers of its words (Rabin-Karp); a Bloom filter spares most
texts the look-up. Then the words themselves are compared, so a collision of two hashes is never taken for a hit.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint32]
"""Words, by their numbers in the index."""
Hashes = npt.NDArray[np.uint64]
"""Hashes of words, or of runs of words."""
Places = npt.NDArray[np.int64]
"""Where in all words, one after the other, something is."""
_UNKNOWN = 2**32 - 1
"""The number of a word that no text of the index has."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""The base of the rolling hash: 2**64 divided by the golden ratio, odd, so that no bit is lost."""
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
"""The factors of SplitMix64's finaliser."""
_THREE = np.uint64(3)
"""The number of a bit without its last three bits is that of its byte."""
_SEVEN = np.uint64(7)
"""The last three bits of its number are its place in the byte."""
_BIT = np.left_shift(1, np.arange(8)).astype(np.uint8)
"""The bytes with one bit set, by its place."""
_BITS_OF_ONE = 32
"""Bits of the Bloom filter for each run."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A run of words that a text shares with one of the index."""

    start: int
    """Place of its first word in the text that was looked up."""
    length: int
    """Words of the run."""
    text: int
    """Number of the earliest text of the index that has it, or in which it begins."""


@dataclass(frozen=True, slots=True)
class _Table:
    """The different runs of one length, by their hashes in ascending order."""

    hashes: Hashes
    places: Places
    """Where each run starts; of equal hashes the run that is first in the index comes first."""


class NgramIndex:
    """The runs of `size` words of some passages of texts, by the order of the texts.

    Within a passage a run may go on from one text into the next. A text that is shorter, but has at least `shortest`
    words, is one run of its own length; still shorter ones have no run, so that a few common words are no hit.
    """

    def __init__(self, passages: Iterable[Iterable[Sequence[str]]], size: int = 13, shortest: int = 8) -> None:
        self._numbers: dict[str, int] = {}
        self._size, self._shortest = size, shortest
        self._tokens, self._ends, ends = self._taken_in(passages)
        starts, lengths = _spans(self._ends)
        places = {length: starts[lengths == length] for length in range(shortest, size)}
        places[size] = _starts_of_runs(*_spans(ends), size)
        self._tables = {length: self._table(at, length) for length, at in places.items() if len(at)}
        self._beginnings = _BloomFilter(_hashes(_mixed(self._tokens), shortest)[np.concatenate(list(places.values()))])

    def first(self, tokens: Sequence[str]) -> Shared | None:
        """The earliest run of a text that a text of the index shares; of those that start together the longest.

        A run is looked up only where the Bloom filter says that its first `shortest` words may be those of one.
        """
        if len(tokens) < self._shortest or not self._tables:
            return None
        known = self._numbers.get
        ids = np.array([known(token, _UNKNOWN) for token in tokens], dtype=np.uint32)
        mixed = _mixed(ids)
        hashes = _hashes(mixed, self._shortest)
        starts = self._beginnings.passing(hashes)
        if not len(starts):
            return None
        hashes, earliest = hashes[starts], None
        for length in range(self._shortest, self._size + 1):
            if length > self._shortest:
                fits = starts + length <= len(ids)
                starts = starts[fits]
                hashes = hashes[fits] * _FACTOR + mixed[starts + (length - 1)]  # rolling: one word more
            run = self._looked_up(ids, starts, hashes, length)
            if run is not None and (earliest is None or run.start <= earliest.start):
                earliest = run
        return earliest

    def _looked_up(self, ids: Ids, starts: Places, hashes: Hashes, length: int) -> Shared | None:
        """The first of the runs of one length that the index has."""
        table = self._tables.get(length)
        if table is None or not len(starts):
            return None
        at = np.searchsorted(table.hashes, hashes)
        at[at == len(table.hashes)] = 0
        for number in np.flatnonzero(table.hashes[at] == hashes).tolist():
            start, entry = int(starts[number]), int(at[number])
            while entry < len(table.hashes) and table.hashes[entry] == hashes[number]:
                place = int(table.places[entry])
                if np.array_equal(self._tokens[place : place + length], ids[start : start + length]):
                    return Shared(start, length, int(np.searchsorted(self._ends, place, side="right")))
                entry += 1
        return None

    def _taken_in(self, passages: Iterable[Iterable[Sequence[str]]]) -> tuple[Ids, Places, Places]:
        """The numbers of all words, one after the other, and where each text and each passage ends."""
        tokens, text_ends, ends = array("I"), array("q"), array("q")
        number_of = self._numbers.setdefault
        for passage in passages:
            for text in passage:
                tokens.extend([number_of(token, len(self._numbers)) for token in text])
                text_ends.append(len(tokens))
            ends.append(len(tokens))
        return (
            np.frombuffer(tokens, dtype=np.uint32),
            np.frombuffer(text_ends, dtype=np.int64),
            np.frombuffer(ends, dtype=np.int64),
        )

    def _table(self, places: Places, length: int) -> _Table:
        """The different runs that start at these places, which ascend."""
        hashes = _hashes(_mixed(self._tokens), length)[places]
        order = np.argsort(hashes, kind="stable")
        hashes, places = hashes[order], places[order]
        # Neighbours of one hash are the same run only if all their words are: the next lines narrow them down.
        again = np.flatnonzero(hashes[1:] == hashes[:-1]) + 1
        for offset in range(length):
            same = self._tokens[places[again] + offset] == self._tokens[places[again - 1] + offset]
            again = again[same]
        keep = np.ones(len(places), dtype=np.bool_)
        keep[again] = False
        return _Table(hashes[keep], places[keep])


class _BloomFilter:
    """A Bloom filter with one hash function: a bit for each hash. It may pass what is not there, and misses nothing."""

    def __init__(self, hashes: Hashes) -> None:
        exponent = max(10, (_BITS_OF_ONE * len(hashes) - 1).bit_length())
        self._shift = np.uint64(64 - exponent)
        self._bits = np.zeros(2 ** (exponent - 3), dtype=np.uint8)
        at = hashes >> self._shift
        np.bitwise_or.at(self._bits, at >> _THREE, _bit_of(at))

    def passing(self, hashes: Hashes) -> Places:
        """The places of the hashes that may be there."""
        at = hashes >> self._shift
        return np.flatnonzero(self._bits[at >> _THREE] & _bit_of(at))


def _bit_of(at: Hashes) -> npt.NDArray[np.uint8]:
    bits: npt.NDArray[np.uint8] = _BIT[at & _SEVEN]
    return bits


def _spans(ends: Places) -> tuple[Places, Places]:
    """Where each part starts, and how long it is, from where each ends."""
    lengths = np.diff(ends, prepend=0)
    return ends - lengths, lengths


def _starts_of_runs(starts: Places, lengths: Places, size: int) -> Places:
    """All places where a run of `size` words starts that ends in the same part."""
    long = lengths >= size
    counts = lengths[long] - size + 1
    before = np.cumsum(counts) - counts
    # All ranges at once: one `arange` over them, less what was counted before each.
    return np.repeat(starts[long] - before, counts) + np.arange(counts.sum())


def _mixed(ids: Ids) -> Hashes:
    """A number of 64 bits for each word, in which all bits depend on all bits of the word's: SplitMix64."""
    mixed = ids.astype(np.uint64) + np.uint64(1)
    for shift, factor in zip((np.uint64(30), np.uint64(27)), _MIX, strict=True):
        mixed ^= mixed >> shift
        mixed *= factor
    return mixed


def _hashes(mixed: Hashes, length: int) -> Hashes:
    """A hash of each run of `length` words, out of the mixed numbers of the words: a polynomial, modulo 2**64."""
    count = max(0, len(mixed) - length + 1)
    hashes = np.zeros(count, dtype=np.uint64)
    for offset in range(length):
        hashes *= _FACTOR
        hashes += mixed[offset : offset + count]
    return hashes
