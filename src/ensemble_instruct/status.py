"""Where a run stands, read from its database alone: works while it runs, and after."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml

from ensemble_instruct.database import is_locked, kept_counts, reading, require_run
from ensemble_instruct.records import KINDS, STEPS, Kind, Step

_RECENT = 60.0


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What a model has answered in this run, all starts together."""

    name: str
    answers: int
    failures: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    """US dollars, by the prices of the config."""


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a run: `running`, `finished` or `stopped`, with counts by step and kind."""

    state: str
    kept: Counter[tuple[Step, Kind]]
    dropped: Counter[tuple[Step, Kind | None, str]]
    targets: dict[Kind, int]
    models: tuple[ModelStatus, ...]
    requests_per_second: float
    """Over the last minute."""
    seconds_left: float | None
    """Estimate from that rate and the share of the targets that is met; None where nothing can be said."""


def read_status(folder: Path) -> Status:
    """The status of a run folder; raises `InputFileError` if it is none, `StoreError` if it cannot be read."""
    path = require_run(folder)
    with reading(path) as connection:
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        kept, dropped = _counts(connection)
        recent = connection.execute(
            "SELECT COUNT(*), MIN(answered_at) FROM request WHERE answered_at > ?", (time.time() - _RECENT,)
        ).fetchone()
        models = _models(connection, folder)
    config = json.loads(meta.get("config", "{}"))
    targets: dict[Kind, int] = {
        kind: config[f"instructions.target.{kind}"] for kind in KINDS if config.get(f"instructions.target.{kind}")
    }
    state = "finished" if meta.get("state") == "finished" else "running" if is_locked(path) else "stopped"
    rate = recent[0] / max(1.0, time.time() - recent[1]) if recent[0] else 0.0
    left = _seconds_left(kept, targets, sum(model.answers for model in models), rate) if state == "running" else None
    return Status(state, kept, dropped, targets, models, rate, left)


def status_lines(status: Status) -> list[str]:
    """The status in words: a line for each step and kind, then for each model, then the whole."""
    lines = []
    for kind in KINDS:
        for step in STEPS:
            kept = status.kept[step, kind]
            reasons = {reason: count for (at, of, reason), count in status.dropped.items() if (at, of) == (step, kind)}
            if kept or reasons or kind in status.targets:
                wanted = f" of {status.targets[kind]}" if step == "instructions" and kind in status.targets else ""
                drops = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
                lines.append(f"{kind:<13} {step:<13} {kept:>7}{wanted} kept{f'; dropped {drops}' if drops else ''}")
    for model in status.models:
        failures = f", {model.failures} failed" if model.failures else ""
        cost = f", {model.cost:.4f} USD" if model.cost else ""
        lines.append(
            f"model {model.name}: {model.answers} answers{failures}, {model.prompt_tokens:,} tokens in, "
            f"{model.completion_tokens:,} out{cost}"
        )
    whole = f"{status.state}; {status.requests_per_second:.1f} requests/s in the last minute"
    if status.seconds_left is not None:
        minutes, seconds = divmod(round(status.seconds_left), 60)
        whole += f", about {f'{minutes} min' if minutes else f'{seconds} s'} left"
    return [*lines, whole]


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


def _models(connection: sqlite3.Connection, folder: Path) -> tuple[ModelStatus, ...]:
    config_path = folder / "config.yaml"
    config = yaml.safe_load(config_path.read_text(encoding="utf-8")) if config_path.is_file() else {}
    prices = {name: model.get("price") or {} for name, model in (config.get("models") or {}).items()}
    rows = connection.execute(
        "SELECT model, COUNT(*), COUNT(failure), SUM(COALESCE(prompt_tokens, 0)),"
        " SUM(COALESCE(completion_tokens, 0)) FROM request GROUP BY model ORDER BY MIN(rowid)"
    )
    models = []
    for name, answers, failures, prompt_tokens, completion_tokens in rows:
        price = prices.get(name, {})
        cost = (prompt_tokens * price.get("input", 0.0) + completion_tokens * price.get("output", 0.0)) / 1e6
        models.append(ModelStatus(name, answers, failures, prompt_tokens, completion_tokens, cost))
    return tuple(models)


def _seconds_left(
    kept: Counter[tuple[Step, Kind]], targets: dict[Kind, int], answers: int, rate: float
) -> float | None:
    share = sum(
        min(1.0, kept[step, kind] / target) for kind, target in targets.items() for step in STEPS[:2]
    ) / max(1, 2 * len(targets))  # fmt: skip
    return answers * (1 - share) / share / rate if share and rate else None
