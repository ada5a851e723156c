"""The pool of instructions and the exact question "is anything in it closer than t?".

A small pool compares a text with each of its own. A larger one asks `index`, which compares few and gives the same
answers; only then is NumPy imported.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from rapidfuzz.distance import LCSseq

from ensemble_instruct.novelty.bounds import needed
from ensemble_instruct.novelty.long_texts import LONG, common_length
from ensemble_instruct.records import Profile
from ensemble_instruct.rouge import f1_from_lcs, pairwise_mean, rouge_tokens, word_tokens

Tokenizer = Callable[[str], list[str]]
"""From a text to its tokens."""
_SCAN_LIMIT = 500
"""Texts from which on the pool is an index."""
_TAIL_LIMIT = 8192
"""Texts that an index keeps outside its postings before it builds them anew."""
_FIRST_SURROGATE = 0xD800
"""The code points from here on are surrogates, which are no characters: as many tokens have one of their own."""
_UNKNOWN = chr(0x10FFFF)
"""A token of the question that no text of the pool has: it can be part of no common subsequence."""


class NoveltyPool:
    """Texts in the order they were added; an id is a text's place in that order.

    >>> pool = NoveltyPool(["List three rivers of Europe.", "Name a fruit."])
    >>> pool.is_novel("List three rivers of Asia.", 0.7)
    False
    >>> score, place = pool.nearest("Name a green fruit.")
    >>> round(score, 3), pool[place]
    (0.857, 'Name a fruit.')

    Scores are ROUGE-L F1 under `tokens`, by default the words of every script; equal to rouge-score's where `tokens`
    are. The threshold is the one that will be asked about: for this and higher ones a large pool answers fastest.
    From `scan_limit` texts on the pool is an index, which takes in the latest texts when there are more than
    `tail_limit` of them.

    With `base`, the texts of another pool, which does not grow any more, come before its own: so pools share them.
    """

    def __init__(
        self,
        texts: Iterable[str] = (),
        threshold: float = 0.7,
        *,
        tokens: Tokenizer = word_tokens,
        base: NoveltyPool | None = None,
        scan_limit: int = _SCAN_LIMIT,
        tail_limit: int = _TAIL_LIMIT,
    ) -> None:
        self._tokens = tokens
        self._threshold = threshold
        self._scan_limit, self._tail_limit = scan_limit, tail_limit
        self._base, self._first = base, len(base) if base else 0
        self._texts: list[str] = []
        self._search: _Search = _Scan()
        for text in texts:
            self.add(text)

    def __len__(self) -> int:
        return self._first + len(self._texts)

    def __getitem__(self, text_id: int) -> str:
        return self._base[text_id] if self._base and text_id < self._first else self._texts[text_id - self._first]

    def add(self, text: str) -> int:
        """Append a text and return its id. Texts without tokens score 0 against everything."""
        tokens = self._tokens(text)
        if isinstance(self._search, _Scan) and not (
            len(self._texts) < self._scan_limit and self._search.has_room(tokens)
        ):
            self._search = self._index()
        self._texts.append(text)
        self._search.add(tokens)
        return len(self) - 1

    def above(self, text: str, threshold: float) -> tuple[float, int] | None:
        """(highest score, id of the earliest text that has it) if that score is above the threshold."""
        best = self._best(text, 1, threshold)
        return best[0] if best else None

    def is_novel(self, text: str, threshold: float) -> bool:
        """Whether no score is above the threshold; a score equal to it is allowed."""
        return self.above(text, threshold) is None

    def nearest(self, text: str) -> tuple[float, int]:
        """(highest score, id of the earliest text that has it); (0.0, -1) in an empty pool."""
        return self.above(text, -1.0) or (0.0, -1)

    def top(self, text: str, k: int) -> list[tuple[float, int]]:
        """The k highest (score, id), descending; of equal scores the earlier first."""
        return self._best(text, k, -1.0) if k > 0 else []

    def mean(self, text: str) -> float:
        """Mean score over the pool (the original's `avg_similarity_score`), from a comparison with every text."""
        return pairwise_mean(self._scores(text))

    def _best(self, text: str, k: int, floor: float) -> list[tuple[float, int]]:
        own = self._search.best(self._tokens(text), k, floor)
        if self._base is None:
            return own
        own = [(score, self._first + text_id) for score, text_id in own]
        return sorted(self._base._best(text, k, floor) + own, key=lambda pair: (-pair[0], pair[1]))[:k]  # noqa: SLF001

    def _scores(self, text: str) -> list[float]:
        own = self._search.scores(self._tokens(text))
        return own if self._base is None else self._base._scores(text) + own  # noqa: SLF001

    def _index(self) -> _Search:
        from ensemble_instruct.novelty.index import NoveltyIndex  # NumPy takes a tenth of a second to import

        index = NoveltyIndex(self._threshold, self._tail_limit)
        for text in self._texts:
            index.add(self._tokens(text))
        return index


class _Search(Protocol):
    """Token sequences by id, and the exact questions about their scores."""

    def add(self, tokens: Sequence[str]) -> None:
        """Append a text."""

    def best(self, tokens: Sequence[str], k: int, floor: float) -> list[tuple[float, int]]:
        """Of the scores above `floor` the k highest with their ids, descending; of equal ones the earlier first."""

    def scores(self, tokens: Sequence[str]) -> list[float]:
        """The score to every text, by id."""


class _Scan:
    """Compares with each text, kept as a string with one character per token for RapidFuzz's bit-parallel LCS.

    A text whose length alone keeps its F1 from being above the floor is not compared: LCS <= min(m, n).
    """

    def __init__(self) -> None:
        self._characters: dict[str, str] = {}
        self._coded: list[str] = []

    def has_room(self, tokens: Sequence[str]) -> bool:
        """Whether there are characters for these tokens."""
        return len(self._characters) + len(tokens) < _FIRST_SURROGATE

    def add(self, tokens: Sequence[str]) -> None:
        characters = self._characters
        self._coded.append("".join([characters.setdefault(token, chr(len(characters))) for token in tokens]))

    def best(self, tokens: Sequence[str], k: int, floor: float) -> list[tuple[float, int]]:
        coded = self._code(tokens)
        length = len(coded)
        best: list[tuple[float, int]] = []
        for text_id, other in enumerate(self._coded):
            if f1_from_lcs(min(length, len(other)), length, len(other)) > floor:
                least = needed(length, len(other), floor) if floor > 0 and length >= LONG else 0
                score = f1_from_lcs(common_length(coded, other, least), length, len(other))
                if score > floor:
                    insort(best, (-score, text_id))
                    del best[k:]
                    if len(best) == k:
                        floor = -best[-1][0]
        return [(-score, text_id) for score, text_id in best]

    def scores(self, tokens: Sequence[str]) -> list[float]:
        coded = self._code(tokens)
        length = len(coded)
        return [f1_from_lcs(LCSseq.similarity(coded, other), length, len(other)) for other in self._coded]

    def _code(self, tokens: Sequence[str]) -> str:
        known = self._characters.get
        return "".join([known(token, _UNKNOWN) for token in tokens])


def tokens_of(profile: Profile) -> Callable[[str], list[str]]:
    """The words by which a profile compares instructions: rouge-score's in `published`, else those of every script."""
    return rouge_tokens if profile == "published" else word_tokens
