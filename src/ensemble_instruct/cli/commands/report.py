"""`report`: a run, or a file of tasks or of a step, on one page."""

from __future__ import annotations

from pathlib import Path

import click

from ensemble_instruct.cli.options import PATH, ignore_edits_option
from ensemble_instruct.cli.streams import say_beside
from ensemble_instruct.errors import UsageError


@click.command()
@click.argument("source", metavar="RUN|FILE", type=PATH)
@click.option("--to", type=PATH, help="File to write (default: report.html in the run folder, FILE.report.html).")
@click.option("--json", "for_programs", is_flag=True, help="Print the same numbers as JSON instead.")
@click.option(
    "--parser",
    metavar="MODEL",
    help="spaCy model that finds verbs, such as en_core_web_sm (extra `verbs`).",
)
@ignore_edits_option
def report(source: Path, to: Path | None, for_programs: bool, parser: str | None, ignore_edits: bool) -> None:
    """Write what happened in a run as one HTML file; works while it runs.

    FILE in place of a run, as `export` takes it or as steps 1 and 2 write it: what can be said of its rows without the
    run that made them.
    """
    from ensemble_instruct.files.jsonl import dump
    from ensemble_instruct.files.places import require_writable
    from ensemble_instruct.report.page import write_report
    from ensemble_instruct.report.report import read_report, report_json
    from ensemble_instruct.store.reading import require_unedited

    if for_programs and to is not None:
        raise UsageError("give either --json, which prints, or --to")
    if source.exists() and not source.is_dir():
        _report_on_file(source, to, parser, for_programs=for_programs)
        return
    if not ignore_edits:
        require_unedited(source)
    if for_programs:
        click.echo(dump(report_json(read_report(source, parser)), ascii_only=True))
        return
    if to is not None:
        require_writable(to, source / "config.yaml", source / "examples.jsonl", *source.glob("run.db*"))
    written = write_report(source, to, parser)
    say_beside(written, f"report in {written}")


def _report_on_file(path: Path, to: Path | None, parser: str | None, *, for_programs: bool) -> None:
    from ensemble_instruct.files.jsonl import dump
    from ensemble_instruct.files.places import require_writable
    from ensemble_instruct.report.file_report import file_report_json, read_file_report, write_file_report

    if for_programs:
        click.echo(dump(file_report_json(read_file_report(path, parser)), ascii_only=True))
        return
    to = to or path.with_name(f"{path.name}.report.html")
    require_writable(to, path)
    write_file_report(path, to, parser)
    say_beside(to, f"report in {to}")
