"""How many requests a server gets at a time: found out, lowered when it is overloaded, held back while it is away.

A `Gate` stands before one server and keeps a limit of requests in flight.

Start-up ramp. A ceiling that the config names is trusted and reached within a few hundredths of a second; without one
the limit begins at 16. Then, after each round (as many outcomes as the limit), the latency is compared with that of the
first round. As long as it is about the same, the limit is raised twofold; the first time up to sixteenfold, where the
server works off so many within two seconds. Where it is longer, requests queue up there: by Little's law the server's
capacity is the answers per second now times the latency at first, and the limit is set to one and a half times that.

Additive increase, multiplicative decrease (Chiu and Jain 1989). After the ramp the limit grows by one each round in
which nothing queued up. When more than 15 % of a round's outcomes say that the server is overloaded (429, 503, 504,
529, time-outs), the limit is multiplied by the share that was served. A refusal now and then is no reason to slow down;
and when a lower limit leaves the share of refusals as it was, they do not come from load, and the limit is put back. A
refusal or an error comes at once where an answer takes long, so it keeps its place for the usual time of an answer:
refusals are then weighed by the places they fill, and a server that fails gets no more requests than one that answers.

Rest. When everything sent since the last answer was refused, the server is left alone for as long as it asks
(Retry-After), then tried with single requests. The same breaker opens at once when no connection can be made. The first
answer of any kind closes it, and the ramp begins anew, up to the limit before.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from dataclasses import dataclass

from ensemble_instruct.errors import TransientError
from ensemble_instruct.models.rates import Rates

HIGHEST_LIMIT = 1024
"""Without a ceiling in the config."""
_FIRST_LIMIT, _EASE_FROM, _EASE_SECONDS = 16, 4, 0.005
"""A higher limit takes effect by doublings, from so many requests, one in so many seconds."""
_GREATEST_GROWTH, _DRAINED_WITHIN = 16.0, 2.0
_QUICK = 0.05
"""Where answers take less than this, a twofold limit a round is growth enough."""
_SLOWER, _QUEUEING, _ERRORS, _ROOM = 1.1, 1.25, 2.0, 1.5
OVERLOADED = ("429", "503", "504", "529", "timeout")
REFUSING = ("429", "502", "503", "504", "529")
_OVERLOADED_SHARE, _RARE = 0.15, 0.1
_UNCHANGED_FROM, _UNCHANGED_TO = 0.75, 1.5
_IMMUNE_ROUNDS = 16
_SMALLEST_ROUND, _LOWEST_AFTER_TIMEOUTS = 10, 4
_REFUSALS_TO_REST, _SILENCE = 3, 2.0
"""A server is left alone after so many refusals, none older than the last answer, and so many usual latencies."""
_FIRST_REST, _LONGEST_REST, _LONGEST_ABSENCE = 0.5, 5.0, 15.0
_FIRST_HOLD, _LONGEST_HOLD = 0.25, 1.0


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


@dataclass(slots=True)
class _Work:
    """So many answers, the seconds that all requests together spent at the server meanwhile, and those of the answered.

    By Little's law the first two tell the mean latency; the mean over the answered tells it too. The former is too long
    when answers come in bursts, of which a part was not counted yet; the latter is too short at first, for quick
    answers come first.
    """

    answers: int = 0
    seconds: float = 0.0
    answered_seconds: float = 0.0

    @property
    def latency(self) -> float:
        return self.seconds / max(1, self.answers)

    @property
    def answered_latency(self) -> float:
        return self.answered_seconds / max(1, self.answers)

    def with_more(self, other: _Work) -> _Work:
        return _Work(
            self.answers + other.answers,
            self.seconds + other.seconds,
            self.answered_seconds + other.answered_seconds,
        )

    def takes_longer_than(self, usual: _Work) -> bool:
        """Whether the latency is higher, by either measure, by so much that chance does not explain it."""
        error = math.sqrt(1 / max(1, self.answers) + 1 / max(1, usual.answers))
        factor = max(_QUEUEING, 1 + _ERRORS * error)
        return self.latency > usual.latency * factor and self.answered_latency > usual.answered_latency * factor


class Gate:
    """What is known of one server, and how many requests it may have."""

    def __init__(
        self,
        server: str,
        ceiling: int | None = None,
        rates: Rates | None = None,
        patience: float = math.inf,
    ) -> None:
        self.server = server
        self.in_flight, self.held = 0, 0
        self.retries: Counter[str] = Counter()
        self.rates = rates or Rates()
        self.is_away, self._is_probed, self.has_spare = False, False, False
        self.answers = 0
        self._ceiling, self._patience = ceiling or HIGHEST_LIMIT, patience
        self.limit = float(ceiling or _FIRST_LIMIT)
        self._limit_at_answer, self._answered_at = self.limit, -math.inf
        self._is_ramping = ceiling is None
        self._eased_at: float | None = time.monotonic()
        self._closed_until, self._pause = 0.0, 0.0
        self._refused_in_a_row = 0
        self._latency: float | None = None
        self._latencies: deque[float] = deque(maxlen=1000)
        self._usual, self._recent, self._changed_at = _Work(), _Work(), 0.0
        self._outcomes = self._overloads = self._timeouts = 0
        self._round_began: float | None = None
        self._share_before, self._immune = 0.0, 0
        self._before = self.limit, self._is_ramping
        self._sent_before = 0
        """Outcomes of requests that were sent before the limit was lowered say nothing of the lower one."""

    def wait(self, now: float, tokens: float) -> float | None:
        """Seconds until a request may go: 0 now, None when another must come home first."""
        if self.is_away and self._is_probed:
            return None
        if now < self._closed_until:
            return self._closed_until - now
        places = self.in_flight + self.held
        if places >= int(self.limit):
            return None
        if self._eased_at is not None:
            eased = _EASE_FROM * 2.0 ** min(64.0, (now - self._eased_at) / _EASE_SECONDS)
            if eased >= self.limit:
                self._eased_at = None
            elif places >= int(eased):
                return self._eased_at + _EASE_SECONDS * math.log2((places + 1) / _EASE_FROM) - now
        return self.rates.wait(now, tokens)

    def enter(self, now: float, tokens: float) -> None:
        """A request goes."""
        self._pass_to(now, 1)
        self._is_probed = self.is_away
        self.rates.use(now, tokens)
        if self._round_began is None:
            self._round_began = now

    def leave(self, now: float) -> None:
        """A request has come home."""
        self._is_probed = False
        self._pass_to(now, -1)

    def answered(self, number: int, seconds: float, now: float) -> None:
        """The server answered a request, be it with a refusal that concerns this request alone.

        `number` is how many requests had been sent to it (`rates.used_requests`), this one included.
        """
        self.answers += 1
        self._refused_in_a_row = 0
        if number > self._sent_before:
            self._limit_at_answer = self.limit
        self._answered_at = now
        self._latencies.append(seconds)
        self._recent.answers += 1
        self._recent.answered_seconds += seconds
        self._latency = seconds if self._latency is None else self._latency + 0.1 * (seconds - self._latency)
        self._is_there(now)
        self._outcome(number, now)

    def failed(self, number: int, error: TransientError, seconds: float, now: float) -> float:
        """A try failed after so many seconds. Returns for how many more it shall keep its place."""
        self.retries[error.cause] += 1
        if error.server_down:
            self.leave_alone(now, None, _LONGEST_ABSENCE)
            return 0.0
        if error.cause not in REFUSING:
            if error.cause not in ("connection", "timeout"):
                self._is_there(now)
            self._timeouts += error.cause == "timeout"
            self._outcome(number, now, overloaded=error.cause in OVERLOADED)
            return self._hold(seconds)
        self._refused_in_a_row += number > self._sent_before
        silent = now - self._answered_at > _SILENCE * (self._latency or 0.0)
        if self.is_away or (silent and self.in_flight <= 1 and self._refused_in_a_row >= _REFUSALS_TO_REST):
            self.leave_alone(now, error.retry_after)
            return 0.0
        self._outcome(number, now, overloaded=error.cause in OVERLOADED)
        return self._hold(seconds)

    def status(self) -> GateStatus:
        """The state at this moment."""
        latencies = sorted(self._latencies)
        p50, p90, p99 = (
            round(latencies[min(len(latencies) - 1, int(len(latencies) * share))], 3) if latencies else 0.0
            for share in (0.5, 0.9, 0.99)
        )
        state = "away" if self.is_away else "open"
        return GateStatus(
            server=self.server,
            state=state,
            in_flight=self.in_flight,
            limit=int(self.limit),
            answers=self.answers,
            p50=p50,
            p90=p90,
            p99=p99,
            retries=dict(self.retries),
        )

    def _pass_to(self, now: float, change: int) -> None:
        self._recent.seconds += self.in_flight * (now - self._changed_at)
        self._changed_at = now
        self.in_flight += change

    def _hold(self, seconds: float) -> float:
        if self._overloads <= _RARE * (self._outcomes + _SMALLEST_ROUND):
            return 0.0
        return max(0.0, min(self._latency or _FIRST_HOLD, _LONGEST_HOLD) - seconds)

    def leave_alone(self, now: float, retry_after: float | None = None, longest: float = _LONGEST_REST) -> None:
        """Send nothing for as long as the server asks, or for growing times, and then single requests."""
        if now < self._closed_until:
            return
        if not self.is_away:
            self.limit = self._limit_at_answer
        self._pause = min(longest, self._patience, max(_FIRST_REST, 2 * self._pause))
        self.is_away, self._closed_until = True, now + (retry_after or self._pause)

    def _is_there(self, now: float) -> None:
        if self.is_away:
            self.is_away, self._pause, self._closed_until = False, 0.0, 0.0
            self._eased_at = now
            self._new_round(now)

    def _new_round(self, now: float) -> None:
        self._outcomes = self._overloads = self._timeouts = 0
        self._recent = _Work()
        self._round_began, self.has_spare = now, False

    def _outcome(self, number: int, now: float, *, overloaded: bool = False) -> None:
        if number <= self._sent_before:
            return
        self._outcomes += 1
        self._overloads += overloaded
        if self._outcomes < max(self.limit, _SMALLEST_ROUND) or self._round_began is None:
            return
        share, seconds = self._overloads / self._outcomes, max(1e-6, now - self._round_began)
        self._immune = max(0, self._immune - 1)
        if share > _OVERLOADED_SHARE and not self._immune:
            self._decrease(share)
        elif not self.has_spare:
            self._increase(seconds, now)
        if share <= _OVERLOADED_SHARE:
            self._share_before = 0.0
        self._new_round(now)

    def _decrease(self, share: float) -> None:
        self._sent_before = self.rates.used_requests
        least, most = _UNCHANGED_FROM * self._share_before, _UNCHANGED_TO * self._share_before
        if least < share < min(most, 1.0) and not self._timeouts:
            self.limit, self._is_ramping = self._before
            self._share_before, self._immune = 0.0, _IMMUNE_ROUNDS
            return
        if not self._share_before:
            self._before = self.limit, self._is_ramping
        self._is_ramping, self._share_before = False, share
        if self._timeouts:
            self.limit = max(min(self.limit, _LOWEST_AFTER_TIMEOUTS), self.limit * (1 - share) / 2)
        else:
            self.limit = max(1.0, self.limit * (1 - share))

    def _increase(self, seconds: float, now: float) -> None:
        self._pass_to(now, 0)
        rate = (self._outcomes - self._overloads) / seconds
        usual = self._usual if self._usual.answers else self._recent
        queues_up = self._recent.takes_longer_than(usual)
        if not self._is_ramping:
            if not queues_up or self.limit < _FIRST_LIMIT:
                self.limit = min(float(self._ceiling), self.limit + 1)
        elif queues_up:
            rate = max(rate, self._recent.seconds / seconds / self._recent.answered_latency)
            room = max(float(_FIRST_LIMIT), _ROOM * rate * usual.latency)
            self._is_ramping, self.limit = False, min(self.limit, room)
        elif (
            2 * self._recent.answers >= self._outcomes
            and min(self._recent.latency, self._recent.answered_latency) <= _SLOWER * usual.latency
        ):
            growth = 2.0
            if self.limit <= _FIRST_LIMIT and usual.latency >= _QUICK:
                growth = min(_GREATEST_GROWTH, max(2.0, _DRAINED_WITHIN * rate / self.limit))
            self._eased_at = now - _EASE_SECONDS * math.log2(max(1.0, self.limit / _EASE_FROM))
            self._is_ramping, self.limit = self.limit < self._ceiling, min(float(self._ceiling), growth * self.limit)
            self._usual = self._usual.with_more(self._recent)
        if not self._usual.answers:
            self._usual = self._recent
