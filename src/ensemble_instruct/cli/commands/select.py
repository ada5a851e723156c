"""`select`: step 5 of a finished run anew, with other settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ensemble_instruct.cli.commands.status import note_lines
from ensemble_instruct.cli.options import PATH, note_missing, selecting
from ensemble_instruct.cli.streams import say_beside
from ensemble_instruct.files.destination import is_stream

if TYPE_CHECKING:
    from ensemble_instruct.agreement.selection import Selection
    from ensemble_instruct.config.schema import Config


@click.command()
@click.argument("run_folder", metavar="RUN", type=PATH)
@click.option(
    "--to", type=PATH, help="Write a second selection to this file, and leave the run's own files as they are."
)
@selecting
def select(
    run_folder: Path,
    to: Path | None,
    change: Callable[[Selection], Selection],
    embedding_model: Path | None,
    reward_model: Path | None,
    decontaminate: tuple[Path, ...],
    overrides: tuple[str, ...],
) -> None:
    """Select anew in a finished run, with other settings; no model is asked.

    Replaces RUN/examples.jsonl, and the run keeps the settings; --to FILE changes neither.
    """
    if to is None:
        replace_selection(
            run_folder,
            change,
            embedding_model=embedding_model,
            reward_model=reward_model,
            decontaminate=decontaminate,
            overrides=overrides,
        )
        return
    from ensemble_instruct.cli.terminal import watched
    from ensemble_instruct.runs.selecting import run_selection
    from ensemble_instruct.runs.step_files import select_to_file

    selection = change(run_selection(run_folder))
    summary = watched(
        lambda monitor: select_to_file(
            run_folder,
            to,
            monitor,
            selection,
            embedding_model=embedding_model,
            reward_model=reward_model,
            overrides=overrides,
            decontaminate=decontaminate,
        )
    )
    if summary.note:
        say_beside(to, summary.note)
    say_beside(to, f"{summary.written} examples in {to}; the run's own files stay as they are")
    if summary.dropped:
        where = "" if is_stream(to) else f", each in {to}.rejected.jsonl"
        say_beside(to, f"{summary.dropped.total()} rows dropped by step 5{where}")
    for line in note_lines(summary.voter_notes):
        say_beside(to, line)
    note_missing(summary.missing)


def replace_selection(
    run_folder: Path,
    change: Callable[[Selection], Selection],
    *,
    embedding_model: Path | None,
    reward_model: Path | None,
    decontaminate: tuple[Path, ...],
    overrides: tuple[str, ...],
) -> None:
    """Select anew in place, and say what that replaced and what the run goes on with."""
    from ensemble_instruct.cli.terminal import watched
    from ensemble_instruct.runs.selecting import run_selection, select_anew
    from ensemble_instruct.runs.status import read_voter_notes

    selection = change(run_selection(run_folder))
    selected = watched(
        lambda monitor: select_anew(
            run_folder,
            monitor,
            selection,
            embedding_model=embedding_model,
            reward_model=reward_model,
            overrides=overrides,
            decontaminate=decontaminate,
        )
    )
    summary, examples = selected.summary, run_folder / "examples.jsonl"
    if summary.words:
        click.echo(summary.words)
    dropped = summary.counts.total() - summary.examples
    click.echo(f"{summary.examples} examples in {examples}; {dropped} rows dropped by step 5")
    click.echo(f"{examples} was replaced: it has {summary.examples} rows, and had {selected.rows_before}")
    click.echo(f"the run keeps these settings, for `run` and `select`: {', '.join(_settings(selected.config))}")
    for line in note_lines(read_voter_notes(run_folder)):
        click.echo(line)
    note_missing(summary.missing)


def _settings(config: Config) -> Iterator[str]:
    """What a run selects by, in words."""
    from ensemble_instruct.agreement.selection import Selection

    yield from Selection.of(config).words
    filters = config.quality.model_dump(exclude_defaults=True)
    yield f"filters: {' '.join(filters)}" if filters else "no filters"
