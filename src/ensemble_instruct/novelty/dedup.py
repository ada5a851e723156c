"""Exact near-duplicate removal in a user's own texts or dataset, by the question that step 1 asks of instructions."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path

from ensemble_instruct.errors import UsageError
from ensemble_instruct.files.dataset import Dataset, open_dataset
from ensemble_instruct.files.jsonl import JsonRow, RowSpool
from ensemble_instruct.files.opening import require_packing
from ensemble_instruct.files.places import require_writable
from ensemble_instruct.novelty.pool import NoveltyPool

Progress = Callable[[Iterable[str], int, str], Iterable[str]]
"""Passes texts on and shows how many have gone by: (texts, how many there are, title) to the same texts."""


@dataclass(frozen=True, slots=True)
class DedupSummary:
    """How many rows stayed, and how many did not."""

    kept: int
    dropped: int


def dedup(texts: Iterable[str], threshold: float = 0.7, against: Iterable[str] = ()) -> list[int]:
    """The places of the texts that stay, in order: those no closer than `threshold` to an earlier one that stays.

    >>> dedup(["Name a fruit.", "name a fruit", "List three rivers of Europe."])
    [0, 2]

    How close two are is their exact ROUGE-L F1 with the words of every script; nor may a text be closer to one of
    `against`. A text without words scores 0, so it stays. Raises `UsageError` for a threshold that is not above 0, up
    to 1, and for what is no text.
    """
    if not (isinstance(threshold, int | float) and 0 < threshold <= 1):
        raise UsageError(f"threshold {threshold!r}: give a number above 0, up to 1")
    pool = NoveltyPool(_checked(against, "against"), threshold)
    places = []
    for place, text in enumerate(_checked(texts, "texts")):
        if pool.is_novel(text, threshold):
            pool.add(text)
            places.append(place)
    return places


def _checked(texts: Iterable[str], name: str) -> Iterator[str]:
    """The same texts, each of them looked at; a single text in place of them would be taken for its letters."""
    if isinstance(texts, str):
        raise UsageError(f"{name}: expected texts, found the one text {texts[:50]!r}; put it into a list")
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"{name}[{place}]: must be a string, found {text!r}")
        yield text


def dedup_file(
    path: Path,
    to: Path,
    threshold: float,
    shown: Progress,
    *,
    column: str | None = None,
    against: Sequence[Path] = (),
    report: Path | None = None,
) -> DedupSummary:
    """Write the rows of `path` whose text scores no more than `threshold` to each earlier row kept and to `against`.

    Scores are exact ROUGE-L F1; a text without words scores 0. Rows are written unchanged, in the same form: see
    `Dataset.save`.
    `report` gets a row for each that was dropped: its number, text and score, and the nearest text with file and row.
    Raises `InputFileError` for a file that cannot be read or written.
    """
    dataset, others = open_dataset(path, column), [open_dataset(other) for other in against]
    require_writable(to, path, *against)
    require_packing(to)
    if report is not None:
        require_writable(report, path, to, *against)
    origins = _Origins([*others, dataset])
    earlier = chain.from_iterable(shown(other.texts(), len(other), f"reading {other.path}") for other in others)
    pool = NoveltyPool(earlier, threshold)
    keep = bytearray()
    with RowSpool(report) if report else nullcontext() as drops:
        for text in shown(dataset.texts(), len(dataset), "dedup"):
            closest = pool.above(text, threshold)
            keep.append(closest is None)
            if closest is None:
                pool.add(text)
                origins.add(len(keep))
            elif drops is not None:
                score, nearest = closest
                row = {"row": len(keep), "text": text, "score": score, "nearest": pool[nearest]}
                drops.add(row | origins.of(nearest))
        dataset.save(keep, to)
        if drops is not None:
            drops.save()
    return DedupSummary(sum(keep), len(keep) - sum(keep))


class _Origins:
    """Where the texts of a pool come from: whole datasets, then the rows kept of the last one."""

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        self._datasets = datasets
        self._ends = list(accumulate(len(dataset) for dataset in datasets[:-1]))
        self._rows = array("Q")

    def add(self, row: int) -> None:
        """Note the row of the last dataset, from 1, of the text that was added last."""
        self._rows.append(row)

    def of(self, text_id: int) -> JsonRow:
        """The file and the row, from 1, of a text."""
        number = bisect_right(self._ends, text_id)
        place = text_id - (self._ends[number - 1] if number else 0)
        row = self._rows[place] if number == len(self._ends) else place + 1
        return {"nearest_row": row, "nearest_file": str(self._datasets[number].path)}
