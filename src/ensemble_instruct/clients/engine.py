"""What a library that runs models in this process looks like from outside, and one request in it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from ensemble_instruct.clients.reply_text import ReplyText
from ensemble_instruct.errors import TransientError
from ensemble_instruct.records import Response, Sampling


@dataclass(slots=True, eq=False)
class Row:
    """One request in an engine: its prompt as tokens, and the reply as far as it has come."""

    prompt: Sequence[int]
    sampling: Sampling
    text: ReplyText
    ends: frozenset[int]
    """Tokens that end the reply and are no part of it."""
    limit: int
    """Most tokens of the reply: what was asked for, as far as the context has room."""
    is_dropped: Callable[[], bool]
    """Whether nobody waits for it any more."""
    until: float = 0.0
    """Time of `time.monotonic` after which it is given up."""
    finish_reason: str = ""
    seed_honoured: bool = True

    def add(self, token: int) -> bool:
        """Take the next token; whether the reply ends with it."""
        if not self.finish_reason:
            if token in self.ends or self.text.add(token):
                self.finish_reason = "stop"
            elif self.text.tokens >= self.limit:
                self.finish_reason = "length"
            elif self.is_dropped() or time.monotonic() > self.until:
                self.finish_reason = "timeout"
        return bool(self.finish_reason)

    def response(self) -> Response:
        """The reply; raises `TransientError` when it took too long."""
        if self.finish_reason == "timeout":
            raise TransientError("no answer in time; see models.NAME.timeout", cause="timeout")
        counts = len(self.prompt), self.text.tokens
        return Response(self.text.finish(), self.finish_reason or "stop", *counts, self.seed_honoured)


class Engine(ABC):
    """A model of this process. Everything but `__init__` is called from the threads of `Batches` alone."""

    context: int | None = None
    """Most tokens of a prompt and its reply together, where there is a limit."""
    batch_size: int = 1
    batch_tokens: int | None = None
    """Most requests, and most tokens of prompts and replies, that it works on together."""
    spread: int | None = None
    """By how many tokens prompts may differ that go together."""
    workers: int = 1
    """Threads that work side by side, where requests go alone."""
    traits: str = ""
    """How it runs, in words, once it is loaded."""

    @abstractmethod
    def load(self) -> None:
        """Load the weights; raises `ModelError`."""

    @abstractmethod
    def free(self) -> None:
        """Let the weights go."""

    @abstractmethod
    def encode(self, prompt: str) -> Sequence[int]:
        """A prompt as the tokens that the model is given."""

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> str:
        """Tokens as text, without special ones."""

    @abstractmethod
    def ends(self, sampling: Sampling) -> frozenset[int]:
        """Tokens that end a reply."""

    @abstractmethod
    def generate(self, rows: Sequence[Row]) -> None:
        """Add tokens to each row until it has ended. Raises an error of this package for all of them."""

    def group(self, sampling: Sampling) -> Hashable:
        """Requests with equal groups can go together."""
        return None
