"""Which server a request goes to, and when.

A `Dispatcher` is in front of the gates of one model's servers (one, or several replicas): each request goes to the one
that has room and the least load for its speed, in the order in which they asked; those that are tried again go first,
and to another server if there is one.

All other requests of a run wait, in the end, for those of step 1: each of these depends on earlier ones, so the time
that they lose cannot be made up. Of three requests that are let in while both wait, two are of step 1; and it has
places set aside, as many as it uses, but not more than two thirds. What is left keeps the later steps and the voters at
work.

The last requests of all are held back while others are tried again, and go one at a time: each that is answered shows
that the server works, so that what fails there is at fault itself, which else only time would tell.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ensemble_instruct.models.admission.gate import Gate

_SET_ASIDE = 2 / 3
"""The share of all places that may be set aside for step 1."""
_IN_A_ROW = 2
"""Requests of step 1 that are let in before another one has its turn, while both wait."""
_HELD_BACK = 16
"""The last requests, which are."""
_NO_MORE_AFTER = 1.0
"""Seconds without a new request, after which those that wait are taken for the last ones."""
_QUICK = 1.0
"""Seconds of an answer at most, where it is worth that."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request that waits for a place."""

    turn: asyncio.Future[int]
    tokens: float
    avoid: int | None
    first: bool
    again: bool


class Dispatcher:
    """Hands out places at the gates of a model's servers."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        self.gates = tuple(gates)
        self._numbered = tuple(enumerate(self.gates))
        self._first: deque[_Waiting] = deque()
        self._others: deque[_Waiting] = deque()
        self._in_a_row = 0
        """Requests that went first, since another one was let in."""
        self._set_aside: dict[str, int] = {}
        self._failing: set[str] = set()
        self._came_at = 0.0
        """When the last request came that was not tried before."""
        self._new_in_flight = 0
        self._others_at = [0] * len(self.gates)
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopped = False
        self._all_home: asyncio.Future[None] | None = None

    @property
    def in_flight(self) -> int:
        """Requests that are at a server now, or answered and on their way to the disk."""
        return sum(gate.in_flight for gate in self.gates)

    def set_aside(self, name: str, places: int) -> None:
        """Keep places for requests that go `first`, in addition to those kept under other names; 0 ends it."""
        before = self._set_aside.pop(name, 0)
        if places:
            self._set_aside[name] = places
        if places < before and self._others:
            self._admit()

    async def enter(self, tokens: float, *, first: bool = False, again: bool = False, avoid: int | None = None) -> int:
        """Wait for a place for a request of about that many tokens; returns the number of the server.

        Each `enter` is followed by one `leave`. With `again`, it goes before those that ask for the first time, and
        not to the server with the number `avoid` while another one is there.
        """
        waiter = _Waiting(asyncio.get_running_loop().create_future(), tokens, avoid, first, again)
        self._came_at = self._came_at if again else time.monotonic()
        if not self._first and not self._others and (number := self._place(waiter)) is not None:
            return number
        waiting = self._first if first else self._others
        if again:
            waiting.appendleft(waiter)
        else:
            waiting.append(waiter)
        if len(waiting) == 1 or again:
            self._admit()
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.done() and not waiter.turn.cancelled():  # it got its place just before it was cancelled
                self.leave(waiter.turn.result(), first=first, again=again)
            raise

    def is_idle_beside(self, number: int, tokens: float, *, first: bool) -> bool:
        """Whether a request would find a place at once at another server than that."""
        if self._is_stopped or not (first or self._is_left_over()):
            return False
        others = (gate for other, gate in self._numbered if other != number and not gate.is_away)
        return any(gate.wait(time.monotonic(), tokens) == 0 for gate in others)

    def note_failing(self, key: str, *, is_doubtful: bool) -> None:
        """A request has failed, and is tried again; whether it may be at fault itself."""
        if is_doubtful:
            self._failing.add(key)

    def note_decided(self, key: str) -> None:
        """It no longer is."""
        if key in self._failing:
            self._failing.remove(key)
            self._admit()

    @property
    def is_holding_back(self) -> bool:
        """Whether the last requests go one at a time."""
        waiting = len(self._others)
        if not self._failing or waiting > _HELD_BACK + len(self._failing):
            return False
        is_quick = all((gate.latency or math.inf) <= _QUICK for gate in self.gates if not gate.is_away)
        return is_quick and time.monotonic() - self._came_at > _NO_MORE_AFTER

    def leave(self, number: int, hold: float = 0.0, *, first: bool = False, again: bool = False) -> None:
        """Give the place at a server back, after `hold` seconds."""
        gate = self.gates[number]
        gate.leave(time.monotonic())
        self._others_at[number] -= not first
        self._new_in_flight -= not again
        if hold:
            gate.held += 1
            asyncio.get_running_loop().call_later(hold, self._let_go, gate)
        if self._all_home is not None and not self._all_home.done() and not self.in_flight:
            self._all_home.set_result(None)
        self._admit()
        if not self._first and (not self._others or self._set_aside):
            for gate in self.gates:
                gate.note_spare()

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

    def _place(self, waiter: _Waiting) -> int | None:
        if self._is_stopped or not (waiter.first or self._is_left_over()):
            return None
        if not (waiter.first or waiter.again) and self._new_in_flight and self.is_holding_back:
            return None
        now = time.monotonic()
        best, wait = None, math.inf
        usual = min((gate.latency for gate in self.gates if gate.latency), default=1.0)
        for number, gate in self._open_to(waiter.avoid):
            if gate.wait(now, waiter.tokens) == 0:
                expected = (gate.in_flight + gate.held + 1) / gate.limit * (gate.latency or usual)
                best, wait = (number, expected) if expected < wait else (best, wait)
        if best is not None:
            self.gates[best].enter(now, waiter.tokens)
            self._others_at[best] += not waiter.first
            self._new_in_flight += not waiter.again
            self._in_a_row = self._in_a_row + 1 if waiter.first else 0
        return best

    def _is_left_over(self) -> bool:
        """Whether a request that does not go first finds a place that is not set aside."""
        if not self._set_aside:
            return True
        there = [number for number, gate in self._numbered if not gate.is_away]
        limit = sum(int(self.gates[number].limit) for number in there)
        kept = min(sum(self._set_aside.values()), int(_SET_ASIDE * limit))
        return sum(self._others_at[number] for number in there) < max(1, limit - kept)

    def _open_to(self, avoid: int | None) -> Sequence[tuple[int, Gate]]:
        """The gates for a request that avoids a server, if another one is there."""
        if avoid is None:
            return self._numbered
        others = [(number, gate) for number, gate in self._numbered if number != avoid]
        return others if any(not gate.is_away for _, gate in others) else self._numbered

    def _admit(self) -> None:
        while (waiting := self._whose_turn()) is not None and self._admit_from(waiting):
            pass
        if waiting:
            self._set_timer(waiting[0])

    def _whose_turn(self) -> deque[_Waiting] | None:
        """Those of whom the next one may go; None when nobody waits but for places that are set aside."""
        for waiting in (self._first, self._others):
            while waiting and waiting[0].turn.done():
                waiting.popleft()
        others = self._others if self._others and self._is_left_over() else None
        return self._first if self._first and (others is None or self._in_a_row < _IN_A_ROW) else others

    def _admit_from(self, waiting: deque[_Waiting]) -> bool:
        """Let the first go for whom there is room; whether there was one."""
        for place, waiter in enumerate(waiting):
            if waiter.turn.done():
                continue
            if (number := self._place(waiter)) is not None:
                waiter.turn.set_result(number)
                del waiting[place]
                return True
            # only who avoids a server may be overtaken: all others wait for the same places, in their order
            if waiter.avoid is None or not self._has_room(waiter.tokens):
                return False
        return False

    def _has_room(self, tokens: float) -> bool:
        now = time.monotonic()
        return not self._is_stopped and any(gate.wait(now, tokens) == 0 for gate in self.gates)

    def _set_timer(self, waiter: _Waiting) -> None:
        """Look again when the first gate opens by itself for the first that waits."""
        now = time.monotonic()
        waits = [wait for _, gate in self._open_to(waiter.avoid) if (wait := gate.wait(now, waiter.tokens)) is not None]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if waits and not self._is_stopped:
            self._timer = asyncio.get_running_loop().call_later(max(0.001, min(waits)), self._admit)
