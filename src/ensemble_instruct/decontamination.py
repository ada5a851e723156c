"""Benchmarks, and which tasks and outputs hold one of their texts or are close to one.

Two rules, both exact, on the words that the novelty filter compares (`word_tokens`):

* A run of 13 words in common is a hit. A benchmark's text of 8 to 12 words counts as one run of its own length; a
  shorter one has no run, for a few common words prove nothing.
* An instruction, an input, or both together whose ROUGE-L F1 to a benchmark's text is above 0.7 is a hit; 0.7 itself
  is not, as in step 1. An input alone is looked at from 8 words on.

The task is looked at whole: instruction and input after each other, so that a question that was cut into both is found.
"""

from __future__ import annotations

import codecs
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

from ensemble_instruct.ballots import Hit
from ensemble_instruct.errors import InputFileError
from ensemble_instruct.novelty import NoveltyPool
from ensemble_instruct.similarity import word_tokens
from ensemble_instruct.tables import is_parquet, open_table

CONTAMINATED = "contaminated"
WORDS, FEWEST_WORDS, THRESHOLD = 13, 8, 0.7
_JSON_LINES = (".jsonl", ".json", ".ndjson")
_SHOWN = 300
"""Characters of a benchmark's text that a drop shows."""


class Benchmarks:
    """The texts of some files, and the question whether a text is contaminated by them."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read the files; raises `InputFileError`, which names file and row, for what cannot be read."""
        from ensemble_instruct.ngrams import NgramIndex  # NumPy takes a tenth of a second to import

        self._tokens = lru_cache(maxsize=64)(word_tokens)
        self._labels = _labels(paths)
        counts: list[int] = []
        self._pool = NoveltyPool(self._tokens, _counted(paths, counts), THRESHOLD)
        self._starts = list(accumulate(counts, initial=0))
        texts = (self._tokens(self._pool[number]) for number in range(len(self._pool)))
        self._ngrams = NgramIndex(texts, WORDS, FEWEST_WORDS)

    def __len__(self) -> int:
        return len(self._pool)

    def task_hit(self, instruction: str, given: str) -> Hit | None:
        """The hit of an instruction with its input: a run of words first, then the closest text."""
        whole = f"{instruction}\n{given}" if given.strip() else instruction
        if hit := self.output_hit(whole):
            return hit
        texts = dict.fromkeys([instruction, whole, *([given] if len(self._tokens(given)) >= FEWEST_WORDS else [])])
        found = [closest for text in texts if (closest := self._pool.above(text, THRESHOLD))]
        if not found:
            return None
        score, number = min(found, key=lambda closest: (-closest[0], closest[1]))
        text = " ".join(self._pool[number].split())
        return Hit(CONTAMINATED, f"{self._where(number)}: ROUGE-L {score:.3f} to: {text[:_SHOWN]}")

    def output_hit(self, text: str) -> Hit | None:
        """The hit of a text by a run of words alone: what an output says need not be close to be a leak."""
        tokens = self._tokens(text)
        run = self._ngrams.first(tokens)
        if run is None:
            return None
        words = " ".join(tokens[run.start : run.start + run.length])
        return Hit(CONTAMINATED, f"{self._where(run.text)}: the same {run.length} words: {words}")

    def _where(self, number: int) -> str:
        file = bisect_right(self._starts, number) - 1
        return f"{self._labels[file]} row {number - self._starts[file] + 1}"


def require_benchmarks(paths: Sequence[Path]) -> None:
    """Read the files once; raises `InputFileError` for what cannot be read as texts."""
    for _ in _counted(paths, []):
        pass


def _counted(paths: Sequence[Path], counts: list[int]) -> Iterator[str]:
    """The texts of the files, in order; `counts` gets the number of each when it was read."""
    for path in paths:
        count = 0
        for text in _texts(path):
            count += 1
            yield text
        counts.append(count)


def _texts(path: Path) -> Iterator[str]:
    """The text of each row: of JSON Lines and Parquet as `open_table` finds it, else each line is one."""
    if is_parquet(path) or path.suffix.lower() in _JSON_LINES or _begins_with_object(path):
        return open_table(path).texts()
    return _lines(path)


def _begins_with_object(path: Path) -> bool:
    with path.open("rb") as file:
        first = next((line for line in file if line.strip()), b"")
    return first.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise InputFileError(f"{path}:{number}: not UTF-8; save the file as UTF-8") from error


def _labels(paths: Sequence[Path]) -> list[str]:
    """The name of each file, with its folder where another has the same name."""
    names = [path.name for path in paths]
    return [path.name if names.count(path.name) == 1 else f"{path.parent.name}/{path.name}" for path in paths]
