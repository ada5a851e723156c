"""What the demo shows at its end: how often each of the bundled models, and their agreement, is right."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass

from ensemble_instruct.config.schema import Config
from ensemble_instruct.demo.tasks import is_right
from ensemble_instruct.records import INSTANCE_VOTER
from ensemble_instruct.store.reading import read_examples

_NOTE = (
    "These are tiny models on toy tasks, made to show how it works. The tasks have one right answer each, which",
    "no model and no step of the run was told; so it can be counted here how often each of them is right. Where a",
    "model made up a task of another form, its answer is not known, and it is not counted. A model has fewer",
    "candidates than there are instances where the step `outputs` dropped its answer.",
)
_KEPT = ""
"""What step 5 kept, where names of voters are keys."""


@dataclass(frozen=True, slots=True)
class RightShare:
    """How many outputs are right, of those whose task has a known answer."""

    right: int
    known: int
    outputs: int
    """All of them."""


def is_demo(config: Config) -> bool:
    """Whether all models of a config come with this package."""
    return all(config.models[name].is_bundled for name in config.used_models)


def right_shares(connection: sqlite3.Connection) -> dict[str, RightShare]:
    """For the instances' own outputs, each voter, and what step 5 kept: how much of it is right."""
    right: Counter[str] = Counter()
    known: Counter[str] = Counter()
    outputs: Counter[str] = Counter()

    def count(name: str, instruction: str, task_input: str, output: str) -> None:
        verdict = is_right(instruction, task_input, output)
        outputs[name] += 1
        known[name] += verdict is not None
        right[name] += verdict is True

    for instruction, task_input, output in connection.execute("SELECT instruction, input, output FROM instance"):
        count(INSTANCE_VOTER, instruction, task_input, output)
    answers = connection.execute(
        "SELECT voter, instruction, input, candidate.text FROM instance"
        " JOIN candidate ON candidate.instance = instance.id ORDER BY voter"
    )
    for voter, instruction, task_input, output in answers:
        count(voter, instruction, task_input, output)
    for example in read_examples(connection):
        count(_KEPT, example["instruction"], example["input"], example["output"])
    return {name: RightShare(right[name], known[name], outputs[name]) for name in outputs}


def demo_lines(connection: sqlite3.Connection, config: Config) -> list[str]:
    """The shares as a small table, with what they mean."""
    shares = right_shares(connection)
    names = {INSTANCE_VOTER: f"{config.roles.instances} (its own outputs)", _KEPT: "kept, where they agree"}
    units = {INSTANCE_VOTER: "instances", _KEPT: "examples"}
    rows = [
        (names.get(name, name), share, units.get(name, "candidates")) for name, share in shares.items() if share.known
    ]
    width = max((len(name) for name, *_ in rows), default=0)
    table = [
        f"  {name:<{width}}  {share.right:>4} of {share.known:>4} right  {share.right / share.known:>4.0%}"
        f"  ({share.outputs - share.known} of {share.outputs} {unit} have no known answer)"
        for name, share, unit in rows
    ]
    return ["", *_NOTE, "", *table, ""]
