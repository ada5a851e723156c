"""Fences of Markdown: lines of three or more backticks or tildes around a block."""

from __future__ import annotations

import re

FENCE_LINE = re.compile(r"^ {0,3}(?P<mark>`{3,}|~{3,})(?P<info>[^\n`]*)$", re.MULTILINE)


def is_open_after(text: str) -> bool:
    """Whether a fence is open where a text ends."""
    return _read(text)[1]


def outside_of_fences(text: str) -> list[str]:
    """The parts of a text that stand in no fence."""
    return _read(text)[0]


def closes(line: re.Match[str], mark: str) -> bool:
    """Whether a line that looks like a fence ends the one that began with `mark`."""
    return line["mark"].startswith(mark) and not line["info"].strip()


def _read(text: str) -> tuple[list[str], bool]:
    parts, start, mark = [], 0, ""
    for line in FENCE_LINE.finditer(text):
        if not mark:
            parts.append(text[start : line.start()])
            mark = line["mark"]
        elif closes(line, mark):
            start, mark = line.end(), ""
    if not mark:
        parts.append(text[start:])
    return parts, bool(mark)
