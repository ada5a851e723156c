"""`check` warns of a model that follows instructions but is asked as a base model is, and of no other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

import ensemble_instruct as ei
from ensemble_instruct.models.misplaced import misplaced_models
from tests.support.forks import Forks
from tests.support.servers.reply import Answering, Served, refused, said, serving

RUN_ON = " and of many other things. The next question is: what is the capital of Spain? It is"


def over_chat(reply: Any) -> Answering:
    """A server whose model continues texts, and says this over chat."""
    return lambda body, _: said(RUN_ON, "length") if "prompt" in body else reply()


def config_of(served: Served, model: str, **more: Any) -> ei.Config:
    own = {"base_url": served.base_url, "model": model, "license": "MIT", **more}
    voter = {"base_url": served.base_url, "model": "v", "license": "MIT", "endpoint": "chat"}
    roles = {"instructions": "own", "instances": "own", "outputs": ["voter"]}
    return ei.load_config(overrides={"models": {"own": own, "voter": voter}, "roles": roles})


def warnings(reply: Any, model: str, **more: Any) -> list[str]:
    with serving(over_chat(reply)) as served:
        config = config_of(served, model, **more)
        return [str(each) for each in asyncio.run(misplaced_models(config))]


def thinks() -> web.Response:
    message = {"role": "assistant", "content": None, "reasoning_content": "The user asks"}
    return web.json_response({"choices": [{"message": message, "finish_reason": "length"}]})


CHAT = {
    "a word": lambda: said("Paris"),
    "a word and a full stop": lambda: said("Paris.\n"),
    "a thought in a part of its own": thinks,
    "a thought that is cut off": lambda: said("<think>\nThe user asks", "length"),
    "a thought and a word": lambda: said("<think>\nEasy.\n</think>\n\nParis"),
}
BASE = {
    "it goes on": lambda: said(f"Paris{RUN_ON}", "length"),
    "it goes on until an end": lambda: said(f"Paris{RUN_ON}"),
    "it does not know the template": lambda: said("Paris<|im_end|>"),
    "a word that the limit ended": lambda: said("Paris", "length"),
    "nothing": lambda: said(""),
    "no template": lambda: refused("default chat template is no longer allowed, so you must provide a chat template"),
    "no chat": lambda: refused("not found", 404),
    "broken": lambda: refused("oops", 500),
}
INSTRUCTED = (
    "Qwen/Qwen2.5-7B-Instruct", "google/gemma-2-9b-it", "meta-llama/Llama-2-7b-chat-hf", "llama3.1:8b-instruct-q4_K_M",
    "/models/SmolLM2-135M-Instruct-Q8_0.gguf", "mistral_7b_instruct_v0.3", "Qwen3-30B-A3B-Thinking-2507",
)  # fmt: skip
NOT_INSTRUCTED = (
    "base", "Qwen/Qwen2.5-7B", "gemma-3-4b-pt", "Mistral-7B-v0.3", "bitnet-3b", "chatter-1b", "GPT-NeoXT-Chat-Base-20B",
)  # fmt: skip
WITHOUT_CHAT = (
    "google/flan-t5-xxl", "bigscience/T0", "bigscience/T0pp", "google/flan-ul2", "allenai/tk-instruct-11b-def",
    "flan_t5_large", "bigscience/mt0-xl",
)  # fmt: skip


@pytest.mark.parametrize("way", CHAT)
def test_a_model_that_answers_over_chat_as_chat_models_do_is_warned_of(way: str) -> None:
    (line,) = warnings(CHAT[way], "model-7b")
    assert "model own" in line
    assert "by how it answers over chat" in line
    assert line.endswith("; set models.own.endpoint: chat")


@pytest.mark.parametrize("way", BASE)
@pytest.mark.parametrize("name", NOT_INSTRUCTED[:2])
def test_a_base_model_is_left_alone_whatever_its_server_makes_of_chat(way: str, name: str) -> None:
    assert warnings(BASE[way], name) == []


@pytest.mark.parametrize("name", INSTRUCTED)
def test_a_name_is_enough(name: str) -> None:
    (line,) = warnings(BASE["it goes on"], name)
    assert "(by its name)" in line


@pytest.mark.parametrize("name", NOT_INSTRUCTED)
def test_other_names_say_nothing(name: str) -> None:
    assert warnings(BASE["it goes on"], name) == []


@pytest.mark.parametrize("name", WITHOUT_CHAT)
def test_encoder_decoders_belong_at_completions(name: str) -> None:
    assert warnings(CHAT["a word"], name) == []


def test_where_the_server_refuses_chat_the_line_says_so() -> None:
    (line,) = warnings(BASE["no template"], INSTRUCTED[0])
    assert line.endswith("endpoint: chat, once its server has a chat template for it: it refuses chat now")


def test_neither_a_chat_model_nor_the_published_profile_is_asked() -> None:
    with serving(over_chat(CHAT["a word"])) as served:
        assert asyncio.run(misplaced_models(config_of(served, INSTRUCTED[0], endpoint="chat"))) == []
        published = config_of(served, INSTRUCTED[0]).model_copy(update={"profile": "published"})
        assert asyncio.run(misplaced_models(published)) == []
        assert served.bodies == []


def test_check_warns_on_stderr_and_succeeds(forks: Forks, tmp_path: Any) -> None:
    with serving(over_chat(CHAT["a word"])) as served:
        (tmp_path / "config.yaml").write_text(
            f"models:\n  own: {{base_url: {served.base_url}, model: x-instruct, license: MIT}}\n"
            f"  idle: {{base_url: {served.base_url}, model: y-instruct, license: MIT}}\n"
            "roles: {instructions: own, instances: own, outputs: [own]}\n"
        )
        done = forks.run(tmp_path, ["check", "config.yaml"])
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert line.startswith("warning: model own looks like one that follows instructions (by its name and how it")
    assert "set models.own.endpoint: chat" in line
