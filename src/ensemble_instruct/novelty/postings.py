"""The inverted index of the novelty pool: for each token the texts that have it among their rarest tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ensemble_instruct.novelty.bounds import Bounds, prefix_length

Ints = npt.NDArray[np.signedinteger[Any]]
"""Tokens, texts, lengths or places, by their numbers."""

_BLOCK = 2**18
"""Tokens that are handled at once; one text where it has more."""
_HIGHEST_POSITION = 255
"""Later positions are stored as this one."""
_FEW = 64
"""Up to this many entries are all looked at: a binary search for a position would cost more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postings:
    """The texts by their rarest tokens: entries sorted by rank of the token, position in the text, and text.

    The order of the tokens is that of their frequencies when this was built: of equal ones the earlier first.
    """

    size: int
    """How many texts these are, numbered from 0."""
    ranks: npt.NDArray[np.uint32]
    """By token: its place in the order, rarest first."""
    starts: npt.NDArray[np.int64]
    """By rank: the first entry of that token; the next one's is the end."""
    texts: npt.NDArray[np.uint32]
    """By entry: its text."""
    positions: npt.NDArray[np.uint8]
    """By entry: the position of the token among the text's, rarest first."""
    bitmaps: npt.NDArray[np.uint64]
    """By entry: the text's short bitmap, a copy for each entry so that they are read in one go."""

    def candidates(
        self, tokens: Ints, bitmap: np.uint64, limits: Bounds, lengths: Ints, most: int
    ) -> npt.NDArray[np.uint32] | None:
        """Texts, some repeatedly, that include all that score above the threshold of the limits.

        None if more than `most` entries would have to be read. `lengths` are those of the texts.
        """
        parts = self._parts(tokens, limits)
        if not parts:
            return self.texts[:0]
        positions, firsts, sizes, differences = np.array(parts).T
        ends = sizes.cumsum()
        if ends[-1] > most:
            return None
        bitmaps = np.concatenate([self.bitmaps[first : first + size] for _, first, size, _ in parts])
        # The bitmap filter first: it reads memory in order, which the positional filter below does not.
        differing, allowed = np.bitwise_count(bitmaps ^ bitmap), differences.astype(np.uint8)
        near = (differing <= allowed.repeat(sizes)).nonzero()[0]
        if not len(near):
            return self.texts[:0]
        which = ends.searchsorted(near, side="right")
        entries = near + (firsts - ends + sizes)[which]
        texts = self.texts[entries]
        text_lengths = lengths[texts]
        # The positional filter: neither text may have too few tokens left after the first common one.
        needed = np.frombuffer(limits.needed, np.int32).take(text_lengths, mode="clip")
        likely = (needed <= len(tokens) - positions[which]) & (needed <= text_lengths - self.positions[entries])
        candidates: npt.NDArray[np.uint32] = texts[likely]
        return candidates

    def _parts(self, tokens: Ints, limits: Bounds) -> list[tuple[int, int, int, int]]:
        """What must be read for the tokens of a question, in the order of their ranks: its prefix filter.

        Each is the position of the token in the question, the first entry and the number of entries, and how many bits
        of the short bitmap may differ.
        """
        known = tokens[tokens < len(self.ranks)]
        unknown = len(tokens) - len(known)  # none is rarer
        ranks = np.sort(self.ranks[known])[: max(0, len(limits.prefix) - unknown)]
        firsts, ends = self.starts[ranks].tolist(), self.starts[1:][ranks].tolist()
        parts: list[tuple[int, int, int, int]] = []
        previous = -1
        for position, (rank, first, end) in enumerate(zip(ranks.tolist(), firsts, ends, strict=True), start=unknown):
            reach, last = limits.prefix[position], end
            if end - first > _FEW and reach.position < _HIGHEST_POSITION:
                last = first + int(self.positions[first:end].searchsorted(np.uint8(reach.position), side="right"))
            if rank != previous and first < last:  # a repeated token counts at its first position
                parts.append((position, first, last - first, min(reach.difference, 64)))
            previous = rank
        return parts


def blocks(ends: Ints) -> Iterator[tuple[int, int]]:
    """First and last (not included) of the texts to be handled at once: text i has tokens ends[i] to ends[i + 1]."""
    first, size = 0, len(ends) - 1
    while first < size:
        last = max(first + 1, int(ends.searchsorted(ends[first] + _BLOCK, side="right")) - 1)
        yield first, min(last, size)
        first = last


def build_postings(
    tokens: npt.NDArray[np.uint32],
    lengths: Ints,
    bitmaps: npt.NDArray[np.uint64],
    vocabulary: int,
    threshold: float,
) -> Postings:
    """The postings of texts whose tokens follow one another."""
    size = len(bitmaps)
    ranks = _ranks(tokens, vocabulary)
    text_bits = max(1, (size - 1).bit_length())
    rank_shift = np.uint64(text_bits + 8)
    packed = _packed_entries(tokens, lengths, ranks, threshold, text_bits)
    packed.sort()  # one sort of plain numbers orders by rank, then position, then text
    texts = np.empty(len(packed), np.uint32)
    np.bitwise_and(packed, np.uint64(2**text_bits - 1), out=texts, casting="unsafe")
    starts = packed.searchsorted(np.arange(vocabulary + 1, dtype=np.uint64) << rank_shift)
    np.right_shift(packed, np.uint64(text_bits), out=packed)
    positions = packed.astype(np.uint8)  # the lowest eight bits
    del packed
    return Postings(
        size=size,
        ranks=ranks,
        starts=starts.astype(np.int64),
        texts=texts,
        positions=positions,
        bitmaps=bitmaps.take(texts),
    )


def _ranks(tokens: npt.NDArray[np.uint32], vocabulary: int) -> npt.NDArray[np.uint32]:
    """By token its place in the order of frequency, rarest first; of equal ones the earlier first."""
    counts = np.zeros(vocabulary, np.int64)
    for start in range(0, len(tokens), max(_BLOCK, vocabulary)):
        counts += np.bincount(tokens[start : start + max(_BLOCK, vocabulary)], minlength=vocabulary)
    ranks = np.empty(vocabulary, np.uint32)
    ranks[np.argsort(counts, kind="stable")] = np.arange(vocabulary, dtype=np.uint32)
    return ranks


def _packed_entries(
    tokens: npt.NDArray[np.uint32],
    lengths: Ints,
    ranks: npt.NDArray[np.uint32],
    threshold: float,
    text_bits: int,
) -> npt.NDArray[np.uint64]:
    """Rank, position (8 bits) and text of each entry in one number."""
    ends = np.concatenate(([0], np.cumsum(lengths)))
    different, which = np.unique(lengths, return_inverse=True)
    prefixes = np.array([prefix_length(int(length), threshold) for length in different], np.int64)[which]
    packed = np.empty(int(prefixes.sum()), np.uint64)
    filled = 0
    for first, last in blocks(ends):
        texts = np.repeat(np.arange(last - first, dtype=np.uint64), lengths[first:last])
        keys = (texts << np.uint64(32)) | ranks[tokens[ends[first] : ends[last]]]
        keys.sort()  # the text in the high half: one sort puts the tokens of each text in order, rarest first
        positions = np.arange(len(keys)) - np.repeat(ends[first:last] - ends[first], lengths[first:last])
        wanted = positions < np.repeat(prefixes[first:last], lengths[first:last])
        wanted[1:] &= keys[1:] != keys[:-1]
        entries = keys[wanted] & np.uint64(2**32 - 1)
        entries = entries << np.uint64(8) | np.minimum(positions[wanted], _HIGHEST_POSITION).astype(np.uint64)
        entries = entries << np.uint64(text_bits) | (texts[wanted] + np.uint64(first))
        packed[filled : filled + len(entries)] = entries
        filled += len(entries)
    return packed[:filled]
