"""The rating that a model gives an output: a number from 1 to 5, in whatever form it says it.

It is read in the answer, never in the thought, and where a reply names its own scale, that is no rating.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from ensemble_instruct.replies.thoughts import part_thought

LOWEST, HIGHEST = 1, 5
"""The ends of the scale."""

_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
_MARKUP = re.compile(r"[*_`#$\\\ufe0f\u20e3]+")
"""Emphasis, and what makes a digit a picture of a key."""
_TAG = re.compile(r"</?[a-z][a-z_-]{0,20}>")
_STARS = re.compile(r"(?<!\d)(?<!\d )([\u2605\u2b50\U0001f31f]{1,5})[\u2606\u2729]{0,4}")
"""Filled stars, and the empty ones after them."""

_ONE, _FIVE = r"(?<![\d.,])1(?![\d%]|[.,]\d)", r"(?<!\d)5(?![\d%]|[.,]\d)"
_TO = r"(?:-|~|\.{2,3}|to|through|bis|\u00e0|a|al|\u0434\u043e|\u81f3|\u5230|\u304b\u3089)"
_IN_BRACKETS = r"(?:\([^()\n\d]{0,40}\) ?)?"
_SCALE = re.compile(
    rf"{_ONE} ?{_IN_BRACKETS}{_TO} ?{_FIVE}|{_FIVE} ?{_IN_BRACKETS}{_TO} ?{_ONE}|"
    rf"{_ONE}[^\n\d.]{{1,40}}?\b(?:to|and|through)\b[^\n\d.]{{0,40}}?{_FIVE}|"
    r"\bone (?:to|through|and) five\b|"
    r"(?<!\d)1[^\w\n]{0,3}[,|/\s]\s?2[^\w\n]{0,3}[,|/\s]\s?3(?:[^\w\n]{0,3}[,|/\s]\s?(?:(?:or|and) )?[45]){0,2}|"
    r"\b(?:5|five)[- ](?:point|star|level)s?(?:[- ](?:likert|rating))?[- ](?:scale|system|rubric)\b|"
    r"\b(?:scale|maximum|max\.?)(?: of|:)? (?:5|five)(?!\d)|"
    r"\b(?:where|with|if|and|when) [15] (?:is|being|means|meaning|stands for|=)[^\n.;,)\d]{0,40}"
    r"(?:[15] [^\n.;,)\d]{0,40})?"
)
"""How a reply names the scale: `1 to 5`, `1 (bad) to 5 (good)`, `1, 2, 3, 4 or 5`, `where 5 is the best`."""
_POINT = re.compile(r"^\W{0,4}([1-5])(?:[.:)=-]| -| =)\s.*$", re.MULTILINE)
"""A line of a numbered list, or of what the numbers mean."""

_VALUE = (
    r"(?<![\d.,/])(?P<number>-?\d{1,6}(?:[.,]\d{1,6})?|one|two|three|four|five)(?![\da-z%]|[.,]\d)"
    r"(?:(?:[ -](?:stars?|points?))?\s?(?:/|out of|of|von|sur|de|su|\u0438\u0437)\s?"
    r"(?P<whole>\d{1,6}(?:[.,]0)?|five|ten)(?![\d%]))?"
    r"(?P<other>\s?(?:-|~|/|to|or)\s?(?:\d|one\b|two\b|three\b|four\b|five\b))?(?!/)"
)
"""A number, of how many, and another one that makes it a range."""
_UNIT = r"(?:[ -]?(?:stars?|points?|\u5206|\u70b9|\uc810))?"
_OPEN = r"[\s\[({\"'<\u201c\u00ab]{0,4}"
_TAIL = rf"(?={_UNIT}\s*(?:$|[^\w\s%]|(?:because|since|as|for|on|and|but|with|given)\b))"
"""What a number that is the rating is followed by: not by what it counts."""
_ALONE = re.compile(rf"^(?:[-\u2022] )?[^\w\s+-]{{0,6}}\s?{_VALUE}{_UNIT}[^\w\n%/+-]{{0,6}}$", re.MULTILINE)
"""A line that is a number and nothing else."""
_FIRST = re.compile(rf"[^\w\s+-]{{0,6}}\s?{_VALUE}{_TAIL}")
"""A number at the start of a reply."""
_STRONG = (
    r"(?<=\[)result(?=\])|rating|overall|score|grade|mark|points|stars|bewertung|note|punktzahl|puntuaci[o\u00f3]n|calificaci[o\u00f3]n|"
    r"valutazione|punteggio|voto|nota|\u043e\u0446\u0435\u043d\u043a\u0430|"
    r"\u8bc4\u5206|\u5f97\u5206|\u5206\u6570|\u8a55\u5206|\u8a55\u4fa1|\uc810\uc218|\ud3c9\uc810"
)
_WEAK = r"final|answer(?: to rate)?|verdict|result|evaluation|assessment|judge?ment|quality"
_OF_WHAT = r"(?P<of>(?: (?:of|for) [^\n:=.\d]{1,60}?)?)"
_LABEL = re.compile(
    rf"(?P<overall>overall |final |total )?(?:(?<![^\W\d])(?P<strong>{_STRONG})|\b(?:{_WEAK})){_OF_WHAT}[\"')\]]{{0,2}}"
    rf"\s?(?:\([^()\n]{{0,40}}\))?(?:(?P<sign>\s?(?::|=|->|\u2192|\uff1a)\s{{0,4}})|"
    rf"(?P<verb> (?:is|of|would be|-) ?| )){_OPEN}(?:an? )?{_VALUE}"
)
"""What a rating may stand after, and what is rated."""
_LINE = re.compile(rf"(?:overall |final )?(?:{_STRONG})\s?[:=]{_OPEN}{_VALUE}{_UNIT}[^\w\n%/+-]{{0,6}}$")
"""A line that is a label and a number."""
_PHRASE = re.compile(
    r"\b(?:rate|rates|rated|give|gives|gave|grade|assign|award|score|deserves?|earns?|merits?)\b"
    rf"(?P<what>[^\n.;:\d]{{0,40}}?) (?:an? )?{_OPEN}{_VALUE}{_TAIL}"
)
"""`I would give it a 4`."""
_OUT_OF = re.compile(rf"{_VALUE}(?:(?<=[5e])|[ -]stars?\b)")
"""`4 out of 5`, `4 stars`: of what ends in another number only what has one is read."""
_NUMBER, _FOLLOWED = re.compile(_VALUE), re.compile(_TAIL)
_NOT = re.compile(r"\b(?:not?|never|cannot|nor)\b|n't\b")
_CLAUSE = re.compile(r"[.,;:!?\n]")
"""What ends a clause."""
_BEFORE = 60
"""Characters before a match in which is looked for what turns its sense."""
_SHOWN = 4000
"""Characters at each end of a long reply in which a rating is looked for."""


def rating_of(text: str) -> float | None:
    """The number from 1 to 5 that a reply gives; None for one beyond the scale and for what cannot be read for sure.

    First counts a number that is the whole first line, alone or after a label such as `Rating:`; then one after a label
    (the last, or the one called overall or final), one that is a line, that the reply begins with, that a verb such as
    `give` leads to, that is `4 out of 5`; last the only number of the reply.
    """
    parted = part_thought(text)
    if parted.is_thought_only:
        return None
    answer = parted.answer.strip()
    reply = _plain(answer if len(answer) <= 2 * _SHOWN else f"{answer[:_SHOWN]}\n{answer[-_SHOWN:]}")
    first = reply.split("\n", 1)[0].strip()
    found = _ALONE.match(first) or _LINE.match(first) or _labelled(reply) or _last_line(reply) or _FIRST.match(reply)
    if found:
        return _value(found)
    for several in (_led_to(reply), [match for match in _OUT_OF.finditer(reply) if _is_of_five(match, reply)]):
        values = {_value(match) for match in several}
        if values:
            return values.pop() if len(values) == 1 else None
    numbers = [match for match in _NUMBER.finditer(reply) if match["number"] not in _WORDS]
    values = {_value(match) if _is_followed(match, reply) else None for match in numbers}
    return values.pop() if len(values) == 1 else None


def _plain(answer: str) -> str:
    """The answer in lower case, without markup and without the names of the scale."""
    plain = unicodedata.normalize("NFKC", answer).lower().replace("\u2019", "'").translate(_DASHES)
    plain = _MARKUP.sub("", _TAG.sub("\n", plain))
    plain = _STARS.sub(lambda stars: f" {len(stars[1])} ", plain)
    if {"1", "2"} <= {point[1] for point in _POINT.finditer(plain)}:
        plain = _POINT.sub("", plain)
    return _SCALE.sub(" ", plain).strip()


def _labelled(reply: str) -> re.Match[str] | None:
    """The number after the label that counts."""
    labels = [match for match in _LABEL.finditer(reply) if _is_label(match, reply)]
    strong = [match for match in labels if match["strong"]] or labels
    overall = [match for match in strong if match["overall"]] or strong
    return overall[-1] if overall else None


def _last_line(reply: str) -> re.Match[str] | None:
    """The last line that is a number alone."""
    lines = list(_ALONE.finditer(reply))
    return lines[-1] if lines else None


def _is_label(match: re.Match[str], reply: str) -> bool:
    """Whether it is the rating of the answer that follows, and no number that counts something."""
    if "reference" in match["of"] or "reference" in _clause_before(match, reply):
        return False
    if match["sign"]:
        return True
    return _is_followed(match, reply) and (bool(match["strong"]) or match["verb"].strip() == "is")


def _is_followed(match: re.Match[str], reply: str) -> bool:
    """Whether a number is followed by what may follow a rating."""
    return _FOLLOWED.match(reply, match.end()) is not None


def _led_to(reply: str) -> Iterable[re.Match[str]]:
    for match in _PHRASE.finditer(reply):
        before = f"{_clause_before(match, reply)} {match['what']}"
        if not _NOT.search(before) and "reference" not in before:
            yield match


def _clause_before(match: re.Match[str], reply: str) -> str:
    return _CLAUSE.split(reply[max(0, match.start() - _BEFORE) : match.start()])[-1]


def _is_of_five(match: re.Match[str], reply: str) -> bool:
    return (bool(match["whole"]) or "star" in match[0]) and _is_followed(match, reply)


def _value(match: re.Match[str]) -> float | None:
    """The number of a match, if it is on the scale and alone."""
    if match["other"] or (match["whole"] and match["whole"] not in ("5", "5.0", "5,0", "five")):
        return None
    word = match["number"]
    number = float(_WORDS.get(word, 0) or word.replace(",", "."))
    return number if LOWEST <= number <= HIGHEST else None
