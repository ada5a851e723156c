"""What every backend promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from ensemble_instruct.errors import TransientError
from ensemble_instruct.records import Request, Response


class Client(ABC):
    """One language model behind one backend.

    A client does not retry, cache, count or limit: `Model` does, once, for all. It is made without touching
    network or weights; `open` may check that the model can be reached, `close` frees what it holds.
    """

    limits: RateLimits | None = None
    """What the backend said of its rate limits with the reply to the `answer` that has just ended, if anything."""

    @property
    def notes(self) -> Sequence[str]:
        """What is to be known of how the backend treats requests, a line each, oldest first; more may come."""
        return ()

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """What a server said of its limits with one reply: how much is left of them, and seconds until they are full."""

    requests_left: int | None = None
    requests_reset: float | None = None
    tokens_left: int | None = None
    tokens_reset: float | None = None
    requests_limit: int | None = None
    tokens_limit: int | None = None


def closed_error() -> TransientError:
    """What a client that is closed answers with."""
    return TransientError("the client is closed", cause="connection")
