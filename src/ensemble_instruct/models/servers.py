"""The servers of one model: opened when the first request needs them, left out while they are away, closed at the end.

A model that runs in this process is one server, whose opening loads its weights.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import (
    AuthenticationError,
    ModelError,
    QuotaError,
    RunError,
    ServerUnreachableError,
    TransientError,
)
from ensemble_instruct.models.admission.gate import Gate
from ensemble_instruct.models.admission.rates import Rates
from ensemble_instruct.models.clients.base import Client

_GRACE = 0.5
"""Seconds for which the servers of a model that have not answered yet are waited for, once one has."""
_FAILURES_IN_A_ROW = 5
"""After which a server is left alone, while another one does better."""
_REFUSALS_IN_A_ROW = 3
"""After which a server that takes no request, whatever it is, may be lost."""
_SECONDS_REFUSING = 30.0
"""For how long it must have taken none: a server may start anew behind a gateway that stays."""
_SECONDS_WITHOUT_KEY = 3.0
"""The same where it does not take the key, or the quota is used up: that hardly passes by itself."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Refusals:
    """A row of errors of one server by which it takes no request at all."""

    answers: int
    """Of the server, before the row."""
    since: float
    count: int = 0
    is_lost: bool = False


class Servers:
    """One model's server, or its replicas: for each a client, and the gate before it; both in the order of the config.

    `clients` are pairs of a server's name and its client; each server gets `most` requests at a time at most.
    """

    def __init__(self, model: str, section: ModelSection, clients: Sequence[tuple[str, Client]], most: int) -> None:
        rates = section.requests_per_minute, section.tokens_per_minute
        patience = section.give_up_after / 4
        self.clients = tuple(client for _, client in clients)
        self.gates = tuple(Gate(server, section.max_in_flight, Rates(*rates), patience, most) for server, _ in clients)
        self.is_open = False
        """Whether one at least is there."""
        self._model = model
        self._is_remote, self._give_up_after = section.provider == "openai", section.give_up_after
        self._refusals: dict[int, _Refusals] = {}
        """By the numbers of the servers that refuse."""
        self._opening: asyncio.Task[None] | None = None
        self._late: set[asyncio.Future[None]] = set()

    async def open(self) -> None:
        """Open the clients, once; raises `ModelError` when the model cannot be reached at all."""
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        # many requests wait for the one opening: who gives up waiting must not cancel it for the others
        await asyncio.shield(self._opening)

    def is_odd_one_out(self, gate: Gate) -> bool:
        """Whether a server fails at whatever it is asked, and another one does better."""
        if gate.failures_in_a_row < _FAILURES_IN_A_ROW:
            return False
        return any(not other.is_away and other.failures_in_a_row < _FAILURES_IN_A_ROW for other in self.gates)

    def refused(self, number: int, error: ModelError) -> TransientError:
        """What it means that a server takes no request at all, where that may pass: requests were answered before.

        Raises the error where it comes before any answer, and when each server has given such an error for some time.
        """
        if not self._is_remote or not any(gate.answers for gate in self.gates):
            raise error
        now, answers = time.monotonic(), self.gates[number].answers
        row = self._refusals.get(number)
        if row is None or row.answers != answers:
            row = self._refusals[number] = _Refusals(answers, now)
        row.count += 1
        patience = _SECONDS_WITHOUT_KEY if isinstance(error, AuthenticationError | QuotaError) else _SECONDS_REFUSING
        row.is_lost = row.count >= _REFUSALS_IN_A_ROW and now - row.since >= min(patience, self._give_up_after)
        if len(self._refusals) == len(self.gates) and all(map(self._is_lost, self._refusals)):
            raise error
        words = str(error).removeprefix(f"model {self._model}: ").removeprefix(f"{self.gates[number].server} ")
        return TransientError(words, cause="refused", server_down=True)

    def _is_lost(self, number: int) -> bool:
        row = self._refusals[number]
        return row.is_lost and row.answers == self.gates[number].answers

    async def unload(self) -> None:
        """Free what the clients hold; after this the next `open` opens them again."""
        if self.is_open:
            self._opening, self.is_open = None, False
            await asyncio.gather(*(client.close() for client in self.clients))
            log.info("model %s: its role is over, its memory is free", self._model, extra={"model": self._model})

    async def close(self) -> None:
        """Close the clients, those too that are still being opened."""
        if self._opening is not None:
            self._opening.cancel()
            with suppress(asyncio.CancelledError, RunError):
                await self._opening
            for task in self._late:
                task.cancel()
            await asyncio.gather(*self._late, return_exceptions=True)
        await asyncio.gather(*(client.close() for client in self.clients))

    async def _open(self) -> None:
        """Open all clients at the same time, and go on with the first that is there; the others may come later."""
        opening = {
            asyncio.ensure_future(client.open()): gate for client, gate in zip(self.clients, self.gates, strict=True)
        }
        self._late = set(opening)
        away: list[ServerUnreachableError] = []
        done: set[asyncio.Task[None]] = set()
        while opening and (done or not self.is_open):
            grace = _GRACE if self.is_open else None
            done, _ = await asyncio.wait(opening, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                gate, error = opening.pop(task), task.exception()
                if isinstance(error, ServerUnreachableError):
                    away.append(error)
                    _leave_out(gate, error)
                elif error is not None:
                    raise error
                self.is_open |= error is None
        if not self.is_open:
            others = ", ".join(gate.server for gate in self.gates[1:])
            raise ServerUnreachableError(f"{away[0]}" + (f"; nor is one at {others}" if others else ""))
        for lost in away:
            log.warning("%s; the other servers go on", lost, extra={"model": self._model})
        for gate in opening.values():  # slow to answer, maybe only now: a single request will show
            gate.leave_alone(time.monotonic())


def _leave_out(gate: Gate, error: ServerUnreachableError) -> None:
    """Let the gate know that no connection can be made, as if a request had failed by that."""
    gone = TransientError(str(error), cause="unreachable", server_down=True)
    gate.failed(0, gone, 0.0, time.monotonic())
