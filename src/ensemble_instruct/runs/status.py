"""Where a run stands, read from its database alone: works while it runs, and after."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ensemble_instruct.agreement.selection import words_line
from ensemble_instruct.config.models import Price
from ensemble_instruct.models.admission import GateStatus
from ensemble_instruct.models.budget import cost_of
from ensemble_instruct.records import KINDS, STEPS, Kind, Step
from ensemble_instruct.store.reading import barred_of, kept_counts, reading, require_run, state_of, words_of

_RECENT = 60.0
_USES = """
    SELECT model, step, kind, COUNT(*), COUNT(failure), SUM(COALESCE(prompt_tokens, 0)),
        SUM(COALESCE(completion_tokens, 0)), SUM(estimated)
    FROM request GROUP BY model, step, kind ORDER BY MIN(rowid)
"""


@dataclass(frozen=True, slots=True)
class Use:
    """What one model has answered in one step for one kind, all starts together."""

    model: str
    step: Step
    kind: Kind
    answers: int
    failures: int
    prompt_tokens: int
    completion_tokens: int
    estimated: int
    """Answers whose tokens are estimated, for the server gave none."""
    cost: float
    """US dollars, by the prices of the config."""


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a run: `running`, `finished` or `stopped`, with counts by step and kind."""

    state: str
    kept: Counter[tuple[Step, Kind]]
    dropped: Counter[tuple[Step, Kind | None, str]]
    targets: dict[Kind, int]
    uses: tuple[Use, ...]
    servers: dict[str, tuple[GateStatus, ...]]
    """For each model its servers, as they were in the last start."""
    failures: Counter[str]
    """Requests that `--retry-failed` would ask again, by reason."""
    requests_per_second: float
    """Over the last minute."""
    words: tuple[float, float] | None
    """Mean words of all outputs of the run, and of those kept; None until it ends."""
    seconds_left: float | None
    """Estimate from that rate and the share of the targets that is met; None where nothing can be said."""
    merged: tuple[str, ...] = ()
    """The runs that were merged into it, with their instances."""
    barred: Mapping[str, int] = field(default_factory=dict)
    """Outputs of examples that a quality filter did not let be chosen, by reason; known when the run has ended."""

    @property
    def examples(self) -> int:
        """Examples so far."""
        return sum(self.kept["ensemble", kind] for kind in KINDS)


def read_status(folder: Path) -> Status:
    """The status of a run folder; raises `InputFileError` if it is none, `StoreError` if it cannot be read."""
    path = require_run(folder)
    with reading(path) as connection:
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        kept, dropped = _counts(connection)
        recent = connection.execute(
            "SELECT COUNT(*), MIN(answered_at) FROM request WHERE answered_at > ?", (time.time() - _RECENT,)
        ).fetchone()
        uses = _uses(connection, folder)
        failures = Counter(
            dict(
                connection.execute(
                    "SELECT failure, COUNT(*) FROM request WHERE failure IS NOT NULL AND step != 'instructions'"
                    " GROUP BY failure"
                ).fetchall()
            )
        )
    config = json.loads(meta.get("config", "{}"))
    targets: dict[Kind, int] = {
        kind: config[f"instructions.target.{kind}"] for kind in KINDS if config.get(f"instructions.target.{kind}")
    }
    state = state_of(meta, path)
    rate = recent[0] / max(1.0, time.time() - recent[1]) if recent[0] else 0.0
    left = _seconds_left(kept, targets, sum(use.answers for use in uses), rate) if state == "running" else None
    servers = _servers(meta.get("servers"))
    merged = tuple(f"{part['run']} ({part['instances']} instances)" for part in json.loads(meta.get("merged", "[]")))
    words, barred = words_of(meta), barred_of(meta)
    return Status(state, kept, dropped, targets, uses, servers, failures, rate, words, left, merged, barred)


def status_lines(status: Status) -> list[str]:
    """The status in words: a line for each step and kind, then for each model and server, then the whole."""
    lines = []
    for kind in KINDS:
        for step in STEPS:
            kept = status.kept[step, kind]
            reasons = {reason: count for (at, of, reason), count in status.dropped.items() if (at, of) == (step, kind)}
            if kept or reasons or kind in status.targets:
                wanted = f" of {status.targets[kind]}" if step == "instructions" and kind in status.targets else ""
                drops = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
                lines.append(f"{kind:<13} {step:<13} {kept:>7}{wanted} kept{f'; dropped {drops}' if drops else ''}")
    for model in dict.fromkeys(use.model for use in status.uses):
        uses = [use for use in status.uses if use.model == model]
        lines.append(f"model {model}: {_used(uses)}")
        if len(uses) > 1:
            lines += [f"  {use.step} {use.kind}: {_used([use])}" for use in uses]
        servers = [server for server in status.servers.get(model, ()) if "://" in server.server]
        lines += [_server_line(server, status.state) for server in servers]
    lines += [words_line(*status.words)] if status.words else []
    if status.barred:
        passed_over = ", ".join(f"{count} {reason}" for reason, count in sorted(status.barred.items()))
        lines.append(f"outputs passed over in the rows that were kept: {passed_over}")
    lines += [f"merged from {', '.join(status.merged)}"] if status.merged else []
    return [*lines, *_costs(status), _whole(status)]


def _used(uses: Iterable[Use]) -> str:
    given = list(uses)
    failures = sum(use.failures for use in given)
    cost = sum(use.cost for use in given)
    marks = ", estimated" if any(use.estimated for use in given) else ""
    return (
        f"{sum(use.answers for use in given)} answers{f', {failures} failed' if failures else ''}, "
        f"{sum(use.prompt_tokens for use in given):,} tokens in, {sum(use.completion_tokens for use in given):,} out"
        f"{marks}{f', {cost:.4f} USD' if cost else ''}"
    )


def _server_line(server: GateStatus, state: str) -> str:
    now = f"{server.state}, {server.in_flight} in flight of {server.limit}, " if state == "running" else ""
    retries = ", ".join(f"{count}x {cause}" for cause, count in sorted(server.retries.items()))
    return (
        f"  server {server.server}: {now}latency {server.p50:.2f} s (90 % {server.p90:.2f}, 99 % {server.p99:.2f})"
        f"{f'; tried again after {retries}' if retries else ''}"
    )


def _costs(status: Status) -> list[str]:
    tokens = sum(use.prompt_tokens + use.completion_tokens for use in status.uses)
    cost = sum(use.cost for use in status.uses)
    if not tokens or not status.examples:
        return []
    price = f" and {cost / status.examples:.6f} USD, {cost:.4f} USD in all" if cost else ""
    return [f"{tokens / status.examples:,.0f} tokens for each of {status.examples} examples{price}"]


def _whole(status: Status) -> str:
    whole = f"{status.state}; {status.requests_per_second:.1f} requests/s in the last minute"
    if status.seconds_left is not None:
        minutes, seconds = divmod(round(status.seconds_left), 60)
        whole += f", about {f'{minutes} min' if minutes else f'{seconds} s'} left"
    return whole


def _counts(
    connection: sqlite3.Connection,
) -> tuple[Counter[tuple[Step, Kind]], Counter[tuple[Step, Kind | None, str]]]:
    kept = Counter({(step, kind): count for (kind, step), count in kept_counts(connection).items()})
    dropped: Counter[tuple[Step, Kind | None, str]] = Counter()
    for step, kind, reason, count in connection.execute(
        "SELECT step, kind, reason, COUNT(*) FROM rejected GROUP BY step, kind, reason"
    ):
        dropped[step, kind, reason] = count
    return kept, dropped


def _uses(connection: sqlite3.Connection, folder: Path) -> tuple[Use, ...]:
    config_path = folder / "config.yaml"
    config = yaml.safe_load(config_path.read_text(encoding="utf-8")) if config_path.is_file() else {}
    prices = {name: Price(**(model.get("price") or {})) for name, model in (config.get("models") or {}).items()}
    knows_estimates = connection.execute("PRAGMA user_version").fetchone()[0] >= 2
    rows = connection.execute(_USES if knows_estimates else _USES.replace("SUM(estimated)", "0"))
    uses = []
    for model, step, kind, answers, failures, prompt_tokens, completion_tokens, estimated in rows:
        cost = cost_of(prices.get(model, Price()), prompt_tokens, completion_tokens)
        uses.append(Use(model, step, kind, answers, failures, prompt_tokens, completion_tokens, estimated, cost))
    return tuple(uses)


def _servers(written: str | None) -> dict[str, tuple[GateStatus, ...]]:
    models: dict[str, list[dict[str, Any]]] = json.loads(written)["models"] if written else {}
    return {model: tuple(GateStatus(**server) for server in servers) for model, servers in models.items()}


def _seconds_left(
    kept: Counter[tuple[Step, Kind]], targets: dict[Kind, int], answers: int, rate: float
) -> float | None:
    share = sum(
        min(1.0, kept[step, kind] / target) for kind, target in targets.items() for step in STEPS[:2]
    ) / max(1, 2 * len(targets))  # fmt: skip
    return answers * (1 - share) / share / rate if share and rate else None
