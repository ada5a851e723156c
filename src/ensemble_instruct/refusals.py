"""Outputs that are no answer, or only half of one: refusals, and code blocks that are not closed."""

from __future__ import annotations

import re

from ensemble_instruct.ballots import Hit

REFUSAL, CODE_FENCES = "refusal", "code_fences"
_SHOWN = 120
"""Characters of a refusal that a drop shows."""
_VERB = (
    r"(?:accept|access|accommodate|advise|answer|anal[yi][sz]e|assist|browse|comply|complete|continue|create|describe|"
    r"determine|discuss|display|do (?:that|this|so|what|it)|draw|engage|execute|find|fulfil+|generate|give|handle|help|"
    r"identify|make|offer|open|perform|predict|process|produce|promote|provide|read|recommend|respond|satisfy|search|"
    r"see|share|show|suggest|summari[sz]e|support|tell|translate|understand|use|view|watch|write)"
)
_CANNOT = (
    r"(?:(?:can ?not|can't|won't|will not|could not|couldn't|am (?:not able|unable) to|'m (?:not able|unable) to|"
    r"(?:must|have to) decline to)(?: \w+ly)? (?:be able to )?"
    + _VERB
    + r"|(?:do not|don't) have (?:access|(?:the|an) "
    r"(?:ability|information|image|text|personal|real))|(?:must|have to) (?:decline|refuse)|am not programmed)"
)
_SORRY = (
    r"(?:(?:i'm|i am|we're|we are)(?: \w+)? (?:sorry|afraid)|sorry|(?:i|we)(?: \w+)? apologi[sz]e|"
    r"(?:my |our )?(?:sincere )?apologies|unfortunately|regrettably)"
)
_REFUSALS = tuple(
    re.compile(rf"\s*(?:{pattern})", re.IGNORECASE)
    for pattern in (
        r"as an? (?:ai|artificial intelligence|(?:large )?language model)(?:[- ](?:powered|based))?"
        r"(?: (?:language|chat|text))?(?: ?(?:model|assistant|bot|system|chatbot|program))?"
        r"(?: (?:developed|created|trained|made) by \w+)?,? (?:i\b|my\b|it(?: is|'s) (?:not|against|im))",
        rf"{_SORRY}\b[^.!?\n\"]{{0,60}}?\bi ?{_CANNOT}",
        rf"i ?{_CANNOT} (?:\w+ )?(?:with|your|this|that|you|any|the|to|on|about)\b[^.\n]{{0,60}}"
        r"\b(?:request|question|task|topic|content|conversation|that|this|ai|image|information)\b",
        r"i (?:do not|don't) have (?:access to )?"
        r"(?:real[- ]time|personal (?:opinions|feelings|experiences)|the internet)\b",
        r"i'm (?:just |only )?an? (?:ai|language model)\b[^.\n]{0,60}\b(?:can't|can ?not|not able|unable|don't)\b",
        r"(?:als|ich bin (?:nur )?ein(?:e)?) (?:ki|künstliche intelligenz|sprachmodell|ki-\w+)\b[^.\n]{0,60}\bnicht\b",
        r"(?:es )?tut mir leid,?(?: aber)? (?:ich kann|das kann ich|dabei kann ich|ich bin)\b[^.\n]{0,60}\bnicht\b",
        r"(?:en tant qu['e] ?(?:ia|intelligence artificielle|modèle de langage|assistant ia)\b)",
        r"(?:je suis )?désolée?,?(?: mais)? je (?:ne (?:peux|suis|puis)|n'ai)\b",
        r"como (?:una? )?(?:ia|inteligencia artificial|modelo de (?:lenguaje|ia)|asistente de ia)\b",
        r"lo siento,?(?: pero)? no (?:puedo|tengo)\b",
    )
)
_ASKS_FOR_ONE = re.compile(
    r"\b(?:declin|refus|reject|apolog|sorry|regret|turn(?:s|ed|ing)? down|say(?:s|ing)? no\b|as an ai\b|"
    r"i can(?:no|')t)",
    re.IGNORECASE,
)
_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})(.*)")


def refusal_hit(text: str, task: str) -> Hit | None:
    """A hit where an output begins as a refusal, unless the task itself is about declining or an apology.

    Only the beginning counts, so a story that quotes one is none. Known are the ways that models put it in English, and
    the most common in German, French and Spanish.
    """
    beginning = text[:400].replace("\u2019", "'")
    if not any(pattern.match(beginning) for pattern in _REFUSALS) or _ASKS_FOR_ONE.search(task.replace("\u2019", "'")):
        return None
    return Hit(REFUSAL, " ".join(text.split())[:_SHOWN])


def code_fences_hit(text: str) -> Hit | None:
    """A hit where a fenced code block (``` or ~~~, as Markdown has it) is not closed."""
    opened, at = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        found = _FENCE.fullmatch(line.rstrip("\r"))
        if found is None:
            continue
        fence, rest = found.groups()
        if not opened:
            if not (fence[0] == "`" and "`" in rest):
                opened, at = fence, number
        elif fence.startswith(opened) and not rest.strip():
            opened = ""
    return Hit(CODE_FENCES, f"line {at} opens a code block that is not closed") if opened else None
