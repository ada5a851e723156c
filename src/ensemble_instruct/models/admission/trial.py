"""Another limit, tried: whether the server gives more with a higher one, or as much with a lower one.

What counts is the size of all answers in a second (by their tokens, `Work`), not their latency: a server that works on
many requests together takes longer for each and gives more all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ensemble_instruct.models.admission.limit import Round, Work

_AS_MUCH = 0.97
"""A lower limit with which the server gives this share of what it gave, or more, is kept."""
_NEARLY = 0.95
"""The same, where chance cannot be told from a difference after the longest trial."""
_MORE = 1.03
"""A higher limit must give that much more."""
_SHORTEST, _LONGEST = 3.0, 8.0
"""Answers of a trial, for each place of the limit."""
_FEWEST, _ENOUGH = 10, 24
"""Answers of a trial at least; and after which it ends, where the limit is low."""
_SPREAD = 1.2
"""Relative error of a rate, for one answer and one request in flight: lengths differ about as much as their mean."""
_HIGHER_AFTER, _LOWER_AFTER, _RAREST = 12, 64, 256
"""Rounds until a higher or a lower limit is tried, and most of them."""
_STEP_UP, _STEP_DOWN = 1.25, 0.7
"""How much higher or lower that one is."""
_IF_DUE = 2
"""How much longer a trial takes for which nothing but the time speaks."""
_FADING = 0.9
"""How much a round still weighs in the rate of a limit, one round later."""
_CUT_OFF = 0.25
"""The share of the requests in flight by which a round may end too early or too late, where answers come together."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A limit that is tried, instead of the one before, with which the server gave `rate`."""

    limit: float
    before: float
    rate: float
    is_due: bool = False
    """Whether nothing but the time speaks for it."""

    @property
    def is_lower(self) -> bool:
        """Whether less is tried."""
        return self.limit < self.before

    def verdict(self, so_far: Round, now: float) -> bool | None:
        """Whether to keep the limit; None while that is not clear."""
        answers = so_far.work.answers
        if so_far.began is None or answers < _FEWEST:
            return None
        ratio = so_far.rate(now) / self.rate
        error = max(_SPREAD * math.sqrt(self.limit), _CUT_OFF * self.limit) / answers
        if ratio + 2 * error < (_AS_MUCH if self.is_lower else _MORE):
            return False
        patience = _IF_DUE if self.is_due and self.is_lower else 1
        if answers < patience * _SHORTEST * self.limit:
            return None
        is_long = answers >= patience * max(_ENOUGH, (_LONGEST if self.is_lower else _SHORTEST) * self.limit)
        if self.is_lower:
            is_kept = ratio >= (_NEARLY if is_long else _AS_MUCH)
        else:
            is_kept = ratio >= (_MORE + 2 * error if is_long else 1 + 2 * error)
        return True if is_kept else False if is_long else None


@dataclass(slots=True)
class Level:
    """What the server gives with a limit, over the rounds for which it stays the same."""

    limit: float
    size: float = 0.0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Size a second."""
        return self.size / max(1e-6, self.seconds)

    def add(self, work: Work, seconds: float) -> None:
        """Count a round; those before it weigh less each time."""
        self.size = work.size + _FADING * self.size
        self.seconds = seconds + _FADING * self.seconds


class Trials:
    """When another limit is tried, and what has come of it.

    A higher one after so many rounds in which the limit stayed as it was, and at once after one that was kept; a lower
    one seldom, for it costs something where nothing queues up. Each that was taken back makes the next one rarer.
    """

    def __init__(self) -> None:
        self.on: Trial | None = None
        self._higher_after, self._lower_after = _HIGHER_AFTER, _LOWER_AFTER
        self._for_higher, self._for_lower = 0, 0
        """Rounds since the last of each."""

    def due(self, limit: float, ceiling: float) -> float | None:
        """After a round in which the limit was not lowered: what to try now, if anything."""
        self._for_higher += 1
        self._for_lower += 1
        if self._for_higher >= self._higher_after and limit < ceiling:
            return min(ceiling, max(limit + 1, _STEP_UP * limit))
        if self._for_lower >= self._lower_after and limit >= 2:
            return float(min(int(limit) - 1, math.ceil(_STEP_DOWN * limit)))
        return None

    def ended(self, trial: Trial, *, keep: bool = False) -> float:
        """That trial is over, and its limit kept or not. Returns the limit."""
        self.on = None
        if trial.is_lower:
            self._for_lower = 0
            if not keep:
                self._lower_after = min(_RAREST, max(_LOWER_AFTER, 2 * self._lower_after))
            elif trial.is_due:
                self._lower_after = 1
            if keep:  # in case it was kept by chance
                self._for_higher, self._higher_after = 0, _HIGHER_AFTER // 3
        else:
            self._for_higher = 0
            self._higher_after = 1 if keep else min(_RAREST, max(_HIGHER_AFTER, 3 * self._higher_after))
        return trial.limit if keep else trial.before
