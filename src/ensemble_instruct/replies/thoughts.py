"""What a model thinks before it answers, parted from the answer: in tags, in channels, or under a heading.

A thought begins at the start of the text or, in tags that nothing else has, at the start of a line. A tag that is
quoted, that stands in a sentence, or in an answer that is XML, is text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from typing import NamedTuple

from ensemble_instruct.replies.channels import part_channels
from ensemble_instruct.replies.control_tokens import after_start, before_control_token
from ensemble_instruct.replies.quoted import Quoted, stands_in_quotes

_PAIRS = (
    ("[THINK]", "[/THINK]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<|channel>thought", "<channel|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<unused94>thought", "<unused95>"),
    ("[unused16]", "[unused17]"),
)
"""Tokens of some models that open and close a thought: Mistral, Kimi, Gemma, Command, OpenThinker, Apertus and more."""
_MARKS = {mark: (pair[0], place == 0) for pair in _PAIRS for place, mark in enumerate(pair)}
"""For each such token its name, and whether it opens."""
_TAG = re.compile(
    r"(?i:<(?P<slash>/?)(?P<name>think(?:ing)?|reasoning|thoughts?|[a-z]{1,20}[:_]think)(?:\s[^<>\n]{0,200})?>)|"
    + "|".join(map(re.escape, _MARKS))
)
"""An opening or a closing tag."""
_PARTS = ("think", "thought", "reasoning", "inner_", "channel|>", "unused")
"""Of each tag a part of it in lower case: a text without any needs no further search."""
_ONLY_FIRST = ("reasoning", "thought", "thoughts")
"""Names that an answer in XML may well have: they are thoughts at the start of the text alone."""
_MENTION = re.compile(r" (?:is|are|was|and|or|tags?|tokens?|marks?|means?|opens?|closes?|starts?|ends?)\b")
"""What comes after a tag that a sentence begins with."""
_LISTED = re.compile(r"[ \t]*[-\u2013\u2014:=|][ \t]")
"""What comes after a tag that a list explains."""
_REST_OF_LINE = re.compile(r"[ \t\r]*(?:\n|\Z)")
"""Where nothing more stands on a line."""
_HEADED = re.compile(
    r"\s*(?:Here(?:'s| is) my thought process:(?P<said>.*?)Here(?:'s| is) my response:|"
    r"analysis(?=[A-Z\"'])(?P<channel>.*?)(?:assistantfinal|\Z))",
    re.DOTALL,
)
"""A thought under a heading (Granite 3.2), or channels of harmony from which a server took the tokens."""
_WRAPPER = re.compile(r"<(?P<name>answer|response|output|solution|final|final_answer)>(?!\s*<[a-z])", re.IGNORECASE)
"""What some models put around the answer after a thought; with a further tag in it the answer is XML."""
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)+|[^\S\n]+")
"""Blank lines, or else the spaces on a line of which a tag was the first part."""
_ROLE = re.compile(r"\s*(?:assistant|model):?\s*")
"""What is left of the header of a turn from which a server took the tokens."""
_ROUNDS = 4
"""How often a text is read anew, where what was taken away lays bare a further thought."""


class Parted(NamedTuple):
    """A text in two parts."""

    answer: str
    thought: str
    """All thoughts, with a blank line between them."""
    is_thought_only: bool
    """Whether there was a thought, perhaps an empty one, and no answer."""


def part_thought(text: str) -> Parted:
    """The answer without blank lines at its ends, and the thought; a text without a thought as it came.

    A thought without its end takes all that follows. Tokens after the answer stay: see `before_control_token`.
    """
    thoughts: list[str] = []
    answer = text
    if (channels := part_channels(text)) is not None:
        answer, thoughts = _trimmed(channels[0]), channels[1]
    for _ in range(_ROUNDS):
        if (found := _part_once(answer)) is None:
            break
        answer = found[0]
        thoughts += found[1]
    if answer is text:
        return Parted(text, "", is_thought_only=False)
    thought = "\n\n".join(stripped for each in thoughts if (stripped := each.strip()))
    return Parted(answer, thought, bool(thoughts) and not before_control_token(answer)[0].strip())


def _part_once(text: str) -> tuple[str, list[str]] | None:
    """The answer and the thoughts under a heading or in tags; None where there is no thought."""
    if headed := _HEADED.match(text):
        return _trimmed(text[headed.end() :]), [headed["said"] or headed["channel"] or ""]
    if "<" not in text and "[" not in text and "\u25c1" not in text:
        return None
    lowered = text.lower()
    if not any(part in lowered for part in _PARTS):
        return None
    tags = [_tag(found) for found in _TAG.finditer(text)]
    found = _Reading(text, tags).parted() if tags else None
    return None if found is None else (_unwrapped(found[0]), found[1])


class _Tag(NamedTuple):
    start: int
    end: int
    name: str
    opens: bool


def _tag(found: re.Match[str]) -> _Tag:
    name, opens = (found["name"].lower(), not found["slash"]) if found["name"] else _MARKS[found[0]]
    return _Tag(*found.span(), name, opens)


class _Piece(NamedTuple):
    is_thought: bool
    start: int
    end: int


class _Reading:
    """One pass over the tags of a text."""

    def __init__(self, text: str, tags: list[_Tag]) -> None:
        self._text, self._tags = text, tags
        self._fresh = after_start(text)
        """Where a tag stands that is the first thing of the text, or the first after a thought."""
        self._is_xml = text.startswith("<", self._fresh) and tags[0].start != self._fresh
        self._end = len(text.rstrip())
        self._done = self._fresh if text[: self._fresh].strip() else 0
        """Up to where the text is in pieces."""
        self._pieces: list[_Piece] = []
        self._unopened = 0
        """How many pieces stand before a closing tag that no tag opened: all of them are thoughts."""
        self._quoted: Quoted | None = None
        self._mentioned: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        """Elements of the answer that wait for their closing tags."""
        self._closing: dict[tuple[str, bool], list[int]] = defaultdict(list)
        """The numbers of the closing tags, by name and whether they stand in quotes."""
        for number, tag in enumerate(tags):
            if not tag.opens:
                self._closing[tag.name, stands_in_quotes(text, tag.start, tag.end)].append(number)

    def parted(self) -> tuple[str, list[str]] | None:
        """The answer and the thoughts; None where there is no thought."""
        number = 0
        while number < len(self._tags):
            read = self._read_opening if self._tags[number].opens else self._read_closing
            number = read(number)
        if not self._unopened and not any(piece.is_thought for piece in self._pieces):
            return None
        self._add(is_thought=False, end=len(self._text), done=len(self._text))
        texts = [
            (piece.is_thought or place < self._unopened, self._text[piece.start : piece.end])
            for place, piece in enumerate(self._pieces)
        ]
        answers = [_trimmed(text) for is_thought, text in texts if not is_thought and not _ROLE.fullmatch(text)]
        return "\n\n".join(filter(None, answers)), [text for is_thought, text in texts if is_thought]

    def _read_opening(self, number: int) -> int:
        """The number of the tag to read after an opening one."""
        tag = self._tags[number]
        if tag.start != self._fresh and self._is_quoted(tag):
            return number + 1
        is_thought = tag.start == self._fresh or self._begins_line(tag)
        closing = self._closing_of(number) if is_thought and not _MENTION.match(self._text, tag.end) else None
        if closing is not None:
            self._add(is_thought=False, end=tag.start, done=tag.end)
            self._add(is_thought=True, end=self._tags[closing].start, done=self._tags[closing].end)
            return closing + 1
        if is_thought and self._is_cut_off(tag):
            self._add(is_thought=False, end=tag.start, done=tag.end)
            self._add(is_thought=True, end=len(self._text), done=len(self._text))
            return len(self._tags)
        in_sentence = self._before(tag)[0] not in "\n>"
        (self._mentioned if in_sentence else self._open)[tag.name] += 1
        return number + 1

    def _read_closing(self, number: int) -> int:
        """The number of the tag to read after a closing one that belongs to no thought."""
        tag = self._tags[number]
        if self._open[tag.name]:
            self._open[tag.name] -= 1
        elif not self._is_quoted(tag) and self._ends_thought(tag):
            was_known = bool(self._pieces)
            self._add(is_thought=False, end=tag.start, done=tag.end)
            if not (was_known and tag.end >= self._end):
                self._unopened = len(self._pieces)
        return number + 1

    def _add(self, *, is_thought: bool, end: int, done: int) -> None:
        """A piece up to a tag; what comes after the tag is done next."""
        self._pieces.append(_Piece(is_thought, self._done, end))
        self._done = done
        self._fresh = after_start(self._text, done)

    def _closing_of(self, number: int) -> int | None:
        """The number of the tag that closes a thought, or None where it is cut off."""
        name = self._tags[number].name
        for in_quotes in (False, True):
            numbers = self._closing[name, in_quotes]
            if (place := bisect_right(numbers, number)) < len(numbers):
                return self._outermost(number, numbers[place])
        following = number + 1
        # some models close a tag by another one: <thinking> ... </think>
        return following if following < len(self._tags) and not self._tags[following].opens else None

    def _outermost(self, number: int, closing: int) -> int:
        """The number of the closing tag of a thought that holds tags of the same name."""
        tags, name = self._tags, self._tags[number].name
        inner = sum(tag.opens and tag.name == name for tag in tags[number + 1 : closing])
        while inner and closing + 1 < len(tags):
            following = tags[closing + 1]
            if following.opens or following.name != name or following.end >= self._end:
                break
            closing, inner = closing + 1, inner - 1
        return closing

    def _begins_line(self, tag: _Tag) -> bool:
        """Whether a tag is the first thing on a line, one that nothing but a thought has."""
        return (
            self._text[tag.start - 1] == "\n"
            and tag.name not in _ONLY_FIRST
            and not self._is_xml
            and not _LISTED.match(self._text, tag.end)
        )

    def _is_cut_off(self, tag: _Tag) -> bool:
        """Whether an opening tag without a closing one begins a thought: in the text it stands alone on its line."""
        if _MENTION.match(self._text, tag.end):
            return False
        return tag.start == self._fresh or _REST_OF_LINE.match(self._text, tag.end) is not None

    def _ends_thought(self, tag: _Tag) -> bool:
        """Whether a closing tag that no tag opened ends a thought, and is not a word of a sentence."""
        text = self._text
        if _MENTION.match(text, tag.end):
            return False
        before, is_apart = self._before(tag)
        if before == "\n":
            return not _LISTED.match(text, tag.end)
        if self._mentioned[tag.name]:
            return False
        if not is_apart or not (before.isalnum() or before in ",;:("):
            return True
        after = text[tag.end : tag.end + 2].strip(" ")[:1]
        return not (tag.end >= self._end or after in ".,;:!?)" or (after.isalpha() and not after.isupper()))

    def _before(self, tag: _Tag) -> tuple[str, bool]:
        """The last character before a tag that is no space, a newline at the start, and whether a space is between."""
        place = tag.start
        while place and self._text[place - 1] in " \t":
            place -= 1
        return (self._text[place - 1] if place else "\n"), place < tag.start

    def _is_quoted(self, tag: _Tag) -> bool:
        self._quoted = self._quoted or Quoted(self._text, self._done)
        return self._quoted.holds(tag.start, tag.end)


def _trimmed(text: str) -> str:
    """Without blank lines at its ends."""
    blank = _BLANK_LINES.match(text)
    return (text if blank is None else text[blank.end() :]).rstrip()


def _unwrapped(answer: str) -> str:
    """The answer after a thought without the tags around all of it, perhaps cut off before the closing one."""
    opening = _WRAPPER.match(answer)
    if opening is None:
        return answer
    content = answer[opening.end() :]
    closing = re.search(f"</{opening['name']}>", content, re.IGNORECASE)
    if closing is None:
        return _trimmed(content)
    after = content[closing.end() :]
    return answer if before_control_token(after)[0].strip() else _trimmed(content[: closing.start()] + after)
