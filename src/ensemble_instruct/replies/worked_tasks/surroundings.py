"""What stands between worked examples and behind the last one: `Example 2:`, rules, an offer of more examples."""

from __future__ import annotations

import re
from collections.abc import Callable

from ensemble_instruct.replies.answers.framing import without_closing

_MARKUP = "*_#>` \t"
_HEADING = re.compile(
    r"(?:(?:worked|another|further|additional|next|new|sample|first|second|third)\s)?(?:example|sample|test case)"
    r"(?P<number>\s?(?:#|no\.?\s?)?\d{1,3})?(?:\s?[:\uff1a.])?|\(?\d{1,3}[.)]|.{0,80}\bexamples?\b.{0,40}[:\uff1a]",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s*(?:(?:-\s?){3,80}|(?:\*\s?){3,80})")
_LONGEST = 160
_MOST_LINES = 40
"""How many lines at the end of a text may announce the next example."""
_ASKS_ON = re.compile(
    r"\W*(?:i'?m |i am )?(?:ready|please|what|give|provide|send|share|you (?:can|may)|go ahead|now)\b[^\n]{0,60}"
    r"\b(?:next|another|new) (?:task|instruction|example|prompt|one)\b[^\n]{0,40}",
    re.IGNORECASE,
)
"""A model that was shown several tasks asks for the next one."""
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_MOST_REMARKS = 3
_LOOKED_AT = 4000
"""Characters of a task that tell what it asks for."""


def are_example_lines(text: str) -> bool:
    """Whether each line is blank or only says that an example follows."""
    return all(not line.strip() or _is_example_line(line) for line in text.split("\n"))


def without_example_lines(text: str) -> str:
    """Without the lines at the end that only say that an example follows.

    Those that hold no number must stand apart, and be more than the whole text. The first line is never one.
    """
    return _without_last(text, _is_example_line)


def without_rules(text: str) -> str:
    """Without the rules at the end that stand apart."""
    return _without_last(text, _is_rule)


def without_closing_remarks(output: str, task: str, *, is_framed: bool) -> tuple[str, bool]:
    """(an output without last paragraphs that only offer more help, or ask for more; whether there were any).

    `is_framed` says that the model's own words stand before the example, too.
    """
    left = output
    for _ in range(_MOST_REMARKS):
        cut = without_closing(left, task[:_LOOKED_AT], is_framed=is_framed)
        shorter = _before_request(left) if cut is None else cut.text
        if not shorter or not _BLANK_LINE.search(left, len(shorter)):
            break
        left = shorter
    return left, left != output


def _before_request(text: str) -> str:
    """What stands before a last paragraph that asks for the next task; nothing where there is none."""
    start = text.rfind("\n\n")
    return text[:start].rstrip() if start > 0 and _ASKS_ON.fullmatch(text[start:].strip()) else ""


def _without_last(text: str, is_outside: Callable[[str], bool]) -> str:
    lines = text.rstrip().split("\n")
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    kept = last = len(lines)
    fewest = max(1, last - _MOST_LINES)
    while last > fewest and (not lines[last - 1].strip() or is_outside(lines[last - 1])):
        last -= 1
        if _is_numbered(lines[last]) or (first < last and not lines[last].strip()):
            kept = last
    return "\n".join(lines[:kept])


def _is_rule(line: str) -> bool:
    return len(line) <= _LONGEST and _RULE.fullmatch(line) is not None


def _is_example_line(line: str) -> bool:
    return _is_rule(line) or (len(line) <= _LONGEST and _HEADING.fullmatch(line.strip(_MARKUP)) is not None)


def _is_numbered(line: str) -> bool:
    heading = _HEADING.fullmatch(line.strip(_MARKUP)) if len(line) <= _LONGEST else None
    return heading is not None and heading["number"] is not None
