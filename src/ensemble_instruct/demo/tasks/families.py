"""What a family of toy tasks is: wordings with slots, values from a random generator, and the one right answer.

The wordings are the only description of a family's instructions: the same text makes them and, as a regular
expression, reads the values back out of an instruction, also out of one that a model composed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from random import Random
from string import Formatter

from ensemble_instruct.records import Kind

Values = Mapping[str, str]
"""The values in the slots of an instruction, by the slots' names."""
UNSEEN_SHARE = 10
"""One in this many values of an open family is held out of training."""

OPENINGS = (
    "Here is a small exercise.",
    "My teacher gave me this question.",
    "Please help me with a riddle.",
    "A task for the morning round.",
    "We play a quiz at home.",
    "Let us practise once more.",
    "Imagine you run a help desk.",
    "Someone in my class asked this.",
    "Now comes something easy.",
    "This one is for beginners.",
)
"""Sentences that may come before the task itself."""
ENDINGS = (
    "Give only the result.",
    "Answer with nothing else.",
    "Keep the reply short.",
    "No explanation is needed.",
    "Thank you in advance.",
    "Check it before you reply.",
    "I will compare it with the solution.",
    "Take your time.",
)
"""Sentences that may come after it."""
_AROUND = re.compile(
    f"(?:(?:{'|'.join(map(re.escape, OPENINGS))}) )*(.+?)(?: (?:{'|'.join(map(re.escape, ENDINGS))}))*"
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a wording: how its value is made, and the regular expression of what it can be."""

    pattern: str
    make: Callable[[Random], str]


def number(low: int, high: int) -> Slot:
    """A whole number from `low` to `high`."""
    return Slot(r"\d+", lambda rng: str(rng.randint(low, high)))


def one_of(options: Iterable[str]) -> Slot:
    """One of some words or phrases."""
    choices = tuple(options)
    longest_first = sorted(choices, key=len, reverse=True)
    return Slot("|".join(map(re.escape, longest_first)), lambda rng: rng.choice(choices))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Family:
    """Tasks of one sort that have one right answer each.

    `answer` is a pure function of the slots' values and the input; it may raise `LookupError` or `ValueError` for an
    input that does not belong to the family.
    """

    name: str
    wordings: tuple[str, ...]
    """The wordings to train on, with slots in braces."""
    unseen_wordings: tuple[str, ...]
    """Wordings kept for evaluation: no document of the training corpus has them."""
    answer: Callable[[Values, str], str]
    make_input: Callable[[Random, Values], str] | None = None
    """None for tasks that have no input."""
    slots: Mapping[str, Slot] = field(default_factory=dict)
    closed: bool = False
    """Whether all values must be learned by heart, such as capital cities, so that none can be held out."""

    @property
    def kind(self) -> Kind:
        """`input_output` when the tasks have an input."""
        return "input_output" if self.make_input else "output_only"


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a family."""

    family: Family
    instruction: str
    input: str
    output: str


def make_task(family: Family, rng: Random, *, wordings: tuple[str, ...], unseen_values: bool = False) -> Task:
    """A task in one of the wordings, with values of the training share, or of the share held out.

    A closed family gives any of its values. The input never equals the answer but for case and punctuation.
    """
    while True:
        wording = rng.choice(wordings)
        values = {name: slot.make(rng) for name, slot in family.slots.items()}
        task_input = family.make_input(rng, values) if family.make_input else ""
        if not family.closed and unseen_values != held_out(family, values, task_input):
            continue
        try:
            output = family.answer(values, task_input)
        except (LookupError, ValueError):
            continue
        if _bare(task_input) != _bare(output):
            return Task(family, _around(wording.format_map(values), rng), task_input, output)


def held_out(family: Family, values: Values, task_input: str) -> bool:
    """Whether these values are kept for evaluation: a fixed tenth of them, by a hash."""
    text = "\n".join([family.name, *(f"{name}={values[name]}" for name in sorted(family.slots)), task_input])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") % UNSEEN_SHARE == 0


def answer_in(families: Iterable[Family], instruction: str, task_input: str) -> str | None:
    """The right answer by the first family that has a wording for the whole instruction; None for any other."""
    reading = read_instruction(families, instruction)
    if reading is None:
        return None
    family, values = reading
    if bool(task_input.strip()) != bool(family.make_input):
        return None
    try:
        return family.answer(values, task_input.strip()) or None
    except (LookupError, ValueError):
        return None


def read_instruction(families: Iterable[Family], instruction: str) -> tuple[Family, Values] | None:
    """The family whose wordings match the whole instruction, and the values in its slots."""
    if (core := _AROUND.fullmatch(" ".join(instruction.split()))) is None:
        return None
    for family in families:
        for pattern in _patterns(family):
            if match := pattern.fullmatch(core[1]):
                return family, match.groupdict()
    return None


def _around(text: str, rng: Random) -> str:
    """The task, a quarter of the time with a sentence before it, and a quarter of the time with one after it."""
    opening = f"{rng.choice(OPENINGS)} " if rng.random() < 0.25 else ""
    ending = f" {rng.choice(ENDINGS)}" if rng.random() < 0.25 else ""
    return opening + text + ending


def _bare(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


@cache
def _patterns(family: Family) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(_pattern(text, family.slots)) for text in family.wordings + family.unseen_wordings)


def _pattern(wording: str, slots: Mapping[str, Slot]) -> str:
    parts, seen = [], set()
    for literal, name, _, _ in Formatter().parse(wording):
        parts.append(re.escape(literal))
        if name:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{slots[name].pattern})")
            seen.add(name)
    return "".join(parts)
