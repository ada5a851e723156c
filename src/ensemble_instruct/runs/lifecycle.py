"""A run folder: started or resumed, locked, checked against the config it was started with, and finished."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.config.servers.prices import is_here
from ensemble_instruct.errors import ConfigChangedError, EnsembleInstructError, InputFileError, UsageError
from ensemble_instruct.licences.policy import require_admitted
from ensemble_instruct.models.clients.permission import require_code_allowed
from ensemble_instruct.models.opening import open_models
from ensemble_instruct.models.structured import settle_form
from ensemble_instruct.prompts.folder import load_prompts
from ensemble_instruct.records import Kind
from ensemble_instruct.report.page import write_report
from ensemble_instruct.runs.empty_kinds import missing_examples
from ensemble_instruct.runs.fingerprint import SELECTING, changes, fingerprint, replaced_models
from ensemble_instruct.runs.folder import (
    PROMPTS,
    make_folders,
    require_run_place,
    set_aside_edits,
    write_config,
    write_examples,
)
from ensemble_instruct.runs.pipeline import generators_of, run_steps
from ensemble_instruct.runs.recorder import Monitor, Summary
from ensemble_instruct.runs.replay import cost_of, require_same_way
from ensemble_instruct.runs.selecting import SELECTING_ANEW
from ensemble_instruct.steps.own_tasks import OwnTasks, require_not_merged, required
from ensemble_instruct.steps.plans import KindPlan, foreign_examples, prepare
from ensemble_instruct.store.costs import prices_noted
from ensemble_instruct.store.own_tasks import NOTED
from ensemble_instruct.store.reading import read_meta
from ensemble_instruct.store.settings import noted_strategy, renamed_settings, with_strategy_of_run
from ensemble_instruct.store.store import Store, opened_store
from ensemble_instruct.version import __version__

log = logging.getLogger(__name__)
_PREVIEW = "preview"
"""The name in `meta` by which a preview is known."""


async def start_or_resume(
    config: Config,
    folder: Path,
    monitor: Monitor,
    *,
    force: bool = False,
    retry_failed: bool = False,
    budget: float | None = None,
    is_preview: bool = False,
    tasks: OwnTasks | None = None,
    allow_code: bool = False,
) -> Summary:
    """Make the dataset of a config in a run folder; what the folder has answered is not asked again.

    With `retry_failed`, requests that failed for good are asked again, except those of step 1, whose later prompts
    depend on what it made of them. `budget` is what all starts together may cost, in US dollars. `is_preview` marks the
    run as one of a few tasks only, which no whole run goes on with. `tasks`: those of the user's own
    with which the run begins, by `tasks_of`; the run keeps them. `allow_code` lets models run code of others.

    Leaves `config.yaml`, `run.db` and, at the end, `examples.jsonl` and `report.html`, also where there is no example:
    the summary says so. Raises `InputFileError` for a folder that is something else, `ConfigError` for a licence that
    the policy does not admit, `RunLockedError` when another process works in it, `ConfigChangedError` when the config
    would change the records of the run and `force` is not given, `RunError` when the run cannot go on.
    """
    config = required(config, tasks)
    plans = prepare(config)
    require_admitted(config)
    sections = {name: config.models[name] for name in config.used_models}
    require_code_allowed(sections, allow_code=allow_code)
    _require_budget(budget, sections)
    with _place(folder) as is_new, opened_store(folder / "run.db") as store:
        _require_same_sort(store, is_new=is_new, is_preview=is_preview)
        config = with_strategy_of_run(config, read_meta(store.reader))
        if tasks is not None and store.meta(NOTED) is None:
            await store.keep_tasks(tasks.kept(), str(tasks.note))
        await _compare(config, plans, store, force=force)
        set_aside_edits(folder)
        if retry_failed:
            store.forget_failures()
            await store.flush()
        prompts = load_prompts(config.prompts)
        async with open_models(
            sections, store, check=is_new, budget=budget, allow_code=allow_code, profile=config.profile, prompts=prompts
        ) as models:
            config = _written(config, folder)
            for name in generators_of(config):
                await settle_form(models[name], store)
            for note in foreign_examples(plans) if is_new and config.tasks is None else ():
                log.warning("%s", note)
            _log_start(folder, is_new=is_new)
            return await _finished(await run_steps(config, plans, models, store, monitor), store, folder)


def _log_start(folder: Path, *, is_new: bool) -> None:
    began = "started" if is_new else "resumed"
    log.info("run %s", began, extra={"folder": str(folder), "version": __version__})


@contextmanager
def _place(folder: Path) -> Iterator[bool]:
    """The folder of a run, made where it is new, which is what the block gets; gone again where no run begins in it."""
    is_new = require_run_place(folder)
    new_folders = make_folders(folder)
    try:
        yield is_new
    except EnsembleInstructError:
        if is_new and not (folder / "run.db").exists():
            (folder / "config.yaml").unlink(missing_ok=True)
            shutil.rmtree(folder / PROMPTS, ignore_errors=True)
            for path in new_folders:
                shutil.rmtree(path, ignore_errors=True)
        raise


def _written(config: Config, folder: Path) -> Config:
    """The config as its run goes on with it, once it lies in the folder: with the prompts that were copied there."""
    write_config(config, folder)
    return config if config.prompts is None else config.model_copy(update={"prompts": folder / PROMPTS})


async def _finished(summary: Summary, store: Store, folder: Path) -> Summary:
    """Write the files of a run whose records are made, and note that it is finished."""
    write_examples(store, folder / "examples.jsonl")
    store.set_meta(state="finished")
    await store.flush()
    await asyncio.to_thread(write_report, folder)
    missing = await asyncio.to_thread(missing_examples, folder)
    log.info("run finished", extra={"examples": summary.examples, "seconds": round(summary.seconds, 1)})
    return replace(summary, missing=missing)


def _require_same_sort(store: Store, *, is_new: bool, is_preview: bool) -> None:
    """Note that a run is a preview; raise `InputFileError` where the folder has a run of the other sort."""
    was_preview = store.meta(_PREVIEW) is not None
    if not is_new and was_preview != is_preview:
        what = "the preview of a run" if was_preview else "a whole run, not a preview"
        raise InputFileError(f"{store.path.parent}: is {what}; name another folder with --out")
    if is_preview:
        store.set_meta(**{_PREVIEW: "yes"})


def _require_budget(budget: float | None, sections: Mapping[str, ModelSection]) -> None:
    """Raise `UsageError` for a budget that is not a number, that cannot be held, or that nothing is charged to.

    A server on this machine whose price is not known is taken for one's own, as `status` says.
    """
    if budget is None:
        return
    if not 0 < budget < math.inf:
        raise UsageError(f"--budget {budget}: is no sum of money; give a number of US dollars")
    prices = {name: section.known_price for name, section in sections.items()}
    for name, price in prices.items():
        if price is None and not all(map(is_here, sections[name].base_urls)):
            raise UsageError(
                f"--budget: cannot be held, since the price of model {name} is not known; set models.{name}.price to "
                f"its input and output in US dollars per million tokens (0 where it costs nothing), or "
                f"pip install 'ensemble-instruct[prices]' to have those of hosted models looked up"
            )
    if all(price.is_free for price in prices.values() if price):
        raise UsageError("--budget: no model of the config has a price; set models.NAME.price")
    for name in (name for name, price in prices.items() if price is None):
        log.info(
            "model %s: its price is not known; --budget counts it only where its server, on this machine, states costs",
            name,
        )


async def _compare(config: Config, plans: Mapping[Kind, KindPlan], store: Store, *, force: bool) -> None:
    require_not_merged(store.path.parent, store.meta("merged"))
    now = fingerprint(config)
    before = store.meta("config")
    if before is not None and not force and store.answered_by_model():
        changed = changes(renamed_settings(json.loads(before)), now)
        if store.meta("state") == SELECTING_ANEW:  # stopped after the store had the new settings, before config.yaml
            changed = [change for change in changed if not change.key.startswith(SELECTING)]
        if changed:
            cost = await cost_of(config, plans, store)
            force_it = "" if store.meta(_PREVIEW) else "--force to go on so, or "
            raise ConfigChangedError(
                f"{store.path.parent}: the config has changed: {'; '.join(map(str, changed))}; this {cost}; "
                f"give {force_it}another --out to start anew"
            )
    for name in () if before is None else replaced_models(renamed_settings(json.loads(before)), now):
        if (price := prices_noted(read_meta(store.reader)).get(name)) is not None:
            store.keep_costs(name, price)
    store.set_meta(**noted_strategy(read_meta(store.reader)), config=json.dumps(now))
    await store.flush()  # a budget counts what was paid
    if not force and config.tasks is None:
        await require_same_way(config, plans, store, store.path.parent)
