"""Paragraphs that are no part of an answer: "Sure! Here it is:" before it, "Let me know if you need more!" after it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from ensemble_instruct.replies.answers.small_talk_phrases import ASIAN, CHANGES, WESTERN

LONGEST = 400
"""Characters of the longest paragraph that is looked at."""
_MOST_WORDS = 25
_MOST_WORDS_OF_TITLE = 4
"""Of a title after a "Sure!", as in "Sure! Your letter:"."""
_OTHER_MARKS = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff\ufe0f\u200d\u00bf\u00a1]+")
"""Emoji, and the marks that open a Spanish question or exclamation."""
_SENTENCE_END = re.compile(r"(?<=[.!?\u2026]) +|(?<=[\u3002\uff01\uff1f]) *")
_WITHIN = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\b[dms]r)(?<!\bmrs)(?<!\bvs)[.!?\u2026] |[\u3002\uff01\uff1f]")
"""The end of a sentence where another one follows."""
_COLONS = ":\uff1a"
_MARKS = " .!?\u3002\uff01\uff1f\u2026~"
_AFTER_SURE = re.compile(
    r"(?:the|an?|my|your|this|these|one)\b.*\b(?:is|are|would be|could be|might be|reads?|follows)$|"
    r"let'?s \w|the following (?:is|are)\b|(?:please )?find\b.*\bbelow$"
)
"""Announces what follows, after a "Sure!" only: on its own it may be part of an answer."""


class Opening(NamedTuple):
    """What a paragraph that only opens a reply says."""

    says_sure: bool
    announces: bool
    names_text: bool
    """It calls what follows a text that the model wrote or changed: a letter, a translation."""
    ends_in_colon: bool


class Offer(NamedTuple):
    """What a paragraph that only offers more says."""

    is_question: bool
    is_of_changes: bool
    """It offers to change the answer, so it stands outside of a letter that is the answer."""


def opening_of(paragraph: str) -> Opening | None:
    """What a paragraph says if it does nothing but say yes to a task and announce the answer."""
    said = _plain(paragraph)
    if not said[:1].isalpha() or len(said) > LONGEST or len(said.split()) > _MOST_WORDS:
        return None
    patterns = _patterns_of(said)
    start, says_sure = _after_sure(said, patterns.sure)
    rest = said[start:]
    if not rest:
        return Opening(says_sure, False, False, said[-1] in _COLONS) if says_sure else None
    ends_in_colon = rest[-1] in _COLONS
    sentence = rest.rstrip(_COLONS + ".!\u3002\uff01\u2026 ")
    if sentence.endswith(("?", "\uff1f")) or _WITHIN.search(sentence):
        return None
    is_announced = patterns.here.match(sentence) is not None
    if not is_announced and not says_sure:
        return None
    names_text = patterns.texts.search(sentence) is not None
    if not is_announced:
        is_title = names_text and ends_in_colon and len(sentence.split()) <= _MOST_WORDS_OF_TITLE
        if not is_title and not _AFTER_SURE.match(sentence):
            return None
    if not ends_in_colon and (any(colon in sentence for colon in _COLONS) or not (says_sure or names_text)):
        return None
    return Opening(says_sure, True, names_text, ends_in_colon)


def offer_of(paragraph: str) -> Offer | None:
    """What a paragraph says if it does nothing but offer more help, ask back, or hope that the answer helps."""
    said = _plain(paragraph)
    if not said[:1].isalpha() or len(said) > LONGEST:
        return None
    patterns = _patterns_of(said)
    offers = 0
    for sentence in _sentences(said):
        if patterns.offers.match(sentence):
            offers += 1
        elif not patterns.polite.fullmatch(sentence):
            return None
    if not offers:
        return None
    return Offer(said.endswith(("?", "\uff1f")), re.search(CHANGES, said) is not None)


def holds_offer(text: str) -> bool:
    """Whether a text holds a sentence that offers more help, so that a text about it may hold one, too."""
    sentences = (said for line in text.splitlines() for said in _sentences(_plain(line)) if len(said) <= LONGEST)
    return any(_patterns_of(said).offers.match(said.lstrip("\"'\u201c\u00ab\u300c")) for said in sentences)


def holds_opening(text: str) -> bool:
    """Whether a line of a text, or what follows its first colon, opens as the reply of a chat model does."""
    for line in text.splitlines():
        for part in (line, line.partition(": ")[2]):
            if part and opening_of(part.strip(" \"'\u201c\u201d\u00ab\u00bb\u300c\u300d")):
                return True
    return False


class _Patterns(NamedTuple):
    here: re.Pattern[str]
    texts: re.Pattern[str]
    offers: re.Pattern[str]
    sure: re.Pattern[str]
    polite: re.Pattern[str]


def _patterns_of(said: str) -> _Patterns:
    """Those of all languages where a text has a letter of East Asia, or else of those that do without."""
    return _patterns(is_asian=max(said) >= "\u2e80")


@cache
def _patterns(*, is_asian: bool) -> _Patterns:
    """The phrases of several languages: made when they are first looked for, as most commands read no reply."""
    here, texts, offers, sure, polite = (
        "|".join(getattr(language, part) for language in (WESTERN + ASIAN if is_asian else WESTERN))
        for part in ("here", "texts", "offers", "sure", "polite")
    )
    edge = r"(?![^\W_])"
    separators = r"[\s,.!:;\u2014\u2013\u3001\uff0c\u3002\uff01\uff1a\u2026~-]*"
    lead = r"(?:(?:and|so|also|but|please|just|otherwise|remember|as always|bitte|por favor|s'il vous plaît)[, ]+)*"
    prefix = r"(?:(?!dear |hi |hello |hey )[^.!?:,\uff0c]{2,80}[,\uff0c] ?)?"
    return _Patterns(
        here=re.compile(f"{prefix}(?:{here})"),
        texts=re.compile(f"(?<![a-z])(?:{texts})"),
        offers=re.compile(f"{lead}(?:{offers})"),
        sure=re.compile(f"(?:(?P<sure>{sure})|{polite}){edge}{separators}"),
        polite=re.compile(f"(?:{sure}|{polite}){separators}"),
    )


def _after_sure(said: str, sure: re.Pattern[str]) -> tuple[int, bool]:
    """Where the words end that say yes to a task, and whether they do more than greet."""
    start, says_sure = 0, False
    while start < len(said) and (match := sure.match(said, start)):
        says_sure = says_sure or match["sure"] is not None
        start = match.end()
    return start, says_sure


def _plain(paragraph: str) -> str:
    """In lower case on one line, with plain apostrophes, without emoji, Spanish marks, and emphasis around it."""
    if not paragraph.isascii():
        paragraph = _OTHER_MARKS.sub(" ", paragraph).replace("\u2019", "'")
    return " ".join(paragraph.lower().split()).strip("*_ ()")


def _sentences(said: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(said):
        if bare := sentence.strip(_MARKS):
            yield bare
