"""One bad voter more among some good ones, each bad in another way.

The voters of a subset have parts: the median is the one of median strength, the longest the one with the longest
outputs, the weakest the one of least strength (those that repeat themselves play neither of the last two). "Other rows"
are the rows that follow in a random order. An invented output is worth 0; one that is left whole keeps its worth.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from labelled_rows import Rows, Subset

EXTRA = "one more"
"""The name of the bad voter."""
OF_THE_MEDIAN = ("20 % broken", "40 % run on", "adds a weak voter's answer")
"""Ways that take the outputs of the median: they are compared with it as one voter more."""
_REPEATS = 0.3
_BOILERPLATE = (
    "\n\nI hope this helps! Please let me know if you have any other questions or need further information. As an AI "
    "language model, I strive to provide accurate and helpful answers, but you should always verify important facts "
    "with a trusted professional source before you act on them. Thank you for your question and have a wonderful day."
)
_REFUSAL = "I'm sorry, but as an AI language model I cannot help with that request."

Outputs = list[tuple[str, float]]
"""Texts with what they are worth, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays which part."""

    voters: tuple[str, ...]
    median: str
    longest: str
    weakest: str


def cast_of(rows: Rows, subset: Subset) -> Cast:
    """The parts of a subset."""
    voters = tuple(sorted({name for names in subset.voters for name in names}))
    strength = {name: standing.strength for name, standing in subset.learned().standings.items()}
    repetition: dict[str, list[float]] = {name: [] for name in voters}
    for names, ballot in zip(subset.voters, subset.by_text, strict=True):
        for name, own in zip(names, ballot.repetition, strict=True):
            repetition[name].append(own)
    sound = [name for name in voters if np.mean(repetition[name]) < _REPEATS] or list(voters)
    words = {name: sum(len(row["outputs"].get(name, "").split()) for row in rows) for name in voters}
    ranked = sorted(voters, key=strength.__getitem__)
    return Cast(
        voters,
        ranked[len(ranked) // 2],
        max(sound, key=words.__getitem__),
        min(sound, key=strength.__getitem__),
    )


def made(rows: Rows, cast: Cast) -> Mapping[str, Rows]:
    """For each way to be bad the rows of the subset with that voter added."""
    bad = _Bad(rows, cast)
    ways: dict[str, Callable[[int], tuple[str, float]]] = {
        "off topic": lambda i: (bad.longest(bad.other(i, 1)), 0),
        "refusing": lambda i: (_REFUSAL, 0),
        "empty": lambda i: ("", 0),
        "random words": bad.random_words,
        "repeats the instruction once": lambda i: (bad.task(i), 0),
        "repeats the instruction three times": lambda i: ("\n".join([bad.task(i)] * 3) + ".", 0),
        "runs on into further answers": lambda i: (bad.run_on(i), 0),
        "runs on into three further tasks": lambda i: (bad.further_tasks(i, 3), 0),
        "runs on into one further task": lambda i: (bad.further_tasks(i, 1), 0),
        "boilerplate": lambda i: (bad.median(i)[0] + _BOILERPLATE, 0),
        "a copy of the weakest": lambda i: bad.output(cast.weakest, i),
        OF_THE_MEDIAN[0]: lambda i: bad.broken(i, 0.2),
        OF_THE_MEDIAN[1]: lambda i: (bad.run_on(i), 0) if bad.chance(i) < 0.4 else bad.median(i),
        OF_THE_MEDIAN[2]: lambda i: (
            f"{bad.median(i)[0]}\n\n{bad.output(cast.weakest, i)[0]}",
            bad.median(i)[1],
        ),
    }
    found = {way: _added(rows, cast, [output(i) for i in range(len(rows))]) for way, output in ways.items()}
    one = [bad.longest(bad.other(i, 1)) for i in range(len(rows))]
    other = [" ".join(word for at, word in enumerate(text.split()) if at % 4 != 3) for text in one]
    found["two that collude"] = _added(rows, cast, [(text, 0) for text in one], [(text, 0) for text in other])
    return found


def doubled(rows: Rows, cast: Cast) -> Rows:
    """The rows of the subset with the median's own outputs added."""
    bad = _Bad(rows, cast)
    return _added(rows, cast, [bad.median(i) for i in range(len(rows))])


def _added(rows: Rows, cast: Cast, *extra: Outputs) -> Rows:
    found = []
    for i, row in enumerate(rows):
        outputs = {name: row["outputs"][name] for name in cast.voters if name in row["outputs"]}
        worth = {name: row["preference"][name] for name in outputs}
        for number, texts in enumerate(extra, start=1):
            outputs[f"{EXTRA} {number}"], worth[f"{EXTRA} {number}"] = texts[i]
        found.append(row | {"outputs": outputs, "preference": worth})
    return found


class _Bad:
    """The texts that bad outputs are made of."""

    def __init__(self, rows: Rows, cast: Cast) -> None:
        self._rows, self._cast = rows, cast
        order = list(range(len(rows)))
        random.Random(5).shuffle(order)
        self._order, self._place = order, {row: place for place, row in enumerate(order)}
        some = (row["outputs"].get(name, "") for row in rows[::7] for name in cast.voters)
        self._words = [word for text in some for word in text.split()]

    def output(self, voter: str, i: int) -> tuple[str, float]:
        row = self._rows[i]
        return row["outputs"].get(voter, ""), row["preference"].get(voter, 0.0)

    def median(self, i: int) -> tuple[str, float]:
        return self.output(self._cast.median, i)

    def longest(self, i: int) -> str:
        return self.output(self._cast.longest, i)[0]

    def other(self, i: int, steps: int) -> int:
        return self._order[(self._place[i] + steps) % len(self._order)]

    def task(self, i: int) -> str:
        return f"{self._rows[i]['instruction']}\n{self._rows[i]['input']}".strip()

    def chance(self, i: int) -> float:
        return random.Random(1000 + i).random()

    def random_words(self, i: int) -> tuple[str, float]:
        return " ".join(random.Random(i).choices(self._words, k=max(1, len(self.longest(i).split())))), 0.0

    def run_on(self, i: int) -> str:
        return "\n\n".join([self.median(i)[0], *(self.longest(self.other(i, steps)) for steps in (1, 2))])

    def further_tasks(self, i: int, number: int) -> str:
        others = [self.other(i, steps) for steps in range(1, number + 1)]
        answers = [f"\n\nInstruction: {self.task(at)}\nResponse: {self.longest(at)}" for at in others]
        return self.median(i)[0] + "".join(answers)

    def broken(self, i: int, share: float) -> tuple[str, float]:
        if self.chance(i) >= share:
            return self.median(i)
        return random.Random(2000 + i).choice(["", self.longest(self.other(i, 1)), self.run_on(i)]), 0.0
