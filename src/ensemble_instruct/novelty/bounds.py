"""What the lengths and the rarest tokens of two texts say about their ROUGE-L F1, before it is computed.

Let n and m be the numbers of tokens, L the length of the longest common subsequence (LCS), O the size of the multiset
overlap, t a threshold. F1 = 2L / (n + m), and L <= O <= min(n, m). All bounds below follow from these two facts; they
lose nothing, so a search that prunes with them answers as one that compares every pair.

Least LCS. F1 > t needs L >= `needed(n, m, t)`, the least integer whose F1 is above t *in floating point*, computed as
rouge-score does. F1 grows with L in steps of 2 / (n + m), far more than its rounding error, so one integer tells all.
The longer the text, the larger it is.

Length filter. needed <= min(n, m) leaves the lengths m from about n t / (2 - t) to n (2 - t) / t.

Prefix filter. Sort the tokens of both texts by one total order, rarest first, and take the first token in this order
that they have in common, at positions p and j (from 0). No token before p or before j is common, so
O <= min(n - p, m - j), and F1 > t only if

    needed(n, m, t) <= n - p    and    needed(n, m, t) <= m - j.

So it is enough to look up the first tokens of the question among the first tokens of the texts; and the later a token
comes in the question, the earlier it has to come in the text (`Reach`). Of a token that is repeated the first
position counts: if its second occurrence is common, so is its first. This is the prefix filter of Chaudhuri, Ganti and
Kaushik, "A Primitive Operator for Similarity Joins in Data Cleaning" (ICDE 2006); Bayardo, Ma and Srikant made an
algorithm of it in "Scaling Up All Pairs Similarity Search" (WWW 2007: AllPairs), and Xiao, Wang, Lin and Yu added the
positions (the positional filter) in "Efficient Similarity Joins for Near Duplicate Detection" (WWW 2008: PPJoin).

Bitmap filter. The multisets differ in n + m - 2 O tokens, so F1 > t allows at most n + m - 2 needed(n, m, t). Let each
text have a bitmap in which every occurrence of a token flips the bit that the token's number names. Occurrences that
both texts have flip the same bits in both, hence the bitmaps differ in at most n + m - 2 O bits; if they differ in more
than are allowed, F1 <= t. Bitmaps were put to this use by Sandes, Teodoro and Melo, "Bitmap Filter: Speeding up Exact
Set Similarity Joins with Bitwise Operations" (Information Systems 88, 2020).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import lru_cache

from ensemble_instruct.rouge import f1_from_lcs


@dataclass(frozen=True, slots=True)
class Reach:
    """How far to look for the texts whose first common token has a certain position in the question."""

    position: int
    """Highest position of that token in a text, from 0."""
    difference: int
    """Most tokens in which question and text may differ."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which texts a question of a certain length can score above a threshold with.

    What is listed by length has a last entry for all longer texts, with which nothing scores above.
    """

    shortest: int
    """Tokens of the shortest text that can score above."""
    longest: int
    """Tokens of the longest one."""

    needed: array[int]
    """By length of the text: `needed`, or one more than the question is long where nothing scores above."""
    differences: array[int]
    """By length of the text: most tokens in which the two may differ, or -1 where nothing scores above."""
    prefix: tuple[Reach, ...]
    """By position of the first common token in the question; at a later position nothing scores above."""


def needed(length: int, other: int, threshold: float) -> int:
    """Least length of the common subsequence at which F1 is above the threshold; it may be more than there can be."""
    # From the formula's estimate to the integer that is right in floating point: one or two steps at most.
    lcs = max(1, int(threshold * (length + other) / 2))
    while f1_from_lcs(lcs, length, other) <= threshold:
        lcs += 1
    while lcs > 1 and f1_from_lcs(lcs - 1, length, other) > threshold:
        lcs -= 1
    return lcs


@lru_cache(maxsize=256)
def bounds(length: int, threshold: float) -> Bounds:
    """The bounds for a question of this length, at a threshold above 0."""
    shortest = other = _shortest(length, threshold)
    least, differences = array("i", [length + 1]) * shortest, array("i", [-1]) * shortest
    prefix: list[Reach] = []
    position = difference = -1
    while (lcs := needed(length, other, threshold)) <= min(length, other):
        position = max(position, other - lcs)
        difference = max(difference, length + other - 2 * lcs)
        least.append(lcs)
        differences.append(length + other - 2 * lcs)
        following = needed(length, other + 1, threshold)
        if following > min(length, other + 1):
            following = length + 1
        prefix += [Reach(position, difference)] * (following - lcs)  # positions length - lcs down to this
        other += 1
    least.append(length + 1)
    differences.append(-1)
    return Bounds(shortest, other - 1, least, differences, tuple(reversed(prefix)))


@lru_cache(maxsize=2**14)
def prefix_length(length: int, threshold: float) -> int:
    """How many of its rarest tokens a text of this length must be found by, at any length of the question."""
    # The shortest question needs the least common tokens, so its prefix is the longest: it does for all others.
    shortest = _shortest(length, threshold)
    return max(0, length - needed(length, shortest, threshold) + 1) if length else 0


def _shortest(length: int, threshold: float) -> int:
    """The least length with which a text of the given length can score above the threshold.

    Where no length can, at threshold 1, it is one that cannot either.
    """
    shortest = max(1, int(length * threshold / (2 - threshold)) - 1)
    while shortest < length and needed(length, shortest, threshold) > shortest:
        shortest += 1
    return shortest
