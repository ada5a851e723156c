"""Characters that show nothing, and those that a terminal acts on."""

from __future__ import annotations

import re

_INVISIBLE = (
    "\\s\\x00-\\x1f\\x7f-\\xa0"  # white space, controls
    "\\xad\u034f\u061c"  # soft hyphen, grapheme joiner, Arabic letter mark
    "\u115f\u1160\u3164\uffa0"  # fillers of Hangul
    "\u17b4\u17b5\u180b-\u180f"  # vowels of Khmer that are not written, separators of Mongolian
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # zero width, directions, joiners, byte order mark
    "\u2800"  # the pattern of Braille without a dot
    "\ufe00-\ufe0f\ufff0-\ufffb"  # variation selectors, marks of annotations
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # of shorthand and music
    "\U000e0000-\U000e0fff"  # tags, more variation selectors
)
_HARMLESS = frozenset("\n\t\xa0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))) + "\u200c\u200d")
"""What is shown as it is, although it cannot be printed: line ends, spaces, and what joins emoji and letters."""
_VISIBLE = re.compile(f"[^{_INVISIBLE}]")


def is_blank(text: str) -> bool:
    r"""Whether a text shows nothing: it is empty, or has only white space and characters that nobody sees.

    >>> is_blank("\u200b \u3164"), is_blank("a")
    (True, False)
    """
    return _VISIBLE.search(text) is None


def harmless(text: str) -> str:
    r"""A text without what a terminal would act on: control characters, those of direction too, by their codes.

    >>> harmless("a\x1b[31m\u202eb\n")
    'a\\x1b[31m\\u202eb\n'
    """
    text = text.replace("\r\n", "\n")
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in _HARMLESS else each.encode("unicode_escape").decode() for each in text
    )
