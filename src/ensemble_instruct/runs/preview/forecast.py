"""What a whole run would take, if it went on as its preview did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ensemble_instruct.config.schema import Config
from ensemble_instruct.records import Step
from ensemble_instruct.runs.estimate import Estimate, estimate
from ensemble_instruct.runs.preview.seen import KindSeen
from ensemble_instruct.runs.status import Use

AT_ONCE = 16
"""Requests that a model is taken to answer at a time as fast as one, where `max_in_flight` does not say otherwise."""


def whole_run(config: Config, kinds: Sequence[KindSeen], uses: Sequence[Use]) -> tuple[tuple[Estimate, ...], bool]:
    """What a whole run would ask, and whether all of it follows from what was seen; else some is by `estimate`."""
    seen = {(use.step, use.kind, use.model): use for use in uses if use.answers > use.failures}
    by_kind = {each.kind: each for each in kinds}
    whole, done = [], set()
    is_seen = True
    for row in estimate(config):
        place = row.step, row.kind, row.model
        use, share = seen.get(place), _times(by_kind[row.kind], row.step)
        if use is None or not share:
            whole.append(row)
            is_seen = False
        elif place not in done:
            done.add(place)
            whole.append(_scaled(row, use, share))
    return tuple(whole), is_seen


def _times(seen: KindSeen, step: Step) -> float:
    """How many times as much a whole run does of a step; 0 where nothing tells."""
    if step != "instructions":
        return seen.target / len(seen.tasks) if seen.tasks else 0.0
    usable = [read for call in seen.lists for read in call.read if read.reason in ("", "target_reached")]
    return seen.target / len(usable) if usable else 0.0


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


def examples_of(seen: KindSeen) -> int:
    """How many examples of a kind a whole run would have."""
    return round(seen.kept * _times(seen, "parse"))


def busiest(config: Config, whole: Sequence[Estimate], seconds: Mapping[tuple[Step, str], float]) -> float:
    """Seconds of its busiest model, by what a request took in the mean, if it answers `AT_ONCE` at a time as fast."""
    busy: dict[str, float] = {}
    for row in whole:
        section = config.models[row.model]
        places = min(AT_ONCE, section.max_in_flight or AT_ONCE) * max(1, len(section.base_urls))
        busy[row.model] = busy.get(row.model, 0.0) + row.requests * seconds.get((row.step, row.model), 0.0) / places
    return max(busy.values(), default=0.0)
