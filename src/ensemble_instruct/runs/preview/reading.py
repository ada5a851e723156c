"""What a preview has seen, read out of its run folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ensemble_instruct.config.schema import Config
from ensemble_instruct.models.structured import PROBE
from ensemble_instruct.records import KINDS, STEPS, Failure, Instruction, Kind, Message, Response, Step, content_id
from ensemble_instruct.replies.reader import read_reply
from ensemble_instruct.runs.preview.forecast import busiest, examples_of, whole_run
from ensemble_instruct.runs.preview.seen import Call, Chosen, KindSeen, Read, Task, Voted
from ensemble_instruct.runs.preview.shown import Preview
from ensemble_instruct.runs.status import read_status
from ensemble_instruct.store.database import unpack_prompt
from ensemble_instruct.store.reading import read_answer, read_instructions, read_profile, reading
from ensemble_instruct.store.rows import parsed_row, turns_of

_VOTED = "id, instruction, input, output, reference"
_FEW = 10
"""Tasks of the user's own that cannot be used and are shown."""


def read_preview(config: Config, folder: Path, problem: str) -> Preview:
    """What a preview of a config has in its folder; `problem` is what ended it, if it did not come to its end."""
    status = read_status(folder)
    uses = tuple(sorted(status.uses, key=lambda use: (KINDS.index(use.kind), STEPS.index(use.step))))
    with reading(folder / "run.db") as connection:
        kinds = tuple(_kind_seen(connection, config, kind) for kind in KINDS if config.instructions.target.of(kind))
        seconds = _mean_seconds(connection)
    whole, is_seen = whole_run(config, kinds, uses)
    return Preview(
        kinds=kinds,
        uses=uses,
        wasted=status.wasted,
        whole=whole,
        is_seen=is_seen,
        examples=sum(map(examples_of, kinds)),
        seconds=busiest(config, whole, seconds),
        problem=problem,
    )


def _kind_seen(connection: sqlite3.Connection, config: Config, kind: Kind) -> KindSeen:
    lists = [_list(connection, key) for key in _keys(connection, "instructions", kind)]
    unused, unused_count = ([], 0) if config.tasks is None else _unused(connection, kind)
    return KindSeen(
        kind=kind,
        lists=tuple(call for call in lists if not _is_probe(call)),
        tasks=tuple(_own(connection, kind) if config.tasks == "instances" else _worked_out(connection, kind)),
        target=config.instructions.target.of(kind),
        unused=tuple(unused),
        unused_count=unused_count,
    )


def _worked_out(connection: sqlite3.Connection, kind: Kind) -> Iterator[Task]:
    """Each instruction with the worked example that was asked for it."""
    instructions = list(read_instructions(connection, kind))
    worked: dict[str, tuple[str, str]] = {}
    for key in _keys(connection, "instances", kind):
        completion = _completion(connection, key)
        for instruction in instructions:
            if _is_of(connection, instruction, key, completion):
                worked[instruction.id] = key, completion
    for instruction in instructions:
        yield _task(connection, instruction, *worked.get(instruction.id, ("", "")))


def _own(connection: sqlite3.Connection, kind: Kind) -> Iterator[Task]:
    """Each instance that the user brought."""
    rows = connection.execute(f"SELECT {_VOTED} FROM instance WHERE kind = ? ORDER BY position", (kind,))  # noqa: S608
    for instance, *texts in rows.fetchall():
        voted = _voted(connection, instance, *texts)
        yield Task(instruction=voted.instruction, worked=None, instances=(voted,))


def _unused(connection: sqlite3.Connection, kind: Kind) -> tuple[list[Read], int]:
    """The first of the user's own tasks that are dropped before anybody is asked, and how many these are in all."""
    where = "FROM rejected WHERE kind = ? AND step IN ('instructions', 'parse') AND request = x''"
    (count,) = connection.execute(f"SELECT COUNT(*) {where}", (kind,)).fetchone()
    rows = connection.execute(f"SELECT text, reason, detail {where} ORDER BY id LIMIT {_FEW}", (kind,))
    return [Read(text=text, reason=reason, detail=detail) for text, reason, detail in rows], count


def _is_probe(call: Call) -> bool:
    return call.asked[-1].content == PROBE.prompt


def _keys(connection: sqlite3.Connection, step: Step, kind: Kind) -> list[str]:
    rows = connection.execute("SELECT key FROM request WHERE step = ? AND kind = ? ORDER BY rowid", (step, kind))
    return [key.hex() for (key,) in rows.fetchall()]


def _list(connection: sqlite3.Connection, key: str) -> Call:
    """A request of step 1 with the tasks in its reply."""
    kept = connection.execute(
        "SELECT text FROM instruction WHERE request = ? ORDER BY position", (bytes.fromhex(key),)
    ).fetchall()
    return _call(connection, key, [*(Read(text=text) for (text,) in kept), *_drops(connection, key, "instructions")])


def _task(connection: sqlite3.Connection, instruction: Instruction, key: str, completion: str) -> Task:
    """An instruction with what followed from it; `key` is that of its worked example, or empty."""
    if not key:
        return Task(instruction=instruction.text, worked=None, instances=())
    ours = content_id("completion", instruction.text, completion)
    rows = connection.execute(
        f"SELECT {_VOTED} FROM instance WHERE request = ? AND completion = ? ORDER BY position",  # noqa: S608
        (bytes.fromhex(key), ours),
    ).fetchall()
    read = [Read(text=text, input=task_input, output=output) for _, text, task_input, output, _ in rows]
    drops = [*_drops(connection, key, "parse"), *_drops(connection, key, "instances")]
    return Task(
        instruction=instruction.text,
        worked=_call(connection, key, [*read, *drops]),
        instances=tuple(_voted(connection, *row) for row in rows),
    )


def _voted(
    connection: sqlite3.Connection, instance: str, instruction: str, task_input: str, output: str, reference: str
) -> Voted:
    candidates = connection.execute(
        "SELECT voter, request, text FROM candidate WHERE instance = ? ORDER BY voter", (instance,)
    ).fetchall()
    votes = [_call(connection, key.hex(), [Read(text=text)], who=voter) for voter, key, text in candidates]
    dropped = connection.execute(
        "SELECT request, reason, detail, text FROM rejected WHERE step = 'outputs' AND source = ?", (instance,)
    ).fetchall()
    for key, reason, detail, text in dropped:
        call = _call(connection, key.hex(), [Read(text=text, reason=reason, detail=detail)])
        votes += [call] if call.asked else []
    chosen = _chosen(connection, instance)
    return Voted(
        instruction=instruction,
        input=task_input,
        output=output,
        votes=tuple(votes),
        chosen=chosen,
        reference=reference,
    )


def _chosen(connection: sqlite3.Connection, instance: str) -> Chosen | None:
    example = connection.execute("SELECT row FROM example WHERE instance = ?", (instance,)).fetchone()
    if example is not None:
        row = parsed_row(example[0])
        winners, agreement, confidence = tuple(row["winners"]), row["agreement"], row["confidence"]
        return Chosen(output=row["output"], winners=winners, agreement=agreement, confidence=confidence)
    drop = connection.execute(
        "SELECT text, reason, detail FROM rejected WHERE step = 'ensemble' AND source = ?", (instance,)
    ).fetchone()
    return None if drop is None else Chosen(output=drop[0], reason=drop[1], detail=drop[2])


def _drops(connection: sqlite3.Connection, key: str, step: Step) -> list[Read]:
    rows = connection.execute(
        "SELECT text, reason, detail FROM rejected WHERE request = ? AND step = ? ORDER BY id",
        (bytes.fromhex(key), step),
    )
    return [Read(text=text, reason=reason, detail=detail) for text, reason, detail in rows.fetchall()]


def _call(connection: sqlite3.Connection, key: str, read: list[Read], who: str = "") -> Call:
    model, prompt, shared, turns, prompt_tokens, completion_tokens, seconds = connection.execute(
        "SELECT model, prompt, shared.text, turns, prompt_tokens, completion_tokens, seconds FROM request"
        " JOIN shared ON shared.id = request.shared WHERE key = ?",
        (bytes.fromhex(key),),
    ).fetchone()
    answer = read_answer(connection, key)
    outcome = answer.outcome if answer is not None else Failure("no_answer", "")
    response = outcome if isinstance(outcome, Response) else Response("", "")
    return Call(
        model=model,
        who=who or model,
        asked=(*(turns_of(shared) if turns else ()), Message("user", unpack_prompt(prompt, shared))),
        reply=response.text or response.refusal,
        thought=response.reasoning,
        failure=f"{outcome.type}: {outcome.message}" if isinstance(outcome, Failure) else "",
        finish_reason=response.finish_reason,
        prompt_tokens=prompt_tokens or 0,
        completion_tokens=completion_tokens or 0,
        seconds=seconds,
        read=tuple(read),
    )


def _completion(connection: sqlite3.Connection, key: str) -> str:
    """The text of a reply as step 3 gets it; empty where there is none."""
    answer = read_answer(connection, key)
    if answer is None or not isinstance(answer.outcome, Response):
        return ""
    read = read_reply(answer.outcome, read_profile(connection))
    return read.text if isinstance(read, Response) else ""


def _is_of(connection: sqlite3.Connection, instruction: Instruction, key: str, completion: str) -> bool:
    """Whether a request of step 2 asked for this instruction: its records say so."""
    ours = content_id("completion", instruction.text, completion)
    found = connection.execute(
        "SELECT 1 FROM instance WHERE request = ? AND completion = ? UNION ALL"
        " SELECT 1 FROM rejected WHERE request = ? AND source IN (?, ?) LIMIT 1",
        (bytes.fromhex(key), ours, bytes.fromhex(key), ours, instruction.id),
    ).fetchone()
    return found is not None


def _mean_seconds(connection: sqlite3.Connection) -> dict[tuple[Step, str], float]:
    rows = connection.execute("SELECT step, model, AVG(seconds) FROM request GROUP BY step, model").fetchall()
    return {(step, model): seconds for step, model, seconds in rows}
