"""`merge`: one run out of several finished ones."""

from __future__ import annotations

from pathlib import Path

import click

from ensemble_instruct.cli.commands.status import note_lines
from ensemble_instruct.cli.options import PATH, note_missing


@click.command()
@click.argument("run_folders", metavar="RUN...", type=PATH, nargs=-1, required=True)
@click.option("--to", metavar="RUN", type=PATH, required=True, help="Run folder to make.")
def merge(run_folders: tuple[Path, ...], to: Path) -> None:
    """Make one run out of several finished ones; what an earlier one has is dropped from a later one."""
    from ensemble_instruct.cli.terminal import watched
    from ensemble_instruct.runs.merging.merge import merge_runs
    from ensemble_instruct.runs.status import read_voter_notes

    summary, copied = watched(lambda monitor: merge_runs(run_folders, to, monitor))
    for part in copied:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(part.dropped.items()))
        click.echo(f"{part.run}: {part.instances} instances{f'; dropped {reasons}' if reasons else ''}")
        for old, new in part.models.items():
            if old != new:
                click.echo(f"{part.run}: its model {old} is called {new} here")
    if summary.words:
        click.echo(summary.words)
    dropped = sum(summary.counts.values()) - summary.examples
    click.echo(f"{summary.examples} examples in {to / 'examples.jsonl'}; {dropped} rows dropped by step 5")
    for line in note_lines(read_voter_notes(to)):
        click.echo(line)
    note_missing(summary.missing)
