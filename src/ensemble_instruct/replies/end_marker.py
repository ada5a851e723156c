"""The end marker `|EoS|` that the original's prompts teach: taken out here of what models and files say.

The default profile asks for none, but some models know it. The profile `published` leaves it where the original did.
"""

from __future__ import annotations

from ensemble_instruct.records import END_MARKER


def squeezed(text: str) -> str:
    """The text with each run of white space as one space, without any at the ends."""
    return " ".join(text.split())


def before_marker(text: str) -> tuple[str, bool]:
    """The text up to the first marker, and whether there is one: then the text is complete, whatever its length."""
    content, marker, _ = text.partition(END_MARKER)
    return content, bool(marker)


def without_marker(text: str) -> str:
    """The text on one line, with white space squeezed and each marker taken out."""
    return squeezed(text.replace(END_MARKER, " "))
