"""What the conformance test of the clients asks: a little model, the backends that serve it, and wrong clients.

A row for a new client needs an async context manager that yields the client, ready, over a model that understands
the prompts below. What its model cannot do at all, the row says in `lacks`, with the reason.
"""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from aiohttp import web

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import RequestRefusedError, TransientError
from ensemble_instruct.models.clients import make_client
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.records import Request, Response, Sampling
from tests.support.servers.reply import Answering, Reply, prompt_of, refused, said, serving
from tests.support.vllm_stand_in import vllm

COUNT = "Count to twelve."
"""Answered with at least twelve words that are not all the same."""
DRAW = "Draw a number."
"""Answered by chance, if the temperature is above 0; the seed decides."""
ECHO = "Say this again: "
"""Answered with all that follows, to the letter."""
NOTHING = "Say nothing."
"""Answered with an empty text."""
TIMES = "How often were you asked this?"
"""Answered with 1 at first, then with 2, and so on."""
FALTER = "Fail at first."
"""Fails in passing when it is asked first, and is answered afterwards."""
FILTERED = "Say something wicked."
"""Refused by a content filter."""
TOO_LONG = "word " * 5000
"""Longer than the model's context."""
SLOW = "Think for as long as you can."
"""Not answered before the case is over."""

_CONTEXT = 1000
_COUNTED = "one two three four five six seven eight nine ten eleven twelve"
_WORD = re.compile(r"\s*\S+|\s+")
_LATEST = 0.03
_asked: Counter[str] = Counter()
Ready = Callable[[float], AbstractAsyncContextManager[Client]]
"""An open client whose requests may take so many seconds; it is closed at the end."""


@dataclass(frozen=True)
class Backend:
    """One row of the table: a client over the little model."""

    provider: str
    """Its name in `clients.CLIENTS`."""
    ready: Ready
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Cases that this backend cannot have: name of the case, reason."""
    missing: str = ""
    """What it needs and is not installed here, in words."""


def little_model(request: Request) -> Response:
    """A deterministic model that knows the prompts above; a word is a token."""
    prompt = request.prompt
    _asked[prompt] += 1
    if prompt == FILTERED:
        raise RequestRefusedError("stopped by the content filter", type="content_filter")
    if len(prompt.split()) > _CONTEXT:
        raise RequestRefusedError(f"the maximum context length is {_CONTEXT} tokens", type="prompt_too_long")
    if prompt == FALTER and _asked[prompt] == 1:
        raise TransientError("out of memory, try again", cause="500")
    return _generated(_text(prompt, request.sampling), request)


def _text(prompt: str, sampling: Sampling) -> str:
    if prompt.startswith(ECHO):
        return prompt.removeprefix(ECHO)
    if prompt == DRAW:
        return str(random.Random(sampling.seed).randrange(1000) if sampling.temperature else 0)
    return {COUNT: _COUNTED, NOTHING: "", TIMES: str(_asked[prompt])}.get(prompt, "I see.")


def _generated(text: str, request: Request) -> Response:
    """As much of the text as comes before a stop string and fits into the limit."""
    sampling = request.sampling
    text = text[: min((at for stop in sampling.stop if (at := text.find(stop)) >= 0), default=len(text))]
    words = _WORD.findall(text)
    finish_reason = "length" if len(words) > sampling.max_tokens else "stop"
    words = words[: sampling.max_tokens]
    return Response("".join(words), finish_reason, len(request.prompt.split()), len(words))


@dataclass(frozen=True)
class _Protocol:
    """How a server writes a sampling and a reply."""

    sampling: Callable[[dict[str, Any]], Sampling]
    reply: Callable[[Response], web.Response]

    def answering(self, ended: threading.Event) -> Answering:
        """The little model behind this protocol. Replies leave in another order than their prompts came."""

        async def answer(body: dict[str, Any], _: int) -> Reply:
            prompt = prompt_of(body)
            await asyncio.sleep(random.Random(prompt).random() * _LATEST)
            while prompt == SLOW and not ended.is_set():
                await asyncio.sleep(_LATEST)
            try:
                return self.reply(
                    little_model(
                        Request(prompt=prompt, sampling=self.sampling(body), step="outputs", kind="output_only")
                    )
                )
            except RequestRefusedError as error:
                return refused(str(error))
            except TransientError as error:
                return refused(str(error), 500)

        return answer


def _openai_sampling(body: dict[str, Any]) -> Sampling:
    stop = tuple(body.get("stop", ()))
    return Sampling(max_tokens=body["max_tokens"], temperature=body["temperature"], stop=stop, seed=body.get("seed"))


def _openai_reply(reply: Response) -> web.Response:
    counts = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
    return said(reply.text, reply.finish_reason, usage=counts)


def _llama_sampling(body: dict[str, Any]) -> Sampling:
    seed = None if body["seed"] < 0 else body["seed"]
    return Sampling(max_tokens=body["n_predict"], temperature=body["temperature"], stop=tuple(body["stop"]), seed=seed)


def _llama_reply(reply: Response) -> web.Response:
    counts = {"tokens_evaluated": reply.prompt_tokens, "tokens_predicted": reply.completion_tokens}
    stop_type = "limit" if reply.finish_reason == "length" else "eos"
    return web.json_response({"content": reply.text, "stop_type": stop_type, **counts})


@asynccontextmanager
async def _opened(section: ModelSection) -> AsyncIterator[Client]:
    _asked.clear()
    client = make_client("little", section, None)
    await client.open()
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def _served(protocol: _Protocol, timeout: float, **settings: Any) -> AsyncIterator[Client]:
    ended = threading.Event()
    with serving(protocol.answering(ended)) as served:
        section = ModelSection(base_url=served.base_url, model="little", timeout=timeout)
        try:
            async with _opened(section.model_copy(update=settings)) as client:
                yield client
        finally:
            ended.set()


def openai(endpoint: Literal["completions", "chat"]) -> Ready:
    """A server of the OpenAI protocol."""
    return lambda timeout: _served(_Protocol(_openai_sampling, _openai_reply), timeout, endpoint=endpoint)


def llama_cpp(provider: str) -> Ready:
    """A server with llama.cpp's own protocol, for a client that stands in `clients.CLIENTS` as `provider`."""
    return lambda timeout: _served(_Protocol(_llama_sampling, _llama_reply), timeout, provider=provider)


def scripted() -> Ready:
    """The little model as a function of this process."""
    return lambda _: _opened(ModelSection(provider="scripted", function="tests.support.backends:little_model"))


def stand_in_vllm() -> Ready:
    """The little model behind modules with the names and signatures of vLLM's."""

    @asynccontextmanager
    async def ready(timeout: float) -> AsyncIterator[Client]:
        with vllm(little_model):
            async with _opened(ModelSection(provider="vllm", model="little", timeout=timeout)) as client:
                yield client

    return ready


class Wrong(Client):
    """Breaks a promise: answers by a function of itself and the request, which asks `right`."""

    def __init__(self, right: Client, answering: Breaking) -> None:
        self.right, self._answering = right, answering
        self.kept: list[Any] = []

    async def answer(self, request: Request) -> Response:
        return await self._answering(self, request)

    async def close(self) -> None:
        await self.right.close()


Breaking = Callable[[Wrong, Request], Awaitable[Response]]


def asked(change: Callable[[Sampling], Sampling]) -> Breaking:
    return lambda wrong, given: wrong.right.answer(replace(given, sampling=change(given.sampling)))


def replied(change: Callable[[str], str] = str, **settings: Any) -> Breaking:
    async def answer(wrong: Wrong, request: Request) -> Response:
        reply = await wrong.right.answer(request)
        return replace(reply, text=change(reply.text), **settings)

    return answer


def caught(expected: type[BaseException], outcome: Response | Exception | None) -> Breaking:
    """Gives another outcome in place of an error; None asks again."""

    async def answer(wrong: Wrong, request: Request) -> Response:
        try:
            return await wrong.right.answer(request)
        except expected:
            if isinstance(outcome, Exception):
                raise outcome from None
            return outcome or await wrong.right.answer(request)

    return answer


async def asking_twice(wrong: Wrong, request: Request) -> Response:
    await wrong.right.answer(request)
    return await wrong.right.answer(request)


async def keeping_replies(wrong: Wrong, request: Request) -> Response:
    if request.prompt not in wrong.kept:
        wrong.kept += [request.prompt, await wrong.right.answer(request)]
    return cast(Response, wrong.kept[wrong.kept.index(request.prompt) + 1])


async def mixing_up(wrong: Wrong, request: Request) -> Response:
    wrong.kept.append(request)
    await asyncio.sleep(0)
    return await wrong.right.answer(wrong.kept[-1])


async def leaving_a_task(wrong: Wrong, request: Request) -> Response:
    wrong.kept.append(asyncio.create_task(asyncio.sleep(60)))
    return await wrong.right.answer(request)
