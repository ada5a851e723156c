"""A run as an object, for notebooks and programs: `Run`, and what starts, opens and merges runs.

What takes long is driven in a thread of its own (`driver`), so that it works where a loop runs already. An interrupt
(Ctrl-C, or the stop button of a notebook) lets the requests in flight come home, a second one drops them; then it
raises `KeyboardInterrupt`, and what was answered is kept.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from ensemble_instruct.config.load import ConfigSource
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import EnsembleInstructError, RunError, UsageError
from ensemble_instruct.records import (
    KINDS,
    STEPS,
    Example,
    Instruction,
    Kind,
    Rejected,
    Step,
    Strategy,
    Utility,
)
from ensemble_instruct.runs.driver import Driver
from ensemble_instruct.runs.empty_kinds import require_made
from ensemble_instruct.runs.progress import Watch, shown_while
from ensemble_instruct.runs.recorder import Monitor, Summary
from ensemble_instruct.runs.status import Status, read_status
from ensemble_instruct.steps.own_tasks import Source, settled
from ensemble_instruct.store.reading import (
    kept_counts,
    read_examples,
    read_instructions,
    read_meta,
    read_rejected,
    reading,
    require_run,
    require_unedited,
    state_of,
)
from ensemble_instruct.store.rows import example_of
from ensemble_instruct.store.settings import run_config
from ensemble_instruct.store.tables import Records, columns, instruction_row, rejected_row

if TYPE_CHECKING:
    from datasets import Dataset
    from pandas import DataFrame

    from ensemble_instruct.export.exporter import Exported
    from ensemble_instruct.report.page import ReportPage
    from ensemble_instruct.runs.selecting import SelectedAnew

log = logging.getLogger(__name__)
Result = TypeVar("Result")


def run(
    config: ConfigSource,
    folder: Path | str,
    *,
    budget: float | None = None,
    progress: bool = True,
    retry_failed: bool = False,
    force: bool = False,
    allow_empty: bool = False,
    instructions: Source | None = None,
    instances: Source | None = None,
    allow_code: bool = False,
) -> Run:
    """Make the dataset of a config in a run folder, or go on where an earlier call stopped; returns when it is done.

    `config` is a `Config`, the path of a YAML file, or settings as `load_config` takes them. What the folder has
    answered is not asked again. `budget` is what all starts together may cost, in US dollars; `retry_failed` asks
    again what failed for good; `force` goes on with a config that changes the records of the run. `progress` shows
    bars in a notebook and on a terminal, else lines on stderr. `allow_empty`: a run that ends without an example, at
    all or of a kind that was asked for, is a warning in the log and no error. `instructions` or `instances`: tasks of
    your own, a file or its rows, with which the run begins at step 2 or 4; it keeps them, so a later call needs them no
    more. `allow_code` lets models run code of others (scripted functions, `trust_remote_code`), as no config can.

    Works in a notebook, whose loop runs already. An interrupt stops it as Ctrl-C does the command, and raises
    `KeyboardInterrupt`: the same call goes on. Raises `ConfigError` for a config that cannot be, `InputFileError` for a
    folder that is something else, `RunLockedError` when another process works in it, `ConfigChangedError` when the
    config has changed, `RunError` when the run cannot go on, and `EmptyError` when it has ended without an example, at
    all or of a kind: `open_run` opens it, as all is written.
    """
    place = Path(folder)
    settings, tasks = settled(config, place, instructions=instructions, instances=instances)

    def work(monitor: Monitor) -> Coroutine[Any, Any, Summary]:
        from ensemble_instruct.runs.lifecycle import start_or_resume

        return start_or_resume(
            settings, place, monitor, budget=budget, retry_failed=retry_failed, force=force, tasks=tasks,
            allow_code=allow_code,
        )  # fmt: skip

    summary = driven(work, progress=progress, go_on="call run again with the same folder")
    return _ended(Run(place), summary.missing, allow_empty=allow_empty)


async def run_async(
    config: ConfigSource,
    folder: Path | str,
    *,
    budget: float | None = None,
    progress: bool = True,
    retry_failed: bool = False,
    force: bool = False,
    allow_empty: bool = False,
    instructions: Source | None = None,
    instances: Source | None = None,
    allow_code: bool = False,
) -> Run:
    """The same as `run`, on the loop of who awaits it; a cancellation drops what is in flight, and keeps all else."""
    from ensemble_instruct.runs.lifecycle import start_or_resume

    place, watch = Path(folder), Watch()
    settings, tasks = settled(config, place, instructions=instructions, instances=instances)
    with _shown(watch, progress=progress):
        summary = await start_or_resume(
            settings, place, watch, budget=budget, retry_failed=retry_failed, force=force, tasks=tasks,
            allow_code=allow_code,
        )  # fmt: skip
    return _ended(Run(place), summary.missing, allow_empty=allow_empty)


def open_run(folder: Path | str) -> Run:
    """The run of a folder, finished or not, also while another process works in it; nothing is changed.

    Raises `InputFileError` for a folder that is not a run.
    """
    return Run(folder)


def merge(runs: Sequence[Run | Path | str], folder: Path | str, *, progress: bool = True) -> Run:
    """Make one run out of several finished ones, in a new folder; what an earlier one has is dropped from a later one.

    Raises `InputFileError` for a folder that is not a run, or that is there already, `RunError` for a run that is not
    finished, `UsageError` for settings that cannot be merged.
    """
    folders = [each.folder if isinstance(each, Run) else Path(each) for each in runs]

    def work(monitor: Monitor) -> Coroutine[Any, Any, tuple[Summary, object]]:
        from ensemble_instruct.runs.merging.merge import merge_runs

        return merge_runs(folders, Path(folder), monitor)

    summary, _ = driven(work, progress=progress, go_on="merge again")
    return _warned(Run(folder), summary.missing)


class Run:
    """A run folder: what is in it, read anew at each call, so that a run that goes on can be watched."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._database = require_run(self.folder)

    @property
    def state(self) -> str:
        """`finished`, `running` or `stopped`."""
        with reading(self._database) as connection:
            return state_of(read_meta(connection), self._database)

    @property
    def config(self) -> Config:
        """What the run was started with; `run(this.config, this.folder)` resumes it."""
        return run_config(self.folder)

    def stats(self) -> Status:
        """Records by step and kind, drops by reason, tokens, costs and rates: the numbers of `status`."""
        return read_status(self.folder)

    def examples(self) -> Iterator[Example]:
        """The examples, `input_output` first, each kind in the order of its instructions.

        Their candidates are as `examples.jsonl` has them, without the requests behind them.
        """
        with reading(self._database) as connection:
            yield from map(example_of, read_examples(connection))

    def rejected(self) -> Iterator[Rejected]:
        """What the steps dropped, each with its reason, in the order in which they did."""
        with reading(self._database) as connection:
            yield from read_rejected(connection)

    def instructions(self) -> Iterator[Instruction]:
        """The instructions of step 1, `input_output` first, in the order in which they were made."""
        with reading(self._database) as connection:
            for kind in KINDS:
                yield from read_instructions(connection, kind)

    def to_pandas(self, what: Records = "examples") -> DataFrame:
        """A data frame with a row for each record, and all columns where there is none.

        That of an example has the columns of `examples.jsonl`. Raises `UsageError` where pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise _missing("to_pandas", "pandas") from error
        rows = self._rows(what)
        return DataFrame(rows, columns=None if rows else columns(what))

    def to_dataset(self, what: Records = "examples") -> Dataset:
        """The same rows as a dataset of Hugging Face; raises `UsageError` where `datasets` is not installed."""
        try:
            from datasets import Dataset
        except ImportError as error:
            raise _missing("to_dataset", "datasets") from error
        rows = self._rows(what)
        return Dataset.from_list(rows) if rows else Dataset.from_dict({column: [] for column in columns(what)})

    def select(
        self,
        *,
        strategy: Strategy | None = None,
        utility: Utility | Mapping[Utility, float] | None = None,
        threshold: float | None = None,
        min_confidence: float | None = None,
        min_agreement: float | None = None,
        keep: float | None = None,
        embedding_model: Path | str | None = None,
        reward_model: Path | str | None = None,
        progress: bool = True,
    ) -> Run:
        """Select anew in a finished run, with other settings, which it keeps; no model is asked.

        Replaces `examples.jsonl` and `report.html`. What is None stays as it is; but a strategy, a utility,
        `min_confidence` (old name: `min_agreement`) or `keep` takes the place of what `min_confidence` and `keep` were.
        Raises `RunError` when the run is not finished, `UsageError` for settings that cannot be.
        """
        from ensemble_instruct.agreement.selection import least_confidence

        least = least_confidence(min_confidence, min_agreement, keep)
        weights = {utility: 1.0} if isinstance(utility, str) else utility

        def work(monitor: Monitor) -> Coroutine[Any, Any, SelectedAnew]:
            from ensemble_instruct.runs.selecting import run_selection, select_anew

            selection = run_selection(self.folder).changed(
                strategy=strategy, utility=weights, threshold=threshold, min_confidence=least, keep=keep
            )
            return select_anew(
                self.folder, monitor, selection, embedding_model=embedding_model, reward_model=reward_model
            )

        selected = driven(work, progress=progress, go_on="select again")
        return _warned(self, selected.summary.missing)

    def export(
        self,
        to: Path | str,
        *,
        form: str,
        split: str | None = None,
        rows: str | None = None,
        system: str | None = None,
        reasoning: bool = False,
        think_tags: bool = False,
        shard_size: str | None = None,
        candidates: bool | None = None,
        partial: bool = False,
        ignore_edits: bool = False,
        allow_empty: bool = False,
    ) -> Exported:
        """Write the examples for a trainer, with the options of the command `export`; says what was written.

        `form` is `original`, `alpaca`, `messages`, `prompt-completion`, `preference`, `parquet`, or `hub` for the
        folder that the command would upload. `to` is a file, or a folder if its name ends in `/`. `reasoning` adds
        the thoughts of the voters that won. Raises `RunError` for a run that is not finished unless `partial`,
        `UsageError` for options that do not go together, `InputFileError` for a place that cannot be written, and for
        an edited `examples.jsonl` unless `ignore_edits`, and `EmptyError` where no row is to be written, unless
        `allow_empty`.
        """
        from ensemble_instruct.export.exporter import export_run
        from ensemble_instruct.export.front_matter import declared
        from ensemble_instruct.export.hub import describing
        from ensemble_instruct.export.options import ExportOptions, planned
        from ensemble_instruct.export.unfinished import choose_again

        options = ExportOptions(
            form=form, to=str(to), split=split, rows=rows, system=system, reasoning=reasoning, think_tags=think_tags,
            shard_size=shard_size, candidates=candidates, partial=partial, ignore_edits=ignore_edits,
            allow_empty=allow_empty,
        )  # fmt: skip
        describe = describing(None) if form == "hub" else declared
        return export_run(self.folder, planned(options, self.folder), describe, choose_again)

    def report(self, *, ignore_edits: bool = False) -> ReportPage:
        """What happened in the run, on one page: a notebook shows it below the cell, `save` writes it to a file.

        Raises `InputFileError` for an edited `examples.jsonl` unless `ignore_edits`: the page would not know of it.
        """
        if not ignore_edits:
            require_unedited(self.folder)
        from ensemble_instruct.report.page import ReportPage, page
        from ensemble_instruct.report.report import read_report

        return ReportPage(page(read_report(self.folder)))

    def card(self, name: str | None = None, *, ignore_edits: bool = False) -> str:
        """The dataset's card in Markdown: what it is, how it was made, and under which licences.

        It is called as the folder is, unless named. Raises `InputFileError` for an edited `examples.jsonl` unless
        `ignore_edits`.
        """
        if not ignore_edits:
            require_unedited(self.folder)
        from ensemble_instruct.export.card import dataset_card
        from ensemble_instruct.export.facts import read_facts

        return dataset_card(read_facts(self.folder, name))

    def __repr__(self) -> str:
        try:
            return self._described(self._kept())
        except EnsembleInstructError as error:  # a display must not fail where a call would
            return f"Run({str(self.folder)!r}): {error}"

    def _repr_html_(self) -> str:
        try:
            kept = self._kept()
        except EnsembleInstructError:
            return f"<p>{html.escape(repr(self))}</p>"
        head = "".join(f"<th>{step}</th>" for step in STEPS)
        body = "".join(
            f"<tr><th>{kind}</th>{''.join(f'<td>{kept.get((kind, step), 0):,}</td>' for step in STEPS)}</tr>"
            for kind in KINDS
            if any((kind, step) in kept for step in STEPS)
        )
        return f"<p>{html.escape(self._described(kept))}</p><table><tr><td></td>{head}</tr>{body}</table>"

    def _described(self, kept: Mapping[tuple[Kind, Step], int]) -> str:
        examples = sum(kept.get((kind, "ensemble"), 0) for kind in KINDS)
        return f"Run({str(self.folder)!r}): {self.state}, {examples} examples"

    def _kept(self) -> dict[tuple[Kind, Step], int]:
        with reading(self._database) as connection:
            return kept_counts(connection)

    def _rows(self, what: Records) -> list[dict[str, Any]]:
        match what:
            case "examples":
                with reading(self._database) as connection:
                    return list(read_examples(connection))
            case "rejected":
                return [rejected_row(record) for record in self.rejected()]
            case "instructions":
                return [instruction_row(record) for record in self.instructions()]
        raise UsageError(f"{what}: no such records; there are {', '.join(get_args(Records))}")


def _missing(method: str, package: str) -> UsageError:
    return UsageError(f"{method}: needs {package}, which is not installed; pip install {package}")


def _ended(run: Run, missing: str, *, allow_empty: bool) -> Run:
    """The run, where all is written, unless it has nothing in it and that is not allowed."""
    require_made(missing, allow_empty=allow_empty)
    return _warned(run, missing)


def _warned(run: Run, missing: str) -> Run:
    """The run; what it misses is in the log."""
    if missing:
        log.warning("%s", missing)
    return run


def driven(
    work: Callable[[Monitor], Coroutine[Any, Any, Result]], *, progress: bool, go_on: str, keeps: bool = True
) -> Result:
    """The result of work that can be interrupted, in a thread of its own."""
    watch = Watch()
    driver = Driver(watch, go_on=go_on, again="another interrupt", keeps=keeps)
    with _shown(watch, progress=progress):
        try:
            return driver.drive_in_thread(work(watch))
        except RunError as error:
            if driver.stops:
                raise KeyboardInterrupt(str(error)) from None  # what who interrupts a cell or a script expects
            raise


def _shown(watch: Watch, *, progress: bool) -> AbstractContextManager[None]:
    if not progress:
        watch.is_silent = True
        return nullcontext()
    from rich.console import Console

    console = Console(stderr=True)
    return shown_while(watch, console if console.is_jupyter or console.is_terminal else None)
