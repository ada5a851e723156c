"""Outputs of which a code block is not closed: most were cut off, and none is shown as it was meant."""

from __future__ import annotations

import re

from ensemble_instruct.quality.hit import Hit

CODE_FENCES = "code_fences"
_FENCE = re.compile(r"(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*(`{3,}|~{3,})(.*)")
"""Markdown's, also in quotations and lists."""
_AFTER_WORDS = re.compile(r"[^`]*(?::[ \t]*(`{3,})[\w+#-]*|[ \t](`{3,})[\w+#-]+)[ \t]*")
"""One that begins at the end of a line of words: no fence for Markdown, but meant as one."""


def code_fences_hit(text: str) -> Hit | None:
    """A hit where a fenced code block (``` or ~~~, as Markdown has it) is not closed."""
    opened, at = "", 0
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        found = _FENCE.fullmatch(line)
        if not opened:
            if found and not (found[1][0] == "`" and "`" in found[2]):
                opened, at = found[1], number
            elif not found and (begun := _AFTER_WORDS.fullmatch(line)):
                opened, at = begun[1] or begun[2], number
        elif found and found[1].startswith(opened) and not found[2].strip():
            opened = ""
    return Hit(CODE_FENCES, f"line {at} opens a code block that is not closed") if opened else None
