# ruff: noqa: RUF001 - letters and marks of other scripts
"""What an item of a list begins with: a number, a letter, a bullet, a label, a row of a table."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from ensemble_instruct.replies.lists.phrases import LABEL, NUMBERED_WORD

Style = tuple[str, ...]


class Marker(NamedTuple):
    """The start of a line that may begin an item."""

    style: Style
    """Markers of one list share it: bullet, label, bracket, and the mark after the number."""
    number: int | None
    """None: a bullet, or a label without a number."""
    text: str
    """What follows on the line."""
    stands_alone: bool
    """Whether it begins an item also where no next number follows; else it may be a number of the text."""
    is_heading: bool = False

    @property
    def has_label(self) -> bool:
        """Whether a word is part of it: `Task 25:`."""
        return len(self.style[-3]) > 1 if len(self.style) > 2 else self.style == ("label",)

    @property
    def is_bulleted_number(self) -> bool:
        """Whether a number follows a bullet: `- 25.`."""
        return len(self.style) > 3

    @property
    def neighbours(self) -> tuple[int, int]:
        """The numbers before and after it."""
        return (self.number or 0) - 1, (self.number or 0) + 1


_HEADING = re.compile(r"#{1,6}\s+")
_BULLET = re.compile(r"(?:([-*+–—−])\s+|([•·●○◦▪▫■□☐☑✓✔✅▶►▸➤➢→⇒◆◇❖⁃∙・※])\s*)(?:\[[ xX]?\]\s+)?(?=\S)")
_NUMBERED = re.compile(
    r"(?P<bold>[*_]{0,3})"
    r"(?P<bracket>[(\[（［【〔]?)"
    r"(?P<label>(?:[^\W\d_]{1,20}(?: [^\W\d_]{1,20})?)?)\s?"
    r"(?P<sign>(?:#|№|[Nn][°ºo]\.?|Nr\.)?)\s?"
    r"(?P<number>\d{1,4}|[一二三四五六七八九十]{1,3})(?!\d)"
    r"(?P<unit>[题題问問]?)"
    r"(?P<inner>[*_]{0,3})[ \t]?\\?"
    r"(?P<closer>[-–—](?=\s)|[.)]-(?=\s)|[/º°ª](?=\s)|[.)\]:：、．。）］】〕]{0,2})"
    r"(?P<outer>[*_]{0,3})"
)
_LETTERED = re.compile(
    r"(?P<bold>[*_]{0,3})(?P<bracket>[(\[]?)(?P<letter>[^\W\d_]|[ivxIVX]{2,5})\\?(?P<closer>[.)\]])(?P<outer>[*_]{0,3})(?=\s|$)"
)
_PICTURE = re.compile(r"(?:([①-⑳❶-❿➀-➓⓵-⓾])|((?:\d\ufe0f?\u20e3)+))\s*")
_CELL = re.compile(r"[*_]{0,3}(\d{1,4})[.)]?[*_]{0,3}$")
_SUM = re.compile(r"\s*(?:[-+*/=×÷<>^%]\s*[\d(]|\d[\d.,]*\s*(?:[-+*/=×÷^%?]|$))")
"""What goes on as arithmetic: `2 - 1 = ?`."""
_KNOWN = re.compile(rf"(?:(?:new|next|another|example|sample|your|the) )?(?:{NUMBERED_WORD}|第)", re.IGNORECASE)
_BRACKETS = (")", "]", "】", "〕")
_RARE = ("/", "º", "°", "ª")
"""Marks after a number that say little: a next number must follow."""
_PLAIN = str.maketrans("．：）］（［–—", ".:)]([--")
_CHINESE = {digit: value for value, digit in enumerate("一二三四五六七八九", start=1)}
_ROMAN = {"i": 1, "v": 5, "x": 10}
_HIGHEST = 999
"""The highest number that an item may carry where no next number follows: above, it is a year."""


def marker_of(line: str) -> Marker | None:
    """The marker that a line (without white space around it) begins with, or None."""
    if heading := _HEADING.match(line):
        line = line[heading.end() :].rstrip("# ")
        found = _numbered(line, is_heading=True)
        return found and found._replace(is_heading=True)
    if line.startswith("|"):
        return _row(line)
    bullet = _BULLET.match(line)
    if not bullet:
        return _numbered(line) or _lettered(line) or _pictured(line) or _labelled(line)
    sign = bullet[1] or bullet[2]
    rest = line[bullet.end() :]
    if within := _numbered(rest):
        return within._replace(style=(sign, *within.style))
    return Marker((sign,), None, rest, stands_alone=True)


def as_bullet(line: str) -> Marker | None:
    """The bullet that a line begins with: what comes after it is text, a number too."""
    found = _BULLET.match(line)
    return found and Marker((found[1] or found[2],), None, line[found.end() :], stands_alone=True)


def _numbered(line: str, *, is_heading: bool = False) -> Marker | None:
    found = _NUMBERED.match(line)
    if not found:
        return None
    bold, bracket, label, sign, number, unit, inner, closer, outer = found.groups()
    rest, mark = line[found.end() :], closer[:1].translate(_PLAIN)
    is_open = bool(bold) and not (inner or outer)  # the bold goes on into the text
    is_alone = not rest.strip() and not is_open
    if (bracket and mark not in _BRACKETS) or ((inner or outer) and not bold and not mark):
        return None
    if mark:
        if not _may_follow(mark, rest):
            return None
    elif not (is_alone or unit or (found[0][-1].isspace() and (sign or (not label and rest[:1].isupper())))):
        return None
    is_known = bool(_KNOWN.fullmatch(label)) if label else number[0].isdecimal() and not rest[:1].islower()  # `2.js`
    value = int(number) if number[0].isdecimal() else _chinese(number)
    return Marker(
        (label.lower() or sign, bracket.translate(_PLAIN), mark),
        value,
        (bold if is_open else "" if bold else inner + outer) + rest.strip().removeprefix(f"{number}{closer} "),
        stands_alone=is_known
        and value <= _HIGHEST
        and mark not in _RARE
        and bool(mark or is_heading or bold or label or sign),
    )


def _may_follow(mark: str, rest: str) -> bool:
    """Whether a text may follow a number with this mark: else the mark belongs to the number, as in `7.5`."""
    first = rest[:1]
    if first.isdigit() or (mark == "." and first and first in "./\\,-_") or (mark == ":" and first and first in "/\\"):
        return False
    return mark not in "-):" or not _SUM.match(rest)


def _chinese(number: str) -> int:
    tens, ten, ones = number.rpartition("十")
    return (10 * _CHINESE.get(tens, 1) if ten else 0) + _CHINESE.get(ones[-1:], 0)


def _lettered(line: str) -> Marker | None:
    found = _LETTERED.match(line)
    if not found:
        return None
    bold, bracket, letter, closer, outer = found.groups()
    rest = line[found.end() :]
    if bool(bracket) and closer == ".":
        return None
    if bold and not outer:
        rest = bold + rest
    elif outer and not bold:
        rest = outer + rest
    is_lower = "a" if letter.islower() else "A"
    if len(letter) > 1:
        return Marker(("i" + is_lower, bracket, closer), _roman(letter.lower()), rest.strip(), stands_alone=False)
    return Marker((is_lower, bracket, closer), ord(letter.lower()), rest.strip(), stands_alone=False)


def _roman(letters: str) -> int:
    values = [_ROMAN[letter] for letter in letters]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))


def as_roman(marker: Marker) -> Marker:
    """A single letter i, v or x, read as a number."""
    letter = chr(marker.number or 0)
    if len(marker.style) != 3 or marker.style[0] not in ("a", "A") or letter not in _ROMAN:
        return marker
    return marker._replace(style=("i" + marker.style[0], *marker.style[1:]), number=_ROMAN[letter])


def _pictured(line: str) -> Marker | None:
    found = _PICTURE.match(line)
    if not found:
        return None
    digits = re.sub(r"\D", "", found[2] or "")
    number = int(digits[:4]) if digits else int(unicodedata.numeric(found[1]))
    return Marker(("picture",), number, line[found.end() :], stands_alone=True)


def _labelled(line: str) -> Marker | None:
    found = LABEL.match(line)
    if not found:
        return None
    is_open = found["bold"] and found["bold"] not in found[0][len(found["bold"]) :]
    return Marker(("label",), None, (found["bold"] if is_open else "") + line[found.end() :], stands_alone=True)


def _row(line: str) -> Marker | None:
    """A row of a table whose first cell is a number; its text is the longest of the other cells."""
    first, *others = [cell.strip() for cell in line.strip("| ").split("|")]
    found = _CELL.match(first)
    if not found or not others:
        return None
    return Marker(("|",), int(found[1]), max(others, key=len), stands_alone=True)
