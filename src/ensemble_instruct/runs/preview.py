"""A few tasks of each kind through all steps, before a whole run is paid for: what was asked, what came, what it tells.

It is a run of its own, in a folder that is thrown away unless one is named; what a whole run would need is worked out
from what was seen in it.
"""

from __future__ import annotations

import math
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ensemble_instruct.config.schema import Config
from ensemble_instruct.models.structured import PROBE
from ensemble_instruct.records import KINDS, STEPS, Failure, Instruction, Kind, Message, Response, Step, content_id
from ensemble_instruct.replies.reader import read_reply
from ensemble_instruct.runs.estimate import Estimate, estimate
from ensemble_instruct.runs.lifecycle import start_or_resume
from ensemble_instruct.runs.recorder import Monitor, Summary
from ensemble_instruct.runs.status import Use, read_status
from ensemble_instruct.store.costs import Wasted
from ensemble_instruct.store.database import unpack_prompt
from ensemble_instruct.store.reading import is_locked, read_answer, read_instructions, read_profile, reading
from ensemble_instruct.store.rows import parsed_row, turns_of

_PREFIX = "ensemble-instruct-preview-"
_STALE = 3600.0
"""Seconds after which a folder that no process works in is what a killed preview has left."""
_PATIENCE = 5
"""Replies without anything new after which step 1 of a preview ends."""
AT_ONCE = 16
"""Requests that a model is taken to answer at a time as fast as one, where `max_in_flight` does not say otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a step read out of a reply: kept, or dropped for a reason."""

    text: str
    input: str = ""
    """Of an instance."""
    output: str = ""
    """Of an instance."""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, what came of it, and what was read out of that."""

    model: str
    who: str
    """The voter, or the model again."""
    asked: tuple[Message, ...]
    reply: str
    """As it came; empty where the request failed."""
    thought: str
    failure: str
    """Why the request was refused, or the empty text."""
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    read: tuple[Read, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What step 5 made of an instance: its example, or its drop."""

    output: str
    winners: tuple[str, ...] = ()
    agreement: float = 0.0
    confidence: float = 0.0
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voted:
    """An instance, what the voters said to it, and what was chosen; None where the preview ended before that."""

    instruction: str
    input: str
    output: str
    votes: tuple[Call, ...]
    chosen: Chosen | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An instruction of step 1, the worked example that was asked for it, and what became of its instances."""

    instruction: str
    worked: Call | None
    instances: tuple[Voted, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSeen:
    """What was seen of one kind of task."""

    kind: Kind
    lists: tuple[Call, ...]
    """The requests of step 1."""
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A preview, ready to be shown, and what a whole run would need if it went as this did."""

    kinds: tuple[KindSeen, ...]
    uses: tuple[Use, ...]
    """What was asked, by model, step and kind."""
    wasted: tuple[Wasted, ...]
    """Tries that were paid, or may have been, and gave no answer; no whole run is reckoned with them."""
    whole: tuple[Estimate, ...]
    is_seen: bool
    """Whether all of `whole` follows from what was seen; else some is by the assumptions of `check`."""
    examples: int
    """That a whole run would have."""
    seconds: float
    """That the busiest model of it would need, if it answers `AT_ONCE` requests at a time as fast as one."""


def preview_config(config: Config, rows: int) -> Config:
    """The config of a preview: a few tasks of each kind that it makes, asked for one request after the other."""
    section = config.instructions
    target: dict[str, int] = {kind: min(rows, section.target.of(kind)) for kind in KINDS}
    is_list = config.models[config.roles.instructions].endpoint == "chat" and config.profile == "default"
    changed = section.model_copy(
        update={
            "target": section.target.model_copy(update=target),
            "window": 1 if is_list else min(section.window, rows),
            "patience": min(section.patience, max(_PATIENCE, rows)),
        }
    )
    return config.model_copy(update={"instructions": changed})


async def make_preview(
    config: Config, rows: int, folder: Path, monitor: Monitor, *, budget: float | None = None
) -> Summary:
    """Make a preview of a config in a folder, or go on with one; see `start_or_resume` for what it raises."""
    return await start_or_resume(preview_config(config, rows), folder, monitor, budget=budget, is_preview=True)


@contextmanager
def passing_folder() -> Iterator[Path]:
    """A folder that is gone when the block ends; those that killed previews have left go, too."""
    for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if time.time() - old.stat().st_mtime > _STALE and not is_locked(old / "run" / "run.db"):
                shutil.rmtree(old)
        except OSError:
            continue  # of another user, or of a preview that has just ended
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        yield Path(name) / "run"


def read_preview(config: Config, folder: Path) -> Preview:
    """What a preview of a config has in its folder, whether it came to its end or not."""
    status = read_status(folder)
    uses = tuple(sorted(status.uses, key=lambda use: (KINDS.index(use.kind), STEPS.index(use.step))))
    with reading(folder / "run.db") as connection:
        kinds = tuple(_kind_seen(connection, kind) for kind in KINDS if config.instructions.target.of(kind))
        seconds = _mean_seconds(connection)
    whole, is_seen = _whole(config, kinds, uses)
    return Preview(
        kinds=kinds,
        uses=uses,
        wasted=status.wasted,
        whole=whole,
        is_seen=is_seen,
        examples=sum(_examples(config, seen) for seen in kinds),
        seconds=_busiest(config, whole, seconds),
    )


def _kind_seen(connection: sqlite3.Connection, kind: Kind) -> KindSeen:
    instructions = list(read_instructions(connection, kind))
    lists = [_list(connection, key) for key in _keys(connection, "instructions", kind)]
    worked: dict[str, tuple[str, str]] = {}
    for key in _keys(connection, "instances", kind):
        completion = _completion(connection, key)
        for instruction in instructions:
            if _is_of(connection, instruction, key, completion):
                worked[instruction.id] = key, completion
    tasks = [_task(connection, instruction, *worked.get(instruction.id, ("", ""))) for instruction in instructions]
    return KindSeen(kind=kind, lists=tuple(call for call in lists if not _is_probe(call)), tasks=tuple(tasks))


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
        "SELECT id, instruction, input, output FROM instance WHERE request = ? AND completion = ? ORDER BY position",
        (bytes.fromhex(key), ours),
    ).fetchall()
    read = [Read(text=text, input=task_input, output=output) for _, text, task_input, output in rows]
    drops = [*_drops(connection, key, "parse"), *_drops(connection, key, "instances")]
    return Task(
        instruction=instruction.text,
        worked=_call(connection, key, [*read, *drops]),
        instances=tuple(_voted(connection, *row) for row in rows),
    )


def _voted(connection: sqlite3.Connection, instance: str, instruction: str, task_input: str, output: str) -> Voted:
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
    return Voted(instruction=instruction, input=task_input, output=output, votes=tuple(votes), chosen=chosen)


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


def _whole(config: Config, kinds: tuple[KindSeen, ...], uses: tuple[Use, ...]) -> tuple[tuple[Estimate, ...], bool]:
    """What a whole run would ask, and whether all of it follows from what was seen."""
    seen = {(use.step, use.kind, use.model): use for use in uses if use.answers > use.failures}
    by_kind = {each.kind: each for each in kinds}
    whole, done = [], set()
    is_seen = True
    for row in estimate(config):
        place = row.step, row.kind, row.model
        use, share = seen.get(place), _times(config, by_kind[row.kind], row.step)
        if use is None or not share:
            whole.append(row)
            is_seen = False
        elif place not in done:
            done.add(place)
            whole.append(_scaled(row, use, share))
    return tuple(whole), is_seen


def _times(config: Config, seen: KindSeen, step: Step) -> float:
    """How many times as much a whole run does of a step; 0 where nothing tells."""
    target = config.instructions.target.of(seen.kind)
    if step != "instructions":
        return target / len(seen.tasks) if seen.tasks else 0.0
    usable = [read for call in seen.lists for read in call.read if read.reason in ("", "target_reached")]
    return target / len(usable) if usable else 0.0


def _scaled(row: Estimate, use: Use, times: float) -> Estimate:
    requests = math.ceil(use.answers * times)
    each = requests / use.answers
    return Estimate(
        step=row.step,
        kind=row.kind,
        model=row.model,
        requests=requests,
        prompt_tokens=round(use.prompt_tokens * each),
        completion_tokens=round(use.completion_tokens * each),
        cost=None if use.cost is None else use.cost * each,
    )


def _examples(config: Config, seen: KindSeen) -> int:
    kept = sum(bool(each.chosen and not each.chosen.reason) for task in seen.tasks for each in task.instances)
    return round(kept * _times(config, seen, "parse"))


def _mean_seconds(connection: sqlite3.Connection) -> dict[tuple[Step, str], float]:
    rows = connection.execute("SELECT step, model, AVG(seconds) FROM request GROUP BY step, model").fetchall()
    return {(step, model): seconds for step, model, seconds in rows}


def _busiest(config: Config, whole: tuple[Estimate, ...], seconds: dict[tuple[Step, str], float]) -> float:
    busy: dict[str, float] = {}
    for row in whole:
        section = config.models[row.model]
        places = min(AT_ONCE, section.max_in_flight or AT_ONCE) * max(1, len(section.base_urls))
        busy[row.model] = busy.get(row.model, 0.0) + row.requests * seconds.get((row.step, row.model), 0.0) / places
    return max(busy.values(), default=0.0)
