"""Do the models of a run work at the same time? A whole run on three servers, beside its steps one after the other.

    .venv/bin/python benchmarks/overlap.py [--target N] [--slots N] [--latency-ms MS] [--repeats R] [--max-in-flight N]

Each server is a process that answers for one simulated model of the demo: a number of requests at once, each after the
same time, the others wait. A model's own time is what it would need with all its slots always busy: requests / slots x
latency. The floor of a run is that of its busiest model; printed are the time from the first request to the last reply,
and how many times the floor that is. `one by one` are the step commands in their order on the same servers. With
--max-in-flight the config says how many slots a server has; without, nothing is tuned.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

COMMAND = Path(sys.executable).with_name("ensemble-instruct")
ROOT = str(Path(__file__).resolve().parent.parent)
MODELS = ("base", "voter_a", "voter_b")


class BenchmarkError(Exception):
    """A server or a command failed."""


async def serve(name: str, slots: int, latency: float) -> None:
    """Answer for one simulated model until the process is killed; `/counts` tells how much it did."""
    from aiohttp import web

    sys.path.insert(0, ROOT)
    from ensemble_instruct.prompts.completions import HEADING
    from ensemble_instruct.records import Kind, Request, Sampling
    from ensemble_instruct.replies.end_marker import squeezed
    from ensemble_instruct.steps.seed_tasks import load_seed_tasks
    from tests.support.simulated import models

    model = getattr(models, name)
    with_input = {squeezed(task.instruction).rstrip(":") for task in load_seed_tasks() if task.kind == "input_output"}
    free, counts = asyncio.Semaphore(slots), {"requests": 0, "first": 0.0, "last": 0.0}

    def kind_of(prompt: str) -> Kind:
        shown = {line.partition(". ")[2] for line in prompt.splitlines()} if prompt.startswith(HEADING) else set()
        return "input_output" if shown & with_input or "\ninput: " in prompt else "output_only"

    async def answer(http: web.Request) -> web.Response:
        counts["first"] = counts["first"] or time.monotonic()
        body = await http.json()
        prompt = body["prompt"]
        async with free:
            until = asyncio.get_running_loop().time() + latency
            sampling = Sampling(max_tokens=body["max_tokens"], seed=body.get("seed"))
            response = model(Request(prompt=prompt, sampling=sampling, step="outputs", kind=kind_of(prompt)))
            await asyncio.sleep(until - asyncio.get_running_loop().time())
        counts["requests"] += 1
        counts["last"] = time.monotonic()
        return web.json_response({"choices": [{"text": response.text, "finish_reason": response.finish_reason}]})

    async def list_models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": name}]})

    async def tell(_: web.Request) -> web.Response:
        so_far = dict(counts)
        counts.update(requests=0, first=0.0, last=0.0)
        return web.json_response(so_far)

    application = web.Application()
    application.router.add_get("/v1/models", list_models)
    application.router.add_post("/v1/completions", answer)
    application.router.add_get("/counts", tell)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


@contextmanager
def server(name: str, slots: int, latency: float) -> Iterator[str]:
    """The address of a server of its own process."""
    command = [sys.executable, __file__, "--serve", name, str(slots), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip() if process.stdout else ""
            if not address:
                raise BenchmarkError(f"the server of {name} did not start")
            yield address
        finally:
            process.kill()


def counted(address: str) -> dict[str, float]:
    """What a server did since the last call."""
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with without_proxy.open(f"{address}/counts", timeout=30) as reply:
        counts: dict[str, float] = json.loads(reply.read())
        return counts


def config_of(addresses: dict[str, str], options: argparse.Namespace) -> str:
    """The demo's models on those servers (JSON is YAML too)."""
    tuned = {"max_in_flight": options.max_in_flight} if options.max_in_flight else {}
    models: dict[str, Any] = {
        name: {"base_url": f"{address}/v1", "model": name, "license": "Apache-2.0", **tuned}
        for name, address in addresses.items()
    }
    instructions = {
        "target": {"input_output": options.target, "output_only": options.target},
        "demonstrations": {"input_output": 8, "output_only": 6},
    }
    roles = {"instructions": "base", "instances": "base", "outputs": ["voter_a", "voter_b"]}
    return json.dumps({"instructions": instructions, "models": models, "roles": roles})


def command(*words: object) -> None:
    """Run a command of the product to its end."""
    done = subprocess.run([str(COMMAND), *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{words[0]}: exit {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")


def overlapping(folder: Path, config: Path) -> None:
    """The whole run."""
    command("run", config, "--out", folder / "run")


def one_by_one(folder: Path, config: Path) -> None:
    """The same steps, each begun when the one before has ended."""
    instances: list[object] = []
    for kind in ("input_output", "output_only"):
        command("instructions", config, "--kind", kind, "--to", folder / f"{kind}.1")
        command("instances", config, "--kind", kind, "--instructions", folder / f"{kind}.1", "--to", folder / kind)
        instances += ["--instances", folder / kind]
    command("parse", *instances, "--to", folder / "instances")
    for name in MODELS[1:]:
        command("outputs", config, "--model", name, "--instances", folder / "instances", "--to", folder / name)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One way through the steps, once."""

    way: str
    requests: tuple[int, ...]
    floor_s: float
    window_s: float

    @property
    def ratio(self) -> float:
        """Of the window to the busiest model's own time."""
        return self.window_s / self.floor_s

    def line(self, repeat: str) -> str:
        """A row of the table."""
        requests = "".join(f"{count:>9}" for count in self.requests)
        return f"{self.way:<12}{repeat:>7}{requests}{self.floor_s:>9.2f}{self.window_s:>10.2f}{self.ratio:>8.3f}"


def measure(way: str, addresses: dict[str, str], options: argparse.Namespace) -> Measurement:
    """Go through the steps in a new folder, and ask the servers what that took."""
    for address in addresses.values():
        counted(address)
    with tempfile.TemporaryDirectory(prefix="overlap-") as name:
        config = Path(name) / "config.yaml"
        config.write_text(config_of(addresses, options), encoding="utf-8")
        (overlapping if way == "run" else one_by_one)(Path(name), config)
    counts = [counted(address) for address in addresses.values()]
    requests = tuple(int(count["requests"]) for count in counts)
    window = max(count["last"] for count in counts) - min(count["first"] for count in counts)
    return Measurement(way, requests, max(requests) / options.slots * options.latency_ms / 1000, window)


def run_all(options: argparse.Namespace) -> None:
    """Both ways in turns; the table grows as they end."""
    print(
        f"{options.target} instructions of each kind; "
        f"three servers with {options.slots} slots x {options.latency_ms:g} ms; "
        f"max_in_flight {options.max_in_flight or 'not given'}"
    )
    headings = "".join(f"{name:>9}" for name in MODELS)
    print(f"{'way':<12}{'repeat':>7}{headings}{'floor s':>9}{'window s':>10}{'ratio':>8}")
    ratios_of: dict[str, list[float]] = {"run": [], **({} if options.only_run else {"one by one": []})}
    with ExitStack() as stack:
        servers = {name: server(name, options.slots, options.latency_ms / 1000) for name in MODELS}
        addresses = {name: stack.enter_context(each) for name, each in servers.items()}
        for repeat in range(1, options.repeats + 1):
            for way, ratios in ratios_of.items():
                measurement = measure(way, addresses, options)
                ratios.append(measurement.ratio)
                print(measurement.line(str(repeat)), flush=True)
    for way, ratios in ratios_of.items():
        print(f"median ratio of {way}: {median(ratios):.3f} (least {min(ratios):.3f}, greatest {max(ratios):.3f})")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--target", type=int, default=300, help="instructions of each kind (300)")
    add("--slots", type=int, default=16, help="requests that a server works on at once (16)")
    add("--latency-ms", type=float, default=200, help="of each request (200)")
    add("--repeats", type=int, default=3, help="times that each way is gone (3)")
    add("--max-in-flight", type=int, help="in the config of each model (default: nothing is tuned)")
    add("--only-run", action="store_true", help="without the steps one by one")
    add("--serve", nargs=3, metavar=("MODEL", "SLOTS", "SECONDS"), help="be a server; the command starts them so")
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve[0], int(options.serve[1]), float(options.serve[2])))
        return
    if min(options.target, options.slots, options.repeats) < 1 or options.latency_ms <= 0:
        parser.error("--target, --slots, --repeats and --latency-ms must be above 0")
    try:
        run_all(options)
    except BenchmarkError as error:
        sys.exit(f"overlap.py: {error}")


if __name__ == "__main__":
    main()
