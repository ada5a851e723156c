"""Decontamination: which tasks and outputs hold a text of a benchmark, or are close to one.

Two rules, both exact, on words in plain letters (`plain_letters`):

* A run of 13 words in common is a hit. It may go on from one text of a benchmark's row into the next, and from one line
  of a paragraph into the next. A text of 8 to 12 words counts as one run of its own length; a shorter one has no run,
  for a few common words prove nothing.
* An instruction, an input, both together, or an output whose ROUGE-L F1 to a benchmark's text is above 0.7 is a hit;
  0.7 itself is not, as in step 1. An input or an output alone is looked at from 8 words on.

The task is looked at whole, instruction and input after each other: a question that was cut into both is found.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.quality.benchmark_texts import NumberedText, passages
from ensemble_instruct.quality.hit import Hit
from ensemble_instruct.quality.plain_letters import comparable_words

CONTAMINATED = "contaminated"
"""The reason of these drops."""
WORDS = 13
"""A run of this many words in common is a hit."""
FEWEST_WORDS = 8
"""Texts with fewer words have no run, and an input or an output alone is not compared."""
THRESHOLD = 0.7
"""ROUGE-L F1 above which two texts are close."""
_SHOWN = 300
"""Characters of a benchmark's text that a drop shows."""


class Benchmarks:
    """The texts of some files, and the question whether a task or an output is contaminated by them."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read the files; raises `InputFileError`, which names file and row, for what cannot be read."""
        from ensemble_instruct.quality.ngrams import NgramIndex  # NumPy takes a tenth of a second to import

        self._tokens = lru_cache(maxsize=64)(comparable_words)  # run and pool ask for the same few texts in turn
        self._labels, self._starts = _labels(paths), [0]
        self._rows, self._places = array("Q"), array("Q")
        self._pool = NoveltyPool(tokens=self._tokens, threshold=THRESHOLD)
        self._ngrams = NgramIndex(self._taken_in(paths), WORDS, FEWEST_WORDS)

    def __len__(self) -> int:
        """How many texts they hold, equal ones too."""
        return len(self._rows)

    def task_hit(self, instruction: str, task_input: str) -> Hit | None:
        """The hit of an instruction with its input: a run of words first, then the closest text."""
        whole = f"{instruction}\n{task_input}" if task_input.strip() else instruction
        return self._run_hit(whole) or self._closest_hit([instruction, whole, *self._long_enough(task_input)])

    def output_hit(self, text: str) -> Hit | None:
        """The hit of an output: a run of words first, then the closest text."""
        return self._run_hit(text) or self._closest_hit(self._long_enough(text))

    def _long_enough(self, text: str) -> list[str]:
        return [text] if len(self._tokens(text)) >= FEWEST_WORDS else []

    def _run_hit(self, text: str) -> Hit | None:
        tokens = self._tokens(text)
        run = self._ngrams.first(tokens)
        if run is None:
            return None
        words = " ".join(tokens[run.start : run.start + run.length])
        return Hit(CONTAMINATED, f"{self._where(run.text)}: the same {run.length} words: {words}")

    def _closest_hit(self, texts: Sequence[str]) -> Hit | None:
        close = [nearest for text in dict.fromkeys(texts) if (nearest := self._pool.above(text, THRESHOLD))]
        if not close:
            return None
        score, number = min(close, key=lambda nearest: (-nearest[0], nearest[1]))
        text = " ".join(self._pool[number].split())
        return Hit(CONTAMINATED, f"{self._where(self._places[number])}: ROUGE-L {score:.3f} to: {text[:_SHOWN]}")

    def _taken_in(self, paths: Sequence[Path]) -> Iterator[Iterator[list[str]]]:
        """The words of the texts of each passage, while they are taken into the pool, each different one once."""
        known: set[str] = set()

        def words_of(passage: Iterable[NumberedText]) -> Iterator[list[str]]:
            for row, text in passage:
                tokens = self._tokens(text)
                if tokens and text not in known:
                    known.add(text)
                    self._pool.add(text)
                    self._places.append(len(self._rows))
                self._rows.append(row)
                yield tokens

        for path in paths:
            yield from map(words_of, passages(path))
            self._starts.append(len(self._rows))

    def _where(self, number: int) -> str:
        file = bisect_right(self._starts, number) - 1
        return f"{self._labels[file]} row {self._rows[number]}"


def require_benchmarks(paths: Sequence[Path]) -> None:
    """Read the files once; raises `InputFileError` for what cannot be read as texts."""
    for path in paths:
        for passage in passages(path):
            for _ in passage:
                pass


def _labels(paths: Sequence[Path]) -> list[str]:
    """The name of each file, with as many of its folders as tell it from another of the same name."""
    names = [path.name for path in paths]
    for depth in range(2, max((len(path.parts) for path in paths), default=0) + 1):
        names = [
            name if names.count(name) == 1 else "/".join(path.parts[-depth:])
            for path, name in zip(paths, names, strict=True)
        ]
    return names
