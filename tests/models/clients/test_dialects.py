"""The `openai` client and the dialects of servers that the docs do not name, as their sources describe them.

Each server here is a stand-in on the loopback that says what the real one says: the shape of a completion, of each
error, what it includes of a stop string and which settings it refuses. `make test-servers` asks a real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from aiohttp import web

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import RequestRefusedError, TransientError, UnknownModelError
from ensemble_instruct.models.clients.openai.client import OpenAIClient
from ensemble_instruct.models.probes import settings_followed
from ensemble_instruct.records import Request, Response, Sampling
from tests.support.servers.reply import Reply, prompt_of, refused, said, serving

LONG, UNKNOWN, BUSY = "word " * 900, "unknown/model", "busy"
PLAIN = Sampling(max_tokens=16, temperature=0.7, top_k=50, top_p=1.0, seed=7, stop=("END",))


@dataclass(frozen=True)
class Dialect:
    """How a server writes."""

    completion: dict[str, Any] = field(default_factory=dict)
    """What a reply has beside its text."""
    choice: dict[str, Any] = field(default_factory=dict)
    too_long: Callable[[], Reply] | None = None
    unknown_model: Callable[[], Reply] = lambda: refused("The model `unknown/model` does not exist.", 404)
    busy: Callable[[], Reply] = lambda: refused("too many requests", 429)
    refuses: Callable[[dict[str, Any]], Reply] = lambda body: None
    includes_stop: bool = False
    chat: bool = False
    stop_reason: str = "stop"


def _detail(text: Any, status: int) -> Reply:
    return web.json_response({"detail": text}, status=status)


def _error(error: Any, status: int, **more: Any) -> Reply:
    return web.json_response({"error": error, **more}, status=status)


def _unexpected(body: dict[str, Any]) -> Reply:
    """What `transformers serve` says of fields that are not OpenAI's."""
    extra = {name for name in body if name in ("top_k", "min_tokens")}
    return _detail(f"Unexpected fields in the request: {extra}", 422) if extra else None


DIALECTS = {
    "llama-cpp-python": Dialect(
        {}, {"logprobs": None},
        lambda: _error({"message": "This model's maximum context length is 512 tokens, however you requested 916 "
                        "tokens", "type": "invalid_request_error", "param": "messages",
                        "code": "context_length_exceeded"}, 400),
    ),
    "transformers serve": Dialect(
        {}, {}, refuses=_unexpected, includes_stop=True,
        unknown_model=lambda: _detail("Model unknown/model not found", 404),
        busy=lambda: _error("the worker has ended", 503),
    ),
    "HF router": Dialect(
        {}, {"logprobs": None}, chat=True,
        unknown_model=lambda: _error({"message": "The requested model 'unknown/model' is not supported by any provider "
                                      "you have enabled.", "type": "invalid_request_error", "param": "model",
                                      "code": "model_not_supported"}, 400),
    ),
}  # fmt: skip


def speaking(dialect: Dialect) -> Callable[[dict[str, Any], int], Reply]:
    def answer(body: dict[str, Any], _: int) -> Reply:
        prompt = prompt_of(body)
        if body["model"] == UNKNOWN:
            return dialect.unknown_model()
        if (refusal := dialect.refuses(body)) is not None:
            return refusal
        if prompt == LONG and dialect.too_long is not None:
            return dialect.too_long()
        if prompt == BUSY:
            return dialect.busy()
        text = f"the answer{'END' if dialect.includes_stop else ''}"
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        reply = said(text, None, object="text_completion", usage=usage, **dialect.completion)
        choice = {"finish_reason": dialect.stop_reason, **dialect.choice}
        return _with_choice(reply, choice)

    return answer


def _with_choice(reply: web.Response, more: dict[str, Any]) -> web.Response:
    import json

    body = json.loads(reply.body)  # type: ignore[arg-type]
    body["choices"][0] |= more
    return web.json_response(body)


def asked(dialect: Dialect, prompt: str, model: str = "m", sampling: Sampling = PLAIN) -> Response | BaseException:
    async def ask() -> Response | BaseException:
        endpoint: Any = "chat" if dialect.chat else "completions"
        with serving(speaking(dialect)) as served:
            client = OpenAIClient("m", ModelSection(base_url=served.base_url, model=model, endpoint=endpoint), None)
            await client.open()
            request = Request(prompt=prompt, sampling=sampling, step="outputs", kind="output_only")
            try:
                return (await asyncio.gather(client.answer(request), return_exceptions=True))[0]
            finally:
                await client.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("name", DIALECTS)
def test_a_completion_reads_the_same_in_every_dialect(name: str) -> None:
    assert asked(DIALECTS[name], "hello") == Response("the answer", "stop", 3, 4)


@pytest.mark.parametrize("name", [name for name, dialect in DIALECTS.items() if dialect.too_long])
def test_a_prompt_that_is_too_long_is_told_apart(name: str) -> None:
    outcome = asked(DIALECTS[name], LONG)
    assert isinstance(outcome, RequestRefusedError)
    assert outcome.type == "prompt_too_long"


@pytest.mark.parametrize("name", DIALECTS)
def test_an_unknown_model_ends_the_run(name: str) -> None:
    assert isinstance(asked(DIALECTS[name], "hello", UNKNOWN), UnknownModelError)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_busy_server_is_asked_again(name: str) -> None:
    outcome = asked(DIALECTS[name], BUSY)
    assert isinstance(outcome, TransientError)
    assert outcome.cause in ("429", "503")


def outcome_of(reply: Reply, sampling: Sampling = PLAIN, **settings: Any) -> Response | BaseException:
    async def ask() -> Response | BaseException:
        with serving(lambda *_: reply) as served:
            client = OpenAIClient("m", ModelSection(base_url=served.base_url, model="m", **settings), None)
            request = Request(prompt="hello", sampling=sampling, step="outputs", kind="output_only")
            try:
                return (await asyncio.gather(client.answer(request), return_exceptions=True))[0]
            finally:
                await client.close()

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("text", "min_tokens", "stop", "kept"),
    [
        ("one END two", 0, ("END",), "one "),
        ("one END two END", 20, ("END",), "one END two "),
        ("one END two", 20, ("END",), "one END two"),
        ("one\n\ntwo", 0, ("two", "\n\n"), "one"),
        ("one\n\n|EoS|", 1, ("\n\n", "|EoS|"), "one\n\n|EoS|"),
    ],
)
def test_a_stop_string_that_is_there_is_cut_off(text: str, min_tokens: int, stop: tuple[str, ...], kept: str) -> None:
    outcome = outcome_of(said(text, "length"), replace(PLAIN, min_tokens=min_tokens, stop=stop))
    assert isinstance(outcome, Response)
    assert outcome.text == kept
    assert outcome.finish_reason == ("length" if kept == text else "stop")


@pytest.mark.parametrize("text", ["", None])
def test_an_empty_text_of_many_tokens_is_an_error(text: str | None) -> None:
    outcome = outcome_of(said(text, "length", usage={"completion_tokens": 16}))
    assert isinstance(outcome, TransientError)
    assert outcome.cause == "empty"


@pytest.mark.parametrize("made", [None, 0, 1, 5])
def test_a_model_that_ends_at_once_has_answered(made: int | None) -> None:
    outcome = outcome_of(said("", "stop", usage={"completion_tokens": made}))
    assert outcome == Response("", "stop", None, made)


def test_more_than_one_choice_is_an_error() -> None:
    choice = {"index": 0, "text": "x", "finish_reason": "stop"}
    outcome = outcome_of(web.json_response({"choices": [choice, choice]}))
    assert isinstance(outcome, TransientError)
    assert outcome.cause == "malformed"


def _follows(names: tuple[str, ...]) -> Callable[[dict[str, Any], int], Reply]:
    """A server whose model talks by chance, but for the settings that it follows; a last word is always chance."""

    def answer(body: dict[str, Any], tries: int) -> Reply:
        hot = body["temperature"] > 0 and not ("top_k" in names and body.get("top_k") == 1)
        chance = body.get("seed") if "seed" in names else tries
        least = body.get("min_tokens", 0) if "min_tokens" in names else 0
        text = " ".join(Random(chance).choices("abcdefgh", k=9)) if hot else "one word after the other"
        text += f" {tries}"
        return said(text, usage={"prompt_tokens": 9, "completion_tokens": max(least, 2)})

    return answer


@pytest.mark.parametrize("names", [(), ("seed",), ("top_k",), ("min_tokens",), ("seed", "top_k", "min_tokens")])
def test_check_finds_out_which_settings_a_server_follows(names: tuple[str, ...]) -> None:
    async def ask() -> str:
        with serving(_follows(names)) as served:
            client = OpenAIClient("m", ModelSection(base_url=served.base_url, model="m"), None)
            try:
                return await settings_followed(client)
            finally:
                await client.close()

    expected = {name: "followed" if name in names else "ignored" for name in ("seed", "top_k", "min_tokens")}
    assert asyncio.run(ask()) == ", ".join(f"{name} {verdict}" for name, verdict in expected.items())


def test_check_names_the_settings_that_a_server_refuses() -> None:
    async def ask() -> str:
        with serving(speaking(DIALECTS["transformers serve"])) as served:
            client = OpenAIClient("m", ModelSection(base_url=served.base_url, model="m"), None)
            try:
                return await settings_followed(client)
            finally:
                await client.close()

    said_of_it = asyncio.run(ask())
    assert "top_k refused" in said_of_it
    assert "min_tokens refused" in said_of_it
