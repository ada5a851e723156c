"""A clock that stands still while the process does: stopped by Ctrl-Z, frozen, or asleep with its machine."""

from __future__ import annotations

import asyncio
import time

_EVERY = 1.0
"""Seconds between two looks at the time."""
_LONGEST_GAP = 3.0
"""Seconds without a look, from which on the process stood still: no request could be sent."""


class AwakeClock:
    """Seconds in which requests could be sent. Until something keeps it, it runs as `time.monotonic` does."""

    def __init__(self) -> None:
        self._seen: float | None = None
        self._lost = 0.0

    def now(self) -> float:
        """Seconds since some moment."""
        now = time.monotonic()
        if self._seen is not None:
            gap, self._seen = now - self._seen, now
            self._lost += gap if gap > _LONGEST_GAP else 0.0
        return now - self._lost

    async def keep(self) -> None:
        """Look at the time again and again, until this is cancelled: so a gap is seen for what it is."""
        self._seen = time.monotonic()
        try:
            while True:
                await asyncio.sleep(_EVERY)
                self.now()
        finally:
            self._seen = None
