"""What the first requests tell of a server: how long one takes there before a queue is in front of it.

They are sent at about the same time. Where the server works on all of them, the later ones take as long as the first;
where they queue up, each later one takes longer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_FEWEST = 5
"""Answers from which on a trend is believed."""
_SURE = 3.0
"""By how many standard errors the trend must differ from none."""
_SETTLED = 3.0
"""Times of the first request that must have passed, so that the answers by then tell how many the server gives."""


class Burst:
    """The requests that were sent before the first answer came, in the order in which they were sent."""

    def __init__(self, now: float) -> None:
        self.is_on = True
        self._began = now
        self._size, self._given = 0, 0.0
        self._answered: dict[int, tuple[float, float]] = {}
        """By place in that order: the seconds and the size of the answer; in the order of the answers."""

    @property
    def is_done(self) -> bool:
        """Whether all are answered."""
        return len(self._answered) >= self._size

    def sent(self, now: float) -> None:
        """A request goes."""
        if not self._size:
            self._began = now
        if self.is_on and not self._answered:
            self._size += 1

    def answered(self, place: int, seconds: float, size: float) -> None:
        """An answer came."""
        if not self.is_on:
            return
        self._given += size
        if 0 < place <= self._size:
            self._answered[place] = seconds, size

    def is_settled(self, now: float) -> bool:
        """Whether enough time has passed to judge, though not all may be answered."""
        if not self.is_on or len(self._answered) < _FEWEST:
            return False
        seconds, size = next(iter(self._answered.values()))
        mean = sum(each for _, each in self._answered.values()) / len(self._answered)
        return now - self._began >= _SETTLED * seconds * mean / size

    @property
    def longest(self) -> float:
        """Seconds of the slowest answer."""
        return max((seconds for seconds, _ in self._answered.values()), default=0.0)

    def rate(self, now: float) -> float:
        """Size a second of what has been answered."""
        return self._given / max(1e-6, now - self._began)

    def pace(self, now: float) -> float | None:
        """Seconds for each unit of size while nothing queues up; None where the answers show no queue.

        The first answers count, as many as the server works on at the same time by what they themselves tell;
        those that were sent first need not be among them.
        """
        if not self._has_trend():
            return None
        first, rate = 16, self.rate(now)
        while True:
            known = list(self._answered.values())[:first]
            pace = sum(seconds for seconds, _ in known) / sum(size for _, size in known)
            if first == 1 or rate * pace >= first:
                return pace
            first //= 2

    def _has_trend(self) -> bool:
        """Whether those that were sent later took longer, by more than chance and their size explain."""
        count = len(self._answered)
        if count < _FEWEST:
            return False
        places = list(map(float, self._answered))
        times, sizes = zip(*self._answered.values(), strict=True)
        by_size = _correlation(places, sizes), _correlation(times, sizes)
        explained = math.sqrt((1 - by_size[0] ** 2) * (1 - by_size[1] ** 2))
        trend = (_correlation(places, times) - by_size[0] * by_size[1]) / max(1e-9, explained)
        return trend > 0 and trend * math.sqrt((count - 3) / max(1e-9, 1 - trend * trend)) > _SURE


def _correlation(these: Sequence[float], those: Sequence[float]) -> float:
    """Of 0 to 1, or down to -1; 0 where one of the two is always the same."""
    this, that = sum(these) / len(these), sum(those) / len(those)
    both = sum((x - this) * (y - that) for x, y in zip(these, those, strict=True))
    spread = math.sqrt(sum((x - this) ** 2 for x in these) * sum((y - that) ** 2 for y in those))
    return both / spread if spread > 1e-9 * abs(this * that) * len(these) else 0.0
