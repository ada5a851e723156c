"""Replies that stall, flood, break the protocol or make no sense: what the `openai` client makes of each."""

from __future__ import annotations

import re
import time

import pytest

from ensemble_instruct.errors import TransientError
from ensemble_instruct.records import Response
from tests.support.servers.hostile_replies import (
    BROKEN,
    ERROR,
    FLOODS,
    NONSENSE,
    SERVER_ERRORS,
    STALLS,
    STRANGE,
    UNUSUAL,
    outcomes,
)
from tests.support.servers.raw import (
    Act,
    answer_to,
    completion,
    reply,
    says,
)

NEXT = Response(answer_to("even"))


@pytest.mark.parametrize("name", STRANGE)
def test_an_odd_reply_that_holds_the_answer_is_taken_and_the_next_answer_is_the_next_ones(name: str) -> None:
    assert outcomes(STRANGE[name](completion(answer_to("odd")))) == [Response(answer_to("odd")), NEXT]


@pytest.mark.parametrize("name", STALLS)
def test_a_reply_that_does_not_come_in_time_may_come_next_time(name: str) -> None:
    found, after = outcomes(STALLS[name], timeout=0.3)
    assert isinstance(found, TransientError)
    assert found.cause == "timeout"
    assert after == NEXT


@pytest.mark.parametrize(
    ("act", "causes"),
    [
        *(pytest.param(act, {"connection", "malformed"}, id=name) for name, act in BROKEN.items()),
        *(pytest.param(act, {"malformed", "502"}, id=name) for name, act in {**NONSENSE, **FLOODS, **UNUSUAL}.items()),
        *(pytest.param(act, {"500"}, id=f"500 {name}") for name, act in SERVER_ERRORS.items()),
    ],
)
def test_a_reply_that_holds_no_answer_is_one_line_and_may_be_better_next_time(act: Act, causes: set[str]) -> None:
    found, after = outcomes(act)
    assert isinstance(found, TransientError), repr(found)
    assert found.cause in causes
    assert re.fullmatch(r"[^<>\n]{1,400}", str(found))
    assert after == NEXT


def test_the_words_of_a_server_that_reports_an_error_as_success_are_kept() -> None:
    assert "the upstream is busy" in str(outcomes(says(reply(ERROR)))[0])


def processor_seconds(length: int) -> float:
    """What a client works on a reply with headers and a body of about that length."""
    limits = {"X_RateLimit_Remaining_Requests": "9", "X_RateLimit_Reset_Requests": "9" * (length // 8)}
    began = time.thread_time()
    outcomes(says(reply(b"<" * length, "500 Oops", **limits)))
    return time.thread_time() - began


def test_no_reply_keeps_the_event_loop_busy() -> None:
    """With an expression of a quadratic course, one that is a thousand times longer takes a thousand times longer."""
    processor_seconds(64)  # what is loaded when it is first needed is no work on a reply
    short, long = (min(processor_seconds(length) for _ in range(3)) for length in (64, 64_000))
    assert long < 50 * short
