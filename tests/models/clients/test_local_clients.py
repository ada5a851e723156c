"""What a user may rely on with models that run in this process, whatever the engine, over models made on the spot."""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.config.load import parse_config
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import RequestRefusedError, TransientError
from ensemble_instruct.models.clients import make_client
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.models.probes import ask_one_word
from ensemble_instruct.records import Request, Response, Sampling
from tests.conftest import Folders
from tests.support.local_models import LOCAL, Local
from tests.support.tiny_models import CONTEXT, DIGITS, LETTERS, MARKER

PLAIN = Sampling(max_tokens=64)
SAID = f"{LETTERS[1:]}\n"
"""The reply of `alphabet` to `a`."""
_PATIENCE = 120.0
_PROMPTS = ["x", "what is it?", "tell me a story about a parrot", "ü 🦜", *(f"{n} times {n}" for n in range(8, 15))]


pytestmark = pytest.mark.filterwarnings("default")  # the libraries have warnings of their own


async def ask(client: Client, prompt: str, sampling: Sampling = PLAIN) -> Response:
    return await client.answer(Request(prompt=prompt, sampling=sampling, step="outputs", kind="output_only"))


async def replies(client: Client, prompts: list[str], sampling: Sampling = PLAIN) -> list[Response]:
    return await asyncio.gather(*(ask(client, prompt, sampling) for prompt in prompts))


async def a_reply_is_whole_and_counted(client: Client) -> None:
    assert await ask(client, "a") == Response(SAID, "stop", 1, len(SAID))
    assert await ask(client, "dogs and a") == Response(SAID, "stop", 10, len(SAID))
    assert await ask(client, "N") == Response("", "stop", 1, 0)


async def a_stop_string_is_found_across_tokens_and_ends_the_work(client: Client) -> None:
    for stop, text, tokens in [
        (("klm",), "bcdefghij", 12),
        (("stu", "no", "op"), "bcdefghijklm", 14),
        (("b",), "", 1),
        (("ba", "kl-", "yx"), SAID, len(SAID)),
        (("z\n",), SAID[:-2], len(SAID)),
    ]:
        reply = await ask(client, "a", replace(PLAIN, stop=stop))
        assert (reply.text, reply.finish_reason, reply.completion_tokens) == (text, "stop", tokens), stop


async def a_special_token_may_be_a_stop_string(client: Client) -> None:
    assert await ask(client, "C", replace(PLAIN, stop=(MARKER, "\n\n"))) == Response("D", "stop", 1, 1)


async def stop_strings_are_held_back_by_min_tokens(client: Client) -> None:
    for held, text in [(11, "bcdefghij"), (12, SAID), (13, SAID)]:
        assert (await ask(client, "a", replace(PLAIN, stop=("klm",), min_tokens=held))).text == text, held
    assert (await ask(client, "a", replace(PLAIN, stop=("klm", "pq"), min_tokens=12))).text == "bcdefghijklmno"


async def the_end_is_held_back_by_min_tokens(client: Client) -> None:
    assert ((await ask(client, "N", replace(PLAIN, min_tokens=3))).completion_tokens or 0) >= 3


async def a_reply_is_cut_off_at_the_limit_and_says_so(client: Client) -> None:
    for limit in (1, 2, 5):
        assert await ask(client, "a", replace(PLAIN, max_tokens=limit)) == Response(SAID[:limit], "length", 1, limit)


async def no_character_is_broken_at_the_limit(client: Client) -> None:
    for limit, text in [(1, "B"), (2, "B"), (3, "B"), (4, "B"), (5, "B🦜"), (6, "B🦜")]:
        assert (await ask(client, "A", replace(PLAIN, max_tokens=limit))).text == text, limit


async def a_prompt_that_is_too_long_is_refused(client: Client) -> None:
    together = [ask(client, "a" * length) for length in (CONTEXT, CONTEXT - 3, 1)]
    refused, cut, whole = await asyncio.gather(*together, return_exceptions=True)
    assert isinstance(refused, RequestRefusedError)
    assert refused.type == "prompt_too_long"
    assert cut == Response("bcd", "length", CONTEXT - 3, 3)
    assert whole == Response(SAID, "stop", 1, len(SAID))


async def requests_of_all_settings_go_together(client: Client) -> None:
    asked = [
        replace(PLAIN, max_tokens=limit, min_tokens=held, stop=stop)
        for limit in (3, 9, 64)
        for held in (0, 12)
        for stop in ((), ("klm",), ("e", "qr"))
    ]
    random.Random(0).shuffle(asked)
    alone = [await ask(client, "a", each) for each in asked]
    assert await asyncio.gather(*(ask(client, "a", each) for each in asked)) == alone


async def a_sample_follows_the_model(client: Client) -> None:
    drawn = await replies(client, ["?"] * 5, replace(PLAIN, temperature=1.0))
    assert {len(reply.text) for reply in drawn} == {64}
    assert set("".join(reply.text for reply in drawn)) == set(DIGITS)
    assert (await ask(client, "a", replace(PLAIN, temperature=1.0, top_p=0.9, seed=3))).text == SAID
    assert (await ask(client, "a", replace(PLAIN, temperature=9.0, top_k=1, seed=3))).text == SAID


async def a_row_is_the_same_alone_and_among_others(client: Client) -> None:
    alone = [await ask(client, prompt) for prompt in _PROMPTS]
    assert await replies(client, _PROMPTS) == alone
    assert (await replies(client, _PROMPTS[::-1]))[::-1] == alone
    assert len({reply.text for reply in alone}) > 1


async def without_temperature_nothing_is_left_to_chance(client: Client) -> None:
    assert len({(await ask(client, "1 + 1", replace(PLAIN, seed=seed))).text for seed in (None, 0, 1, 2)}) == 1
    assert (await ask(client, "1 + 1", replace(PLAIN, seed=1))).seed_honoured


async def a_text_ends_before_any_stop_string(client: Client) -> None:
    whole = (await ask(client, _PROMPTS[2])).text
    for at in range(0, len(whole) - 3, 5):
        stop = whole[at : at + 3]
        if "\ufffd" not in stop:
            reply = await ask(client, _PROMPTS[2], replace(PLAIN, stop=(stop, "|EoS|")))
            assert reply.text == whole[: whole.find(stop)], stop


async def a_seed_decides_or_the_reply_says_that_it_does_not(client: Client) -> None:
    asked = [replace(PLAIN, max_tokens=24, temperature=1.0, top_k=50, seed=seed) for seed in range(6)]
    first = [await ask(client, "0", each) for each in asked]
    assert len({reply.text for reply in first}) > 1
    if first[0].seed_honoured:
        again = await asyncio.gather(*(ask(client, "0", each) for each in reversed(asked)))
        assert again == first[::-1]
    assert len({reply.seed_honoured for reply in first}) == 1
    assert (await ask(client, "0", replace(asked[0], seed=None))).seed_honoured


async def the_event_loop_stays_free(client: Client) -> None:
    turns, asking = 0, asyncio.ensure_future(replies(client, ["0"] * 20, replace(PLAIN, max_tokens=100)))
    while not asking.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 200


async def requests_are_cancelled_beside_others(client: Client) -> None:
    alone = [await ask(client, prompt) for prompt in _PROMPTS]
    asking = [asyncio.create_task(ask(client, prompt)) for prompt in _PROMPTS]
    await asyncio.sleep(0.001)
    for task in asking[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [each for each in outcomes if isinstance(each, Response)][-5:] == alone[1::2]
    assert await ask(client, _PROMPTS[0]) == alone[0]


async def closed_it_leaves_nothing_and_opens_again(client: Client) -> None:
    before = await ask(client, "a")
    waiting = asyncio.create_task(ask(client, "0"))
    await asyncio.sleep(0)
    await client.close()
    await client.close()
    assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], TransientError | Response)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("model-tiny")]
    with pytest.raises(TransientError):
        await ask(client, "a")
    await client.open()
    assert await ask(client, "a") == before


async def a_request_times_out(client: Client) -> None:
    client._batches._timeout = -1.0  # type: ignore[attr-defined]
    with pytest.raises(TransientError) as failure:
        await ask(client, "0")
    assert failure.value.cause == "timeout"


async def any_text_is_a_prompt(client: Client) -> None:
    for prompt in ("\ud800", "</s>", "\0", " ", "🦜" * 9):
        assert (await ask(client, prompt)).finish_reason


Case = Callable[[Client], Awaitable[None]]
OF_THE_ALPHABET: list[Case] = [
    a_reply_is_whole_and_counted,
    a_stop_string_is_found_across_tokens_and_ends_the_work,
    a_special_token_may_be_a_stop_string,
    stop_strings_are_held_back_by_min_tokens,
    the_end_is_held_back_by_min_tokens,
    a_reply_is_cut_off_at_the_limit_and_says_so,
    no_character_is_broken_at_the_limit,
    a_prompt_that_is_too_long_is_refused,
    requests_of_all_settings_go_together,
    a_sample_follows_the_model,
]
OF_ANY: list[Case] = [
    a_row_is_the_same_alone_and_among_others,
    without_temperature_nothing_is_left_to_chance,
    a_text_ends_before_any_stop_string,
    a_seed_decides_or_the_reply_says_that_it_does_not,
    the_event_loop_stays_free,
    requests_are_cancelled_beside_others,
    closed_it_leaves_nothing_and_opens_again,
    a_request_times_out,
    any_text_is_a_prompt,
]


@asynccontextmanager
async def opened(local: Local, folders: Folders, **settings: Any) -> AsyncIterator[Client]:
    given = {**local.settings, **settings}
    provider: Any = local.provider
    section = ModelSection(provider=provider, path=folders.of(provider, local.model), **given)
    client = make_client("tiny", section, None)
    await client.open()
    try:
        yield client
    finally:
        await client.close()


HELD = [
    pytest.param(name, case, id=f"{name}-{case.__name__}", marks=[pytest.mark.slow] if "large" in name else [])
    for name, local in LOCAL.items()
    for case in (*(OF_THE_ALPHABET if local.knows_the_alphabet else ()), *OF_ANY)
]


@pytest.mark.parametrize(("name", "case"), HELD)
def test_every_local_client_keeps_every_promise(
    name: str, case: Case, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = LOCAL[name]
    if local.largest_small is not None:
        monkeypatch.setattr(
            "ensemble_instruct.models.clients.local.ctranslate2_folder.SMALL_MODEL", local.largest_small
        )

    async def held() -> None:
        async with asyncio.timeout(_PATIENCE), opened(local, folders) as client:
            await case(client)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(held())


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCAL)
def test_it_says_whether_seeds_are_honoured(
    name: str, folders: Folders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    local = LOCAL[name]
    if local.largest_small is not None:
        monkeypatch.setattr(
            "ensemble_instruct.models.clients.local.ctranslate2_folder.SMALL_MODEL", local.largest_small
        )

    async def asked() -> tuple[str, Response]:
        async with opened(local, folders) as client:
            sampling = replace(PLAIN, temperature=1.0, seed=1)
            return client.traits, (await replies(client, ["0", "1", "2"], sampling))[0]

    traits, reply = asyncio.run(asked())
    assert ("seeds are honoured" in traits) is local.honours_seeds
    assert reply.seed_honoured is local.honours_seeds
    assert len([record for record in caplog.records if "seeds" in record.getMessage()]) == (not local.honours_seeds)


def test_a_chat_template_wraps_the_prompt_only_for_endpoint_chat(folders: Folders) -> None:
    async def asked(**settings: Any) -> Response:
        async with opened(LOCAL["ctranslate2 alphabet"], folders, **settings) as client:
            return await ask(client, "a")

    assert asyncio.run(asked()) == Response(SAID, "stop", 1, len(SAID))
    assert asyncio.run(asked(endpoint="chat")) == Response("", "stop", 3, 0)


_ROLES = "roles: {instructions: m, instances: m, outputs: [m]}\n"


def test_check_says_how_a_model_runs(folders: Folders) -> None:
    text = f"{_ROLES}models: {{m: {{provider: ctranslate2, path: {folders['alphabet']}}}}}"
    (word,) = asyncio.run(ask_one_word(parse_config(text, "test", Path("/anywhere"))))
    assert not isinstance(word.reply, Exception)
    assert re.fullmatch(r"ctranslate2, decoder-only, on cpu, float32; .*seeds are honoured", word.traits)


def test_a_given_context_length_counts(folders: Folders) -> None:
    async def asked() -> Response:
        async with opened(LOCAL["ctranslate2 alphabet"], folders, context_length=5) as client:
            with pytest.raises(RequestRefusedError):
                await ask(client, "aaaaa")
            return await ask(client, "aaa")

    assert asyncio.run(asked()) == Response("bc", "length", 3, 2)


@pytest.mark.parametrize("model", ["drawn", "read", "falcon-40b"])
def test_the_same_weights_say_the_same_through_both_engines(model: str, folders: Folders, tmp_path: Path) -> None:
    source = folders.torch(model)
    from tests.support.tiny_torch_models import converted

    if model == "falcon-40b":
        with pytest.raises(AttributeError, match="input_layer_norm"):
            converted(source, tmp_path / "unchanged")
        _set_multi_query(source)
    folder = converted(source, tmp_path / model)

    async def said(provider: Any, path: Path) -> list[str]:
        client = make_client("tiny", ModelSection(provider=provider, path=path, threads=1), None)
        await client.open()
        try:
            return [reply.text for reply in await replies(client, _PROMPTS)]
        finally:
            await client.close()

    texts = asyncio.run(said("transformers", source))
    assert asyncio.run(said("ctranslate2", folder)) == texts
    assert len(set(texts)) > len(texts) // 2


def _set_multi_query(source: Path) -> None:
    """What the docs tell those who convert falcon-40b: its config must say `multi_query: false`."""
    path = source / "config.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"multi_query": true', '"multi_query": false'), "utf-8")
