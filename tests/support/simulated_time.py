"""A clock that jumps to the next thing that happens: hours pass in no time, and always alike."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

START = 1000.0
"""What the clock of a `SimulatedLoop` says at first."""
_TIME_OF_DAY = 1.8e9
"""The time of day where that clock says 0."""
_REAL_WAIT = 0.005
"""Seconds of real time for what was sent over a socket of this process; most often it is there at once."""
_MODULES = (
    "admission.gate",
    "admission.dispatcher",
    "admission.stragglers",
    "model",
    "awake",
    "sent",
    "servers",
    "clients.openai.http",
    "clients.openai.rate_headers",
)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop with such a clock. Servers and clients in it may talk over sockets; threads have no place in it."""

    def __init__(self) -> None:
        super().__init__(_Jumping(self))
        self.now = START

    def time(self) -> float:
        return self.now


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everything waits, and nothing will ever happen"
        has_sockets = len(self.get_map()) > 1  # the loop has one of its own
        events = super().select(_REAL_WAIT if has_sockets and timeout > 0 else 0)
        if not events:
            self._loop.now += max(0.0, timeout)
        return events


def time_of_day() -> float:
    """What a server in a `SimulatedLoop` takes for the time of day."""
    return _TIME_OF_DAY + asyncio.get_running_loop().time()


@contextmanager
def simulated_time() -> Iterator[asyncio.Runner]:
    """What is run here takes the time of a `SimulatedLoop`, models and their clients among it."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner, pytest.MonkeyPatch.context() as patch:
        clock = SimpleNamespace(monotonic=runner.get_loop().time, time=time_of_day)
        for module in _MODULES:
            patch.setattr(f"ensemble_instruct.models.{module}.time", clock)
        yield runner
