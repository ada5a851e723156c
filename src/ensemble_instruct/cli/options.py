"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from ensemble_instruct.cli.logs import LogFormat
from ensemble_instruct.errors import InputFileError, UsageError
from ensemble_instruct.records import DEFAULT_STRATEGY, KINDS, Strategy, Utility

PATH = click.Path(path_type=Path)
Command = TypeVar("Command", bound=Callable[..., Any])
_PRESETS = "PRESETS"
"""Where their names come into a help text."""
config_argument = click.argument("config_path", metavar="CONFIG", type=PATH)
set_option = click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Override a config key.")
kind_option = click.option("--kind", type=click.Choice(KINDS), required=True, help="Kind of task.")
to_option = click.option("--to", type=PATH, required=True, help="File to write.")
store_option = click.option("--store", type=PATH, help="Where the answers are kept (default: FILE.db).")
retry_option = click.option("--retry-failed", is_flag=True, help="Ask again what failed for good in earlier starts.")
against_option = click.option(
    "--against", metavar="FILE", type=PATH, multiple=True, help="Dataset (JSON, Parquet) to differ from; repeat."
)
own_options = (
    click.option("--instructions", metavar="FILE", type=PATH, help="Instructions of your own: begin at step 2."),
    click.option("--instances", metavar="FILE", type=PATH, help="Tasks of your own: begin at step 4."),
)
ignore_edits_option = click.option(
    "--ignore-edits", is_flag=True, help="Go on from the run's database although examples.jsonl was edited."
)
decontaminate_option = click.option(
    "--decontaminate", metavar="FILE", type=PATH, multiple=True,
    help="Benchmark (JSON, Parquet, a text a line) that no example may hold; repeat.",
)  # fmt: skip
utility_option = click.option(
    "--utility",
    metavar="NAME[=WEIGHT]",
    multiple=True,
    callback=lambda _context, _option, texts: _weights(texts),
    help="What agreement means: exact, rouge-l (default), chrf, embedding, judge; repeat for a mixture.",
)
embedding_option = click.option(
    "--embedding-model", metavar="FOLDER", type=PATH, help="Sentence encoder for --utility embedding."
)
reward_option = click.option(
    "--reward-model", metavar="FOLDER", type=PATH, help="Sequence classifier for --strategy reward."
)
allow_code_option = click.option(
    "--allow-code", is_flag=True, help="Let models run code of others: scripted functions, trust_remote_code."
)
allow_empty_option = click.option(
    "--allow-empty", is_flag=True, help="End with exit code 0 also where nothing was made, or nothing of a kind."
)
log_file_option = click.option("--log-file", type=PATH, help="Append the log to this file.")
log_format_option = click.option(
    "--log-format", type=click.Choice(get_args(LogFormat)), default="text", show_default=True, help="Of the log lines."
)


class _PresetOption(click.Option):
    """Its help names the presets: read when the help is shown, not when the command is loaded."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """See `click.Option.get_help_record`."""
        from ensemble_instruct.config.bundled import preset_names

        record = super().get_help_record(ctx)
        return record and (record[0], record[1].replace(_PRESETS, ", ".join(preset_names())))


def preset_option(what: str, **settings: Any) -> Callable[[Command], Command]:
    """The option `--preset`; `what` says what the preset is for."""
    return click.option("--preset", cls=_PresetOption, metavar="NAME", help=f"{what}: {_PRESETS}.", **settings)


class ShareRange(click.FloatRange):
    """A number in a range. NaN is in no range: it is neither below nor above anything."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType.convert`."""
        number = super().convert(value, param, ctx)
        if isinstance(number, float) and math.isnan(number):
            self.fail(f"{value} is no number", param, ctx)
        return number


def _weights(texts: tuple[str, ...]) -> dict[Utility, float]:
    """`rouge-l` or `rouge-l=1`, `embedding=0.3`, as names with their weights."""
    names: tuple[Utility, ...] = get_args(Utility)
    weights: dict[Utility, float] = {}
    for text in texts:
        word, _, number = text.partition("=")
        name = next((known for known in names if known == word), None)
        try:
            weight = float(number or 1)
        except ValueError:
            weight = math.nan
        if name is None or not 0 < weight < math.inf:
            raise UsageError(f"--utility {text}: write it as NAME or NAME=WEIGHT, with NAME one of {', '.join(names)}")
        weights[name] = weight
    return weights


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """The options of step 5; the command gets those of a `Selection` as `change`, which applies them to one."""

    @wraps(command)
    def gathered(**options: Any) -> None:
        from ensemble_instruct.agreement.selection import OLD_BOUND, SETTINGS

        settings = {name: options.pop(name) for name in SETTINGS}
        old = options.pop(OLD_BOUND)
        bounds = {"min_confidence": settings["min_confidence"], OLD_BOUND: old, "keep": settings["keep"]}
        present = [f"--{name.replace('_', '-')}" for name, value in bounds.items() if value is not None]
        if len(present) > 1:
            raise UsageError(f"give either {present[0]} or {present[1]}, not both")
        if old is not None:
            settings["min_confidence"] = old
            click.echo("note: --min-agreement is called --min-confidence now", err=True)
        command(change=lambda selection: selection.changed(**settings), **options)

    for option in (
        click.option("--set", "overrides", metavar="quality.KEY=VALUE", multiple=True, help="Switch on a filter."),
        decontaminate_option,
        click.option("--keep", type=ShareRange(0, 1, min_open=True), help="Share of rows to keep, the surest."),
        click.option("--min-agreement", type=ShareRange(0, 1), hidden=True),
        click.option("--min-confidence", type=ShareRange(0, 1), help="Least confidence of an example."),
        click.option(
            "--threshold", type=ShareRange(0, 1), help="Of the original's rules; default: 0.01, or the run's."
        ),
        reward_option,
        embedding_option,
        utility_option,
        click.option(
            "--strategy",
            type=click.Choice(get_args(Strategy)),
            help=f"Default: that of the run; for files {DEFAULT_STRATEGY}.",
        ),
    ):
        gathered = option(gathered)
    return gathered


def note_missing(missing: str) -> None:
    """The last line of a command that made nothing, or nothing of a kind; `missing` is empty where it did."""
    if missing:
        click.echo(f"warning: {missing}", err=True)


def beginning(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command whose run may begin with tasks of the user's own."""
    for option in reversed(own_options):
        command = option(command)
    return command


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that asks a model."""
    command = _with_a_log_of_its_own(command)
    for option in (log_format_option, log_file_option, allow_code_option, set_option):
        command = option(command)
    return command


def _with_a_log_of_its_own(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def checked(log_file: Path | None, **values: object) -> None:
        paths = [path for value in values.values() for path in (value if isinstance(value, tuple) else (value,))]
        if log_file is not None and any(
            isinstance(path, Path) and path.resolve() == log_file.resolve() for path in paths
        ):
            raise InputFileError(f"{log_file}: is another file of this command; choose another place for --log-file")
        command(log_file=log_file, **values)

    return checked
