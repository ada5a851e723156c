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
    "no model and no step of the run was told; so it can be counted here how often each of them is right:",
)


@dataclass(frozen=True, slots=True)
class RightShare:
    """How many outputs are right, of those whose task has a known answer."""

    right: int
    known: int


def is_demo(config: Config) -> bool:
    """Whether all models of a config come with this package."""
    return all(config.models[name].is_bundled for name in config.used_models)


def right_shares(connection: sqlite3.Connection) -> dict[str, RightShare]:
    """For the instances' own outputs, each voter, and what step 5 kept: how much of it is right."""
    right: Counter[str] = Counter()
    known: Counter[str] = Counter()

    def count(name: str, instruction: str, given: str, output: str) -> None:
        verdict = is_right(instruction, given, output)
        known[name] += verdict is not None
        right[name] += verdict is True

    for instruction, given, output in connection.execute("SELECT instruction, input, output FROM instance"):
        count(INSTANCE_VOTER, instruction, given, output)
    answers = connection.execute(
        "SELECT voter, instruction, input, candidate.text FROM instance"
        " JOIN candidate ON candidate.instance = instance.id ORDER BY voter"
    )
    for voter, instruction, given, output in answers:
        count(voter, instruction, given, output)
    for example in read_examples(connection):
        count("", example["instruction"], example["input"], example["output"])
    return {name: RightShare(right[name], known[name]) for name in known}


def demo_lines(connection: sqlite3.Connection, config: Config) -> list[str]:
    """The shares as a small table, with what they mean."""
    shares = right_shares(connection)
    names = {INSTANCE_VOTER: f"{config.roles.instances} (its own outputs)", "": "kept, where they agree"}
    rows = [(names.get(name, name), share) for name, share in shares.items() if share.known]
    width = max((len(name) for name, _ in rows), default=0)
    table = [
        f"  {name:<{width}}  {share.right:>4} of {share.known:>4} right  {share.right / share.known:>4.0%}"
        for name, share in rows
    ]
    return ["", *_NOTE, "", *table, ""]
