"""Requests that last far longer than others of their model: they are asked again, for most would never be answered.

One does after eight times what 95 % of the last answers took at most. It is asked again where others show that the
server works: where as many as are in flight were answered that were sent after it. Else the server itself may stand
still, and one request alone is asked again in that time: its answer then speaks against the others, and a server that
stands still is not asked everything twice. Of the time that requests wait in a queue of the server, which shall not
count eight times, `climb` knows.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ensemble_instruct.errors import TransientError
from ensemble_instruct.models.admission.gate import OVERDUE, Gate
from ensemble_instruct.records import Response, Step

_TIMES = 8.0
"""How many times the time of a usual answer a request may last."""
_USUAL = 0.95
"""The share of the last answers that are usual."""
_LAST, _FEWEST = 200, 20
"""The last answers, and how many must be there."""
_LONGER = 4.0
"""How many times as long each further try of the request may last."""
_LEAST = 0.5
"""Seconds that each may last at least."""
_LEAST_ALONE = 5.0
"""The same, where nothing shows that the server works, or fewer answers are known than the last ones that count."""
_DEEP = 4.0
"""However deep the queue, a try may last this part of the time in which it counts too: queues are not always fair."""
_LATE = 0.05
"""Seconds by which a look may come late, or it is this process that stood still."""
_SOONEST = 0.02
"""Seconds between two looks at least."""
_LOOK_AGAIN = 1 / 16
"""The share of its age after which one is looked at again that could not be asked again."""


@dataclass(slots=True, eq=False, kw_only=True)
class Flight:
    """One try that is on its way."""

    step: Step
    gate: Gate
    began: float
    since: float
    """When the first try of its request began."""
    asked_again: int
    """How often its request was asked again, for it lasted too long."""
    ask_again: Callable[[], bool]
    """Asks the request again, elsewhere or here; whether that was possible."""
    is_overdue: bool = False
    """Whether that was done on account of this try."""
    answers: int = 0
    """Of the model, when it was sent."""
    beside: int = 0
    """Others that were in flight then."""
    look_after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Oldest:
    """The request of a run that has been on its way for the longest time."""

    model: str
    step: Step
    server: str
    since: float
    """Time of day at which its first try was sent."""


class _Times:
    """What the last answers took."""

    def __init__(self) -> None:
        self._last: deque[tuple[float, float, bool]] = deque(maxlen=_LAST)

    def add(self, seconds: float, alone: float, *, was_asked_again: bool) -> None:
        """An answer came after `seconds`; it would have after `alone` where nothing queued up."""
        self._last.append((seconds, alone, was_asked_again))

    @property
    def are_enough(self) -> bool:
        """Whether they tell what is usual."""
        return len(self._last) >= _FEWEST

    def patience(self) -> tuple[float, float]:
        """How long a request may last, and without the time that it waits in a queue."""
        # what took long once more when it was asked again needs that time
        needed = max((seconds for seconds, _, was_asked_again in self._last if was_asked_again), default=0.0)
        times, alone = (sorted(each[column] for each in self._last) for column in (0, 1))
        usual = math.ceil(_USUAL * len(times)) - 1
        least = _LEAST if len(times) == _LAST else _LEAST_ALONE
        return max(least, _TIMES * times[usual], needed), max(least, _TIMES * alone[usual], needed)


class Stragglers:
    """The tries of one model that are on their way; those that last too long are asked again, if `is_on`."""

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._flights: dict[Flight, None] = {}
        self._answers = 0
        self._all = _Times()
        self._of_step: dict[Step, _Times] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._alone_until = 0.0
        self._was_late = False

    def oldest(self, model: str) -> Oldest | None:
        """The one whose request was sent before all others, if one is on its way; to be asked from any thread."""
        flight = min(list(self._flights), key=lambda flight: flight.since, default=None)
        if flight is None:
            return None
        since = time.time() - (time.monotonic() - flight.since)
        return Oldest(model=model, step=flight.step, server=flight.gate.server, since=since)

    def sent(self, flight: Flight) -> None:
        """A try is on its way."""
        flight.answers, flight.beside = self._answers, len(self._flights)
        self._flights[flight] = None
        self._set_timer(flight.began)

    def home(self, flight: Flight) -> None:
        """It is no longer, whatever became of it."""
        del self._flights[flight]
        if self._flights:
            self._set_timer(time.monotonic())
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def answered(self, flight: Flight, seconds: float) -> None:
        """It was answered after `seconds`."""
        self._answers += 1
        if self._is_on:
            alone = seconds * (1 - flight.gate.queued)
            for times in (self._all, self._of_step.setdefault(flight.step, _Times())):
                times.add(seconds, alone, was_asked_again=flight.asked_again > 0)

    def _patience(self) -> dict[Step, tuple[float, float]]:
        """What `_Times` says; a model may need longer for one step than for another."""
        if not self._all.are_enough:
            return {}
        steps = {flight.step for flight in self._flights}
        own = {step: times.patience() for step in steps if (times := self._of_step.get(step)) and times.are_enough}
        return own if len(own) == len(steps) else dict.fromkeys(steps, self._all.patience()) | own

    def _set_timer(self, now: float) -> None:
        """Look when the first one has lasted too long."""
        if self._timer is not None or not self._is_on or not self._flights or not (patience := self._patience()):
            return
        due = min(max(flight.look_after, _overdue_at(flight, patience[flight.step])) for flight in self._flights)
        self._due = max(due, now + _SOONEST)
        self._timer = asyncio.get_running_loop().call_later(self._due - now, self._look)

    def _look(self) -> None:
        now, self._timer = time.monotonic(), None
        # what came while this process stood still has not been read yet
        self._was_late = now - self._due > _LATE and not self._was_late
        if not self._was_late:
            patience = self._patience()
            for flight in list(self._flights):
                if flight.step in patience and now >= _overdue_at(flight, patience[flight.step]):
                    self._ask_again(flight, now, patience[flight.step][0])
        self._set_timer(now)

    def _ask_again(self, flight: Flight, now: float, longest: float) -> None:
        if now < flight.look_after:
            return
        is_overtaken = self._answers - flight.answers - flight.beside >= len(self._flights)
        longest = max(longest, _LEAST_ALONE)
        may_be_alone = now >= max(self._alone_until, flight.began + longest)
        if (is_overtaken or may_be_alone) and flight.ask_again():
            flight.is_overdue = True
            flight.asked_again += 1
            self._alone_until = self._alone_until if is_overtaken else now + longest
        else:
            flight.look_after = now + max(_SOONEST, _LOOK_AGAIN * (now - flight.began))


def _overdue_at(flight: Flight, patience: tuple[float, float]) -> float:
    longest, alone = patience
    queue = flight.gate.queued * (flight.gate.latency or 0.0)
    return flight.began + min(longest, max(queue + alone, longest / _DEEP)) * _LONGER**flight.asked_again


def oldest_of(each: Iterable[Oldest | None]) -> Oldest | None:
    """The oldest one of those that there are."""
    return min(filter(None, each), key=lambda oldest: oldest.since, default=None)


def overdue(message: str, paid: Response) -> TransientError:
    """What becomes of a try that is given up."""
    error = TransientError(message, cause=OVERDUE)
    error.paid = paid
    return error
