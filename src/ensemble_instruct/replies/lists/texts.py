# ruff: noqa: RUF001 - letters and marks of other scripts
"""The task that an item states: on one line, without label, title, bold, and quotation marks around the whole."""

from __future__ import annotations

import re

from ensemble_instruct.replies.end_marker import without_marker
from ensemble_instruct.replies.lists.phrases import IMPERATIVES, INPUT, LABEL, SOLUTION

FENCES = ("```", "~~~")
"""How a line begins that opens or closes a block of code."""
ENDS = tuple(".?!。？！…؟।．")
"""Marks at the end of a sentence."""
_CLOSES = "\"'”’»」』)）]*_`"
"""What may stand after such a mark."""
_LAYERS = 4
"""How many of label, bold, quotation marks and title may lie around a task."""
_QUOTES = {
    '"': '"',
    "“": "”",
    "”": "”",
    "„": "“”",
    "«": "»",
    "»": "«",
    "「": "」",
    "『": "』",
    "‘": "’",
    "'": "'",
    "`": "`",
    "‹": "›",
}
_BOLD = re.compile(r"(\*{1,3}|_{1,3})(?=[^\s*_])")
_TITLE = re.compile(
    r"(\*{2,3}|__)(?P<title>[^*_]{1,60}?)\s?(?P<colon>[:：]?)\1\s?(?P<after>[:：]|[-–—](?=\s)|)\s*(?=\S)"
)
_BULLET = re.compile(r"^[-–—*•+]\s+(?!\d)(?=\S)")
_BOX = re.compile(r"^\[[ xX]?\]\s+")
_LABEL_MARK, _LABEL_END = re.compile(r"[:：\d]"), 60
"""What a label holds within its first characters: a colon or a number."""
_SMALL = re.compile(
    r"(?:an?|and|the|of|for|in|on|to|with|or|vs|by|from|de|du|des|la|les?|et|en|une?|der|die|das|und|el|l[ao]s|y|e|o|d[ao])$"
)
"""Words that are small in a title too."""
_SAYS_HOW = re.compile(
    r"(?:using|without|with|as|at|after|before|under|based|like|please|from|for|by|on|to)\b", re.IGNORECASE
)
"""How a line begins that says how to do a task: it is no title."""


def task_text(lines: list[str]) -> str:
    """The task that the lines of an item state, on one line; empty where they state none."""
    lines = [line for line in (line.strip() for line in lines) if line]
    if len(lines) > 1 and lines[0].startswith(FENCES) and lines[-1].startswith(FENCES):
        lines = lines[1:-1]
    if len(lines) > 1 and (start := _after_title(lines)):
        lines = lines[start:]
        lines[0] = _BULLET.sub("", lines[0], count=1)
    return cleaned(without_marker("\n".join(lines)))


def parted(lines: list[str], *, keeps_input: bool) -> tuple[list[str], list[str]]:
    """(the lines of the task, those of its worked example): some models solve the tasks that they were to state.

    An input belongs to the task where it `keeps_input`; one that is none does not.
    """
    lines = "\n".join(lines).split("\n")
    first = next((place for place, line in enumerate(lines) if line.strip()), 0)
    task = lines[: first + 1]
    for place, line in enumerate(lines[first + 1 :], start=first + 1):
        task_input = INPUT.match(line)
        if SOLUTION.match(line) or (task_input and not keeps_input):
            return task, lines[place:]
        if not task_input or task_input["none"] is None:
            task.append(line)
    return task, []


def cleaned(text: str) -> str:
    """A task on one line without what only wraps it; markup within it stays."""
    if text[:1].isalnum() and not _LABEL_MARK.search(text, 0, _LABEL_END):
        return text
    for _ in range(_LAYERS):
        before = text
        text = _BOX.sub("", _BULLET.sub("", text, count=1), count=1) if text[:1] in "-–—*•+[" else text
        text = _without_label(text)
        text = _without_title(_unquoted(_unbolded(text)))
        if text == before:
            break
    return _without_first_bold(text)


def ends_sentence(text: str) -> bool:
    """Whether a text ends as a sentence does."""
    return text.rstrip().rstrip(_CLOSES).rstrip().endswith(ENDS)


def is_sentence(text: str) -> bool:
    """Whether a text can be a task of its own: it begins like a sentence, and is no single word."""
    first = next((letter for letter in text if letter.isalnum()), "")
    is_spaced = len(text.split(None, 3)) > 2
    return (
        bool(first)
        and not first.islower()
        and (any(map(str.isalpha, text)) or ends_sentence(text))
        and (is_spaced or (not text.isascii() and len(text) > 5))
    )


def _is_whole_task(text: str) -> bool:
    return is_sentence(text) or (ends_sentence(text) and len(text.split(None, 3)) > 3)


def is_bold(line: str) -> bool:
    """Whether a line is bold as a whole."""
    return line.startswith(("**", "__")) and _unbolded(line.rstrip(":： ")) != line.rstrip(":： ")


def is_order(text: str) -> bool:
    """Whether a text begins as an order or a question does, in a language whose words are known."""
    return is_sentence(text) and bool(IMPERATIVES.match(text))


def is_title(text: str) -> bool:
    """Whether a text is the name of a topic, not an order or a question: `Creative Writing`, not `Translate this`."""
    words = text.strip(":： ").split()
    if not 0 < len(words) <= 6 or ends_sentence(text) or IMPERATIVES.match(text):
        return False
    return all(not word[0].islower() or _SMALL.match(word) for word in words)


def _without_label(text: str) -> str:
    found = LABEL.match(text)
    if not found:
        return text
    rest, bold = text[found.end() :], found["bold"]
    return bold + rest if bold and bold not in found[0][len(bold) :] else rest


def _unbolded(text: str) -> str:
    """Without bold or italics around the whole; not where two bold parts begin and end the text."""
    found = _BOLD.match(text)
    if not found:
        return text
    sign = found[1]
    inner = text[len(sign) : -len(sign)]
    whole = text.endswith(sign) and inner and not inner[-1].isspace() and sign not in inner
    return inner.strip() if whole and (sign[0] == "*" or " " in inner) else text  # `__init__` is a name


def _unquoted(text: str) -> str:
    """Without quotation marks around the whole; not where the text begins with one quotation and ends with another."""
    closes = _QUOTES.get(text[:1])
    if closes is None or len(text) < 3:
        return text
    end = text[-1] if text[-1] in ".,;" and text[-2] in closes else ""
    body = text[:-1] if end else text
    inner = body[1:-1]
    if body[-1] not in closes or not inner.strip() or not _is_whole(inner, text[0], body[-1]):
        return text
    return inner.strip() + ("." if end == "." and not ends_sentence(inner) else "")


def _is_whole(inner: str, opens: str, closes: str) -> bool:
    if opens != closes:
        depth = 0
        for mark in re.findall(f"[{opens}{closes}]", inner):
            depth += 1 if mark == opens else -1
            if depth < 0 and mark != "’":
                return False
        return True
    place = inner.find(opens)
    while opens == "'" and 0 < place < len(inner) - 1 and inner[place - 1].isalnum() and inner[place + 1].isalnum():
        place = inner.find(opens, place + 1)  # an apostrophe
    return place < 0 or (place > 0 and (inner[place - 1].isspace() or inner[place - 1] in "([{:=,"))


def _without_title(text: str) -> str:
    """Without a bold title of a topic, where a whole sentence follows it; other titles stay, without the bold."""
    found = _TITLE.match(text)
    if not found or not (found["colon"] or found["after"]):
        return text
    title, rest = found["title"].strip(), text[found.end() :]
    if is_title(title) and _is_whole_task(rest):
        return rest
    between = found["colon"] or found["after"]
    return f"{title}{between if between in ':：' else f' {between}'} {rest}"


def _without_first_bold(text: str) -> str:
    """With the bold taken off the first words, so that the text begins with a word."""
    found = _BOLD.match(text)
    if not found or found[1][0] == "_":
        return text
    end = text.find(found[1], found.end())
    if end < 0 or text[end - 1].isspace() or text[end + len(found[1]) : end + len(found[1]) + 1].isalnum():
        return text
    return text[found.end() : end] + text[end + len(found[1]) :]


def _after_title(lines: list[str]) -> int:
    """The line where the task begins, after a title on a line or two of its own; 0 where there is none."""
    for place, line in enumerate(lines[1:3], start=1):
        if LABEL.match(line) and all(is_title(_unbolded(title)) for title in lines[:place]):
            return place
    title = lines[0]
    rest = _BULLET.sub("", lines[1], count=1)
    is_alone = len(lines) == 2 or not _BULLET.match(lines[1]) or not _BULLET.match(lines[2])
    wrapped = title.startswith("#") or is_bold(title)
    return int(wrapped and is_alone and _is_title_of(_unbolded(title.strip("#: ")), " ".join([rest, *lines[2:]])))


def _is_title_of(title: str, task: str) -> bool:
    """Whether a line is the title of the task below it; `Fish facts`, not in capitals, only above an order."""
    if is_title(title):
        return _is_whole_task(task)
    words = title.strip(":： ").split()
    is_short = 0 < len(words) <= 6 and not ends_sentence(title)
    return is_short and not _SAYS_HOW.match(words[0]) and not IMPERATIVES.match(title) and is_order(task)
