"""Which instructions are usable at all, before any comparison: the rules of the original, and their mends."""

from __future__ import annotations

import re
import string
import unicodedata

from ensemble_instruct.rouge import word_tokens

FEWEST_WORDS = 4
"""Of an instruction, as the original has it."""
MOST_WORDS = 150
"""Of an instruction, as the original has it."""
_BLOCKED = re.compile(
    r"\b(?:image|images|graph|graphs|picture|pictures|file|files|map|maps|draw|plot|go to)\b", re.IGNORECASE
)
"""Words of tasks that a text cannot answer: the original's list."""
_NOT_A_START = ("Pc", "Pd", "Pe", "Pf", "Po", "Mn", "Mc", "Cc", "Cf")
"""Unicode categories that no instruction begins with: punctuation except opening quotes and brackets."""


def published_reason(text: str) -> str:
    """Why the original drops an instruction, or the empty string (design, section 7, step 1)."""
    words = len(text.split())
    if words < FEWEST_WORDS:
        return "too_short" if text else "empty"
    if words > MOST_WORDS:
        return "too_long"
    if not text[0].isascii():
        return "starts_with_non_ascii"
    return _content_reason(text)


def default_reason(text: str) -> str:
    """Why the default profile drops an instruction, or the empty string.

    Instructions of every script are allowed; where words are not spaced, each character counts as one.
    """
    if not text:
        return "empty"
    words = len(text.split()) if text.isascii() else max(len(text.split()), len(word_tokens(text)))
    if words < FEWEST_WORDS:
        return "too_short"
    if words > MOST_WORDS:
        return "too_long"
    if not text[0].isascii() and text[0] not in "¿¡" and unicodedata.category(text[0]) in _NOT_A_START:
        return "starts_with_punctuation"
    return _content_reason(text)


def _content_reason(text: str) -> str:
    if _BLOCKED.search(text):
        return "blocked_word"
    if text.startswith("Write a program"):
        return "asks_for_a_program"
    return "starts_with_punctuation" if text[0] in string.punctuation else ""
