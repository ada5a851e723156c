"""How the limit of requests that a server gets at a time falls where it refuses them, and takes effect where it rises.

Additive increase, multiplicative decrease (AIMD, Chiu and Jain 1989); `climb` has the increase.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ensemble_instruct.models.admission.climb import Climb

_EASE_FROM = 4
"""Requests that a raised limit admits at once; the others follow by doublings."""
_EASE_SECONDS = 0.005
"""Seconds from one doubling to the next."""
_OVERLOADED_SHARE = 0.15
"""More such outcomes in a round lower the limit."""
_RARE = 0.1
"""A share of such outcomes up to which each gives its place back at once."""
_UNCHANGED_FROM = 0.75
"""From this factor on, the share of refusals counts as unchanged by a lower limit."""
_UNCHANGED_TO = 1.5
"""Up to this factor it does."""
_IMMUNE_ROUNDS = 16
"""For how many rounds refusals that do not come from load do not lower the limit again."""
_SMALLEST_ROUND = 10
"""Outcomes of a round, where the limit is lower."""
_LOWEST_AFTER_TIMEOUTS = 4
"""A limit below which time-outs do not bring it: one place may hang for as long as a request may take."""
_FIRST_HOLD = 0.25
"""Seconds that an answer is taken to need before the first one has come."""
_LONGEST_HOLD = 1.0
"""Seconds for which a failed request keeps its place at most."""


@dataclass(slots=True, kw_only=True)
class Round:
    """The outcomes since the limit was last looked at; it is over after as many as the limit."""

    began: float | None = None
    outcomes: int = 0
    overloads: int = 0
    timeouts: int = 0
    has_spare: bool = False
    """Whether a place stayed empty: then it does not show what the server can do."""

    @property
    def overloaded_share(self) -> float:
        """Of the outcomes, how many say that the server is overloaded."""
        return self.overloads / self.outcomes

    @property
    def is_overloaded(self) -> bool:
        """Whether these are too many."""
        return self.overloaded_share > _OVERLOADED_SHARE

    def is_over(self, limit: float) -> bool:
        """Whether there are as many outcomes as the limit."""
        return self.outcomes >= max(limit, _SMALLEST_ROUND)

    def hold(self, usual_latency: float | None, seconds: float) -> float:
        """For how long a request that failed after some seconds keeps its place, so as to fill it as an answer does.

        A refusal or an error comes at once where an answer takes long. Refusals are so weighed by the places they fill,
        and a server that fails gets no more requests than one that answers.
        """
        if self.overloads <= _RARE * (self.outcomes + _SMALLEST_ROUND):
            return 0.0
        return max(0.0, min(usual_latency or _FIRST_HOLD, _LONGEST_HOLD) - seconds)


class Easing:
    """How a raised limit takes effect: by doublings, within a few hundredths of a second."""

    def __init__(self, now: float) -> None:
        self._began: float | None = now
        """From when on; None when the limit has taken effect."""

    def begin(self, now: float, limit: float = 0.0) -> None:
        """Let the limit take effect by doublings from now on, as if they had just reached this one."""
        self._began = now - _EASE_SECONDS * math.log2(max(1.0, limit / _EASE_FROM))

    def wait(self, now: float, places: int, limit: float) -> float | None:
        """Seconds until one more than `places` may go, where the limit has not taken effect yet; None where it has."""
        if self._began is None:
            return None
        eased = _EASE_FROM * 2.0 ** min(64.0, (now - self._began) / _EASE_SECONDS)
        if eased >= limit:
            self._began = None
        elif places >= int(eased):
            return self._began + _EASE_SECONDS * math.log2((places + 1) / _EASE_FROM) - now
        return None


class Cuts:
    """How the limit falls.

    When more than 15 % of a round's outcomes say that the server is overloaded (429, 503, 504, 529, time-outs), the
    limit is multiplied by the share that was served. A refusal now and then is no reason to slow down; and when a lower
    limit leaves the share of refusals as it was, they do not come from load, and the limit is put back.
    """

    def __init__(self) -> None:
        self.sent_before = 0
        """Outcomes of requests that were sent before the last cut say nothing of the lower limit."""
        self._share = 0.0
        """Of the overloads in the round of the last cut; 0 when a round since then had few."""
        self._before = 0.0, False
        """The limit, and whether the first climb was on, before the cuts in a row."""
        self._immune = 0
        """Rounds for which there is no further cut."""

    def judge(self, ended: Round) -> bool:
        """Look at a round that is over; whether its overloads are too many, so that the limit must be lowered."""
        self._immune = max(0, self._immune - 1)
        if ended.is_overloaded:
            return not self._immune
        self._share = 0.0
        return False

    def lowered(self, limit: float, ended: Round, climb: Climb, sent: int) -> float:
        """The limit after such a round; `sent` requests had been sent by then. It ends the first climb."""
        self.sent_before = sent
        share = ended.overloaded_share
        least, most = _UNCHANGED_FROM * self._share, _UNCHANGED_TO * self._share
        # a lower limit changed nothing: the refusals do not come from load
        if least < share < min(most, 1.0) and not ended.timeouts:
            limit, climb.is_on = self._before
            self._share, self._immune = 0.0, _IMMUNE_ROUNDS
            return limit
        if not self._share:
            self._before = limit, climb.is_on
        climb.is_on, self._share = False, share
        if ended.timeouts:
            return max(min(limit, _LOWEST_AFTER_TIMEOUTS), limit * (1 - share) / 2)
        return max(1.0, limit * (1 - share))
