"""The client `llamacpp` over a real model, SmolLM2-135M-Instruct, and what is refused before one is loaded."""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ensemble_instruct.config.load import parse_config
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import ConfigError, ModelError, RequestRefusedError, TransientError
from ensemble_instruct.files import digest
from ensemble_instruct.models.clients import make_client
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.records import Message, Request, Response, Sampling
from tests.conftest import ROOT
from tests.support.smollm2 import IS_INSTALLED, MISSING, smollm2

real = pytest.mark.skipif(not IS_INSTALLED, reason=MISSING)
Result = TypeVar("Result")
SHORT = Sampling(max_tokens=12)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_PROMPTS = ["The capital of France is", "1, 2, 3,", "def add(a, b):", "Paris ist", "🦜 汉字", "\ud800 \0"]


async def ask(client: Client, prompt: str, sampling: Sampling = SHORT, *earlier: Message) -> Response:
    return await client.answer(
        Request(prompt=prompt, sampling=sampling, step="outputs", kind="output_only", earlier=earlier)
    )


def held(case: Callable[[Client], Awaitable[Result]], **settings: Any) -> Result:
    async def holding() -> Result:
        async with smollm2(**{"context_length": 512} | settings) as client:
            return await case(client)

    return asyncio.run(holding())


@real
def test_a_prompt_is_gone_on_with_and_counted() -> None:
    async def case(client: Client) -> None:
        reply = await ask(client, _PROMPTS[0])
        assert reply.text.startswith(" Paris")
        assert (reply.finish_reason, reply.prompt_tokens, reply.completion_tokens) == ("length", 5, 12)
        assert "seeds are honoured" in client.traits

    held(case)


@real
def test_over_chat_the_files_own_template_goes_around_a_conversation() -> None:
    async def case(client: Client) -> None:
        alone = await ask(client, "What is my name?")
        told = Message("user", "My name is Ada."), Message("assistant", "Hello Ada!")
        known = await ask(client, "What is my name?", SHORT, *told)
        assert (alone.prompt_tokens or 0) > 5 + 8  # the words, and the turns of the template
        assert (known.prompt_tokens or 0) > (alone.prompt_tokens or 0) + 9
        assert known.text != alone.text
        assert not {"<|im_start|>", "<|im_end|>"} & set((alone.text + known.text).split())

    held(case, endpoint="chat")


@real
@pytest.mark.parametrize("endpoint", ["completions", "chat"])
def test_a_reply_is_held_to_a_schema(endpoint: str) -> None:
    sampling = Sampling(max_tokens=100, json_schema=json.dumps(SCHEMA | {"additionalProperties": False}))
    reply = held(lambda client: ask(client, "The capital of France?", sampling), endpoint=endpoint)
    assert reply.finish_reason == "stop"
    assert json.loads(reply.text).keys() == {"city"}


@real
def test_settings_reach_the_model() -> None:
    async def case(client: Client) -> None:
        plain, hot = await ask(client, "1, 2, 3,"), replace(SHORT, temperature=1.5)
        assert (await ask(client, "1, 2, 3,", replace(hot, top_k=1))).text == plain.text
        assert (await ask(client, "1, 2, 3,", replace(hot, top_p=1e-6))).text == plain.text
        assert (await ask(client, "1, 2, 3,", replace(hot, min_p=1.0))).text == plain.text
        assert (await ask(client, "1, 2, 3,", replace(SHORT, repetition_penalty=2.0))).text != plain.text
        assert (await ask(client, "1, 2, 3,", replace(SHORT, presence_penalty=20.0))).text != plain.text
        drawn = [(await ask(client, "1, 2, 3,", replace(hot, seed=seed))).text for seed in (5, 5, 2**40, 2**32 - 1)]
        assert drawn[0] == drawn[1]
        assert len(set(drawn)) == 3

    held(case)


@real
def test_what_is_asked_together_is_answered_as_it_is_alone_and_the_event_loop_stays_free() -> None:
    async def case(client: Client) -> None:
        sampling = replace(SHORT, temperature=1.0, top_k=50, seed=3)
        alone = [await ask(client, prompt, sampling) for prompt in _PROMPTS]
        turns, asking = 0, asyncio.gather(*(ask(client, prompt, sampling) for prompt in reversed(_PROMPTS)))
        while not asking.done():
            await asyncio.sleep(0)
            turns += 1
        assert [reply.text for reply in reversed(asking.result())] == [reply.text for reply in alone]
        assert turns > 100

    held(case, batch_size=3)


@real
def test_a_prompt_that_leaves_no_room_is_refused_and_a_reply_ends_where_the_context_does() -> None:
    async def case(client: Client) -> None:
        with pytest.raises(RequestRefusedError, match=r"301 tokens.*context 256 .*context_length") as refusal:
            await ask(client, "word " * 300)
        assert refusal.value.type == "prompt_too_long"
        reply = await ask(client, "word " * 249, Sampling(max_tokens=100))
        assert reply.finish_reason == "length"
        assert (reply.prompt_tokens or 0) + (reply.completion_tokens or 0) <= 257

    held(case, context_length=256)


@real
def test_it_is_closed_amid_requests_and_opens_again() -> None:
    async def case(client: Client) -> None:
        before = await ask(client, "1, 2, 3,")
        asking = [asyncio.create_task(ask(client, "1, 2, 3,", Sampling(max_tokens=400))) for _ in range(6)]
        await asyncio.sleep(0.2)
        asking[0].cancel()
        await client.close()
        await client.close()
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(outcomes[0], asyncio.CancelledError)
        assert all(isinstance(outcome, TransientError | Response) for outcome in outcomes[1:])
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("model-tiny")]
        with pytest.raises(TransientError):
            await ask(client, "x")
        await asyncio.gather(client.open(), client.open())
        assert await ask(client, "1, 2, 3,") == before

    held(case, batch_size=2)


@real
@pytest.mark.slow
def test_a_process_that_is_broken_off_amid_a_reply_ends() -> None:
    script = (
        "import asyncio\n"
        "from tests.models.clients.test_llamacpp_client import ask, smollm2, Sampling\n"
        "async def main():\n"
        "    async with smollm2(context_length=4096) as client:\n"
        "        async with asyncio.timeout(0.5):\n"
        "            await ask(client, '1, 2, 3,', Sampling(max_tokens=4000))\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith("TimeoutError")


def _head(*texts: tuple[str, str], version: int = 3) -> bytes:
    def written(text: str) -> bytes:
        return struct.pack("<Q", len(text.encode())) + text.encode()

    numbers = written("general.list") + struct.pack("<IIQ3f", 9, 6, 3, 1.0, 2.0, 3.0)
    words = written("general.words") + struct.pack("<IIQ", 9, 8, 2) + written("a") + written("b")
    values = [numbers, words, *(written(key) + struct.pack("<I", 8) + written(text) for key, text in texts)]
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(values)) + b"".join(values)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the library were there: a client needs it only when it is opened."""
    monkeypatch.setattr("ensemble_instruct.models.clients.local.local.find_spec", lambda package: package)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        (b"", "no GGUF file"),
        (b"<html>not found</html>", "no GGUF file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "no GGUF file"),
        (_head(version=1), "no GGUF file"),
        (_head(("general.architecture", "llama"))[:-3], "not whole"),
        (_head()[:20], "not whole"),
        (b"GGUF" + b"\xff" * 80, "no GGUF file"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60) + b"\xff" * 80, "no GGUF file"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(content: bytes | None, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        make_client("m", ModelSection(provider="llamacpp", path=path), None)
    assert str(error.value).startswith("models.m.path: ")
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("installed")
def test_a_folder_and_a_file_without_a_template_are_refused_where_they_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"models\.m\.path: .* is a folder; name the \.gguf file"):
        make_client("m", ModelSection(provider="llamacpp", path=tmp_path), None)
    (path := tmp_path / "base.gguf").write_bytes(_head(("general.architecture", "llama")))
    make_client("m", ModelSection(provider="llamacpp", path=path), None)
    with pytest.raises(ConfigError, match=r"models\.m\.endpoint: .* has no chat template; set endpoint: completions"):
        make_client("m", ModelSection(provider="llamacpp", path=path, endpoint="chat"), None)


@real
def test_a_file_that_cannot_be_loaded_ends_with_one_line(tmp_path: Path) -> None:
    (path := tmp_path / "odd.gguf").write_bytes(_head(("general.architecture", "nothing")))

    async def opening() -> None:
        client = make_client("m", ModelSection(provider="llamacpp", path=path), None)
        with pytest.raises(ModelError, match=r"^model m cannot be loaded: [^\n]*models\.m\.path[^\n]*$"):
            await client.open()
        await client.close()

    asyncio.run(opening())


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ensemble_instruct.models.clients.local.local.find_spec", lambda package: None)
    with pytest.raises(ConfigError, match=r"models\.m\.provider: needs llamacpp.*'ensemble-instruct\[llamacpp\]'$"):
        make_client("m", ModelSection(provider="llamacpp", path=tmp_path / "x.gguf"), None)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("{provider: llamacpp}", "models.m: provider: llamacpp needs 'path', the .gguf file"),
        ("{provider: llamacpp, path: x, dtype: float16}", "'dtype' belongs to provider: transformers, vllm"),
        ("{provider: llamacpp, path: x, system: Be brief.}", "'system' needs endpoint: chat"),
    ],
)
def test_a_wrong_section_is_refused_with_its_key(model: str, problem: str) -> None:
    text = f"roles: {{instructions: m, instances: m, outputs: [m]}}\nmodels: {{m: {model}}}"
    with pytest.raises(ConfigError) as error:
        parse_config(text, "test", Path("/anywhere"))
    assert problem in str(error.value)


def test_a_file_is_known_by_its_content_or_where_it_is_large_by_path_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def identity(name: str, **settings: Any) -> tuple[str, ...]:
        return ModelSection(provider="llamacpp", path=tmp_path / name, **settings).identity

    (tmp_path / "a.gguf").write_bytes(b"one")
    shutil.copy(tmp_path / "a.gguf", tmp_path / "b.gguf")
    (tmp_path / "c.gguf").write_bytes(b"two")
    known = identity("a.gguf")
    assert identity("b.gguf", threads=1, batch_size=2, unload=True) == known
    parts = [tmp_path / f"s-0000{number}-of-00002.gguf" for number in (1, 2)]
    for part in parts:
        part.write_bytes(b"one")
    others = [identity("c.gguf"), identity(parts[0].name), identity("a.gguf", endpoint="chat"), identity("none.gguf")]
    parts[1].write_bytes(b"two")
    assert len({known, *others, identity(parts[0].name)}) == 6
    monkeypatch.setattr(digest, "SMALL_MODEL", 2)
    large = identity("a.gguf")
    assert f"{tmp_path / 'a.gguf'} of 3 bytes" in large[0]
    (tmp_path / "a.gguf").write_bytes(b"three")
    assert identity("a.gguf") != large
