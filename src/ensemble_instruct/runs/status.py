"""Where a run is, read from its database alone: works while it runs, and after."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from ensemble_instruct.agreement.voters.kept import Kept, kept_of
from ensemble_instruct.agreement.voters.seen import SeenVoters, seen_voters
from ensemble_instruct.config.servers.prices import KnownPrice
from ensemble_instruct.models.admission.gate import GateStatus
from ensemble_instruct.models.admission.stragglers import Oldest
from ensemble_instruct.models.server_notes import notes_of
from ensemble_instruct.records import KINDS, STEPS, Kind, OwnForm, Step
from ensemble_instruct.store.costs import COST_SUMS, Spent, Wasted, prices_of_run, read_wasted, sum_of_costs
from ensemble_instruct.store.reading import (
    barred_counts_of,
    dropped_counts,
    kept_counts,
    mean_words_of,
    merged_runs_of,
    read_meta,
    reading,
    require_run,
    state_of,
    unread_verdicts,
)
from ensemble_instruct.store.settings import settings_of

_RECENT = 60.0
"""Seconds over which the rate is taken."""
_PAUSE = 600.0
"""Seconds without an answer that count as a pause between two starts, as in the report."""
_CANDIDATES = """
    SELECT kind, COUNT(*) FROM instance CROSS JOIN candidate ON candidate.instance = instance.id GROUP BY kind
"""
"""`CROSS` has SQLite begin with the instances: candidates have an index by instance, instances none by id."""
_MINUTES = """
    SELECT MIN(answered_at), MAX(answered_at) FROM request
    GROUP BY CAST(answered_at / 60 AS INTEGER) ORDER BY MIN(answered_at)
"""
_FAILURES = (
    "SELECT failure, COUNT(*) FROM request WHERE failure IS NOT NULL AND step != 'instructions' GROUP BY failure"
)
_USES = f"""
    SELECT model, step, kind, COUNT(*), COUNT(failure), SUM(COALESCE(prompt_tokens, 0)),
        SUM(COALESCE(completion_tokens, 0)), SUM(estimated), {COST_SUMS}
    FROM request GROUP BY model, step, kind ORDER BY MIN(rowid)
"""  # noqa: S608 - a constant text


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """Answers whose tokens are estimated, since the server did not say."""
    cost: float | None
    """US dollars, as the server states them or by the price of the model; None where neither is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of a run: `running`, `finished` or `stopped`, with counts by step and kind."""

    state: str
    kept: Counter[tuple[Step, Kind]]
    """Instructions, completions, instances, instances with a candidate, examples."""
    dropped: Counter[tuple[Step, Kind | None, str]]
    """Records that a step did not keep, by reason; in step 4 these are single answers, and `verdicts`."""
    verdicts: Counter[tuple[Step, Kind | None, str]]
    """Of those of step 4, what is no answer but a verdict on answers, of a judge or a filter's model."""
    follow_on: Counter[Kind]
    """Instances that a completion states after its first one."""
    candidates: Counter[Kind]
    """Answers of step 4 that were kept: several for an instance."""
    targets: dict[Kind, int]
    uses: tuple[Use, ...]
    wasted: tuple[Wasted, ...]
    """Tries that were paid, or may have been, and gave no answer."""
    prices: Mapping[str, KnownPrice | None]
    """What each model costs; None where that is not known."""
    servers: dict[str, tuple[GateStatus, ...]]
    """For each model its servers, as they were in the last start."""
    failures: Counter[str]
    """Requests that `--retry-failed` would ask again, by reason."""
    requests_per_second: float
    """Over the last minute."""
    active_seconds: float
    """From the first answer to the last one, without the pauses between two starts."""
    words: tuple[float, float] | None
    """Mean words of all outputs of the run, and of those kept; None until it ends."""
    seconds_left: float | None
    """Estimate from that rate and the share of the targets that is met; None where nothing can be said."""
    oldest: Oldest | None = None
    """The request that has been on its way for the longest time, as it was a moment ago; None unless it is running."""
    tasks: OwnForm | None = None
    """What the user's own tasks are that the run begins with, if it does."""
    merged: tuple[str, ...] = ()
    """The runs that were merged into it, with their instances."""
    barred: Mapping[str, int] = field(default_factory=dict)
    """Outputs of examples that a quality filter did not let be chosen, by reason; known when the run has ended."""
    voters: SeenVoters | None = None
    """How the voters do, and what is to be known of it; None until the run ends, and where it did not learn that."""
    selected: Kept | None = None
    """The examples in numbers, by the length of their outputs too; None until the run ends."""
    notes: tuple[str, ...] = ()
    """What is to be known of what servers did to requests: settings left out, another model, prompts that were cut."""

    @property
    def answers(self) -> int:
        """Requests that were answered, all starts together."""
        return sum(use.answers for use in self.uses)

    @property
    def spent(self) -> tuple[Use | Wasted, ...]:
        """All tries of all starts: those that gave an answer, then the others."""
        return (*self.uses, *self.wasted)

    @property
    def cost(self) -> float | None:
        """US dollars for all tries of all starts; None where that is not known of all."""
        return sum_of_costs(one.cost for one in self.spent)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The models of which it is not known what they cost."""
        return tuple(dict.fromkeys(one.model for one in self.spent if one.cost is None))

    @property
    def examples(self) -> int:
        """Examples so far."""
        return sum(self.kept["ensemble", kind] for kind in KINDS)


def read_status(folder: Path) -> Status:
    """The status of a run folder; raises `InputFileError` if it is not one, `StoreError` if it cannot be read."""
    path = require_run(folder)
    with reading(path) as connection:
        meta = read_meta(connection)
        kept = Counter({(step, kind): count for (kind, step), count in kept_counts(connection).items()})
        dropped, verdicts = Counter(dropped_counts(connection)), unread_verdicts(connection)
        recent = connection.execute(
            "SELECT COUNT(*), MIN(answered_at) FROM request WHERE answered_at > ?", (time.time() - _RECENT,)
        ).fetchone()
        prices = prices_of_run(folder, meta)
        uses, wasted = _uses(connection, prices), read_wasted(connection, prices)
        follow_on = _by_kind(connection, "SELECT kind, COUNT(*) FROM instance WHERE follow_on > 0 GROUP BY kind")
        candidates = _by_kind(connection, _CANDIDATES)
        active_seconds = _active_seconds(connection)
        failures = Counter(dict(connection.execute(_FAILURES).fetchall()))
    config = settings_of(meta)
    targets: dict[Kind, int] = {
        kind: config[f"instructions.target.{kind}"] for kind in KINDS if config.get(f"instructions.target.{kind}")
    }
    state = state_of(meta, path)
    rate = recent[0] / max(1.0, time.time() - recent[1]) if recent[0] else 0.0
    steps: Sequence[Step] = ("outputs",) if config.get("tasks") == "instances" else STEPS[:2]
    left = seconds_left(kept, steps, targets, sum(use.answers for use in uses), rate) if state == "running" else None
    merged = tuple(f"{run.name} ({run.instances} instances)" for run in merged_runs_of(meta))
    return Status(
        state=state,
        kept=kept,
        dropped=dropped,
        verdicts=verdicts,
        follow_on=follow_on,
        candidates=candidates,
        targets=targets,
        uses=uses,
        wasted=wasted,
        prices=prices,
        servers=_servers(meta.get("servers")),
        failures=failures,
        requests_per_second=rate,
        active_seconds=active_seconds,
        words=mean_words_of(meta),
        seconds_left=left,
        oldest=_oldest(meta.get("servers")) if state == "running" else None,
        tasks=config.get("tasks"),
        merged=merged,
        barred=barred_counts_of(meta),
        voters=seen_voters(meta),
        selected=kept_of(meta),
        notes=notes_of(meta),
    )


def read_voter_notes(folder: Path) -> tuple[str, ...]:
    """Of the status of a run folder what is to be known of its voters."""
    with reading(require_run(folder)) as connection:
        seen = seen_voters(read_meta(connection))
    return seen.notes if seen else ()


def _by_kind(connection: sqlite3.Connection, sql: str) -> Counter[Kind]:
    return Counter(dict(connection.execute(sql).fetchall()))


def _active_seconds(connection: sqlite3.Connection) -> float:
    minutes: list[tuple[float, float]] = connection.execute(_MINUTES).fetchall()
    gaps = (begin - end for (_, end), (begin, _) in pairwise(minutes))
    pauses = sum(gap for gap in gaps if gap > _PAUSE)
    return minutes[-1][1] - minutes[0][0] - pauses if minutes else 0.0


def _uses(connection: sqlite3.Connection, prices: Mapping[str, KnownPrice | None]) -> tuple[Use, ...]:
    uses = []
    for model, step, kind, answers, failures, prompt_tokens, completion_tokens, estimated, *sums in connection.execute(
        _USES
    ):
        uses.append(
            Use(
                model=model,
                step=step,
                kind=kind,
                answers=answers,
                failures=failures,
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                estimated=estimated,
                cost=Spent(*sums).cost(prices.get(model)),
            )
        )
    return tuple(uses)


def _servers(written: str | None) -> dict[str, tuple[GateStatus, ...]]:
    models: dict[str, list[dict[str, Any]]] = json.loads(written)["models"] if written else {}
    return {model: tuple(GateStatus(**server) for server in servers) for model, servers in models.items()}


def _oldest(written: str | None) -> Oldest | None:
    found = json.loads(written).get("oldest") if written else None
    return Oldest(**found) if found else None


def seconds_left(
    kept: Counter[tuple[Step, Kind]], steps: Sequence[Step], targets: dict[Kind, int], answers: int, rate: float
) -> float | None:
    """Seconds until each kind has its target in each of these steps, with `rate` answers a second from now on."""
    share = sum(
        min(1.0, kept[step, kind] / target) for kind, target in targets.items() for step in steps
    ) / max(1, len(steps) * len(targets))  # fmt: skip
    return answers * (1 - share) / share / rate if share and rate else None
