"""What the report says of the requests of a run, in one pass: tokens, cost and time by model, and answers over time."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ensemble_instruct.budget import cost_of
from ensemble_instruct.config import Config, Price
from ensemble_instruct.records import Kind, Step
from ensemble_instruct.report_numbers import round_seconds

_BARS = 90
_FINEST, _MOST_BUCKETS = 0.1, 20_000
_PAUSE = 600.0
"""Seconds without an answer that count as a pause between two starts."""
_REQUESTS = (
    "SELECT model, step, kind, answered_at, COALESCE(prompt_tokens, 0), COALESCE(completion_tokens, 0),"
    " failure IS NOT NULL, {estimated}, seconds FROM request"
)


@dataclass(frozen=True, slots=True)
class ModelUse:
    """What one model has answered in a run, all starts together."""

    name: str
    model: str
    """Its name on the server."""
    license: str | None
    roles: tuple[str, ...]
    answers: int
    failures: int
    prompt_tokens: int
    completion_tokens: int
    estimated: int
    """Answers whose tokens are estimated."""
    seconds: float
    """Mean time of an answer."""
    cost: float


@dataclass(frozen=True, slots=True)
class Pause:
    """A time without answers that is left out: before which bar, and how long."""

    before: int
    seconds: float


@dataclass(frozen=True, slots=True)
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


def read_requests(connection: sqlite3.Connection, config: Config | None) -> Requests:
    """One pass over the requests."""
    knows_estimates = connection.execute("PRAGMA user_version").fetchone()[0] >= 2
    sums: dict[str, list[float]] = {}
    replies: Counter[tuple[Kind, Step]] = Counter()
    timeline = _Timeline()
    for model, step, kind, at, given, made, failed, estimated, seconds in connection.execute(
        _REQUESTS.format(estimated="estimated" if knows_estimates else "0")
    ):
        sum_of = sums.setdefault(model, [0, 0, 0, 0, 0, 0.0])
        sum_of[0] += 1
        sum_of[1] += failed
        sum_of[2] += given
        sum_of[3] += made
        sum_of[4] += estimated
        sum_of[5] += seconds
        replies[kind, step] += not failed
        timeline.add(model, at)
    order = list(dict.fromkeys([*(config.used_models if config else ()), *sorted(sums)]))
    models = tuple(_use(name, sums.get(name, [0] * 6), config) for name in order)
    return Requests(models, replies, timeline.throughput([name for name in order if name in sums]))


def _use(name: str, sums: list[float], config: Config | None) -> ModelUse:
    answers, failures, given, made, estimated, seconds = sums
    section = config.models.get(name) if config else None
    return ModelUse(
        name,
        section.model or section.provider if section else "",
        section.license if section else None,
        _roles(name, config) if config else (),
        int(answers),
        int(failures),
        int(given),
        int(made),
        int(estimated),
        seconds / answers if answers else 0.0,
        cost_of(section.price if section else Price(), given, made),
    )


def _roles(name: str, config: Config) -> tuple[str, ...]:
    given = config.roles.model_dump()
    return tuple(role for role, names in given.items() if names == name or (isinstance(names, list) and name in names))


class _Timeline:
    """Counts answers in buckets that double their length when there are too many of them."""

    def __init__(self) -> None:
        self._width = _FINEST
        self._counts: dict[tuple[str, int], int] = {}
        self._first, self._last = float("inf"), float("-inf")

    def add(self, model: str, at: float) -> None:
        key = (model, round(at / self._width))
        self._counts[key] = self._counts.get(key, 0) + 1
        if len(self._counts) > _MOST_BUCKETS:
            self._widen()
        if at < self._first:
            self._first = at
        if at > self._last:
            self._last = at

    def _widen(self) -> None:
        self._width *= 2
        finer, self._counts = self._counts, {}
        for (model, bucket), count in finer.items():
            key = (model, bucket // 2)
            self._counts[key] = self._counts.get(key, 0) + count

    def throughput(self, models: Iterable[str]) -> Throughput | None:
        """The bars, or None where nothing was answered."""
        if not self._counts:
            return None
        places, gaps, active = self._without_pauses()
        bar_seconds = round_seconds(max(self._width, active / _BARS))
        bars = int(active / bar_seconds + 1e-6) + 1
        counts = {model: [0] * bars for model in models}
        for (model, bucket), count in self._counts.items():
            counts[model][min(bars - 1, int(places[bucket] / bar_seconds + 1e-6))] += count
        pauses = tuple(Pause(int(at / bar_seconds + 1e-6), seconds) for at, seconds in gaps)
        return Throughput(
            self._first,
            self._last,
            active,
            bar_seconds,
            {model: tuple(column) for model, column in counts.items()},
            pauses,
        )

    def _without_pauses(self) -> tuple[dict[int, float], list[tuple[float, float]], float]:
        """For each bucket its time since the first without the pauses; where these were; the sum of the rest."""
        longest = max(_PAUSE, 4 * self._width)
        places: dict[int, float] = {}
        gaps: list[tuple[float, float]] = []
        at, before = 0.0, None
        for bucket in sorted({bucket for _, bucket in self._counts}):
            if before is not None:
                gap = (bucket - before) * self._width
                if gap > longest:
                    at += self._width
                    gaps.append((at, gap))
                else:
                    at += gap
            places[bucket] = at
            before = bucket
        return places, gaps, at
