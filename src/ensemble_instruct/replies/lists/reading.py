"""What a reply to the list prompt holds: tasks, and what else it says.

A chat model answers. A base model goes on the list that its prompt ends in, by the original's rule; an instruct model
that is asked so may answer too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ensemble_instruct.replies.end_marker import before_marker, without_marker
from ensemble_instruct.replies.lists.blocks import Block, blocks_of
from ensemble_instruct.replies.lists.json_texts import read_json
from ensemble_instruct.replies.lists.lines import lines_of
from ensemble_instruct.replies.lists.markers import marker_of
from ensemble_instruct.replies.lists.phrases import COLONS, FIELD, assent, is_closing, is_opening
from ensemble_instruct.replies.lists.pieces import Piece, listed_pieces
from ensemble_instruct.replies.lists.texts import FENCES, is_order, parted, task_text
from ensemble_instruct.replies.lists.unmarked import unmarked_pieces

NOT_A_TASK = "not_a_task"
CUT_OFF = "cut_off"
_NEXT_NUMBER = re.compile(r"\n\d+\s?\. ")
"""Where the next number of a list begins that a base model continues."""
_NEXT_ITEM = re.compile(r"(?<=[.?!\"”]) (?=(?P<number>[0-9]{1,3})(?P<mark>[.)]) \S)")
"""Where an item may begin behind another one on its line."""
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_HEAD = 4000
"""How much of a reply shows whether it is an answer, in characters."""
_TAGS = r"li|tasks?|instructions?|items?|questions?|prompts?"
_FIRST_TAG = re.compile(rf"^[ \t]*<(?:ol|ul|{_TAGS})\b[^<>]{{0,80}}>", re.MULTILINE | re.IGNORECASE)
_OPENING_TAG = re.compile(rf"<(?:{_TAGS.replace('s?', '')})\b[^<>]{{0,80}}>", re.IGNORECASE)
_TAG = re.compile(rf"</?(?:ol|ul|{_TAGS})\b[^<>]{{0,80}}>", re.IGNORECASE)


class Item(NamedTuple):
    """A task of a list, or a part of the reply that is none."""

    text: str
    """On one line; of a task, without number, label, bold and quotation marks around the whole."""
    reason: str
    """Empty for a task; `not_a_task` for what stands around the list; `cut_off` where the token limit ended a task."""


def read_list(text: str, *, continues: bool, is_cut_off: bool, keeps_input: bool = True) -> tuple[Item, ...]:
    """The tasks that a reply states, in order, and what else it says; at least one item.

    `continues`: the reply goes on a list whose next number the prompt ends in, so that it begins with a task's text.
    `is_cut_off`: the token limit ended the reply, and with it the last task, unless an end marker is there.
    `keeps_input`: what a line below a task gives as its input is a part of it.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    text = _BLANK_LINES.sub("\n\n", text)
    if continues and not _is_answer(text):
        return tuple(_continued(text, is_cut_off=is_cut_off, keeps_input=keeps_input))
    return tuple(_items(_answer(text), is_cut_off=is_cut_off, keeps_input=keeps_input)) or (Item("", ""),)


def _items(pieces: list[Piece], *, is_cut_off: bool, keeps_input: bool) -> Iterator[Item]:
    for place, piece in enumerate(pieces):
        if piece.is_task:
            is_last = is_cut_off and piece.end == "open" and place == len(pieces) - 1
            yield from _task(piece.lines, is_cut_off=piece.end == "half" or is_last, keeps_input=keeps_input)
        else:
            yield from _remark(piece.lines)


def _task(lines: list[str], *, is_cut_off: bool, keeps_input: bool) -> Iterator[Item]:
    """A task, and its worked example as something that is none; the last of them is what the token limit cut off."""
    lines, example = parted(lines, keeps_input=keeps_input)
    if text := task_text(lines):
        is_ended = bool(example) or before_marker("\n".join(lines))[1]
        yield Item(text, CUT_OFF if is_cut_off and not is_ended else "")
    yield from _remark(example)


def _remark(lines: list[str]) -> Iterator[Item]:
    text = without_marker(" ".join(line for line in lines if not line.startswith(FENCES)))
    if any(letter.isalnum() for letter in text):
        yield Item(text, NOT_A_TASK)


def _answer(text: str) -> list[Piece]:
    """What a reply that answers holds, in order."""
    if found := read_json(text):
        tasks = [Piece([_without_number(task)], is_task=True, end="whole") for task in found.texts]
        half = [Piece([_without_number(found.half)], is_task=True, end="half")] if found.half else []
        return [
            Piece(found.before.split("\n"), is_task=False),
            *tasks,
            *half,
            Piece(found.after.split("\n"), is_task=False),
        ]
    blocks = blocks_of(lines_of(_item_a_line(_without_tags(text))))
    return listed_pieces(blocks) if any(block.marker for block in blocks) else unmarked_pieces(blocks)


def _without_number(text: str) -> str:
    marker = marker_of(text.strip())
    return marker.text if marker and marker.number is not None and marker.stands_alone else text


def _without_tags(text: str) -> str:
    """A list in HTML or XML as one with bullets."""
    found = _FIRST_TAG.search(text)
    if not found or any(line.marker for line in lines_of(text[: found.start()])):
        return text
    return _TAG.sub("\n", _OPENING_TAG.sub("\n• ", text))


def _item_a_line(text: str) -> str:
    """A list whose items stand all on one line, `25. Name … 26. Write …`, as one with an item a line."""
    places = list(_NEXT_ITEM.finditer(text))
    if not places or sum(line.marker is not None for line in lines_of(text)) > 1:
        return text
    numbers = [int(place["number"]) for place in places]
    first = text.find(f"{numbers[0] - 1}{places[0]['mark']} ", 0, places[0].start())
    ends = [place.start() for place in places]
    texts = [text[start:end] for start, end in zip([first, *ends], [*ends, len(text)], strict=True)]
    is_list = first >= 0 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return "\n".join([text[:first], *texts]) if is_list and all(map(_is_numbered_order, texts)) else text


def _is_numbered_order(text: str) -> bool:
    marker = marker_of(text.strip())
    return marker is not None and is_order(marker.text)


def _is_answer(text: str) -> bool:
    """Whether a reply that was to go on a list begins anew, as instruct models do: a preamble, or the number again."""
    lines = lines_of(text[:_HEAD])
    if not lines or not _NEXT_NUMBER.split(text, maxsplit=1)[0].strip():
        return False
    first, marker = lines[0], lines[0].marker
    if marker:
        is_numbered = marker.number is not None and marker.stands_alone
        return is_numbered or (not marker.has_label and not _NEXT_NUMBER.search(text))
    if first.is_heading or first.is_fence or assent(first.text) or is_opening(first.text):
        return True
    if first.text[0] in "[{" and read_json(text):
        return True
    after = lines[1] if len(lines) > 1 else None
    return bool(after and after.gap and after.marker and after.marker.number == 1)


def _continued(text: str, *, is_cut_off: bool, keeps_input: bool) -> Iterator[Item]:
    """What goes on a numbered list, as a base model does it."""
    *items, last = _NEXT_NUMBER.split(text)
    if not items and (blocks := _in_another_style(last)):
        yield from _items(listed_pieces(blocks), is_cut_off=is_cut_off, keeps_input=keeps_input)
        return
    last, remark = _without_remark(last)
    for item in items:
        yield from [*_task(item.split("\n"), is_cut_off=False, keeps_input=keeps_input)] or [Item("", "")]
    is_half = is_cut_off and not remark
    yield from [*_task(last.split("\n"), is_cut_off=is_half, keeps_input=keeps_input)] or [Item("", "")]
    if remark:
        yield Item(remark, NOT_A_TASK)


def _in_another_style(text: str) -> list[Block]:
    """The list, where its next numbers are written in another style than the prompt's: `26)`."""
    lines = lines_of(text)
    marker = next((line.marker for line in lines[1:] if line.marker and line.marker.number is not None), None)
    if not marker or not marker.stands_alone or (marker.number or 0) < 2:
        return []
    return blocks_of(lines, first=marker._replace(number=(marker.number or 0) - 1, text=lines[0].text))


def _without_remark(text: str) -> tuple[str, str]:
    """The last item, and what a paragraph after it says, or a line that offers more."""
    task, *paragraphs = re.split(r"\n[ \t]*\n", text, maxsplit=1)
    if paragraphs and task.strip() and not task.rstrip().endswith(COLONS) and not FIELD.match(paragraphs[0].lstrip()):
        return task, without_marker(paragraphs[0])
    lines = text.split("\n")
    place = next((place for place, line in enumerate(lines[1:], start=1) if is_closing(line)), len(lines))
    return "\n".join(lines[:place]), without_marker("\n".join(lines[place:]))
