"""A run as one page, and the same numbers as JSON: read from the run folder alone, while it runs and after.

The same run gives the same bytes: nothing of the time or the machine on which the report is made is in it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.config.load import load_config
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import InputFileError
from ensemble_instruct.novelty.pool import NoveltyPool, tokens_of
from ensemble_instruct.records import KINDS, Kind, Step
from ensemble_instruct.report.histograms import Series, series
from ensemble_instruct.report.records import (
    AGREEMENT_EDGES,
    Drops,
    Examples,
    MeanMatrix,
    MergedPart,
    Nearest,
    Reason,
    SampleRow,
    Win,
    Words,
    compare_words,
    read_drops,
    read_instances,
    read_nearest,
    read_parts,
    read_selected,
    sample_rows,
    voters_in,
)
from ensemble_instruct.report.requests import ModelUse, Requests, Throughput, read_requests
from ensemble_instruct.report.verbs import Verbs, count_verbs
from ensemble_instruct.steps.plans import selection_of
from ensemble_instruct.steps.seed_tasks import load_seed_tasks, seed_tasks_digest
from ensemble_instruct.store.reading import (
    barred_counts_of,
    kept_counts,
    mean_words_of,
    read_meta,
    reading,
    require_run,
    state_of,
)
from ensemble_instruct.version import __version__

_STAGES: tuple[tuple[str, Step], ...] = (
    ("instructions", "instructions"),
    ("completions", "instances"),
    ("instances", "parse"),
    ("answered", "outputs"),
    ("examples", "ensemble"),
)
_LEFT_OUT = (".base_url", "instructions.window", "instructions.patience")
"""Settings that the page does not repeat: addresses of servers, and what changes only the way of step 1."""


@dataclass(frozen=True, slots=True)
class Stage:
    """How many records a step made of a kind, and how many it dropped."""

    name: str
    kept: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """The way of one kind from replies to examples."""

    kind: Kind
    target: int
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTable:
    """The agreement of all rows of step 5, and that of each two voters."""

    edges: tuple[float, ...]
    kept: Series
    dropped: Series
    least: Mapping[str, float]
    """By kind, what an example needs; 0 where a share or another rule decides."""
    all_rows: MeanMatrix | None
    """Of a sample of all rows, kept or not; by ROUGE-L where the utility needs a model."""
    kept_rows: MeanMatrix | None


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page shows."""

    run: str
    state: str
    """`finished`, `running` or `stopped`."""
    version: str
    """That began or resumed the run last."""
    profile: str
    strategy: str
    examples: int
    kinds: Mapping[str, int]
    selected_from: int
    """Rows on which step 5 decided."""
    voters: tuple[str, ...]
    mean_words: tuple[float, float] | None
    """Of all outputs, and of those kept, as `status` says them; None until the run ends."""
    prompt_tokens: int
    completion_tokens: int
    cost: float
    has_prices: bool
    funnels: tuple[Funnel, ...]
    drops: tuple[Reason, ...]
    agreement: AgreementTable
    wins: tuple[Win, ...]
    words: tuple[Words, ...]
    nearest: Nearest | None
    seeds_are_known: bool
    novelty_threshold: float | None
    verbs: Verbs
    models: tuple[ModelUse, ...]
    throughput: Throughput | None
    looks: tuple[SampleRow, ...]
    settings: Mapping[str, Any]
    """What decides the run's records, without addresses and paths; files by their digests."""
    merged: tuple[MergedPart, ...]
    """The runs that it was merged from."""
    barred: Mapping[str, int]
    """Outputs of examples that a quality filter did not let be chosen, by reason; known when the run has ended."""


def read_report(folder: Path, parser: str | None = None) -> Report:
    """The numbers of a run folder; `parser` names a spaCy model that looks for verbs in place of the rule.

    Raises `InputFileError` if it is none, `StoreError` if it cannot be read, `UsageError` without that model.
    """
    path = require_run(folder)
    config = load_config(folder / "config.yaml") if (folder / "config.yaml").is_file() else None
    with reading(path) as connection:
        connection.execute("BEGIN")  # one state of a run that goes on
        meta = read_meta(connection)
        settings: dict[str, Any] = json.loads(meta.get("config", "{}"))
        kept = Counter(kept_counts(connection))
        requests, drops = read_requests(connection, config), read_drops(connection)
        examples = read_selected(connection, _of(kept, "ensemble"))
        voters = voters_in(examples, config.voter_names if config else ())
        selection = selection_of(config) if config else Selection()
        instances = read_instances(connection, _of(kept, "parse"), voters, selection)
        seeds = _seed_pools(config, settings.get("seed_tasks"))
        nearest = read_nearest(connection, _of(kept, "instructions"), seeds)
        shown_rows, parts = sample_rows(connection, examples), read_parts(connection, meta.get("merged", "[]"))
    total = sum(_of(kept, "ensemble").values())
    return Report(
        folder.resolve().name,
        state_of(meta, path),
        meta.get("version", ""),
        settings.get("profile", ""),
        settings.get("ensemble.strategy", ""),
        total,
        {kind: count for kind, count in _of(kept, "ensemble").items() if count},
        total + sum(reason.count for reason in drops.reasons if reason.step == "ensemble"),
        voters,
        mean_words_of(meta),
        sum(use.prompt_tokens for use in requests.models),
        sum(use.completion_tokens for use in requests.models),
        sum(use.cost for use in requests.models),
        _has_prices(config),
        tuple(_funnel(kind, settings, kept, requests, drops) for kind in _kinds(settings, kept)),
        drops.reasons,
        _agreement(examples, drops, selection, instances.matrix, voters),
        examples.wins(voters),
        compare_words(instances.words, examples.words),
        nearest,
        bool(seeds),
        settings.get("instructions.novelty_threshold"),
        count_verbs(examples.instructions, parser),
        requests.models,
        requests.throughput,
        shown_rows,
        _settings(settings, requests.sampling),
        parts,
        barred_counts_of(meta),
    )


def report_json(report: Report) -> dict[str, Any]:
    """The same numbers as an object for JSON."""
    return {"report_version": __version__, **asdict(report)}


def _of(kept: Counter[tuple[Kind, Step]], step: Step) -> dict[Kind, int]:
    return {kind: kept[kind, step] for kind in KINDS}


def _kinds(settings: Mapping[str, Any], kept: Counter[tuple[Kind, Step]]) -> list[Kind]:
    return [kind for kind in KINDS if settings.get(f"instructions.target.{kind}") or kept[kind, "instructions"]]


def _has_prices(config: Config | None) -> bool:
    sections = [config.models[name] for name in config.used_models] if config else []
    return any(section.price.input or section.price.output for section in sections)


def _funnel(
    kind: Kind,
    settings: Mapping[str, Any],
    kept: Counter[tuple[Kind, Step]],
    requests: Requests,
    drops: Drops,
) -> Funnel:
    stages = [Stage("replies", requests.replies[kind, "instructions"], 0)]
    for name, step in _STAGES:
        dropped = sum(reason.counts.get(kind, 0) for reason in drops.reasons if reason.step == step)
        stages.append(Stage(name, kept[kind, step], dropped))
    return Funnel(kind, settings.get(f"instructions.target.{kind}", 0), tuple(stages))


def _agreement(
    examples: Examples, drops: Drops, selection: Selection, all_rows: MeanMatrix | None, voters: tuple[str, ...]
) -> AgreementTable:
    kept, dropped = ([share for kind in KINDS for share in of[kind]] for of in (examples.agreement, drops.agreement))
    return AgreementTable(
        edges=AGREEMENT_EDGES,
        kept=series(kept, AGREEMENT_EDGES),
        dropped=series(dropped, AGREEMENT_EDGES),
        least={kind: selection.least(kind) for kind in KINDS},
        all_rows=all_rows,
        kept_rows=examples.matrix(voters),
    )


def _seed_pools(config: Config | None, digest: str | None) -> dict[Kind, NoveltyPool]:
    """For each kind its seed instructions; nothing where the file is not that of the run any more."""
    if config is None:
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


def _settings(settings: Mapping[str, Any], sampling: Mapping[Step, tuple[Mapping[str, Any], ...]]) -> dict[str, Any]:
    """What there is to say of each setting; of sampling what was asked for, also where the config leaves it open."""
    drawn: dict[str, list[Any]] = {}
    for step, some in sampling.items():
        for name, value in chain.from_iterable(given.items() for given in some):
            values = drawn.setdefault(f"{step}.sampling.{name}", [])
            values += [] if value is None or value in values else [value]
    found = {key: value[0] if len(value) == 1 else value for key, value in drawn.items()}
    return {
        key: _without_folders(value) if key.startswith("models.") else value
        for key, value in {**settings, **found}.items()
        if value not in (None, "", []) and not key.endswith(_LEFT_OUT)
    }


def _without_folders(value: Any) -> Any:
    return Path(value).name if isinstance(value, str) and value.startswith(("/", "~", ".")) else value
