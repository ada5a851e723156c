"""The command line: each command reads its arguments, calls one function and prints.

What a user asked for goes to stdout, progress and messages to stderr. Modules are imported inside the commands, so
that `--help` answers at once.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from typing import Any, NoReturn

import click

from ensemble_instruct.cli.streams import standard_streams
from ensemble_instruct.descriptors import used_up
from ensemble_instruct.errors import EnsembleInstructError, RunError
from ensemble_instruct.invisible import harmless
from ensemble_instruct.version import __version__

_GARBAGE_THRESHOLDS = 50_000, 50, 50
"""Requests leave hardly any cycles behind; at Python's own threshold of 700 objects the search for them costs more than
a quarter of the time of a run."""
_UNMAPPED = "failed to map segment from shared object", "Cannot allocate memory"
"""How the loader of libraries ends its line when memory is short."""


class _Commands(click.Group):
    """Turns the errors of the package into one line and an exit code; lists commands in the order of a run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def main(self, *args: Any, **settings: Any) -> NoReturn:
        settings["standalone_mode"] = False
        gc.set_threshold(*_GARBAGE_THRESHOLDS)
        with standard_streams():
            try:
                code = super().main(*args, **settings)
            except EnsembleInstructError as error:
                _complain(str(error), error.exit_code)
            except click.exceptions.NoArgsIsHelpError as error:
                click.echo(error.format_message(), err=True)
                sys.exit(error.exit_code)
            except click.ClickException as error:
                context = getattr(error, "ctx", None)
                hint = f"; see `{context.command_path} --help`" if context else ""
                _complain(error.format_message().rstrip(".") + hint, error.exit_code)
            except Exception as error:
                if os.environ.get("ENSEMBLE_INSTRUCT_TRACEBACK"):
                    raise
                if limit := _limit_met(error):
                    _complain(f"{limit}, then give the same command again", 1)
                where = "set ENSEMBLE_INSTRUCT_TRACEBACK=1 to see where, and please report it"
                _complain(f"internal error: {type(error).__name__}: {error}; {where}", 1)
            sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise RunError("stopped; what was answered is kept: run the same command again to go on") from None


def _limit_met(error: Exception) -> str:
    """What the machine does not give, and what to do, for an error that says so; empty for any other."""
    number = error.errno if isinstance(error, OSError) else None
    is_unmapped = isinstance(error, ImportError) and str(error).endswith(_UNMAPPED)
    if isinstance(error, MemoryError) or number == errno.ENOMEM or is_unmapped:
        return "out of memory: end other programs or allow this one more (`ulimit -v`)"
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"{getattr(error, 'filename', None) or 'a disk'}: is full: free some space"
    if number in (errno.EMFILE, errno.ENFILE):
        return used_up()
    if str(error) == "can't start new thread":
        return "no further thread can be started: allow more processes and memory (`ulimit -u`, `ulimit -v`)"
    return ""


def _complain(message: str, exit_code: int) -> NoReturn:
    click.echo(f"error: {harmless(' '.join(message.split()))}", err=True)
    sys.exit(exit_code)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ensemble-instruct")
def main() -> None:
    """Make instruction-tuning data with your own mixture of open language models."""
