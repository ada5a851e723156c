"""The parts of a reply as the protocol has them: text, thought and refusal, each by itself and as it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from ensemble_instruct.models.clients.openai.endings import ending_of

_Part = Literal["text", "reasoning", "refusal"]
_OF_TYPE: Mapping[str, _Part] = {
    "text": "text", "output_text": "text", "thinking": "reasoning", "reasoning": "reasoning",
    "reasoning_text": "reasoning", "refusal": "refusal",
}  # fmt: skip
"""What a content part is, by its type; others (images, tool calls) hold no text for us."""
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
"""Where servers put the thought: vLLM and llama.cpp; vLLM's newer name and OpenRouter's; Ollama's."""
_NESTED = ("text", "content", "thinking", "reasoning", "refusal", "value")
"""Where a content part holds its text, or a list of further parts."""


class Parts(NamedTuple):
    """One choice of a reply."""

    text: str
    reasoning: str = ""
    refusal: str = ""


def parts_of(choice: Mapping[str, Any], *, is_chat: bool) -> Parts:
    """The parts of a choice; content parts of one sort are joined.

    Raises `KeyError` or `TypeError` where it holds neither text nor any other part of a reply.
    """
    if not is_chat:
        return Parts(_text(choice["text"]))
    message = choice["message"]
    texts: dict[_Part, str] = {"text": "", "reasoning": "", "refusal": _text(message.get("refusal"))}
    for part, text in _content(message.get("content")):
        texts[part] += text
    if not texts["reasoning"]:
        found = (message[name] for name in _REASONING_FIELDS if isinstance(message.get(name), str))
        texts["reasoning"] = next(filter(None, found), "")
    parts = Parts(**texts)
    is_final = ending_of(choice.get("finish_reason")) in ("length", "filter", "call")
    if not any(parts) and "content" not in message and not is_final:
        raise KeyError("content")
    return parts


def _content(content: object) -> Iterator[tuple[_Part, str]]:
    """The content of a message, which is a text, nothing, or a list of parts."""
    if isinstance(content, list | dict):
        for part in [content] if isinstance(content, dict) else content:
            if isinstance(part, dict):
                sort = _OF_TYPE.get(str(part.get("type", "text")))
                if sort is not None:
                    yield sort, "".join(_nested(part))
            else:
                yield "text", _text(part)
    else:
        yield "text", _text(content)


def _nested(part: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a content part: its own, or those of the parts in it, one level down."""
    value = next((part[name] for name in _NESTED if part.get(name)), "")
    for inner in value if isinstance(value, list) else [value]:
        text = next((inner[name] for name in _NESTED if inner.get(name)), "") if isinstance(inner, dict) else inner
        yield _text(text)


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where a text should be")
    return value
