"""A completion out of a stream of events, for servers that answer in no other way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_DONE = b"[DONE]"
"""What the last event holds."""
_PIECES = ("delta", "message", "text")
"""Where the pieces of a choice are."""
_LONGEST = 2 * 2**20
"""Characters of a reply at most, as of one that comes whole."""


class StreamError(ValueError):
    """Raised for a stream that is not one whole completion: `error` is what it says of that itself, as JSON."""

    def __init__(self, message: str, error: Mapping[str, Any] | None = None, *, has_begun: bool = False) -> None:
        super().__init__(message)
        self.error, self.has_begun = error, has_begun


@dataclass(slots=True)
class _Choice:
    """One text as its pieces come."""

    pieces: dict[str, list[Any]] = field(default_factory=dict)
    """By the name of the field in a message; `text` is that of a completion without messages."""
    others: dict[str, Any] = field(default_factory=dict)
    length: int = 0

    def add(self, event: Mapping[str, Any]) -> None:
        delta = event.get("delta")
        if not isinstance(delta, dict):
            whole = event.get("message")  # some end with the whole message
            delta = whole if isinstance(whole, dict) and not self.length else {}
        if "text" in event:
            delta = {**delta, "text": event["text"]}
        for name, piece in delta.items():
            if isinstance(piece, str | list) and name not in ("role", "tool_calls"):
                self.pieces.setdefault(name, []).append(piece)
                self.length += len(piece) if isinstance(piece, str) else len(str(piece))
        said = {name: value for name, value in event.items() if name not in _PIECES}
        self.others |= {name: value for name, value in said.items() if value is not None and value != ""}

    def whole(self) -> dict[str, Any]:
        message = {name: _joined(pieces) for name, pieces in self.pieces.items()}
        return {**self.others, "text": message.pop("text", None), "message": {"content": "", **message}}


def is_stream(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a reply is a stream of events: by its header, or by how it begins."""
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    begins = body[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    if kind.lower().startswith("text/event-stream"):
        return not begins.startswith(b"{")
    return begins.startswith((b"data:", b"event:", b": "))


def completion_in(body: bytes) -> dict[str, Any]:
    """The completion that a stream holds, as it would have come whole.

    Raises `StreamError` where it tells of an error, or ends before its text does.
    """
    found: dict[str, Any] = {}
    choices: dict[int, _Choice] = {}
    for name, data in _events(body):
        if data.strip() == _DONE:
            break
        for event in _objects(data):
            if event.get("error") or name == b"error":
                raise StreamError("the stream tells of an error", event, has_begun=any(map(_length, choices.values())))
            found |= {key: value for key, value in event.items() if value is not None and key != "choices"}
            for choice in event.get("choices") or ():
                choices.setdefault(choice.get("index") or 0, _Choice()).add(choice)
        if sum(map(_length, choices.values())) > _LONGEST:
            raise StreamError(f"the reply is longer than {_LONGEST:,} characters", has_begun=True)
    if not all("finish_reason" in choice.others for choice in choices.values()):
        raise StreamError("the stream ends before the reply does", has_begun=True)
    return {**found, "choices": [choice.whole() for _, choice in sorted(choices.items())]}


def _events(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The name and the data of each event; the last one may lack the empty line after it."""
    name, data = b"", list[bytes]()
    for line in [*body.removeprefix(b"\xef\xbb\xbf").splitlines(), b""]:
        if not line:
            if data:
                yield name, b"\n".join(data)
            name, data = b"", []
            continue
        key, _, value = line.partition(b":")  # a comment has an empty key
        if key == b"data":
            data.append(value.removeprefix(b" "))
        elif key == b"event":
            name = value.strip()


def _objects(data: bytes) -> list[dict[str, Any]]:
    """The JSON of an event: one object over all its lines, or, from careless servers, one in each."""
    try:
        objects = [json.loads(data.decode())] if data.strip() else []
    except ValueError:
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        objects = [json.loads(line.decode()) for line in lines if line.strip() != _DONE]
    if not all(isinstance(each, dict) for each in objects):
        raise StreamError("an event of the stream is no object")
    return objects


def _joined(pieces: list[Any]) -> str | list[Any]:
    """The pieces of a text as one, or as one list of content parts."""
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(pieces)
    parts: list[Any] = []
    for piece in pieces:
        parts += piece if isinstance(piece, list) else [{"type": "text", "text": piece}]
    return parts


def _length(choice: _Choice) -> int:
    return choice.length
