"""Voters that speak about what a task is about, some of them much and some little: rows for the strategy `vouched`."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from ensemble_instruct.records import Answered, Candidate, Instance, Kind

Row = dict[str, str]
Speaker = Callable[[int, Row], str]
"""What a further voter says in a row, from its number and what the others say there."""

_SYLLABLES = "ba de fi go lu mo na pe ri so tu ve wa xo zi ka".split()  # noqa: SIM905
_POINTS = 40
"""Words that belong to the topic of a row."""


def tasks(rows: int) -> list[str]:
    """The instructions of so many rows."""
    return [f"Explain {' '.join(topic(number)[:3])}." for number in range(rows)]


def topic(number: int) -> list[str]:
    """The words that belong to a row."""
    drawing = random.Random(f"topic {number}")
    return ["".join(drawing.choices(_SYLLABLES, k=3)) for _ in range(_POINTS)]


def speech(name: str, number: int, share: float) -> str:
    """What a voter says in a row that knows a share of what belongs to it, in sentences that keep to the topic."""
    drawing, words = random.Random(f"{name} {number}"), topic(number)
    known = [word for word in words if drawing.random() < share] or words[:1]
    own = ["".join(drawing.choices(_SYLLABLES, k=4)) for _ in range(5)]
    points = [*known, *own]
    drawing.shuffle(points)
    sentences = (f"{point} is a {drawing.choice(known)} of {words[place % 3]}." for place, point in enumerate(points))
    return " ".join(sentences)


def spoken(shares: Mapping[str, float], rows: int = 40, /, **others: Speaker) -> list[Row]:
    """The outputs of some voters by what share they know, and of others by what they make of that."""
    made = []
    for number in range(rows):
        row = {name: speech(name, number, share) for name, share in shares.items()}
        made.append(row | {name: say(number, row) for name, say in others.items()})
    return made


def answered(rows: list[Row], instructions: list[str] | None = None) -> list[Answered]:
    """The same as step 5 reads them; the first voter of a row owns its instance."""
    made = []
    for number, (row, task) in enumerate(zip(rows, instructions or tasks(len(rows)), strict=True)):
        (_, own), *rest = row.items()
        kind: Kind = "output_only" if number % 2 else "input_output"
        instance = Instance(kind=kind, instruction=task, input="" if number % 2 else "x", output=own)
        made.append(Answered(instance, tuple(Candidate(instance.id, name, text) for name, text in rest)))
    return made
