"""The thought before an output, for trainers of models that think: found in the reply of a voter that won.

Thoughts are read out of the stored replies, one example at a time. They have no vote, and no filter looks at them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from ensemble_instruct.files.jsonl import JsonRow
from ensemble_instruct.store.reading import read_candidates, read_profile, read_response

AddThought = Callable[[JsonRow], JsonRow]
"""Puts the thought into an example, under `reasoning`, or returns it as it is where there is none."""


def thoughts_of(connection: sqlite3.Connection) -> AddThought:
    """What adds the thoughts of a run to its examples: of the first winner in step 4, by name, that has one.

    What a model thought in step 2 was about the making of a task, so the voter `instance` gives none.
    """
    profile = read_profile(connection)

    def with_thought(example: JsonRow) -> JsonRow:
        winners = (each for each in read_candidates(connection, example["id"]) if each.voter in example["winners"])
        replies = (read_response(connection, winner.request_key, profile) for winner in winners)
        thought = next(filter(None, (reply.reasoning.strip() for reply in replies if reply is not None)), "")
        return example | {"reasoning": thought} if thought else example

    return with_thought
