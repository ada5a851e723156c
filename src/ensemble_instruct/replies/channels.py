"""The channels of the harmony format (gpt-oss): `analysis` and `commentary` are thought, `final` is the answer."""

from __future__ import annotations

import re

from ensemble_instruct.replies.control_tokens import after_start
from ensemble_instruct.replies.quoted import Quoted

_HEADER = re.compile(
    r"(?:<\|start\|>\s*assistant[^<\n]{0,100})?<\|channel\|>\s*(?P<channel>analysis|commentary|final|\w*)"
    r"(?P<whole>[^<\n]{0,200}(?:<\|constrain\|>[^<\n]{0,100})?<\|message\|>)?|<\|start\|>\s*assistant\s*<\|message\|>"
)
"""What begins a message: one without a channel is an answer, and one that is cut off says which channel, perhaps."""
_END = re.compile(r"<\|(?:end|return|call|start)\|>")
"""What ends a message."""


def part_channels(text: str) -> tuple[str, list[str]] | None:
    """The answer and the thoughts of a text with channels; None for a text without.

    The answer is all after the first header of `final`, with the tokens that end it. Before the first header stands
    a thought where the prompt began it.
    """
    if "<|channel|>" not in text:
        return None
    quoted = Quoted(text)
    headers = [found for found in _HEADER.finditer(text) if not quoted.holds(*found.span())]
    if not headers:
        return None
    first = headers[0]
    before = text[after_start(text) : first.start()].rstrip()
    is_ended = before.endswith("<|end|>") and first["channel"] is not None
    if before and not is_ended and not (first["channel"] == "final" and first["whole"]):
        return None
    thoughts = [_END.split(before, maxsplit=1)[0]] if before else []
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        if header["channel"] in ("final", None):
            return text[header.end() :], thoughts
        end = len(text) if following is None else following.start()
        message = text[header.end() : end]
        thoughts.append(_END.split(message, maxsplit=1)[0])
    return "", thoughts
