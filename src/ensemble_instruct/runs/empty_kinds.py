"""An end with nothing in it: no example, at all or of a kind, or no row of a step; what dropped it, and what to try."""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from ensemble_instruct.errors import EmptyError
from ensemble_instruct.models.model import Model
from ensemble_instruct.quality.filters import QUALITY_REASONS
from ensemble_instruct.records import FIRST_STEP, KINDS, STEPS, Kind, Step
from ensemble_instruct.steps.first_replies import ENDED_BY_LIMIT, what_to_try
from ensemble_instruct.store.reading import (
    drops_by_reason,
    drops_in_words,
    kept_counts,
    read_meta,
    reading,
    require_run,
)
from ensemble_instruct.store.settings import settings_of

log = logging.getLogger(__name__)
SelectionCounts = Counter[tuple[Kind, str]]
"""Records of step 5 by kind and reason, the reason empty for those kept."""
_Drops = Counter[tuple[Step, str]]
_ASKING: Mapping[Step, Step] = {"instructions": "instructions", "instances": "instances", "parse": "instances"}
"""The steps that keep nothing where a model cannot do its task, and the step that asks it."""
_TO_LOOK_AT: Mapping[Step, str] = {
    "instructions": "see whether the model of roles.instructions stands at its endpoint: a base model at completions, "
    "a chat model at chat",
    "instances": "see why roles.instances gives no completion",
    "parse": "see whether the completions state an output, and an input where the kind has one",
    "outputs": "see whether the models of roles.outputs answer these instances",
    "ensemble": "see what the models disagree on, and how much confidence the section `ensemble` wants",
}
"""By the first step that kept nothing."""
_FILTERS_TO_LOOK_AT = "see whether these tasks are meant to pass the filters of the section `quality`"


def missing_examples(folder: Path, second: SelectionCounts | None = None, drops_in: Path | None = None) -> str:
    """What to say of a run that has no example, at all or of a kind that it was to make; empty where none is missing.

    Of a `second` selection, which the run does not keep, `drops_in` is the file of its drops. The log has it too.
    """
    with reading(require_run(folder)) as connection:
        config = settings_of(read_meta(connection))
        wanted = [kind for kind in KINDS if config.get(f"instructions.target.{kind}")]
        first = FIRST_STEP[config["tasks"]] if config.get("tasks") else None
        before = STEPS[: STEPS.index(first) + 1] if first else ()
        if not wanted:
            return "no example was made: instructions.target is 0 for both kinds; set how many are wanted"
        filled = {kind for kind in wanted if _has_example(connection, kind)} if second is None else _kinds_in(second)
        empty = [kind for kind in wanted if kind not in filled]
        if not empty:
            return ""
        kept, drops = kept_counts(connection), drops_by_reason(connection, empty)
    if second is not None:
        drops = Counter({drop: count for drop, count in drops.items() if drop[0] != "ensemble"})
        for kind in empty:
            drops.update({("ensemble", why): count for (of, why), count in second.items() if of == kind})
    reached = [step for step in STEPS[:-1] if step in before or any(kept.get((kind, step)) for kind in empty)]
    failed = next(step for step in STEPS if step not in reached)
    model = config.get(f"roles.{_ASKING.get(failed)}", "")
    to_try = _to_try(failed, drops, model, config.get(f"models.{model}.endpoint", ""))
    what = "no example" if empty == wanted else f"no {empty[0]} example"
    line = _line(what, failed, drops, drops_in or folder / "report.html", to_try)
    log.info("%s", line, extra={"kinds": empty})
    return line


def missing_rows(step: Step, dropped: Counter[str], drops_in: Path | None, asked: Model | None = None) -> str:
    """What to say of a step alone that wrote no row; `drops_in` is the file of its drops, if there is one."""
    if not dropped:
        return "no row was written, for the files that were read have none; see whether they are the right ones"
    drops: _Drops = Counter({(step, why): count for why, count in dropped.items()})
    to_try = _to_try(step, drops) if asked is None else _to_try(step, drops, asked.name, asked.section.endpoint)
    return _line("no row", step, drops, drops_in, to_try)


def require_made(missing: str, *, allow_empty: bool) -> None:
    """Raise `EmptyError` where something is missing, unless that is allowed."""
    if missing and not allow_empty:
        raise EmptyError(f"{missing}; give --allow-empty if this is as wanted")


def _has_example(connection: sqlite3.Connection, kind: Kind) -> bool:
    return connection.execute("SELECT 1 FROM example WHERE kind = ? LIMIT 1", (kind,)).fetchone() is not None


def _kinds_in(selected: SelectionCounts) -> set[Kind]:
    return {kind for (kind, why), count in selected.items() if count and not why}


def _line(what: str, failed: Step, drops: _Drops, shown_in: Path | None, to_try: str) -> str:
    shown = f"{shown_in} shows their texts" if shown_in else "--to FILE shows their texts"
    return (
        f"{what} was made: step {failed} kept none; dropped most: {drops_in_words(drops) or 'nothing'}; "
        f"{shown}; {to_try}"
    )


def _to_try(failed: Step, drops: _Drops, model: str = "", endpoint: str = "") -> str:
    """What may help where a step kept nothing; its model where that is known."""
    reasons = Counter({why: count for (step, why), count in drops.items() if step == failed})
    most = max(reasons, key=lambda why: reasons[why], default="")
    if failed == "ensemble" and most in QUALITY_REASONS:
        return _FILTERS_TO_LOOK_AT
    if failed == "outputs" and most in ENDED_BY_LIMIT:
        return what_to_try(failed, model, endpoint, most)
    asking = _ASKING.get(failed)
    return what_to_try(asking, model, endpoint, most) if asking and endpoint else _TO_LOOK_AT[failed]
