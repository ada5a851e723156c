"""Step 5 with all rows of a run in view: at its end, and anew with other settings once it is finished.

No model is asked. What models said of outputs, for the utility `judge`, the strategy `judged` and the filter
`toxicity`, is in the store.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.agreement.voters.learned import Voters
from ensemble_instruct.agreement.voters.stored import noted
from ensemble_instruct.config.load import validated
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import RunError, UsageError
from ensemble_instruct.records import Example, Rejected
from ensemble_instruct.report.page import write_report
from ensemble_instruct.runs.empty_kinds import missing_examples
from ensemble_instruct.runs.fingerprint import with_selection
from ensemble_instruct.runs.folder import set_aside_edits, write_config, write_examples
from ensemble_instruct.runs.recorder import Monitor, Recorder, Summary
from ensemble_instruct.steps.ensemble import select
from ensemble_instruct.steps.plans import comparers_of, filters_of, known_answers, rater_of
from ensemble_instruct.steps.toxicity import ToxicityVerdicts
from ensemble_instruct.store.reading import read_meta, require_run
from ensemble_instruct.store.settings import noted_strategy, run_config
from ensemble_instruct.store.store import Store, opened_store

SELECTING_ANEW = "selecting"
"""The state of a run while step 5 is done again."""
_ROWS_BETWEEN_TURNS = 256
"""Of step 5 with all rows in view, until signals and others have their turn."""
_LOOKED_AT = 100
"""Instances by which is seen whether a model was asked about their outputs."""


async def select_all(config: Config, store: Store, recorder: Recorder) -> None:
    """The second look of step 5 (see `steps.ensemble`): over all rows of the store, in place of what it has selected.

    All of it is on disk with the next commit, or nothing.
    """

    def note(voters: Voters) -> None:
        store.set_meta(**noted(voters))

    await store.flush()
    with store.whole():
        recorder.forget_selected()
        note(Voters())  # of what another strategy learned before, nothing stays
        for number, record in enumerate(selected(config, store, note), start=1):
            recorder.note(record)
            if number % _ROWS_BETWEEN_TURNS == 0:
                await asyncio.sleep(0)


def selected(
    config: Config, store: Store, learned: Callable[[Voters], None] = lambda _: None
) -> Iterator[Example | Rejected]:
    """What step 5 of a config makes of all rows of a store, in order; see `select` for `learned`."""
    comparers, filters, rater = comparers_of(config, store), filters_of(config, store.answer), rater_of(config, store)
    return select(lambda: store.answered(config.voter_names), Selection.of(config), comparers, filters, rater, learned)


async def select_again(config: Config, store: Store, monitor: Monitor, meta: Mapping[str, str]) -> Summary:
    """Step 5 alone, from the records of a store, and `meta` with it, in one transaction."""
    began = time.monotonic()
    recorder = Recorder(store, monitor)
    await select_all(config, store, recorder)
    store.set_meta(**meta)
    return await recorder.summary(began, "ensemble")


@dataclass(frozen=True, slots=True)
class SelectedAnew:
    """What selecting anew has made of a run."""

    summary: Summary
    rows_before: int
    """Of `examples.jsonl`, until it was replaced."""
    config: Config
    """What the run goes on with."""


async def select_anew(
    folder: Path,
    monitor: Monitor,
    selection: Selection,
    *,
    embedding_model: Path | str | None = None,
    reward_model: Path | str | None = None,
    overrides: Sequence[str] = (),
    decontaminate: Sequence[Path] = (),
) -> SelectedAnew:
    """Step 5 of a finished run again, by another selection (see `run_selection`) and with other filters.

    `overrides` are of the form `quality.KEY=VALUE`; the files of `decontaminate` come to those of the config.
    `config.yaml`, `examples.jsonl` and `report.html` are written anew; until the first two are, the run counts as not
    finished. Raises `RunError` when it is not finished before, `UsageError` or `ConfigError` for settings that cannot
    be.
    """
    config = config_selecting(folder, selection, embedding_model, reward_model, overrides, decontaminate)
    with opened_store(folder / "run.db") as store:
        made_with = require_finished(config, store, folder)
        rows_before = _lines_of(folder / "examples.jsonl")
        set_aside_edits(folder)
        made_with = json.dumps(with_selection(json.loads(made_with), config))
        meta = {**noted_strategy(read_meta(store.reader)), "config": made_with, "state": SELECTING_ANEW}
        summary = await select_again(config, store, monitor, meta)
        write_config(config, folder)
        write_examples(store, folder / "examples.jsonl")
        store.set_meta(state="finished")
        await store.flush()
        await asyncio.to_thread(write_report, folder)
        missing = await asyncio.to_thread(missing_examples, folder)
        return SelectedAnew(replace(summary, missing=missing), rows_before, config)


def run_selection(folder: Path) -> Selection:
    """How a run selects; raises `InputFileError` if the folder is not a run."""
    return Selection.of(run_config(folder))


def config_selecting(
    folder: Path,
    selection: Selection,
    embedding_model: Path | str | None,
    reward_model: Path | str | None,
    overrides: Sequence[str],
    decontaminate: Sequence[Path],
) -> Config:
    """The config of a run with these settings of step 5 in place of its own: see `select_anew`."""
    require_run(folder)
    for override in overrides:
        if not override.strip().startswith(("quality.", "quality=")):
            raise UsageError(
                f"--set {override}: a finished run takes other filters alone, such as quality.refusals=true"
            )
    config = run_config(folder, overrides).with_decontaminate(decontaminate)
    values = config.model_dump(mode="json")
    values["ensemble"] |= selection.settings
    for key, model in (("embedding_model", embedding_model), ("reward_model", reward_model)):
        if model is not None:
            values["ensemble"][key] = str(Path(model).absolute())
    return validated(values, f"{folder}: selecting anew")


def require_finished(config: Config, store: Store, folder: Path) -> str:
    """The fingerprint that a finished run was made with.

    Raises `RunError` when it is not finished, or lacks the verdicts that a filter of the config needs.
    """
    made_with = store.meta("config")
    if made_with is None or store.meta("state") not in ("finished", SELECTING_ANEW):
        raise RunError(f"{folder}: is not finished; run it to its end: ensemble-instruct run --out {folder}")
    _require_toxicity_verdicts(config, store, folder)
    return made_with


def _lines_of(path: Path) -> int:
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _require_toxicity_verdicts(config: Config, store: Store, folder: Path) -> None:
    """Raise `RunError` where a model was to judge the outputs of a run, and has not."""
    section = config.quality.toxicity
    if section is None:
        return
    verdicts = ToxicityVerdicts(known_answers(config, section.model, store.answer))
    if not all(verdicts.was_asked(instance) for instance, _ in islice(store.answered(()), _LOOKED_AT)):
        raise RunError(
            f"{folder}: model {section.model} has not judged its outputs; set quality.toxicity in its config.yaml, and "
            f"run it with --force: that model is asked, and nothing else"
        )
