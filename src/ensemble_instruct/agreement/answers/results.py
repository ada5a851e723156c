"""The result in which a long output ends: the number, letter or phrase that its reasoning leads to."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ensemble_instruct.agreement.answers.forms import answer_form

_MOST_WORDS = 8
"""Of a result; what is longer is an explanation."""
_TAIL = 400
"""Characters at the end of an output in which its result is looked for."""
_BOXED = "\\boxed{"
_HASHES = re.compile(r"^#### *(\S.*)$", re.MULTILINE)
_ANSWER_IS = re.compile(
    r"\b(?:answer|result|solution)\b(?: to [^.:\n]{1,60}| of [^.:\n]{1,60})?(?: is| are| =|:)(?: therefore| thus)?[: ]*"
    r"(\S[^\n]*)",
    re.IGNORECASE,
)
_VALUE = r"[-+\u2212]?[$\u20ac\u00a3]?\d[\d,.]*(?:/\d+)?\s?(?:%|\u00b0|[a-zA-Z]{1,3}\u00b2?)?"
_LETTER = r"\(?[A-Ja-j]\)"
_ALONE = re.compile(rf"(?:{_VALUE}|{_LETTER}|[A-J])\.?")
"""A line that is a number or a letter."""
_LABELLED = re.compile(rf"[^:\uff1a\n]{{1,30}}[:\uff1a]\s*({_VALUE}|{_LETTER}|[A-J])\.?")
"""A line that names what the number or the letter at its end is."""
_DECORATION = re.compile(r"[*_`]{1,3}|\\\(|\\\)|\\\[|\\\]|\$\$?(?!\d)|\\(?:text|mathrm|mathbf)\{([^{}]*)\}")
"""Marks around a result."""


def results_of(outputs: Sequence[str]) -> tuple[str, ...]:
    """For each output the form of its result, empty where it has none; nothing at all unless most outputs have one.

    An output that is a result and nothing else counts as having one where others end in one.
    """
    found = [result_of(text) for text in outputs]
    reasoned = sum(map(bool, found))
    filled = [place for place, text in enumerate(outputs) if text.strip()]
    if not reasoned:
        return ()
    found = [result or _whole(text) for result, text in zip(found, outputs, strict=True)]
    known = sum(1 for place in filled if found[place])
    return tuple(found) if known >= 2 and 2 * known > len(filled) else ()


def result_of(text: str) -> str:
    r"""The form of the result that an output ends in, or the empty text.

    In this order: `\boxed{…}`, `#### …`, "The answer is …", a last line that is a number or a letter after other lines.
    """
    tail = text.rstrip()[-_TAIL:]
    found = _boxed(text) or _last(_HASHES.findall(tail)) or _stated(tail) or _last_line(tail)
    form = _plain(found)
    return form if len(form.split()) <= _MOST_WORDS else ""


def _boxed(text: str) -> str:
    at = text.rfind(_BOXED)
    if at < 0:
        return ""
    depth, start = 1, at + len(_BOXED)
    for place in range(start, min(len(text), start + _TAIL)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return text[start:place]
    return ""


def _last(found: Sequence[str]) -> str:
    return found[-1] if found else ""


def _stated(tail: str) -> str:
    """What the last sentence that states an answer says it is."""
    plain = _DECORATION.sub(r"\1", tail)
    found = _last(_ANSWER_IS.findall(plain))
    if not found:
        return ""
    sentence = re.split(r"(?<=[^\d.])\.(?:\s|$)|(?<=\d)\.(?:\s|$)|[!?](?:\s|$)", found, maxsplit=1)[0]
    return sentence if len(sentence.split()) <= _MOST_WORDS else ""


def _last_line(tail: str) -> str:
    lines = [line.strip() for line in _DECORATION.sub(r"\1", tail).splitlines() if line.strip()]
    if len(lines) < 2:
        return ""
    if labelled := _LABELLED.fullmatch(lines[-1]):
        return labelled[1]
    # a list of numbers has no result: its last one is like the one before
    return lines[-1] if _ALONE.fullmatch(lines[-1]) and not _ALONE.fullmatch(lines[-2]) else ""


def _whole(text: str) -> str:
    form = _plain(text)
    return form if len(form.split()) <= _MOST_WORDS and "\n" not in text.strip() else ""


def _plain(text: str) -> str:
    """A result without what makes no difference: marks around it, a unit of money, an article, "x =" before it."""
    plain = _DECORATION.sub(r"\1", text).strip()
    form = answer_form(re.sub(r"^(?:[a-zA-Z]\s*=\s*|(?:the|a|an)\s+)", "", plain, flags=re.IGNORECASE))
    return re.sub(r"^[$\u20ac\u00a3]\s?(?=\d)|(?<=\d)\.0+$", "", form).strip("()[]. ")
