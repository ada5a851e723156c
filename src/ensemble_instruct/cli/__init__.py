"""The command line, and what its commands share.

    app        the group of commands; errors become one line and an exit code
    options    options that several commands have
    streams    stdout and stderr, whatever they can hold and whether or not they take it
    terminal   work that a terminal watches: progress, log lines and Ctrl-C
    logs       where log records go, as text or as JSON
    commands/  a module for each command

Public: `main`.
"""

from ensemble_instruct.cli.app import main
from ensemble_instruct.cli.commands import (
    card,
    dedup,
    evaluate,
    export,
    merge,
    preview,
    report,
    run,
    select,
    status,
    steps,
    view,
)

COMMANDS = (
    run.run, run.init, run.check, preview.preview, status.status, select.select, export.export, view.view, dedup.dedup,
    evaluate.evaluate, steps.instructions, steps.instances, steps.parse, steps.outputs, steps.ensemble, merge.merge,
    card.card, report.report,
)  # fmt: skip
"""In the order of a run, as `--help` lists them. A command imports what it does its work with when it is called."""

for _command in COMMANDS:
    main.add_command(_command)

__all__ = ["main"]
