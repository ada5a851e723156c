"""The `openai` client against real servers on real sockets: what it sends, and what it makes of each answer."""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import RequestRefusedError, TransientError
from ensemble_instruct.models.clients.openai.client import OpenAIClient
from ensemble_instruct.models.opening import open_models
from ensemble_instruct.records import Request, Response, Sampling
from ensemble_instruct.store.store import opened_store
from tests.support.servers.reply import Answering, Reply, Served, refused, said, serving

SAMPLING = Sampling(max_tokens=256, min_tokens=15, temperature=0.7, top_k=50, top_p=0.9, stop=("\n\n", "|EoS|"), seed=7)


def request(prompt: str, sampling: Sampling = SAMPLING) -> Request:
    return Request(prompt=prompt, sampling=sampling, step="outputs", kind="output_only")


def section(served: Served, **settings: Any) -> ModelSection:
    return ModelSection(**{"base_url": served.base_url, "model": "org/model", **settings})


def outcomes(
    served: Served, requests: Sequence[Request], *, at_once: bool = False, key: str | None = None, **settings: Any
) -> list[Response | BaseException]:
    """What one client says to requests, one after the other or all at once."""

    async def ask() -> list[Response | BaseException]:
        client = OpenAIClient("m", section(served, **settings), key)
        try:
            await client.open()
            if at_once:
                return await asyncio.gather(*map(client.answer, requests), return_exceptions=True)
            return [(await asyncio.gather(client.answer(each), return_exceptions=True))[0] for each in requests]
        finally:
            await client.close()

    return asyncio.run(ask())


def outcome(served: Served, **settings: Any) -> Response | BaseException:
    return outcomes(served, [request("p")], **settings)[0]


BODY = {
    "model": "org/model", "max_tokens": 256, "temperature": 0.7, "top_p": 0.9, "stop": ["\n\n", "|EoS|"],
    "min_tokens": 15, "top_k": 50, "seed": 7,
}  # fmt: skip
PROMPT = " 1. Größe\n2."


@pytest.mark.parametrize(
    ("endpoint", "path", "prompt"),
    [
        ("completions", "/v1/completions", {"prompt": PROMPT}),
        ("chat", "/v1/chat/completions", {"messages": [{"role": "user", "content": PROMPT}]}),
    ],
)
def test_the_whole_prompt_and_every_setting_are_sent(endpoint: str, path: str, prompt: dict[str, Any]) -> None:
    with serving(lambda *_: said("x")) as served:
        outcomes(served, [request(PROMPT)], endpoint=endpoint)
    assert served.bodies == [{**BODY, **prompt}]
    assert served.paths == ["/v1/models", path]


def test_settings_without_effect_are_not_sent() -> None:
    with serving(lambda *_: said("x")) as served:
        outcomes(served, [request("p", Sampling(max_tokens=9))])
    assert served.bodies == [{"model": "org/model", "prompt": "p", "max_tokens": 9, "temperature": 0.0, "top_p": 1.0}]


def test_requests_share_one_kept_connection() -> None:
    with serving(lambda body, _: said(body["prompt"])) as served:
        replies = outcomes(served, [request(f"p{number}") for number in range(40)])
        assert [reply.text for reply in replies if isinstance(reply, Response)] == [f"p{i}" for i in range(40)]
        assert served.connections == 1


def test_no_more_connections_than_requests_at_once() -> None:
    with serving(lambda body, _: said(body["prompt"])) as served:

        async def ask() -> None:
            client = OpenAIClient("m", section(served), None)
            for _ in range(6):
                await asyncio.gather(*(client.answer(request(f"p{number}")) for number in range(8)))
            await client.close()

        asyncio.run(ask())
        assert len(served.bodies) == 48
        assert served.connections <= 8


def test_the_key_is_sent_and_only_if_there_is_one() -> None:
    with serving(lambda *_: said("x")) as served:
        outcome(served, key="sk-1")
        outcome(served)
    assert served.authorizations == ["Bearer sk-1"] * 2 + [None] * 2


REFUSALS = {
    "OpenAI": lambda name: refused(f"Unrecognized request argument supplied: {name}"),
    "plain": lambda name: web.Response(status=400, text=f"unknown field: `{name}` at line 1"),
    "pydantic": lambda name: web.json_response(
        {"detail": [{"loc": ["body", name], "msg": "Extra inputs are not permitted"}]}, status=422
    ),
}


def taking(*names: str, refusal: Callable[[str], web.Response] = REFUSALS["OpenAI"]) -> Answering:
    """A server that refuses each of the named settings."""

    def answering(body: dict[str, Any], _: int) -> Reply:
        return next((refusal(name) for name in names if name in body), None) or said("fine")

    return answering


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in BODY.items() if name not in names}


@pytest.mark.parametrize("style", REFUSALS)
@pytest.mark.parametrize("name", ["top_k", "min_tokens", "seed"])
def test_a_setting_that_the_server_refuses_is_left_out_from_then_on(name: str, style: str) -> None:
    with serving(taking(name, refusal=REFUSALS[style])) as served:
        replies = outcomes(served, [request("p"), request("q")])
    assert replies == [Response("fine"), Response("fine")]
    assert served.bodies[1:] == [{**without(name), "prompt": "p"}, {**without(name), "prompt": "q"}]


def test_all_three_may_be_refused() -> None:
    with serving(taking("seed", "min_tokens", "top_k")) as served:
        assert outcome(served) == Response("fine")
    assert served.bodies[-1] == {**without("seed", "min_tokens", "top_k"), "prompt": "p"}
    assert len(served.bodies) == 4


def test_max_tokens_is_renamed_where_the_server_says_so() -> None:
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    with serving(taking("max_tokens", refusal=lambda _: refused(message))) as served:
        assert outcomes(served, [request("p"), request("q")]) == [Response("fine")] * 2
    assert served.bodies[1:] == [{**without("max_tokens"), "max_completion_tokens": 256, "prompt": p} for p in "pq"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("top_k", "Unrecognized request argument supplied: top_k"),
        ("max_tokens", "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
    ],
)
def test_requests_refused_at_the_same_time_are_all_asked_again(name: str, message: str) -> None:
    all_there = asyncio.Event()
    count = 8

    async def answering(body: dict[str, Any], _: int) -> Reply:
        if name not in body:
            return said("fine")
        if len(served.bodies) >= count:
            all_there.set()
        await all_there.wait()
        return refused(message)

    with serving(answering) as served:
        replies = outcomes(served, [request(f"p{number}") for number in range(count)], at_once=True)
    assert replies == [Response("fine")] * count


def test_a_longer_word_does_not_name_a_setting() -> None:
    with serving(lambda *_: refused("invalid prompt: 'How to plant seeds?'")) as served:
        first, _ = outcomes(served, [request("p"), request("q")])
    assert isinstance(first, RequestRefusedError)
    assert [body.get("seed") for body in served.bodies] == [7, 7]


def test_text_comes_back_as_it_was_sent() -> None:
    text = "  Größe\n\n\t日本 \U0001f600 "
    with serving(lambda *_: said(text)) as served:
        assert [outcome(served, endpoint=each) for each in ("completions", "chat")] == [Response(text)] * 2


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}, (12, 3)),
        ({"prompt_tokens": 12}, (12, None)),
        ({"prompt_tokens": "12", "completion_tokens": -1}, (None, None)),
        (None, (None, None)),
    ],
)
def test_token_counts_are_the_servers_own(usage: Any, counts: tuple[int | None, int | None]) -> None:
    with serving(lambda *_: said("x", usage=usage)) as served:
        assert outcome(served) == Response("x", "stop", *counts)


def test_a_missing_text_is_empty_and_a_cut_one_says_so() -> None:
    replies = iter([said(None), said(None, "length"), said("half", "length"), said("x", None)])
    with serving(lambda *_: next(replies)) as served:
        found = outcomes(served, [request(prompt) for prompt in "pqrs"], endpoint="chat")
    assert found == [Response(""), Response("", "length"), Response("half", "length"), Response("x")]


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    body = b'{"choices": [{"text": "a\\ud83d b", "finish_reason": "stop"}]}'
    with serving(lambda *_: web.Response(body=body, content_type="application/json")) as served:
        assert outcome(served) == Response("a\N{REPLACEMENT CHARACTER} b")


TOO_LONG = {
    "vLLM": "This model's maximum context length is 2048 tokens. However, you requested 2500 tokens.",
    "vLLM later": "'max_tokens' or 'max_completion_tokens' is too large: 512. This model's maximum context length is "
    "2048 tokens and your request has 1900 input tokens (512 > 2048 - 1900).",
    "llama.cpp": "the request exceeds the available context size. try increasing the context size",
    "TGI": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens "
    "and 256 `max_new_tokens`",
}


@pytest.mark.parametrize("name", TOO_LONG)
def test_a_prompt_that_is_too_long_is_refused_and_nothing_else_changes(name: str) -> None:
    status = 422 if name == "TGI" else 400
    with serving(
        lambda body, _: refused(TOO_LONG[name], status) if body["prompt"] == "long" else said("fine")
    ) as served:
        first, second = outcomes(served, [request("long"), request("p")])
    assert isinstance(first, RequestRefusedError)
    assert first.type == "prompt_too_long"
    assert second == Response("fine")
    assert served.bodies == [{**BODY, "prompt": "long"}, {**BODY, "prompt": "p"}]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (lambda: said("partly", "content_filter"), "content_filter"),
        (lambda: said(None, "content_filter"), "content_filter"),
        (lambda: refused("The response was filtered due to Azure's content management policy."), "content_filter"),
        (lambda: web.Response(status=413, text="Payload Too Large"), "prompt_too_long"),
        (lambda: refused("temperature must be below 2"), "bad_request"),
    ],
)
def test_a_refusal_for_good_has_its_type(reply: Callable[[], Reply], kind: str) -> None:
    with serving(lambda *_: reply()) as served:
        found = outcome(served, endpoint="chat")
    assert isinstance(found, RequestRefusedError)
    assert found.type == kind


HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
TRANSIENT: dict[str, tuple[Callable[[], Reply], str]] = {
    "rate limit": (lambda: refused("slow down", 429), "429"),
    "server error": (lambda: refused("out of memory", 500), "500"),
    "gateway page": (lambda: web.Response(status=502, text=HTML, content_type="text/html"), "502"),
    "dropped": (lambda: None, "connection"),
    "cut JSON": (lambda: web.Response(text='{"choices": [{"te', content_type="application/json"), "malformed"),
    "no choices": (lambda: web.json_response({"choices": []}), "malformed"),
    "page": (lambda: web.Response(text=HTML, content_type="text/html"), "malformed"),
    "a list": (lambda: web.json_response([1]), "malformed"),
    "null": (lambda: web.json_response(None), "malformed"),
    "number": (lambda: web.json_response({"choices": [{"text": 5}]}), "malformed"),
    "no UTF-8": (lambda: web.Response(body=b'{"choices": [{"text": "\xff"}]}'), "malformed"),
    "empty": (web.Response, "malformed"),
}


@pytest.mark.parametrize("name", TRANSIENT)
def test_what_may_go_better_next_time_is_told_apart(name: str) -> None:
    reply, cause = TRANSIENT[name]
    with serving(lambda *_: reply()) as served:
        found = outcome(served)
    assert isinstance(found, TransientError)
    assert found.cause == cause
    assert "\n" not in str(found)
    assert "<" not in str(found)


def test_the_content_type_does_not_matter() -> None:
    with serving(lambda *_: web.Response(text=said("x").text or "", content_type="text/plain")) as served:
        assert outcome(served) == Response("x")


@pytest.mark.parametrize("when", ["models", "completions"])
def test_a_redirect_does_not_carry_the_key_elsewhere(when: str) -> None:
    with serving(lambda *_: said("stolen")) as elsewhere:
        moved = web.Response(status=307, headers={"Location": elsewhere.base_url + "/completions"})
        with serving(lambda *_: moved, moved if when == "models" else None) as served:
            found = outcome(served, key="sk-1")
    assert isinstance(found, TransientError)
    assert elsewhere.paths == []


def test_what_was_redirected_to_another_server_is_tried_again(tmp_path: Path) -> None:
    away = {"Location": "http://127.0.0.1:9/v1/completions"}
    with serving(lambda _, tries: said("here") if tries > 1 else web.Response(status=302, headers=away)) as served:
        assert _through_model(served, tmp_path, ["p"]) == (["here"], Counter(redirect=1))


def _through_model(served: Served, folder: Path, prompts: Sequence[str]) -> tuple[list[str], Counter[str]]:
    """Texts of a model with its retries, all asked at once, and its retries by cause."""

    async def ask() -> tuple[list[str], Counter[str]]:
        with opened_store(folder / "run.db") as store:
            async with open_models({"m": section(served)}, store, check=True) as models:
                answers = await asyncio.gather(*(models["m"].ask(request(prompt)) for prompt in prompts))
                texts = [answer.outcome.text for answer in answers if isinstance(answer.outcome, Response)]
                return texts, models["m"].usage.retries

    return asyncio.run(ask())


def test_each_fault_is_tried_again_until_it_succeeds(tmp_path: Path) -> None:
    def answering(body: dict[str, Any], tries: int) -> Reply:
        return TRANSIENT[body["prompt"]][0]() if tries == 1 else said(f"{body['prompt']} in the end")

    with serving(answering) as served:
        texts, retries = _through_model(served, tmp_path, list(TRANSIENT))
    assert texts == [f"{name} in the end" for name in TRANSIENT]
    assert retries == Counter(cause for _, cause in TRANSIENT.values())


@pytest.mark.slow
def test_a_server_is_left_alone_until_the_time_it_named(tmp_path: Path) -> None:
    opens = time.time() + 1.5
    headers = {"seconds": "1.5", "date": email.utils.formatdate(int(opens) + 1, usegmt=True)}

    def answering(body: dict[str, Any], tries: int) -> Reply:
        if tries == 1:
            return web.Response(status=429, headers={"Retry-After": headers[body["prompt"]]})
        return said("open" if time.time() >= opens - 0.05 else "asked too early")

    with serving(answering) as served:
        texts, _ = _through_model(served, tmp_path, list(headers))
    assert texts == ["open", "open"]
    assert len(served.bodies) == 4


def test_equal_requests_differ_from_others_in_every_setting_that_can_change_the_answer(tmp_path: Path) -> None:
    changed = [
        replace(SAMPLING, max_tokens=9), replace(SAMPLING, min_tokens=2), replace(SAMPLING, temperature=0.5),
        replace(SAMPLING, top_k=3), replace(SAMPLING, top_p=0.5), replace(SAMPLING, stop=()), replace(SAMPLING, seed=8),
    ]  # fmt: skip
    requests = [request("p", sampling) for sampling in [SAMPLING, SAMPLING, *changed]]

    async def ask(served: Served) -> None:
        with opened_store(tmp_path / "run.db") as store:
            async with open_models({"m": section(served)}, store, check=False) as models:
                for each in requests:
                    await models["m"].ask(each)

    with serving(lambda *_: said("x")) as served:
        asyncio.run(ask(served))
    assert len(served.bodies) == 1 + len(changed)
    assert len({json.dumps(body) for body in served.bodies}) == len(served.bodies)
