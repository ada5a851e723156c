"""The training corpus: documents in the prompt formats of steps 1, 2 and 4, made from the toy families.

All is a function of the random generator; nothing is read from anywhere. Only training wordings and
training values occur.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from ensemble_instruct.demo.tasks import FAMILIES, families_of
from ensemble_instruct.demo.tasks.families import Family, Task, make_task
from ensemble_instruct.prompts.completions import HEADING, instances_template, outputs_prompt
from ensemble_instruct.records import KINDS, Demonstration

LISTS = 0.4
"""Share of the documents of `tiny-base` that are lists of step 1; the others are blocks of step 2."""
RARE = 0.3
"""How often a family of a model's weak third comes, compared with the others."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of the training data a model sees: its wordings, and the third of the families it sees rarely."""

    weak_third: int
    left_out: tuple[int, ...] = ()
    """Places of the wordings, of every family, that it does not see."""

    def wordings(self, family: Family) -> tuple[str, ...]:
        """The wordings of a family that belong to the share."""
        return tuple(text for place, text in enumerate(family.wordings) if place not in self.left_out)

    def weights(self, families: tuple[Family, ...]) -> list[float]:
        """How often each family comes, relative to the others."""
        return [RARE if FAMILIES.index(family) % 3 == self.weak_third else 1.0 for family in families]


SHARES = {
    "tiny-base": Share(weak_third=2),
    "tiny-a": Share(weak_third=0, left_out=(3, 8)),
    "tiny-b": Share(weak_third=1, left_out=(1, 6)),
}


def tasks(rng: Random, share: Share, families: tuple[Family, ...] = FAMILIES) -> Iterator[Task]:
    """Training tasks without end."""
    weights = share.weights(families)
    while True:
        (family,) = rng.choices(families, weights)
        yield make_task(family, rng, wordings=share.wordings(family))


def answer_pairs(rng: Random, share: Share) -> Iterator[tuple[str, str]]:
    """(prompt of step 4, answer) without end."""
    for task in tasks(rng, share):
        yield outputs_prompt(task.instruction, task.input), task.output


def documents(rng: Random, share: Share) -> Iterator[str]:
    """Documents of `tiny-base` without end: lists of tasks as in step 1, worked examples as in step 2."""
    sources = {kind: tasks(rng, share, families_of(kind)) for kind in KINDS}
    while True:
        kind = rng.choice(KINDS)
        source = sources[kind]
        if rng.random() < LISTS:
            items = dict.fromkeys(next(source).instruction for _ in range(rng.randint(8, 24)))
            yield HEADING + "".join(f"{place}. {text}\n" for place, text in enumerate(items, start=1)) + "\n"
        else:
            worked = [next(source) for _ in range(rng.randint(4, 10))]
            shown = [Demonstration(task.instruction, task.input, task.output) for task in worked]
            yield instances_template(kind, shown, "default").text.removesuffix("instruction:")
