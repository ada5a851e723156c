"""Records as rows of the database and back, and an example as a row of `examples.jsonl` and back.

Each statement names its columns, and what writes a record is right above what reads it: an order of columns is never
known in two places.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple

from ensemble_instruct.config.servers.prices import KnownPrice
from ensemble_instruct.records import (
    INSTANCE_VOTER,
    Candidate,
    Example,
    Failure,
    Instance,
    Instruction,
    Message,
    Rejected,
    Request,
    Response,
)


class Insert(NamedTuple):
    """A row to be written; `into` is the statement up to its values."""

    into: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A try of a request that was paid, or may have been, and is not its answer."""

    key: str
    model: str
    request: Request
    cause: str
    paid: Response
    """What it took, as a response without text."""
    seconds: float

    @property
    def is_estimated(self) -> bool:
        """Whether the server did not say how many tokens it took."""
        return self.paid.prompt_tokens is None or self.paid.completion_tokens is None

    @property
    def tokens(self) -> tuple[int, int]:
        """Tokens in and out; where the server did not say, as many as it can have made."""
        prompt_tokens, _ = self.paid.used_tokens(self.request.text)
        made = self.paid.completion_tokens
        return prompt_tokens, self.request.sampling.max_tokens if made is None else made

    def cost(self, price: KnownPrice | None) -> float | None:
        """US dollars, as the server states them or by the price; None where neither is known."""
        if self.paid.cost is not None or price is None:
            return self.paid.cost
        return price.cost(*self.tokens, self.paid.cached_tokens or 0, self.paid.reasoning_tokens or 0)


INTO_REQUEST = (
    "INSERT OR REPLACE INTO request (key, step, kind, model, shared, prompt, sampling, seed, repeat, seconds,"
    " answered_at, turns, text, finish_reason, prompt_tokens, completion_tokens, failure, estimated, seed_honoured,"
    " reasoning, refusal, served_model, upstream, cost, cached_tokens, reasoning_tokens)"
)
"""The last fourteen are those of `outcome_values`."""
INTO_ATTEMPT = (
    "INSERT INTO attempt (key, step, kind, model, cause, prompt_tokens, completion_tokens, cached_tokens,"
    " reasoning_tokens, cost, estimated, seconds, at)"
)
DROPPED = "dropped"
"""The cause of an attempt whose reply was not waited for, since the run was stopped."""
SELECT_OUTCOMES = (
    "SELECT text, finish_reason, prompt_tokens, completion_tokens, failure, estimated, seed_honoured, reasoning,"
    " refusal, served_model, upstream, cost, cached_tokens, reasoning_tokens FROM request"
)
"""Rows for `outcome_of`."""
SELECT_INSTRUCTIONS = "SELECT kind, text, request, round, most_similar, mean_similarity FROM instruction"
"""Rows for `instruction_of`."""
SELECT_INSTANCES = (
    "SELECT kind, instruction, input, output, completion, request, follow_on, COALESCE(run, ''), reference, id"
    " FROM instance LEFT JOIN origin ON record = id"
)
"""Rows for `instance_of`, each with the id at its end: who needs that too need not hash the texts again."""
SELECT_CANDIDATES = "SELECT instance, voter, text, finish_reason, request, removed FROM candidate"
"""Rows for `candidate_of`."""
SELECT_REJECTED = "SELECT step, kind, reason, text, source, request, detail FROM rejected"
"""Rows for `rejected_of`."""
_INTO_INSTRUCTION = "INSERT INTO instruction (kind, position, id, text, request, round, most_similar, mean_similarity)"
_INTO_INSTANCE = (
    "INSERT INTO instance (kind, position, id, instruction, input, output, follow_on, completion, request, reference)"
)
_INTO_CANDIDATE = "INSERT OR REPLACE INTO candidate (instance, voter, text, finish_reason, request, removed)"
_INTO_EXAMPLE = "INSERT INTO example (kind, position, instance, row)"
_INTO_REJECTED = "INSERT INTO rejected (step, kind, reason, text, source, request, detail)"


def to_row(record: Instruction | Instance | Candidate | Example | Rejected, position: int) -> Insert:
    """A record as a row of its table; `position` is its place among those of its kind."""
    match record:
        case Instruction():
            return Insert(_INTO_INSTRUCTION, (
                record.kind, position, record.id, record.text, bytes.fromhex(record.request_key), record.round,
                json.dumps(record.most_similar), record.mean_similarity,
            ))  # fmt: skip
        case Instance():
            return Insert(_INTO_INSTANCE, (
                record.kind, position, record.id, record.instruction, record.input, record.output, record.follow_on,
                record.completion_id, bytes.fromhex(record.request_key), record.reference,
            ))  # fmt: skip
        case Candidate():
            return Insert(_INTO_CANDIDATE, (
                record.instance_id, record.voter, record.text, record.finish_reason, bytes.fromhex(record.request_key),
                json.dumps(record.removed),
            ))  # fmt: skip
        case Example():
            values = (record.instance.kind, position, record.instance.id, json.dumps(example_row(record)))
            return Insert(_INTO_EXAMPLE, values)
        case Rejected():
            return Insert(_INTO_REJECTED, (
                record.step, record.kind, record.reason, record.text, record.source,
                bytes.fromhex(record.request_key), record.detail,
            ))  # fmt: skip


def instruction_of(row: tuple[Any, ...]) -> Instruction:
    """The instruction that a row of `SELECT_INSTRUCTIONS` holds."""
    kind, text, key, number, most_similar, mean_similarity = row
    return Instruction(
        kind=kind,
        text=text,
        request_key=key.hex(),
        round=number,
        most_similar=tuple(map(tuple, json.loads(most_similar))),
        mean_similarity=mean_similarity,
    )


def instance_of(row: tuple[Any, ...]) -> Instance:
    """The instance that a row of `SELECT_INSTANCES` holds."""
    kind, instruction, task_input, output, completion_id, key, follow_on, run, reference, _ = row
    return Instance(
        kind=kind,
        instruction=instruction,
        input=task_input,
        output=output,
        completion_id=completion_id,
        request_key=key.hex(),
        follow_on=follow_on,
        run=run,
        reference=reference,
    )


def candidate_of(row: tuple[Any, ...]) -> Candidate:
    """The candidate that a row of `SELECT_CANDIDATES` holds."""
    instance_id, voter, text, finish_reason, key, removed = row
    return Candidate(instance_id, voter, text, finish_reason, key.hex(), tuple(json.loads(removed)))


def rejected_of(row: tuple[Any, ...]) -> Rejected:
    """The drop that a row of `SELECT_REJECTED` holds; its candidates are rows of their own."""
    step, kind, reason, text, source, key, detail = row
    return Rejected(
        step=step, kind=kind, reason=reason, text=text, source=source, request_key=key.hex(), detail=detail
    )  # fmt: skip


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
        **({"reference": instance.reference} if instance.reference else {}),
        "winners": list(example.winners),
        "agreement": example.agreement,
        "confidence": example.confidence,
        "basis": example.basis,
        "matrix": [list(row) for row in example.matrix],
        "follow_on": instance.follow_on,
        "candidates": [
            candidate_row(candidate, score)
            | ({} if rank is None else {"rank": rank})
            | ({} if rating is None else {"rating": rating})
            | ({"barred": why} if why else {})
            for candidate, score, rank, rating, why in zip(
                example.candidates,
                example.scores,
                example.ranks or repeat(None),
                example.ratings or repeat(None),
                example.barred or repeat(""),
                strict=False,
            )
        ],
    }


def candidate_row(candidate: Candidate, score: float) -> dict[str, Any]:
    """A candidate as an entry of `candidates` in `examples.jsonl`; with `removed` only where something was."""
    removed = {"removed": list(candidate.removed)} if candidate.removed else {}
    return {"voter": candidate.voter, "output": candidate.text, "score": score} | removed


def parsed_row(text: str) -> dict[str, Any]:
    """The object of `examples.jsonl` that a stored example is: the one place that knows how its text is read."""
    row: dict[str, Any] = json.loads(text)
    return row if "confidence" in row else _with_both_numbers(row)


def _with_both_numbers(row: dict[str, Any]) -> dict[str, Any]:
    """A row of an older version, which called its confidence `agreement`, with what the words mean now."""
    voices, output = row["candidates"], row["output"]
    all_agree = len(voices) > 1 and output.strip() and all(voice["output"] == output for voice in voices)
    score = next(voice["score"] for voice in voices if voice["output"] == output)
    numbers = {"agreement": 1.0 if all_agree else min(1.0, score), "confidence": row["agreement"], "basis": "text"}
    whole: dict[str, Any] = {}
    for name, value in row.items():  # in the order of a row of today
        whole |= numbers if name == "agreement" else {name: value}
    return whole


def example_of(row: dict[str, Any]) -> Example:
    """The example of which `example_row` made a row; the requests behind it are not in there."""
    voices = row["candidates"]
    barred = tuple(voice.get("barred", "") for voice in voices)
    ratings = tuple(voice.get("rating") for voice in voices)
    return Example(
        instance=Instance(
            kind=row["kind"],
            instruction=row["instruction"],
            input=row["input"],
            output=voices[0]["output"] if voices[0]["voter"] == INSTANCE_VOTER else "",
            follow_on=row["follow_on"],
            run=row.get("run", ""),
            reference=row.get("reference", ""),
        ),
        output=row["output"],
        winners=tuple(row["winners"]),
        agreement=row["agreement"],
        confidence=row["confidence"],
        basis=row["basis"],
        candidates=tuple(
            Candidate(row["id"], voice["voter"], voice["output"], removed=tuple(voice.get("removed", ())))
            for voice in voices
        ),
        scores=tuple(voice["score"] for voice in voices),
        matrix=tuple(map(tuple, row["matrix"])),
        barred=barred if any(barred) else (),
        ranks=tuple(voice["rank"] for voice in voices if "rank" in voice),
        ratings=() if ratings.count(None) == len(ratings) else ratings,
    )


@lru_cache(8)
def turns_text(earlier: tuple[Message, ...]) -> str:
    """The turns before a prompt as the text that requests share: a JSON list of [role, content]."""
    return json.dumps(earlier, ensure_ascii=False)


def turns_of(text: str) -> tuple[Message, ...]:
    """The turns of which `turns_text` made a text."""
    return tuple(Message(role, content) for role, content in json.loads(text))


def outcome_values(outcome: Response | Failure, asked: str) -> tuple[Any, ...]:
    """What came back for what was asked, as the last values of `INTO_REQUEST`."""
    if isinstance(outcome, Failure):
        return outcome.message, None, None, None, outcome.type, False, True, "", "", "", "", None, None, None
    is_estimated = outcome.prompt_tokens is None or outcome.completion_tokens is None
    tokens = outcome.used_tokens(asked)
    return (
        outcome.text, outcome.finish_reason, *tokens, None, is_estimated, outcome.seed_honoured, outcome.reasoning,
        outcome.refusal, outcome.model, outcome.upstream, outcome.cost, outcome.cached_tokens, outcome.reasoning_tokens,
    )  # fmt: skip


def attempt_row(attempt: Attempt) -> Insert:
    """A try that was paid and is not the answer, as a row of its table."""
    request, paid = attempt.request, attempt.paid
    values = (
        bytes.fromhex(attempt.key), request.step, request.kind, attempt.model, attempt.cause, *attempt.tokens,
        paid.cached_tokens, paid.reasoning_tokens, paid.cost, attempt.is_estimated, round(attempt.seconds, 3),
        round(time.time(), 1),
    )  # fmt: skip
    return Insert(INTO_ATTEMPT, values)


def outcome_of(row: tuple[Any, ...]) -> Response | Failure:
    """What came back, by a row of `SELECT_OUTCOMES`."""
    text, finish_reason, prompt_tokens, completion_tokens, failure, is_estimated, seed_honoured, *parts = row
    if failure is not None:
        return Failure(failure, text)
    if is_estimated:
        prompt_tokens = completion_tokens = None
    return Response(text, finish_reason, prompt_tokens, completion_tokens, bool(seed_honoured), *parts)
