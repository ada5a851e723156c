"""How long requests queue at a server with few places that refuses nothing, and what that gains.

    .venv/bin/python -m benchmarks.slow_servers [--places N]...

For servers of 1, 4 and 64 places, with replies of one length and of lengths that differ, a model with nothing tuned is
compared with bare loops of a fixed number of requests at a time: as many as there are places, half as many again, and
twice as many. The server is a process of its own and counts: throughput, from the first request to the last reply, as
a share of the best loop's; latency at the median, as a multiple of what replies take alone. Exit 1 where ours gives
less than 0.97 of the best loop, or takes more than twice as long as alone. About four minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp
from aiohttp import web

from ensemble_instruct.concurrency import map_in_order
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.clients import make_clients
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import Request, Sampling
from ensemble_instruct.store.store import opened_store

_SERVERS = {1: (60, 0.3), 4: (200, 0.2), 64: (6400, 0.2)}
"""Requests, and the seconds that a usual reply takes, by places: enough that the start is a small part."""
_SPREAD = 0.5
"""Of lengths that differ: the standard deviation of their logarithm."""
_LEAST_SHARE, _MOST_LATENCY = 0.97, 2.0
_WORDS = 50
"""Tokens of a usual reply."""


class Server:
    """So many places; what is too much queues. `/measured` gives what was seen since it was last asked."""

    def __init__(self, places: int, seconds: float, spread: float) -> None:
        self._slots, self._seconds, self._spread = asyncio.Semaphore(places), seconds, spread
        self._times: list[tuple[float, float, float]] = []
        """When a request came and its reply went, and how long the reply takes alone."""

    async def reply(self, request: web.Request) -> web.Response:
        """Answer a request in its turn."""
        came = time.monotonic()
        prompt = (await request.json())["prompt"]
        length = math.exp(self._spread * random.Random(prompt).gauss(0, 1))
        async with self._slots:
            await asyncio.sleep(length * self._seconds)
        tokens = max(1, round(_WORDS * length))
        self._times.append((came, time.monotonic(), length * self._seconds))
        usage = {"prompt_tokens": 10, "completion_tokens": tokens}
        return web.json_response({"choices": [{"text": "word " * tokens, "finish_reason": "stop"}], "usage": usage})

    async def measured(self, _: web.Request) -> web.Response:
        """Requests a second, and the latency at the median for what replies take alone."""
        times, self._times = self._times, []
        rate = len(times) / (max(end for _, end, _ in times) - min(began for began, _, _ in times))
        latency = median(end - began for began, end, _ in times) / median(alone for *_, alone in times)
        return web.json_response([rate, latency])


async def serve(places: int, seconds: float, spread: float) -> None:
    """Be the server until killed; prints its port."""
    server, app = Server(places, seconds, spread), web.Application()
    app.router.add_post("/v1/completions", server.reply)
    app.router.add_get("/measured", server.measured)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def running(places: int, seconds: float, spread: float) -> Iterator[str]:
    """Such a server, and its address."""
    command = [sys.executable, __file__, "--serve", str(places), str(seconds), str(spread)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline() if process.stdout else 0)}"
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Measured:
    """What one client got."""

    rate: float
    latency: float


async def measured(url: str) -> Measured:
    """What the server counted."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/measured") as reply:
        return Measured(*await reply.json())


async def ask_with_loop(url: str, count: int, at_once: int) -> Measured:
    """A bare loop with so many requests at a time."""
    numbers = iter(range(count))

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            async with session.post(f"{url}/v1/completions", json={"prompt": f"prompt {number}"}) as reply:
                await reply.json()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(work(session) for _ in range(at_once)))
    return await measured(url)


async def ask_with_ours(url: str, count: int) -> Measured:
    """A model with nothing tuned, and its store on the disk."""

    async def requests() -> AsyncIterator[Request]:
        for number in range(count):
            prompt = f"prompt {number}"
            yield Request(prompt=prompt, sampling=Sampling(max_tokens=512), step="outputs", kind="output_only")

    section = ModelSection(base_url=f"{url}/v1", model="benchmark")
    with tempfile.TemporaryDirectory() as folder, opened_store(Path(folder) / "answers.db") as store:
        model = Model("benchmark", section, make_clients("benchmark", section), store)
        await model.open()
        async for _ in map_in_order(requests(), model.ask, model.window):
            pass
        await model.close()
    return await measured(url)


def compare(places: int, spread: float) -> bool:
    """Print the lines of one server; whether ours is within both bounds."""
    count, seconds = _SERVERS.get(places, (100 * places, 0.2))
    with running(places, seconds, spread) as url:
        loops = {n: asyncio.run(ask_with_loop(url, count, n)) for n in sorted({places, math.ceil(1.5 * places)})}
        loops[2 * places] = asyncio.run(ask_with_loop(url, count, 2 * places))
        ours = asyncio.run(ask_with_ours(url, count))
    best = max(loop.rate for loop in loops.values())
    lengths = "differ" if spread else "equal"
    for name, each in [*((f"{at_once} at a time", loop) for at_once, loop in loops.items()), ("ours", ours)]:
        print(f"{places:>6}  {lengths:<8}{name:<16}{each.rate:>12.2f}{each.rate / best:>9.3f}{each.latency:>12.2f}")
    return ours.rate >= _LEAST_SHARE * best and ours.latency <= _MOST_LATENCY


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, action="append", help="of the server (1, 4 and 64)")
    parser.add_argument("--serve", nargs=3, metavar=("PLACES", "SECONDS", "SPREAD"), help="be the server")
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(int(options.serve[0]), *map(float, options.serve[1:])))
    print(f"{'places':>6}  {'lengths':<8}{'client':<16}{'replies/s':>12}{'of best':>9}{'x alone':>12}", flush=True)
    settings = [(places, spread) for places in options.places or _SERVERS for spread in (0.0, _SPREAD)]
    is_good = [compare(places, spread) for places, spread in settings]
    return 0 if all(is_good) else 1


if __name__ == "__main__":
    sys.exit(main())
