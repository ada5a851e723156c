"""What the headers of a reply say of a server's rate limits."""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Mapping

from ensemble_instruct.models.clients.base import RateLimits

_LONGEST_WAIT = 300.0
"""Seconds that a server is left alone at most because it says so: after them a single request asks anew."""
_LONGEST_RESET = 86_400.0
"""Seconds until a limit is full again; more are taken for a mistake."""
_SINCE_1970 = 1e9
"""A number of seconds above this is a date."""
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(ms|s|m|h|d)")
"""A part of a duration such as `1m6.5s`. Repeats are bounded, so that no header makes the search quadratic."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds of each."""
_LONGEST_NUMBER = 15
"""Digits of a count that are read."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After as seconds from now, from its number or date, but never more than some minutes."""
    header = headers.get("Retry-After")
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        date = _date(header)
        seconds = math.nan if date is None else date - _time_there(headers)
    return None if math.isnan(seconds) else max(0.0, min(seconds, _LONGEST_WAIT))


def rate_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """What the headers of OpenAI, vLLM gateways and others say is left of a rate limit."""
    requests = headers.get("x-ratelimit-remaining-requests", headers.get("x-ratelimit-remaining"))
    tokens = headers.get("x-ratelimit-remaining-tokens")
    if requests is None and tokens is None:
        return None
    return RateLimits(
        requests_left=_number(requests),
        requests_reset=_duration(headers, "x-ratelimit-reset-requests", "x-ratelimit-reset"),
        tokens_left=_number(tokens),
        tokens_reset=_duration(headers, "x-ratelimit-reset-tokens"),
        requests_limit=_number(headers.get("x-ratelimit-limit-requests", headers.get("x-ratelimit-limit"))),
        tokens_limit=_number(headers.get("x-ratelimit-limit-tokens")),
    )


def _time_there(headers: Mapping[str, str]) -> float:
    """The time of day by the server's own clock, from which those of its dates count that say when."""
    there = _date(headers.get("Date", ""))
    return time.time() if there is None else there


def _date(header: str) -> float | None:
    """The time since 1970 of a date as HTTP writes it, or None where it is none."""
    try:
        return email.utils.parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(header: str | None) -> int | None:
    digits = (header or "").strip()[:_LONGEST_NUMBER]
    return int(digits) if digits.isascii() and digits.isdigit() else None


def _duration(headers: Mapping[str, str], *names: str) -> float | None:
    """Seconds from now in the first of these headers: `6m0s`, `20ms`, `1.5`, or a time since 1970 in s or ms."""
    header = next((headers[name] for name in names if name in headers), None)
    if header is None:
        return None
    if parts := _DURATION.findall(header):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        return seconds if seconds <= _LONGEST_WAIT else None
    try:
        seconds = float(header)
    except ValueError:
        return None
    if seconds > _SINCE_1970:
        seconds = (seconds / 1000 if seconds > 1000 * _SINCE_1970 else seconds) - _time_there(headers)
    return max(0.0, seconds) if seconds <= _LONGEST_RESET else None
