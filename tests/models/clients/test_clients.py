"""What a user of a `Client` may rely on, whatever the backend: one table of cases, which every client passes."""

from __future__ import annotations

import asyncio
import re
import sys
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import RequestError, RequestRefusedError, TransientError
from ensemble_instruct.models.clients import CLIENTS
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.records import Request, Response, Sampling
from tests.conftest import ROOT
from tests.support.backends import (
    COUNT,
    DRAW,
    ECHO,
    FALTER,
    FILTERED,
    NOTHING,
    SLOW,
    TIMES,
    TOO_LONG,
    Backend,
    Breaking,
    Wrong,
    asked,
    asking_twice,
    caught,
    keeping_replies,
    leaving_a_task,
    llama_cpp,
    mixing_up,
    openai,
    replied,
    scripted,
    stand_in_vllm,
)
from tests.support.local_models import LOCAL
from tests.support.smollm2 import IS_INSTALLED, MISSING, taught

_IN_PROCESS = "the function answers within the call: there is nothing to wait for"
BACKENDS = {
    "openai completions": Backend("openai", openai("completions")),
    "openai chat": Backend("openai", openai("chat")),
    "scripted": Backend(
        "scripted", scripted(), {"a_request_times_out": _IN_PROCESS, "a_slow_request_is_cancelled": _IN_PROCESS}
    ),
    "vllm, its interface alone": Backend(
        "vllm", stand_in_vllm(), {"a_filtered_prompt_is_refused": "an engine of one's own has no filter"}
    ),
    "llamacpp": Backend(
        "llamacpp",
        taught,
        {
            "a_filtered_prompt_is_refused": "an engine of one's own has no filter",
            "a_passing_failure_is_raised_not_retried": "a real model does not fail to order",
            "every_request_reaches_the_model": "a real model does not know what it was asked before",
        },
        "" if IS_INSTALLED else MISSING,
    ),
}
"""Every client over a little model: a new one needs one row here, or in `tests.support.local_models.LOCAL`."""

_PATIENCE, _TIMEOUT = 60.0, 1.0
UNICODE = {
    "emoji": "🦜 👩🏽‍🚀 🏴󠁧󠁢󠁳󠁣󠁴󠁿 ❤️",
    "combining": "e\u0301 o\u0308 \u1112\u1161\u11ab Z\u0351\u036b\u0343 \ufb01",
    "CJK": "漢字 かな 한글 𠮷",
    "right to left": "שלום \u202eعربى\u202c \u200f",
    "control": "bell \x07 escape \x1b[0m delete \x7f next line \x85 tab \t",
    "separators": "a\u00a0b\u2028c\u2029d\u200be\ufefff\r\ng",
    "beyond the first plane": "\U00010348 \U0010ffff \ufffd \uffff",
    "JSON": '"quoted" \\u0041 \\ / {}',
    "white space": "  two before, two line ends after\n\n",
}


PLAIN = Sampling(max_tokens=64)


async def ask(client: Client, prompt: str, sampling: Sampling = PLAIN) -> Response:
    return await client.answer(Request(prompt=prompt, sampling=sampling, step="outputs", kind="output_only"))


async def texts(client: Client, prompts: list[str]) -> list[str]:
    return [reply.text for reply in await asyncio.gather(*(ask(client, prompt) for prompt in prompts))]


async def still_answers(client: Client) -> None:
    assert await texts(client, [f"{ECHO}{number}" for number in range(3)]) == ["0", "1", "2"]


async def the_reply_ends_before_a_stop_string(client: Client) -> None:
    whole = (await ask(client, COUNT)).text
    words = whole.split()
    assert len(words) > 8
    for stop in [(words[4],), (words[7], words[4]), (whole[9:14],), (words[4], "not in it"), (whole[:3],)]:
        reply = await ask(client, COUNT, replace(PLAIN, stop=stop))
        expected = whole[: min(whole.find(each) for each in stop if each in whole)]
        assert reply.text.rstrip() == expected.rstrip(), stop
        assert reply.finish_reason == "stop", stop


async def a_stop_string_that_does_not_come_changes_nothing(client: Client) -> None:
    whole = await ask(client, COUNT)
    absent = ("|EoS|", "\n\n", f"{whole.text.split()[4]}!")
    assert await ask(client, COUNT, replace(PLAIN, stop=absent)) == whole


async def a_reply_is_cut_off_at_the_limit_and_says_so(client: Client) -> None:
    whole = await ask(client, COUNT)
    assert whole.finish_reason == "stop"
    lengths = [0]
    for limit in (1, 2, 5):
        cut = await ask(client, COUNT, replace(PLAIN, max_tokens=limit))
        assert cut.finish_reason == "length", limit
        assert whole.text.startswith(cut.text), limit
        assert lengths[-1] < len(cut.text) < len(whole.text), limit
        lengths.append(len(cut.text))


async def the_seed_decides(client: Client) -> None:
    requests = [replace(PLAIN, temperature=0.7, seed=seed) for seed in range(8)]
    first = [(await ask(client, DRAW, each)).text for each in requests]
    again = await asyncio.gather(*(ask(client, DRAW, each) for each in reversed(requests)))
    assert [reply.text for reply in reversed(again)] == first
    assert len(set(first)) > 1


async def without_temperature_nothing_is_left_to_chance(client: Client) -> None:
    seeds = [None, 0, 1, 2, 3]
    assert len({(await ask(client, DRAW, replace(PLAIN, seed=seed))).text for seed in seeds}) == 1


async def every_character_comes_through(client: Client) -> None:
    for name, text in UNICODE.items():
        assert (await ask(client, ECHO + text)).text == text, name


async def an_empty_reply_is_a_reply(client: Client) -> None:
    reply = await ask(client, NOTHING)
    assert (reply.text, reply.finish_reason) == ("", "stop")


async def _refusal(client: Client, prompt: str) -> str:
    with pytest.raises(RequestRefusedError) as refusal:
        await ask(client, prompt)
    assert_one_line(refusal.value)
    await still_answers(client)
    return refusal.value.type


async def a_prompt_that_is_too_long_is_refused(client: Client) -> None:
    assert await _refusal(client, TOO_LONG) == "prompt_too_long"


async def a_filtered_prompt_is_refused(client: Client) -> None:
    assert await _refusal(client, FILTERED) == "content_filter"


async def a_passing_failure_is_raised_not_retried(client: Client) -> None:
    with pytest.raises(TransientError) as failure:
        await ask(client, FALTER)
    assert re.fullmatch(r"\w+", failure.value.cause)
    assert_one_line(failure.value)
    assert (await ask(client, FALTER)).text


async def every_request_reaches_the_model(client: Client) -> None:
    assert [(await ask(client, TIMES)).text for _ in range(3)] == ["1", "2", "3"]
    assert sorted(await texts(client, [TIMES] * 3)) == ["4", "5", "6"]


async def a_request_times_out(client: Client) -> None:
    with pytest.raises(TransientError) as failure:
        await ask(client, SLOW)
    assert failure.value.cause == "timeout"
    assert_one_line(failure.value)
    await still_answers(client)


async def a_slow_request_is_cancelled(client: Client) -> None:
    asking = asyncio.create_task(ask(client, SLOW))
    await asyncio.wait([asking], timeout=0.2)
    assert not asking.done()
    asking.cancel()
    await asyncio.wait([asking], timeout=_PATIENCE)
    assert asking.cancelled()
    await still_answers(client)


async def requests_are_cancelled_beside_others(client: Client) -> None:
    asking = [asyncio.create_task(ask(client, f"{ECHO}{number}")) for number in range(10)]
    await asyncio.sleep(0)
    for task in asking[::2]:
        task.cancel()
    replies = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(reply) for reply in replies[::2]] == [asyncio.CancelledError] * 5
    assert [reply.text for reply in replies if isinstance(reply, Response)] == ["1", "3", "5", "7", "9"]
    await still_answers(client)


async def many_at_once_get_their_own_replies(client: Client) -> None:
    wanted = [f"number {number}" for number in range(50)]
    assert await texts(client, [ECHO + text for text in wanted]) == wanted


async def tokens_are_counted_or_not_but_never_wrong(client: Client) -> None:
    for prompt in (COUNT, NOTHING, ECHO + "x"):
        reply = await ask(client, prompt)
        for count in (reply.prompt_tokens, reply.completion_tokens):
            assert count is None or (type(count) is int and count >= 0), prompt
        assert reply.completion_tokens is None or bool(reply.completion_tokens) == bool(reply.text), prompt


async def closed_twice_it_leaves_nothing_running(client: Client) -> None:
    await still_answers(client)
    await client.close()
    await client.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def assert_one_line(error: RequestError) -> None:
    assert str(error).strip()
    assert "\n" not in str(error)


Case = Callable[[Client], Awaitable[None]]
CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        the_reply_ends_before_a_stop_string,
        a_stop_string_that_does_not_come_changes_nothing,
        a_reply_is_cut_off_at_the_limit_and_says_so,
        the_seed_decides,
        without_temperature_nothing_is_left_to_chance,
        every_character_comes_through,
        an_empty_reply_is_a_reply,
        a_prompt_that_is_too_long_is_refused,
        a_filtered_prompt_is_refused,
        a_passing_failure_is_raised_not_retried,
        every_request_reaches_the_model,
        a_request_times_out,
        a_slow_request_is_cancelled,
        requests_are_cancelled_beside_others,
        many_at_once_get_their_own_replies,
        tokens_are_counted_or_not_but_never_wrong,
        closed_twice_it_leaves_nothing_running,
    )
}


def hold(backend: Backend, case: str, made: Callable[[Client], Client] = lambda client: client) -> None:
    """Hold a case over a backend; afterwards nothing may be left running. `made` may put a client around its client."""

    async def held() -> None:
        async with (
            asyncio.timeout(_PATIENCE),
            backend.ready(_TIMEOUT if case == "a_request_times_out" else _PATIENCE) as client,
        ):
            await CASES[case](made(client))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    if backend.missing:
        pytest.skip(backend.missing)
    if case in backend.lacks:
        pytest.skip(backend.lacks[case])
    asyncio.run(held())


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_client_keeps_every_promise(backend: str, case: str) -> None:
    hold(BACKENDS[backend], case)


def test_every_client_of_the_config_has_a_row() -> None:
    local = {local.provider for local in LOCAL.values()}
    assert {backend.provider for backend in BACKENDS.values()} | local == set(CLIENTS)
    assert set(get_args(ModelSection.model_fields["provider"].annotation)) == set(CLIENTS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_backend_lacks_is_a_case_and_has_a_reason(backend: str) -> None:
    lacks = BACKENDS[backend].lacks
    assert set(lacks) <= set(CASES)
    assert all(lacks.values())


WRONG: list[tuple[Case, Breaking]] = [
    (the_reply_ends_before_a_stop_string, asked(lambda given: replace(given, stop=()))),
    (the_reply_ends_before_a_stop_string, replied(lambda text: text + "five")),
    (
        a_stop_string_that_does_not_come_changes_nothing,
        asked(lambda given: replace(given, stop=tuple(each[:-1] for each in given.stop))),
    ),
    (a_reply_is_cut_off_at_the_limit_and_says_so, asked(lambda given: replace(given, max_tokens=64))),
    (a_reply_is_cut_off_at_the_limit_and_says_so, replied(finish_reason="stop")),
    (the_seed_decides, asked(lambda given: replace(given, seed=None))),
    (the_seed_decides, asked(lambda given: replace(given, seed=1))),
    (without_temperature_nothing_is_left_to_chance, asked(lambda given: replace(given, temperature=0.7))),
    (every_character_comes_through, replied(str.strip)),
    (every_character_comes_through, replied(lambda text: unicodedata.normalize("NFC", text))),
    (every_character_comes_through, replied(lambda text: "\n".join(text.splitlines()))),
    (an_empty_reply_is_a_reply, replied(lambda text: text or "nothing")),
    (a_prompt_that_is_too_long_is_refused, caught(RequestRefusedError, TransientError("no", cause="400"))),
    (a_prompt_that_is_too_long_is_refused, caught(RequestRefusedError, RequestRefusedError("", type="bad_request"))),
    (a_filtered_prompt_is_refused, caught(RequestRefusedError, Response("I cannot do that."))),
    (a_passing_failure_is_raised_not_retried, caught(TransientError, None)),
    (every_request_reaches_the_model, asking_twice),
    (every_request_reaches_the_model, keeping_replies),
    (a_request_times_out, caught(TransientError, TransientError("slow", cause="connection"))),
    (a_slow_request_is_cancelled, caught(asyncio.CancelledError, Response(""))),
    (requests_are_cancelled_beside_others, caught(asyncio.CancelledError, Response(""))),
    (many_at_once_get_their_own_replies, mixing_up),
    (tokens_are_counted_or_not_but_never_wrong, replied(completion_tokens=-1)),
    (closed_twice_it_leaves_nothing_running, leaving_a_task),
]


@pytest.mark.slow
@pytest.mark.parametrize(("case", "breaking"), [(case.__name__, breaking) for case, breaking in WRONG])
def test_a_client_that_breaks_a_promise_fails(case: str, breaking: Breaking) -> None:
    backend = BACKENDS["openai chat" if case in BACKENDS["scripted"].lacks else "scripted"]
    with pytest.raises((AssertionError, RequestError, pytest.fail.Exception)):
        hold(backend, case, lambda right: Wrong(right, breaking))


def test_every_case_can_fail() -> None:
    assert {case.__name__ for case, _ in WRONG} == set(CASES)


DOCUMENT = ROOT / "docs" / "contributing" / "client.md"
DOCUMENTED = Backend(
    "documented", llama_cpp("documented"), {"a_filtered_prompt_is_refused": "the server of the example has no filter"}
)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_example_of_the_docs_keeps_every_promise(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "documented_client.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "documented_client", raising=False)
    monkeypatch.setitem(CLIENTS, DOCUMENTED.provider, "documented_client:LlamaClient")
    hold(DOCUMENTED, case)


def test_the_docs_are_short() -> None:
    assert len(DOCUMENT.read_text(encoding="utf-8").splitlines()) < 40
