"""Which instructions are usable at all, before any comparison: by the rules of a config, or by the original's."""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ensemble_instruct.config.steps import FiltersSection

_PUBLISHED_WORDS = (4, 150)
"""Fewest and most words of an instruction, as the original has it."""
_PUBLISHED_BLOCKED = re.compile(
    r"\b(?:image|images|graph|graphs|picture|pictures|file|files|map|maps|draw|plot|go to)\b", re.IGNORECASE
)
"""The original's list of words."""
_NOT_A_START = ("Pc", "Pd", "Pe", "Pf", "Po", "Mn", "Mc", "Cc", "Cf")
"""Unicode categories that no instruction begins with: punctuation except opening quotes and brackets."""
_CLEAN_START = re.compile(
    r"[\"'`]{1,3}\s?[\w¿¡<(\[$]|[\[({][\"'-]?\w(?!.*[\])}]\W*$)|[$+-]\d|[#@.][^\W\d_]|[\u00bb\u203a\u201d\u2019][^\W_]",
    re.DOTALL,
)
"""What opens a quotation, brackets that are not around all, a number or a name, such as `.NET`."""
_PER_WORD: Sequence[tuple[float, str]] = (
    (1.6, "\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"),  # Han
    (3, "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"),  # kana
    (3, "\u0e00-\u0e7f\u0e80-\u0eff\u1950-\u19df\u1a20-\u1aad\uaa80-\uaadf"),  # Thai, Lao, Tai
    (2.5, "\u1780-\u17ff\u0f40-\u0fbc\u1b00-\u1b7c\ua980-\ua9df"),  # Khmer, Tibetan, Balinese, Javanese
    (1.6, "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\u3105-\u312f\ua000-\ua48c"),  # Burmese, Bopomofo, Yi
)
"""How many letters of a script make a word, where it has no spaces between words. Vowel signs are not counted."""
_UNSPACED = [(letters, re.compile(f"[{script}]+")) for letters, script in _PER_WORD]
_ANY_UNSPACED = re.compile(f"[{''.join(script for _, script in _PER_WORD)}]")


def published_reason(text: str) -> str:
    """Why the original drops an instruction, or the empty string (design, section 7, step 1)."""
    words = len(text.split())
    fewest, most = _PUBLISHED_WORDS
    if words < fewest:
        return "too_short" if text else "empty"
    if words > most:
        return "too_long"
    if not text[0].isascii():
        return "starts_with_non_ascii"
    if _PUBLISHED_BLOCKED.search(text):
        return "blocked_word"
    if text.startswith("Write a program"):
        return "asks_for_a_program"
    return "starts_with_punctuation" if text[0] in string.punctuation else ""


@dataclass(frozen=True, slots=True)
class InstructionFilters:
    """The filters of a config, ready for use."""

    section: FiltersSection
    _words: tuple[re.Pattern[str], ...]
    _patterns: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, section: FiltersSection | None) -> InstructionFilters:
        """Those of a config's section; without one, the defaults."""
        section = section or FiltersSection()
        words = (r"\s+".join(map(re.escape, _folded(word).split())) for word in section.blocked_words)
        return cls(section, tuple(map(re.compile, words)), tuple(map(re.compile, section.blocked_patterns)))

    def reason(self, text: str) -> str:
        """Why an instruction is dropped, or the empty string."""
        section = self.section
        if not text:
            return "empty"
        if _is_longer(text, section.max_words):
            return "too_long"
        if word_count(text) < section.min_words:
            return "too_short"
        if section.clean_start and not _starts_cleanly(text):
            return "starts_with_punctuation"
        if section.text_only and _needs_more_than_text(text):
            return "needs_more_than_text"
        folded = _folded(text) if self._words else ""
        if any(_holds(folded, word) for word in self._words):
            return "blocked_word"
        return "blocked_pattern" if any(pattern.search(text) for pattern in self._patterns) else ""


def _needs_more_than_text(text: str) -> bool:
    # imported here, as most commands never ask: the phrases take a tenth of a second to compile
    from ensemble_instruct.steps.text_only.needs import needs_more_than_text

    return needs_more_than_text(text)


def word_count(text: str) -> int:
    """How many words a text has: parts between white space; in a script without spaces, a few letters make one."""
    if text.isascii() or not _ANY_UNSPACED.search(text):
        return len(text.split())
    words = 0.0
    for letters, script in _UNSPACED:
        found = Counter("".join(script.findall(text)))
        words += sum(count for each, count in found.items() if unicodedata.category(each)[0] != "M") / letters
        text = script.sub(" ", text)
    spaced = sum(any(map(str.isalnum, part)) for part in text.split())
    return spaced + math.ceil(words)


def _is_longer(text: str, most: int) -> bool:
    enough = 200 * most  # letters of a huge text that already have more words, unless they are huge too
    return word_count(text[:enough]) > most or (len(text) > enough and word_count(text) > most)


def _starts_cleanly(text: str) -> bool:
    first = text[0]
    is_mark = first in string.punctuation if first.isascii() else unicodedata.category(first) in _NOT_A_START
    return not is_mark or first in "¿¡" or _CLEAN_START.match(text) is not None


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _holds(text: str, word: re.Pattern[str]) -> bool:
    """Whether a word stands in a text by itself. One without spaces around it in its script may stand anywhere."""
    for found in word.finditer(text):
        start, end = found.span()
        if not (_joined(text[max(0, start - 1) : start], text[start]) or _joined(text[end - 1], text[end : end + 1])):
            return True
    return False


def _joined(before: str, after: str) -> bool:
    """Whether two neighbours are of one word; the re module does not count vowel signs and accents as letters."""
    return _is_letter(before) and _is_letter(after) and not _ANY_UNSPACED.search(before + after)


def _is_letter(character: str) -> bool:
    return character == "_" or (character != "" and unicodedata.category(character)[0] in "LMN")
