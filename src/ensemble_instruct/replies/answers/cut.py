"""What is left of an answer when a part of it is taken away, and the parts."""

from __future__ import annotations

import re
from typing import NamedTuple

_BLANK_LINES = re.compile(r"(?:[ \t]*\r?\n)*")


class Cut(NamedTuple):
    """What is left of an answer, and what was taken away before and after it."""

    text: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def trimmed(text: str) -> str:
    """Without blank lines at the start and white space at the end; the first line keeps its indentation."""
    match = _BLANK_LINES.match(text)
    return text[match.end() if match else 0 :].rstrip()
