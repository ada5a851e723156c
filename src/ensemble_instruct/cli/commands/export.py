"""`export`: the examples of a run, or a file of tasks, in the formats of trainers; also to the Hub."""

from __future__ import annotations

from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ensemble_instruct.cli.options import PATH, Command, ignore_edits_option
from ensemble_instruct.cli.streams import say_beside
from ensemble_instruct.errors import UsageError
from ensemble_instruct.export.options import NAMES, REPO, ExportOptions

if TYPE_CHECKING:
    from ensemble_instruct.export.exporter import Exported
    from ensemble_instruct.export.layout import Table
    from ensemble_instruct.export.options import ExportPlan


def _writing(command: Command) -> Command:
    """The options that say what is written and how; the command gets them as one `ExportOptions`, `options`."""

    @wraps(command)
    def with_options(**values: Any) -> None:
        options = ExportOptions(**{field.name: values.pop(field.name) for field in fields(ExportOptions)})
        command(options=options, **values)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return cast(Command, with_options)


_OPTIONS = (
    click.option(
        "--format",
        "form",
        metavar="F",
        required=True,
        help="original, alpaca, messages, prompt-completion, preference, parquet, hub; of a file not preference and "
        "hub.",
    ),
    click.option(
        "--to", metavar="PATH", help="File to write; FOLDER/ for a file of each split, or for Parquet in shards."
    ),
    click.option(
        "--split", metavar="NAME=SHARE,…", help="Splits, like train=0.95,test=0.05; no row ever changes side."
    ),
    click.option("--system", metavar="TEXT", help="System message of each row of messages."),
    click.option("--reasoning", is_flag=True, help="What the voter thought that won: reasoning_content, or <think>."),
    click.option("--think-tags", is_flag=True, help="With --reasoning: <think> in the text of messages, too."),
    click.option(
        "--rows",
        metavar="R",
        help="Rows of parquet and hub: examples (default of parquet), messages (of hub), prompt-completion, alpaca, "
        "preference.",
    ),
    click.option("--shard-size", metavar="SIZE", help="Most text in a Parquet file of a folder (default: 500MB)."),
    click.option(
        "--candidates/--no-candidates",
        default=None,
        help="A second table with every candidate and its score (default of hub).",
    ),
    click.option("--partial", is_flag=True, help="Take the examples so far of a run that is not finished."),
    click.option(
        "--salvage", is_flag=True, help="Take the examples that can be read of a run whose run.db is damaged."
    ),
    ignore_edits_option,
    click.option("--allow-empty", is_flag=True, help="Write the dataset also where it has no row."),
)


@click.command()
@click.argument("source", metavar="RUN|FILE", type=PATH)
@_writing
@click.option("--repo", metavar="NAME", help="Dataset on the Hub to upload to, like me/my-data; HF_TOKEN is the key.")
@click.option("--public", is_flag=True, help="Make a new dataset on the Hub public; without, it is private.")
@click.option("--dry-run", is_flag=True, help="Write the folder of --format hub and upload nothing.")
def export(source: Path, options: ExportOptions, repo: str | None, public: bool, dry_run: bool) -> None:
    """Write the examples of a run for a trainer, or upload them to the Hub.

    FILE in place of a run: rows as parse, outputs and ensemble write them, as examples.jsonl and most formats have
    them, in JSONL or a JSON array.
    """
    from ensemble_instruct.export.exporter import export_file, export_run
    from ensemble_instruct.export.front_matter import declared
    from ensemble_instruct.export.options import planned, planned_for_file
    from ensemble_instruct.export.unfinished import choose_again

    if source.exists() and not source.is_dir():
        plan = planned_for_file(options, source)
        _require_hub(options.form, repo, public=public, dry_run=dry_run)
        _say(export_file(source, plan, declared), plan)
        return
    plan = planned(options, source)
    _require_hub(options.form, repo, public=public, dry_run=dry_run)
    if options.form != "hub":
        _say(export_run(source, plan, declared, choose_again), plan)
        return

    from ensemble_instruct.export.hub import describing, require_access, upload

    access = None if dry_run or repo is None else require_access(repo)
    exported = export_run(source, plan, describing(access.repo if access else repo), choose_again)
    _say(exported, plan)
    if access is not None:
        uploaded = upload(access, plan.to, exported, public=public)
        click.echo(f"{uploaded.url} ({'private' if uploaded.private else 'public'})")


def _require_hub(form: str, repo: str | None, *, public: bool, dry_run: bool) -> None:
    if form == "hub":
        if repo is None and not dry_run:
            raise UsageError("--repo: is missing; name the dataset to upload to, or give --dry-run")
        if repo is not None and not REPO.fullmatch(repo):
            raise UsageError(f"--repo {repo}: is no name of a dataset; {NAMES}")
        return
    for option, is_given in (("--repo", repo is not None), ("--public", public), ("--dry-run", dry_run)):
        if is_given:
            raise UsageError(f"{option}: goes with --format hub")


def _say(exported: Exported, plan: ExportPlan) -> None:
    to = plan.to
    if exported.barred is not None:
        without = f", without {exported.barred} that its filters leave out" if exported.barred else ""
        note = f"the run is not finished: these are its examples so far{without}; at its end it may choose others"
        click.echo(f"note: {note}", err=True)
    if plan.form == "hub" and not exported.main.rows:
        click.echo("note: no row was written, and `datasets` loads nothing that has none", err=True)
    if exported.systems_lost:
        note = f"{exported.systems_lost} rows began with a system message, which has no place in {plan.rows}"
        click.echo(f"note: {note}; --format messages keeps it", err=True)
    if exported.systems_replaced:
        note = f"{exported.systems_replaced} rows began with a system message of their own, which --system replaced"
        click.echo(f"note: {note}; leave it out to keep theirs", err=True)
    if exported.with_thought is not None and exported.with_thought < exported.main.rows:
        some = f"only {exported.with_thought} of {exported.main.rows}" if exported.with_thought else "none of the"
        click.echo(f"note: {some} examples have a thought: their winning voters gave none in step 4", err=True)
    if exported.salvaged is not None:
        lost = f"{'up to ' if exported.salvaged.is_most else ''}{exported.salvaged.lost}"
        click.echo(f"note: {lost} examples of the damaged run could not be read", err=True)
    left = ""
    if exported.left_out:
        left = f"{exported.left_out} left out, as no candidate has another answer that is less agreed on; "
    say_beside(to, f"{left}{exported.main.rows} examples in {to}{_splits(exported.main)}")
    for table in exported.tables[1:]:
        click.echo(f"{table.rows} rows with every candidate in {to / table.folder}{_splits(table)}")
    there = {split.name for split in exported.main.splits}
    for name in (split.name for split in plan.splits if exported.main.rows and split.name not in there):
        click.echo(f"note: no example fell to split {name}, so it is left out; give it a larger share", err=True)


def _splits(table: Table) -> str:
    """What each split has, where there is more to say than one number of one file."""
    parts = [
        f"{split.name} {split.rows}" + (f" in {len(split.files)} files" if len(split.files) > 1 else "")
        for split in table.splits
    ]
    return f": {', '.join(parts)}" if len(parts) > 1 or len(table.splits[0].files) > 1 else ""
