"""The tasks of a list and the remarks around them, and what each list of a reply holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from ensemble_instruct.replies.lists.blocks import Block, colon_before_first, is_held
from ensemble_instruct.replies.lists.lines import Line
from ensemble_instruct.replies.lists.markers import Marker, marker_of
from ensemble_instruct.replies.lists.phrases import COLONS, FIELD, is_closing, is_opening
from ensemble_instruct.replies.lists.texts import ends_sentence, is_bold, is_order, is_title


class Piece(NamedTuple):
    """The lines of a task, or of something that is none."""

    lines: list[str]
    is_task: bool
    end: Literal["open", "whole", "half"] = "open"
    """Of a task: whether it is known to be whole or cut off, whatever ended the reply."""


def listed_pieces(blocks: list[Block]) -> list[Piece]:
    """The items of each list and what stands around them."""
    pieces, items = list[Piece](), list[Block]()
    for block in blocks:
        if items and (block.marker is None or block.begins_list):
            pieces += _of_list(items)
            items = []
        if block.marker is None:
            pieces.append(Piece([line.text for line in block.paragraphs[0]], is_task=False))
            continue
        if not items and pieces and not pieces[-1].is_task:
            pieces[-1:] = _with_first(pieces[-1], block.marker)
        items.append(block)
    return pieces + (list(_of_list(items)) if items else [])


def _with_first(before: Piece, marker: Marker) -> list[Piece]:
    """A preamble, parted from the first item where that stands on its line: `Here are more: 25. Name …`."""
    *lines, last = before.lines
    end = colon_before_first(last, marker)
    first = marker_of(last[end:].strip()) if end else None
    if not first:
        return [before]
    return [Piece([*lines, last[:end]], is_task=False), Piece([first.text], is_task=True)]


def _of_list(items: list[Block]) -> Iterator[Piece]:
    """The items of one list, and the remarks after each."""
    indent = min(block.paragraphs[0][0].indent for block in items)
    is_tight = len(items) > 2 and sum(block.paragraphs[0][0].gap for block in items[1:]) <= 1
    usual = sizes = 0
    ends = False
    for place, block in enumerate(items):
        is_last = place == len(items) - 1
        if is_last or is_tight or (block.marker and block.marker.number is None):
            keep = _kept_at_end(block.paragraphs, indent, usual, is_only=len(items) == 1)
        else:
            keep = _kept_between(block.paragraphs, indent)
        usual = min(usual or keep, keep)
        lines = [line for paragraph in block.paragraphs[:keep] for line in paragraph]
        end = _end_of_lines(lines, indent, are_short=sizes == place > 1, end=ends) if is_last else len(lines)
        sizes, ends = sizes + len(lines), ends or ends_sentence(lines[-1].text)
        yield from _topic(lines[:end]) or [Piece(_texts(block.marker, lines[:end]), is_task=True)]
        for paragraph in [lines[end:], *block.paragraphs[keep:]]:
            if paragraph:
                yield Piece([line.text for line in paragraph], is_task=False)


def _topic(lines: list[Line]) -> list[Piece]:
    """The tasks under a topic, where the item is one: `1. **Poetry**`, and tasks set in below it; else none."""
    topic, *inner = lines
    if not inner:
        return []
    tasks = [line.marker.text for line in inner if line.marker and is_order(line.marker.text)]
    name = topic.text.strip("*_:")
    if not tasks or len(tasks) < len(inner) or name == topic.text or not is_title(name):
        return []
    heading = [Piece([topic.text], is_task=False)] if len(tasks) > 1 else []
    return heading + [Piece([task], is_task=True) for task in tasks]


def _texts(marker: Marker | None, lines: list[Line]) -> list[str]:
    first, *others = [line.text for line in lines]
    if others and first and marker and (marker.is_heading or marker.has_label) and not is_bold(first):
        first = f"**{first}**"  # what follows `### Task 25:` on its line is a heading, as if in bold
    return [first, *others]


def _fewest(paragraphs: list[list[Line]]) -> int:
    """How many paragraphs an item has at least: two, where its marker stands alone."""
    return 1 if paragraphs[0][0].text or len(paragraphs[0]) > 1 else min(2, len(paragraphs))


def _kept_at_end(paragraphs: list[list[Line]], indent: int, usual: int, *, is_only: bool) -> int:
    """How many paragraphs belong to an item after which the list may end: as many as `usual`, of those before it."""
    keep = _fewest(paragraphs)
    if is_only and paragraphs[0][-1].text.endswith(COLONS):
        usual = len(paragraphs)
    while keep < len(paragraphs) and (
        is_held(paragraphs[keep], indent) or (keep < usual and not is_closing(paragraphs[keep][0].text))
    ):
        keep += 1
    return keep


def _kept_between(paragraphs: list[list[Line]], indent: int) -> int:
    """How many paragraphs belong to an item before the next one: all but those that lead over to it."""
    end, fewest = len(paragraphs), _fewest(paragraphs)
    while end > fewest and not is_held(paragraphs[end - 1], indent) and _leads_over(paragraphs[end - 1]):
        end -= 1
    return end


def _leads_over(paragraph: list[Line]) -> bool:
    first, last = paragraph[0].text, paragraph[-1].text
    return last.endswith(COLONS) or is_bold(first) or is_closing(first) or is_opening(first)


def _end_of_lines(lines: list[Line], indent: int, *, are_short: bool, end: bool) -> int:
    """Where the last item ends and a remark that follows on the next line begins.

    `are_short`: the items before are of one line each; `end`: some of them end as sentences do.
    """
    start = 2 if not lines[0].text or is_title(lines[0].text.strip("*_")) else 1
    for place, line in enumerate(lines[start:], start=start):
        if line.marker or line.indent > indent + 1 or line.is_fence or FIELD.match(line.text):
            continue
        if is_closing(line.text) or is_opening(line.text):
            return place
        first = next((letter for letter in line.text if letter.isalnum()), "")
        begins = first.isalpha() and not first.islower()
        if are_short and begins and (not end or ends_sentence(lines[place - 1].text)):
            return place
    return len(lines)
