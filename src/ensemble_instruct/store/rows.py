"""Records as rows of the database, and back."""

from __future__ import annotations

import json
import sqlite3
from itertools import repeat
from typing import Any

from ensemble_instruct.records import Answer, Candidate, Example, Failure, Instance, Instruction, Rejected, Response
from ensemble_instruct.store.writer import Insert


def read_answer(connection: sqlite3.Connection, key: str) -> Answer | None:
    """The committed answer under a key, or None."""
    row = connection.execute(
        "SELECT text, finish_reason, prompt_tokens, completion_tokens, failure, estimated, seed_honoured"
        " FROM request WHERE key = ?",
        (bytes.fromhex(key),),
    ).fetchone()
    return None if row is None else Answer(key, outcome_of(row))


def example_row(example: Example) -> dict[str, Any]:
    """An example as the object of `examples.jsonl`: nothing in it depends on server or timing."""
    instance = example.instance
    return {
        "id": instance.id,
        **({"run": instance.run} if instance.run else {}),
        "kind": instance.kind,
        "instruction": instance.instruction,
        "input": instance.input,
        "output": example.output,
        "winners": list(example.winners),
        "agreement": example.agreement,
        "matrix": [list(row) for row in example.matrix],
        "follow_on": instance.follow_on,
        "candidates": [
            {"voter": candidate.voter, "output": candidate.text, "score": score} | ({"barred": why} if why else {})
            for candidate, score, why in zip(
                example.candidates, example.scores, example.barred or repeat(""), strict=False
            )
        ],
    }


def to_row(record: Instruction | Instance | Candidate | Example | Rejected, position: int) -> Insert:
    """A record as a row of its table."""
    match record:
        case Instruction():
            return Insert("INSERT INTO instruction", (
                record.kind, position, record.id, record.text, bytes.fromhex(record.request_key), record.round,
                json.dumps(record.most_similar), record.mean_similarity,
            ))  # fmt: skip
        case Instance():
            return Insert("INSERT INTO instance", (
                record.kind, position, record.id, record.instruction, record.input, record.output, record.follow_on,
                record.completion_id, bytes.fromhex(record.request_key),
            ))  # fmt: skip
        case Candidate():
            return Insert("INSERT OR REPLACE INTO candidate", (
                record.instance_id, record.voter, record.text, record.finish_reason, bytes.fromhex(record.request_key)
            ))  # fmt: skip
        case Example():
            values = (record.instance.kind, position, record.instance.id, json.dumps(example_row(record)))
            return Insert("INSERT INTO example", values)
        case Rejected():
            into = "INSERT INTO rejected (step, kind, reason, text, source, request, detail)"
            return Insert(into, (
                record.step, record.kind, record.reason, record.text, record.source,
                bytes.fromhex(record.request_key), record.detail,
            ))  # fmt: skip


def outcome_of(row: tuple[Any, ...]) -> Response | Failure:
    """What a row of `request` says came back."""
    text, finish_reason, prompt_tokens, completion_tokens, failure, is_estimated, seed_honoured = row
    if failure is not None:
        return Failure(failure, text)
    if is_estimated:
        prompt_tokens = completion_tokens = None
    return Response(text, finish_reason, prompt_tokens, completion_tokens, bool(seed_honoured))
