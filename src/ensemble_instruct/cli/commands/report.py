"""The command `report`."""

from __future__ import annotations

from pathlib import Path

import click

from ensemble_instruct.cli.options import PATH, ignore_edits_option
from ensemble_instruct.errors import UsageError


@click.command()
@click.argument("run_folder", metavar="RUN", type=PATH)
@click.option("--to", type=PATH, help="File to write (default: report.html in the run folder).")
@click.option("--json", "for_programs", is_flag=True, help="Print the same numbers as JSON instead.")
@click.option(
    "--parser",
    metavar="MODEL",
    help="spaCy model that finds verbs, such as en_core_web_sm (extra `verbs`).",
)
@ignore_edits_option
def report(run_folder: Path, to: Path | None, for_programs: bool, parser: str | None, ignore_edits: bool) -> None:
    """Write what happened in a run as one HTML file; works while it runs."""
    from ensemble_instruct.files.jsonl import dump
    from ensemble_instruct.files.places import require_writable
    from ensemble_instruct.report.page import write_report
    from ensemble_instruct.report.report import read_report, report_json
    from ensemble_instruct.store.reading import require_unedited

    if for_programs and to is not None:
        raise UsageError("give either --json, which prints, or --to")
    if not ignore_edits:
        require_unedited(run_folder)
    if for_programs:
        click.echo(dump(report_json(read_report(run_folder, parser)), ascii_only=True))
        return
    if to is not None:
        require_writable(to, run_folder / "config.yaml", run_folder / "examples.jsonl", *run_folder.glob("run.db*"))
    click.echo(f"report in {write_report(run_folder, to, parser)}")
