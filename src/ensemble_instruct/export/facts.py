"""What a dataset card tells of a run: read once, from its database and its config, and changing neither.

Addresses of servers and paths of files stay out: they are the owner's own, and of no use to a reader.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from operator import add
from pathlib import Path
from typing import Any

from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.agreement.voters.kept import kept_of
from ensemble_instruct.config.bundled import is_users
from ensemble_instruct.config.known_tasks import are_known
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import UsageError
from ensemble_instruct.export.layout import Table, usual_tables
from ensemble_instruct.files.digest import file_digest
from ensemble_instruct.licences.policy import DerivedLicence, Part, derive, parts_of
from ensemble_instruct.quality.common_words import language_of
from ensemble_instruct.records import KINDS, RATED, STEPS, Kind, Step
from ensemble_instruct.store.costs import RunCosts, prices_of_run, read_costs
from ensemble_instruct.store.reading import (
    MergedRun,
    dropped_counts,
    kept_counts,
    merged_runs_of,
    read_meta,
    reading,
    require_run,
)
from ensemble_instruct.store.rows import parsed_row
from ensemble_instruct.store.settings import run_config, settings_of
from ensemble_instruct.version import __version__

TAGS = ("instruction-tuning", "synthetic", "ensemble-instruct")
"""What the Hub lists a dataset under."""
CITATION = """\
@inproceedings{lee-etal-2023-ensemble,
  title     = {Ensemble-Instruct: Instruction Tuning Data Generation with a Heterogeneous Mixture of {LM}s},
  author    = {Lee, Young-Suk and Sultan, Md Arafat and El-Kurdi, Yousef and Naseem, Tahira and Munawar, Asim and
               Florian, Radu and Roukos, Salim and Astudillo, Ram{\\'o}n Fernandez},
  booktitle = {Findings of the Association for Computational Linguistics: EMNLP 2023},
  year      = {2023},
  url       = {https://arxiv.org/abs/2310.13961},
}"""
"""The paper, as BibTeX."""
BINS = 10
"""Of the distribution of the confidence, from 0 to 1."""
_PROMPTS = "prompts."
"""What the settings of a run begin with that are about prompts of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestGroup:
    """The requests to one model in one step for one kind, all with the same sampling settings."""

    step: Step
    kind: Kind
    model: str
    sampling: Mapping[str, Any]
    count: int
    failures: int
    prompt_tokens: int
    completion_tokens: int
    is_estimated: bool
    """Whether a server did not count the tokens of some of them."""
    unseeded: int
    """How many were drawn without a seed, or without the one that was asked for, as far as the client knows."""


@dataclass(frozen=True, slots=True)
class Template:
    """The text that the prompts of a step draw on, by its SHA-256."""

    step: Step
    kind: Kind
    sha256: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many records a step dropped for a reason."""

    step: Step
    kind: Kind | None
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of the examples of a kind: means, and how many have a confidence in each tenth from 0 to 1."""

    kind: Kind
    mean: float
    """Of the agreement."""
    mean_confidence: float
    tenths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that the run read: what for, its name without the folder, its SHA-256 if it is still there."""

    what: str
    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the card, its licence file and `croissant.json` say."""

    name: str
    version: str
    """Of this package, when the run was made."""
    state: str
    days: tuple[str, str]
    """The first and the last day of an answer, in UTC; empty where there is none."""
    config: Config
    kept: Mapping[tuple[Kind, Step], int]
    dropped: tuple[Dropped, ...]
    requests: tuple[RequestGroup, ...]
    costs: RunCosts
    templates: tuple[Template, ...]
    agreement: tuple[Agreement, ...]
    wins: tuple[tuple[str, int], ...]
    """How often each voter gave the output that was chosen, the most frequent first."""
    words: tuple[float, float] | None
    """Mean words of all outputs, and of those kept."""
    samples: tuple[Mapping[str, Any], ...]
    """The first example of each kind."""
    spoken: str
    """The language of the rows, by their words; empty where that is not clear."""
    own_prompts: tuple[str, ...]
    """The files of prompts that the run had in place of the bundled ones."""
    files: tuple[SourceFile, ...]
    parts: tuple[Part, ...]
    tables: tuple[Table, ...]
    caution: str = ""
    """What is to be known of the confidence of long outputs, where the run has some."""
    merged: tuple[MergedRun, ...] = ()
    """The runs that it was merged from, if any."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of task that the run was to make."""
        return tuple(kind for kind in KINDS if self.config.instructions.target.of(kind))

    @property
    def examples(self) -> int:
        """The examples of the run."""
        return sum(self.kept.get((kind, "ensemble"), 0) for kind in KINDS)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of all that had a role, in each of the runs where several were merged."""
        return _models(self.config, self.requests, bool(self.merged))

    @property
    def rows(self) -> int:
        """Rows of the dataset: of its first table."""
        return self.tables[0].rows if self.tables else self.examples

    @property
    def has_bundled_seeds(self) -> bool:
        """Whether the seed tasks are the bundled ones."""
        return self.config.tasks is None and not is_users(self.config.seed_tasks) and self._has_one_set_of_seeds

    @property
    def _has_one_set_of_seeds(self) -> bool:
        return len({run.settings.get("seed_tasks") for run in self.merged}) < 2

    @property
    def licence(self) -> DerivedLicence:
        """What follows for the dataset from what was declared."""
        return derive(self.parts)

    @property
    def title(self) -> str:
        """The name for people to read: without the owner, with spaces."""
        return " ".join(self.name.rpartition("/")[2].replace("_", " ").replace("-", " ").split()) or "Dataset"

    @property
    def summary(self) -> str:
        """What the dataset is, in two sentences."""
        voters = len(self.config.voter_names) + 1
        how = "the ratings of models" if self.config.strategy in RATED else "their agreement"
        return (
            f"{self.examples:,} examples for instruction tuning, made by language models with Ensemble-Instruct. "
            f"Each has the output that was chosen out of {voters} by {how} ({self.config.strategy})."
        )

    @property
    def is_simulated(self) -> bool:
        """Whether one of the models is a function or replies in a file, and no language model that was asked."""
        return any(self.config.models[name].provider == "scripted" for name in self.models)

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO codes: those that the language filter let pass, else that of the rows, or of known seed tasks."""
        seeds = self.config.seed_tasks
        are_english = seeds is None or not is_users(seeds) or are_known(seeds)
        is_english = self.config.tasks is None and self._has_one_set_of_seeds and are_english
        told = self.spoken or ("en" if is_english else "")
        return tuple(self.config.quality.languages or ([told] if told else []))


def read_facts(folder: Path, name: str | None = None, tables: Sequence[Table] | None = None) -> Facts:
    """The facts of a run folder; the dataset is called as the folder is, unless named.

    `tables` are those that were written (`read_tables`); without, those that an upload to the Hub writes by itself.

    Raises `InputFileError` for a folder that is not a run, `ConfigError` for a config that cannot be read, `UsageError`
    for one that was edited since the examples were chosen.
    """
    path = require_run(folder)
    config = run_config(folder)
    with reading(path) as connection:
        connection.execute("BEGIN")
        meta = read_meta(connection)
        _require_unchanged(folder, config, settings_of(meta))
        kept, kept_numbers = kept_counts(connection), kept_of(meta)
        requests, templates = _requests(connection)
        agreement, wins = _agreement(connection)
        merged = merged_runs_of(meta)
        words: list[float] | None = json.loads(meta.get("words", "null"))
        return Facts(
            name=name or folder.resolve().name,
            version=meta.get("version", __version__),
            state=meta.get("state", ""),
            days=_days(connection),
            config=config,
            kept=kept,
            dropped=_dropped(connection),
            requests=requests,
            costs=read_costs(connection, prices_of_run(folder, meta)),
            templates=templates,
            agreement=agreement,
            wins=wins,
            words=(words[0], words[1]) if words else None,
            samples=_samples(connection),
            spoken=_spoken(connection),
            own_prompts=tuple(
                sorted(key.removeprefix(_PROMPTS) for key in settings_of(meta) if key.startswith(_PROMPTS))
            ),
            files=source_files(config),
            parts=parts_of(config, _models(config, requests, bool(merged))),
            tables=_usual_tables(kept, bool(merged)) if tables is None else tuple(tables),
            caution=kept_numbers.caution if kept_numbers else "",
            merged=merged,
        )


def _usual_tables(kept: Mapping[tuple[Kind, Step], int], is_merged: bool) -> tuple[Table, ...]:
    return usual_tables(sum(kept.get((kind, "ensemble"), 0) for kind in KINDS), is_merged=is_merged)


def _models(config: Config, requests: Sequence[RequestGroup], is_merged: bool) -> tuple[str, ...]:
    """Those with a role; in a merged run also those that only one of its runs asked."""
    further = (group.model for group in requests if is_merged and group.model in config.models)
    return tuple(dict.fromkeys([*config.used_models, *further]))


def _require_unchanged(folder: Path, config: Config, settings: Mapping[str, Any]) -> None:
    """Raise `UsageError` where the config was edited, and is not that by which the examples were chosen any more."""
    now: dict[str, Any] = {"seed": config.seed, "profile": config.profile}
    now |= {f"ensemble.{name}": value for name, value in Selection.of(config).settings.items()}
    now["instructions.novelty_threshold"] = config.instructions.novelty_threshold
    now["roles.outputs"] = config.roles.outputs
    for key, value in now.items():
        if key in settings and settings[key] != value:
            raise UsageError(
                f"{folder / 'config.yaml'}: {key} is {json.dumps(value)}, but the examples were made with "
                f"{json.dumps(settings[key])}; set it back, or let the run follow: ensemble-instruct run --out {folder}"
            )


def source_files(config: Config) -> tuple[SourceFile, ...]:
    """The user's files that decided what the run made."""
    named = [("seed tasks", [config.seed_tasks])]
    named += [(f"demonstrations, {kind}", [config.instances.demonstrations.of(kind)]) for kind in KINDS]
    named.append(("datasets to differ from", [*config.instructions.against]))
    named.append(("benchmarks", [*config.quality.decontaminate]))
    own = [(what, path) for what, paths in named for path in paths if path and is_users(path)]
    return tuple(SourceFile(what, path.name, _digest_or_nothing(path)) for what, path in own)


def _digest_or_nothing(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError:  # it is gone since the run was made
        return ""


def _days(connection: sqlite3.Connection) -> tuple[str, str]:
    first, last = connection.execute("SELECT MIN(answered_at), MAX(answered_at) FROM request").fetchone()
    if first is None:
        return "", ""
    return time.strftime("%Y-%m-%d", time.gmtime(first)), time.strftime("%Y-%m-%d", time.gmtime(last))


def _dropped(connection: sqlite3.Connection) -> tuple[Dropped, ...]:
    drops = [Dropped(*which, count) for which, count in dropped_counts(connection).items()]
    return tuple(sorted(drops, key=lambda drop: (STEPS.index(drop.step), drop.kind or "", -drop.count, drop.reason)))


def _requests(connection: sqlite3.Connection) -> tuple[tuple[RequestGroup, ...], tuple[Template, ...]]:
    """Both in one reading: the table of the requests is the largest by far."""
    sums: dict[tuple[Step, Kind, str, str], list[int]] = {}
    templates: set[Template] = set()
    for step, kind, model, settings, text, *counts in _request_counts(connection):
        before = sums.get((step, kind, model, settings), [0] * len(counts))
        sums[step, kind, model, settings] = list(map(add, before, counts))
        if text:
            templates.add(Template(step, kind, sha256(text.encode("utf-8", "surrogatepass")).hexdigest()))
    groups = [_group(*key, counts) for key, counts in sums.items()]
    return (
        tuple(sorted(groups, key=lambda group: (STEPS.index(group.step), group.kind, group.model, -group.count))),
        tuple(sorted(templates, key=lambda one: (STEPS.index(one.step), one.kind, one.sha256))),
    )


def _group(step: Step, kind: Kind, model: str, settings: str, counts: Sequence[int]) -> RequestGroup:
    count, failures, prompt_tokens, completion_tokens, estimated, unseeded = counts
    sampling = json.loads(settings)
    return RequestGroup(
        step=step,
        kind=kind,
        model=model,
        sampling=sampling,
        count=count,
        failures=failures,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        is_estimated=estimated > 0,
        unseeded=unseeded if sampling["temperature"] else 0,
    )


def _request_counts(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """(step, kind, model, settings, shared text, then six counts), grouped by number before any text is looked up."""
    return connection.execute(
        "SELECT step, kind, model, settings, shared.text, counts.requests, failures, prompt_tokens, completion_tokens,"
        " estimated, unseeded FROM (SELECT step, kind, model, sampling, shared, COUNT(*) AS requests,"
        " COUNT(failure) AS failures, SUM(COALESCE(prompt_tokens, 0)) AS prompt_tokens,"
        " SUM(COALESCE(completion_tokens, 0)) AS completion_tokens, SUM(estimated) AS estimated,"
        " SUM(seed IS NULL OR NOT seed_honoured) AS unseeded"
        " FROM request GROUP BY step, kind, model, sampling, shared) AS counts"
        " JOIN sampling ON sampling.id = counts.sampling JOIN shared ON shared.id = counts.shared"
    )


def _agreement(connection: sqlite3.Connection) -> tuple[tuple[Agreement, ...], tuple[tuple[str, int], ...]]:
    """Both in one reading: the rows of a large run are many."""
    counts: dict[Kind, list[int]] = {}
    sums: dict[Kind, list[float]] = {}
    wins: Counter[str] = Counter()
    # a row of an older version is parsed here, the others by SQLite, which is faster
    connection.create_function("as_of_today", 1, lambda text: json.dumps(parsed_row(text)), deterministic=True)
    rows = connection.execute(
        "SELECT kind, MAX(0, MIN(CAST(confidence * ? AS INTEGER), ?)) AS tenth, winners, COUNT(*), SUM(agreement),"
        " SUM(confidence) FROM (SELECT kind, json_extract(row, '$.agreement') AS agreement,"
        " json_extract(row, '$.confidence') AS confidence, json_extract(row, '$.winners') AS winners FROM"
        " (SELECT kind, CASE WHEN json_type(row, '$.confidence') IS NULL THEN as_of_today(row) ELSE row END AS row"
        " FROM example)) GROUP BY kind, tenth, winners",
        (BINS, BINS - 1),
    )
    for kind, tenth, winners, count, *totals in rows:
        counts.setdefault(kind, [0] * BINS)[tenth] += count
        sums[kind] = list(map(add, sums.get(kind, [0.0, 0.0]), totals))
        wins.update(dict.fromkeys(json.loads(winners), count))
    agreement = tuple(
        Agreement(kind, sums[kind][0] / sum(tenths), sums[kind][1] / sum(tenths), tuple(tenths))
        for kind, tenths in sorted(counts.items())
    )
    return agreement, tuple(sorted(wins.items(), key=lambda win: (-win[1], win[0])))


def _samples(connection: sqlite3.Connection) -> tuple[Mapping[str, Any], ...]:
    rows = connection.execute(
        "SELECT row FROM example AS one WHERE position ="
        " (SELECT MIN(position) FROM example AS other WHERE other.kind = one.kind) ORDER BY kind"
    )
    return tuple(parsed_row(row) for (row,) in rows)


def _spoken(connection: sqlite3.Connection) -> str:
    rows = map(parsed_row, (row for (row,) in connection.execute("SELECT row FROM example WHERE position < 300")))
    return language_of(f"{row['instruction']}\n{row['output']}" for row in rows)
