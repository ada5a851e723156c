"""Which of the settings that not every server knows a server really follows: found out by asking."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import EnsembleInstructError, ModelError, RequestError
from ensemble_instruct.models.asking import as_asked
from ensemble_instruct.models.clients import make_clients
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.models.clients.openai.client import OpenAIClient
from ensemble_instruct.models.turns import in_turns
from ensemble_instruct.records import Request, Response, Sampling

_PROMPT = "Continue the list of words, one after the other: apple, river, seven, blue,"
"""Has no one right answer, so that two hot samples hardly ever agree by chance."""
_PLAIN = Sampling(max_tokens=24)
_HOT = replace(_PLAIN, temperature=1.5)
"""A sample that a seed decides, where seeds are followed."""
_QUESTION = "Answer with one word. The capital of France is"
"""Has a short answer."""


async def settings_followed(client: OpenAIClient) -> str:
    """What a server makes of `seed`, `top_k` and `min_tokens`, and what else it refuses, in words; asks seven times."""
    try:
        plain = await _reply(client, _PLAIN)
        verdicts = {
            "seed": await _seed(client),
            "top_k": await _top_k(client, plain),
            "min_tokens": await _min_tokens(client),
        }
    except RequestError as error:
        return f"could not find out what settings it follows: {error}"
    refused = client.left_out - {"stream_options"}
    verdicts |= dict.fromkeys(sorted(refused), "refused")
    return ", ".join(f"{name} {verdict}" for name, verdict in verdicts.items())


async def _reply(client: OpenAIClient, sampling: Sampling, prompt: str = _PROMPT) -> Response:
    return await client.answer(Request(prompt=prompt, sampling=sampling, step="outputs", kind="output_only"))


async def _seed(client: OpenAIClient) -> str:
    """All at once, as in a run: some servers seed one generator that the requests in flight then share."""
    replies = await asyncio.gather(*(_reply(client, replace(_HOT, seed=seed)) for seed in (11, 11, 12)))
    first, again, other = (reply.text for reply in replies)
    if not _alike(first, again):
        return "ignored"
    return "followed" if not _alike(first, other) else "unclear"


async def _top_k(client: OpenAIClient, plain: Response) -> str:
    """Of the one likeliest token even a hot sample is the plain answer."""
    only = await _reply(client, replace(_HOT, top_k=1, seed=13))
    return "followed" if _alike(only.text, plain.text) else "ignored"


def _alike(one: str, other: str) -> bool:
    """Whether they begin alike: what else is in a server's batch can change a late token, by a rounding."""
    half = max(len(one), len(other)) // 2
    return one[:half] == other[:half]


async def _min_tokens(client: OpenAIClient) -> str:
    """A question with a short answer, and many tokens asked for."""
    short = await _reply(client, _PLAIN, _QUESTION)
    long = await _reply(client, replace(_PLAIN, min_tokens=_PLAIN.max_tokens), _QUESTION)
    if short.completion_tokens is None or long.completion_tokens is None or short.finish_reason == "length":
        return "unclear"
    return "followed" if long.completion_tokens >= _PLAIN.max_tokens else "ignored"


@dataclass(frozen=True, slots=True)
class OneWord:
    """What a server of a model said when it was asked for one word, or the error; and what is known of it then."""

    model: str
    server: str
    reply: str | EnsembleInstructError
    traits: str = ""


async def ask_one_word(config: Config, *, allow_code: bool = False) -> list[OneWord]:
    """Ask each server of each model that has a role for one word, one after the other where one fits at a time.

    A server that answers is asked a few times more, to find out which settings it follows. Raises `ConfigError` for a
    model that runs code of others unless `allow_code`.
    """
    sections = [(name, config.models[name]) for name in config.used_models]
    return await in_turns(
        [
            (section, partial(_one_word, section, name, server, client))
            for name, section in sections
            for server, client in make_clients(name, section, allow_code=allow_code)
        ]
    )


async def _one_word(section: ModelSection, name: str, server: str, client: Client) -> OneWord:
    question = Request(prompt=_QUESTION, sampling=Sampling(max_tokens=8), step="outputs", kind="output_only")
    try:
        await client.open()
        reply = await client.answer(as_asked(section, question))
        traits = await settings_followed(client) if isinstance(client, OpenAIClient) else client.traits
        return OneWord(name, server, reply.text, traits)
    except (RequestError, ModelError) as error:
        return OneWord(name, server, error)
    finally:
        await client.close()
