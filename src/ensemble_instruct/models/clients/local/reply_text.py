"""The text of a reply as its tokens come: stop strings across their borders, no half characters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]
"""Tokens as text."""
_HALF = "\ufffd"
"""What a decoder gives for the bytes of a character of which more are to come."""
_CONTEXT = 6
"""Tokens of the prompt before the reply: how the first token of the reply reads can depend on them."""


class ReplyText:
    """Grows token by token and ends before the first stop string.

    Stop strings count as soon as more than `min_tokens` tokens have come; one that was complete before stays in the
    text and ends nothing. So do vLLM's servers.
    """

    def __init__(
        self, decode: Decode, *, after: Sequence[int] = (), stop: Sequence[str] = (), min_tokens: int = 0
    ) -> None:
        self.tokens = 0
        self._decode, self._stop, self._min_tokens = decode, tuple(filter(None, stop)), min_tokens
        self._ids = list(after[-_CONTEXT:])
        self._shown_from, self._read = 0, len(self._ids)
        self._text = ""
        self._is_stopped = False
        self._looked_to = 0
        """Stop strings that end before this place came too early."""

    def add(self, token: int) -> bool:
        """Whether a stop string is complete with this token."""
        self.tokens += 1
        self._ids.append(token)
        more = self._pending()
        if more and not more.endswith(_HALF):
            self._append(more)
        return self._is_stopped

    def finish(self) -> str:
        """The whole text; bytes at the end that make no whole character are left out."""
        if not self._is_stopped and (more := self._pending().rstrip(_HALF)):
            self._append(more)
        return self._text

    def _pending(self) -> str:
        """What the tokens give that are not in the text yet."""
        # a token may read differently after another: decode some known ones again, and take what comes after their text
        shown = self._decode(self._ids[self._shown_from : self._read])
        return self._decode(self._ids[self._shown_from :])[len(shown) :]

    def _append(self, more: str) -> None:
        self._shown_from, self._read = self._read, len(self._ids)
        self._text += more
        if self.tokens <= self._min_tokens:
            self._looked_to = len(self._text)
            return
        starts = [at for each in self._stop if (at := self._text.find(each, self._first_start(each))) >= 0]
        if starts:
            self._text, self._is_stopped = self._text[: min(starts)], True
        self._looked_to = len(self._text)

    def _first_start(self, stop: str) -> int:
        """Where a stop string may begin that is complete only now."""
        return max(0, self._looked_to - len(stop) + 1)
