"""The exact ROUGE-L search over many texts, in flat arrays: the numpy part of the novelty pool.

Why nothing is missed stands in `novelty_bounds`. The texts up to the last build are found by their rarest tokens
(`novelty_postings`), those since by their bitmaps one after another; what is left is compared by RapidFuzz's
bit-parallel LCS on the tokens that question and text share, since no other can be part of a common subsequence.
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

from ensemble_instruct.novelty_bounds import bounds
from ensemble_instruct.novelty_postings import Postings, build_postings

Ids = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]

_WORDS = 4
"""64-bit words of a text's bitmap. The short one is these folded into one, by exclusive or."""
_BLOCK = 2**13
"""Texts looked at in one go: few enough to stay in a processor's cache."""
_FEW = 64
"""So few texts are compared one by one."""
_BATCH = 2**18
"""Tokens that are kept in plain arrays before they are taken over."""


@dataclass(frozen=True, slots=True)
class _Question:
    """The tokens that are looked for; those that no text has are numbered past the vocabulary."""

    tokens: npt.NDArray[np.int64]
    words: npt.NDArray[np.uint64]
    bitmap: np.uint64

    @property
    def length(self) -> int:
        return len(self.tokens)


class NoveltyIndex:
    """Token sequences by id, and the exact questions about their scores.

    Fast for scores above `threshold`; below it, each question looks at every text. After `tail_limit` further texts
    (a 32nd of all, if that is more) the next question builds the postings anew.
    """

    def __init__(self, threshold: float, tail_limit: int) -> None:
        self._threshold = threshold
        self._tail_limit = tail_limit
        self._vocabulary: dict[str, int] = {}
        self._waiting_tokens, self._waiting_lengths = array("I"), array("Q")
        self._size = 0
        self._tokens = np.empty(0, np.uint32)
        self._ends = np.zeros(1, np.int64)
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
        if k == 1 and (found := self._best_of(question, self._candidates(question, self._threshold), 1, floor)):
            if found[0][0] > self._threshold:
                return found
        return self._best_of_all(question, k, floor)

    def scores(self, tokens: Sequence[str]) -> list[float]:
        """The score to every text, by id."""
        self._prepare()
        question = self._question(tokens)
        scores = np.zeros(self._size)
        for first in range(0, self._size, _BLOCK):
            ids = np.arange(first, min(first + _BLOCK, self._size))
            compared, found = self._compare(question, ids, 0.0)
            scores[compared] = found
        return scores.tolist()

    # Keeping

    def _prepare(self) -> None:
        self._take_over()
        built = self._postings.size if self._postings else 0
        if self._size - built > max(self._tail_limit, built // 32):
            self._postings = None  # the memory is free before it is needed again
            self._postings = build_postings(
                self._tokens[: self._ends[self._size]],
                self._ends[: self._size + 1],
                self._bitmaps[: self._size],
                len(self._vocabulary),
                self._threshold,
            )

    def _take_over(self) -> None:
        """Move what was added into the arrays."""
        if not self._waiting_lengths:
            return
        tokens = np.frombuffer(self._waiting_tokens, np.uint32)
        lengths = np.frombuffer(self._waiting_lengths, np.uint64).astype(np.int64)
        size, used = self._size + len(lengths), int(self._ends[self._size])
        self._tokens = _with_room(self._tokens, used + len(tokens))
        self._ends = _with_room(self._ends, size + 1)
        self._words = _with_room(self._words, size)
        self._bitmaps = _with_room(self._bitmaps, size)
        self._tokens[used : used + len(tokens)] = tokens
        self._ends[self._size + 1 : size + 1] = used + np.cumsum(lengths)
        words = _words(tokens, lengths)
        self._words[self._size : size] = words
        self._bitmaps[self._size : size] = np.bitwise_xor.reduce(words, axis=1)
        self._size = size
        self._waiting_tokens, self._waiting_lengths = array("I"), array("Q")

    # Searching

    def _question(self, tokens: Sequence[str]) -> _Question:
        size = len(self._vocabulary)
        known = self._vocabulary.get
        numbers = np.array([known(token, size + place) for place, token in enumerate(tokens)], np.int64)
        words = _words(numbers, np.array([len(numbers)]))[0]
        return _Question(numbers, words, np.bitwise_xor.reduce(words))

    def _candidates(self, question: _Question, threshold: float) -> Ids:
        """Ids that include all texts with a score above a threshold not below the index's own, ascending."""
        if not question.length or threshold >= 1:
            return np.empty(0, np.int64)
        limits = bounds(question.length, threshold)
        if not limits.prefix:
            return np.empty(0, np.int64)
        found: list[npt.NDArray[np.uint32 | np.int64]] = []
        looked_up = 0
        if self._postings:
            entries = self._postings.candidates(question.tokens, question.bitmap, limits)
            if entries is not None:
                found.append(entries)
                looked_up = self._postings.size
        most = limits.prefix[0].difference
        for first in range(looked_up, self._size, 2 * _BLOCK):
            bitmaps = self._bitmaps[first : min(first + 2 * _BLOCK, self._size)]
            near = (np.bitwise_count(bitmaps ^ question.bitmap) <= most).nonzero()[0]
            if len(near):
                found.append(near + first)
        ids = np.concatenate(found) if found else np.empty(0, np.int64)
        if not len(ids):
            return ids.astype(np.int64)
        allowed = np.frombuffer(limits.differences, np.int32).take(self._lengths(ids), mode="clip")
        return np.unique(ids[_differing(self._words.take(ids, axis=0), question.words) <= allowed]).astype(np.int64)

    def _best_of_all(self, question: _Question, k: int, floor: float) -> list[tuple[float, int]]:
        """`best` by a bound for every text: first those with the highest, then all that may be better."""
        upper = np.empty(self._size)
        for first in range(0, self._size, _BLOCK):
            last = min(first + _BLOCK, self._size)
            lengths = np.diff(self._ends[first : last + 1])
            differing = _differing(self._words[first:last], question.words).astype(np.int64)
            most = np.minimum((question.length + lengths - differing) // 2, np.minimum(lengths, question.length))
            upper[first:last] = _f1(most, question.length, lengths)
        few = max(_FEW, 4 * k)
        if few < self._size:
            leading = np.argpartition(upper, self._size - few)[-few:]
            found = self._best_of(question, leading, k, floor)
            if len(found) == k:
                floor = max(floor, math.nextafter(found[-1][0], -1))
        return self._best_of(question, (upper > floor).nonzero()[0], k, floor)

    def _best_of(self, question: _Question, ids: Ids, k: int, floor: float) -> list[tuple[float, int]]:
        best_ids, best = np.empty(0, np.int64), np.empty(0)
        least = math.nextafter(floor, 2)
        for first in range(0, len(ids), _BLOCK):
            compared, scores = self._compare(question, ids[first : first + _BLOCK], least)
            above = scores >= least
            best_ids, best = np.concatenate((best_ids, compared[above])), np.concatenate((best, scores[above]))
            order = np.lexsort((best_ids, -best))[:k]
            best_ids, best = best_ids[order], best[order]
            if len(best) == k and k:
                least = best[-1]
        return list(zip(best.tolist(), best_ids.tolist(), strict=True))

    def _compare(self, question: _Question, ids: Ids, least: float) -> tuple[Ids, Scores]:
        """Of the given texts those that may score `least` or more, and their scores."""
        lengths = self._lengths(ids)
        ends = lengths.cumsum()
        places = np.arange(ends[-1]) + np.repeat(self._ends[ids] - (ends - lengths), lengths)
        with self._coded(question) as (codes, asked):
            coded = codes.take(self._tokens.take(places))
        shared = coded != 0
        before = np.concatenate(([0], shared.cumsum()))
        firsts, lasts = before[ends - lengths], before[ends]
        upper = _f1(np.minimum(lasts - firsts, question.length), question.length, lengths)
        likely = (upper >= least).nonzero()[0]
        packed = coded[shared]
        data = packed.tobytes() if packed.itemsize == 1 else packed.tolist()
        texts = [data[a:b] for a, b in zip(firsts[likely].tolist(), lasts[likely].tolist(), strict=True)]
        if len(texts) < _FEW:
            lcs = np.array([LCSseq.similarity(asked, text) for text in texts], np.int64)
        else:
            lcs = process.cdist([asked], texts, scorer=LCSseq.similarity, dtype=np.int64)[0]
        return ids[likely], _f1(lcs, question.length, lengths[likely])

    @contextmanager
    def _coded(self, question: _Question) -> Iterator[tuple[npt.NDArray[Any], bytes | list[int]]]:
        """By token: its number in the question, from 1, or 0; and the question in these numbers."""
        size = len(self._vocabulary)
        known = question.tokens[question.tokens < size]
        different, numbers = np.unique(known, return_inverse=True)
        if len(different) >= 256:
            codes = np.zeros(size, np.uint32)
            codes[different] = np.arange(1, len(different) + 1)
            yield codes, (numbers + 1).tolist()
            return
        if len(self._codes) < size:
            self._codes = np.zeros(2 * size, np.uint8)
        self._codes[different] = np.arange(1, len(different) + 1)
        try:
            yield self._codes, (numbers + 1).astype(np.uint8).tobytes()
        finally:
            self._codes[different] = 0

    def _lengths(self, ids: npt.NDArray[np.integer[Any]]) -> Ids:
        return self._ends[ids + 1] - self._ends[ids]


def _words(tokens: npt.NDArray[np.integer[Any]], lengths: Ids) -> npt.NDArray[np.uint64]:
    """The bitmaps of texts whose tokens stand one after another."""
    words = np.zeros((len(lengths), _WORDS), np.uint64)
    places = np.repeat(np.arange(0, words.size, _WORDS), lengths) + (tokens >> 6) % _WORDS
    np.bitwise_xor.at(words.reshape(-1), places, np.uint64(1) << (tokens & 63).astype(np.uint64))
    return words


def _differing(words: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """In how many bits each bitmap differs from the other one."""
    return np.add.reduce(np.bitwise_count(words ^ other), axis=1, dtype=np.int64)


def _f1(lcs: npt.NDArray[np.int64], length: int, lengths: Ids) -> Scores:
    """`similarity.f1_from_lcs` for many texts: the same operations in the same order."""
    precision, recall = lcs / np.maximum(lengths, 1), lcs / max(length, 1)
    total = precision + recall
    return 2 * precision * recall / np.where(total == 0, 1, total)


def _with_room(values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """The array, or a larger copy if it has not place for so many."""
    if len(values) >= size:
        return values
    larger = np.empty((max(size, 2 * len(values)), *values.shape[1:]), values.dtype)
    larger[: len(values)] = values
    return larger
