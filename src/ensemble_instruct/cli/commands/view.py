"""`view`: a run in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from ensemble_instruct.cli.options import PATH


@click.command()
@click.argument("run_folder", metavar="RUN", type=PATH)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1 (default: a free one).")
@click.option("--no-open", is_flag=True, help="Print the address only, open no browser.")
def view(run_folder: Path, port: int, no_open: bool) -> None:
    """Look at a run in the browser; works while it runs."""
    from ensemble_instruct.cli.terminal import driven
    from ensemble_instruct.store.reading import is_edited
    from ensemble_instruct.viewer.server import serve

    if is_edited(run_folder):
        click.echo(f"note: {run_folder / 'examples.jsonl'} was edited; shown is what the run made", err=True)
    driven(serve(run_folder, port, click.echo, open_browser=not no_open))
