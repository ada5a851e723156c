"""What a library that runs models in this process looks like from outside, and one request in it."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ensemble_instruct.errors import ModelError, TransientError
from ensemble_instruct.models.clients.local.reply_text import ReplyText
from ensemble_instruct.records import Message, Response, Sampling

_OUT_OF_MEMORY = re.compile(r"out of memory|bad_alloc|not enough memory|can't allocate", re.IGNORECASE)
"""How libraries say it: each has an exception of its own, or none."""


@dataclass(slots=True, eq=False, kw_only=True)
class BatchRow:
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
    """Most requests that it works on together."""
    batch_tokens: int | None = None
    """Most tokens of prompts and replies that it works on together."""
    spread: int | None = None
    """By how many tokens prompts may differ that go together."""
    workers: int = 1
    """Threads that work side by side, where requests go alone."""
    traits: str = ""
    """How it runs, in words, once it is loaded."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def load(self) -> None:
        """Load the weights; raises `ModelError`."""

    @abstractmethod
    def free(self) -> None:
        """Let the weights go."""

    @abstractmethod
    def encode(self, messages: Sequence[Message]) -> Sequence[int]:
        """A conversation as the tokens that the model is given; over completions, the prompt that it ends with."""

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> str:
        """Tokens as text, without special ones."""

    @abstractmethod
    def ends(self, sampling: Sampling) -> frozenset[int]:
        """Tokens that end a reply."""

    @abstractmethod
    def generate(self, rows: Sequence[BatchRow]) -> None:
        """Add tokens to each row until it has ended. Raises an error of this package for all of them."""

    def group(self, sampling: Sampling) -> Hashable:
        """Requests with equal groups can go together."""
        return None

    @contextmanager
    def errors(self, what: str, rows: int = 0) -> Iterator[None]:
        """Turn what a library raises into an error of this package, and work on fewer rows when memory runs out."""
        try:
            yield
        except (RuntimeError, ValueError, TypeError, KeyError, ImportError, OSError, MemoryError) as error:
            message = " ".join(str(error).split())[:300] or type(error).__name__
            is_memory = isinstance(error, MemoryError) or bool(_OUT_OF_MEMORY.search(message))
            if is_memory and rows > 1:
                self.batch_size = max(1, rows // 2)
                text = f"out of memory with {rows} requests together; from now on {self.batch_size}"
                raise TransientError(text, cause="memory") from error
            advice = "take a smaller type of numbers, or another device" if is_memory else "check"
            raise ModelError(f"model {self.name} {what}: {message}; {advice} (models.{self.name})") from error
