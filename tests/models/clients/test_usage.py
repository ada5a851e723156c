"""What a reply states of its tokens and its cost is read by every name that servers have for it, if it can be true."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_instruct.models.clients.openai.usage import ReplyUsage, reply_usage
from ensemble_instruct.records import Request, Sampling

REQUEST = Request(prompt="What is a hat?", sampling=Sampling(max_tokens=100), step="outputs", kind="output_only")


def read(usage: Any, headers: dict[str, str] | None = None, **top: Any) -> ReplyUsage:
    return reply_usage({"usage": usage, **top}, headers or {}, REQUEST, size=200)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 30, "completion_tokens": 12}, (30, 12, None, None)),
        ({"prompt_tokens": 30.0, "completion_tokens": 12}, (30, 12, None, None)),
        (
            {
                "prompt_tokens": 30,
                "completion_tokens": 80,
                "prompt_tokens_details": {"cached_tokens": 20},
                "completion_tokens_details": {"reasoning_tokens": 60},
            },
            (30, 80, 20, 60),
        ),
        ({"prompt_tokens": 30, "completion_tokens": 12, "prompt_cache_hit_tokens": 8}, (30, 12, 8, None)),
        ({"input_tokens": 10, "output_tokens": 12, "cache_read_input_tokens": 20}, (30, 12, 20, None)),
        # xAI and Gemini: the thought is charged, and stands in the total alone
        ({"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 142}, (30, 112, None, 100)),
        # a service that does not count a thought where it limits a reply
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 9_000,
                "completion_tokens_details": {"reasoning_tokens": 8_950},
            },
            (3, 9_000, None, 8_950),
        ),
        ({"prompt_tokens": 30, "completion_tokens": None, "prompt_tokens_details": None}, (30, None, None, None)),
        (None, (None, None, None, None)),
    ],
)
def test_tokens_are_read_by_the_names_that_servers_have_for_them(usage: Any, tokens: tuple[int | None, ...]) -> None:
    found = read(usage)
    assert (found.prompt_tokens, found.completion_tokens, found.cached_tokens, found.reasoning_tokens) == tokens
    assert found.doubts == []


@pytest.mark.parametrize(
    ("usage", "headers", "cost"),
    [
        ({"cost": 0.0021}, {}, 0.0021),
        ({"cost": 0.0021}, {"x-litellm-response-cost": "0.5"}, 0.0021),
        ({"cost": 0}, {}, 0.0),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, {}, 0.021),
        ({"cost": 0.001, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.001}}, {}, 0.001),
        ({"cost": {"total_cost": 0.006}}, {}, 0.006),
        ({"cost_in_usd_ticks": 37_756_000}, {}, 0.0037756),
        ({"estimated_cost": 0.00002}, {}, 0.00002),
        ({}, {"X-LiteLLM-Response-Cost": "2.85e-05"}, 2.85e-05),
        ({}, {"x-litellm-response-cost": "0.0"}, None),
        ({}, {"x-litellm-response-cost": "None"}, None),
        ({}, {}, None),
    ],
)
def test_the_cost_that_a_server_states_is_read(usage: Any, headers: dict[str, str], cost: float | None) -> None:
    found = read(usage, headers)
    assert found.cost == pytest.approx(cost)
    assert found.doubts == []


@pytest.mark.parametrize(
    ("usage", "headers"),
    [
        ({"prompt_tokens": 4611686018427387903}, {}),
        ({"prompt_tokens": 10**300}, {}),
        ({"prompt_tokens": 50_000}, {}),
        ({"prompt_tokens": -1}, {}),
        ({"prompt_tokens": True}, {}),
        ({"prompt_tokens": {"count": 1}}, {}),
        ({"completion_tokens": 60_000}, {}),
        ({"completion_tokens": 1e300}, {}),
        ({"completion_tokens_details": {"reasoning_tokens": 10**9}}, {}),
        ({"prompt_tokens_details": {"cached_tokens": 10**9}}, {}),
        ({"cost": -1}, {}),
        ({"cost": float("nan")}, {}),
        ({"cost": float("inf")}, {}),
        ({"cost": 1e6}, {}),
        ({"cost": True}, {}),
        ({}, {"x-litellm-response-cost": "-0.1"}),
        ({}, {"x-litellm-response-cost": "1e999"}),
    ],
)
def test_what_cannot_be_is_not_believed_and_said(usage: Any, headers: dict[str, str]) -> None:
    found = read(usage, headers)
    assert len(found.doubts) == 1
    numbers = (found.prompt_tokens, found.completion_tokens, found.cached_tokens, found.reasoning_tokens, found.cost)
    assert numbers == (None,) * 5


def test_a_thought_beyond_what_a_total_can_hold_is_not_added() -> None:
    assert read({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 2**62}).completion_tokens == 2


def test_who_answered_is_read() -> None:
    found = read({}, model="org/model-2:free", provider="Deep\nInfra")
    assert (found.model, found.upstream) == ("org/model-2:free", "Deep Infra")
    assert read({}, model=["x"], provider={"name": "x"}).model == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMES = st.sampled_from(
    ["prompt_tokens", "completion_tokens", "total_tokens", "cost", "cost_details", "is_byok", "input_tokens"]
)


@given(usage=JSON | st.dictionaries(NAMES, JSON), top=JSON)
def test_whatever_a_server_sends_nothing_breaks_and_counts_stay_small(usage: Any, top: Any) -> None:
    for content in (top, {"usage": usage, "model": top, "provider": top}):
        found = reply_usage(content, {}, REQUEST, size=200)
        for count in (found.prompt_tokens, found.completion_tokens, found.cached_tokens, found.reasoning_tokens):
            assert count is None or 0 <= count < 10**6
        assert found.cost is None or 0 <= found.cost < 100
