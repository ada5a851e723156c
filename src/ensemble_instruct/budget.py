"""A sum of money that a run may spend on its models, and never more."""

from __future__ import annotations

import asyncio

from ensemble_instruct.config import Price
from ensemble_instruct.errors import RunError


def cost_of(price: Price, prompt_tokens: float, completion_tokens: float) -> float:
    """US dollars for so many tokens."""
    return (prompt_tokens * price.input + completion_tokens * price.output) / 1e6


class Budget:
    """The budget of a run over all its models and starts, in US dollars.

    Before a request is sent, the most that it can cost is set aside; when its answer is there, what it did cost is
    counted instead. So the sum is never passed, and as much of it as possible is used.
    """

    def __init__(self, limit: float, spent: float) -> None:
        self._limit, self._spent = limit, spent
        self._set_aside: dict[int, float] = {}
        self._number = 0
        self._settled = asyncio.Event()
        self._is_used_up = False

    async def reserve(self, most: float) -> int:
        """Set the most that a request can cost aside, waiting for others where needed; the number to settle it by.

        Raises `RunError` when it does not fit any more and nothing is in flight.
        """
        while self._is_used_up or self._spent + sum(self._set_aside.values()) + most > self._limit:
            if self._is_used_up or not self._set_aside:
                self._is_used_up = True
                raise RunError(
                    f"the budget of {self._limit:g} USD is used up: {self._spent:.6f} USD spent, and the next request "
                    f"may cost {most:.6f}; all answers are kept: run the same command again with a higher --budget"
                )
            self._settled.clear()
            await self._settled.wait()
        self._number += 1
        self._set_aside[self._number] = most
        return self._number

    def settle(self, number: int, cost: float) -> None:
        """The request is over and cost so much."""
        del self._set_aside[number]
        self._spent += cost
        self._settled.set()
