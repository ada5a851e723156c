"""What every backend promises."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ensemble_instruct.models.rates import RateLimits
from ensemble_instruct.records import Request, Response


class Client(ABC):
    """One language model behind one backend.

    A client does not retry, cache, count or limit: `Model` does, once, for all. It is made without touching
    network or weights; `open` may check that the model can be reached, `close` frees what it holds.
    """

    limits: RateLimits | None = None
    """What the backend said of its rate limits with the reply to the `answer` that has just ended, if anything."""

    @property
    def traits(self) -> str:
        """How the model runs, in words, once it is open: engine, device, whether seeds are honoured; or nothing."""
        return ""

    @abstractmethod
    async def answer(self, request: Request) -> Response:
        """The model's text, as the backend gave it.

        Raises `TransientError` when the same request may succeed later, `RequestRefusedError` when it never
        will, and a `ModelError` when no request will. Cancelling the call drops the request.
        """

    async def open(self) -> None:  # noqa: B027 - a client with nothing to open need not say so
        """Get ready; raises `ModelError` when the model cannot be reached at all."""

    async def close(self) -> None:  # noqa: B027
        """Free connections and memory."""
