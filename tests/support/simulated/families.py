"""What a family of simulated tasks is: wordings with slots, from which instructions are made and recognised.

The wordings are the only description of a family's instructions: the same text makes them and, as a regular
expression, reads their parameters back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from string import Formatter

from ensemble_instruct.records import Kind

Values = Mapping[str, str]
"""The parameters of an instruction, by slot."""

OPENINGS = (
    "Here is a short exercise for beginners. ",
    "My daughter needs help with her homework. ",
    "We are collecting questions for a quiz night. ",
    "You are a patient tutor at an evening school. ",
    "Imagine that you work behind a help desk. ",
    "I keep getting this kind of thing wrong. ",
    "This riddle comes from an old children's magazine. ",
    "A colleague just asked me something simple. ",
    "Quick check before the lesson starts. ",
    "Let us test how attentive you are. ",
    "On long train journeys we play guessing games. ",
    "Someone left this task on the blackboard. ",
    "Part of today's warm-up round: ",
    "For the weekly newsletter of our puzzle club, ",
    "Without any tool other than pencil and paper, ",
)
"""What may stand before the task itself. After `, ` and `: ` the task goes on in lower case."""
BARE_ENDINGS = (
    " Give only the result.",
    " Reply with nothing but the answer.",
    " No explanation is needed, the bare answer will do.",
    " Leave out every remark and greeting.",
)
"""What may stand after the task and asks for the answer without a sentence around it."""
PLAIN_ENDINGS = (
    " Keep it short.",
    " Check your work before you reply.",
    " Take your time and be accurate.",
    " I will compare it with the solution sheet.",
    " Thank you very much in advance.",
    " Everybody in the room should understand the reply.",
    " Two of my friends could not agree on it.",
    " There is exactly one correct solution.",
)
_SPLIT_WORDING = re.compile(
    f"(?:{'|'.join(map(re.escape, OPENINGS))})?(.+?)(?:{'|'.join(map(re.escape, BARE_ENDINGS + PLAIN_ENDINGS))})?"
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A parameter of an instruction: how it is made, and the regular expression of what it can be."""

    pattern: str
    make: Callable[[Random], str]


def number(low: int, high: int, step: int = 1) -> Slot:
    """A whole number from `low` to `high` in steps."""
    return Slot(r"\d+", lambda rng: str(rng.randrange(low, high + 1, step)))


def one_of(words: Iterable[str]) -> Slot:
    """One of the words, which may be phrases."""
    options = tuple(words)
    longest_first = sorted(options, key=len, reverse=True)
    return Slot("|".join(map(re.escape, longest_first)), lambda rng: rng.choice(options))


def listed(make: Callable[[Random], Sequence[str]]) -> Slot:
    """Words or numbers with commas between them."""
    return Slot(r"\w+(?:, \w+)+", lambda rng: ", ".join(make(rng)))


def _no_choices(_values: Values, _given: str) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Tasks of one sort that have one right answer each.

    `answer` may raise `LookupError` or `ValueError` for an input that is none of the family's. `choices` are the
    answers that could be mistaken for the right one; `sentence` is the answer as a full sentence.
    """

    name: str
    frames: tuple[str, ...]
    """The wordings: one or two sentences, the first in lower case, with slots in braces."""
    slots: Mapping[str, Slot]
    answer: Callable[[Values, str], str]
    make_input: Callable[[Random, Values], str] | None = None
    """None for tasks without input."""
    choices: Callable[[Values, str], Sequence[str]] = _no_choices
    sentence: str = ""

    @property
    def kind(self) -> Kind:
        """`input_output` when the tasks have an input."""
        return "input_output" if self.make_input else "output_only"

    def make_instruction(self, rng: Random) -> str:
        """An instruction in a random wording with random parameters."""
        frame = rng.choice(self.frames)
        task = frame.format_map({name: self.slots[name].make(rng) for name in slot_names(frame)})
        opening = rng.choice(OPENINGS) if rng.random() < 0.6 else ""
        ending = rng.choice(BARE_ENDINGS + PLAIN_ENDINGS) if rng.random() < 0.6 else ""
        if not opening.endswith((", ", ": ")):
            task = task[0].upper() + task[1:]
        return opening + task + ending


@dataclass(frozen=True, slots=True)
class Task:
    """A recognised instruction: its family and parameters."""

    family: Family
    values: Values
    bare: bool
    """Whether the instruction asks for the answer without a sentence around it."""

    def answer(self, given: str) -> str | None:
        """The right answer for an input, or None when the input does not fit the family."""
        try:
            return self.family.answer(self.values, given.strip())
        except (LookupError, ValueError):
            return None

    def choices(self, given: str) -> Sequence[str]:
        """The answers that could be mistaken for the right one."""
        return self.family.choices(self.values, given.strip())

    def sentence(self, answer: str) -> str:
        """The answer as a full sentence, where the family has one and the instruction allows it."""
        return answer if self.bare or not self.family.sentence else self.family.sentence.format(answer=answer)


def recognised(instruction: str, families: Iterable[Family]) -> Task | None:
    """The first family whose wordings match the whole instruction, or None."""
    instruction = instruction.strip()
    core = _SPLIT_WORDING.fullmatch(instruction)
    if core is None:
        return None
    text = core[1][0].lower() + core[1][1:]
    for family in families:
        for pattern in _patterns(family):
            if found := pattern.fullmatch(text):
                return Task(family, found.groupdict(), instruction.endswith(BARE_ENDINGS))
    return None


def slot_names(frame: str) -> list[str]:
    """The names of the slots of a wording, in order."""
    return [name for _, name, _, _ in Formatter().parse(frame) if name]


@cache
def _patterns(family: Family) -> tuple[re.Pattern[str], ...]:
    """The wordings as regular expressions with a group for each slot."""
    return tuple(re.compile(_frame_pattern(frame, family.slots)) for frame in family.frames)


def _frame_pattern(frame: str, slots: Mapping[str, Slot]) -> str:
    parts, seen = [], set()
    for literal, name, _, _ in Formatter().parse(frame):
        parts.append(re.escape(literal))
        if name:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{slots[name].pattern})")
            seen.add(name)
    return "".join(parts)
