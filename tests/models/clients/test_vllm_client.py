"""How the `vllm` client asks, by vLLM's documented interface: over a stand-in, for the engine itself needs a GPU."""

from __future__ import annotations

import asyncio
from typing import Any

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.clients import make_client
from ensemble_instruct.records import Request, Response, Sampling
from tests.support.vllm_stand_in import AsyncEngineArgs, AsyncLLM, RequestOutputKind, SamplingParams, vllm

SAMPLING = Sampling(max_tokens=256, min_tokens=15, temperature=0.7, top_k=50, top_p=0.9, stop=("\n\n",), seed=7)


def asked(sampling: Sampling = SAMPLING, **settings: Any) -> tuple[AsyncLLM, Response]:
    async def ask(engines: list[AsyncLLM]) -> tuple[AsyncLLM, Response]:
        client = make_client("m", ModelSection(provider="vllm", model="org/model", **settings), None)
        await client.open()
        reply = await client.answer(Request(prompt="hello", sampling=sampling, step="outputs", kind="output_only"))
        await client.close()
        return engines[-1], reply

    with vllm(lambda request: Response(request.prompt.upper(), "stop", 1, 3)) as engines:
        return asyncio.run(ask(engines))


def test_every_setting_is_passed_on() -> None:
    engine, reply = asked()
    expected = SamplingParams(256, 15, 0.7, 50, 0.9, ["\n\n"], 7, RequestOutputKind.FINAL_ONLY)
    assert engine.asked == [({"prompt": "hello"}, expected)]
    assert reply == Response("HELLO", "stop", 1, 3)


def test_settings_without_effect_have_vllms_word_for_it() -> None:
    engine, _ = asked(Sampling(max_tokens=8, min_tokens=20))
    ((_, parameters),) = engine.asked
    assert (parameters.min_tokens, parameters.top_k, parameters.seed, parameters.temperature) == (8, 0, None, 0.0)


def test_the_engine_is_made_as_the_config_says_and_ended() -> None:
    engine, _ = asked(revision="abc", dtype="bfloat16", context_length=4096, options={"gpu_memory_utilization": 0.5})
    assert engine.arguments == AsyncEngineArgs("org/model", "bfloat16", 4096, "abc", "vllm", 0.5)
    assert engine.is_shut_down


def test_a_chat_template_wraps_the_prompt_only_for_endpoint_chat() -> None:
    engine, reply = asked(endpoint="chat")
    assert engine.asked[0][0] == {"prompt_token_ids": [ord(character) for character in "<hello>"]}
    assert reply.text == "<HELLO>"
