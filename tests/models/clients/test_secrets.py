"""Keys in what a server says: found in whatever way they are written, and never mistaken for a model's own words."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.errors import RequestRefusedError
from ensemble_instruct.models.clients.openai.secrets import Secrets
from ensemble_instruct.records import Response
from tests.support.one_request import outcome
from tests.support.servers.reply import said

KEY = "sk-Zq81/never+to-be&seen_7%41"


def all_percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def in_mime(text: str) -> str:
    return base64.encodebytes(
        f"Authorization: Bearer {text}, and then as much again in further headers".encode()
    ).decode()


def json_escaped(text: str) -> str:
    return "".join(f"\\u{ord(sign):04X}" for sign in text)


WAYS: list[Callable[[str], str]] = [
    str, str.upper, quote, lambda text: quote(text, safe=""), quote_plus, all_percent, html.escape, json_escaped,
    lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    lambda text: "".join(f"&#x{ord(sign):X};" for sign in text),
    lambda text: json.dumps(text)[1:-1], lambda text: json.dumps(json.dumps(text).replace("/", "\\/"))[1:-1],
    lambda text: repr(text.encode())[2:-1], lambda text: "".join(f"\\x{ord(sign):02x}" for sign in text),
    lambda text: f"Bearer {text}", in_base64, lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    lambda text: in_base64(f"x{text}yz"), lambda text: in_base64(f"xy{text}z"),
    lambda text: in_base64(f"Bearer {text}"),
    lambda text: quote(in_base64(text), safe=""), lambda text: json.dumps(in_mime(text)), in_mime,
    lambda text: quote(quote(text, safe=""), safe=""), lambda text: html.escape(quote(json_escaped(text))),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(WAYS)))
def test_a_key_is_found_and_hidden_in_whatever_way_it_is_written(number: int) -> None:
    secrets, written = Secrets([KEY]), WAYS[number](KEY)
    text = f"What was sent: {written}, no more."
    assert secrets.are_in(text)
    hidden = secrets.out_of(text)
    assert "***" in hidden
    assert written not in hidden
    assert not secrets.are_in(hidden)
    assert hidden.startswith("What was sent: ")
    assert hidden.endswith(", no more.")


@settings(deadline=None, max_examples=200)
@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=12, max_size=80).filter(
        lambda text: text == text.strip() and len(set(text)) > 5
    ),
    st.sampled_from(WAYS),
    st.sampled_from(WAYS[2:15]),
    st.text(max_size=20),
)
def test_any_key_is_found_in_one_way_within_another(
    key: str, inner: Callable[[str], str], outer: Callable[[str], str], around: str
) -> None:
    assert Secrets([key]).are_in(f"{around} {outer(inner(key))} {around}")


@settings(deadline=None)
@given(st.text(max_size=200))
def test_a_text_without_a_key_stays_as_it_is(text: str) -> None:
    secrets = Secrets([KEY, "none"])
    assert secrets.out_of(text) == text or "none" in text
    assert not secrets.are_in(text)


@pytest.mark.parametrize("text", [
    "The list is EMPTY, and none of it is left for ollama.", "empty", "EMPTY", "Authorization is EMPTY-handed",
    "Bearer EMPTYNESS", "Bearer of none other news", "api-key: nonetheless", "none" * 50, "a key: none",
])  # fmt: skip
def test_a_short_key_is_a_word_like_any_other_in_what_a_model_says(text: str) -> None:
    assert not Secrets(["EMPTY", "ollama", "none", "a", "sk-1"]).are_in(text)


@pytest.mark.parametrize("text", [
    "Bearer EMPTY", "authorization: bearer EMPTY.", '{"Authorization": "Bearer EMPTY"}', "api-key: EMPTY",
    '"api_key": "EMPTY"', "API-KEY=EMPTY", "x-api-key: EMPTY", "Bearer%20EMPTY", "Bearer &#69;MPTY",
    r"Bearer \u0045MPTY",
    base64.b64encode(b"Authorization: Bearer EMPTY").decode(), "Authorization: EMPTY",
])  # fmt: skip
def test_a_short_key_counts_where_it_is_handed_over(text: str) -> None:
    assert Secrets(["EMPTY"]).are_in(text)
    assert not Secrets(["OTHER"]).are_in(text)


def test_a_short_key_is_hidden_in_errors_where_it_is_a_word_of_its_own() -> None:
    secrets = Secrets(["pass-7", "none", "no"])
    assert secrets.out_of("wrong: pass-7, none, nonetheless, None, no") == "wrong: ***, ***, nonetheless, None, no"


@pytest.mark.parametrize("unit", ["%", "%25", "&amp;", "&#0", "\\", "\\u005c", "a" * 70 + "\n", "none Bearer ", "%e2"])
def test_a_long_text_is_read_once_for_each_encoding_and_not_for_each_character(unit: str) -> None:
    secrets = Secrets([KEY, "none-1"])
    short, long = unit * (2**14 // len(unit)), unit * (2**18 // len(unit))
    for text in (short, long):
        assert not secrets.are_in(text)
        assert secrets.out_of(text) == text
    assert secrets.out_of(long + " " + KEY).endswith(" ***")


def test_without_keys_nothing_is_hidden() -> None:
    assert Secrets([""]).out_of("Bearer ") == "Bearer "
    assert not Secrets([]).are_in("Bearer ")


@pytest.mark.parametrize("reply", [
    lambda key: said(f"It is {key}."), lambda key: said("fine", f"ended for {key}"),
    lambda key: said("fine", model=key),
    lambda key: said("fine", f"{'x' * 90} {key}"), lambda key: said("fine", provider=f"{'x' * 190} {key}"),
    lambda key: said("", f"content_filter: {key}"), lambda key: said(f"api-key: {quote(key)}"),
    lambda key: web.json_response({"choices": [{"text": "a", "finish_reason": {"why": key}}]}),
    lambda key: web.Response(text="".join(
        f"data: {json.dumps({'choices': [{'text': part, 'finish_reason': None}]})}\n\n" for part in (key[:9], key[9:])
    ) + 'data: {"choices": [{"text": "", "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'),
    lambda key: web.Response(body=json.dumps({"choices": [{"text": key, "finish_reason": "stop"}]}).encode("utf-16")),
])  # fmt: skip
def test_a_reply_that_repeats_a_key_is_no_answer(reply: Callable[[str], web.Response]) -> None:
    error = outcome(lambda *_: reply(KEY), endpoint="completions", key=KEY)
    assert isinstance(error, RequestRefusedError)
    assert error.type == "secret_in_reply"
    assert error.paid is not None
    assert KEY[:6] not in str(error)


def test_a_short_key_is_a_word_like_any_other_in_a_reply() -> None:
    reply = outcome(lambda *_: said("ollama and EMPTY", "ollama", model="ollama/a", provider="ollama"), key="ollama")
    assert reply == Response("ollama and EMPTY", "ollama", model="ollama/a", upstream="ollama")


@pytest.mark.parametrize("size", [50, 290, 1490, 63_990, 127_990])
def test_a_part_of_a_key_is_not_shown_where_an_error_is_cut(size: int) -> None:
    error = outcome(lambda *_: web.Response(status=400, text=" " * size + KEY), key=KEY)
    assert isinstance(error, RequestRefusedError)
    assert KEY[:4] not in str(error)


def test_a_part_of_a_key_is_not_shown_where_the_target_of_a_redirect_is_cut() -> None:
    elsewhere = {"Location": f"http://h/{'x' * 180}/{KEY}"}
    error = outcome(lambda *_: web.Response(status=307, headers=elsewhere), key=KEY)
    assert "redirects to" in str(error)
    assert KEY[:4] not in str(error)
