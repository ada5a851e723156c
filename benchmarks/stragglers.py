"""What slow tries and slow replicas cost, as a share of the throughput without them.

    .venv/bin/python -m benchmarks.stragglers [--seconds S] [--places N]

First one server, with as many requests at a time as it has places, and the same server where 1 % of the tries, drawn
anew for each try, take 100 times as long; then two replicas alone, and with a third one that takes 50 times as long for
everything. The servers are processes of their own; each reply holds one of their places until it is sent or the client
hangs up. Each pair is measured in turns, `--rounds` times, and the medians are compared. Exit 1 where a share is below
0.9. Five minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from aiohttp import web

from ensemble_instruct.concurrency import map_in_order
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.clients import make_clients
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import Request, Sampling
from ensemble_instruct.store.store import opened_store

_SHARE, _TIMES, _SLOW_REPLICA = 0.01, 100.0, 50.0
"""Of slow tries, and how many times as long they take; the same of a slow replica."""
_LEAST = 0.9


async def serve(places: int, seconds: float, share: float) -> None:
    """Be a server until killed; prints its port."""
    slots, rng = asyncio.Semaphore(places), random.Random(7)

    async def reply(request: web.Request) -> web.Response:
        await request.json()
        async with slots:
            await asyncio.sleep(seconds * (_TIMES if rng.random() < share else 1.0))
        usage = {"prompt_tokens": 10, "completion_tokens": 50}
        return web.json_response({"choices": [{"text": "word " * 50, "finish_reason": "stop"}], "usage": usage})

    app = web.Application()
    app.router.add_post("/v1/completions", reply)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def running(places: int, seconds: float, share: float = 0.0) -> Iterator[str]:
    """Such a server, and its address."""
    command = [sys.executable, __file__, "--serve", str(places), str(seconds), str(share)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline() if process.stdout else 0)}/v1"
        finally:
            process.kill()


async def ask(urls: Sequence[str], count: int, places: int) -> tuple[float, int]:
    """Answers a second of a model on these servers, and how many tries were given up."""

    async def requests() -> AsyncIterator[Request]:
        for number in range(count):
            prompt = f"prompt {number}"
            yield Request(prompt=prompt, sampling=Sampling(max_tokens=64), step="outputs", kind="output_only")

    section = ModelSection(base_url=list(urls), model="benchmark", max_in_flight=places)
    with tempfile.TemporaryDirectory() as folder, opened_store(Path(folder) / "answers.db") as store:
        model = Model("benchmark", section, make_clients("benchmark", section), store)
        await model.open()
        began = time.monotonic()
        async for _ in map_in_order(requests(), model.ask, model.window):
            pass
        seconds = time.monotonic() - began
        await model.close()
    return count / seconds, model.usage.retries.total()


def compare(name: str, without: Sequence[str], beside: Sequence[str], options: argparse.Namespace) -> bool:
    """Print the line of one pair; whether it is within the bound."""
    count = options.requests * len(without)
    calm, slow = [], []
    for _ in range(options.rounds):
        calm.append(asyncio.run(ask(without, count, options.places)))
        slow.append(asyncio.run(ask(beside, count, options.places)))
    rates = [median(rate for rate, _ in each) for each in (calm, slow)]
    again = median(number for _, number in slow)
    print(f"{name:<24}{rates[0]:>12.1f}{rates[1]:>12.1f}{rates[1] / rates[0]:>9.3f}{again:>14g}", flush=True)
    return rates[1] >= _LEAST * rates[0]


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.1, help="that a reply takes (0.1)")
    parser.add_argument("--places", type=int, default=16, help="of each server, and its ceiling (16)")
    parser.add_argument("--requests", type=int, default=4000, help="of each measurement (4000)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each (3)")
    parser.add_argument("--serve", nargs=3, metavar=("PLACES", "SECONDS", "SHARE"), help="be the server")
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(int(options.serve[0]), *map(float, options.serve[1:])))
    places, seconds = options.places, options.seconds
    print(f"{'of the same server':<24}{'without/s':>12}{'with/s':>12}{'share':>9}{'asked again':>14}", flush=True)
    with ExitStack() as stack:
        calm, twin, odd, slow = (
            stack.enter_context(running(*each))
            for each in (
                (places, seconds),
                (places, seconds),
                (places, seconds, _SHARE),
                (places, seconds * _SLOW_REPLICA),
            )
        )
        is_good = [
            compare("1 % of tries slow", [calm], [odd], options),
            compare("one replica of 3 slow", [calm, twin], [calm, twin, slow], options),
        ]
    return 0 if all(is_good) else 1


if __name__ == "__main__":
    sys.exit(main())
