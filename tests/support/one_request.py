"""One request to a server that answers as a test says, and what the `openai` client makes of it."""

from __future__ import annotations

import asyncio
from typing import Any

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.clients.openai.client import OpenAIClient
from ensemble_instruct.records import Request, Response, Sampling
from tests.support.servers.reply import Answering, Reply, serving

REQUEST = Request(prompt="Why?", sampling=Sampling(max_tokens=64), step="outputs", kind="output_only")


def outcome(
    answering: Answering, *, models: Reply = None, below: str = "/v1", key: str | None = None, **settings: Any
) -> Response | BaseException:
    """What a client says to one request; `below` is the end of its address."""

    async def ask() -> Response | BaseException:
        with serving(answering, models) as served:
            url = served.base_url.removesuffix("/v1") + below
            section = ModelSection(base_url=url, model="m", **{"endpoint": "chat", **settings})
            client = OpenAIClient("a", section, key)
            try:
                return (await asyncio.gather(client.answer(REQUEST), return_exceptions=True))[0]
            finally:
                await client.close()

    return asyncio.run(ask())
