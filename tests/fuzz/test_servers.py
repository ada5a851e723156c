"""What a server answers, whatever it is: completions, streams, errors, counts of tokens, limits."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_instruct.models.clients.openai.rate_headers import rate_limits, retry_after
from ensemble_instruct.models.clients.openai.usage import reply_usage
from ensemble_instruct.records import Response
from tests.fuzz.mangling import FUZZ, in_one_line, mangled
from tests.support.one_request import REQUEST
from tests.support.servers.hostile_replies import outcomes
from tests.support.servers.raw import completion, reply, says

CHAT = {
    "id": "x", "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Oslo"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}, "cost": 0.001},
}  # fmt: skip
STREAM = "".join(
    f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': text}, 'finish_reason': ended}]})}\n\n"
    for text, ended in (("Os", None), ("lo", "stop"))
)
SEEDS = [
    completion("Oslo"), json.dumps(CHAT).encode(), f"{STREAM}data: [DONE]\n\n".encode(),
    b'{"error": {"message": "temperature is not supported", "type": "invalid_request_error", "param": "temperature"}}',
    b"<html><head><title>502 Bad Gateway</title></head><body>log in</body></html>",
    b'{"detail": [{"loc": ["body", "top_k"]}]}',
]  # fmt: skip
PIECES = [
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"true", b"-1", b"1e999", b"NaN", b"9" * 30, b"9" * 5000,
    b'"\\ud800"', b"\xff", b"\0", b"data: ", b"event: error\n", b"\n\n", b"[DONE]", b'{"choices": []}',
    b'"choices": [{}]', b'"text": []', b'"usage": [1]', b'"usage": {"prompt_tokens": "x"}',
    b'"content": [{"type": "text"}]', b'"finish_reason": 3', b'"code": 429', b'{"error": ', b"\xef\xbb\xbf",
    b"\r\n", b"<title>", b'"index": -1', b'"index": "a"', b'"delta": {"content": {}}',
]  # fmt: skip
BODIES = mangled(SEEDS, PIECES, st.binary(max_size=8))
NAMES = st.sampled_from([
    "usage", "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "prompt_tokens_details",
    "cached_tokens", "completion_tokens_details", "reasoning_tokens", "cost", "cost_details",
    "upstream_inference_cost", "is_byok", "model", "provider", "cost_in_usd_ticks", "cache_read_input_tokens",
    "choices", "x",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
HEADERS = [
    "Retry-After", "Date", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "x-ratelimit-limit-requests", "ratelimit-reset",
]  # fmt: skip
VALUES = mangled(
    ["1", "1.5", "6m0s", "1h2m3s", "20ms", "Wed, 21 Oct 2026 07:28:00 GMT", "2026-10-21T07:28:00Z", "100;w=60"],
    ["-", "inf", "nan", "1e400", "9" * 400, ":", "s", "٣", "GMT", "+9999", ";", "\u2028"], st.text(max_size=5),
)  # fmt: skip


@pytest.mark.slow
@FUZZ
@given(
    body=BODIES, status=st.sampled_from(["200 OK", "400 Bad", "404 Not", "429 Slow", "500 Err", "204 No", "307 Away"])
)
def test_a_reply_is_an_answer_or_an_error_in_one_line(body: bytes, status: str) -> None:
    for said in outcomes(says(reply(body, status)), timeout=30.0):
        assert isinstance(said, Response) or in_one_line(said), repr(said)[:500]
        if isinstance(said, Response):
            said.text.encode()


@FUZZ
@given(
    content=JSON | st.dictionaries(NAMES, JSON),
    headers=st.dictionaries(st.sampled_from(HEADERS), VALUES),
    size=st.integers(0, 10**7),
)
def test_counts_of_tokens_are_possible_ones(content: object, headers: dict[str, str], size: int) -> None:
    usage = reply_usage(content, headers, REQUEST, size=size)
    counts = (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens)
    assert all(count is None or 0 <= count < 2**40 for count in counts)
    assert usage.cost is None or 0 <= usage.cost < 10**6


@FUZZ
@given(headers=st.dictionaries(st.sampled_from(HEADERS), VALUES))
def test_headers_of_limits_are_numbers_or_nothing(headers: dict[str, str]) -> None:
    wait = retry_after(headers)
    assert wait is None or 0 <= wait < 10**9
    limits = rate_limits(headers)

    def numbers() -> Iterator[float | None]:
        for name in limits.__slots__ if limits else ():
            yield getattr(limits, name)

    assert all(number is None or 0 <= number < 10**15 for number in numbers())
