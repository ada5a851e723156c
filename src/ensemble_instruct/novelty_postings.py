"""The inverted index of the novelty pool: for each token the texts that have it among their rarest tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ensemble_instruct.novelty_bounds import Bounds, prefix_length

_BLOCK = 2**15
"""Texts that are sorted at once."""
_HIGHEST_POSITION = 255
"""Later positions are stored as this one."""
_FEW = 64
"""So many entries are looked at rather than searched for a position."""


@dataclass(frozen=True, slots=True)
class Postings:
    """The texts by their rarest tokens: entries sorted by rank of the token, position in the text, id of the text.

    The order of the tokens is that of their frequencies when this was built: of equal ones the earlier first.
    """

    size: int
    """How many texts these are: all with a lower id."""
    ranks: npt.NDArray[np.uint32]
    """By token: its place in the order, rarest first."""
    starts: npt.NDArray[np.int64]
    """By rank: the first entry of that token; the next one's is the end."""
    ids: npt.NDArray[np.uint32]
    positions: npt.NDArray[np.uint8]
    bitmaps: npt.NDArray[np.uint64]
    """By entry: the text's short bitmap, beside one another so that they are read in one go."""

    def candidates(
        self, tokens: npt.NDArray[np.int64], bitmap: np.uint64, bounds: Bounds
    ) -> npt.NDArray[np.uint32] | None:
        """Ids, some repeatedly, that include all texts that score above the threshold of the bounds.

        None if a look at the bitmap of every text is less work.
        """
        known = tokens[tokens < len(self.ranks)]
        unknown = len(tokens) - len(known)
        ranks = np.sort(self.ranks[known])[: max(0, len(bounds.prefix) - unknown)]
        slices: list[slice] = []
        differences: list[int] = []
        entries, previous = 0, -1
        firsts, ends = self.starts[ranks].tolist(), self.starts[1:][ranks].tolist()
        for position, (rank, first, end) in enumerate(zip(ranks.tolist(), firsts, ends, strict=True), start=unknown):
            if rank == previous or first == end:
                continue
            previous, reach, last = rank, bounds.prefix[position], end
            if end - first > _FEW and reach.position < _HIGHEST_POSITION:
                last = first + int(self.positions[first:end].searchsorted(np.uint8(reach.position), side="right"))
            slices.append(slice(first, last))
            differences.append(reach.difference)
            entries += last - first
        if entries > self.size:
            return None
        if not slices:
            return self.ids[:0]
        found = np.bitwise_count(np.concatenate([self.bitmaps[part] for part in slices]) ^ bitmap)
        allowed = np.repeat(differences, [part.stop - part.start for part in slices])
        return np.concatenate([self.ids[part] for part in slices])[found <= allowed]


def build_postings(
    tokens: npt.NDArray[np.uint32],
    ends: npt.NDArray[np.int64],
    bitmaps: npt.NDArray[np.uint64],
    vocabulary: int,
    threshold: float,
) -> Postings:
    """The postings of all texts: text i has the tokens from ends[i] to ends[i + 1] and the short bitmap i."""
    size = len(bitmaps)
    ranks = _ranks(tokens, vocabulary)
    id_bits = max(1, (size - 1).bit_length())
    rank_shift = np.uint64(id_bits + 8)
    packed = _packed_entries(tokens, ends, ranks, threshold, id_bits)
    packed.sort()
    ids = np.empty(len(packed), np.uint32)
    np.bitwise_and(packed, np.uint64(2**id_bits - 1), out=ids, casting="unsafe")
    starts = packed.searchsorted(np.arange(vocabulary + 1, dtype=np.uint64) << rank_shift)
    np.right_shift(packed, np.uint64(id_bits), out=packed)
    positions = packed.astype(np.uint8)  # the lowest eight bits
    del packed
    return Postings(size, ranks, starts.astype(np.int64), ids, positions, bitmaps.take(ids))


def _ranks(tokens: npt.NDArray[np.uint32], vocabulary: int) -> npt.NDArray[np.uint32]:
    counts = np.zeros(vocabulary, np.int64)
    for start in range(0, len(tokens), _BLOCK * 16):
        counts += np.bincount(tokens[start : start + _BLOCK * 16], minlength=vocabulary)
    ranks = np.empty(vocabulary, np.uint32)
    ranks[np.argsort(counts, kind="stable")] = np.arange(vocabulary, dtype=np.uint32)
    return ranks


def _packed_entries(
    tokens: npt.NDArray[np.uint32],
    ends: npt.NDArray[np.int64],
    ranks: npt.NDArray[np.uint32],
    threshold: float,
    id_bits: int,
) -> npt.NDArray[np.uint64]:
    """Rank, position (8 bits) and id of each entry in one number."""
    lengths = np.diff(ends)
    different, which = np.unique(lengths, return_inverse=True)
    prefixes = np.array([prefix_length(int(length), threshold) for length in different], np.int64)[which]
    packed = np.empty(int(prefixes.sum()), np.uint64)
    filled = 0
    for first in range(0, len(lengths), _BLOCK):
        last = min(first + _BLOCK, len(lengths))
        texts = np.repeat(np.arange(last - first, dtype=np.uint64), lengths[first:last])
        keys = (texts << np.uint64(32)) | ranks[tokens[ends[first] : ends[last]]]
        keys.sort()
        positions = np.arange(len(keys)) - np.repeat(ends[first:last] - ends[first], lengths[first:last])
        wanted = positions < np.repeat(prefixes[first:last], lengths[first:last])
        wanted[1:] &= keys[1:] != keys[:-1]
        entries = keys[wanted] & np.uint64(2**32 - 1)
        entries = entries << np.uint64(8) | np.minimum(positions[wanted], _HIGHEST_POSITION).astype(np.uint64)
        entries = entries << np.uint64(id_bits) | (texts[wanted] + np.uint64(first))
        packed[filled : filled + len(entries)] = entries
        filled += len(entries)
    return packed[:filled]
