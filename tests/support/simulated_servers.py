"""Servers of several kinds behind a gate, in simulated time and without a loop: thousands of requests in a moment."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass
from statistics import median
from types import SimpleNamespace

import pytest

from ensemble_instruct.models.admission import gate as gates

_TOKENS = 100
"""Of a usual reply."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A server that works on so many requests at a time and queues the rest."""

    places: int
    seconds: float
    """Of a usual reply, alone."""
    spread: float = 0.0
    """Of the lengths of replies: the standard deviation of their logarithm."""
    shared: float = math.inf
    """How many requests together take twice as long as one: a server that batches."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of some requests."""

    seconds: float
    """Until the last reply."""
    latency: float
    """At the median, as a multiple of what replies take alone."""
    limits: list[int]
    """When each request was sent."""


def asked(kind: Kind, count: int, seed: int = 0, *, fixed: int | None = None, ceiling: int | None = None) -> Outcome:
    """Send so many requests through a gate, or a fixed number at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates, "time", SimpleNamespace(monotonic=lambda: 0.0))
        gate = gates.Gate("simulated", ceiling)
    return _Run(kind, count, seed, gate, fixed).done()


class _Run:
    def __init__(self, kind: Kind, count: int, seed: int, gate: gates.Gate, fixed: int | None) -> None:
        chosen = random.Random(seed)
        self.lengths = [math.exp(kind.spread * chosen.gauss(0, 1)) for _ in range(count)]
        self.kind, self.gate, self.fixed = kind, gate, fixed
        self.now, self.work, self.sent = 0.0, 0.0, 0
        """`work` is what each request that is worked on has got of the server since the beginning."""
        self.busy: list[tuple[float, int]] = []
        self.queue: deque[int] = deque()
        self.began: list[tuple[float, int, int]] = []
        self.latencies: list[float] = []
        self.limits: list[int] = []

    def done(self) -> Outcome:
        wait = self._send()
        while self.busy:
            slowness = self.kind.seconds * (1 + len(self.busy) / self.kind.shared)
            ends = self.now + max(0.0, self.busy[0][0] - self.work) * slowness
            if wait is not None and self.now + wait < ends:
                self.work += wait / slowness
                self.now += wait
            else:
                self.now, (self.work, number) = ends, heapq.heappop(self.busy)
                self._answer(number)
            wait = self._send()
        usual = median(self.kind.seconds * length for length in self.lengths)
        return Outcome(self.now, median(self.latencies) / usual, self.limits)

    def _answer(self, number: int) -> None:
        began, used, place = self.began[number]
        self.latencies.append(self.now - began)
        if self.queue:
            self._work_on(self.queue.popleft())
        if self.fixed is None:
            size = max(1, round(_TOKENS * self.lengths[number]))
            self.gate.answered(used, self.now - began, self.now, place=place, size=size)
        self.gate.leave(self.now)

    def _work_on(self, number: int) -> None:
        heapq.heappush(self.busy, (self.work + self.lengths[number], number))

    def _send(self) -> float | None:
        """Send what may go; the seconds after which to look again, if the gate opens by itself."""
        while self.sent < len(self.lengths):
            wait: float | None
            if self.fixed is None:
                wait = self.gate.wait(self.now, 1)
            else:
                wait = 0 if self.gate.in_flight < self.fixed else None
            if wait != 0:
                return wait
            self.gate.enter(self.now, 1)
            self.began.append((self.now, self.gate.rates.used_requests, self.gate.begins(self.now)))
            self.limits.append(int(self.gate.limit) if self.fixed is None else self.fixed)
            if len(self.busy) < self.kind.places:
                self._work_on(self.sent)
            else:
                self.queue.append(self.sent)
            self.sent += 1
        self.gate.note_spare()
        return None
