"""Code fences: which places of a text stand in code, and which in a fence that is put around all that is said."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from ensemble_instruct.records import END_MARKER
from ensemble_instruct.replies.end_marker import before_marker
from ensemble_instruct.replies.worked_tasks.surroundings import are_example_lines

Span = tuple[int, int]
"""Where something starts and ends."""
_TICKS = re.compile(r"`{3,}|~{3,}")
_FENCE = re.compile(r"[ \t]*(?P<ticks>`{3,}|~{3,})(?P<language>[^`\n]*)$", re.MULTILINE)
_REACH = 200
"""How far from the start of its line something may stand that begins it."""


def outside_fences(text: str, spans: Sequence[Span], breaks: Set[int]) -> tuple[list[int], list[int]]:
    """(indices of the spans that stand in no code, where the fences close that stand around spans).

    A fence around spans is one that opens before the first of them, or a later one that opens right before a span
    where an earlier one did so. All others, at the start of a line or right behind a span, are code; not one that is
    never closed, or that goes across an end marker or one of the spans whose indices are in `breaks`.
    """
    begins = [line_start(text, ticks.start()) for ticks in _TICKS.finditer(text)] + [end for _, end in spans]
    fences = [fence for begin in sorted({*begins}) if begin >= 0 and (fence := _FENCE.match(text, begin))]
    starts = [fence.start() for fence in fences]
    reader = _Reader(text, spans, breaks)
    for at, fence in enumerate(fences):
        reader.pass_to(fence.start())
        reader.read(fence, bisect_left(starts, reader.following) - at)
    reader.pass_to(len(text))
    return reader.outside + reader.hidden, reader.closed


def line_start(text: str, place: int) -> int:
    """Where the line of a place begins, or -1 if that is too far off for the place to be near its begin."""
    start = text.rfind("\n", max(0, place - _REACH), place) + 1
    return start if start or place <= _REACH else -1


@dataclass(slots=True)
class _Reader:
    """Goes through spans and fences in their order."""

    text: str
    spans: Sequence[Span]
    breaks: Set[int]
    outside: list[int] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    """Spans in code that is not closed yet."""
    closed: list[int] = field(default_factory=list)
    passed: int = 0
    """How many spans were passed."""
    code: str = ""
    around: str = ""
    """The marks of the fences that are open."""
    code_read: int = 0
    """How far the code was read."""
    has_wrapped: bool = False

    @property
    def following(self) -> int:
        """Where the next span starts, or the end of the text."""
        return self.spans[self.passed][0] if self.passed < len(self.spans) else len(self.text)

    def pass_to(self, place: int) -> None:
        """Passes the spans before a place."""
        while self.passed < len(self.spans) and self.spans[self.passed][0] < place:
            if self.passed in self.breaks:
                self._forget_code()
            (self.hidden if self.code else self.outside).append(self.passed)
            self.passed += 1

    def read(self, fence: re.Match[str], until_span: int) -> None:
        """Opens or closes a fence; `until_span` counts the fences from this one to the next span."""
        ticks, is_bare = fence["ticks"], not before_marker(fence["language"])[0].strip()
        if self.code:
            begin, self.code_read = self.code_read, fence.end()
            if END_MARKER in self.text[begin : fence.start()]:
                self._forget_code()
                self.read(fence, until_span)
            elif is_bare and ticks.startswith(self.code):
                self.code, self.hidden = "", []
        elif self.around and is_bare and ticks.startswith(self.around) and not self._opens_code(fence, until_span):
            self.around = ""
            self.closed.append(fence.start())
        elif not self.around and until_span == 1 and self._leads_to_span(fence):
            self.around, self.has_wrapped = ticks, True
        else:
            self.code, self.code_read = ticks, fence.end()

    def _forget_code(self) -> None:
        """What seemed to be code is none: the spans in it count."""
        self.outside += self.hidden
        self.code, self.hidden = "", []

    def _opens_code(self, fence: re.Match[str], until_span: int) -> bool:
        """Whether a bare fence opens code rather than closes what is around: it comes first, or is one of three."""
        is_first = self.passed > 0 and not self.text[self.spans[self.passed - 1][1] : fence.start()].strip()
        return until_span > 1 and (is_first or until_span % 2 == 1)

    def _leads_to_span(self, fence: re.Match[str]) -> bool:
        if self.passed == 0:
            return bool(self.spans)
        between = self.text[fence.end() : self.following]
        return self.has_wrapped and self.passed < len(self.spans) and are_example_lines(between)
