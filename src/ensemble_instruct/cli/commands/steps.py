"""`instructions`, `instances`, `parse`, `outputs`, `ensemble`: each step alone, on JSONL files."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from ensemble_instruct.cli.commands.run import warn_if_short
from ensemble_instruct.cli.commands.select import replace_selection
from ensemble_instruct.cli.commands.status import note_lines
from ensemble_instruct.cli.logs import LogFormat
from ensemble_instruct.cli.options import (
    PATH,
    ShareRange,
    against_option,
    asking,
    config_argument,
    kind_option,
    note_missing,
    retry_option,
    selecting,
    store_option,
    to_option,
)
from ensemble_instruct.cli.streams import say_beside
from ensemble_instruct.errors import UsageError
from ensemble_instruct.files.destination import is_stream
from ensemble_instruct.records import KINDS, Kind, Profile

if TYPE_CHECKING:
    from ensemble_instruct.agreement.selection import Selection
    from ensemble_instruct.config.schema import Config
    from ensemble_instruct.runs.recorder import FileSummary, Monitor


@click.command()
@config_argument
@kind_option
@against_option
@to_option
@store_option
@asking
def instructions(
    config_path: Path,
    kind: Kind,
    against: tuple[Path, ...],
    to: Path,
    store: Path | None,
    overrides: tuple[str, ...],
    allow_code: bool,
    log_file: Path | None,
    log_format: LogFormat,
) -> None:
    """Step 1 alone: make instructions."""
    from ensemble_instruct.runs.step_files import instructions_to_file

    def work(config: Config, monitor: Monitor) -> Coroutine[Any, Any, FileSummary]:
        return instructions_to_file(
            config.with_against(against), kind, to=to, store_path=store, monitor=monitor, allow_code=allow_code
        )

    _ask(work, config_path, overrides, to, kind=kind, log_file=log_file, log_format=log_format)


@click.command()
@config_argument
@kind_option
@click.option("--instructions", "instructions_path", type=PATH, required=True, help="File of step 1.")
@to_option
@store_option
@retry_option
@asking
def instances(
    config_path: Path,
    kind: Kind,
    instructions_path: Path,
    to: Path,
    store: Path | None,
    retry_failed: bool,
    overrides: tuple[str, ...],
    allow_code: bool,
    log_file: Path | None,
    log_format: LogFormat,
) -> None:
    """Step 2 alone: complete each instruction."""
    from ensemble_instruct.runs.step_files import instances_to_file

    def work(config: Config, monitor: Monitor) -> Coroutine[Any, Any, FileSummary]:
        return instances_to_file(
            config,
            kind,
            instructions_path,
            to=to,
            store_path=store,
            monitor=monitor,
            retry_failed=retry_failed,
            allow_code=allow_code,
        )

    begun = (*overrides, "tasks=instructions")  # nobody is asked for instructions
    _ask(work, config_path, begun, to, log_file=log_file, log_format=log_format)


@click.command()
@click.option("--instances", "instances_paths", type=PATH, required=True, multiple=True, help="File of step 2; repeat.")
@to_option
@click.option("--profile", type=click.Choice(get_args(Profile)), default="default", show_default=True)
@click.option("--seed-tasks", type=PATH, help="Seed tasks that a further task must differ from (default: bundled).")
@click.option("--novelty-threshold", type=ShareRange(0, 1, min_open=True), default=0.7, show_default=True)
@click.option("--kind", type=click.Choice(KINDS), help="Kind of all tasks (default: as each completion shows).")
@against_option
def parse(
    instances_paths: tuple[Path, ...],
    to: Path,
    profile: Profile,
    seed_tasks: Path | None,
    novelty_threshold: float,
    kind: Kind | None,
    against: tuple[Path, ...],
) -> None:
    """Step 3 alone: read instances out of completions."""
    from ensemble_instruct.cli.terminal import watched
    from ensemble_instruct.runs.step_files import parse_files

    summary = watched(
        lambda monitor: parse_files(
            instances_paths,
            to=to,
            profile=profile,
            seed_tasks=seed_tasks,
            novelty_threshold=novelty_threshold,
            monitor=monitor,
            kind=kind,
            against=against,
        )
    )
    _report(to, summary)
    note_missing(summary.missing)


@click.command()
@config_argument
@click.option("--model", "model_name", metavar="NAME", required=True, help="Model of the config.")
@click.option("--instances", "instances_path", type=PATH, required=True, help="File of step 3.")
@to_option
@store_option
@retry_option
@click.option("--sample", type=click.IntRange(1), default=1, help="Which of the model's outputs.samples (default: 1).")
@asking
def outputs(
    config_path: Path,
    model_name: str,
    instances_path: Path,
    to: Path,
    store: Path | None,
    retry_failed: bool,
    sample: int,
    overrides: tuple[str, ...],
    allow_code: bool,
    log_file: Path | None,
    log_format: LogFormat,
) -> None:
    """Step 4 alone: let one model answer each instance."""
    from ensemble_instruct.runs.step_files import outputs_to_file

    def work(config: Config, monitor: Monitor) -> Coroutine[Any, Any, FileSummary]:
        return outputs_to_file(
            config,
            model_name,
            instances_path,
            to=to,
            store_path=store,
            monitor=monitor,
            retry_failed=retry_failed,
            allow_code=allow_code,
            sample=sample,
        )

    begun = (*overrides, "tasks=instances")  # nobody but the voter is asked
    _ask(work, config_path, begun, to, log_file=log_file, log_format=log_format)


@click.command()
@click.option("--run", "run_folder", metavar="RUN", type=PATH, hidden=True, help="As `select RUN`.")
@click.option("--instances", "instances_path", type=PATH, help="File of step 3.")
@click.option("--outputs", "outputs_paths", type=PATH, multiple=True, help="File of step 4; repeat.")
@click.option("--to", type=PATH, help="File to write.")
@selecting
def ensemble(
    run_folder: Path | None,
    instances_path: Path | None,
    outputs_paths: tuple[Path, ...],
    to: Path | None,
    change: Callable[[Selection], Selection],
    embedding_model: Path | None,
    reward_model: Path | None,
    decontaminate: tuple[Path, ...],
    overrides: tuple[str, ...],
) -> None:
    """Step 5 alone: keep the outputs that the models agree on."""
    from ensemble_instruct.agreement.selection import Selection
    from ensemble_instruct.cli.terminal import watched
    from ensemble_instruct.config.load import quality_of
    from ensemble_instruct.runs.step_files import ensemble_files

    if run_folder is not None:
        if instances_path or outputs_paths or to:
            raise UsageError("give either --run, or --instances, --outputs and --to")
        replace_selection(
            run_folder,
            change,
            embedding_model=embedding_model,
            reward_model=reward_model,
            decontaminate=decontaminate,
            overrides=overrides,
        )
        return
    if instances_path is None or not outputs_paths or to is None:
        raise UsageError(
            "give --instances, --outputs and --to; to select anew in a finished run: ensemble-instruct select RUN"
        )
    selection = change(Selection())
    filters = quality_of(overrides).with_benchmarks(decontaminate)
    summary = watched(
        lambda monitor: ensemble_files(
            instances_path,
            outputs_paths,
            to=to,
            selection=selection,
            monitor=monitor,
            embedding_model=embedding_model,
            reward_model=reward_model,
            quality=filters,
        )
    )
    _report(to, summary)
    note_missing(summary.missing)


def _ask(
    work: Callable[[Config, Monitor], Coroutine[Any, Any, FileSummary]],
    config_path: Path,
    overrides: tuple[str, ...],
    to: Path,
    *,
    log_file: Path | None,
    log_format: LogFormat,
    kind: Kind | None = None,
) -> None:
    """Do the work of a step that asks a model, and say what it wrote to `to`, in step 1 of which `kind`."""
    from ensemble_instruct.cli.terminal import watched
    from ensemble_instruct.config.load import load_config
    from ensemble_instruct.files.places import require_writable

    config = load_config(config_path, overrides=overrides)
    require_writable(to, config_path)
    summary = watched(lambda monitor: work(config, monitor), log_file, log_format)
    _report(to, summary)
    if kind is not None:
        warn_if_short(config, kind, summary.written)
    note_missing(summary.missing)


def _report(to: Path, summary: FileSummary) -> None:
    if summary.note:
        say_beside(to, summary.note)
    say_beside(to, f"{summary.written} rows in {to}")
    if summary.dropped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in summary.dropped.most_common())
        where = "" if is_stream(to) else f", each in {to}.rejected.jsonl"
        say_beside(to, f"{summary.dropped.total()} dropped ({reasons}){where}")
    for line in note_lines(summary.voter_notes):
        say_beside(to, line)
