"""The decision whether a task needs more than text, by the phrases of the languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import chain

from ensemble_instruct.steps.text_only.english import (
    COMES_INTO,
    HOW,
    MAIL,
    NAMING,
    NOUN,
    ORDERING,
    POINTING,
    PROGRAM,
    SENT,
    SIGNS,
    TOOL,
    WORDED,
)
from ensemble_instruct.steps.text_only.other_languages import phrases_of_other_languages

_READ = 10_000
"""Characters that are read at most."""
_TOLD = re.compile(
    r"[^:\uff1a.?!\u3002\uff1f\uff01]{0,60}[:\uff1a] ?(?!https?:|www\.|[\[<])(?:[^\s:]{1,60} \S|[^\x00-\x7f]{5})"
)
"""After what is to be seen: a colon, and then some words."""
_QUOTED = re.compile(
    r"\"[^\"]{1,300}\"|(?<!\w)'[^']{2,300}'(?!\w)|[\u201c\u201e\u00ab\u300c\u300e]"
    r"[^\u201c\u201d\u00ab\u00bb\u300c\u300d\u300e\u300f]{1,300}[\u201c\u201d\u00bb\u300d\u300f]"
)
"""Words that a task only quotes."""


def needs_more_than_text(text: str) -> bool:
    """Whether a task points at what is not there, or orders what is no text, in its first 10,000 characters."""
    plain = " ".join(unicodedata.normalize("NFC", text[:_READ]).lower().replace("\u2019", "'").split())
    plain = _QUOTED.sub('""', plain) if not _QUOTED.fullmatch(plain) else plain
    if any(not _is_told(plain, found.end()) for found in POINTING.finditer(plain)):
        return True
    if PROGRAM.search(plain):
        return False
    named: Iterator[re.Match[str]] = NAMING.finditer(plain)
    if not SIGNS.search(plain):
        if ORDERING.search(plain) and not WORDED.search(plain):
            return True
        named = chain(named, phrases_of_other_languages(plain))
    return not TOOL.search(plain) and any(_is_missing(plain, found) for found in named)


def _is_told(text: str, end: int) -> bool:
    """Whether a colon follows, and what is to be seen is told after it."""
    return _TOLD.match(text, end) is not None and not text.endswith(("?", "\uff1f"))


def _is_missing(text: str, found: re.Match[str]) -> bool:
    """Whether what a task names is neither told, nor spoken of before, nor only a matter of how people do it."""
    before = text[: found.start()]
    is_within = found[0].startswith(("in ", "on ", "from "))
    if (_is_told(text, found.end()) and not is_within) or HOW.search(before) or COMES_INTO.search(before[-12:]):
        return False
    if SENT.search(found[0]) and MAIL.search(before):
        return False
    nouns = NOUN.findall(found[0])
    return not (nouns and _is_introduced(before, nouns[-1].rstrip("s")))


def _is_introduced(text: str, noun: str) -> bool:
    a = r"(?:an?|any|each|every|some|another|old|new|two|several|many)"
    return re.search(rf"\b{a} (?:[\w'-]+ ){{0,3}}{noun}", text) is not None
