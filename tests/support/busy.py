"""A server with so many places that refuses the rest, requests for it, and a store without a disk."""

from __future__ import annotations

import asyncio
import email.utils
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ensemble_instruct.records import Answer, Failure, Request, Response, Sampling
from ensemble_instruct.store.rows import Attempt
from ensemble_instruct.store.store import Store
from tests.support.servers.reply import Reply, prompt_of, said
from tests.support.simulated_time import time_of_day


def prompts(count: int) -> list[str]:
    return [f"prompt {number}" for number in range(count)]


def request(prompt: str) -> Request:
    return Request(prompt=prompt, sampling=Sampling(max_tokens=64), step="outputs", kind="output_only")


class Memory(Store):
    """A store without a disk."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.notes: dict[str, str] = {}
        self.attempts: list[Attempt] = []

    def answer(self, key: str) -> Answer | None:
        return self.answers.get(key)

    async def commit(self, key: str, model: str, request: Request, outcome: Response | Failure, seconds: float) -> None:
        self.answers[key] = Answer(key, outcome)

    def meta(self, name: str) -> str | None:
        return self.notes.get(name)

    def set_meta(self, **values: str) -> None:
        self.notes |= values

    def note_attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    async def flush(self) -> None:
        """Nothing waits."""

    def forget_failures(self) -> None:
        self.answers = {key: kept for key, kept in self.answers.items() if isinstance(kept.outcome, Response)}


@dataclass
class Busy:
    """A server with so many places that refuses the rest, and everything in the first seconds that it is asked."""

    places: int = 1000
    latency: float = 0.02
    status: int = 429
    retry_after: Callable[[], str | None] = lambda: None
    closed_seconds: float = 0.0
    refusals: list[bool] = field(default_factory=list)
    """Of each request, in the order of arrival."""
    while_closed: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    _here: int = 0
    _opens_at: float = 0.0

    async def __call__(self, body: dict[str, Any], _: int) -> Reply:
        now = asyncio.get_running_loop().time()
        self._opens_at = self._opens_at or now + self.closed_seconds
        is_closed = now < self._opens_at
        self.while_closed += is_closed
        self.refusals.append(is_closed or self._here >= self.places)
        if self.refusals[-1]:
            when = self.retry_after()
            date = email.utils.formatdate(time_of_day(), usegmt=True)
            return web.Response(status=self.status, headers={} if when is None else {"Retry-After": when, "Date": date})
        self._here += 1
        await asyncio.sleep(self.latency)
        self._here -= 1
        self.answered[prompt_of(body)] += 1
        return said(prompt_of(body))

    def share(self, since: float) -> float:
        """Of the requests after that share of all, how many were refused."""
        later = self.refusals[int(since * len(self.refusals)) :]
        return sum(later) / len(later)
