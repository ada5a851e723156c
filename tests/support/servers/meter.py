"""A server of the simulated models that counts tokens, what they cost, and what `status` prints of them."""

from __future__ import annotations

import asyncio
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from ensemble_instruct.records import Kind, Response, Step
from tests.support.forks import Forks
from tests.support.servers.model import is_step_1, kind_of, model_config, simulated
from tests.support.servers.reply import Served, prompt_of, said, serving

PRICES = {"base": (1.0, 4.0), "careful": (3.0, 15.0), "talkative": (0.5, 0.0)}
"""US dollars per million tokens in and out."""
SERVED = {"base": "base", "careful": "voter_a", "talkative": "voter_b"}
USED = r"(\d+) answers(?:, (\d+) failed)?, ([\d,]+) tokens in, ([\d,]+) out(, estimated)?(?:, (\d+\.\d{4}) USD)?"

Place = tuple[str, Step, Kind]
Usage = dict[str, int]
Counting = Callable[[dict[str, Any], Response], Usage]
"""The `usage` that a server gives with a reply to a body; empty: none."""


class Used(NamedTuple):
    """A line of `status` about tokens."""

    answers: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    is_estimated: bool
    cost: float


@dataclass
class Meter:
    """A server of the demo's models, and the tokens that it counted."""

    served: Served = field(default_factory=Served)
    used: dict[Place, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    """Answers, tokens in and tokens out, by model, step and kind."""

    @property
    def asked(self) -> int:
        return len(self.served.bodies)

    def of(self, *place: str) -> list[int]:
        """The sums of a model, or of a model, step and kind."""
        used = [sums for at, sums in self.used.items() if at[: len(place)] == place]
        return [sum(column) for column in zip(*used, strict=True)]

    def cost(self, *place: str) -> float:
        return sum(cost(at[0], *used[1:]) for at, used in self.used.items() if at[: len(place)] == place)


def cost(name: str, prompt_tokens: int, completion_tokens: int) -> float:
    return (prompt_tokens * PRICES[name][0] + completion_tokens * PRICES[name][1]) / 1e6


def place_of(prompt: str) -> tuple[Step, Kind]:
    if is_step_1(prompt):
        return "instructions", kind_of(prompt)
    if prompt.startswith("instruction: "):
        return "instances", kind_of(prompt)
    return "outputs", "input_output" if prompt.partition("\n")[2] else "output_only"


def as_made(_: dict[str, Any], response: Response) -> Usage:
    return {"prompt_tokens": response.prompt_tokens or 0, "completion_tokens": response.completion_tokens or 0}


@contextmanager
def metered(counting: Counting = as_made, delay: float = 0.0) -> Iterator[Meter]:
    """A server that keeps count; each reply takes up to `delay` seconds."""
    meter, rng = Meter(), random.Random(0)
    names = {served: name for name, served in SERVED.items()}

    async def answering(body: dict[str, Any], _: int) -> web.Response:
        prompt = prompt_of(body)
        await asyncio.sleep(rng.uniform(0, delay))
        response = simulated(body, prompt)
        counted = counting(body, response)
        sums = meter.used[(names[body["model"]], *place_of(prompt))]
        for number, count in enumerate((1, counted.get("prompt_tokens", 0), counted.get("completion_tokens", 0))):
            sums[number] += count
        return said(response.text, response.finish_reason, **({"usage": counted} if counted else {}))

    with serving(answering) as meter.served:
        yield meter


def priced_config(base_url: str, input_output: int = 6, output_only: int = 5) -> str:
    config = model_config(base_url, input_output, output_only).replace("  window", "  mean_similarity: true\n  window")
    for name, (tokens_in, tokens_out) in PRICES.items():
        price = f"price: {{input: {tokens_in}, output: {tokens_out}}}"
        config = config.replace(f"model: {SERVED[name]}", f"model: {SERVED[name]}, {price}")
    return config


def used(text: str) -> dict[tuple[str, ...], Used]:
    """The lines about tokens that `status` prints, by model, and by model, step and kind."""
    lines: dict[tuple[str, ...], Used] = {}
    model = ""
    for line in text.splitlines():
        if match := re.fullmatch(rf"(?:model ([\w-]+)|  (\w+) (\w+)): {USED}", line):
            model, step, kind, *rest = match[1] or model, *match.groups()[1:]
            place = (model, step, kind) if step else (model,)
            answers, failed, tokens_in, tokens_out = (int((count or "0").replace(",", "")) for count in rest[:4])
            lines[place] = Used(answers, failed, tokens_in, tokens_out, bool(rest[4]), float(rest[5] or 0))
    return lines


def status(forks: Forks, folder: Path, run: str = "run") -> str:
    done = forks.run(folder, ["status", run])
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


class Paid(NamedTuple):
    """A finished run, its server, what the run printed at its end, and its examples."""

    folder: Path
    counted: Meter
    """What the server had counted when the run was finished; it goes on to count what it is asked."""
    out: str
    examples: bytes


@contextmanager
def paid_run(forks: Forks, folder: Path) -> Iterator[Paid]:
    """A finished run in `folder`, while its server is there."""
    with metered() as meter:
        (folder / "config.yaml").write_text(priced_config(meter.served.base_url))
        done = forks.run(folder, ["run", "config.yaml", "--out", "run"])
        assert (done.returncode, done.stderr) == (0, "")
        counted = replace(meter, used=deepcopy(meter.used))
        yield Paid(folder, counted, done.stdout, (folder / "run" / "examples.jsonl").read_bytes())
