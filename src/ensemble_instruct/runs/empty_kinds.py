"""A kind of task of which there is no example in the end: what dropped its rows, and what to look at."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from ensemble_instruct.quality.filters import QUALITY_REASONS
from ensemble_instruct.records import KINDS, STEPS, Kind, Step
from ensemble_instruct.store.reading import (
    dropped_counts,
    kept_counts,
    read_meta,
    reading,
    require_run,
    unread_verdicts,
)

log = logging.getLogger(__name__)
SelectionCounts = Counter[tuple[Kind, str]]
"""Records of step 5 by kind and reason, the reason empty for those kept."""
_REASONS_NAMED = 3
"""Of a kind without examples."""
_TARGET_REACHED = "instructions", "target_reached"
_TO_LOOK_AT: Mapping[Step, str] = {
    "instructions": "see whether the model of roles.instructions stands at its endpoint: a base model at completions, "
    "a chat model at chat",
    "instances": "see whether roles.instances writes inputs and outputs as its examples do",
    "parse": "see whether the models of roles.outputs answer these instances",
    "outputs": "see what the models disagree on, and how much agreement the section `ensemble` wants",
}
"""By the last step that kept something."""
_FILTERS_TO_LOOK_AT = "see whether these tasks are meant to pass the filters of the section `quality`"


def warn_of_empty_kinds(folder: Path, second: SelectionCounts | None = None, drops_in: Path | None = None) -> None:
    """Log a warning for each kind that a run was to make, and of which it has no example.

    Of a `second` selection, which the run does not keep, `drops_in` is the file of its drops.
    """
    with reading(require_run(folder)) as connection:
        config = json.loads(read_meta(connection).get("config", "{}"))
        wanted = [kind for kind in KINDS if config.get(f"instructions.target.{kind}")]
        filled = {kind for kind in wanted if _has_example(connection, kind)} if second is None else _kinds_in(second)
        empty = [kind for kind in wanted if kind not in filled]
        if not empty:
            return
        kept, drops = kept_counts(connection), Counter(dropped_counts(connection)) - unread_verdicts(connection)
    for kind in empty:
        counts = Counter({(step, why): count for (step, of, why), count in drops.items() if of == kind})
        if second is not None:
            counts = Counter({(step, why): count for (step, why), count in counts.items() if step != "ensemble"})
            counts.update({("ensemble", why): count for (of, why), count in second.items() if of == kind})
        reached = {step: kept.get((kind, step), 0) for step in STEPS[:-1]}
        log.warning("%s", _note(kind, reached, counts, drops_in or folder / "report.html"), extra={"kind": kind})


def _has_example(connection: sqlite3.Connection, kind: Kind) -> bool:
    return connection.execute("SELECT 1 FROM example WHERE kind = ? LIMIT 1", (kind,)).fetchone() is not None


def _kinds_in(selected: SelectionCounts) -> set[Kind]:
    return {kind for (kind, why), count in selected.items() if count and not why}


def _note(kind: Kind, kept: Mapping[Step, int], drops: Counter[tuple[Step, str]], shown_in: Path) -> str:
    """Where the rows went; `kept` has the steps before step 5."""
    del drops[_TARGET_REACHED]  # these were not needed any more
    largest = [(step, why, count) for (step, why), count in sorted(drops.items(), key=lambda drop: -drop[1])]
    named = ", ".join(f"{count} {why} in {step}" for step, why, count in largest[:_REASONS_NAMED])
    last = next((step for step in reversed(STEPS[:-1]) if kept[step]), STEPS[0])
    selecting = next((why for step, why, _ in largest if step == "ensemble"), "")
    look_at = _FILTERS_TO_LOOK_AT if last == "outputs" and selecting in QUALITY_REASONS else _TO_LOOK_AT[last]
    return (
        f"no {kind} example was made: the last step that kept some is {last} ({kept[last]}); "
        f"dropped most: {named or 'nothing'}; {shown_in} shows their texts; {look_at}"
    )
