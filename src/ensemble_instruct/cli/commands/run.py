"""`run`, `init` and `check`: from a config to a run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ensemble_instruct.cli.logs import LogFormat
from ensemble_instruct.cli.options import (
    PATH,
    ShareRange,
    against_option,
    allow_code_option,
    allow_empty_option,
    asking,
    beginning,
    config_argument,
    decontaminate_option,
    note_missing,
    preset_option,
    retry_option,
    set_option,
)
from ensemble_instruct.errors import ConfigError, EnsembleInstructError, InputFileError, UsageError
from ensemble_instruct.records import KINDS, Kind

if TYPE_CHECKING:
    from ensemble_instruct.config.schema import Config
    from ensemble_instruct.runs.recorder import Summary


@click.command()
@click.argument("config_path", metavar="[CONFIG]", type=PATH, required=False)
@click.option("--out", type=PATH, required=True, help="Run folder: made, or resumed where it exists.")
@preset_option("A bundled config instead of CONFIG")
@click.option("--force", is_flag=True, help="Resume although the config has changed.")
@click.option("--dry-run", is_flag=True, help="Check everything, print the plan, ask nothing.")
@click.option(
    "--budget",
    metavar="USD",
    type=ShareRange(0, 1e9, min_open=True),
    help="Stop before all starts have cost more.",
)
@beginning
@against_option
@decontaminate_option
@retry_option
@allow_empty_option
@asking
def run(
    config_path: Path | None,
    out: Path,
    preset: str | None,
    instructions: Path | None,
    instances: Path | None,
    against: tuple[Path, ...],
    decontaminate: tuple[Path, ...],
    overrides: tuple[str, ...],
    allow_code: bool,
    force: bool,
    dry_run: bool,
    budget: float | None,
    retry_failed: bool,
    allow_empty: bool,
    log_file: Path | None,
    log_format: LogFormat,
) -> None:
    """Start a run, or resume it: what was answered is not asked again."""
    from ensemble_instruct.cli.terminal import watched
    from ensemble_instruct.runs.empty_kinds import require_made
    from ensemble_instruct.runs.lifecycle import start_or_resume
    from ensemble_instruct.steps.own_tasks import form_override, required, tasks_of

    tasks = tasks_of(out, instructions=instructions, instances=instances)
    config = _config_for_run(config_path, out, preset, (*overrides, *form_override(tasks))).with_against(against)
    config = required(config, tasks).with_decontaminate(decontaminate)
    if dry_run:
        _print_estimate(config)
        return
    _require_licences(config)
    summary = watched(
        lambda monitor: start_or_resume(
            config,
            out,
            monitor,
            force=force,
            retry_failed=retry_failed,
            budget=budget,
            tasks=tasks,
            allow_code=allow_code,
        ),
        log_file,
        log_format,
    )
    _print_end(config, out, summary)
    require_made(summary.missing, allow_empty=allow_empty)
    note_missing(summary.missing)


def _print_end(config: Config, out: Path, summary: Summary) -> None:
    """What a run has come to."""
    from ensemble_instruct.cli.commands.status import status_lines
    from ensemble_instruct.demo.answers import demo_lines, is_demo
    from ensemble_instruct.runs.status import read_status
    from ensemble_instruct.store.reading import reading

    status = read_status(out)
    click.echo("\n".join(status_lines(status)))
    _print_failures(status.failures)
    for kind in KINDS if config.tasks is None else ():
        warn_if_short(config, kind, summary.counts[kind, "instructions", ""])
    _print_licence_notes(config)
    _print_simulated(config)
    _print_twins(config)
    if is_demo(config):
        with reading(out / "run.db") as connection:
            click.echo("\n".join(demo_lines(connection, config)))
    click.echo(f"{summary.examples} examples in {out / 'examples.jsonl'} after {summary.seconds:.1f} s")


def _print_failures(failures: Counter[str]) -> None:
    """How many requests were refused for good, by reason."""
    if failures:
        reasons = ", ".join(f"{count} {reason}" for reason, count in failures.most_common())
        click.echo(f"{failures.total()} requests failed for good ({reasons}); --retry-failed asks them again")


def _print_simulated(config: Config) -> None:
    """Which models of a run are no real ones."""
    simulated = [name for name in config.used_models if config.models[name].provider == "scripted"]
    if simulated:
        click.echo(f"note: {', '.join(simulated)} are scripted: simulated models, not real ones", err=True)


def _print_twins(config: Config) -> None:
    """Which voters are the same model under another name."""
    votes = "votes once" if config.strategy == "vouched" else "votes twice"
    for name, first in config.twins.items():
        click.echo(f"note: {name} is the same model as {first} and is asked the same: it {votes}", err=True)
    for name, first in config.twin_judges.items():
        click.echo(f"note: {name} is the same model as {first} and is asked the same: it rates twice", err=True)


def warn_if_short(config: Config, kind: Kind, count: int) -> None:
    """Say that step 1 ended with fewer instructions of a kind than are wanted, if it did, and why."""
    target = config.instructions.target.of(kind)
    if count < target:
        click.echo(
            f"note: step 1 ended at {count} of {target} {kind} instructions: the last "
            f"{config.instructions.patience} replies in a row gave nothing new (instructions.patience)",
            err=True,
        )


def _config_for_run(config_path: Path | None, out: Path, preset: str | None, overrides: tuple[str, ...]) -> Config:
    from ensemble_instruct.config.load import load_config

    if config_path is not None and preset is not None:
        raise UsageError("give either CONFIG or --preset, not both")
    if config_path is not None or preset is not None:
        return load_config(config_path, preset=preset, overrides=overrides)
    if (out / "config.yaml").is_file():
        return load_config(out / "config.yaml", overrides=overrides)
    raise UsageError("give a CONFIG or --preset NAME; `ensemble-instruct init my.yaml` writes a config to start from")


@click.command()
@click.argument("file", metavar="[FILE]", type=PATH, required=False)
@preset_option("Which config to start from", default="servers", show_default=True)
@click.option("--prompts", metavar="FOLDER", type=PATH, help="Write the prompts, with comments, to change them.")
def init(file: Path | None, preset: str, prompts: Path | None) -> None:
    """Write a commented config to start from."""
    if file is None and prompts is None:
        raise UsageError("init: name the file to write, or a folder with --prompts")
    if file is not None:
        _init_config(file, preset)
    if prompts is not None:
        from ensemble_instruct.prompts.folder import write_prompts

        names = write_prompts(prompts)
        click.echo(
            f"{len(names)} files in {prompts}; change what you like, remove the others, and set prompts: {prompts} in "
            f"the config"
        )


def _init_config(file: Path, preset: str) -> None:
    """Write the config of a preset to a new file."""
    from ensemble_instruct.cli.streams import say_beside
    from ensemble_instruct.config.bundled import preset_text
    from ensemble_instruct.files.atomic import whole_file
    from ensemble_instruct.files.destination import is_stream
    from ensemble_instruct.files.places import require_writable

    text = preset_text(preset)
    require_writable(file)
    if file.exists() and not is_stream(file):
        raise InputFileError(f"{file}: exists already; name a new file")
    with whole_file(file) as opened:
        opened.write(text.encode())
    say_beside(file, f"{file} written; edit it, then: ensemble-instruct check {file}")


@click.command()
@config_argument
@beginning
@set_option
@allow_code_option
def check(
    config_path: Path,
    instructions: Path | None,
    instances: Path | None,
    overrides: tuple[str, ...],
    allow_code: bool,
) -> None:
    """Validate a config, ask each model one word, print the plan."""
    from ensemble_instruct.cli.terminal import driven
    from ensemble_instruct.config.load import load_config
    from ensemble_instruct.models.misplaced import misplaced_models
    from ensemble_instruct.models.probes import ask_one_word
    from ensemble_instruct.runs.passes import crowded_servers
    from ensemble_instruct.steps.own_tasks import form_override, required, tasks_of

    tasks = tasks_of(None, instructions=instructions, instances=instances)
    config = required(load_config(config_path, overrides=(*overrides, *form_override(tasks))), tasks)
    _print_estimate(config)
    words = driven(ask_one_word(config, allow_code=allow_code))
    for word in words:
        place = f" at {word.server}" if len(config.models[word.model].base_urls) > 1 else ""
        if isinstance(word.reply, EnsembleInstructError):
            click.echo(f"model {word.model}{place} failed: {word.reply}")
        else:
            traits = f" ({word.traits})" if word.traits else ""
            click.echo(f"model {word.model}{place} says {' '.join(word.reply.split())!r}{traits}")
    failed = list(dict.fromkeys(word.model for word in words if isinstance(word.reply, EnsembleInstructError)))
    if failed:
        raise ConfigError(f"{config_path}: no answer from {', '.join(failed)}; see above, mend it and check again")
    _print_twins(config)
    for url, names in crowded_servers(config).items():
        advice = "where its memory does not hold all, give them one name in exclusive, so that each is loaded once"
        click.echo(f"note: {', '.join(names)} are all at {url}: {advice}", err=True)
    for misplaced in driven(misplaced_models(config)):
        click.echo(f"warning: {misplaced}", err=True)


def _print_estimate(config: Config) -> None:
    """The licences, then the requests that a run needs; raises `ConfigError` for a licence that is not admitted."""
    from ensemble_instruct.runs.estimate import ASSUMPTIONS, estimate
    from ensemble_instruct.steps.plans import foreign_examples, prepare
    from ensemble_instruct.store.costs import sum_of_costs

    estimates = estimate(config)
    for note in foreign_examples(prepare(config)):
        click.echo(f"warning: {note}", err=True)
    _print_licences(config)
    click.echo(f"{'step':<13}{'kind':<14}{'model':<24}{'requests':>9}{'tokens in':>12}{'tokens out':>12}{'USD':>9}")
    for row in estimates:
        click.echo(
            f"{row.step:<13}{row.kind:<14}{row.model:<24}{row.requests:>9}{row.prompt_tokens:>12}"
            f"{row.completion_tokens:>12}{_usd(row.cost):>9}"
        )
    totals = [
        sum(getattr(row, name) for row in estimates) for name in ("requests", "prompt_tokens", "completion_tokens")
    ]
    cost = _usd(sum_of_costs(row.cost for row in estimates))
    click.echo(f"{'all':<51}{totals[0]:>9}{totals[1]:>12}{totals[2]:>12}{cost:>9}")
    click.echo(f"estimated: {ASSUMPTIONS}")
    _print_prices(config)


def _usd(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:.2f}"


def _print_prices(config: Config) -> None:
    """Which prices the config does not have: looked up, or not known."""
    from ensemble_instruct.config.servers.prices import is_here

    for name in config.used_models:
        price = config.models[name].known_price
        if price is None and all(map(is_here, config.models[name].base_urls)):
            click.echo(f"price of model {name}: unknown; set models.{name}.price, to 0 where it costs nothing")
        elif price is None:
            click.echo(f"note: the price of model {name} is not known; set models.{name}.price", err=True)
        elif price.origin == "looked up":
            click.echo(f"price of model {name}: {price.input:g} USD in, {price.output:g} out for 1M tokens (looked up)")


def _print_licences(config: Config) -> None:
    from ensemble_instruct.licences.policy import licence_lines

    click.echo("\n".join(licence_lines(config)))
    _require_licences(config)
    _print_licence_notes(config)


def _require_licences(config: Config) -> None:
    """Raise `ConfigError` for a licence that the policy does not admit."""
    from ensemble_instruct.licences.policy import require_admitted

    require_admitted(config)


def _print_licence_notes(config: Config) -> None:
    """What is to be known of the licences that are admitted."""
    from ensemble_instruct.licences.policy import notes

    for line in notes(config):
        click.echo(f"note: {line}", err=True)
