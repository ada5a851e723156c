"""How close step 4 comes to a bare aiohttp loop on the same server.

    .venv/bin/python benchmarks/throughput.py [--scenario NAME]... [--size N] [--repeats R] [--json FILE]

For each scenario a stub server is started, and two clients take turns on it, each a process of its own: `loop` posts
the prompts with aiohttp and keeps the texts in memory, `ours` is `ensemble-instruct outputs` with its durable store (in
the folder for temporary files: TMPDIR chooses the disk). The window is what the server sees, from the first request to
the last reply; wall time, CPU (user and system) and peak memory are those of the whole process, its start included;
`first s` runs from that start to the first request. Exit 1 when a row is missing, wrong, or was answered twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

OURS, LOOP, FAULT_FREE = "ours", "loop", "fault-free"
STUB = Path(__file__).resolve().parents[2] / "shared" / "tools" / "stub_llm.py"
COMMAND = Path(sys.executable).with_name("ensemble-instruct")
COLUMNS = (
    ("window s", "window_s", ".2f"), ("wall s", "wall_s", ".2f"), ("CPU s", "cpu_s", ".2f"),
    ("CPU ms/req", "cpu_ms_per_request", ".2f"), ("peak MB", "peak_mb", ".0f"), ("first s", "first_s", ".2f"),
    ("in flight", "max_in_flight", ".0f"), ("replies", "successes", ".0f"), ("repeated", "repeat_successes", ".0f"),
    ("faults", "faults_total", ".0f"),
)  # fmt: skip


class BenchmarkError(Exception):
    """A client failed, or did not bring back every row."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A server and how ours is set (`max_in_flight` None: not at all). The loop has a request for each of the slots.

    With faults there is no loop: ours is compared with ours on the same server without them.
    """

    name: str
    slots: int
    latency_ms: int
    max_in_flight: int | None
    latency_options: tuple[str, ...] = ()
    fault_options: tuple[str, ...] = ()

    def ideal(self, size: int) -> float | None:
        """Seconds for `size` requests with all slots always busy; None where the latency is not fixed."""
        return None if self.latency_options else -(-size // self.slots) * self.latency_ms / 1000

    def described(self, size: int) -> str:
        """The server, the clients and the ideal, in one line."""
        server = " ".join((f"{self.slots} slots x {self.latency_ms} ms", *self.latency_options))
        ours = f"ours with max_in_flight {self.max_in_flight}" if self.max_in_flight else "ours with nothing tuned"
        faults = " ".join(self.fault_options)
        other = f"no loop; faults for ours: {faults}" if faults else f"loop with {self.slots} at once"
        return (
            f"{self.name}: {size} requests, {server}; {ours}; {other}; ideal window s: {self.ideal(size) or 'unknown'}"
        )


_EVERY = (
    Scenario("slots64", 64, 200, 64),
    Scenario("slots256", 256, 100, 256),
    Scenario("untuned64", 64, 200, None),
    Scenario("untuned256", 256, 100, None),
    Scenario("lognormal", 64, 200, 64, latency_options=("--latency-dist=lognormal", "--sigma=0.8")),
    Scenario("faults", 64, 200, 64, fault_options=("--p429=.05", "--p500=.05", "--pdrop=.02", "--pmalformed=.02")),
)
SCENARIOS = {scenario.name: scenario for scenario in _EVERY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One client, once: what the server counted, and what the process took."""

    client: str
    repeat: int
    window_s: float
    wall_s: float
    cpu_s: float
    cpu_ms_per_request: float
    peak_mb: float
    first_s: float
    max_in_flight: int
    successes: int
    repeat_successes: int
    faults_total: int


def made_instances(size: int) -> Iterator[dict[str, str]]:
    """Distinct instances, the same each time; every fourth has no input."""
    tasks = ("Summarise the message in one sentence.", "Is this a complaint or a question?", "Write a polite reply.")
    goods = ("kettle", "desk lamp", "rain jacket", "bicycle pump", "bread knife", "wool blanket", "garden hose")
    mishaps = ("arrived with a crack", "was left with a neighbour", "has the wrong colour", "came two weeks late")
    chosen = random.Random(7)
    for number in range(10_000, 10_000 + size):
        ware, mishap = chosen.choice(goods), chosen.choice(mishaps)
        instruction, task_input = chosen.choice(tasks), f"Order {number}: the {ware} that I bought {mishap}. What now?"
        if number % 4 == 0:
            instruction, task_input = f"Advertise a {ware} in two sentences that name its order number, {number}.", ""
        yield {"instruction": instruction, "input": task_input, "output": f"The {ware} {mishap}."}


async def bare_loop(url: str, file: Path, concurrency: int) -> None:
    """Ask what step 4 asks in the default profile, and keep the texts: no retries, no store, no limits."""
    import aiohttp

    with file.open(encoding="utf-8") as lines:
        prompts = iter([f"{row['instruction']}\n{row['input']}" for row in map(json.loads, lines)])
    texts: list[str] = []

    async def work(session: aiohttp.ClientSession) -> None:
        for prompt in prompts:
            body = {"model": "stub-model", "prompt": prompt, "max_tokens": 512, "temperature": 0.0, "top_p": 1.0}
            async with session.post(f"{url}/completions", json=body, raise_for_status=True) as reply:
                texts.append((await reply.json())["choices"][0]["text"])

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(work(session) for _ in range(concurrency)))


@contextmanager
def running_stub(stub: Path, scenario: Scenario, fault_options: tuple[str, ...]) -> Iterator[str]:
    """A stub server on a free port, killed at the end; gives its address."""
    command = [sys.executable, str(stub), "--port", "0", "--slots", str(scenario.slots)]
    command += ["--latency-ms", str(scenario.latency_ms), *scenario.latency_options, *fault_options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline().split() if process.stdout else []
            if len(line) < 2 or line[0] != "stub:":
                raise BenchmarkError(f"{stub} did not start; run it alone to see why")
            yield line[1]
        finally:
            process.kill()


def ask_stub(url: str, method: str, path: str) -> Any:
    """The JSON that the stub gives for one of its own paths."""
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with without_proxy.open(urllib.request.Request(url.removesuffix("/v1") + path, method=method), timeout=30) as reply:
        return json.loads(reply.read())


def our_command(folder: Path, scenario: Scenario, url: str, instances: Path, written: Path) -> list[str]:
    """Step 4 from the command line, with a config for the scenario (JSON is YAML too)."""
    tuned = {"max_in_flight": scenario.max_in_flight} if scenario.max_in_flight else {}
    model = {"base_url": url, "model": "stub-model", "license": "Apache-2.0", **tuned}
    roles = {"instructions": "stub", "instances": "stub", "outputs": ["stub"]}
    config = folder / "config.yaml"
    config.write_text(json.dumps({"models": {"stub": model}, "roles": roles}), encoding="utf-8")
    return [*map(str, (COMMAND, "outputs", config, "--model", "stub", "--instances", instances, "--to", written))]


def timed(command: list[str], folder: Path) -> tuple[float, float, Any]:
    """Run a command to its end: when it started (CLOCK_MONOTONIC), its wall time, its resource usage."""
    log = folder / "log.txt"
    started = time.monotonic()
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            process.kill()
    if process.returncode:
        lines = log.read_text("utf-8", "replace").strip().splitlines() or ["nothing said"]
        raise BenchmarkError(f"exit {process.returncode}: {lines[-1]}")
    return started, wall, usage


def require_rows(written: Path, instances: Path, size: int, stub: Path) -> None:
    """Raise unless each instance has its place in the file of ours, with the reply to its own prompt."""
    from ensemble_instruct.prompts.completions import outputs_prompt

    expected = runpy.run_path(str(stub))["expected"]
    with written.open(encoding="utf-8") as lines:
        if (count := sum(1 for _ in lines)) != size:
            raise BenchmarkError(f"{count} of {size} rows came back")
    with written.open(encoding="utf-8") as rows, instances.open(encoding="utf-8") as wanted:
        for number, (row, instance) in enumerate(zip(map(json.loads, rows), map(json.loads, wanted), strict=True), 1):
            marker = expected(outputs_prompt(instance["instruction"], instance["input"]))
            if any(row[field] != instance[field] for field in ("instruction", "input")) or marker not in row["output"]:
                raise BenchmarkError(f"row {number} is not instance {number} with the reply to its prompt")


def measure(
    client: str, repeat: int, scenario: Scenario, *, url: str, instances: Path, size: int, stub: Path
) -> Measurement:
    """Run one client in a new folder, on a server whose counters are at zero, and check what it brought back."""
    ask_stub(url, "POST", "/reset")
    with tempfile.TemporaryDirectory(dir=instances.parent) as name:
        folder, written = Path(name), Path(name) / "outputs.jsonl"
        loop = [sys.executable, __file__, "--loop", url, str(instances), str(scenario.slots)]
        command = loop if client == LOOP else our_command(folder, scenario, url, instances, written)
        # The system counts this process's memory at the fork as the child's: it holds no rows, so it is the smaller.
        started, wall, usage = timed(command, folder)
        stats = ask_stub(url, "GET", "/stats")
        if client != LOOP:
            require_rows(written, instances, size, stub)
        if stats["successes"] != size or stats["repeat_successes"]:
            raise BenchmarkError(f"the server gave {stats['successes']} replies, {stats['repeat_successes']} repeated")
    cpu = usage.ru_utime + usage.ru_stime
    return Measurement(
        client=client,
        repeat=repeat,
        window_s=stats["window_s"],
        wall_s=wall,
        cpu_s=cpu,
        cpu_ms_per_request=1000 * cpu / size,
        peak_mb=usage.ru_maxrss * 1024 / 1e6,
        first_s=stats["first_at"] - started,
        max_in_flight=stats["max_in_flight"],
        successes=stats["successes"],
        repeat_successes=stats["repeat_successes"],
        faults_total=stats["faults_total"],
    )


def run_scenario(scenario: Scenario, repeats: int, instances: Path, size: int, stub: Path) -> dict[str, Any]:
    """Both clients in turns; prints the table as it grows and gives every number."""
    print(f"\n{scenario.described(size)}")
    print(f"{'client':<11}{'repeat':>6}" + "".join(f"{heading:>{len(heading) + 2}}" for heading, _, _ in COLUMNS))
    measured: dict[str, list[Measurement]] = {FAULT_FREE if scenario.fault_options else LOOP: [], OURS: []}
    with ExitStack() as stack:
        servers = [running_stub(stub, scenario, options) for options in dict.fromkeys([(), scenario.fault_options])]
        urls = [stack.enter_context(server) for server in servers]
        for repeat in range(1, repeats + 1):
            for client, url in zip(measured, (urls[0], urls[-1]), strict=True):
                try:
                    measurement = measure(client, repeat, scenario, url=url, instances=instances, size=size, stub=stub)
                except BenchmarkError as error:
                    raise BenchmarkError(f"{scenario.name}, {client}, repeat {repeat}: {error}") from error
                measured[client].append(measurement)
                print(table_line(client, str(repeat), [measurement]), flush=True)
    for client, measurements in measured.items():
        print(table_line(client, "median", measurements))
    (other, base), (_, ours) = ((client, [each.window_s for each in measured[client]]) for client in measured)
    pairs = [own / reference for own, reference in zip(ours, base, strict=True)]
    ratios = {f"ours/{other}": median(ours) / median(base), "least pair": min(pairs), "greatest pair": max(pairs)}
    if ideal := scenario.ideal(size):
        ratios |= {"ours/ideal": median(ours) / ideal, f"{other}/ideal": median(base) / ideal}
    print("median window: " + ", ".join(f"{name} {ratio:.3f}" for name, ratio in ratios.items()), flush=True)
    every = [asdict(each) for measurements in measured.values() for each in measurements]
    return {**asdict(scenario), "ideal_s": ideal, "ratios": ratios, "measurements": every}


def table_line(client: str, label: str, measurements: list[Measurement]) -> str:
    """The medians of some measurements, under the headings."""
    line = f"{client:<11}{label:>6}"
    for heading, field, form in COLUMNS:
        line += f"{median(getattr(each, field) for each in measurements):>{len(heading) + 2}{form}}"
    return line


def run_all(options: argparse.Namespace) -> None:
    """Each chosen scenario in turn; the JSON file is written anew after each."""
    results = []
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        instances = Path(folder) / "instances.jsonl"
        with instances.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(instance)}\n" for instance in made_instances(options.size))
        for name in options.scenario or ["slots64", "slots256"]:
            results.append(run_scenario(SCENARIOS[name], options.repeats, instances, options.size, options.stub))
            if options.json:
                options.json.write_text(json.dumps({"size": options.size, "scenarios": results}, indent=1), "utf-8")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--scenario", action="append", choices=SCENARIOS, help="repeat for several (default: slots64 and slots256)")
    add("--size", type=int, default=2000, help="instances (2000)")
    add("--repeats", type=int, default=5, help="times that each client runs (5)")
    add("--stub", type=Path, default=STUB, help="the stub server (default: ../shared/tools/stub_llm.py)")
    add("--json", type=Path, metavar="FILE", help="write every number there")
    add("--loop", nargs=3, metavar=("URL", "FILE", "CONCURRENCY"), help="be the bare loop; the command starts it so")
    options = parser.parse_args()
    if options.loop:
        asyncio.run(bare_loop(options.loop[0], Path(options.loop[1]), int(options.loop[2])))
        return
    if min(options.size, options.repeats) < 1:
        parser.error("--size and --repeats must be at least 1")
    for path, advice in ((options.stub, "name its place with --stub"), (COMMAND, "install the package beside Python")):
        if not path.is_file():
            parser.exit(2, f"error: {path} is not there; {advice}\n")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run_all(options)
    except (BenchmarkError, OSError, KeyboardInterrupt) as error:
        parser.exit(1, f"error: {str(error) or 'stopped'}\n")


if __name__ == "__main__":
    main()
