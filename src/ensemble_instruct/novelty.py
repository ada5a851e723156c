"""The pool of instructions and the exact question "is anything in it closer than t?".

Each text is kept as a string with one character per token, so that RapidFuzz's bit-parallel longest common
subsequence works on it directly. A text whose length alone keeps its F1 at or below the best so far is not
compared: LCS <= min(m, n) gives F1 <= 2 min(m, n) / (m + n).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence

from rapidfuzz.distance import LCSseq

from ensemble_instruct.similarity import f1_from_lcs, pairwise_mean

Tokenizer = Callable[[str], list[str]]
_FIRST_SURROGATE, _SURROGATES = 0xD800, 0x800
_UNKNOWN = chr(0x10FFFF)
"""A token of the question that no text of the pool has: it can be part of no common subsequence."""


class NoveltyPool:
    """Texts in the order they were added; an id is a text's place in that order.

    Scores are ROUGE-L F1 under `tokens`, equal to rouge-score's where `tokens` are.
    """

    def __init__(self, tokens: Tokenizer, texts: Iterable[str] = ()) -> None:
        self._tokens = tokens
        self._characters: dict[str, str] = {}
        self._texts: list[str] = []
        self._coded: list[str] = []
        for text in texts:
            self.add(text)

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, text_id: int) -> str:
        return self._texts[text_id]

    def add(self, text: str) -> int:
        """Append a text and return its id. Texts without tokens score 0 against everything."""
        characters = self._characters
        for token in (tokens := self._tokens(text)):
            if token not in characters:
                number = len(characters)
                characters[token] = chr(number if number < _FIRST_SURROGATE else number + _SURROGATES)
        self._texts.append(text)
        self._coded.append("".join([characters[token] for token in tokens]))
        return len(self._texts) - 1

    def nearest(self, text: str) -> tuple[float, int]:
        """(highest score, id of the earliest text that has it); (0.0, -1) in an empty pool."""
        coded = self._code(text)
        best, best_id = 0.0, -1 if not self._texts else 0
        for text_id, other in enumerate(self._coded):
            shorter = min(len(coded), len(other))
            if shorter and f1_from_lcs(shorter, len(coded), len(other)) > best:
                score = f1_from_lcs(LCSseq.similarity(coded, other), len(coded), len(other))
                if score > best:
                    best, best_id = score, text_id
        return best, best_id

    def is_novel(self, text: str, threshold: float) -> bool:
        """Whether no score is above `threshold`; a score equal to it is allowed."""
        return self.nearest(text)[0] <= threshold

    def scores(self, text: str) -> list[float]:
        """The score to every text, by id."""
        coded = self._code(text)
        length = len(coded)
        return [
            f1_from_lcs(LCSseq.similarity(coded, other), length, len(other)) if length and other else 0.0
            for other in self._coded
        ]

    def top(self, text: str, k: int) -> list[tuple[float, int]]:
        """The k highest (score, id), descending; of equal scores the earlier first."""
        return top_of(self.scores(text), k)

    def mean(self, text: str) -> float:
        """Mean score over the pool (the original's `avg_similarity_score`)."""
        return pairwise_mean(self.scores(text))

    def _code(self, text: str) -> str:
        known = self._characters.get
        return "".join([known(token, _UNKNOWN) for token in self._tokens(text)])


def top_of(scores: Sequence[float], k: int) -> list[tuple[float, int]]:
    """The k highest (score, index), descending; of equal scores the earlier first."""
    best = heapq.nsmallest(k, range(len(scores)), key=lambda index: (-scores[index], index))
    return [(scores[index], index) for index in best]
