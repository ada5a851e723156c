"""The result in which a long output ends: the number, letter or phrase that its reasoning leads to."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ensemble_instruct.agreement.answers.forms import answer_form
from ensemble_instruct.invisible import is_blank

_MOST_WORDS = 8
"""Of a result; what is longer is an explanation."""
_TAIL = 400
"""Characters at the end of an output in which its result is looked for."""
_LONGEST = 1000
"""Characters beyond which an output is no result and nothing else."""
_BOXED = "\\boxed{"
_VALUE = r"[-+\u2212]?(?:\\?[$\u20ac\u00a3])?\d[\d,.]*(?:/\d+)?\s?(?:\\?%|\u00b0|[a-zA-Z]{1,3}\u00b2?)?"
_LETTER = r"\(?[A-Ja-j]\)|[A-H]"
_END = r"[.\u3002\u06d4\u0964]?"
_ALONE = re.compile(rf"(?:{_VALUE}|{_LETTER}){_END}")
"""A line that is a number or a letter."""
_NUMBERED = re.compile(rf"[^:\uff1a\n]{{1,30}}[:\uff1a]\s*(?:{_VALUE}){_END}")
"""A line that says how much something is."""
_HASHES = re.compile(rf"^#### *({_VALUE}|{_LETTER})$", re.MULTILINE)
_LAST_HASHES = re.compile(r"(?:^|\s)#### *(\S[^\n#]*)\Z")
_ANSWER_IS = re.compile(r"\banswer\b(?: to [^.:\n]{1,60})?(?: is|:)(?: therefore| thus)?[: ]*(\S[^\n]*)", re.IGNORECASE)
_RESULT_IS = re.compile(
    rf"\b(?:answer|result|solution)\b(?: of [^.:\n]{{1,60}})?(?: is| =|:)(?: therefore| thus)?[: ]*"
    rf"({_VALUE}|(?-i:{_LETTER}))(?=[.!?,;]?(?:\s|$))",
    re.IGNORECASE,
)
_LABEL = (
    "answer|ans|result|solution|total|sum|antwort|lösung|ergebnis|summe|réponse|résultat|somme|respuesta|resultado|"
    "solución|suma|risposta|risultato|soluzione|somma|resposta|solução|soma|antwoord|svar|odpowiedź|wynik|odpověď|"
    "cevap|sonuç|răspuns|vastaus|válasz|jawaban|ответ|итог|итого|результат|решение|відповідь|απάντηση|תשובה|"
    "الجواب|الإجابة|النتيجة|پاسخ|उत्तर|정답|답"
)
_LABELLED = re.compile(
    rf"(?:(?:.*\s)?(?:{_LABEL})"
    r"(?:\s+(?:\w+\s+)?(?:is|ist|lautet|est|es|è|é)(?:\s+[^\W\d]+)?(?:\s*:|\s)|\s*[:=\uff1a])|"
    r".*(?:答案|结果|結果|答え?|正解)[为是は:\uff1a]*)"
    rf"\s*({_VALUE}|(?-i:{_LETTER}))(?:\u3067\u3059)?{_END}",
    re.IGNORECASE,
)
"""A last line that says in some language that the number or the letter at its end is the answer."""
_END_OF_LINE = 16
_AT_END = re.compile(r"\d|(?<![a-z])[a-j](?![a-z])", re.IGNORECASE)
"""What a line that ends in a number or a letter has among its last characters: most lines have none of it."""
_OF_ASCII = "".join(
    "0" if sign.isdigit() else "a" if sign in "abcdefghij" else "z" if sign.isalpha() else " "
    for sign in (chr(code).lower() for code in range(128))
)
"""For `str.translate`: a character for each sort, by which the same is cheaper to see."""
_NO_RESULT = re.compile(
    r"(?:not|that|to|in|on|at|by|because|it|there|we|you|they|i|he|she|if|when|very|quite|so|as|more|less|always|"
    r"blowing|simple|simply|complex|complicated|clear|unclear|obvious|different|found|hidden|given|up|yours)\b(?!$)",
    re.IGNORECASE,
)
"""What begins an explanation, not a result."""
_REASON = re.compile(r"\s*[,;(]?\s+(?:because|since|as|so|which|where|but|not)\s.*", re.IGNORECASE | re.DOTALL)
"""What follows a result."""
_OPTION = re.compile(
    r"(?:option|choice|letter)\s+(?=\(?[a-j]\)?$)|(?<=^\()([a-j])\).+|^([a-h])[).:]\s.+", re.IGNORECASE
)
"""The letter of an option, with words around it."""
_DECORATION = re.compile(
    r"(?<!\w)[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}(?!\w)|\\\(|\\\)|\\\[|\\\]|(?<!\\)\$\$?(?!\d)|"
    r"\\(?:text|mathrm|mathbf)\{([^{}]*)\}"
)
"""Marks around a result."""
_TEX = (
    (re.compile(r"\\[!,; ]|\{,\}(?=\d{3})"), ""),
    (re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"\1/\2"),
    (re.compile(r"\\([$%])"), r"\1"),
)
"""How a number is put in TeX, and in plain text."""
_AMOUNT = re.compile(r"-?\d+(?:\.\d+)?")
_UNIT = re.compile(
    r" (?!(?:hundred|thousand|million|billion|trillion|dozen|percent|per|or|and|to|plus|minus|times|more|less|over)\b)"
    r"[^\W\d_]+(?: [^\W\d_]+)?|\u00b0[cf]?"
)
"""What a number counts; not what makes another number of it."""


def results_of(outputs: Sequence[str], heard: Sequence[int] = ()) -> tuple[str, ...]:
    """For each output the form of its result, empty where it has none; nothing at all unless most outputs have one.

    An output that is a result and nothing else counts as having one where others end in one. Of which it must be most:
    of those in the places `heard`, or of all.
    """
    found = list(map(result_of, outputs))
    if not any(found):
        return ()
    filled = [place for place in heard or range(len(outputs)) if not is_blank(outputs[place])]
    if not any(found[place] for place in filled):
        return ()
    found = [result or _whole(text) for result, text in zip(found, outputs, strict=True)]
    known = sum(1 for place in filled if found[place])
    return tuple(found) if known >= 2 and 2 * known > len(filled) else ()


def is_same_result(one: str, other: str) -> bool:
    """Whether two results are the same; a number alone is the same number of something."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    return bool(_AMOUNT.fullmatch(short)) and long.startswith(short) and bool(_UNIT.fullmatch(long[len(short) :]))


def result_of(text: str) -> str:
    r"""The form of the result that an output ends in, or the empty text.

    In this order: `\boxed{…}`, `#### …`, "The answer is …", a last line that is a number or a letter after other lines.
    """
    tail = text.rstrip()[-_TAIL:]
    if not _may_have_one(text, tail):
        return ""
    plain = _undecorated(tail)
    found = _boxed(text) or _hashed(tail) or _stated(plain) or _last_line(plain)
    form = _plain(found) if found else ""
    return form if len(form.split()) <= _MOST_WORDS else ""


def _may_have_one(text: str, tail: str) -> bool:
    """Whether there may be a result: most texts have nothing of what would say so, which is cheap to see."""
    if _is_at_end(tail[-2 * _END_OF_LINE :]) or "####" in tail or _BOXED in text:
        return True
    lower = tail.lower()
    return "answer" in lower or "result" in lower or "solution" in lower


def _is_at_end(end: str) -> bool:
    """Whether there is a number or a letter by itself among the last characters of a line."""
    if not end.isascii():
        return _AT_END.search(end) is not None
    sorts = f" {end.translate(_OF_ASCII)} "
    return "0" in sorts or " a " in sorts


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


def _hashed(tail: str) -> str:
    return _last(_LAST_HASHES.findall(tail) or _HASHES.findall(tail)) if "####" in tail else ""


def _last(found: Sequence[str]) -> str:
    return found[-1] if found else ""


def _stated(plain: str) -> str:
    """What the last sentence that states an answer says it is."""
    lower = plain.lower()
    if "answer" not in lower and "result" not in lower and "solution" not in lower:
        return ""
    found = _last(_ANSWER_IS.findall(plain))
    if not found or _NO_RESULT.match(found):
        return _last(_RESULT_IS.findall(plain))
    sentence = re.split(r"(?<=[^\d.])\.(?:\s|$)|(?<=\d)\.(?:\s|$)|[!?](?:\s|$)", found, maxsplit=1)[0]
    return sentence if len(_REASON.sub("", sentence).split()) <= _MOST_WORDS else ""


def _last_line(plain: str) -> str:
    if not _is_at_end(plain.rstrip()[-_END_OF_LINE:]):
        return ""
    lines = ["", *(line.strip() for line in plain.splitlines() if line.strip())]
    if (labelled := _LABELLED.fullmatch(lines[-1])) and not _NUMBERED.fullmatch(lines[-2]):
        return labelled[1]
    # a list of numbers has no result: its last one is like the one before
    is_result = len(lines) > 2 and _ALONE.fullmatch(lines[-1]) and not _ALONE.fullmatch(lines[-2])
    return lines[-1] if is_result else ""


def _whole(text: str) -> str:
    is_long = len(text) > _LONGEST or "\n" in text.strip() or len(text.split()) > _MOST_WORDS
    return "" if is_long else _plain(text)


def _is_marked(text: str) -> bool:
    """Whether a text may have marks around a result; most have none of their characters, which is cheap to see."""
    return "*" in text or "_" in text or "`" in text or "\\" in text or "$" in text


def _undecorated(text: str) -> str:
    return _DECORATION.sub(r"\1", text) if _is_marked(text) else text


def _plain(text: str) -> str:
    """A result without what makes no difference: marks around it, a unit of money, an article, a reason after it."""
    plain = _REASON.sub("", _undecorated(text).strip())
    for put, plainly in _TEX:
        plain = put.sub(plainly, plain)
    plain = _OPTION.sub(r"\1\2", re.sub(r"^(?:[a-zA-Z]\s*=\s*|(?:the|a|an)\s+)", "", plain, flags=re.IGNORECASE))
    form = answer_form(re.sub(r"^[$\u20ac\u00a3]\s?(?=\d)", "", plain))
    return form.strip("()[]. ")
