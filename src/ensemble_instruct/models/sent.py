"""A request that servers are asked, and a try of it that was sent to one of them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from ensemble_instruct.models.admission.gate import Gate
from ensemble_instruct.models.admission.stragglers import Flight
from ensemble_instruct.models.retries import Tries
from ensemble_instruct.records import Failure, Request, Response


@dataclass(slots=True)
class Sent:
    """One try, and how many requests and tokens its server had been sent by then."""

    server: int
    gate: Gate
    began: float
    requests: int
    tokens: float
    place: int
    """Of this try, in the order in which they began there."""
    flight: Flight | None = None

    @property
    def seconds(self) -> float:
        """Since it was sent."""
        return time.monotonic() - self.began


@dataclass(slots=True, eq=False, kw_only=True)
class Asked:
    """A request that servers are asked: one after the other, or a second one too where the first takes too long."""

    key: str
    request: Request
    tokens: float
    tries: Tries
    since: float | None = None
    """When its first try was sent."""
    is_answered: bool = False
    on_the_way: dict[Flight, asyncio.Timeout] = field(default_factory=dict)
    """Its tries, each with what ends it."""
    second: asyncio.Task[Response | Failure | None] | None = None
    """What asks the second server."""

    @property
    def asks_two(self) -> bool:
        """Whether a second server is being asked."""
        return self.second is not None and not self.second.done()

    def answer_came(self) -> bool:
        """Whether it is the first one; then the other try, if there is one, is given up."""
        is_first, self.is_answered = not self.is_answered, True
        self.give_up()
        return is_first

    def give_up(self) -> None:
        """End the tries that are on the way."""
        for until in self.on_the_way.values():
            until.reschedule(asyncio.get_running_loop().time())
