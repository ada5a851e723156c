"""What the viewer shows of a run: functions of a read-only connection that return objects ready for JSON.

Call those that belong to one answer inside one transaction, so that they see one state of a run that goes on.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ensemble_instruct.agreement.selection import Selection, ballots_of, voices_of
from ensemble_instruct.agreement.voters.seen import seen_voters
from ensemble_instruct.config.schema import voters_for
from ensemble_instruct.records import (
    DEFAULT_STRATEGY,
    FUSION_VOTER,
    INSTANCE_VOTER,
    KINDS,
    STEPS,
    Answered,
    Instance,
    Kind,
    Response,
    Step,
    content_id,
)
from ensemble_instruct.replies.reader import read_reply
from ensemble_instruct.replies.thoughts import part_thought
from ensemble_instruct.store.database import unpack_prompt
from ensemble_instruct.store.reading import (
    OF_A_VERDICT,
    dropped_counts,
    kept_counts,
    read_answer,
    read_candidates,
    read_meta,
    read_profile,
)
from ensemble_instruct.store.rows import candidate_row, parsed_row, turns_of
from ensemble_instruct.store.settings import settings_of

ApiObject = dict[str, Any]
"""What the page gets: an object ready for JSON."""
_LIST_TEXT = 400
"""Characters of a text that a list shows; the whole text is in the detail."""
_STEP_ORDER = "CASE step " + " ".join(f"WHEN '{step}' THEN {place}" for place, step in enumerate(STEPS)) + " END"
"""SQL that sorts by step, in the order in which they run."""


@dataclass(frozen=True, slots=True)
class ExampleFilter:
    """Which examples are wanted; a field left at its default lets all pass."""

    kind: Kind | None = None
    text: str = ""
    """Found in instruction, input, output or a candidate, in any case."""
    least: float = 0.0
    most: float = 1.0
    """Confidence from `least` to `most`, both included."""
    winner: str = ""
    """A voter that gave the output."""

    def admits(self, row: ApiObject) -> bool:
        """Whether an example is wanted, its kind aside."""
        if not self.least <= row["confidence"] <= self.most or (self.winner and self.winner not in row["winners"]):
            return False
        texts = (row["instruction"], row["input"], *(candidate["output"] for candidate in row["candidates"]))
        return not self.text or _holds(self.text, texts)


@dataclass(frozen=True, slots=True)
class DroppedFilter:
    """Which drops are wanted; a field left at its default lets all pass."""

    step: Step | None = None
    reason: str = ""
    kind: Kind | None = None
    text: str = ""
    """Found in the text or the detail, in any case."""


def _voter_names(config: ApiObject) -> list[str]:
    """The names of a run's voters in step 4, out of the settings that it was started with."""
    samples: int = config.get("outputs.samples", 1)
    names = [
        voter.name
        for model in config.get("roles.outputs", [])
        for voter in voters_for(model, int(config.get(f"outputs.samples.{model}", samples)))
    ]
    return [*names, FUSION_VOTER] if config.get("ensemble.fusion") else names


def overview(connection: sqlite3.Connection) -> ApiObject:
    """How the run was set up, its state as it was last written, and its funnel: each kind, step by step."""
    meta = read_meta(connection)
    config = settings_of(meta)
    kept = kept_counts(connection)
    dropped, standings = reason_counts(connection), seen_voters(meta)
    kinds = [kind for kind in KINDS if config.get(f"instructions.target.{kind}") or kept.get((kind, "instructions"))]
    return {
        "state": meta.get("state", ""),
        "version": meta.get("version", ""),
        "profile": config.get("profile", ""),
        "strategy": config.get("ensemble.strategy", ""),
        "voters": [INSTANCE_VOTER, *_voter_names(config)],
        "standings": asdict(standings) if standings else None,
        "kinds": [
            {
                "kind": kind,
                "target": config.get(f"instructions.target.{kind}", 0),
                "steps": [
                    {
                        "step": step,
                        "kept": kept.get((kind, step), 0),
                        "dropped": sum(row["count"] for row in dropped if (row["kind"], row["step"]) == (kind, step)),
                    }
                    for step in STEPS
                ],
            }
            for kind in kinds
        ],
        "dropped": dropped,
    }


def reason_counts(connection: sqlite3.Connection) -> list[ApiObject]:
    """How many were dropped, by step, kind and reason: in the order of the steps, the most frequent reason first."""
    rows = [
        {"step": step, "kind": kind, "reason": reason, "count": count}
        for (step, kind, reason), count in dropped_counts(connection).items()
    ]
    return sorted(rows, key=lambda row: (STEPS.index(row["step"]), -row["count"], row["reason"], row["kind"] or ""))


def examples_page(connection: sqlite3.Connection, wanted: ExampleFilter, offset: int, limit: int) -> ApiObject:
    """The wanted examples from `offset` on, at most `limit`, in the order of the dataset; and how many there are."""
    where, values = ("WHERE kind = ?", (wanted.kind,)) if wanted.kind else ("", ())
    ordered = f"SELECT position, row FROM example {where} ORDER BY kind, position"  # noqa: S608 - constant texts
    if wanted == ExampleFilter(kind=wanted.kind):
        (total,) = connection.execute(f"SELECT COUNT(*) FROM example {where}", values).fetchone()  # noqa: S608
        page = connection.execute(f"{ordered} LIMIT ? OFFSET ?", (*values, limit, offset)).fetchall()
        return {"total": total, "rows": [_example_summary(position, parsed_row(row)) for position, row in page]}
    total, rows = 0, []
    for position, text in connection.execute(ordered, values):
        row = parsed_row(text)
        if wanted.admits(row):
            if offset <= total < offset + limit:
                rows.append(_example_summary(position, row))
            total += 1
    return {"total": total, "rows": rows}


def _example_summary(position: int, row: ApiObject) -> ApiObject:
    return {
        "id": row["id"], "kind": row["kind"], "position": position, "agreement": row["agreement"],
        "confidence": row["confidence"],
        "instruction": row["instruction"][:_LIST_TEXT], "input": row["input"][:_LIST_TEXT],
        "output": row["output"][:_LIST_TEXT], "winners": row["winners"],
        "voters": [candidate["voter"] for candidate in row["candidates"]],
    }  # fmt: skip


def dropped_page(connection: sqlite3.Connection, wanted: DroppedFilter, offset: int, limit: int) -> ApiObject:
    """The wanted drops from `offset` on, at most `limit`, by kind and step; and how many there are."""
    clauses, values = ["1"], []
    for column, value in (("step", wanted.step), ("reason", wanted.reason), ("kind", wanted.kind)):
        if value:
            clauses.append(f"{column} = ?")
            values.append(value)
    if wanted.text:
        connection.create_function("holds", 2, lambda *texts: _holds(wanted.text, texts), deterministic=True)
        clauses.append("holds(text, detail)")
    where = " AND ".join(clauses)
    (total,) = connection.execute(f"SELECT COUNT(*) FROM rejected WHERE {where}", values).fetchone()  # noqa: S608
    rows = connection.execute(
        "SELECT id, step, kind, reason, substr(text, 1, ?), substr(detail, 1, ?) FROM rejected"  # noqa: S608
        f" WHERE {where} ORDER BY kind, {_STEP_ORDER}, id LIMIT ? OFFSET ?",
        (_LIST_TEXT, _LIST_TEXT, *values, limit, offset),
    ).fetchall()
    names = ("id", "step", "kind", "reason", "text", "detail")
    return {"total": total, "rows": [dict(zip(names, row, strict=True)) for row in rows]}


def _holds(part: str, texts: Iterable[str]) -> bool:
    folded = part.casefold()
    return any(folded in text.casefold() for text in texts)


def example_detail(connection: sqlite3.Connection, example_id: str, position: int = -1) -> ApiObject | None:
    """One example with everything that led to it, or None.

    `position` tells apart rows with the same instruction and input, which the profile `published` keeps.
    """
    record = connection.execute(
        "SELECT kind, position, row FROM example WHERE instance = ? ORDER BY position = ? DESC, kind, position LIMIT 1",
        (example_id, position),
    ).fetchone()
    if record is None:
        return None
    kind, place, text = record
    row: ApiObject = parsed_row(text)
    own = next((item["output"] for item in row["candidates"] if item["voter"] == INSTANCE_VOTER), "")
    aside = {"set_aside": _set_aside(connection)}
    return {**row, "position": place, **aside, **_history(connection, example_id, kind, own)}


def dropped_detail(connection: sqlite3.Connection, number: int) -> ApiObject | None:
    """One drop with the requests behind it, or None.

    A drop of step 5 has its candidates too; their scores are computed here, by the rule of step 5.
    """
    record = connection.execute(
        "SELECT step, kind, reason, text, source, detail, request FROM rejected WHERE id = ?", (number,)
    ).fetchone()
    if record is None:
        return None
    step, kind, reason, text, source, detail, key = record
    row: ApiObject = {
        "id": number, "step": step, "kind": kind, "reason": reason, "text": text, "source": source, "detail": detail,
    }  # fmt: skip
    if step == "ensemble":
        return {**row, **_voices(connection, source), **_history(connection, source, kind)}
    made_here = {"instructions": "instruction", "outputs": "candidate"}.get(step, "instance")
    chain: list[ApiObject] = []
    if step == "outputs":
        chain = [link for link in _history(connection, source, kind)["chain"] if link["made"] != made_here]
    elif step == "parse":
        chain = _instruction_completed(connection, kind, source, key)
    elif step == "instances":
        chain = _instruction(connection, source)
    if not key:
        return {**row, "chain": chain}
    return {**row, "chain": [*chain, {"made": made_here, "text": text, "request": _request(connection, key)}]}


def _voices(connection: sqlite3.Connection, instance_id: str) -> ApiObject:
    """An instance that gave no example: its texts and its candidates with their scores.

    They are those of step 5, of ROUGE-L where the utility is another.
    """
    record = connection.execute(
        "SELECT kind, instruction, input, output, reference FROM instance WHERE id = ? LIMIT 1", (instance_id,)
    ).fetchone()
    if record is None:
        return {}
    kind, instruction, task_input, own, reference = record
    instance = Instance(kind=kind, instruction=instruction, input=task_input, output=own)
    row = Answered(instance, tuple(read_candidates(connection, instance_id)))
    config = settings_of(read_meta(connection))
    selection = Selection(
        strategy=config.get("ensemble.strategy", DEFAULT_STRATEGY), results=config.get("ensemble.results", True)
    )
    (ballot,) = ballots_of([row], selection)
    candidates = [candidate_row(voice, score) for voice, score in zip(voices_of(row), ballot.scores, strict=True)]
    aside = _set_aside(connection)
    texts = {"instruction": instruction, "input": task_input, "reference": reference}
    return {**texts, "candidates": candidates, "set_aside": aside}


def _set_aside(connection: sqlite3.Connection) -> dict[str, str]:
    """Why the outputs of some voters are neither chosen nor heard, in words."""
    standings = seen_voters(read_meta(connection))
    return {voter.name: voter.why for voter in standings.voters if voter.set_aside} if standings else {}


def _history(connection: sqlite3.Connection, instance_id: str, kind: str, output: str = "") -> ApiObject:
    """The requests behind an instance (of those with this id, the one with this output), and the votes it lacks."""
    record = connection.execute(
        "SELECT output, follow_on, completion, request FROM instance WHERE id = ?"
        " ORDER BY kind = ? DESC, output = ? DESC, position LIMIT 1",
        (instance_id, kind, output),
    ).fetchone()
    if record is None:
        return {"follow_on": 0, "missing": [], "chain": []}
    own, follow_on, completion, key = record
    answers = [
        (candidate.voter, candidate.text, bytes.fromhex(candidate.request_key))
        for candidate in read_candidates(connection, instance_id)
    ]
    refused = connection.execute(
        "SELECT detail, reason, text, request FROM rejected WHERE source = ? AND step = 'outputs'"  # noqa: S608
        f" AND NOT {OF_A_VERDICT}",
        (instance_id,),
    ).fetchall()
    chain = _instruction_completed(connection, kind, completion, key)
    if key:  # else it is a task of the user's own, for which nobody was asked
        chain.append({"made": "instance", "text": own, "request": _request(connection, key)})
    chain += [
        {"made": "candidate", "voter": voter, "text": text, "request": _request(connection, answer)}
        for voter, text, answer in (*answers, *((voter, text, answer) for voter, _, text, answer in refused))
    ]
    missing = [{"voter": voter, "reason": reason, "text": text} for voter, reason, text, _ in refused]
    return {"follow_on": follow_on, "missing": missing, "chain": chain}


def _instruction_completed(connection: sqlite3.Connection, kind: str, completion: str, key: bytes) -> list[ApiObject]:
    """The link of the instruction that was asked for: with the reply under `key` it gives the completion's id."""
    reply, _ = _read(connection, key)
    known = connection.execute("SELECT id, text FROM instruction WHERE kind = ?", (kind,)).fetchall() if reply else []
    matching = (name for name, text in known if content_id("completion", text, reply) == completion)
    return _instruction(connection, next(matching, ""))


def _instruction(connection: sqlite3.Connection, instruction_id: str) -> list[ApiObject]:
    """The link of an instruction, or nothing."""
    record = connection.execute(
        "SELECT text, most_similar, request FROM instruction WHERE id = ? LIMIT 1", (instruction_id,)
    ).fetchone()
    if record is None:
        return []
    text, similar, key = record
    nearest = [{"text": near, "score": score} for near, score in json.loads(similar)]
    if not key:  # one of the user's own
        return []
    return [{"made": "instruction", "text": text, "similar": nearest, "request": _request(connection, key)}]


def _request(connection: sqlite3.Connection, key: bytes) -> ApiObject | None:
    """One request: what was asked, what came back or the failure; None where the database has none.

    `reply` and `reasoning` are as they came; `thought` is what the reader of replies finds in them.
    """
    record = connection.execute(
        "SELECT step, kind, model, prompt, shared.text, settings, seed, repeat, turns, request.text, finish_reason,"
        " reasoning, refusal, prompt_tokens, completion_tokens, failure, seconds, answered_at, served_model,"
        " upstream, cost FROM request JOIN shared ON shared.id = request.shared"
        " JOIN sampling ON sampling.id = request.sampling WHERE key = ?",
        (key,),
    ).fetchone()
    if record is None:
        return None
    step, kind, model, prompt, shared, settings, seed, repeat, turns, reply, *rest = record
    names = (
        "finish_reason", "reasoning", "refusal", "prompt_tokens", "completion_tokens", "failure", "seconds",
        "answered_at", "served_model", "upstream", "cost",
    )  # fmt: skip
    return {
        "key": key.hex(), "step": step, "kind": kind, "model": model, "prompt": unpack_prompt(prompt, shared),
        "earlier": [turn._asdict() for turn in turns_of(shared)] if turns else [], "reply": reply,
        "sampling": {**json.loads(settings), "seed": seed}, "repeat": repeat,
        **dict(zip(names, rest, strict=True)), "thought": _read(connection, key)[1],
    }  # fmt: skip


def _read(connection: sqlite3.Connection, key: bytes) -> tuple[str, str]:
    """The answer and the thought of a stored reply, as the steps read it; both empty where there is none."""
    answer = read_answer(connection, key.hex())
    if answer is None or not isinstance(answer.outcome, Response):
        return "", ""
    read = read_reply(answer.outcome, read_profile(connection))
    if isinstance(read, Response):
        return read.text, read.reasoning.strip()
    return "", answer.outcome.reasoning.strip() or part_thought(answer.outcome.text).thought
