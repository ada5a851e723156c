"""The lines of a reply, each with its marker and with what is before it."""

from __future__ import annotations

import re
from typing import NamedTuple

from ensemble_instruct.replies.lists.markers import Marker, as_bullet, as_roman, marker_of
from ensemble_instruct.replies.lists.texts import FENCES

_QUOTE = re.compile(r"^(?:>[ \t]?)+")
_RULES = "-=*_~+#|•"
_RULE = re.compile(r"(?:[-=*_~+#]\s?){3,}$|\|[-:| ]+$|[-*+•]$")
"""A line between parts of a reply, the line under the head of a table, a bullet alone."""
_EMOJI = re.compile(r"^[\u2600-\u27bf\u2b50\ufe0f\u200d\U0001f300-\U0001faff]{1,8}\s+(?=[*_(\[#]{0,4}\d{1,4}[.):])")
"""What decorates a line before its number."""


class Line(NamedTuple):
    """A line that is not blank."""

    text: str
    indent: int
    marker: Marker | None
    gap: bool
    """Whether a blank line or a rule is before it."""
    after_rule: bool = False

    @property
    def is_fence(self) -> bool:
        """Whether it begins or ends a block of code."""
        return self.text.startswith(FENCES)

    @property
    def is_heading(self) -> bool:
        """Whether it is a heading that numbers nothing."""
        return self.marker is None and self.text.startswith("#") and self.text.lstrip("#")[:1].isspace()


def lines_of(text: str) -> list[Line]:
    """The lines of a text that are not blank, each with its marker."""
    found: list[Line] = []
    gap = after_rule = False
    for raw in text.split("\n"):
        line = raw.strip()
        indent = len(raw) - len(raw.lstrip())
        if line.startswith(">"):
            line, indent = _QUOTE.sub("", line, count=1).strip(), 0
        line = _EMOJI.sub("", line, count=1)
        if not line or (line[0] in _RULES and _RULE.match(line)):
            gap, after_rule = True, after_rule or bool(line)
            continue
        found.append(Line(line, indent, None if line.startswith(FENCES) else marker_of(line), gap, after_rule))
        gap = after_rule = False
    return _consistent(found)


def _consistent(lines: list[Line]) -> list[Line]:
    """With letters read as Roman numbers next to such, and a number behind a bullet as text where it is no list's."""
    marked = [(place, line.marker) for place, line in enumerate(lines) if line.marker]
    known = {(marker.style, marker.number) for _, marker in marked}
    for near, (place, marker) in enumerate(marked):
        if marker.is_bulleted_number and not any((marker.style, other) in known for other in marker.neighbours):
            lines[place] = lines[place]._replace(marker=as_bullet(lines[place].text))
        roman = as_roman(marker)
        if roman is not marker and any(
            other.style == roman.style and other.number in roman.neighbours
            for _, other in [*marked[max(0, near - 1) : near], *marked[near + 1 : near + 2]]
        ):
            lines[place] = lines[place]._replace(marker=roman)
    return lines
