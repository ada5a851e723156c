"""Chat rows as people have them: `messages`, ShareGPT's `conversations`, content in parts; as turns with their text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

_ROLES: Mapping[str, str] = {
    "system": "system", "developer": "system", "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bard": "assistant", "bing": "assistant",
    "model": "assistant", "bot": "assistant",
}  # fmt: skip
"""How common formats call who speaks."""
_NO_TEXT = ("thinking", "reasoning", "reasoning_text", "refusal", "tool_use", "tool_result")
"""Content parts that are no part of what is said, by their type."""


class Turn(NamedTuple):
    """One message: who speaks (`system`, `user`, `assistant`, or as the file calls it), and what."""

    role: str
    text: str | None
    """None where it holds no text at all: an image, a call of a tool."""


def turns_of(value: object) -> list[Turn] | None:
    """The turns of a conversation, or None for what is none: a list of objects with `role` or `from`."""
    if not isinstance(value, list) or not value:
        return None
    turns = []
    for message in value:
        role = message.get("role", message.get("from")) if isinstance(message, dict) else None
        if not isinstance(role, str):
            return None
        content = message.get("content", message.get("value"))
        turns.append(Turn(_ROLES.get(role.lower(), role), content_text(content)))
    return turns


def asked_text(value: object) -> str | None:
    """What a prompt asks, which is a text or a conversation: the system's message and the first one of the user."""
    if isinstance(value, str):
        return value
    turns = turns_of(value)
    if turns is None:
        return content_text(value)
    first = next((place for place, turn in enumerate(turns) if turn.role == "user"), None)
    if first is None or turns[first].text is None:
        return None
    before = [turn.text for turn in turns[:first] if turn.role == "system"]
    return "\n\n".join(filter(None, [*before, turns[first].text]))


def content_text(content: object) -> str | None:
    """The text of a message's content, which is a text or a list of parts; None where there is none.

    >>> content_text([{"type": "text", "text": "Name a fruit."}])
    'Name a fruit.'
    """
    if isinstance(content, str):
        return content
    parts = [content] if isinstance(content, dict) else content
    if not isinstance(parts, list):
        return None
    texts = [text for part in parts if (text := _part_text(part)) is not None]
    return "".join(texts) if texts else None


def _part_text(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict) or part.get("type") in _NO_TEXT:
        return None
    text = part.get("text", part.get("content"))
    if isinstance(text, dict):  # as some wrap it once more: {"text": {"value": ...}}
        text = text.get("value")
    return text if isinstance(text, str) else None
