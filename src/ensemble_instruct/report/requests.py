"""What the report says of the requests of a run, in one pass: tokens, cost and time by model, and answers over time."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import add
from typing import Any

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.config.servers.prices import KnownPrice
from ensemble_instruct.records import STEPS, Kind, Step
from ensemble_instruct.report.histograms import round_seconds
from ensemble_instruct.store.costs import COST_SUMS, Spent, Wasted, read_wasted, sum_of_costs

Prices = Mapping[str, KnownPrice | None]
"""What each model costs, by its name; None where that is not known."""
_SUMS = 11
"""Sums of a model that the one pass makes."""
_BARS = 90
"""About how many bars the throughput has at most."""
_ENDS = """
    SELECT MIN(answered_at), MAX(answered_at) FROM request
    WHERE rowid IN ((SELECT MIN(rowid) FROM request), (SELECT MAX(rowid) FROM request))
"""
"""When answers began and ended to come: rows are written in that order."""
_FINEST = 0.1
"""Seconds of the shortest bucket: times are kept in tenths of a second."""
_MOST_BUCKETS = 20_000
"""How many there are at most: a long run has longer ones."""
_PAUSE = 600.0
"""Seconds without an answer that count as a pause between two starts."""
_ROUNDING = 1e-6
"""Added to a time before it is put into a bar: one on a border belongs to the later bar, also after rounding."""
_NEXT_BUCKET = 0.001
"""The same for a time in buckets."""
_REQUESTS = """
    SELECT model, step, kind, sampling, CAST((answered_at - :first) / :width + {next_bucket} AS INTEGER), COUNT(*),
        COUNT(failure), SUM(COALESCE(prompt_tokens, 0)), SUM(COALESCE(completion_tokens, 0)), SUM(estimated),
        SUM(seconds), {costs}, MIN(answered_at), MAX(answered_at)
    FROM request GROUP BY 1, 2, 3, 4, 5
"""
"""The one pass: sums by model, step, kind, sampling and bucket of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """What one model has answered in a run, all starts together."""

    name: str
    model: str
    """Its name on the server or on the Hub, else that of its folder; a function of its own."""
    license: str | None
    roles: tuple[str, ...]
    answers: int
    failures: int
    wasted: int
    """Tries that were paid, or may have been, and gave no answer."""
    prompt_tokens: int
    completion_tokens: int
    """Tokens of all tries."""
    estimated: int
    """Tries whose tokens are estimated."""
    seconds: float
    """Mean time of an answer."""
    cost: float | None
    """US dollars for all tries; None where that is not known."""
    wasted_cost: float | None
    """US dollars of it for the tries that gave no answer."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A time without answers that is left out: before which bar, and how long."""

    before: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Answers over time, in bars of equal length; pauses between starts are left out."""

    first: float
    last: float
    """When the first and the last answer came, in seconds since 1970."""
    active_seconds: float
    bar_seconds: float
    counts: Mapping[str, tuple[int, ...]]
    """By model."""
    pauses: tuple[Pause, ...]

    @property
    def totals(self) -> tuple[int, ...]:
        """Answers of all models in each bar."""
        return tuple(map(sum, zip(*self.counts.values(), strict=True)))


@dataclass(frozen=True, slots=True)
class Requests:
    """All that the table of requests tells."""

    models: tuple[ModelUse, ...]
    replies: Counter[tuple[Kind, Step]]
    throughput: Throughput | None
    sampling: Mapping[Step, tuple[Mapping[str, Any], ...]]
    """How the answers of each step were drawn."""


def read_requests(connection: sqlite3.Connection, config: Config | None, prices: Prices) -> Requests:
    """One pass over the requests, and one over the few tries that were paid for nothing."""
    first, last = connection.execute(_ENDS).fetchone()
    order = list(config.used_models) if config else []
    if first is None:
        return Requests(_uses(connection, order, {}, config, prices), Counter(), None, {})
    width = round_seconds(max(_FINEST, (last - first) / _MOST_BUCKETS))
    sums: dict[str, list[float]] = {}
    replies: Counter[tuple[Kind, Step]] = Counter()
    buckets: Counter[tuple[str, int]] = Counter()
    sampled: set[tuple[Step, int]] = set()
    for model, step, kind, sampling, bucket, *numbers, earliest, latest in connection.execute(
        _REQUESTS.format(next_bucket=_NEXT_BUCKET, costs=COST_SUMS),
        {"first": first, "width": width},
    ):
        first, last = min(first, earliest), max(last, latest)
        sums[model] = list(map(add, sums.get(model, [0] * len(numbers)), numbers))
        replies[kind, step] += numbers[0] - numbers[1]
        buckets[model, bucket] += numbers[0]
        sampled.add((step, sampling))
    models = _uses(connection, dict.fromkeys([*order, *sorted(sums)]), sums, config, prices)
    order = [use.name for use in models]
    throughput = _throughput([name for name in order if name in sums], buckets, width, first, last)
    return Requests(models, replies, throughput, _sampling(connection, sampled))


def _sampling(
    connection: sqlite3.Connection, sampled: Iterable[tuple[Step, int]]
) -> dict[Step, tuple[Mapping[str, Any], ...]]:
    settings = {number: json.loads(text) for number, text in connection.execute("SELECT id, settings FROM sampling")}
    by_step: dict[Step, dict[str, Mapping[str, Any]]] = {}
    for step, number in sorted(sampled, key=lambda one: (STEPS.index(one[0]), one[1])):
        drawn_with = {name: value for name, value in settings.get(number, {}).items() if name != "stop"}
        by_step.setdefault(step, {})[json.dumps(drawn_with, sort_keys=True)] = drawn_with
    return {step: tuple(different.values()) for step, different in by_step.items()}


def _uses(
    connection: sqlite3.Connection,
    order: Iterable[str],
    sums: Mapping[str, list[float]],
    config: Config | None,
    prices: Prices,
) -> tuple[ModelUse, ...]:
    wasted = read_wasted(connection, prices)
    names = dict.fromkeys([*order, *(one.model for one in wasted)])
    return tuple(
        _use(name, sums.get(name, [0] * _SUMS), [one for one in wasted if one.model == name], config, prices)
        for name in names
    )


def _use(name: str, sums: Sequence[float], wasted: Sequence[Wasted], config: Config | None, prices: Prices) -> ModelUse:
    answers, failures, prompt_tokens, completion_tokens, estimated, seconds, stated, *tokens = sums
    wasted_cost = sum_of_costs(one.cost for one in wasted)
    section = config.models.get(name) if config else None
    return ModelUse(
        name=name,
        model=_published(section) if section else "",
        license=section.license if section else None,
        roles=_roles(name, config) if config else (),
        answers=int(answers),
        failures=int(failures),
        wasted=sum(one.tries for one in wasted),
        prompt_tokens=int(prompt_tokens) + sum(one.prompt_tokens for one in wasted),
        completion_tokens=int(completion_tokens) + sum(one.completion_tokens for one in wasted),
        estimated=int(estimated) + sum(one.estimated for one in wasted),
        seconds=seconds / answers if answers else 0.0,
        cost=sum_of_costs((Spent(stated, *map(int, tokens)).cost(prices.get(name)), wasted_cost)),
        wasted_cost=wasted_cost,
    )


def _published(section: ModelSection) -> str:
    return section.public_name or (section.path.name if section.path else "") or section.provider


def _roles(name: str, config: Config) -> tuple[str, ...]:
    roles = config.roles.model_dump()
    return tuple(role for role, names in roles.items() if names == name or (isinstance(names, list) and name in names))


def _throughput(
    models: Iterable[str], buckets: Mapping[tuple[str, int], int], width: float, first: float, last: float
) -> Throughput:
    places, gaps, active = _without_pauses({bucket for _, bucket in buckets}, width)
    bar_seconds = round_seconds(max(width, active / _BARS))
    bars = int(active / bar_seconds + _ROUNDING) + 1
    counts = {model: [0] * bars for model in models}
    for (model, bucket), count in buckets.items():
        counts[model][min(bars - 1, int(places[bucket] / bar_seconds + _ROUNDING))] += count
    return Throughput(
        first=first,
        last=last,
        active_seconds=active,
        bar_seconds=bar_seconds,
        counts={model: tuple(column) for model, column in counts.items()},
        pauses=tuple(Pause(int(at / bar_seconds + _ROUNDING), seconds) for at, seconds in gaps),
    )


def _without_pauses(buckets: Iterable[int], width: float) -> tuple[dict[int, float], list[tuple[float, float]], float]:
    """For each bucket its time since the first without the pauses; where these were; the sum of the rest."""
    longest = max(_PAUSE, 4 * width)
    places: dict[int, float] = {}
    gaps: list[tuple[float, float]] = []
    at, before = 0.0, None
    for bucket in sorted(buckets):
        if before is not None:
            gap = (bucket - before) * width
            if gap > longest:
                at += width
                gaps.append((at, gap))
            else:
                at += gap
        places[bucket] = at
        before = bucket
    return places, gaps, at
