"""Replicas that have moods: for a while one is well, slow, silent, full, broken or mad, then another thing."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from aiohttp import web

from tests.support.servers.model import ModelServer

MOODS = ("well", "well", "well", "slow", "silent", "full", "down", "odd", "broken", "mad", "liar", "mixed")
"""Being well is likelier than each of the others."""
_LONGEST = 6.0
"""Seconds of a mood."""
_SLOW = 0.5
"""Seconds that a slow one takes: 50 times as long as a well one."""
_ODD = (401, 402, 404, 405, 304, 500, 502)
_NONSENSE = (
    b"",
    b"null",
    b"{",
    b'{"choices": []}',
    b"<html><title>Welcome</title></html>",
    b"data: {}\n\n",
    b"\xff" * 99,
)


class Moody(ModelServer):
    """A server of the simulated models that is well as long as `is_calm`."""

    def __init__(self, seed: int) -> None:
        super().__init__(0.01, seed, None, None)
        self.is_calm = True
        self.mood, self._until = "well", 0.0
        self._drawn = random.Random(seed)

    async def _answer(self, http: web.Request) -> web.Response:
        if self.is_calm:
            return await super()._answer(http)
        if time.monotonic() > self._until:
            self.mood, self._until = self._drawn.choice(MOODS), time.monotonic() + self._drawn.uniform(0.5, _LONGEST)
        mood = self.mood if self.mood != "mixed" else self._drawn.choice(MOODS[:-1])
        return await self._in_mood(mood, http)

    async def _in_mood(self, mood: str, http: web.Request) -> web.Response:
        if mood == "slow":
            await asyncio.sleep(_SLOW)
        while mood == "silent" and http.transport is not None and not http.transport.is_closing() and not self.is_calm:
            await asyncio.sleep(0.2)
        if mood == "down" and http.transport is not None:
            http.transport.abort()
        if mood == "full":
            return web.json_response({"error": {"message": "full"}}, status=429, headers={"Retry-After": "1"})
        if mood == "odd":
            return web.json_response({"error": {"message": "odd"}}, status=self._drawn.choice(_ODD))
        body = self._drawn.choice(_NONSENSE) if mood == "mad" else (await super()._answer(http)).body
        assert isinstance(body, bytes)
        if mood == "broken":
            body = body[: self._drawn.randrange(len(body))]
        if mood == "liar":
            body = body.replace(b'_tokens": ', b'_tokens": 99999999999')
        return web.Response(body=body, content_type="application/json")


@contextmanager
def replicas(count: int, seed: int) -> Iterator[list[Moody]]:
    """So many servers, each with moods of its own."""
    with ExitStack() as stack:
        servers = [Moody(seed * 1000 + number) for number in range(count)]
        for server in servers:
            stack.enter_context(server.serving())
        yield servers


def config(servers: list[Moody], rows: int) -> str:
    """A run over the servers: the base model has three of them, one voter two, the other one."""
    urls = [server.base_url for server in servers]
    patience = "timeout: 20, give_up_after: 120, max_tries: 100000"
    return f"""
instructions:
  target: {{input_output: {rows}, output_only: {rows}}}
  demonstrations: {{input_output: 8, output_only: 6}}
  window: 8
models:
  base: {{base_url: [{", ".join(urls[:3])}], model: base, {patience}}}
  careful: {{base_url: [{", ".join(urls[3:5])}], model: voter_a, endpoint: chat, {patience}}}
  talkative: {{base_url: {urls[5]}, model: voter_b, {patience}}}
roles: {{instructions: base, instances: base, outputs: [careful, talkative]}}
licenses: {{policy: any}}
"""
