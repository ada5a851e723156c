"""How many requests a server gets at a time: found out, lowered when it is overloaded, held back while it is away.

A `Gate` is in front of one server. It keeps a limit of requests in flight, which rises and falls by the outcomes of
each round (`limit`); it leaves a server alone that takes nothing at all (`_Rest`); and it keeps to the ceilings for a
minute (`rates`).
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from dataclasses import dataclass

from ensemble_instruct.errors import TransientError
from ensemble_instruct.models.admission.burst import Burst
from ensemble_instruct.models.admission.climb import FIRST_LIMIT, HIGHEST_LIMIT, Climb
from ensemble_instruct.models.admission.limit import Cuts, Easing, Round
from ensemble_instruct.models.admission.rates import Rates

OVERDUE = "overdue"
"""The cause of a try that lasted so long that its request was asked again."""
_OVERLOADING = ("429", "503", "504", "529", "timeout", "descriptors")
"""Causes of a failure that say that the server, or this machine, has too much to do."""
_REFUSING = ("429", "502", "503", "504", "529")
"""Causes that say that it did not begin with the request."""
_REFUSALS_TO_REST = 3
"""Refusals since the last answer, after which a server is left alone."""
_SILENCE = 2.0
"""Usual latencies that must have passed without an answer, too."""
_FIRST_REST = 0.5
"""Seconds for which it is left alone at first, where it does not say for how long; each further time twice as long."""
_LONGEST_REST = 5.0
"""Seconds at most, of a server that refuses."""
_LONGEST_ABSENCE = 15.0
"""Seconds at most, of a server to which no connection can be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateStatus:
    """One server at one moment, as `status` shows it; latencies are in seconds."""

    server: str
    state: str
    """`open`, or `away` while it is left alone."""
    in_flight: int
    limit: int
    answers: int
    p50: float
    p90: float
    p99: float
    retries: dict[str, int]


class _Rest:
    """A circuit breaker: while it is open, the server is left alone.

    When everything sent since the last answer was refused, the server is left alone for as long as it asks
    (Retry-After), then tried with single requests (the breaker is half open). It opens at once when no connection can
    be made. The first answer of any kind closes it, and the ramp begins anew, up to the limit before.
    """

    def __init__(self, limit: float, patience: float) -> None:
        self.is_away = False
        self.limit = limit
        """At the last answer: up to there the ramp begins anew."""
        self._patience = patience
        self._is_probed = False
        """Whether one of the single requests is on its way."""
        self.needs_answer = False
        """Whether only an answer closes it, as no failure shows anything new."""
        self._until = self._pause = 0.0
        self._refused_in_a_row = self._hung_in_a_row = 0
        self._answered_at = -math.inf

    def wait(self, now: float) -> float | None:
        """Seconds until a request may go: 0 now, None when the one that tries the server must come home first."""
        if self.is_away and self._is_probed:
            return None
        return max(0.0, self._until - now)

    def probe(self) -> None:
        """A request goes."""
        self._is_probed = self.is_away

    def hung(self, usual_latency: float, now: float) -> bool:
        """A further request lasted too long; whether to leave the server alone, which answers nothing else either."""
        self._hung_in_a_row += 1
        is_silent = now - self._answered_at > _SILENCE * usual_latency
        return self.is_away or (is_silent and self._hung_in_a_row >= _REFUSALS_TO_REST)

    def home(self) -> None:
        """A request has come home."""
        self._is_probed = False

    def answered(self, limit: float | None, now: float) -> None:
        """An answer came, with the limit that it speaks for, if it speaks for one."""
        self._refused_in_a_row, self._hung_in_a_row, self._answered_at = 0, 0, now
        if limit is not None:
            self.limit = limit

    def refused(self, *, counts: bool, in_flight: int, usual_latency: float, now: float) -> bool:
        """A further refusal came, which counts unless it was sent before a cut; whether to leave the server alone."""
        self._refused_in_a_row += counts
        is_silent = now - self._answered_at > _SILENCE * usual_latency
        return self.is_away or (is_silent and in_flight <= 1 and self._refused_in_a_row >= _REFUSALS_TO_REST)

    def begin(self, now: float, retry_after: float | None, longest: float, *, until_answer: bool) -> bool:
        """Leave the server alone, unless it is already; whether it was not away before."""
        self.needs_answer |= until_answer
        if now < self._until:
            return False
        was_away, self.is_away = self.is_away, True
        self._pause = min(longest, self._patience, max(_FIRST_REST, 2 * self._pause))
        self._until = now + (retry_after or self._pause)
        return not was_away

    def end(self) -> bool:
        """The server is there; whether it was away before."""
        was_away, self.is_away, self.needs_answer = self.is_away, False, False
        if was_away:
            self._until = self._pause = 0.0
        return was_away


class Gate:
    """What is known of one server, and how many requests it may have."""

    def __init__(
        self,
        server: str,
        ceiling: int | None = None,
        rates: Rates | None = None,
        patience: float = math.inf,
        most: int = HIGHEST_LIMIT,
    ) -> None:
        self.server = server
        self.in_flight, self.held = 0, 0
        self.retries: Counter[str] = Counter()
        self.rates = rates or Rates()
        self.answers = 0
        self.failures_in_a_row = 0
        """Since the last answer, but for refusals, by which the limit falls."""
        self.limit = float(min(ceiling or FIRST_LIMIT, most))
        self._easing = Easing(time.monotonic())
        self._round, self._cuts, self._rest = Round(), Cuts(), _Rest(self.limit, patience)
        self._burst = Burst(time.monotonic())
        self._climb = Climb(float(min(ceiling or most, most)), ceiling is not None, self.limit, is_on=ceiling is None)
        self._begun = 0
        """Tries."""
        self._latency: float | None = None
        """The usual one: a moving average."""
        self._size = 1.0
        """The same of the size of an answer."""
        self._first_pace: float | None = None
        """Seconds for each unit of size, by the first answers; infinite where they show no queue."""
        self._latencies: deque[float] = deque(maxlen=1000)
        self._changed_at = 0.0
        """When `in_flight` did."""
        self._busy = 0.0
        """Seconds that all requests together spent at the server."""

    @property
    def is_away(self) -> bool:
        """Whether the server is left alone, or tried with single requests."""
        return self._rest.is_away

    def note_spare(self) -> None:
        """Nobody waits, so that this round does not show what the server can do."""
        self._round.has_spare = True

    def wait(self, now: float, tokens: float) -> float | None:
        """Seconds until a request may go: 0 now, None when another must come home first."""
        rest = self._rest.wait(now)
        if rest != 0:
            return rest
        places = self.in_flight + self.held
        if places >= int(self.limit):
            return None
        eased = self._easing.wait(now, places, self.limit)
        return self.rates.wait(now, tokens) if eased is None else eased

    def enter(self, now: float, tokens: float) -> None:
        """A request goes."""
        self._pass_to(now, 1)
        self._rest.probe()
        self.rates.use(now, tokens)
        if self._round.began is None:
            self._round = Round(began=now)

    def begins(self, now: float) -> int:
        """A try begins; returns its place in the order of all."""
        self._begun += 1
        self._burst.sent(now)
        self._climb.sent(self._begun, now, self._busy + self.in_flight * (now - self._changed_at))
        return self._begun

    def leave(self, now: float) -> None:
        """A request has come home."""
        self._rest.home()
        self._pass_to(now, -1)

    def answered(self, number: int, seconds: float, now: float, *, place: int = 0, size: float = 1.0) -> None:
        """The server answered a request, if only with a refusal that concerns this request alone.

        `number` is how many requests had been sent to it (`rates.used_requests`), this one included; `place` is what
        `begins` gave. By `size` the time is compared that answers of different length take.
        """
        self.answers += 1
        self.failures_in_a_row = 0
        self._rest.answered(self.limit if number > self._cuts.sent_before else None, now)
        self._latencies.append(seconds)
        self._climb.answered(place, seconds, size)
        self._burst.answered(place, seconds, size)
        if self._latency is None:
            self._latency, self._size = seconds, size
        self._latency += 0.1 * (seconds - self._latency)
        self._size += 0.1 * (size - self._size)
        if self._first_pace is None and (self._burst.is_settled(now) or self._burst.is_done):
            self._first_pace = self._burst.pace(now) or math.inf
        self._is_there(now)
        self._outcome(number, now)

    @property
    def latency(self) -> float | None:
        """Seconds of a usual answer; None before the first one."""
        return self._latency

    @property
    def queued(self) -> float:
        """The share of them for which a request waits in a queue of the server, as far as that is known."""
        usual = min(self._first_pace or math.inf, self._climb.usual) * self._size
        return max(0.0, 1 - usual / self._latency) if self._latency else 0.0

    def failed(self, number: int, error: TransientError, seconds: float, now: float) -> float:
        """A try failed after that many seconds. Returns for how many more it shall keep its place."""
        self.retries[error.cause] += 1
        if error.server_down:
            self.leave_alone(now, None, _LONGEST_ABSENCE)
            return 0.0
        self.failures_in_a_row += error.cause not in (*_REFUSING, "descriptors")
        if error.cause in _REFUSING:
            counts = number > self._cuts.sent_before
            if self._rest.refused(counts=counts, in_flight=self.in_flight, usual_latency=self._latency or 0.0, now=now):
                self.leave_alone(now, error.retry_after)
                return 0.0
        elif error.cause not in ("connection", "timeout", "descriptors") and not self._rest.needs_answer:
            self._is_there(now)
        self._round.timeouts += error.cause == "timeout"
        self._outcome(number, now, overloaded=error.cause in _OVERLOADING)
        return self._round.hold(self._latency, seconds)

    def given_up(self, now: float) -> None:
        """A request lasted so long that it was asked again. That tells nothing of the limit."""
        self.retries[OVERDUE] += 1
        if self._rest.hung(self._latency or 0.0, now):
            self.leave_alone(now)

    def leave_alone(
        self,
        now: float,
        retry_after: float | None = None,
        longest: float = _LONGEST_REST,
        *,
        until_answer: bool = False,
    ) -> None:
        """Send nothing for as long as the server asks, or for growing times, and then single requests.

        That ends when the server says anything; with `until_answer`, only when it answers.
        """
        if self._rest.begin(now, retry_after, longest, until_answer=until_answer):
            self.limit = self._rest.limit
            self._climb.restart(self.limit, self._begun + 1)

    def status(self) -> GateStatus:
        """The state at this moment."""
        latencies = sorted(self._latencies)
        p50, p90, p99 = (
            round(latencies[min(len(latencies) - 1, int(len(latencies) * share))], 3) if latencies else 0.0
            for share in (0.5, 0.9, 0.99)
        )
        return GateStatus(
            server=self.server,
            state="away" if self.is_away else "open",
            in_flight=self.in_flight,
            limit=int(self.limit),
            answers=self.answers,
            p50=p50,
            p90=p90,
            p99=p99,
            retries=dict(self.retries),
        )

    def _pass_to(self, now: float, change: int) -> None:
        """Add the seconds that the requests in flight spent since their number last changed."""
        self._busy += self.in_flight * (now - self._changed_at)
        self._changed_at = now
        self.in_flight += change

    def _is_there(self, now: float) -> None:
        if self._rest.end():
            self._easing.begin(now)
            self._round = Round(began=now)

    def _outcome(self, number: int, now: float, *, overloaded: bool = False) -> None:
        """Count an outcome, and look at the limit when the round is over."""
        if number <= self._cuts.sent_before:
            return
        so_far = self._round
        so_far.outcomes += 1
        so_far.overloads += overloaded
        if so_far.began is None:  # more is in flight still than the limit allows
            return
        self._pass_to(now, 0)
        if not so_far.is_over(self.limit) and not so_far.has_spare:
            self._follow(now)
            return
        self._round = Round(began=now)
        if self._cuts.judge(so_far):
            self.limit = self._cuts.lowered(self.limit, so_far, self._climb, self.rates.used_requests)
            self._climb.restart(self.limit, self._begun + 1, is_cut=True)
        elif not so_far.has_spare:
            self._follow(now)

    def _follow(self, now: float) -> None:
        """Take over the limit to which the climb has come."""
        before, self.limit = self.limit, self._climb.heed(self._begun, now, self._busy, self._burst)
        if self.limit > before:
            self._easing.begin(now, before)
