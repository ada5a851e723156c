"""How much two long texts have in common, given up as soon as it cannot be as much as is asked for.

What they begin and end with alike is set aside, then it is counted how many tokens they share at all: few texts that
are unlike get further. Very long ones are compared here, bit-parallel after Hyyrö, "Bit-Parallel LCS-length
Computation Revisited" (AWOCA 2004), a block of one text at a time, with a bit for each of its tokens in one of
Python's integers: no faster than RapidFuzz, but it ends where too little is left, and lets Ctrl-C and others in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate

from rapidfuzz.distance import LCSseq

LONG = 2**11
"""Tokens of a text, the geometric mean of both, from which on it pays to look at them before they are compared."""
_VERY_LONG = 2**16
"""From which on RapidFuzz would take a second and more, in one go."""
_BLOCK = 2**14
"""Tokens of a block: its masks take some MB."""


def common_length(one: Sequence[Hashable], other: Sequence[Hashable], least: int) -> int:
    """The length of the longest common subsequence; where it is less than `least`, any number less than that."""
    if len(one) * len(other) < LONG**2:
        return LCSseq.similarity(one, other)
    start = _equal(zip(one, other, strict=False))
    one, other = one[start:], other[start:]
    end = _equal(zip(reversed(one), reversed(other), strict=False))
    one, other = one[: len(one) - end], other[: len(other) - end]
    alike = start + end
    wanted = max(0, least - alike)
    if (Counter(one) & Counter(other)).total() < wanted:
        return alike
    if len(one) * len(other) < _VERY_LONG**2:
        return alike + LCSseq.similarity(one, other, score_cutoff=wanted)
    return alike + _by_blocks(one, other, wanted)


def _equal(pairs: Iterable[tuple[Hashable, Hashable]]) -> int:
    """How many pairs at the beginning are of equal tokens."""
    count = 0
    for a, b in pairs:
        if a != b:
            break
        count += 1
    return count


def _by_blocks(one: Sequence[Hashable], other: Sequence[Hashable], least: int) -> int:
    grows = bytearray(len(other))
    """By token of `other`: whether with it the common subsequence with the blocks so far gets longer."""
    for first in range(0, len(one), _BLOCK):
        _take(one[first : first + _BLOCK], other, grows)
        left = len(one) - first - _BLOCK
        lengths = accumulate(grows, initial=0)
        if left > 0 and max(n + min(left, len(other) - at) for at, n in enumerate(lengths)) < least:
            return 0
    return sum(grows)


def _take(block: Sequence[Hashable], other: Sequence[Hashable], grows: bytearray) -> None:
    """Bring `grows` up to date with one more block."""
    places: dict[Hashable, int] = {}
    for place, token in enumerate(block):
        places[token] = places.get(token, 0) | 1 << place
    width = len(block)
    row = full = (1 << width) - 1
    for at, token in enumerate(other):
        mask, carry = places.get(token, 0), grows[at]
        if mask or carry:
            matched = row & mask
            total = row + matched + carry
            grows[at] = total >> width
            row = (total & full) | (row - matched)
