"""Servers that answer as a stream of events alone: read whole, or tried again; never half a text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from ensemble_instruct.errors import RequestRefusedError, TransientError
from ensemble_instruct.models.clients.openai.stream import completion_in
from ensemble_instruct.records import Response
from tests.support.one_request import outcome
from tests.support.servers.hostile_replies import outcomes
from tests.support.servers.raw import CHUNKED, chunk, head, says, stalls
from tests.support.servers.reply import Reply, refused

TEXT = "Grüße\n\n\N{GRINNING FACE} data: [DONE] 你好\r\nend"
USAGE = {"prompt_tokens": 9, "completion_tokens": 7}


def event(data: Any, *, end: str = "\n\n", **fields: str) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return "".join([*(f"{name}: {value}\n" for name, value in fields.items()), f"data: {text}", end]).encode()


def delta(finish_reason: str | None = None, **message: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": message, "finish_reason": finish_reason}]}


def pieces(text: str = TEXT, size: int = 3) -> Iterator[dict[str, Any]]:
    yield delta(role="assistant", content="")
    for at in range(0, len(text), size):
        yield delta(content=text[at : at + size])


BEGUN = b"".join(map(event, pieces()))
ENDED = event(delta("stop")) + event({"choices": [], "usage": USAGE})
DONE = event("[DONE]")
WHOLE = BEGUN + ENDED + DONE
EXPECTED = Response(TEXT, "stop", 9, 7)


def streamed(body: bytes, content_type: str = "text/event-stream") -> web.Response:
    return web.Response(body=body, content_type=content_type)


def unlike(text: str) -> dict[str, Any]:
    """The reply on the endpoint of base models."""
    return {"choices": [{"index": 0, "text": text, "finish_reason": None}]}


STREAMS: dict[str, bytes] = {
    "plain": WHOLE,
    "without a last empty line": BEGUN + ENDED + DONE.rstrip(),
    "without an end mark": BEGUN + ENDED,
    "CRLF": WHOLE.replace(b"\n", b"\r\n"),
    "CR": WHOLE.replace(b"\n", b"\r"),
    "comments": b": OPENROUTER PROCESSING\n\n" + BEGUN + b": keep-alive\n\n:\n\n" + ENDED + DONE,
    "empty events": b"data:\n\n" + BEGUN + b"data: \n\nevent: ping\n\n" + ENDED + DONE,
    "names and numbers": b"".join(event(each, event="message", id="7", retry="10") for each in pieces()) + ENDED + DONE,
    "no space": WHOLE.replace(b"data: {", b"data:{"),
    "byte order mark": b"\xef\xbb\xbf" + WHOLE,
    "data of several lines": event("\ndata: ".join(json.dumps(delta(content=TEXT), indent=1).split("\n"))) + ENDED,
    "lines that are no events": b"".join(event(each, end="\n") for each in pieces()) + b"\n" + ENDED + DONE,
    "usage in each": b"".join(event({**each, "usage": {"prompt_tokens": 9}}) for each in pieces()) + ENDED + DONE,
    "usage with the end": BEGUN + event({**delta("stop"), "usage": USAGE}) + DONE,
    "the whole message at the end": event({"choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}],
                                           "usage": USAGE}) + DONE,
    "filter results first": event({"choices": [], "prompt_filter_results": [{}]}) + WHOLE,
    "no name of an end until the end": WHOLE.replace(b'"finish_reason": null', b'"finish_reason": ""'),
    "parts": event(delta(content=[{"type": "text", "text": TEXT[:5]}])) + event(delta(content=TEXT[5:])) + ENDED,
    "a second text after the end": WHOLE + event(delta(content="not this")),
    "\\u escapes": b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in pieces(size=40)) + ENDED + DONE,
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_as_the_reply_it_would_have_been(name: str) -> None:
    assert outcome(lambda *_: streamed(STREAMS[name])) == EXPECTED


@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json", "text/plain"])
def test_a_stream_is_known_by_how_it_begins_too(content_type: str) -> None:
    assert outcome(lambda *_: streamed(WHOLE, content_type)) == EXPECTED


def test_a_whole_reply_that_calls_itself_a_stream_is_read_as_one() -> None:
    body = json.dumps({"choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}], "usage": USAGE})
    assert outcome(lambda *_: streamed(body.encode())) == EXPECTED


@given(st.text(max_size=40), st.integers(1, 9))
def test_any_text_comes_back_out_of_any_pieces(text: str, size: int) -> None:
    body = b"".join(event(json.dumps(each)) for each in pieces(text, size)) + ENDED
    assert completion_in(body)["choices"][0]["message"]["content"] == text


def test_characters_that_are_split_over_packets_are_put_together() -> None:
    parts = [chunk(WHOLE[at : at + 1]) for at in range(len(WHOLE))]
    found = outcomes(says(head(Content_Type="text/event-stream", **CHUNKED), *parts, chunk(b"")))
    assert found[0].text == TEXT


def test_base_models_stream_texts_without_messages() -> None:
    body = b"".join(map(event, map(unlike, ["one ", "two"]))) + event(
        {"choices": [{"text": "", "finish_reason": "length"}]}
    )
    found = outcome(lambda *_: streamed(body), endpoint="completions")
    assert isinstance(found, Response)
    assert (found.text, found.finish_reason) == ("one two", "length")


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_the_thought_and_a_refusal_are_kept_apart(name: str) -> None:
    thought = event(delta(**{name: "hm "})) + event(delta(**{name: "so"}))
    found = outcome(lambda *_: streamed(thought + event(delta(content="Paris.")) + ENDED))
    assert isinstance(found, Response)
    assert (found.text, found.reasoning) == ("Paris.", "hm so")
    found = outcome(lambda *_: streamed(event(delta(refusal="I can")) + event(delta(refusal="not.")) + ENDED))
    assert isinstance(found, Response)
    assert (found.text, found.refusal) == ("", "I cannot.")


def test_the_name_of_the_model_is_that_of_the_stream() -> None:
    body = b"".join(event({**each, "model": "m-7"}) for each in pieces()) + ENDED
    found = outcome(lambda *_: streamed(body))
    assert isinstance(found, Response)
    assert found.model == "m-7"


def test_a_filter_that_ends_a_stream_is_a_refusal() -> None:
    found = outcome(lambda *_: streamed(BEGUN + event(delta("content_filter")) + DONE))
    assert isinstance(found, RequestRefusedError)
    assert found.type == "content_filter"


CUT: dict[str, bytes] = {
    "nothing": b"",
    "after some text": BEGUN,
    "within an event": WHOLE[: len(BEGUN) - 9],
    "within a character": BEGUN[: BEGUN.index("ü".encode()) + 1],
    "an end mark without an end": BEGUN + DONE,
    "an error": BEGUN + event({"error": {"message": "the worker is gone", "code": 502}}) + DONE,
    "an error in words": BEGUN + event({"error": "the worker is gone"}),
    "an event of the name error": BEGUN + event({"message": "the worker is gone"}, event="error"),
    "an error with an end": BEGUN + event({"error": {"message": "gone"}, **delta("error", content="")}) + DONE,
    "the end of what broke": BEGUN + event(delta("error")) + DONE,
    "no JSON": BEGUN + b"data: hello\n\n" + ENDED,
    "a list": BEGUN + b"data: [1]\n\n" + ENDED,
    "only comments": b": keep-alive\n\n" * 9,
    "only usage": event({"choices": [], "usage": USAGE}) + DONE,
    "no UTF-8": WHOLE.replace("ü".encode(), b"\xff"),
    "two texts": WHOLE.replace(
        DONE, event({"choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}]})
    ),
}


@pytest.mark.parametrize("name", CUT)
def test_a_stream_that_is_cut_is_tried_again(name: str) -> None:
    found = outcome(lambda *_: streamed(CUT[name]))
    assert isinstance(found, TransientError)
    assert found.cause == "malformed"
    assert "\n" not in str(found)


@pytest.mark.parametrize(("code", "kind"), [(429, TransientError), (400, RequestRefusedError)])
def test_an_error_before_any_text_is_what_its_code_says(code: int, kind: type[Exception]) -> None:
    body = event({"error": {"message": "prompt is too long: 9 tokens > 8 maximum", "code": code}})
    assert isinstance(outcome(lambda *_: streamed(body)), kind)


OPEN = head(Content_Type="text/event-stream", **CHUNKED)


def test_a_connection_that_breaks_off_is_tried_again() -> None:
    found = outcomes(says(OPEN, chunk(BEGUN), end="close"))[0]
    assert isinstance(found, TransientError)
    assert found.cause == "connection"


def test_a_connection_that_is_left_open_after_the_end_holds_nothing_up() -> None:
    """In simulated time: the time limit of a try is 30 s."""
    assert outcomes(stalls(OPEN + chunk(WHOLE)))[0] == EXPECTED


def test_a_stream_has_a_bound_as_other_replies() -> None:
    body = event(delta(content="x" * 3_000_000)) + ENDED
    found = outcome(lambda *_: streamed(body))
    assert isinstance(found, TransientError)
    assert "longer than" in str(found)


REFUSALS: dict[str, Callable[[], Reply]] = {
    "DashScope": lambda: refused(
        "This model only support stream mode, please enable the stream parameter to access it."
    ),
    "a proxy": lambda: refused("Stream must be set to true"),
    "pydantic": lambda: web.json_response(
        {"detail": [{"loc": ["body", "stream"], "msg": "Input should be True", "type": "literal_error"}]}, status=422
    ),
    "the other way": lambda: refused("Non-stream requests are not supported"),
    "in the code": lambda: refused("You must set `stream` to true to use this model"),
    "in Chinese": lambda: refused("该模型只支持流式输出"),
    "in words": lambda: refused("stream=false is not supported by this server"),
    "another status": lambda: web.json_response({"error": "Streaming is required for this model"}, status=501),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_server_that_refuses_other_replies_is_asked_for_a_stream_from_then_on(name: str) -> None:
    asked: list[dict[str, Any]] = []

    def answering(body: dict[str, Any], _: int) -> Reply:
        asked.append(body)
        return streamed(WHOLE) if body.get("stream") else REFUSALS[name]()

    assert outcome(answering) == EXPECTED
    assert [each.get("stream") for each in asked] == [None, True]
    assert asked[1]["stream_options"] == {"include_usage": True}


def test_a_server_that_does_not_know_the_options_of_streams_is_asked_without() -> None:
    def answering(body: dict[str, Any], _: int) -> Reply:
        if "stream_options" in body:
            return refused("Unrecognized request argument supplied: stream_options")
        return streamed(WHOLE) if body.get("stream") else refused("Stream must be set to true")

    assert outcome(answering) == EXPECTED
