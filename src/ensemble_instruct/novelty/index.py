"""The exact ROUGE-L search over many texts, in flat arrays: the numpy part of the novelty pool.

Why nothing is missed is told in `bounds`. The texts up to the last build, in the order of their lengths, are found by
their rarest tokens (`postings`) or, where these are common, by the bitmaps of those of a fitting length; the texts
since then by their bitmaps. What is left is compared by RapidFuzz's bit-parallel LCS on the tokens that question and
text share, since no other can be part of a common subsequence.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from ensemble_instruct.novelty.bounds import Bounds, bounds, needed
from ensemble_instruct.novelty.long_texts import LONG, common_length
from ensemble_instruct.novelty.postings import Ints, Postings, blocks, build_postings

Scores = npt.NDArray[np.float64]
"""ROUGE-L F1, 0 to 1."""

_WORDS = 4
"""64-bit words of a text's bitmap. The short one is these folded into one, by exclusive or."""
_BLOCK = 2**13
"""Texts looked at in one go: few enough to stay in a processor's cache."""
_FEW = 64
"""Fewer texts than this are compared one by one."""
_BATCH = 2**16
"""Tokens that are handled in one go."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A text that is looked for; its tokens that no text of the index has are numbered past the vocabulary."""

    tokens: npt.NDArray[np.int64]
    words: npt.NDArray[np.uint64]
    """Its bitmap."""
    bitmap: np.uint64
    """Its short bitmap."""

    @property
    def length(self) -> int:
        return len(self.tokens)


class NoveltyIndex:
    """Token sequences by id, and the exact questions about their scores.

    Fast for scores above `threshold`; below it, each question looks at every text. After `tail_limit` further texts
    (a 32nd of all, if that is more) the next question builds the postings anew. Inside, a text is a row of the arrays;
    `_ids` has the id of each.
    """

    def __init__(self, threshold: float, tail_limit: int) -> None:
        self._threshold = threshold
        self._tail_limit = tail_limit
        self._vocabulary: dict[str, int] = {}
        self._waiting_tokens, self._waiting_lengths = array("I"), array("i")
        self._size = 0
        self._tokens = np.empty(0, np.uint32)
        self._ends = np.zeros(1, np.int64)
        self._ids = np.empty(0, np.uint32)
        self._lengths = np.empty(0, np.int32)
        self._words = np.empty((0, _WORDS), np.uint64)
        self._bitmaps = np.empty(0, np.uint64)
        self._postings: Postings | None = None
        self._codes = np.empty(0, np.uint8)

    def add(self, tokens: Sequence[str]) -> None:
        """Append a text."""
        vocabulary = self._vocabulary
        self._waiting_tokens.extend([vocabulary.setdefault(token, len(vocabulary)) for token in tokens])
        self._waiting_lengths.append(len(tokens))
        if len(self._waiting_tokens) > _BATCH:
            self._take_over()

    def best(self, tokens: Sequence[str], k: int, floor: float) -> list[tuple[float, int]]:
        """Of the scores above `floor` the k highest with their ids, descending; of equal ones the earlier first."""
        self._prepare()
        question = self._question(tokens)
        if floor >= self._threshold:
            return self._best_of(question, self._candidates(question, floor), k, floor)
        if k == 1:
            nearest = self._best_of(question, self._candidates(question, self._threshold), 1, self._threshold)
            if nearest:
                return nearest
        return self._best_of_all(question, k, floor)

    def scores(self, tokens: Sequence[str]) -> list[float]:
        """The score to every text, by id."""
        self._prepare()
        question = self._question(tokens)
        scores = np.zeros(self._size)
        for first, last in blocks(self._ends[: self._size + 1]):
            compared, block_scores = self._compare(question, np.arange(first, last), 0.0)
            scores[self._ids[compared]] = block_scores
        return scores.tolist()

    # Keeping

    def _prepare(self) -> None:
        self._take_over()
        if self._size - self._built > max(self._tail_limit, self._built // 32):
            self._postings = None  # its memory is free before it is needed again
            self._sort()
            self._postings = build_postings(
                self._tokens[: self._ends[self._size]],
                self._lengths[: self._size],
                self._bitmaps[: self._size],
                len(self._vocabulary),
                self._threshold,
            )

    @property
    def _built(self) -> int:
        return self._postings.size if self._postings else 0

    def _take_over(self) -> None:
        """Move what was added into the arrays."""
        if not self._waiting_lengths:
            return
        tokens = np.frombuffer(self._waiting_tokens, np.uint32)
        lengths = np.frombuffer(self._waiting_lengths, np.int32)
        self._waiting_tokens, self._waiting_lengths = array("I"), array("i")
        before, size = self._size, self._size + len(lengths)
        used = int(self._ends[before])
        self._tokens = _with_room(self._tokens, used + len(tokens))
        self._lengths = _with_room(self._lengths, size)
        self._ends = _with_room(self._ends, size + 1)
        self._ids = _with_room(self._ids, size)
        self._words = _with_room(self._words, size)
        self._bitmaps = _with_room(self._bitmaps, size)
        self._tokens[used : used + len(tokens)] = tokens
        self._lengths[before:size] = lengths
        self._ends[before + 1 : size + 1] = used + np.cumsum(lengths, dtype=np.int64)
        self._ids[before:size] = np.arange(before, size)
        self._words[before:size] = _words(tokens, lengths)
        self._bitmaps[before:size] = np.bitwise_xor.reduce(self._words[before:size], axis=1)
        self._size = size

    def _sort(self) -> None:
        """Order the texts by their lengths."""
        size = self._size
        order = np.argsort(self._lengths[:size], kind="stable")
        tokens = np.empty(self._ends[size], np.uint32)
        filled = 0
        ends = np.concatenate(([0], self._lengths[order].cumsum(dtype=np.int64)))
        for first, last in blocks(ends):
            moved = self._tokens.take(self._places(order[first:last]))
            tokens[filled : filled + len(moved)] = moved
            filled += len(moved)
        self._tokens = tokens
        self._lengths, self._ids = self._lengths[order], self._ids[order]
        self._words, self._bitmaps = self._words[order], self._bitmaps[order]
        self._ends = ends

    def _places(self, texts: Ints) -> Ints:
        """Where in `_tokens` the tokens of these texts are."""
        lengths = self._lengths[texts]
        ends = lengths.cumsum(dtype=np.int64)
        return np.arange(ends[-1]) + np.repeat(self._ends[texts] - (ends - lengths), lengths)

    # Searching

    def _question(self, tokens: Sequence[str]) -> _Question:
        size = len(self._vocabulary)
        known = self._vocabulary.get
        numbers = [known(token, size + place) for place, token in enumerate(tokens)]
        bitmap = 0
        for number in numbers:  # as one Python integer of 256 bits: faster than NumPy for one text
            bitmap ^= 1 << number % (64 * _WORDS)
        words = np.frombuffer(bitmap.to_bytes(8 * _WORDS, "little"), "<u8").astype(np.uint64)
        return _Question(np.array(numbers, np.int64), words, np.bitwise_xor.reduce(words))

    def _candidates(self, question: _Question, threshold: float) -> Ints:
        """Texts that include all with a score above a threshold not below the index's own, ascending."""
        if not question.length or threshold >= 1:
            return np.empty(0, np.int64)
        limits = bounds(question.length, threshold)
        if not limits.prefix:
            return np.empty(0, np.int64)
        hits = [self._scan(question, limits, self._built)]
        if self._postings:
            first, last = self._lengths[: self._built].searchsorted(
                np.array([limits.shortest, limits.longest + 1], np.int32)
            ).tolist()  # fmt: skip
            entries = self._postings.candidates(question.tokens, question.bitmap, limits, self._lengths, last - first)
            if entries is None:
                hits.append(self._scan_words(question, limits, first, last))
            elif len(entries):
                hits.append(self._near(question, limits, entries.astype(np.int64)))
        texts = np.sort(np.concatenate(hits))
        return texts[np.diff(texts, prepend=-1) != 0] if len(texts) else texts

    def _scan(self, question: _Question, limits: Bounds, first: int) -> Ints:
        """Of the texts from `first` on those that bitmaps and lengths do not exclude."""
        most = limits.prefix[0].difference
        hits: list[Ints] = []
        for start in range(first, self._size, _BLOCK):
            bitmaps = self._bitmaps[start : min(start + _BLOCK, self._size)]
            hits.append((np.bitwise_count(bitmaps ^ question.bitmap) <= most).nonzero()[0] + start)
        return self._near(question, limits, np.concatenate(hits)) if hits else np.empty(0, np.int64)

    def _scan_words(self, question: _Question, limits: Bounds, first: int, last: int) -> Ints:
        hits = [np.empty(0, np.int64)]
        allowed = np.frombuffer(limits.differences, np.int32)
        words = np.tile(question.words, (_BLOCK, 1))  # once for all blocks: four words are slow to broadcast
        for start in range(first, last, _BLOCK):
            stop = min(start + _BLOCK, last)
            differing = _differing(self._words[start:stop], words[: stop - start])
            hits.append((differing <= allowed.take(self._lengths[start:stop], mode="clip")).nonzero()[0] + start)
        return np.concatenate(hits)

    def _near(self, question: _Question, limits: Bounds, texts: Ints) -> Ints:
        """Of these texts those that long bitmaps and lengths do not exclude."""
        allowed = np.frombuffer(limits.differences, np.int32).take(self._lengths[texts], mode="clip")
        differing = _differing(self._words.take(texts, axis=0), question.words)
        return texts[differing <= allowed]

    def _best_of_all(self, question: _Question, k: int, floor: float) -> list[tuple[float, int]]:
        """`best` by an upper bound for every text: first those with the highest, then all that may be better."""
        upper = np.empty(self._size)
        words = np.tile(question.words, (_BLOCK, 1))
        for first in range(0, self._size, _BLOCK):
            last = min(first + _BLOCK, self._size)
            lengths = self._lengths[first:last]
            differing = _differing(self._words[first:last], words[: last - first]).astype(np.int64)
            most = np.minimum((question.length + lengths - differing) // 2, np.minimum(lengths, question.length))
            upper[first:last] = _f1(most, question.length, lengths)
        few = max(_FEW, 4 * k, self._size // 64)
        if few < self._size:
            leading = np.argpartition(upper, self._size - few)[-few:]
            best = self._best_of(question, leading, k, floor)
            if len(best) == k:
                floor = max(floor, math.nextafter(best[-1][0], -1))  # just below: an earlier text may score the same
        return self._best_of(question, (upper > floor).nonzero()[0], k, floor)

    def _best_of(self, question: _Question, ids: Ints, k: int, floor: float) -> list[tuple[float, int]]:
        best_ids, best = np.empty(0, np.uint32), np.empty(0)
        least = math.nextafter(floor, 2)
        step = max(_FEW, _BATCH // max(1, int(self._lengths[ids].max(initial=0))))
        for first in range(0, len(ids), step):
            compared, scores = self._compare(question, ids[first : first + step], least)
            above = scores >= least
            best_ids = np.concatenate((best_ids, self._ids[compared[above]]))
            best = np.concatenate((best, scores[above]))
            order = np.lexsort((best_ids, -best))[:k]
            best_ids, best = best_ids[order], best[order]
            if len(best) == k and k:
                least = best[-1]
        return list(zip(best.tolist(), best_ids.tolist(), strict=True))

    def _compare(self, question: _Question, ids: Ints, least: float) -> tuple[Ints, Scores]:
        """Of these texts those that may score `least` or more, and their scores."""
        lengths = self._lengths[ids]
        ends = lengths.cumsum(dtype=np.int64)
        with self._coded(question) as (codes, numbered):
            coded = codes.take(self._tokens.take(self._places(ids)))
        # Only shared tokens can be in a common subsequence; how many a text has is a difference of prefix sums.
        shared = coded != 0
        before = np.concatenate(([0], shared.cumsum()))
        firsts, lasts = before[ends - lengths], before[ends]
        upper = _f1(np.minimum(lasts - firsts, question.length), question.length, lengths)
        likely = (upper >= least).nonzero()[0]
        packed = coded[shared]
        data = packed.tobytes() if packed.itemsize == 1 else packed.tolist()
        texts = [data[a:b] for a, b in zip(firsts[likely].tolist(), lasts[likely].tolist(), strict=True)]
        if len(texts) < _FEW or question.length >= LONG:
            floor = math.nextafter(least, 0)
            wanted = (needed(question.length, length, floor) if floor > 0 else 0 for length in lengths[likely].tolist())
            lcs = np.array([common_length(numbered, *each) for each in zip(texts, wanted, strict=True)], np.int64)
        else:
            lcs = process.cdist([numbered], texts, scorer=LCSseq.similarity, dtype=np.int64)[0]
        return ids[likely], _f1(lcs, question.length, lengths[likely])

    @contextmanager
    def _coded(self, question: _Question) -> Iterator[tuple[npt.NDArray[Any], bytes | list[int]]]:
        """By token: its number in the question, from 1, or 0; and the question in these numbers.

        The array is one buffer, lent for the block: a new one for each question would cost more than the comparison.
        """
        size, numbers = len(self._vocabulary), dict[int, int]()
        numbered = [numbers.setdefault(token, len(numbers) + 1) for token in question.tokens.tolist() if token < size]
        different, codes = np.fromiter(numbers, np.int64, len(numbers)), np.arange(1, len(numbers) + 1)
        if len(numbers) >= 256:
            wide = np.zeros(size, np.uint32)
            wide[different] = codes
            yield wide, numbered
            return
        if len(self._codes) < size:
            self._codes = np.zeros(2 * size, np.uint8)
        self._codes[different] = codes
        try:
            yield self._codes, bytes(numbered)
        finally:
            self._codes[different] = 0  # only what was written, not the whole vocabulary


def _words(tokens: npt.NDArray[np.integer[Any]], lengths: Ints) -> npt.NDArray[np.uint64]:
    """The bitmaps of texts whose tokens follow one another."""
    words = np.zeros((len(lengths), _WORDS), np.uint64)
    places = np.repeat(np.arange(0, words.size, _WORDS), lengths) + (tokens >> 6) % _WORDS
    np.bitwise_xor.at(words.reshape(-1), places, np.uint64(1) << (tokens & 63).astype(np.uint64))
    return words


def _differing(words: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    """In how many bits each bitmap differs from the other one.

    One that differs in all bits counts as the same, for 256 does not fit in a byte: at worst one needless comparison.
    """
    counts = np.bitwise_count(words ^ other)
    # SWAR sum: as one 32-bit number times 0x01010101, the four byte counts add up in its highest byte.
    sums: npt.NDArray[np.uint32] = counts.view(np.uint32)[:, 0] * np.uint32(0x01010101) >> np.uint32(24)
    return sums


def _f1(lcs: npt.NDArray[np.int64], length: int, lengths: Ints) -> Scores:
    """`rouge.f1_from_lcs` for many texts: the same operations in the same order, so the same to the last bit."""
    precision, recall = lcs / np.maximum(lengths, 1), lcs / max(length, 1)
    total = precision + recall
    return 2 * precision * recall / np.where(total == 0, 1, total)


def _with_room(values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """The array, or a larger copy if it has not place for `size` values."""
    if len(values) >= size:
        return values
    # Twice as large: appending stays linear in all (amortised doubling).
    larger = np.empty((max(size, 2 * len(values)), *values.shape[1:]), values.dtype)
    larger[: len(values)] = values
    return larger
