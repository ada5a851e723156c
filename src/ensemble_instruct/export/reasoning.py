"""The thought before an output, for trainers of models that think: found in the reply of a voter that won.

Thoughts are read out of the stored replies, one example at a time. They have no vote, and no filter looks at them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

from ensemble_instruct.files.jsonl import JsonRow
from ensemble_instruct.records import Profile, Response
from ensemble_instruct.replies.reader import read_reply
from ensemble_instruct.store.reading import read_answer, read_candidates, read_meta

AddThought = Callable[[JsonRow], JsonRow]
"""Puts the thought into an example, under `reasoning`, or returns it as it is where there is none."""


def thoughts_of(connection: sqlite3.Connection) -> AddThought:
    """What adds the thoughts of a run to its examples: of the first winner in step 4, by name, that has one.

    What a model thought in step 2 was about the making of a task, so the voter `instance` gives none.
    """
    profile: Profile = json.loads(read_meta(connection).get("config", "{}")).get("profile", "default")

    def with_thought(example: JsonRow) -> JsonRow:
        winners = (each for each in read_candidates(connection, example["id"]) if each.voter in example["winners"])
        thoughts = (_thought(connection, winner.request_key, profile) for winner in winners)
        thought = next(filter(None, thoughts), "")
        return example | {"reasoning": thought} if thought else example

    return with_thought


def _thought(connection: sqlite3.Connection, key: str, profile: Profile) -> str:
    answer = read_answer(connection, key)
    if answer is None or not isinstance(answer.outcome, Response):
        return ""
    read = read_reply(answer.outcome, profile)
    return read.reasoning.strip() if isinstance(read, Response) else ""
