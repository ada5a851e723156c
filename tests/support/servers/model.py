"""An OpenAI-compatible server over the simulated models of the demo, in a thread with an event loop of its own.

`base`, `voter_a` and `voter_b` are the names of its models. Every request waits a random time; what was asked is kept,
with the key that came along. A server can stop answering after a number of requests until it is let go on, so that a
test has a run in its middle without waiting for luck, and can answer with errors instead.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from aiohttp import web

from ensemble_instruct.prompts.completions import HEADING
from ensemble_instruct.records import Kind, Request, Response, Sampling
from ensemble_instruct.replies.end_marker import squeezed
from ensemble_instruct.steps.seed_tasks import load_seed_tasks
from tests.support.simulated.models import base, voter_a, voter_b

MODELS = {"base": base, "voter_a": voter_a, "voter_b": voter_b}
_PATIENCE = 120.0

Fault = Callable[[int, str], tuple[int, str] | None]
"""From a request's number (from 0) and its Authorization header to an HTTP status and an error text, or None.

Where it has a query, that stands behind the header, as it was sent.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    model: str
    prompt: str
    seed: int | None
    authorization: str
    body: dict[str, Any]


class ModelServer:
    """What the thread serves. `hold_after`: how many requests are answered before all others have to wait."""

    def __init__(self, delay: float, seed: int, hold_after: int | None, fault: Fault | None) -> None:
        self.base_url = ""
        self.asked: list[Asked] = []
        self._delay, self._random, self._fault = delay, random.Random(seed), fault
        self._answer_until = hold_after
        self._loop = asyncio.new_event_loop()
        self._going_on = asyncio.Event()
        self._changed = threading.Condition()

    def wait_until_asked(self, count: int) -> None:
        """Return once so many requests have arrived."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.asked) >= count, _PATIENCE), f"only {len(self.asked)}"

    def hold_after(self, count: int) -> None:
        """Answer so many further requests and let all others wait."""
        self._loop.call_soon_threadsafe(self._going_on.clear)
        self._answer_until = len(self.asked) + count

    def go_on(self) -> None:
        """Answer all requests, those that wait too."""
        self._answer_until = None
        self._loop.call_soon_threadsafe(self._going_on.set)

    @contextmanager
    def serving(self) -> Iterator[ModelServer]:
        """Serve on a free port until the block ends."""
        ready = threading.Event()
        over = asyncio.Event()
        thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve(ready, over)))
        thread.start()
        try:
            assert ready.wait(_PATIENCE)
            yield self
        finally:
            self._loop.call_soon_threadsafe(over.set)
            thread.join()
            self._loop.close()

    async def _serve(self, ready: threading.Event, over: asyncio.Event) -> None:
        application = web.Application()
        application.router.add_get("/v1/models", self._models)
        application.router.add_post("/v1/completions", self._answer)
        application.router.add_post("/v1/chat/completions", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=512)
        await site.start()
        self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        ready.set()
        await over.wait()
        self.go_on()
        await runner.cleanup()

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]})

    async def _answer(self, http: web.Request) -> web.Response:
        body = await http.json()
        chat = http.path.endswith("/chat/completions")
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        authorization = " ".join(filter(None, (http.headers.get("Authorization", ""), http.rel_url.raw_query_string)))
        with self._changed:
            number = len(self.asked)
            self.asked.append(Asked(body["model"], prompt, body.get("seed"), authorization, body))
            self._changed.notify_all()
        if self._answer_until is not None and number >= self._answer_until:
            await self._going_on.wait()
        await asyncio.sleep(self._random.uniform(0, self._delay))
        if self._fault is not None and (fault := self._fault(number, authorization)) is not None:
            return web.json_response({"error": {"message": fault[1]}}, status=fault[0])
        return web.json_response(_reply(body, prompt, chat=chat))


@contextmanager
def model_server(
    delay: float = 0.0, *, seed: int = 0, hold_after: int | None = None, fault: Fault | None = None
) -> Iterator[ModelServer]:
    """A server whose replies each take up to `delay` seconds; `seed` chooses how long."""
    with ModelServer(delay, seed, hold_after, fault).serving() as serving:
        yield serving


def model_config(base_url: str, input_output: int = 6, output_only: int = 5, window: int = 8) -> str:
    """A config of the default profile over the models of this server; one of its voters is asked as a chat model."""
    return f"""
instructions:
  target: {{input_output: {input_output}, output_only: {output_only}}}
  demonstrations: {{input_output: 8, output_only: 6}}
  window: {window}
models:
  base: {{base_url: {base_url}, model: base}}
  careful: {{base_url: {base_url}, model: voter_a, endpoint: chat}}
  talkative: {{base_url: {base_url}, model: voter_b}}
roles: {{instructions: base, instances: base, outputs: [careful, talkative]}}
licenses: {{policy: any}}
"""


def is_step_1(prompt: str) -> bool:
    """Whether a prompt asks for instructions."""
    return prompt.startswith(HEADING)


def kind_of(prompt: str) -> Kind:
    """The kind of task that a prompt of step 1 or 2 is about: some of the instructions it shows are seeds."""
    if is_step_1(prompt):
        shown = {line.partition(". ")[2] for line in prompt.splitlines()}
        return "input_output" if shown & _seeds("input_output") else "output_only"
    return "input_output" if "\ninput: " in prompt else "output_only"


@cache
def _seeds(kind: Kind) -> frozenset[str]:
    return frozenset(squeezed(task.instruction).rstrip(":") for task in load_seed_tasks() if task.kind == kind)


def shows_only_seeds(prompt: str) -> bool:
    """Whether a prompt of step 1 shows no instruction that a model made."""
    shown = [line.partition(". ")[2] for line in prompt.splitlines()[1:-1]]
    return all(instruction in _seeds(kind_of(prompt)) for instruction in shown)


def simulated(body: dict[str, Any], prompt: str) -> Response:
    """What the simulated model answers that a request names."""
    sampling = Sampling(max_tokens=body.get("max_tokens", 16), seed=body.get("seed"))
    return MODELS[body["model"]](Request(prompt=prompt, sampling=sampling, step="instructions", kind=kind_of(prompt)))


def _reply(body: dict[str, Any], prompt: str, *, chat: bool) -> dict[str, Any]:
    response = simulated(body, prompt)
    text = {"message": {"role": "assistant", "content": response.text}} if chat else {"text": response.text}
    return {
        "object": "chat.completion" if chat else "text_completion",
        "choices": [{"index": 0, "finish_reason": response.finish_reason, **text}],
        "usage": {"prompt_tokens": response.prompt_tokens, "completion_tokens": response.completion_tokens},
    }
