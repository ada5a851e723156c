"""Labelled outputs of some models for `voters`: what both strategies choose in a subset, and texts in other letters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np

from ensemble_instruct.agreement.ballots import Ballot
from ensemble_instruct.agreement.choices import Choice, Question
from ensemble_instruct.agreement.evaluation import part_of
from ensemble_instruct.agreement.figures import NOBODY, Numbers
from ensemble_instruct.agreement.labelled import LabelledTasks
from ensemble_instruct.agreement.strategies import choose
from ensemble_instruct.agreement.task_ballots import as_task_asks
from ensemble_instruct.agreement.voters.learned import Voters, learn_voters
from ensemble_instruct.agreement.voters.standing import Standing, View
from ensemble_instruct.agreement.voters.tallies import VotedRow
from ensemble_instruct.records import Strategy

Rows = list[dict[str, Any]]
"""As `evaluate` reads them, with preferences."""

_SIGNS = 3000
"""Chinese characters that words are written in."""


@dataclass(slots=True)
class Subset:
    """What some models say, with the ballots of both strategies."""

    voters: list[tuple[str, ...]]
    places: list[tuple[int, ...]]
    """Of those models among all."""
    scores: list[tuple[float, ...]]
    """0 where there is none."""
    by_text: list[Ballot]
    by_task: list[Ballot]
    _learned: Voters | None = field(default=None)

    def choices(self, strategy: Strategy, *, learn: bool = False) -> list[Choice]:
        """What a strategy chooses; `learn`: anew about the voters."""
        if strategy == "vouched":
            view = View(voters=self.learned(anew=learn))
        else:
            standing = Standing()
            for voters, ballot in zip(self.voters, self.by_text, strict=True):
                standing.add(voters, ballot.scores)
            view = standing.view()
        ballots = self.by_task if strategy == "vouched" else self.by_text
        return [
            choose(Question(ballot, voters, view=view), strategy)
            for voters, ballot in zip(self.voters, ballots, strict=True)
        ]

    def learned(self, *, anew: bool = False) -> Voters:
        """What the rows say of the voters."""
        if self._learned is None or anew:
            rows = [VotedRow(voters, ballot) for voters, ballot in zip(self.voters, self.by_task, strict=True)]
            self._learned = learn_voters(rows)
        return self._learned

    def cells(self, strategy: Strategy) -> list[tuple[float, int]]:
        """For each row how sure a strategy is, and the place of the model that it picks."""
        return [
            (-np.inf, NOBODY) if choice.place is None else (choice.confidence, places[choice.place])
            for choice, places in zip(self.choices(strategy), self.places, strict=True)
        ]

    def values(self, strategy: Strategy, *, learn: bool = False) -> Numbers:
        """For each row the score of what a strategy chooses."""
        chosen = self.choices(strategy, learn=learn)
        return np.array(
            [0.0 if c.place is None else scores[c.place] for c, scores in zip(chosen, self.scores, strict=True)]
        )

    def score(self, strategy: Strategy) -> float:
        """The mean of these."""
        return float(self.values(strategy).mean())


def subset_of(benchmark: LabelledTasks, places: Sequence[int]) -> Subset:
    """What the models in some places say."""
    there = [tuple(place for place in places if place in task.places) for task in benchmark.tasks]
    by_text = [
        part_of(task.ballot, [task.places.index(place) for place in own])
        for task, own in zip(benchmark.tasks, there, strict=True)
    ]
    return Subset(
        voters=[tuple(benchmark.models[place] for place in own) for own in there],
        places=there,
        scores=[
            tuple(float(np.nan_to_num(task.scores[place])) for place in own)
            for task, own in zip(benchmark.tasks, there, strict=True)
        ],
        by_text=by_text,
        by_task=[as_task_asks(ballot, task.instance) for task, ballot in zip(benchmark.tasks, by_text, strict=True)],
    )


def rows_of(benchmark: LabelledTasks) -> Rows:
    """The rows with the score of each output as a preference, so that invented outputs can stand beside them."""
    return [
        {
            "instruction": task.instance.instruction,
            "input": task.instance.input,
            "outputs": {benchmark.models[p]: text for p, text in zip(task.places, task.ballot.outputs, strict=True)},
            "preference": {benchmark.models[p]: float(np.nan_to_num(task.scores[p])) / 100 for p in task.places},
        }
        for task in benchmark.tasks
    ]


def in_letters(rows: Rows) -> Rows:
    """The same texts with a Cyrillic letter for each Latin one: neither stems nor stop words are known of them."""
    table = {
        ord(one): other for one, other in zip("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопярстувшжыз", strict=True)
    }
    table |= {ord(chr(code).upper()): letter.upper() for code, letter in table.items()}
    return _written(rows, lambda text: text.translate(table))


def in_signs(rows: Rows) -> Rows:
    """The same texts with two Chinese characters for each word and no space: each character counts as a word."""

    def sign(match: re.Match[str]) -> str:
        digest = int.from_bytes(blake2b(match[0].lower().encode(), digest_size=8).digest())
        return chr(0x4E00 + digest % _SIGNS) + chr(0x4E00 + digest // _SIGNS % _SIGNS)

    return _written(rows, lambda text: re.sub(r"[A-Za-z]+", sign, text).replace(" ", ""))


def _written(rows: Rows, write: Any) -> Rows:
    return [
        row
        | {"instruction": write(row["instruction"]), "input": write(row["input"])}
        | {"outputs": {name: write(text) for name, text in row["outputs"].items()}}
        for row in rows
    ]
