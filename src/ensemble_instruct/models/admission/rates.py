"""Requests and tokens a minute: ceilings from the config, and what a server's headers say is left."""

from __future__ import annotations

import math

from ensemble_instruct.models.clients.base import RateLimits

_BURST = 0.1
"""Seconds' worth of a ceiling that may be used at once after a pause."""
_LONGEST_RESET = 300.0
"""A server's word that nothing is left is not believed for longer: a refusal will tell anew."""


class _Ceiling:
    """So much a minute, evenly spread: a token bucket, whose level may fall below zero, a debt that time pays."""

    def __init__(self, per_minute: float | None) -> None:
        self._rate = None if per_minute is None else per_minute / 60
        self._level, self._at = 0.0, 0.0
        self._left, self._left_until = math.inf, 0.0
        self._full, self._period = math.inf, 0.0

    def wait(self, now: float, amount: float) -> float:
        """Seconds until `amount` may be used."""
        waits = 0.0
        if self._left < amount:
            if now < self._left_until:
                waits = self._left_until - now
            else:
                self._left, self._left_until = self._full, now + self._period
        if self._rate is not None:
            level = min(self._rate * _BURST, self._level + (now - self._at) * self._rate)
            if level < 0:
                waits = max(waits, -level / self._rate)
        return waits

    def use(self, now: float, amount: float) -> None:
        """Take `amount`; negative gives back what was taken too much."""
        self._left -= amount
        if self._rate is not None:
            self._level = min(self._rate * _BURST, self._level + (now - self._at) * self._rate) - amount
            self._at = now

    def note(self, now: float, left: int | None, reset: float | None, full: int | None, used_since: float) -> None:
        """The server says how much of how much was left when it counted a request, since which more was used."""
        if left is not None and reset is not None:
            reset = min(reset, _LONGEST_RESET)
            self._left, self._left_until = left - used_since, now + reset
            self._full, self._period = full or math.inf, max(reset, self._period)


class Rates:
    """The ceilings of one server."""

    def __init__(self, requests_per_minute: float | None = None, tokens_per_minute: float | None = None) -> None:
        self._requests, self._tokens = _Ceiling(requests_per_minute), _Ceiling(tokens_per_minute)
        self.used_requests, self.used_tokens = 0, 0.0
        self._any = requests_per_minute is not None or tokens_per_minute is not None

    def wait(self, now: float, tokens: float) -> float:
        """Seconds until a request of about that many tokens may go."""
        if not self._any:
            return 0.0
        return max(self._requests.wait(now, 1), self._tokens.wait(now, tokens))

    def use(self, now: float, tokens: float) -> None:
        """A request goes."""
        self.used_requests += 1
        self.used_tokens += tokens
        if self._any:
            self._requests.use(now, 1)
            self._tokens.use(now, tokens)

    def correct(self, now: float, tokens: float) -> None:
        """A request needed that many tokens more (or fewer, if negative) than estimated."""
        if self._any:
            self._tokens.use(now, tokens)

    def note(self, now: float, limits: RateLimits, requests_then: int, tokens_then: float) -> None:
        """What the server said to a request; `requests_then` and `tokens_then` had been used before it was sent."""
        self._any = True
        requests, tokens = self.used_requests - requests_then, self.used_tokens - tokens_then
        self._requests.note(now, limits.requests_left, limits.requests_reset, limits.requests_limit, requests)
        self._tokens.note(now, limits.tokens_left, limits.tokens_reset, limits.tokens_limit, tokens)
