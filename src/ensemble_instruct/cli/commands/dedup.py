"""`dedup`: near-duplicates out of a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from ensemble_instruct.cli.options import PATH, ShareRange, against_option, to_option
from ensemble_instruct.cli.streams import say_beside


@click.command()
@click.argument("file", type=PATH)
@to_option
@click.option("--threshold", type=ShareRange(0, 1, min_open=True), default=0.7, show_default=True)
@click.option("--column", metavar="NAME", help="Where the text is (default: instruction, prompt, text, messages …).")
@against_option
@click.option("--report", type=PATH, help="JSONL file of the rows dropped, each with its nearest text and their score.")
def dedup(
    file: Path, to: Path, threshold: float, column: str | None, against: tuple[Path, ...], report: Path | None
) -> None:
    """Drop near-duplicates from a dataset (JSON or Parquet, .gz, .zst too), exactly; the first of them stays."""
    from ensemble_instruct.novelty.dedup import dedup_file
    from ensemble_instruct.runs.progress import with_progress

    summary = dedup_file(file, to, threshold, with_progress, column=column, against=against, report=report)
    say_beside(to, f"{summary.kept} rows in {to}")
    if summary.dropped:
        where = f", each in {report}" if report else "; --report FILE says what each is close to"
        say_beside(to, f"{summary.dropped} dropped as closer than {threshold:g} to an earlier one{where}")
