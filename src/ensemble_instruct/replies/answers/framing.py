# ruff: noqa: RUF001 - letters of other scripts
"""What a chat model says before and after an answer, in a paragraph or a line of its own, taken away."""

from __future__ import annotations

import re

from ensemble_instruct.replies.answers.asked_for import (
    asks_for_speech,
    asks_for_story,
    asks_yes_or_no,
    changes_a_text,
    quotes,
)
from ensemble_instruct.replies.answers.cut import Cut, trimmed
from ensemble_instruct.replies.answers.fences import is_open_after, outside_of_fences
from ensemble_instruct.replies.answers.small_talk import (
    LONGEST,
    Opening,
    holds_offer,
    holds_opening,
    offer_of,
    opening_of,
)

_PARAGRAPH_END = re.compile(r"\n[ \t\r]*\n")
_RULE = r"[ \t]*(?:-{3,}|\*{3,}|_{3,}|(?:- ){2,}-)[ \t]*"
_RULE_AFTER = re.compile(rf"{_RULE}(?=\r?\n[ \t]*\r?\n)")
_RULE_BEFORE = re.compile(rf"\r?\n[ \t]*\r?\n{_RULE}\Z")
"""A line across the page, which chat models draw between the answer and their own words."""
_HEADING = re.compile(
    r"(?![ \t\d*+•-])[^\n]{1,60}[:：][*_]*[ \t\r]*$|#{1,6} |\*\*[^*\n]{1,60}\*\*:?[ \t\r]*$", re.MULTILINE
)
_LETTER = re.compile(
    r"[*_]*(?:subject|betreff|objet|asunto|assunto|oggetto|onderwerp|temat|тема|主题|主旨|件名|제목)[*_]*\s?[:：]|"
    r"(?:(?:dear|hi|hello|hey|greetings|to whom|good (?:morning|afternoon|evening)|sehr geehrte[rs]?|liebe[rs]?|hallo|"
    r"guten|ch[eè]re?s?|bonjour|madame|monsieur|hola|buenos|buenas|car[oai]|olá|gentile|ciao|beste|geachte|cześć|"
    r"dzień dobry|здравствуйте|привет)\b|estimad|querid|prezad|egregi|szanown|drog|уважаем|дорог|尊敬的|亲爱的|親愛的|"
    r"您好|你好|拝啓|안녕하세요|친애하는)[^\n]{0,60}(?<![.?\r])\r?$|[^\n]{1,30}(?:様|さん|殿)[,、]?[ \t\r]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""How a letter or a message begins."""
_SIGNATURE = re.compile(
    r"(?:(?:best(?: regards| wishes)?|all the best|(?:kind|warm|with)\w* (?:regards|wishes|love|thanks|gratitude|best|"
    r"kind|warm|appreciation)|yours|sincerely|regards|love|cheers|respectfully|"
    r"mit (?:freundlichen|besten|lieben|herzlichen)|(?:viele|liebe|beste|herzliche) grüße|cordialement|bien à|"
    r"atentamente|saludos|un saludo|atenciosamente|cordiali|distinti|met vriendelijke|z poważaniem|pozdrawiam|"
    r"с уважением|此致|敬具|감사합니다)[^\n]{0,25}(?:\r?\n[^\n]{1,60}){0,4}|"
    r"(?:many )?thank(?:s| you)(?: again| in advance)?[,.!]?(?:\r?\n[^\n]{1,60}){1,4}|"
    r"[^\n]{0,60}\[[^\]\n]{1,40}\])\s*\Z",
    re.IGNORECASE,
)
"""The last paragraph of a letter."""
_MOST_LINES = 3
"""Lines that an opening has at most where no blank line follows it."""
_QUOTED = ('"', "\u201c", "\u00ab", "\u300c")


def without_opening(text: str, task: str) -> Cut | None:
    """Without a first paragraph, or a first line with a colon at its end, that only announces the answer."""
    lines = text[:LONGEST].split("\n", _MOST_LINES)[:-1]
    if not lines:
        return None
    ends = [blank.start()] if (blank := _PARAGRAPH_END.search(text, 0, LONGEST)) else []
    for count, line in enumerate(lines, start=1):
        if line.rstrip().endswith((":", "：")):
            ends.append(len("\n".join(lines[:count])))
    for end in ends:
        opening = opening_of(text[:end])
        if opening and _is_the_models_own(opening, text, end, task):
            return _opened(text, end)
    return None


def without_closing(text: str, task: str, *, is_framed: bool) -> Cut | None:
    """Without a last paragraph or line that only offers more help, asks back, or hopes that the answer helps.

    `is_framed` says that the model's own words before the answer were found.
    """
    start = _last_paragraph(text)
    is_paragraph = start > 0
    start = start or text.rfind("\n") + 1
    if not start or len(text) - start > LONGEST:
        return None
    closing, rest = text[start:].strip(), text[:start].rstrip()
    offer = offer_of(closing)
    if offer is None or (offer.is_question and not is_paragraph) or holds_offer(task) or is_open_after(rest):
        return None
    rule = _RULE_BEFORE.search(rest, max(0, len(rest) - LONGEST))
    is_outside = rule is not None or _is_ended(rest) or (is_framed and offer.is_of_changes)
    if not is_outside and (asks_for_speech(task) or _LETTER.match(rest)):
        return None
    if rule is None:
        return Cut(rest, after=(closing,))
    return Cut(rest[: rule.start()].rstrip(), after=(rule[0].strip(), closing))


def _is_the_models_own(opening: Opening, text: str, end: int, task: str) -> bool:
    """Whether it is no part of what the task asks for."""
    if quotes(task, " ".join(text[:end].split()[:2])):
        return False
    if opening.names_text:
        return True
    if asks_for_speech(task) or (changes_a_text(task) and holds_opening(task)):
        return False
    if not opening.announces:
        return not asks_yes_or_no(task)
    return opening.says_sure or not (asks_for_story(task) or _heads_a_part(text[end:]))


def _opened(text: str, end: int) -> Cut:
    opening, rest = text[:end].strip(), trimmed(text[end:])
    rule = _RULE_AFTER.match(rest)
    return Cut(trimmed(rest[rule.end() :]), (opening, rule[0].strip())) if rule else Cut(rest, (opening,))


def _heads_a_part(rest: str) -> bool:
    """Whether what follows has further headings, so that the first line is the heading of the first part alone."""
    paragraphs = [part.lstrip("\r\n") for text in outside_of_fences(rest) for part in _PARAGRAPH_END.split(text)]
    are_headed = [_HEADING.match(part) is not None for part in paragraphs if part.strip()]
    return any(are_headed) and not are_headed[0]


def _last_paragraph(text: str) -> int:
    """Where it begins; 0 where it is longer than what is looked at, or all of the text."""
    ends = [match.end() for match in _PARAGRAPH_END.finditer(text, max(0, len(text) - LONGEST))]
    return ends[-1] if ends else 0


def _is_ended(letter: str) -> bool:
    """Whether a letter or a message is at its end: signed, or quoted as a whole."""
    if letter.endswith(("```", "~~~")) or letter[letter.rfind("\n") + 1 :].startswith(">"):
        return True
    if letter.startswith(_QUOTED) and letter.endswith(('"', "”", "»", "」")):
        return True
    start = _last_paragraph(letter)
    return start > 0 and _SIGNATURE.match(letter, start) is not None
