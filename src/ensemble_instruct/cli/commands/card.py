"""`card`: what a dataset is, how it was made, and under which licences."""

from __future__ import annotations

from pathlib import Path

import click

from ensemble_instruct.cli.options import PATH, ignore_edits_option


@click.command()
@click.argument("run_folder", metavar="RUN", type=PATH)
@click.option("--to", type=PATH, help="File to write (default: print it).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["card", "licence", "croissant"]),
    default="card",
    show_default=True,
    help="README.md with YAML front matter, LICENSE.md, or croissant.json.",
)
@click.option("--name", help="How the dataset is called, like me/my-data (default: as the folder is).")
@click.option(
    "--data", metavar="FOLDER", type=PATH, help="Dataset that was written of it, to tell its files and splits."
)
@ignore_edits_option
def card(run_folder: Path, to: Path | None, form: str, name: str | None, data: Path | None, ignore_edits: bool) -> None:
    """Tell what a dataset is, how it was made and under which licences: its card for the Hub."""
    from ensemble_instruct.cli.streams import print_document, say_beside
    from ensemble_instruct.export.card import dataset_card, licence_file
    from ensemble_instruct.export.croissant import croissant
    from ensemble_instruct.export.facts import read_facts
    from ensemble_instruct.export.layout import read_tables
    from ensemble_instruct.files.atomic import whole_file
    from ensemble_instruct.files.places import require_writable
    from ensemble_instruct.store.reading import require_unedited

    if not ignore_edits:
        require_unedited(run_folder)
    if to is not None:
        require_writable(to, run_folder / "config.yaml", *run_folder.glob("run.db*"))
    facts = read_facts(run_folder, name, None if data is None else read_tables(data))
    makers = {"card": dataset_card, "licence": licence_file, "croissant": croissant}
    text = makers[form](facts)
    if to is None:
        print_document(text)
        return
    with whole_file(to) as file:
        file.write(text.encode("utf-8", "replace"))
    say_beside(to, f"{to} written")
