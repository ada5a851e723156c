"""Which server a request goes to, and when.

A `Dispatcher` stands before the gates of one model's servers (one, or several replicas): each request goes to the least
loaded server that has room, in the order in which they asked; those that are tried again go first, and to another
server if there is one.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence

from ensemble_instruct.admission import Gate


class Dispatcher:
    """Hands out places at the gates of a model's servers."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        self.gates = tuple(gates)
        self._numbered = tuple(enumerate(self.gates))
        self._waiting: deque[tuple[asyncio.Future[int], float, int | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopped = False
        self._all_home: asyncio.Future[None] | None = None

    @property
    def in_flight(self) -> int:
        """Requests that are at a server now, or answered and on their way to the disk."""
        return sum(gate.in_flight for gate in self.gates)

    async def enter(self, tokens: float, *, again: bool = False, avoid: int | None = None) -> int:
        """Wait for a place for a request of so many tokens; returns the number of the server.

        Each `enter` is followed by one `leave`. With `again`, it goes before those that ask for the first time, and
        not to the server with the number `avoid` while another one is there.
        """
        if not self._waiting and (number := self._place(tokens, avoid)) is not None:
            return number
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if again:
            self._waiting.appendleft((turn, tokens, avoid))
        else:
            self._waiting.append((turn, tokens, avoid))
        if len(self._waiting) == 1 or again:
            self._admit()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(turn.result())
            raise

    def leave(self, number: int, hold: float = 0.0) -> None:
        """Give the place at a server back, after `hold` seconds."""
        gate = self.gates[number]
        gate.leave(time.monotonic())
        if hold:
            gate.held += 1
            asyncio.get_running_loop().call_later(hold, self._let_go, gate)
        if self._all_home is not None and not self._all_home.done() and not self.in_flight:
            self._all_home.set_result(None)
        self._admit()
        if not self._waiting:
            for gate in self.gates:
                gate.has_spare = True

    async def stop(self) -> None:
        """Send nothing more; return once all that is in flight has come home."""
        self._is_stopped = True
        if self._all_home is None:
            self._all_home = asyncio.get_running_loop().create_future()
            if not self.in_flight:
                self._all_home.set_result(None)
        await self._all_home

    def _let_go(self, gate: Gate) -> None:
        gate.held -= 1
        self._admit()

    def _place(self, tokens: float, avoid: int | None) -> int | None:
        if self._is_stopped:
            return None
        now = time.monotonic()
        best, load = None, math.inf
        for number, gate in self._open_to(avoid):
            if gate.wait(now, tokens) == 0 and (gate.in_flight + gate.held) / gate.limit < load:
                best, load = number, (gate.in_flight + gate.held) / gate.limit
        if best is not None:
            self.gates[best].enter(now, tokens)
        return best

    def _open_to(self, avoid: int | None) -> Sequence[tuple[int, Gate]]:
        """The gates for a request that avoids a server, if another one is there."""
        if avoid is None:
            return self._numbered
        others = [(number, gate) for number, gate in self._numbered if number != avoid]
        return others if any(not gate.is_away for _, gate in others) else self._numbered

    def _admit(self) -> None:
        passed_over: list[tuple[asyncio.Future[int], float, int | None]] = []
        while self._waiting:
            turn, tokens, avoid = self._waiting[0]
            if not turn.done():
                number = self._place(tokens, avoid)
                if number is not None:
                    turn.set_result(number)
                elif avoid is not None and self._has_room(tokens):
                    passed_over.append(self._waiting[0])
                else:
                    break
            self._waiting.popleft()
        self._waiting.extendleft(reversed(passed_over))
        if self._waiting:
            self._set_timer(*self._waiting[0][1:])

    def _has_room(self, tokens: float) -> bool:
        now = time.monotonic()
        return not self._is_stopped and any(gate.wait(now, tokens) == 0 for gate in self.gates)

    def _set_timer(self, tokens: float, avoid: int | None) -> None:
        """Look again when the first gate opens by itself for the first that waits."""
        now = time.monotonic()
        waits = [wait for _, gate in self._open_to(avoid) if (wait := gate.wait(now, tokens)) is not None]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if waits and not self._is_stopped:
            self._timer = asyncio.get_running_loop().call_later(max(0.001, min(waits)), self._admit)
