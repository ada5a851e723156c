"""Settings that a server refuses: left out for that server alone and said once, while the key of the request stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiohttp import web

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import RequestRefusedError
from ensemble_instruct.models.clients.openai.client import OpenAIClient
from ensemble_instruct.records import Request, Response, Sampling
from tests.support.servers.reply import Answering, Reply, Served, refused, said, serving

SAMPLING = Sampling(
    max_tokens=64, temperature=0.7, top_p=0.9, top_k=50, seed=7, stop=("\n\n",), json_schema='{"type": "object"}'
)
_Answers = list[Response | BaseException]


def asked(
    answering: Answering, prompts: Sequence[str] = ("p", "q"), **settings: Any
) -> tuple[_Answers, Served, list[str]]:
    """What a client says, what was sent, and what it notes."""

    async def ask() -> tuple[_Answers, list[str]]:
        client = OpenAIClient("m", ModelSection(base_url=served.base_url, model="org/model", **settings), None)
        requests = [Request(prompt=each, sampling=SAMPLING, step="outputs", kind="output_only") for each in prompts]
        try:
            found = [(await asyncio.gather(client.answer(each), return_exceptions=True))[0] for each in requests]
            return found, list(client.notes)
        finally:
            await client.close()

    with serving(answering) as served:
        answers, notes = asyncio.run(ask())
        return answers, served, notes


def unsupported(name: str, value: Any) -> Reply:
    """OpenAI's words for a setting that a model has fixed."""
    error = {"message": f"Unsupported value: '{name}' does not support {value} with this model.", "param": name,
             "type": "invalid_request_error", "code": "unsupported_value"}  # fmt: skip
    return web.json_response({"error": error}, status=400)


WORDS: dict[str, Callable[[str, Any], Reply]] = {
    "OpenAI": unsupported,
    "OpenAI's argument": lambda name, _: refused(f"Unrecognized request argument supplied: {name}"),
    "Groq": lambda name, _: refused(f"property '{name}' is unsupported"),
    "Mistral": lambda name, value: web.json_response(
        {"detail": [{"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs", "input": value}]},
        status=422,
    ),
    "Gemini": lambda name, _: web.json_response(
        [
            {
                "error": {
                    "code": 400,
                    "message": f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.',
                }
            }
        ],
        status=400,
    ),
    "Moonshot": lambda name, _: refused(f"invalid {name}: only 1 is allowed for this model"),
    "TGI": lambda name, _: web.json_response(
        {"error": f"Input validation error: `{name}` must be strictly positive"}, status=422
    ),
    "OpenRouter": lambda name, value: web.json_response(
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": f"{name}={value} is not supported"},
            }
        },
        status=400,
    ),
    "transformers": lambda name, value: web.json_response(
        {"detail": f"`{name}` (={value}) has to be a strictly positive float"}, status=500
    ),
    "Zhipu": lambda name, _: refused(f"{name}参数非法。请检查文档。"),
    "in capitals": lambda name, _: refused(f"{name.capitalize()} is not available for this model"),
    "Python": lambda name, _: web.Response(status=500, text=f"generate() got an unexpected keyword argument '{name}'"),
}


@pytest.mark.parametrize("server", WORDS)
@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k", "seed", "stop", "response_format"])
def test_a_refused_setting_is_left_out_from_then_on_and_noted_once(name: str, server: str) -> None:
    def answering(body: dict[str, Any], _: int) -> Reply:
        return WORDS[server](name, body[name]) if name in body else said("fine")

    answers, served, notes = asked(answering, structured="always")
    assert answers == [Response("fine"), Response("fine")]
    assert [name in body for body in served.bodies] == [True, False, False]
    assert {*served.bodies[0]} - {*served.bodies[2]} == {name}
    assert len(notes) == 1
    assert f"does not take {name}" in notes[0]


def test_where_a_probe_asks_whether_a_setting_is_taken_its_refusal_is_the_answer() -> None:
    words = "response_format is not supported"
    answers, served, notes = asked(lambda body, _: refused(words) if "response_format" in body else said("x"), ["p"])
    assert isinstance(answers[0], RequestRefusedError)
    assert len(served.bodies) == 1
    assert notes == []


def test_settings_that_exclude_each_other_leave_the_temperature() -> None:
    words = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
    answers, served, _ = asked(lambda body, _: refused(words) if {"temperature", "top_p"} <= {*body} else said("x"))
    assert [type(each) for each in answers] == [Response, Response]
    assert served.bodies[-1]["temperature"] == 0.7
    assert "top_p" not in served.bodies[-1]


def test_a_setting_stays_where_leaving_it_out_does_not_help() -> None:
    """The words of the prompt are in the error, and one is the name of a setting."""
    bad = "Invalid text: how do I stop a temperature that is not allowed?"
    answers, served, notes = asked(lambda body, _: refused(bad) if body["prompt"] == "p" else said("fine"))
    assert isinstance(answers[0], RequestRefusedError)
    assert answers[1] == Response("fine")
    assert {"stop", "temperature"} <= {*served.bodies[-1]}
    assert notes == []


def test_a_limit_above_what_the_model_makes_is_not_taken_for_a_name_that_it_does_not_know() -> None:
    words = "max_tokens is too large: 64. This model supports at most 32 completion tokens, see max_completion_tokens."
    answers, served, _ = asked(lambda *_: refused(words), ["p"])
    assert isinstance(answers[0], RequestRefusedError)
    assert answers[0].type == "bad_request"
    assert len(served.bodies) == 1


def test_a_limit_that_is_known_by_neither_name_is_left_out() -> None:
    def answering(body: dict[str, Any], _: int) -> Reply:
        name = next((name for name in ("max_tokens", "max_completion_tokens") if name in body), None)
        other = "Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
        return (
            refused(f"Unsupported parameter: '{name}' is not supported with this model. {other}") if name else said("x")
        )

    answers, served, _ = asked(answering, ["p"])
    assert answers == [Response("x")]
    assert [*served.bodies[-1]][:2] == ["model", "prompt"]


def test_the_other_model_of_a_config_keeps_its_settings() -> None:
    """Each client has terms of its own."""
    fixed = lambda body, _: unsupported("temperature", 0.7) if "temperature" in body else said("x")  # noqa: E731
    _, first, _ = asked(fixed)
    _, second, _ = asked(lambda *_: said("x"))
    assert "temperature" not in first.bodies[-1]
    assert second.bodies[-1]["temperature"] == 0.7


def test_settings_that_are_named_as_known_are_not_the_refused_one() -> None:
    words = "unknown field `seed`, expected one of `model`, `temperature`, `top_p`, `top_k`, `stop`"
    answers, served, notes = asked(lambda body, _: refused(words) if "seed" in body else said("x"), ["p"])
    assert answers == [Response("x")]
    assert {*served.bodies[0]} - {*served.bodies[-1]} == {"seed"}
    assert len(served.bodies) == 2
    assert len(notes) == 1


def test_what_a_user_wrote_himself_is_left_out_too_and_said() -> None:
    words = "Unknown parameter: 'provider'."
    body = {"provider": {"order": ["a"]}}
    answers, _, notes = asked(lambda sent, _: refused(words) if "provider" in sent else said("x"), extra_body=body)
    assert answers == [Response("x"), Response("x")]
    assert len(notes) == 1
    assert 'does not take provider: {"order": ["a"]}' in notes[0]
