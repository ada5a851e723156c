"""Outputs that decline to answer, by how they begin, in the languages in which models do so most."""

from __future__ import annotations

import re

from ensemble_instruct.quality.hit import Hit
from ensemble_instruct.quality.refusal_phrases import OPENING, REFUSES, SPEAKS_AS_ONE

REFUSAL = "refusal"
"""The reason of these drops."""
_LOOKED_AT = 400
"""Characters of an output that are looked at."""
_SHOWN = 120
"""Characters of a refusal that a drop shows."""


def _beginning(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"{OPENING}{{0,2}}(?:{'|'.join(f'(?:{pattern})' for pattern in patterns)})", re.IGNORECASE)


_SPOKEN_AS_ONE = _beginning(SPEAKS_AS_ONE)
"""A text in which a machine says that it is one."""
_REFUSED = _beginning(REFUSES)
"""A text that declines."""
_LABEL = re.compile(r"(?:[\s*_#>]|(?:output|assistant|answer|response|ai)\s*:)+", re.IGNORECASE)
"""What may come before an answer: its name, and marks of emphasis, headings and lists."""
_SENTENCE = re.compile(r"(?:^|(?<=[.!?:\n\"'\u201c\u00ab]))[\s\"'\u201c\u00ab]*", re.MULTILINE)
"""Where a sentence begins, or something in quotation marks."""
_ASKS_FOR_ONE = re.compile(
    r"\b(?:declin|refus|reject|apolog|sorry|regret|turn(?:s|ed|ing)? (?:\w+ )?down|say(?:s|ing)? no\b)", re.IGNORECASE
)
"""Words of a task that asks for a refusal or an apology."""
_MACHINE = re.compile(r"\b(?:ai|artificial intelligence|robot|android|machine|computer|chatbot)s?\b", re.IGNORECASE)
"""Words of a task that is about a machine."""
_ASKS_TO_SPEAK_AS_ONE = re.compile(
    r"\b(?:perspective|point of view|viewpoint|first[- ]person|monologue|speech|stor(?:y|ies)|poem|pretend|imagine|"
    r"role|persona|dialogue|diary|letter|voice of|narrat\w+|introduce)\b",
    re.IGNORECASE,
)


def refusal_hit(text: str, task: str) -> Hit | None:
    """A hit where an output begins as a refusal, or says that a machine speaks, unless the task asks for that.

    Only the beginning counts, so a story that quotes a refusal is not a hit. A task asks for a refusal if it speaks of
    declining or of an apology, or holds a refusal itself, which may be to translate or to rewrite.
    """
    beginning = _bare(text)
    refuses = _REFUSED.match(beginning) is not None
    if not refuses and (_SPOKEN_AS_ONE.match(beginning) is None or _is_for_a_machine(task)):
        return None
    return None if _is_about_refusing(task) else Hit(REFUSAL, " ".join(text.split())[:_SHOWN])


def _bare(text: str) -> str:
    """How a text begins, without labels, emphasis, and quotation marks around all of it."""
    whole = text.strip()
    if (
        len(whole) > 1
        and whole[0] in '"\u201c'
        and whole[-1] in '"\u201d'
        and not re.search('["\u201c\u201d]', whole[1:-1])
    ):
        whole = whole[1:-1]
    beginning = whole[:_LOOKED_AT].replace("\u2019", "'")
    label = _LABEL.match(beginning)
    return beginning[label.end() :] if label else beginning


def _is_for_a_machine(task: str) -> bool:
    return _MACHINE.search(task) is not None and _ASKS_TO_SPEAK_AS_ONE.search(task) is not None


def _is_about_refusing(task: str) -> bool:
    task = task.replace("\u2019", "'")
    if _ASKS_FOR_ONE.search(task):
        return True
    starts = [match.end() for match in _SENTENCE.finditer(task)]
    return any(pattern.match(task, start) for start in starts for pattern in (_REFUSED, _SPOKEN_AS_ONE))
