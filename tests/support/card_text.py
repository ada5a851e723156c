"""What tests read of a card: its front matter, its sections, its tables."""

from __future__ import annotations

import re
from typing import Any

import yaml

FIELDS = re.compile(r"(?s)---\n(.*?)\n---\n")


def front(card: str) -> dict[str, Any]:
    found = FIELDS.match(card)
    assert found is not None
    values: dict[str, Any] = yaml.safe_load(found[1])
    return values


def section(card: str, heading: str) -> str:
    """The text under a heading, up to the next."""
    return card.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def table(text: str, first: str) -> list[list[str]]:
    """The rows of the Markdown table whose header begins so; a pipe that is escaped is none."""
    lines = text[text.index(f"\n| {first} |") + 1 :].strip().partition("\n\n")[0].split("\n")
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]
