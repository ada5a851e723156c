"""When a server says that it may be asked again, by whatever clock."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from aiohttp import web

from ensemble_instruct.errors import TransientError
from ensemble_instruct.models.clients.openai.rate_headers import rate_limits, retry_after
from tests.support.one_request import outcome


def _in(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (lambda: "3", 3, 3),
        (lambda: "0.5", 0.5, 0.5),
        (lambda: _in(250), 150, 251),
        (lambda: _in(-60), 0, 0),
        (lambda: "3600", 300, 300),
        (lambda: "1e300", 300, 300),
        (lambda: "inf", 300, 300),
        (lambda: "-5", 0, 0),
        (lambda: _in(86_400 * 365), 300, 300),
    ],
    ids=["seconds", "fraction", "date", "past", "an hour", "for ever", "infinite", "negative", "a year"],
)
def test_retry_after_is_read_as_seconds_or_date(header: Callable[[], str], least: float, most: float) -> None:
    found = outcome(lambda *_: web.Response(status=429, headers={"Retry-After": header()}))
    assert isinstance(found, TransientError)
    assert found.retry_after is not None
    assert least <= found.retry_after <= most


@pytest.mark.parametrize("skew", [-3600, -30, 3600, 86_400 * 400])
@pytest.mark.parametrize("form", ["date", "obsolete date", "reset in seconds", "reset in milliseconds"])
def test_dates_of_a_server_count_from_its_own_clock(skew: int, form: str) -> None:
    there = int(time.time()) + skew
    dates = {"date": email.utils.formatdate(there + 20, usegmt=True)}
    dates["obsolete date"] = time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(there + 20))
    headers = {"Date": email.utils.formatdate(there, usegmt=True)}
    if form in dates:
        found = retry_after({**headers, "Retry-After": dates[form]})
    else:
        reset = str(there + 20) if form == "reset in seconds" else str(1000 * (there + 20))
        limits = rate_limits({**headers, "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset})
        found = limits.requests_reset if limits else None
    assert found == 20


@pytest.mark.parametrize("date", [None, "", "now", "Mon, 99 Foo 2020", "Mon, 01 Jan 2024 00:00:00 +99999999999999"])
def test_where_its_clock_is_not_known_ours_is_taken(date: str | None) -> None:
    headers = {"Retry-After": _in(100)} | ({} if date is None else {"Date": date})
    found = retry_after(headers)
    assert found is not None
    assert 50 <= found <= 101


def test_a_client_whose_clock_is_behind_waits_as_long_as_the_server_means(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(time=lambda: time.time() - 3600)
    monkeypatch.setattr("ensemble_instruct.models.clients.openai.rate_headers.time", clock)
    found = outcome(lambda *_: web.Response(status=429, headers={"Retry-After": _in(20)}))
    assert isinstance(found, TransientError)
    assert found.retry_after is not None
    assert 0 <= found.retry_after <= 21


@pytest.mark.parametrize("header", ["soon", "nan", "Mon, 99 Foo 2020", "", "1,5"])
def test_a_retry_after_that_makes_no_sense_is_ignored(header: str) -> None:
    found = outcome(lambda *_: web.Response(status=429, headers={"Retry-After": header}))
    assert isinstance(found, TransientError)
    assert found.retry_after in (None, 0.0)
