"""What a quality filter found in a text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hit:
    """What a quality filter found in a text: the reason for a drop, and its detail."""

    reason: str
    detail: str
