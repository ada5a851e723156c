"""A sum of money that a run may spend on its models, and never more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ensemble_instruct.errors import RunError


class Budget:
    """The budget of a run over all its models and starts, in US dollars.

    Before a request is sent, the most that it can cost is set aside; when its answer is there, what it did cost is
    counted instead. So the sum is never passed, and as much of it as possible is used.
    """

    def __init__(self, limit: float, spent: float) -> None:
        self._limit, self._spent = limit, spent
        self._set_aside, self._number = 0.0, 0
        self._turn, self._settled = asyncio.Lock(), asyncio.Event()
        self._is_used_up = False

    async def reserve(self, most: float) -> Share:
        """Set the most that a request can cost aside, waiting for others where needed; first come, first served.

        Raises `RunError` when it does not fit any more and nothing is in flight.
        """
        async with self._turn:
            while self._is_used_up or self._spent + self._set_aside + most > self._limit:
                if self._is_used_up or not self._number:
                    self._is_used_up = True
                    raise RunError(
                        f"the budget of {self._limit:g} USD is used up: {self._spent:.6f} USD spent, and the next "
                        f"request may cost {most:.6f}; all answers are kept: run the same command again with a "
                        f"higher --budget"
                    )
                self._settled.clear()
                await self._settled.wait()
            self._set_aside += most
            self._number += 1
            return Share(self, most)

    def covers(self, most: float) -> bool:
        """Whether that much could be set aside now."""
        return not self._is_used_up and self._spent + self._set_aside + most <= self._limit

    def grow(self, most: float, more: float) -> bool:
        """Whether what was set aside as `most` may become `more`; then it does."""
        if self._spent + self._set_aside - most + more > self._limit:
            return False
        self._set_aside += more - most
        return True

    def settle(self, most: float, cost: float) -> None:
        """A request for which `most` was set aside is over; `cost` is what it did cost."""
        self._number -= 1
        self._set_aside = self._set_aside - most if self._number else 0.0
        self._spent += cost
        self._settled.set()


@dataclass(slots=True, eq=False)
class Share:
    """What is set aside for one request, until it is settled."""

    budget: Budget
    most: float
    cost: float = 0.0
    """What the request did cost."""

    def grows_to(self, most: float) -> bool:
        """Whether `most`, where servers have taken more meanwhile than was thought, can be set aside instead."""
        if not self.budget.grow(self.most, most):
            return False
        self.most = most
        return True

    def settle(self) -> None:
        """The request is over."""
        self.budget.settle(self.most, self.cost)
