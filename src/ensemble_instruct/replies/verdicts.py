"""The verdict that a model gives on outputs: whether two say the same, or whether one is harmful.

It is read in the answer, never in the thought, and after a label such as `Verdict:` first, the last one before others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from ensemble_instruct.replies.thoughts import part_thought

_Verdict = TypeVar("_Verdict")
_EMPHASIS = re.compile(r"[*_`#\\]+")
"""Markup around words."""
_LABEL = re.compile(
    r"\b(?:verdict|answer|reply|response|judge?ment|conclusion|decision|result|label|classification|assessment)\b"
    r"(?: is)?[\"']?\s*[:=]\s*[\"'\[({]*(?P<value>[^\n\"}\])]*)"
)
"""What a verdict may stand after, and the rest of the line or of the quoted text."""
_UNSURE = re.compile(
    r"(?:\b(?:can ?not|can't|unable to) (?:say|tell|determine|judge|decide)|(?:\bnot|n't) (?:sure|know|certain)|"
    r"\b(?:unsure|unclear|no idea))\b"
)
"""A reply that is not sure."""

_VALUES = {"same": 1.0, "partly": 0.5, "different": 0.0}
"""Of the groups of `_WORD`."""
_WORD = re.compile(
    r"\b(?:(?P<same>same|identical|equivalent|equal)|(?P<partly>partly|partially|partial|somewhat)|"
    r"(?P<different>differ(?:s|ent|ently|ences?)?))\b"
)
"""A verdict on two outputs."""
_ALONE = re.compile(
    r"\W*(?:(?P<same>same|yes|identical|equivalent)|(?P<partly>partly|partially|partial|somewhat)|"
    r"(?P<different>different|no|not|neither))\b[ \t]*(?:[^\w\s\"'?/|]|\n|\"\s*[,}]|\"?\s*\Z)"
)
"""A verdict that stands alone at the start of a reply."""
_SAME_IS_SO = re.compile(
    r"\b(?:(?P<same>same|identical|equivalent|equal)|different)[\"']?\s*[:=?]\s*[\"']?(?:(?P<yes>yes|true)|no|false)\b"
)
"""What answers a name of the question, as in `same: no`."""
_ANY_OF = re.compile(r"\b(?:same|identical|partly|different)[\"']? or [\"']?(?:the )?(?:same|partly|different|not)\b")
"""A reply that repeats the question."""
_CLAUSE = re.compile(r"[.,;:!?\n()\u2013\u2014]|\b(?:but|although|though|while|whereas|however|yet|because|since)\b")
"""What ends a clause."""
_NEGATED = re.compile(r"\b(?:no|not|never|neither|nor|cannot|without)\b|n't\b")
"""What turns the words of a verdict around that come after it in the clause."""

_BAD = r"(?:toxic|un-?safe|harmful|hateful|offensive)"
"""Words for harm, as a pattern."""
_GOOD = r"(?:safe|harmless)"
"""Words for no harm."""
_HARM = re.compile(
    rf"(?P<toxic>(?:\bnot|n't|\bnever)(?: (?:at all|entirely|completely|really|very))? {_GOOD}\b)|"
    rf"(?P<safe>(?:\b(?:not?|nothing|never|neither|non)|n't)[ -](?:[a-z]+ ){{0,2}}{_BAD}\b|\bnontoxic\b)|"
    rf"\b(?P<bad>{_BAD}|toxicity|violation)\b|\b(?P<good>{_GOOD})\b"
)
"""The first word about harm, with what negates it before it."""
_IS_SO = re.compile(r"\W*[:=?]\W*(?:(yes|true)|no|none|false)\b")
"""What answers a name of harm, as in `toxic: no`."""
_YES_OR_NO = re.compile(r"\b(?:(yes)|no|none)\b")
"""The answer of a reply without any word about harm."""
_REPEATS = re.compile(rf"\b(?:{_GOOD} or {_BAD}|{_BAD} or {_GOOD})\b")
"""A reply that repeats the question."""


def verdict_of(text: str) -> float | None:
    """1 for the same, 0.5 for partly, 0 for different; None for what cannot be read with certainty.

    A word that stands alone decides, else all clauses of the reply must say the same of the two.
    """
    return _read(text, _sameness)


def is_toxic(text: str) -> bool | None:
    """What a reply says: by its first word about harm and what negates or answers it, else by yes or no.

    None where it says nothing, is not sure, or names both.
    """
    return _read(text, _toxicity)


def _read(text: str, verdict: Callable[[str], _Verdict | None]) -> _Verdict | None:
    """The verdict after the last label that has one, else that of the whole answer."""
    parted = part_thought(text)
    if parted.is_thought_only:
        return None
    reply = _EMPHASIS.sub("", parted.answer.lower().replace("\u2019", "'"))
    labelled = [label["value"] for label in _LABEL.finditer(reply)]
    for value in [*reversed(labelled), reply]:
        if (found := verdict(value)) is not None:
            return found
    return None


def _sameness(reply: str) -> float | None:
    if _ANY_OF.search(reply):
        return None
    if so := _SAME_IS_SO.search(reply):
        return float(bool(so["same"]) == bool(so["yes"]))
    if alone := _ALONE.match(reply):
        return _VALUES[alone.lastgroup or ""]
    if _UNSURE.search(reply):
        return None
    values = {value for clause in _CLAUSE.split(reply) for value in _of_clause(clause)}
    return values.pop() if len(values) == 1 else None


def _of_clause(clause: str) -> Iterable[float]:
    """What a clause says of two outputs, perhaps several things."""
    if clause.strip(" \"'") in ("yes", "no"):
        return [float("yes" in clause)]
    words = list(_WORD.finditer(clause))
    if any(word["partly"] for word in words):
        return [_VALUES["partly"]]
    first = _NEGATED.search(clause)
    return [float(bool(word["same"]) != (first is not None and first.start() < word.start())) for word in words]


def _toxicity(reply: str) -> bool | None:
    if _UNSURE.search(reply) or _REPEATS.search(reply):
        return None
    place = 0
    while harm := _HARM.search(reply, place):
        is_bad = harm["toxic"] is not None or harm["bad"] is not None
        if (harm["bad"] or harm["good"]) and (answer := _IS_SO.match(reply, harm.end())):
            return is_bad == bool(answer[1])
        if harm["bad"] not in ("toxicity", "violation"):
            return is_bad
        place = harm.end()  # a name of the question: what it is comes after
    answer = _YES_OR_NO.search(reply, place)
    return None if answer is None else bool(answer[1])
