"""The limit with which a server gives most: hill climbing on its tokens a second, one trial after the other.

A server that works on many requests together takes longer for each and gives more all the same; one that queues them
takes longer and gives no more. Latency does not tell the two apart, so it only says which limit to try next (by
Little's law), and what the server gives with that one decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ensemble_instruct.models.admission.burst import Burst

HIGHEST_LIMIT = 1024
"""Most requests at a time, where the config names no ceiling."""
FIRST_LIMIT = 16
"""Requests at a time with which it begins there."""
_GREATEST_GROWTH = 4.0
"""By which factor the first step may raise the limit at most; each later one is a doubling."""
_FIRST_GROWTH = 16.0
"""The same where answers take less than this:"""
_SHORT = 0.12
"""Seconds."""
_DRAINED_WITHIN = 2.0
"""Seconds in which the server, at its rate so far, must be able to work off what that step admits."""
_QUICK = 0.05
"""Seconds; where answers take less, a twofold limit is growth enough."""
_SLOWER = 1.1
"""By which factor a pace may be above another and still pass for the same."""
_CLEARLY_SLOWER = 1.3
"""The same, where it shows a queue."""
_MORE, _AS_MUCH = 1.01, 0.98
"""A higher limit must give that many times as much, and a lower one as little, to be kept."""
_SURE = 1.5
"""Standard errors by which a rate must differ from that, so that the trial ends early."""
_DEPENDENT = 1.5
"""How much greater that error is than if no answer had to do with the one before."""
_FEWEST, _MOST, _ROUNDS = 10, 32, 4
"""Answers of a trial at least, and at most where the limit is low; and where it is high, for each place."""
_HALF = 0.5
"""The share of what a step up might give, below which a lower limit is tried first."""
_REMEMBERED = 8
"""Rounds after which the answers so far count half."""
_FULL = 0.5
"""The share of the limit that must be in flight, or it is not the limit that holds the server back."""
_ROOM = 1.5
"""The limit for each request that the server works on at the same time: a short queue keeps it busy."""
_WORTHWHILE = 0.86
"""A lower limit is tried where it is at most this share."""
_FAR_LOWER = 0.25
"""The same before the first round is over."""
_KNOWN = 0.02
"""The error of a rate up to which another limit may be compared with it after a single round."""
_ROUGHLY_KNOWN = 0.1
"""The same before the first step, which is a great one."""
_UNWORTHY = 1.0
"""Seconds of an answer below which a ceiling that the config names is not left: a shorter wait hurts nobody."""
_EXACT = 0.003
"""The same for the verdict: no queue is seen at all."""
_BIAS = 0.05
"""By how much a rate must differ from what is wanted after a single round, where it is not that exact."""
_UNEXPLAINED = 0.01
"""An error of the pace above which it has parts that the size does not explain: a queue, maybe."""
_STEP_DOWN = 0.75
"""How much lower is tried then."""
_STEP = 1.25
"""How much higher is tried now and then, once the first climb is over."""
_HIGHER_AFTER, _RAREST = 12, 256
"""Rounds until that is done, and most of them."""
_ADDED = 1.4
"""Up to which factor above the usual pace the limit grows by one each round, after a cut."""


@dataclass(slots=True)
class Probe:
    """What a server gives with a limit, by the answers to requests from the place `first` on, in the order of all.

    Those sent before met the queue of another limit. By Little's law the rate is what is in flight for the pace,
    seconds for each unit of size: that differs less by chance than what is counted in a while.
    """

    limit: float
    first: int = 0
    began: float | None = None
    busy: float = 0.0
    """The seconds of all requests in flight, when it began."""
    answers: int = 0
    size: float = 0.0
    seconds: float = 0.0
    _squares: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Sums of seconds by seconds, seconds by size and size by size."""

    def sent(self, place: int, now: float, busy: float) -> None:
        """A request goes."""
        if self.began is None and place >= self.first:
            self.began, self.busy = now, busy

    def add(self, place: int, seconds: float, size: float) -> None:
        """An answer came."""
        if self.began is None or place < self.first:
            return
        if self.answers >= _REMEMBERED * max(_MOST, self.limit):
            self.answers, self.size, self.seconds = self.answers // 2, self.size / 2, self.seconds / 2
            self._squares = self._squares[0] / 2, self._squares[1] / 2, self._squares[2] / 2
        self.answers += 1
        self.size += size
        self.seconds += seconds
        first, both, second = self._squares
        self._squares = first + seconds * seconds, both + seconds * size, second + size * size

    @property
    def pace(self) -> float:
        """Seconds for each unit of size."""
        return self.seconds / (self.size or 1.0)

    @property
    def error(self) -> float:
        """The standard error of the pace, for its own size."""
        first, both, second = self._squares
        spread = first - 2 * self.pace * both + self.pace**2 * second
        return _DEPENDENT * math.sqrt(max(0.0, spread)) / (self.seconds or 1.0)

    def has(self, rounds: float, least: int) -> bool:
        """Whether there are `rounds` answers for each place, and `least` in all."""
        return self.answers >= max(least, rounds * self.limit)

    def in_flight(self, now: float, busy: float) -> float:
        """Requests in flight, on average."""
        return (busy - self.busy) / max(1e-9, now - (self.began or 0.0))


@dataclass(slots=True)
class Trial:
    """A limit that is tried instead of one with which the server gave `rate`."""

    probe: Probe
    early: Probe
    """The same with those who were sent when the limit was raised: they tell sooner, where nothing is slower."""
    before: float
    rate: float
    error: float
    """Of that rate, for its own size."""

    @property
    def limit(self) -> float:
        """What is tried."""
        return self.probe.limit

    @property
    def is_lower(self) -> bool:
        """Whether less is tried."""
        return self.limit < self.before

    def gain(self) -> float:
        """What the server gives, for what it gave."""
        return int(self.limit) / (self.probe.pace or 1.0) / self.rate

    def verdict(self) -> bool | None:
        """Whether to keep the limit; None while that is not clear."""
        if not self.probe.has(1, _FEWEST):
            return None
        gain, wanted = self.gain(), _AS_MUCH if self.is_lower else _MORE
        error = gain * math.hypot(self.probe.error, self.error)
        is_long = self.probe.has(2, _MOST)
        # the short answers come first: a single round errs by more than chance
        margin = _SURE * error if is_long or error <= _EXACT else max(_BIAS, 2 * _SURE * error)
        if abs(gain - wanted) >= margin:
            return gain >= wanted
        if not (is_long and self.probe.has(_ROUNDS if self.is_lower else 2, _MOST)):
            return None
        return gain >= (wanted if self.is_lower else max(wanted, 1 + error))


@dataclass(slots=True)
class Climb:
    """Which limit is tried next, and what has come of those before."""

    ceiling: float
    is_named: bool
    """Whether the config names the ceiling."""
    limit: float
    is_on: bool = True
    """Whether the first climb is not over yet."""
    trial: Trial | None = None
    usual: float = math.inf
    """The pace with the highest limit of which it is known that nothing queues up."""
    _base: Probe = field(init=False)
    _is_unproven: bool = False
    """Whether the limit was kept as nothing was slower at first; a queue may show later."""
    _doubts: bool = False
    """Whether the last step up gave less than half of what it might, so that the server may queue."""
    _is_lower_next: bool = False
    """Whether the last limit that was tried was higher, and not kept."""
    _since: int = 0
    """Rounds since the last step up."""
    _higher_after: int = _HIGHER_AFTER
    _round: int = 0
    """Answers since the last one was over."""
    _adds: bool = False
    """Whether the limit was cut, and grows by one each round since."""

    def __post_init__(self) -> None:
        self._base = Probe(self.limit)

    def sent(self, place: int, now: float, busy: float) -> None:
        """A request goes."""
        for probe in self._probes():
            probe.sent(place, now, busy)

    def restart(self, limit: float, place: int, *, is_cut: bool = False) -> None:
        """Forget what the server gave; requests from that place on meet the limit."""
        self.limit, self.trial, self._base, self._round = limit, None, Probe(limit, place), 0
        self._adds |= is_cut

    def _probes(self) -> tuple[Probe, ...]:
        return (self._base,) if self.trial is None else (self.trial.early, self.trial.probe)

    def answered(self, place: int, seconds: float, size: float) -> None:
        """An answer came."""
        self._round += 1
        for probe in self._probes():
            probe.add(place, seconds, size)

    def heed(self, sent: int, now: float, busy: float, burst: Burst) -> float:
        """The limit from now on, after an outcome; `sent` requests have been sent."""
        if self.trial is not None:
            self._judge(self.trial, sent, now, busy)
        elif burst.is_settled(now) or (burst.is_on and self._base.has(1, _FEWEST)):
            self._heed_burst(burst, now, sent)
        if self.trial is None and self._round >= max(_FEWEST, self.limit):
            self._round = 0
            self._after_round(sent, now, busy)
        return self.limit

    def _heed_burst(self, burst: Burst, now: float, sent: int) -> None:
        """Lower the limit where the first requests show a queue; what the first of them took is usual."""
        burst.is_on &= not burst.is_done and not self._base.has(1, _FEWEST)
        if burst.longest <= (_UNWORTHY if self.is_named else 0.0) or (pace := burst.pace(now)) is None:
            return
        if self._base.has(1, _FEWEST) and self._base.pace < _CLEARLY_SLOWER * pace:
            return
        self._doubts = True
        self.usual, rate = min(self.usual, pace), burst.rate(now)
        limit = _lower(rate * pace)
        if limit <= (_WORTHWHILE if self._base.has(1, _FEWEST) else _FAR_LOWER) * self.limit:
            burst.is_on = False
            self._try(limit, sent, rate, 0.0)

    def _after_round(self, sent: int, now: float, busy: float) -> None:
        base = self._base
        if self._adds and base.answers >= _FEWEST and base.pace * (self.limit + 1) <= _ADDED * self.usual * self.limit:
            self.limit = base.limit = min(self.ceiling, self.limit + 1)
            return
        if base.began is None or not base.has(1, _FEWEST) or base.in_flight(now, busy) < _FULL * int(self.limit):
            return
        self._since += 1
        self.usual = min(self.usual, base.pace)
        rate, latency = int(base.limit) / base.pace, base.seconds / base.answers
        lower = _lower(rate * self.usual)
        is_worthy = not self.is_named or latency > _UNWORTHY
        doubts = self._doubts or self._is_unproven
        queues = doubts and base.pace * (1 - 2 * base.error) > _CLEARLY_SLOWER * self.usual
        known = _KNOWN if base.first else _ROUGHLY_KNOWN
        if base.error > known and not base.has(2 if queues else _ROUNDS, _MOST):
            return
        if (self._doubts or queues or not self.is_on) and is_worthy and lower <= _WORTHWHILE * self.limit:
            self._try(lower, sent, rate, base.error)
        elif self.is_on and self.limit < self.ceiling:
            growth = 2.0
            if base.first == 0 and latency >= _QUICK:
                growth = min(_GREATEST_GROWTH, max(growth, _DRAINED_WITHIN / latency))
                growth = _FIRST_GROWTH if latency <= _SHORT else growth
            self._try(min(self.ceiling, math.floor(growth * self.limit)), sent, rate, base.error)
        elif self._since >= self._higher_after and self.limit < self.ceiling:
            if self._is_lower_next and base.error > _UNEXPLAINED and is_worthy and self.limit >= 2:
                self._try(math.floor(_STEP_DOWN * self.limit), sent, rate, base.error)
                return
            self._try(min(self.ceiling, math.floor(max(self.limit + 1, _STEP * self.limit))), sent, rate, base.error)

    def _try(self, limit: float, sent: int, rate: float, error: float) -> None:
        more = max(0, int(limit) - int(self.limit))
        self.trial = Trial(Probe(limit, sent + 1 + more), Probe(limit, sent + 1), self.limit, rate, error)
        self.limit, self._round = limit, 0

    def _judge(self, trial: Trial, sent: int, now: float, busy: float) -> None:
        """Keep the limit that is tried, or go back, once it is clear which."""
        early = trial.early
        is_early = self.is_on and not trial.is_lower and early.has(1, _FEWEST)
        if is_early and early.pace <= _SLOWER * int(trial.before) / trial.rate:
            self._keep(early, sent)
            self._is_unproven = True
            return
        keep = trial.verdict()
        if keep is None:
            return
        self._is_unproven = False
        if trial.is_lower:
            self._is_lower_next = False
            if not keep:
                self.usual = max(self.usual, trial.probe.pace)
            self._doubts, self.is_on = not keep, self.is_on and (not keep or trial.gain() > _MORE)
            self._since, self._higher_after = 0, _HIGHER_AFTER // 3 if keep else self._higher_after
        elif keep:
            growth, gain = trial.limit / trial.before, trial.gain()
            self._doubts, self.is_on = gain - 1 < _HALF * (growth - 1), True
        else:
            longer = _HIGHER_AFTER // 3 if self.is_on else max(_HIGHER_AFTER, 3 * self._higher_after)
            self._since, self._higher_after = 0, min(_RAREST, longer)
            self._is_lower_next, self.is_on = not self.is_on, False
        if keep:
            self._keep(trial.probe, sent)
        else:
            self.restart(trial.before, sent + 1 + max(0, int(trial.before) - int(trial.limit)))

    def _keep(self, probe: Probe, sent: int) -> None:
        self.trial, self._base, self._round = None, probe, int(max(_FEWEST, self.limit))


def _lower(capacity: float) -> float:
    """The limit that is tried for a server that works on `capacity` requests; one of them is no queue."""
    return max(1.0, math.floor(_ROOM * capacity - 0.5 + 1e-6))
