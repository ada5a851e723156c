"""The command line: each command reads its arguments, calls one function and prints.

What a user asked for goes to stdout, progress and messages to stderr. Modules are imported inside the commands, so
that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, get_args

import click

from ensemble_instruct import __version__
from ensemble_instruct.errors import ConfigError, EnsembleInstructError, InputFileError, RunError, UsageError
from ensemble_instruct.records import KINDS, Kind, Profile, Strategy

if TYPE_CHECKING:
    from ensemble_instruct.config import Config
    from ensemble_instruct.pipeline import Monitor
    from ensemble_instruct.standalone import FileSummary

Result = TypeVar("Result")
PATH = click.Path(path_type=Path)
_config_argument = click.argument("config_path", metavar="CONFIG", type=PATH)
_set_option = click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Override a config key.")
_kind_option = click.option("--kind", type=click.Choice(KINDS), required=True, help="Kind of task.")
_to_option = click.option("--to", type=PATH, required=True, help="File to write.")
_store_option = click.option("--store", type=PATH, help="Where the answers are kept (default: beside the file, .db).")


class _Commands(click.Group):
    """Turns the errors of the package into one line and an exit code; lists commands in the order of a run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def main(self, *args: Any, **settings: Any) -> NoReturn:
        settings["standalone_mode"] = False
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
            where = "set ENSEMBLE_INSTRUCT_TRACEBACK=1 to see where, and please report it"
            _complain(f"internal error: {type(error).__name__}: {error}; {where}", 1)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise RunError("stopped; what was answered is kept: run the same command again to go on") from None


def _complain(message: str, exit_code: int) -> NoReturn:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(exit_code)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ensemble-instruct")
def main() -> None:
    """Make instruction-tuning data with your own mixture of open language models."""


@main.command()
@click.argument("config_path", metavar="[CONFIG]", type=PATH, required=False)
@click.option("--out", type=PATH, required=True, help="Run folder: made, or resumed where it exists.")
@click.option("--preset", metavar="NAME", help="A bundled config instead of CONFIG.")
@_set_option
@click.option("--force", is_flag=True, help="Resume although the config has changed.")
@click.option("--dry-run", is_flag=True, help="Check everything, print the plan, ask nothing.")
def run(
    config_path: Path | None, out: Path, preset: str | None, overrides: tuple[str, ...], force: bool, dry_run: bool
) -> None:
    """Start a run, or resume it: what was answered is not asked again."""
    from ensemble_instruct.runs import start_or_resume
    from ensemble_instruct.status import read_status, status_lines

    config = _config_for_run(config_path, out, preset, overrides)
    if dry_run:
        _print_plan(config)
        return
    summary = _watched(lambda monitor: start_or_resume(config, out, monitor, force=force))
    click.echo("\n".join(status_lines(read_status(out))))
    for kind in KINDS:
        _warn_if_short(config, kind, summary.counts[kind, "instructions", ""])
    simulated = [name for name in config.used_models if config.models[name].provider == "scripted"]
    if simulated:
        click.echo(f"note: {', '.join(simulated)} are scripted: simulated models, not real ones", err=True)
    click.echo(f"{summary.examples} examples in {out / 'examples.jsonl'} after {summary.seconds:.1f} s")


def _warn_if_short(config: Config, kind: Kind, made: int) -> None:
    target = config.instructions.target.of(kind)
    if made < target:
        click.echo(
            f"note: step 1 ended at {made} of {target} {kind} instructions: the last "
            f"{config.instructions.patience} replies in a row gave nothing new (instructions.patience)",
            err=True,
        )


def _config_for_run(config_path: Path | None, out: Path, preset: str | None, overrides: tuple[str, ...]) -> Config:
    from ensemble_instruct.config_file import load_config, parse_config, preset_text

    if config_path is not None and preset is not None:
        raise UsageError("give either CONFIG or --preset, not both")
    if preset is not None:
        return parse_config(preset_text(preset), f"preset {preset}", Path.cwd(), overrides)
    if config_path is not None:
        return load_config(config_path, overrides)
    if (out / "config.yaml").is_file():
        return load_config(out / "config.yaml", overrides)
    raise UsageError("give a CONFIG or --preset NAME; `ensemble-instruct init my.yaml` writes a config to start from")


@main.command()
@click.argument("file", type=PATH)
@click.option("--preset", metavar="NAME", default="servers", show_default=True, help="Which config to start from.")
def init(file: Path, preset: str) -> None:
    """Write a commented config to start from."""
    from ensemble_instruct.config_file import preset_text
    from ensemble_instruct.jsonl import require_folder_of, whole_file

    text = preset_text(preset)
    require_folder_of(file)
    if file.exists():
        raise InputFileError(f"{file}: exists already; name a new file")
    with whole_file(file) as opened:
        opened.write(text.encode())
    click.echo(f"{file} written; edit it, then: ensemble-instruct check {file}")


@main.command()
@_config_argument
@_set_option
def check(config_path: Path, overrides: tuple[str, ...]) -> None:
    """Validate a config, ask each model one word, print the plan."""
    import asyncio

    from ensemble_instruct.config_file import load_config
    from ensemble_instruct.plan import ask_one_word

    config = load_config(config_path, overrides)
    _print_plan(config)
    replies = asyncio.run(ask_one_word(config))
    for name, reply in replies.items():
        said = f"failed: {reply}" if isinstance(reply, EnsembleInstructError) else f"says {' '.join(reply.split())!r}"
        click.echo(f"model {name} {said}")
    failed = [name for name, reply in replies.items() if isinstance(reply, EnsembleInstructError)]
    if failed:
        raise ConfigError(f"{config_path}: no answer from {', '.join(failed)}; see above, mend it and check again")


def _print_plan(config: Config) -> None:
    from ensemble_instruct.pipeline import prepare
    from ensemble_instruct.plan import ASSUMPTIONS, plan_run

    planned = plan_run(config, prepare(config))
    click.echo(f"{'step':<13}{'kind':<14}{'model':<24}{'requests':>9}{'tokens in':>12}{'tokens out':>12}{'USD':>9}")
    for row in planned:
        click.echo(
            f"{row.step:<13}{row.kind:<14}{row.model:<24}{row.requests:>9}{row.prompt_tokens:>12}"
            f"{row.completion_tokens:>12}{row.cost:>9.2f}"
        )
    totals = [sum(getattr(row, name) for row in planned) for name in ("requests", "prompt_tokens", "completion_tokens")]
    click.echo(f"{'all':<51}{totals[0]:>9}{totals[1]:>12}{totals[2]:>12}{sum(row.cost for row in planned):>9.2f}")
    click.echo(f"estimated: {ASSUMPTIONS}")


@main.command()
@click.argument("run_folder", metavar="RUN", type=PATH)
def status(run_folder: Path) -> None:
    """Show where a run stands; works while it runs."""
    from ensemble_instruct.status import read_status, status_lines

    click.echo("\n".join(status_lines(read_status(run_folder))))


@main.command()
@click.argument("run_folder", metavar="RUN", type=PATH)
@click.option(
    "--format", "form", metavar="F", required=True, help="original, alpaca, messages, prompt-completion, parquet."
)
@_to_option
@click.option("--partial", is_flag=True, help="Take the examples so far of a run that is not finished.")
def export(run_folder: Path, form: str, to: Path, partial: bool) -> None:
    """Write the examples of a run for a trainer."""
    from ensemble_instruct.export import export_run

    count = export_run(run_folder, form, to, partial=partial)
    click.echo(f"{count} examples in {to}")


@main.command()
@click.argument("run_folder", metavar="RUN", type=PATH)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1 (default: a free one).")
@click.option("--no-open", is_flag=True, help="Print the address only, open no browser.")
def view(run_folder: Path, port: int, no_open: bool) -> None:
    """Look at a run in the browser; works while it runs."""
    import asyncio

    from ensemble_instruct.viewer.server import serve

    asyncio.run(serve(run_folder, port, click.echo, open_browser=not no_open))


@main.command()
@_config_argument
@_kind_option
@_to_option
@_store_option
@_set_option
def instructions(config_path: Path, kind: Kind, to: Path, store: Path | None, overrides: tuple[str, ...]) -> None:
    """Step 1 alone: make instructions."""
    from ensemble_instruct.config_file import load_config
    from ensemble_instruct.jsonl import require_folder_of
    from ensemble_instruct.standalone import instructions_to_file

    config = load_config(config_path, overrides)
    require_folder_of(to, config_path)
    _report(to, _watched(lambda monitor: instructions_to_file(config, kind, to, store, monitor)))


@main.command()
@_config_argument
@_kind_option
@click.option("--instructions", "instructions_path", type=PATH, required=True, help="File of step 1.")
@_to_option
@_store_option
@_set_option
def instances(
    config_path: Path, kind: Kind, instructions_path: Path, to: Path, store: Path | None, overrides: tuple[str, ...]
) -> None:
    """Step 2 alone: complete each instruction."""
    from ensemble_instruct.config_file import load_config
    from ensemble_instruct.jsonl import require_folder_of
    from ensemble_instruct.standalone import instances_to_file

    config = load_config(config_path, overrides)
    require_folder_of(to, config_path)
    _report(to, _watched(lambda monitor: instances_to_file(config, kind, instructions_path, to, store, monitor)))


@main.command()
@click.option("--instances", "instances_paths", type=PATH, required=True, multiple=True, help="File of step 2; repeat.")
@_to_option
@click.option("--profile", type=click.Choice(get_args(Profile)), default="default", show_default=True)
@click.option("--seed-tasks", type=PATH, help="Seed tasks that a further task must differ from (default: bundled).")
@click.option("--novelty-threshold", type=click.FloatRange(0, 1, min_open=True), default=0.7, show_default=True)
@click.option("--kind", type=click.Choice(KINDS), help="Kind of all tasks (default: as each completion shows).")
def parse(
    instances_paths: tuple[Path, ...],
    to: Path,
    profile: Profile,
    seed_tasks: Path | None,
    novelty_threshold: float,
    kind: Kind | None,
) -> None:
    """Step 3 alone: read instances out of completions."""
    from ensemble_instruct.standalone import parse_files

    summary = _watched(
        lambda monitor: parse_files(instances_paths, to, profile, seed_tasks, novelty_threshold, monitor, kind)
    )
    _report(to, summary)


@main.command()
@_config_argument
@click.option("--model", "model_name", metavar="NAME", required=True, help="Model of the config.")
@click.option("--instances", "instances_path", type=PATH, required=True, help="File of step 3.")
@_to_option
@_store_option
@_set_option
def outputs(
    config_path: Path, model_name: str, instances_path: Path, to: Path, store: Path | None, overrides: tuple[str, ...]
) -> None:
    """Step 4 alone: let one model answer each instance."""
    from ensemble_instruct.config_file import load_config
    from ensemble_instruct.jsonl import require_folder_of
    from ensemble_instruct.standalone import outputs_to_file

    config = load_config(config_path, overrides)
    require_folder_of(to, config_path)
    _report(to, _watched(lambda monitor: outputs_to_file(config, model_name, instances_path, to, store, monitor)))


@main.command()
@click.option("--instances", "instances_path", type=PATH, required=True, help="File of step 3.")
@click.option("--outputs", "outputs_paths", type=PATH, required=True, multiple=True, help="File of step 4; repeat.")
@_to_option
@click.option("--strategy", type=click.Choice(get_args(Strategy)), default="consensus", show_default=True)
@click.option(
    "--threshold", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="Of the original's rules."
)
@click.option("--min-agreement", type=click.FloatRange(0, 1), help="Least agreement of an example.")
@click.option("--keep", type=click.FloatRange(0, 1, min_open=True), help="Share of rows to keep, the most agreed-on.")
def ensemble(
    instances_path: Path,
    outputs_paths: tuple[Path, ...],
    to: Path,
    strategy: Strategy,
    threshold: float,
    min_agreement: float | None,
    keep: float | None,
) -> None:
    """Step 5 alone: keep the outputs that the models agree on."""
    from ensemble_instruct.standalone import ensemble_files
    from ensemble_instruct.steps.ensemble import Selection

    chosen = Selection(strategy, threshold, min_agreement, keep)
    _report(to, _watched(lambda monitor: ensemble_files(instances_path, outputs_paths, to, chosen, monitor)))


def _watched(work: Callable[[Monitor], Coroutine[Any, Any, Result]]) -> Result:
    """Run what takes a monitor, and show its progress on stderr."""
    import asyncio
    import logging

    from rich.console import Console

    from ensemble_instruct.progress import Watch, shown

    watch = Watch()
    console = Console(stderr=True)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    with shown(watch, console):
        return asyncio.run(work(watch))


def _report(to: Path, summary: FileSummary) -> None:
    if summary.note:
        click.echo(summary.note)
    click.echo(f"{summary.written} rows in {to}")
    if summary.dropped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in summary.dropped.most_common())
        click.echo(f"{summary.dropped.total()} dropped ({reasons}), each in {to}.rejected.jsonl")
