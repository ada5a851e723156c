"""Lines, parted into the items of lists and what stands around them.

What an item is, its marker and its place show: markers of one list are of one style and run up. Words decide only where
neither does.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from ensemble_instruct.replies.lists.lines import Line
from ensemble_instruct.replies.lists.markers import Marker, Style, marker_of
from ensemble_instruct.replies.lists.phrases import COLON, COLONS, FIELD, is_closing
from ensemble_instruct.replies.lists.texts import is_bold, is_sentence

_FAR = 3
"""By how much a number may be too high, and how many lines above a lone one is the preamble."""
_WIDE, _COLONS_READ = 300, 5
"""How far and how often a colon is looked for in a line."""


@dataclass(slots=True)
class Block:
    """An item of a list, or, without a marker, a paragraph or a heading that belongs to none."""

    marker: Marker | None
    paragraphs: list[list[Line]] = field(default_factory=list)
    begins_list: bool = False

    @property
    def last(self) -> Line:
        """Its last line."""
        return self.paragraphs[-1][-1]


def blocks_of(lines: list[Line], first: Marker | None = None) -> list[Block]:
    """The blocks of these lines, in order; `first` is the marker of the first line, where it is not written there."""
    reader = _Reader(lines)
    reader.read(first)
    return reader.blocks


def is_held(paragraph: list[Line], indent: int) -> bool:
    """Whether a paragraph belongs to the item before it by its own form: set in, code, options, an input."""
    first = paragraph[0]
    return first.indent > indent + 1 or bool(first.marker) or first.is_fence or bool(FIELD.match(first.text))


def colon_before_first(text: str, marker: Marker) -> int:
    """Where a preamble ends on whose line the first item stands, as in `Here are more: 25. Name …`; 0 for nowhere."""
    for found in list(COLON.finditer(text, 0, _WIDE))[:_COLONS_READ]:
        first = marker_of(text[found.end() :].strip())
        if first and first.number is not None and first[:2] == (marker.style, (marker.number or 0) - 1):
            return found.end()
    return 0


class _Reader:
    """Reads lines in order; `blocks` are what it found."""

    def __init__(self, lines: list[Line]) -> None:
        self.blocks: list[Block] = []
        self._lines = lines
        self._item: Block | None = None
        self._marker = Marker((), 0, "", stands_alone=True)
        self._indent = 0
        self._inner: tuple[Style, int] | None = None
        self._latest: dict[tuple[Style, int | None], int] = {}
        self._numbers: dict[Style, set[int | None]] = defaultdict(set)
        for place, line in enumerate(lines):
            if line.marker:
                self._latest[line.marker.style, line.marker.number] = place
                self._numbers[line.marker.style].add(line.marker.number)

    def read(self, first: Marker | None) -> None:
        closings = self._fences()
        place = 0
        if first is not None:
            self._open(first, self._lines[0])
            place = 1
        while place < len(self._lines):
            line = self._lines[place]
            end = closings.get(place)
            if end is not None and end > place and self._item:
                self._add(self._lines[place : end + 1])
                place = end
            elif end is not None:
                self._item = None  # a fence around a list
                closings[end] = end
            elif line.marker and self._begins(place, line, line.marker):
                self._open(line.marker, line)
            else:
                self._add_text(place, line)
            place += 1

    def _fences(self) -> dict[int, int]:
        """Of each line that opens a fence, the line that closes it; of one that is not closed before a list, itself."""
        fences = [place for place, line in enumerate(self._lines) if line.is_fence]
        found = dict(zip(fences[::2], fences[1::2], strict=False))
        if len(fences) == 1 and not any(line.marker for line in self._lines[: fences[0]]):
            found[fences[0]] = fences[0]
        return found

    def _open(self, marker: Marker, line: Line) -> None:
        begins = self._item is None or not self._goes_on_list(marker)
        self._item = Block(marker, [[line._replace(text=marker.text, marker=None)]], begins)
        self.blocks.append(self._item)
        self._indent = line.indent if begins else min(self._indent, line.indent)
        self._marker, self._inner = marker, None

    def _goes_on_list(self, marker: Marker) -> bool:
        if marker.style != self._marker.style:
            return False
        return marker.number is None or marker.number > (self._marker.number or 0) or self._is_even(marker.style)

    def _add_text(self, place: int, line: Line) -> None:
        if line.is_heading or line.after_rule or self._is_bold_heading(place, line):
            self._item = None
        if self._item:
            self._add([line])
        elif (
            line.gap or line.is_heading or not self.blocks or self.blocks[-1].marker or self.blocks[-1].last.is_heading
        ):
            self.blocks.append(Block(None, [[line]]))
        else:
            self.blocks[-1].paragraphs[-1].append(line)

    def _is_bold_heading(self, place: int, line: Line) -> bool:
        if not self._item or line.indent > self._indent or place + 1 == len(self._lines) or not is_bold(line.text):
            return False
        after = self._lines[place + 1]
        marker = after.marker
        return bool(marker and (self._is_next(place + 1, after, marker) or self._starts(place + 1, after, marker)))

    def _add(self, lines: list[Line]) -> None:
        paragraphs = self.blocks[-1].paragraphs
        if lines[0].gap:
            paragraphs.append([])
        paragraphs[-1].extend(lines)

    def _begins(self, place: int, line: Line, marker: Marker) -> bool:
        """Whether a line with a marker begins an item; else it is text, or of a list within an item."""
        if self._is_in_closing(line):
            return False
        if self._item is None:
            return self._starts(place, line, marker)
        if self._is_next(place, line, marker):
            return True
        is_inner = line.indent > self._indent + 1
        return not is_inner and self._starts(place, line, marker) and self._is_new_list(place, line, marker)

    def _comes_later(self, style: Style, number: int | None, place: int) -> bool:
        return self._latest.get((style, number), -1) > place

    def _is_even(self, style: Style) -> bool:
        """Whether all numbers of this style are the same, as Markdown allows."""
        return len(self._numbers[style]) == 1

    def _is_next(self, place: int, line: Line, marker: Marker) -> bool:
        """Whether a marker goes on the list that is open, or begins it anew."""
        last, is_deeper = self._marker, line.indent > self._indent + 1
        if marker.style != last.style:
            return False
        if marker.number is None or last.number is None:
            return not is_deeper
        if self._goes_on_inner(place, marker, last.number + 1, is_deeper=is_deeper):
            return False
        if marker.number == last.number + 1:
            return True
        if marker.number > last.number:
            is_near = marker.number <= last.number + _FAR
            return not is_deeper and (line.gap or is_near or self._comes_later(marker.style, marker.number + 1, place))
        announced = self._lines[place - 1].text.endswith(COLONS) and not line.gap and not self._is_even(marker.style)
        if is_deeper or announced:
            self._inner = (marker.style, marker.number)
            return False
        return True

    def _goes_on_inner(self, place: int, marker: Marker, outer: int, *, is_deeper: bool) -> bool:
        """Whether a marker goes on a list of the same style within the item: `outer` is the next number around it."""
        number = marker.number or 0
        if self._inner != (marker.style, number - 1):
            return False
        if not is_deeper and number == outer and not self._comes_later(marker.style, number, place):
            return False
        self._inner = (marker.style, number)
        return True

    def _starts(self, place: int, line: Line, marker: Marker) -> bool:
        """Whether a list can begin with this line."""
        below = self._lines[place + 1] if place + 1 < len(self._lines) else None
        if marker.number is None:
            return bool(marker.text) or below is None or below.marker is None
        if self._comes_later(marker.style, marker.number + 1, place) or (
            self._is_even(marker.style) and self._comes_later(marker.style, marker.number, place)
        ):
            return True
        if not marker.stands_alone:
            return False
        before = self._lines[place - 1]
        if place == 0 or line.gap or before.is_fence or before.is_heading or marker.has_label:
            return True
        text = marker.text or (below.text if below else "")
        is_below_first = place <= _FAR and not self.blocks[-1].marker and is_sentence(text)
        return is_below_first or before.text.endswith(COLONS) or bool(colon_before_first(before.text, marker))

    def _is_new_list(self, place: int, line: Line, marker: Marker) -> bool:
        """Whether a marker of another style begins a list of its own, not one within the open item."""
        item = self.blocks[-1]
        number = None if self._marker.number is None else self._marker.number + 1
        if self._comes_later(self._marker.style, number, place):
            return False
        if line.after_rule or (len(item.paragraphs) > 1 and not is_held(item.paragraphs[-1], self._indent)):
            return True
        return line.gap and not item.last.text.endswith(COLONS) and is_sentence(marker.text)

    def _is_in_closing(self, line: Line) -> bool:
        """Whether a marker belongs to a remark after a list: `Would you like: - more tasks`."""
        if (
            not self.blocks
            or (self._item and len(self._item.paragraphs) == 1)
            or not (self._item or self._marker.style)
        ):
            return False
        paragraph = self.blocks[-1].paragraphs[-1]
        return is_closing(paragraph[0].text) and (not line.gap or paragraph[-1].text.endswith(COLONS))
