"""A run folder: started or resumed, locked, checked against the config it was started with, and finished."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from ensemble_instruct.config.load import load_config, validated
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import ConfigChangedError, EnsembleInstructError, InputFileError, RunError, UsageError
from ensemble_instruct.files.atomic import whole_file
from ensemble_instruct.licences.policy import require_admitted
from ensemble_instruct.models.opening import open_models
from ensemble_instruct.report.page import write_report
from ensemble_instruct.runs.fingerprint import SELECTING, changes, fingerprint, with_selection
from ensemble_instruct.runs.pipeline import run_steps, select_again, write_examples
from ensemble_instruct.runs.recorder import Monitor, Summary
from ensemble_instruct.steps.plans import prepare
from ensemble_instruct.steps.toxicity import ToxicityVerdicts
from ensemble_instruct.store.reading import require_run
from ensemble_instruct.store.store import Store, opened_store
from ensemble_instruct.version import __version__

SELECTING_ANEW = "selecting"
"""The state of a run while step 5 is done again."""
_LOOKED_AT = 100
"""Instances by which is seen whether a model was asked about their outputs."""
log = logging.getLogger(__name__)


async def start_or_resume(
    config: Config,
    folder: Path,
    monitor: Monitor,
    *,
    force: bool = False,
    retry_failed: bool = False,
    budget: float | None = None,
) -> Summary:
    """Make the dataset of a config in a run folder; what the folder has answered is not asked again.

    With `retry_failed`, requests that failed for good are asked again, except those of step 1, whose later prompts
    hang on what it made of them. `budget` is what all starts together may cost, in US dollars.

    Leaves `config.yaml`, `run.db` and, at the end, `examples.jsonl` and `report.html`. Raises `InputFileError` for a
    folder that is something else, `ConfigError` for a licence that the policy does not admit, `RunLockedError` when
    another process works in it, `ConfigChangedError` when the config would change the records of the run and `force`
    is not given, `RunError` when the run cannot go on.
    """
    plans = prepare(config)
    require_admitted(config)
    sections = {name: config.models[name] for name in config.used_models}
    _require_budget(budget, sections.values())
    new = _require_place(folder)
    made = _make_folders(folder)
    try:
        with opened_store(folder / "run.db") as store:
            _compare(config, store, force=force)
            if retry_failed:
                store.forget_failures()
                await store.flush()
            async with open_models(sections, store, check=new, budget=budget) as models:
                write_config(config, folder)
                log.info(
                    "run %s", "started" if new else "resumed", extra={"folder": str(folder), "version": __version__}
                )
                summary = await run_steps(config, plans, models, store, monitor)
                write_examples(store, folder / "examples.jsonl")
                store.set_meta(state="finished")
                await store.flush()
                await asyncio.to_thread(write_report, folder)
                log.info("run finished", extra={"examples": summary.examples, "seconds": round(summary.seconds, 1)})
                return summary
    except EnsembleInstructError:
        if new and not (folder / "run.db").exists():
            (folder / "config.yaml").unlink(missing_ok=True)
            for path in made:
                shutil.rmtree(path, ignore_errors=True)
        raise


def _require_budget(budget: float | None, sections: Iterable[ModelSection]) -> None:
    """Raise `UsageError` for a budget that is none, or that nothing is charged to."""
    if budget is None:
        return
    if not math.isfinite(budget):
        raise UsageError(f"--budget {budget}: is no sum of money; give a number of US dollars")
    if not any(section.price.input or section.price.output for section in sections):
        raise UsageError("--budget: no model of the config has a price; set models.NAME.price")


async def select_anew(
    folder: Path,
    monitor: Monitor,
    changed: Mapping[str, Any],
    overrides: Sequence[str] = (),
    decontaminate: Sequence[Path] = (),
) -> Summary:
    """Step 5 of a finished run again, with other settings of `ensemble` and `quality`; no model is asked.

    `overrides` are of the form `quality.KEY=VALUE`; the files of `decontaminate` come to those of the config. What is
    not in `changed` stays as it is; but a strategy, a utility, `min_agreement` or `keep` replaces what `min_agreement`
    and `keep` were. `config.yaml`, `examples.jsonl` and `report.html` are written anew; until the first two
    are, the run counts as not finished. Raises `RunError` when it is not finished before, `ConfigError` for settings
    that cannot be.
    """
    require_run(folder)
    for override in overrides:
        if not override.strip().startswith(("quality.", "quality=")):
            raise UsageError(
                f"--set {override}: a finished run takes other filters alone, such as quality.refusals=true"
            )
    config = load_config(folder / "config.yaml", overrides).with_decontaminate(decontaminate)
    values = config.model_dump(mode="json")
    if changed.keys() & {"min_agreement", "keep", "strategy", "utility"}:
        values["ensemble"] |= {"min_agreement": None, "keep": None}
    values["ensemble"] |= changed
    config = validated(values, f"{folder}: selecting anew")
    with opened_store(folder / "run.db") as store:
        before = store.meta("config")
        if before is None or store.meta("state") not in ("finished", SELECTING_ANEW):
            raise RunError(f"{folder}: is not finished; run it to its end: ensemble-instruct run --out {folder}")
        _require_toxicity_verdicts(config, store, folder)
        now = json.dumps(with_selection(json.loads(before), config))
        summary = await select_again(config, store, monitor, {"config": now, "state": SELECTING_ANEW})
        write_config(config, folder)
        write_examples(store, folder / "examples.jsonl")
        store.set_meta(state="finished")
        await store.flush()
        await asyncio.to_thread(write_report, folder)
        return summary


def _require_toxicity_verdicts(config: Config, store: Store, folder: Path) -> None:
    """Raise `RunError` where a model was to judge the outputs of a run, and has not."""
    section = config.quality.toxicity
    if section is None:
        return
    verdicts = ToxicityVerdicts(store.answer, config.models[section.model].identity)
    if not all(verdicts.was_asked(instance) for instance, _ in islice(store.answered(()), _LOOKED_AT)):
        raise RunError(
            f"{folder}: model {section.model} has not judged its outputs; set quality.toxicity in its config.yaml, and "
            f"run it with --force: that model is asked, and nothing else"
        )


def _require_place(folder: Path) -> bool:
    """Whether the run is a new one; raises `InputFileError` for a place that is taken."""
    if folder.exists() and not folder.is_dir():
        raise InputFileError(f"{folder}: is a file; name a folder with --out")
    if (folder / "run.db").exists():
        return False
    leftovers = ("run.db.lock", ".config.yaml.")  # of a run that was killed before it had a database
    if folder.is_dir() and not all(path.name.startswith(leftovers) for path in folder.iterdir()):
        raise InputFileError(f"{folder}: is not empty and not a run folder; name a new folder with --out")
    return True


def _make_folders(folder: Path) -> list[Path]:
    """Create the folder with its parents; return those made, outermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputFileError(f"{folder}: cannot be created: {error.strerror}; choose another place") from error
    return missing[::-1]


def _compare(config: Config, store: Store, *, force: bool) -> None:
    if store.meta("merged") is not None:
        folder = store.path.parent
        raise UsageError(
            f"{folder}: was merged out of other runs, so it cannot be resumed; resume those and merge them again, or "
            f"select anew: ensemble-instruct ensemble --run {folder}"
        )
    now = fingerprint(config)
    before = store.meta("config")
    answered = store.answered_by_model()
    if before is not None and answered and not force:
        found = changes(json.loads(before), now, answered)
        if store.meta("state") == SELECTING_ANEW:  # stopped between the two that say what is selected
            found = [change for change in found if not change.key.startswith(SELECTING)]
        if found:
            raise ConfigChangedError(
                f"{store.path.parent}: the config has changed: {'; '.join(map(str, found))}; "
                f"give --force to go on so, or another --out to start anew"
            )
    store.set_meta(config=json.dumps(now))


def write_config(config: Config, folder: Path) -> None:
    """Write `config.yaml` of a run folder: complete, without keys."""
    values = config.model_dump(mode="json")
    values["ensemble"]["strategy"] = config.strategy
    for name in config.used_models:
        model = config.models[name]
        if model.provider == "openai" and model.base_url is None:
            values["models"][name]["base_url"] = model.base_urls[0]
    text = "# The config of this run, complete. Keys are not in it: they stay in the environment.\n"
    with whole_file(folder / "config.yaml") as file:
        file.write((text + yaml.safe_dump(values, sort_keys=False, allow_unicode=True)).encode())
