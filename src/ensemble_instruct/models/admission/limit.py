"""The limit of requests that a server gets at a time: how it rises and how it falls.

Additive increase, multiplicative decrease (AIMD, Chiu and Jain 1989), after a ramp that finds the server's capacity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ensemble_instruct.models.admission.burst import Burst

_HIGHEST_LIMIT = 1024
"""Most requests at a time, where the config names no ceiling."""
FIRST_LIMIT = 16
"""Requests at a time with which it begins there."""
_EASE_FROM = 4
"""Requests that a raised limit admits at once; the others follow by doublings."""
_EASE_SECONDS = 0.005
"""Seconds from one doubling to the next."""
_GREATEST_GROWTH = 16.0
"""By which factor the first round may raise the limit at most."""
_DRAINED_WITHIN = 2.0
"""Seconds in which the server, at the rate of the first round, must be able to work off what the new limit admits."""
_QUICK = 0.05
"""Seconds; where answers take less, a twofold limit a round is growth enough."""
_SLOWER = 1.1
"""By which factor a latency may be above that of the first round and still pass for the same."""
_QUEUEING = 1.25
"""By which factor it must at least be above it to show that requests queue up at the server."""
_ERRORS = 2.0
"""By how many standard errors of the mean it must be above it too, where answers are few."""
_ROOM = 1.4
"""The limit for each request that the server works on at the same time: a short queue keeps it busy."""
_FIRST_ROOM = 1.5
"""The same where it is lowered, by what is not known well yet."""
_TOO_SLOW = 1.6
"""By which factor a latency must be above the usual one, so that a lower limit is tried."""
_UNWORTHY = 1.0
"""The same, in seconds, with a ceiling that the config names: a shorter wait hurts nobody."""
_FAR_LOWER = 0.25
"""The same where it is lowered before a round is over."""
_MUCH_LOWER = 0.75
"""By which factor at least the limit that is tried is lower then."""
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


@dataclass(slots=True)
class Work:
    """Answers and their size, the seconds that all requests together spent at the server, and those of the answered.

    A long answer takes longer than a short one, so what is compared is the pace: seconds for each unit of size. By
    Little's law the seconds of all tell it; those of the answered tell it too. The former is too long when answers come
    in bursts, of which a part was not counted yet; the latter is too short at first, for quick answers come first.
    """

    answers: int = 0
    size: float = 0.0
    seconds: float = 0.0
    answered_seconds: float = 0.0

    def add(self, seconds: float, size: float) -> None:
        """Count one answer."""
        self.answers += 1
        self.size += size
        self.answered_seconds += seconds

    @property
    def latency(self) -> float:
        """Seconds of one answer, by Little's law."""
        return self.seconds / max(1, self.answers)

    @property
    def pace(self) -> float:
        """Seconds for each unit of size, by Little's law."""
        return self.seconds / (self.size or 1.0)

    @property
    def answered_pace(self) -> float:
        """The same over the answered."""
        return self.answered_seconds / (self.size or 1.0)

    def with_more(self, other: Work) -> Work:
        """Both together."""
        return Work(
            self.answers + other.answers,
            self.size + other.size,
            self.seconds + other.seconds,
            self.answered_seconds + other.answered_seconds,
        )

    def at_pace(self, pace: float) -> Work:
        """The same answers, had they come at that pace."""
        return Work(self.answers, self.size, pace * self.size, pace * self.size)

    def takes_longer_than(self, usual: Work) -> bool:
        """Whether the pace is slower, by either measure, by so much that chance does not explain it."""
        error = math.sqrt(1 / max(1, self.answers) + 1 / max(1, usual.answers))
        factor = max(_QUEUEING, 1 + _ERRORS * error)
        return self.pace > usual.pace * factor and self.answered_pace > usual.answered_pace * factor


@dataclass(slots=True, kw_only=True)
class Round:
    """The outcomes since the limit was last looked at; it is over after as many as the limit."""

    began: float | None = None
    outcomes: int = 0
    overloads: int = 0
    timeouts: int = 0
    has_spare: bool = False
    """Whether a place stayed empty: then it does not show what the server can do."""
    work: Work = field(default_factory=Work)

    def rate(self, now: float) -> float:
        """Size a second."""
        return self.work.size / max(1e-6, now - (self.began or now))

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


class Ramp:
    """How the limit rises, at the start and after a rest.

    A ceiling that the config names is trusted and reached within a few hundredths of a second; without one the limit
    begins at 16. Then, after each round, the latency is compared with that of the first round. As long as it is about
    the same, the limit is raised twofold; the first time up to sixteenfold, where the server works off that many within
    two seconds. Where it is longer, requests queue up there: by Little's law the server's capacity is the answers per
    second now times the latency at first, and the limit is set to one and a half times that. After the ramp the limit
    grows by one each round in which nothing queued up.
    """

    def __init__(self, ceiling: int | None, now: float) -> None:
        self.is_on = ceiling is None
        self._unworthy = 0.0 if ceiling is None else _UNWORTHY
        """Seconds of an answer below which the limit is not lowered for a queue."""
        self.ceiling = float(ceiling or _HIGHEST_LIMIT)
        self._usual = Work()
        """The rounds in which nothing queued up: what a latency is compared with."""
        self._eased_at: float | None = now
        """From when on a raised limit takes effect by doublings; None when it has taken effect."""

    def ease(self, now: float) -> None:
        """Let the limit take effect by doublings from now on."""
        self._eased_at = now

    def wait(self, now: float, places: int, limit: float) -> float | None:
        """Seconds until one more than `places` may go, where the limit has not taken effect yet; None where it has."""
        if self._eased_at is None:
            return None
        eased = _EASE_FROM * 2.0 ** min(64.0, (now - self._eased_at) / _EASE_SECONDS)
        if eased >= limit:
            self._eased_at = None
        elif places >= int(eased):
            return self._eased_at + _EASE_SECONDS * math.log2((places + 1) / _EASE_FROM) - now
        return None

    def raised(self, limit: float, ended: Round, seconds: float, now: float, *, by_size: bool) -> float:
        """The limit after a round of that many seconds in which all places were used.

        With `by_size`, an answer has been seen to take as long as its size says.
        """
        work = ended.work
        is_first = not self._usual.answers
        if is_first:
            # of the two measures one is too long at first, and the other too short unless the size explains the time
            self._usual = work.at_pace(work.answered_pace) if by_size else work
        queues_up = work.takes_longer_than(self._usual)
        if not self.is_on:
            return self._steady(limit, work, work.size / seconds, queues_up=queues_up)
        if queues_up:
            self.is_on = False
            # of a burst that the round cut in two, a part is not among its outcomes: what was in flight tells it too
            rate = max(work.size / seconds, work.seconds / seconds / work.answered_pace)
            return min(limit, max(float(FIRST_LIMIT), _FIRST_ROOM * rate * self._usual.pace))
        if 2 * work.answers < ended.outcomes or min(work.pace, work.answered_pace) > _SLOWER * self._usual.pace:
            return limit
        rate = (ended.outcomes - ended.overloads) / seconds
        growth = 2.0
        if limit <= FIRST_LIMIT and self._usual.latency >= _QUICK:
            growth = min(_GREATEST_GROWTH, max(growth, _DRAINED_WITHIN * rate / limit))
        # as if the doublings had begun in the past and had just reached the limit that was
        self.ease(now - _EASE_SECONDS * math.log2(max(1.0, limit / _EASE_FROM)))
        self.is_on = limit < self.ceiling
        if not is_first:
            self._usual = self._usual.with_more(work.at_pace(min(work.pace, work.answered_pace)))
        return min(self.ceiling, growth * limit)

    def _steady(self, limit: float, work: Work, rate: float, *, queues_up: bool) -> float:
        """The limit after a round that gave that size a second, once the ramp is over."""
        if self._usual.takes_longer_than(work):
            self._usual = work
        usual = self._usual.pace
        room = _lower(rate * usual)
        if (
            queues_up
            and work.latency > self._unworthy
            and work.pace > _TOO_SLOW * usual
            and room <= _MUCH_LOWER * limit
        ):
            return room
        is_short = work.pace * (limit + 1) <= _ROOM * usual * limit
        return min(self.ceiling, limit + 1) if is_short else limit

    def lowered_by(self, burst: Burst, limit: float, now: float) -> float | None:
        """A much lower limit, where the first requests queue up; what is usual is what the first of them took."""
        if burst.longest <= self._unworthy or (pace := burst.pace(now)) is None:
            return None
        self._usual = Work(burst.answers, 1.0).at_pace(pace)
        room = _lower(burst.rate(now) * pace)
        if room > _FAR_LOWER * limit:  # a whole round tells better what the server gives
            return None
        self.is_on = False
        return room

    def proven(self, pace: float, *, is_lower: bool) -> None:
        """A limit with which the pace is this one is right: what is usual must not speak against it."""
        usual = pace / _ROOM
        if usual < self._usual.pace if is_lower else usual > self._usual.pace:
            self._usual = self._usual.at_pace(usual)


def _lower(capacity: float) -> float:
    """The limit that is tried for a server that works on so many requests; one of them is no queue."""
    return max(1.0, _FIRST_ROOM * capacity - 0.5)


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
        """The limit, and whether the ramp was on, before the cuts in a row."""
        self._immune = 0
        """Rounds for which there is no further cut."""

    def judge(self, ended: Round) -> bool:
        """Look at a round that is over; whether its overloads are too many, so that the limit must be lowered."""
        self._immune = max(0, self._immune - 1)
        if ended.is_overloaded:
            return not self._immune
        self._share = 0.0
        return False

    def lowered(self, limit: float, ended: Round, ramp: Ramp, sent: int) -> float:
        """The limit after such a round; `sent` requests had been sent by then. It ends the ramp."""
        self.sent_before = sent
        share = ended.overloaded_share
        least, most = _UNCHANGED_FROM * self._share, _UNCHANGED_TO * self._share
        # a lower limit changed nothing: the refusals do not come from load
        if least < share < min(most, 1.0) and not ended.timeouts:
            limit, ramp.is_on = self._before
            self._share, self._immune = 0.0, _IMMUNE_ROUNDS
            return limit
        if not self._share:
            self._before = limit, ramp.is_on
        ramp.is_on, self._share = False, share
        if ended.timeouts:
            return max(min(limit, _LOWEST_AFTER_TIMEOUTS), limit * (1 - share) / 2)
        return max(1.0, limit * (1 - share))
