"""What step 5 has kept, in numbers: whose outputs, how long they are, what they agree by, and how much by length."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import sqrt

from ensemble_instruct.records import Basis, Example, Rejected
from ensemble_instruct.rouge import word_count

KEPT = "kept"
"""The name under which a run notes it."""
BASES: Mapping[Basis, str] = {"text": "whole texts", "answer": "short answers", "result": "results"}
"""What outputs agree by, in words."""
LONG_TEXTS = (
    "For outputs of over 50 words that agree by their whole texts, confidence was found to rank hardly at all: "
    "there the threshold only removes outliers."
)
"""What is to be known of such rows."""
_BANDS = ("up to 5 words", "6 to 50 words", "over 50 words")
_PARTS = 1_000_000
"""Of a whole: agreement is summed up in whole parts, so that no order of the examples makes a difference."""
_FEW, _SOME = 5, 50
"""The most words of an output in the first band, and in the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBand:
    """How much the chosen outputs of a length agree with the others."""

    words: str
    rows: int
    mean: float
    deviation: float
    """The standard deviation of the agreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The examples of a run, in numbers."""

    examples: int
    won: Mapping[str, int]
    """For each voter how many of them have its text."""
    bases: Mapping[Basis, int]
    """How many agree by what."""
    lengths: tuple[LengthBand, ...]
    """By words of the output, the shortest first; lengths that no output has are left out."""
    caution: str
    """`LONG_TEXTS` where there are such rows; else empty."""


@dataclass(slots=True)
class KeptCounts:
    """The same, counted row by row, and mean words of all outputs that step 5 looked at: agreement favours short ones.

    `str` is these means as a sentence.
    """

    _before: int = 0
    _outputs: int = 0
    _after: int = 0
    """Words of all outputs, their number, and words of those that were kept."""
    _won: Counter[str] = field(default_factory=Counter)
    _bases: Counter[Basis] = field(default_factory=Counter)
    _sums: list[list[int]] = field(default_factory=lambda: [[0, 0, 0] for _ in _BANDS])
    """For each length the number of rows, and the sums of their agreement and of its square."""
    _long_texts: int = 0

    def add(self, record: Example | Rejected) -> None:
        """Count a record of step 5."""
        self._before += sum(word_count(candidate.text) for candidate in record.candidates)
        self._outputs += len(record.candidates)
        if isinstance(record, Example):
            self._add_example(record)

    def _add_example(self, example: Example) -> None:
        words = word_count(example.output)
        self._after += words
        band = (words > _FEW) + (words > _SOME)
        sums = self._sums[band]
        parts = round(_PARTS * example.agreement)
        for place, value in enumerate((1, parts, parts**2)):
            sums[place] += value
        self._won.update(example.winners)
        self._bases[example.basis] += 1
        # what models have rated has another confidence
        self._long_texts += words > _SOME and example.basis == "text" and not example.ratings

    @property
    def means(self) -> tuple[float, float] | None:
        """Mean words of all outputs, and of those kept; None where nothing was kept."""
        examples = self._bases.total()
        return (self._before / self._outputs, self._after / examples) if examples else None

    def __str__(self) -> str:
        return words_line(*self.means) if self.means else ""

    @property
    def kept(self) -> Kept:
        """What was counted so far."""
        return Kept(
            examples=self._bases.total(),
            won=dict(sorted(self._won.items())),
            bases={basis: self._bases[basis] for basis in BASES if self._bases[basis]},
            lengths=tuple(_band(words, *sums) for words, sums in zip(_BANDS, self._sums, strict=True) if sums[0]),
            caution=LONG_TEXTS if self._long_texts else "",
        )


def words_line(before: float, after: float) -> str:
    """The two means as a sentence."""
    return f"outputs have {before:.1f} words on average, those kept {after:.1f}"


def _band(words: str, rows: int, total: int, squares: int) -> LengthBand:
    # by whole numbers up to the root: the difference is exact
    deviation = sqrt(rows * squares - total**2) / rows
    return LengthBand(words=words, rows=rows, mean=total / rows / _PARTS, deviation=deviation / _PARTS)


def noted_kept(kept: Kept) -> dict[str, str]:
    """The note of a run about what it has kept."""
    return {KEPT: json.dumps(asdict(kept))}


def kept_of(meta: Mapping[str, str]) -> Kept | None:
    """What the notes of a run say that it has kept; None until it has ended, and for one of an older version."""
    if meta.get("state") != "finished" or KEPT not in meta:
        return None
    known = json.loads(meta[KEPT])
    return Kept(**{**known, "lengths": tuple(LengthBand(**band) for band in known["lengths"])})
