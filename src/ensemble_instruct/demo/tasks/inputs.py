"""The inputs of the tasks on lists and single values, and what is read out of them."""

from __future__ import annotations

import re
from random import Random

from ensemble_instruct.demo.tasks.families import Values
from ensemble_instruct.demo.tasks.words import COLOURS, GROUPS, UNITS, WORDS

LIST_GROUPS = {name: words for name, words in GROUPS.items() if name != "object"}
"""The groups of which a list has one word."""


def listed(rng: Random, _values: Values) -> str:
    """Three or four different words with commas between them."""
    return ", ".join(rng.sample(WORDS, rng.randint(3, 4)))


def numbers(rng: Random, _values: Values) -> str:
    """Three or four different numbers with commas between them."""
    return ", ".join(map(str, rng.sample(range(2, 100), rng.randint(3, 4))))


def numbers_in(task_input: str) -> list[int]:
    """The numbers of a list."""
    return [int(part) for part in task_input.split(", ")]


def one_different(rng: Random, _values: Values) -> str:
    """Three words of one group and one of another."""
    usual, other = rng.sample(tuple(GROUPS.values()), 2)
    words = rng.sample(usual, 3)
    words.insert(rng.randint(0, 3), rng.choice(other))
    return ", ".join(words)


def group_of(word: str) -> str:
    """The name of the group that a word belongs to."""
    (name,) = (name for name, words in GROUPS.items() if word in words)
    return name


def odd_one_in(task_input: str) -> str:
    """The word of a list whose group no other has."""
    words = task_input.split(", ")
    groups = [group_of(word) for word in words]
    (odd,) = (word for word, name in zip(words, groups, strict=True) if groups.count(name) == 1)
    return odd


def longest_in(task_input: str) -> str:
    """The word with the most letters; `ValueError` when there are two."""
    words = sorted(task_input.split(", "), key=len)
    if len(words[-1]) == len(words[-2]):
        raise ValueError
    return words[-1]


def name_after(names: tuple[str, ...], name: str, steps: int) -> str:
    """The name that many steps after `name`; after the last comes the first."""
    return names[(names.index(name) + steps) % len(names)]


def one_of_group(rng: Random, values: Values) -> str:
    """A list with exactly one word of the group that is asked for."""
    wanted = LIST_GROUPS[values["group"]]
    words = rng.sample([word for word in WORDS if word not in wanted], rng.randint(2, 3))
    words.insert(rng.randint(0, len(words)), rng.choice(wanted))
    return ", ".join(words)


def match_in(values: Values, task_input: str) -> str:
    """The word of a list that belongs to the group that is asked for."""
    (match,) = (word for word in task_input.split(", ") if word in LIST_GROUPS[values["group"]])
    return match


def colour_in(task_input: str) -> str:
    """The one colour in a sentence."""
    only: str
    (only,) = (word for word in re.findall(r"\w+", task_input) if word in COLOURS)
    return only


def two_in(task_input: str) -> tuple[int, int]:
    """The two numbers in a text."""
    first, second = re.findall(r"\d+", task_input)
    return int(first), int(second)


def converted(values: Values, task_input: str) -> str:
    """An amount in the other unit; `ValueError` where the units do not belong together."""
    target, factor = UNITS[values["unit"]]
    if target != values["target"]:
        raise ValueError
    return str(int(task_input) * factor)
