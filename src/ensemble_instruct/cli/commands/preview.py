"""`preview`: a few tasks through all steps, as one would want to read them, before a whole run."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ensemble_instruct.cli.logs import LogFormat
from ensemble_instruct.cli.options import PATH, ShareRange, asking, beginning, preset_option
from ensemble_instruct.cli.streams import styled
from ensemble_instruct.errors import EmptyError, RunError, UsageError

if TYPE_CHECKING:
    from ensemble_instruct.config.schema import Config
    from ensemble_instruct.runs.preview.making import Work
    from ensemble_instruct.runs.preview.shown import Preview
    from ensemble_instruct.runs.recorder import Summary
    from ensemble_instruct.steps.own_tasks import OwnTasks

_WIDTH = 100
"""Columns where there is no terminal."""


@click.command()
@click.argument("config_path", metavar="[CONFIG]", type=PATH, required=False)
@click.option("--rows", type=click.IntRange(1, 20), default=3, show_default=True, help="Tasks of each kind.")
@click.option("--out", type=PATH, help="Keep the preview in this folder; else it is only shown.")
@preset_option("A bundled config instead of CONFIG")
@click.option("--budget", metavar="USD", type=ShareRange(0, 1e9, min_open=True), help="Stop before it has cost more.")
@click.option("--json", "as_json", is_flag=True, help="Print all that was seen as JSON.")
@beginning
@asking
def preview(
    config_path: Path | None,
    rows: int,
    out: Path | None,
    preset: str | None,
    instructions: Path | None,
    instances: Path | None,
    overrides: tuple[str, ...],
    allow_code: bool,
    budget: float | None,
    as_json: bool,
    log_file: Path | None,
    log_format: LogFormat,
) -> None:
    """Show what becomes of a few tasks, step by step."""
    from ensemble_instruct.cli.terminal import watched
    from ensemble_instruct.runs.preview.making import passing_folder, previewed
    from ensemble_instruct.steps.own_tasks import tasks_of

    keeps = out is not None
    with _ending_well(keeps=keeps) as (hear, be_deaf):
        tasks = tasks_of(out, instructions=instructions, instances=instances)
        config = _config_for_preview(config_path, preset, overrides, tasks)

        def drive(work: Work) -> Summary:
            try:
                return watched(work, log_file, log_format, keeps=keeps)
            finally:
                hear()

        with nullcontext(out) if out else passing_folder() as folder:
            try:
                seen = previewed(
                    config, rows, folder, drive, keeps=keeps, budget=budget, tasks=tasks, allow_code=allow_code
                )
            finally:
                be_deaf()
    if as_json:
        click.echo(json.dumps(asdict(seen), indent=2))
    else:
        _show(seen, out)
    if seen.problem:
        raise RunError(seen.problem)
    if not any(kind.kept for kind in seen.kinds):
        raise EmptyError("no task became an example; see above what was dropped, and why")


def _config_for_preview(
    path: Path | None, preset: str | None, overrides: Sequence[str], tasks: OwnTasks | None
) -> Config:
    """The config of the whole run; raises `UsageError` where there is none."""
    from ensemble_instruct.config.load import load_config
    from ensemble_instruct.licences.policy import require_admitted
    from ensemble_instruct.steps.own_tasks import form_override, required

    if path is None and preset is None:
        raise UsageError("give a CONFIG or --preset NAME; `ensemble-instruct init my.yaml` writes a config")
    config = required(load_config(path, preset=preset, overrides=(*overrides, *form_override(tasks))), tasks)
    require_admitted(config)
    return config


@contextmanager
def _ending_well(*, keeps: bool) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """Let SIGTERM and SIGHUP, like Ctrl-C, end the block in order, so that nothing is left behind.

    Yields what must be called once an event loop that heard signals itself has ended, and what lets all of them be
    ignored from then on: a second one must not end what tidies up.
    """
    from ensemble_instruct.cli.terminal import hang_up, owns_process

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def all_to(handler: Callable[..., None] | signal.Handlers) -> None:
        for number in before:
            signal.signal(number, handler)

    heard = [signal.SIGINT, signal.SIGTERM, *hang_up()] if owns_process() else []
    before = {number: signal.getsignal(number) for number in heard}
    all_to(interrupt)
    try:
        yield lambda: all_to(interrupt), lambda: all_to(signal.SIG_IGN)
    except KeyboardInterrupt:
        raise RunError("stopped; run the same command again" if keeps else "stopped; nothing is kept") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(seen: Preview, out: Path | None) -> None:
    """Print a preview: in colours and as wide as it is on a terminal, as plain text elsewhere."""
    from rich.console import Console

    from ensemble_instruct.runs.preview.shown import barred

    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else _WIDTH
    console = Console(file=styled(sys.stdout), width=max(40, width), highlight=False, emoji=False, legacy_windows=False)
    for line in seen.lines():
        for part in barred(line, console if is_terminal else None):
            console.print(part, soft_wrap=not is_terminal)
    if out is not None:
        console.print(f"kept in {out}; look at it with: ensemble-instruct view {out}", markup=False, soft_wrap=True)
