"""Mean agreement of each two voters, over rows that not all of them answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeanMatrix:
    """Mean agreement of each two voters; None where they never answered the same instance."""

    voters: tuple[str, ...]
    means: tuple[tuple[float | None, ...], ...]
    rows: int
    """Of how many instances."""


class AgreementSums:
    """Adds up the matrices of rows, whose voters may differ, by pairs of voters."""

    def __init__(self, voters: Sequence[str]) -> None:
        self._voters = tuple(voters)
        self._places = {name: place for place, name in enumerate(voters)}
        size = len(voters)
        self._sums = [[0.0] * size for _ in range(size)]
        self._rows = [[0] * size for _ in range(size)]
        self._all = 0

    def add(self, names: Sequence[str], flat: Sequence[float], rows: int) -> None:
        """Add rows with outputs of the voters `names`; `flat` is the sum of their matrices, row by row."""
        self._all += rows
        size = len(names)
        for i, first in enumerate(names):
            for j, second in enumerate(names):
                if i != j and first in self._places and second in self._places:
                    at, of = self._places[first], self._places[second]
                    self._sums[at][of] += flat[i * size + j]
                    self._rows[at][of] += rows

    def matrix(self) -> MeanMatrix | None:
        """The means; None without any row, or with less than two voters."""
        if not self._all or len(self._voters) < 2:
            return None
        means = tuple(
            tuple(total / rows if rows else None for total, rows in zip(*pair, strict=True))
            for pair in zip(self._sums, self._rows, strict=True)
        )
        return MeanMatrix(self._voters, means, self._all)
