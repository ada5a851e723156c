"""The servers of one model: opened when the first request needs them, left out while they are away, closed at the end.

A model that runs in this process is one server, whose opening loads its weights.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import RunError, ServerUnreachableError, TransientError
from ensemble_instruct.models.admission.gate import Gate
from ensemble_instruct.models.admission.rates import Rates
from ensemble_instruct.models.clients.base import Client

_GRACE = 0.5
"""Seconds for which the servers of a model that have not answered yet are waited for, once one has."""

log = logging.getLogger(__name__)


class Servers:
    """One model's server, or its replicas: for each a client, and the gate before it; both in the order of the config.

    `clients` are pairs of a server's name and its client.
    """

    def __init__(self, model: str, section: ModelSection, clients: Sequence[tuple[str, Client]]) -> None:
        rates = section.requests_per_minute, section.tokens_per_minute
        patience = section.give_up_after / 4
        self.clients = tuple(client for _, client in clients)
        self.gates = tuple(Gate(server, section.max_in_flight, Rates(*rates), patience) for server, _ in clients)
        self.is_open = False
        """Whether one at least is there."""
        self._model = model
        self._opening: asyncio.Task[None] | None = None
        self._late: set[asyncio.Future[None]] = set()

    async def open(self) -> None:
        """Open the clients, once; raises `ModelError` when the model cannot be reached at all."""
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        # many requests wait for the one opening: who gives up waiting must not cancel it for the others
        await asyncio.shield(self._opening)

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
