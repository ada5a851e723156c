"""A run as one page, and the same numbers as JSON: read from the run folder alone, while it runs and after.

The same run gives the same bytes: nothing of the time or the machine on which the report is made is in it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.agreement.voters.kept import kept_of
from ensemble_instruct.agreement.voters.seen import seen_voters
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import InputFileError
from ensemble_instruct.novelty.pool import NoveltyPool, tokens_of
from ensemble_instruct.records import DEFAULT_STRATEGY, KINDS, Kind, Step
from ensemble_instruct.report.histograms import series
from ensemble_instruct.report.parts import (
    AgreementTable,
    ConfidenceTable,
    Costs,
    Funnel,
    Setup,
    Stage,
    Texts,
    Totals,
    Votes,
)
from ensemble_instruct.report.records import (
    UNIT_EDGES,
    Drops,
    Examples,
    Instances,
    MergedPart,
    Nearest,
    SampleRow,
    compare_words,
    read_drops,
    read_instances,
    read_merged,
    read_nearest,
    read_selected,
    sample_rows,
    voters_in,
)
from ensemble_instruct.report.requests import Prices, Requests, read_requests
from ensemble_instruct.report.verbs import count_verbs
from ensemble_instruct.steps.seed_tasks import load_seed_tasks, seed_tasks_digest
from ensemble_instruct.store.costs import prices_of_run, sum_of_costs
from ensemble_instruct.store.reading import (
    barred_counts_of,
    kept_counts,
    mean_words_of,
    merged_runs_of,
    read_meta,
    reading,
    require_run,
    state_of,
    unread_verdicts,
)
from ensemble_instruct.store.settings import run_config, settings_of
from ensemble_instruct.version import __version__

_STEP_OF_STAGE: Mapping[str, Step] = {
    "instructions": "instructions",
    "completions": "instances",
    "instances": "parse",
    "answered": "outputs",
    "examples": "ensemble",
}
"""After which step the records of a stage are counted; before all of them there are the replies of step 1."""
_LEFT_OUT = (".base_url", "instructions.window", "instructions.patience")
"""Settings that the page does not repeat: addresses of servers, and what changes only the way of step 1."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page shows."""

    setup: Setup
    totals: Totals
    votes: Votes
    texts: Texts
    costs: Costs


JSON_KEYS = (
    "run", "state", "version", "profile", "strategy", "examples", "kinds", "selected_from", "voters", "mean_words",
    "prompt_tokens", "completion_tokens", "cost", "has_prices", "funnels", "drops", "confidence", "agreement", "wins",
    "words", "nearest", "seeds_are_known", "novelty_threshold", "verbs", "models", "throughput", "looks", "settings",
    "merged", "barred", "standings", "selected", "unpriced", "looked_up",
)  # fmt: skip
"""The keys of `report --json` after `report_version`: those of all parts, in the order that programs know."""


def report_json(report: Report) -> dict[str, Any]:
    """The same numbers as one flat object for JSON."""
    parts = (report.setup, report.totals, report.votes, report.texts, report.costs)
    values = {name: value for part in parts for name, value in asdict(part).items()}
    return {"report_version": __version__, **{key: values[key] for key in JSON_KEYS}}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Records:
    """What one state of a run's database holds, as far as the report needs it."""

    meta: Mapping[str, str]
    settings: Mapping[str, Any]
    """Those that the run was started with, by their keys."""
    kept: Counter[tuple[Kind, Step]]
    requests: Requests
    prices: Prices
    drops: Drops
    verdicts: Counter[tuple[Step, Kind | None, str]]
    """Of the drops, those for which no answer is missing."""
    examples: Examples
    voters: tuple[str, ...]
    instances: Instances
    nearest: Nearest | None
    seeds_are_known: bool
    looks: tuple[SampleRow, ...]
    merged: tuple[MergedPart, ...]


def read_report(folder: Path, parser: str | None = None) -> Report:
    """The numbers of a run folder; `parser` names a spaCy model that looks for verbs in place of the rule.

    Raises `InputFileError` if the folder is not a run, `StoreError` if its database cannot be read, `UsageError` where
    that model is not installed.
    """
    path = require_run(folder)
    config = run_config(folder) if (folder / "config.yaml").is_file() else None
    with reading(path) as connection:
        connection.execute("BEGIN")  # one state of a run that goes on
        meta = read_meta(connection)
        selection = Selection.of(config) if config else _selection_of(settings_of(meta))
        records = _read_records(connection, config, selection, prices_of_run(folder, meta))
    return Report(
        setup=_setup(records, folder.resolve().name, state_of(records.meta, path)),
        totals=_totals(records),
        votes=_votes(records, selection),
        texts=_texts(records, parser),
        costs=_costs(records),
    )


def _selection_of(settings: Mapping[str, Any]) -> Selection:
    """How a run without its config selects, as far as its database says it."""
    return Selection(
        strategy=settings.get("ensemble.strategy", DEFAULT_STRATEGY),
        min_confidence=settings.get("ensemble.min_confidence"),
        keep=settings.get("ensemble.keep"),
    )


def _read_records(
    connection: sqlite3.Connection, config: Config | None, selection: Selection, prices: Prices
) -> _Records:
    meta = read_meta(connection)
    settings: dict[str, Any] = settings_of(meta)
    kept = Counter(kept_counts(connection))
    examples = read_selected(connection, _of(kept, "ensemble"))
    voters = voters_in(examples, config.voter_names if config else ())
    seeds = _seed_pools(config, settings.get("seed_tasks"))
    return _Records(
        meta=meta,
        settings=settings,
        kept=kept,
        requests=read_requests(connection, config, prices),
        prices=prices,
        drops=read_drops(connection),
        verdicts=unread_verdicts(connection),
        examples=examples,
        voters=voters,
        instances=read_instances(connection, _of(kept, "parse"), voters, selection),
        nearest=read_nearest(connection, _of(kept, "instructions"), seeds),
        seeds_are_known=bool(seeds),
        looks=sample_rows(connection, examples),
        merged=read_merged(connection, merged_runs_of(meta)),
    )


def _setup(records: _Records, name: str, state: str) -> Setup:
    settings = records.settings
    return Setup(
        run=name,
        state=state,
        version=records.meta.get("version", ""),
        profile=settings.get("profile", ""),
        strategy=settings.get("ensemble.strategy", ""),
        settings=_shown_settings(settings, records.requests.sampling),
        merged=records.merged,
    )


def _totals(records: _Records) -> Totals:
    kinds = {kind: count for kind, count in _of(records.kept, "ensemble").items() if count}
    examples = sum(kinds.values())
    return Totals(
        examples=examples,
        kinds=kinds,
        selected_from=examples + sum(drop.count for drop in records.drops.reasons if drop.step == "ensemble"),
        funnels=tuple(_funnel(kind, records) for kind in _kinds(records.settings, records.kept)),
        drops=records.drops.reasons,
        barred=barred_counts_of(records.meta),
    )


def _votes(records: _Records, selection: Selection) -> Votes:
    return Votes(
        voters=records.voters,
        confidence=_confidence(records, selection),
        agreement=AgreementTable(
            edges=UNIT_EDGES,
            kept=series(records.examples.agreement, UNIT_EDGES),
            all_rows=records.instances.matrix,
            kept_rows=records.examples.matrix(records.voters),
        ),
        wins=records.examples.wins(records.voters),
        standings=seen_voters(records.meta),
        selected=kept_of(records.meta),
    )


def _texts(records: _Records, parser: str | None) -> Texts:
    return Texts(
        mean_words=mean_words_of(records.meta),
        words=compare_words(records.instances.words, records.examples.words),
        nearest=records.nearest,
        seeds_are_known=records.seeds_are_known,
        novelty_threshold=records.settings.get("instructions.novelty_threshold"),
        verbs=count_verbs(records.examples.instructions, parser),
        looks=records.looks,
    )


def _costs(records: _Records) -> Costs:
    models, prices = records.requests.models, records.prices
    return Costs(
        prompt_tokens=sum(use.prompt_tokens for use in models),
        completion_tokens=sum(use.completion_tokens for use in models),
        cost=sum_of_costs(use.cost for use in models),
        has_prices=any(use.cost for use in models) or any(not price.is_free for price in prices.values() if price),
        unpriced=tuple(use.name for use in models if use.cost is None),
        looked_up=tuple(name for name, price in prices.items() if price and price.origin == "looked up"),
        models=models,
        throughput=records.requests.throughput,
    )


def _of(kept: Counter[tuple[Kind, Step]], step: Step) -> dict[Kind, int]:
    return {kind: kept[kind, step] for kind in KINDS}


def _kinds(settings: Mapping[str, Any], kept: Counter[tuple[Kind, Step]]) -> list[Kind]:
    return [kind for kind in KINDS if settings.get(f"instructions.target.{kind}") or kept[kind, "instructions"]]


def _funnel(kind: Kind, records: _Records) -> Funnel:
    stages = [Stage("replies", records.requests.replies[kind, "instructions"], 0)]
    for name, step in _STEP_OF_STAGE.items():
        dropped = sum(
            drop.counts.get(kind, 0) - records.verdicts[step, kind, drop.reason]
            for drop in records.drops.reasons
            if drop.step == step
        )
        stages.append(Stage(name, records.kept[kind, step], dropped))
    return Funnel(kind, records.settings.get(f"instructions.target.{kind}", 0), tuple(stages))


def _confidence(records: _Records, selection: Selection) -> ConfidenceTable:
    kept, dropped = (
        [share for kind in KINDS for share in by_kind[kind]]
        for by_kind in (records.examples.confidence, records.drops.confidence)
    )
    return ConfidenceTable(
        edges=UNIT_EDGES,
        kept=series(kept, UNIT_EDGES),
        dropped=series(dropped, UNIT_EDGES),
        least={kind: selection.least(kind) for kind in KINDS},
    )


def _seed_pools(config: Config | None, digest: str | None) -> dict[Kind, NoveltyPool]:
    """For each kind its seed instructions; nothing where the file is not that of the run any more."""
    if config is None or config.tasks is not None:
        return {}
    try:
        tasks = load_seed_tasks(config.seed_tasks)
    except InputFileError:
        return {}
    if seed_tasks_digest(tasks) != digest:
        return {}
    tokens, threshold = tokens_of(config.profile), config.instructions.novelty_threshold
    return {
        kind: NoveltyPool((task.instruction for task in tasks if task.kind == kind), threshold, tokens=tokens)
        for kind in KINDS
    }


def _shown_settings(
    settings: Mapping[str, Any], sampling: Mapping[Step, tuple[Mapping[str, Any], ...]]
) -> dict[str, Any]:
    """What there is to say of each setting; of sampling what was asked for, also where the config leaves it open."""
    drawn: dict[str, list[Any]] = {}
    for step, settings_of_step in sampling.items():
        for name, value in chain.from_iterable(each.items() for each in settings_of_step):
            values = drawn.setdefault(f"{step}.sampling.{name}", [])
            values += [] if value is None or value in values else [value]
    sampled = {key: values[0] if len(values) == 1 else values for key, values in drawn.items()}
    return {
        key: _without_folders(value) if key.startswith("models.") and not _is_sent(key) else value
        for key, value in {**settings, **sampled}.items()
        if value not in (None, "", []) and not key.endswith(_LEFT_OUT)
    }


def _is_sent(key: str) -> bool:
    """Whether what a setting of a model holds goes to its server as it is: no path, though it may begin as one."""
    return key.endswith(".system") or ".extra_body." in key or ".query." in key


def _without_folders(value: Any) -> Any:
    return Path(value).name if isinstance(value, str) and value.startswith(("/", "~", ".")) else value
