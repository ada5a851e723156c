"""`evaluate`: how well strategies and voters do, as a table for people and an object for programs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ensemble_instruct.cli.options import PATH, ShareRange, embedding_option, utility_option
from ensemble_instruct.errors import InputFileError, UsageError
from ensemble_instruct.records import Utility

if TYPE_CHECKING:
    from ensemble_instruct.agreement.evaluation import Adjusted, Evaluation
    from ensemble_instruct.agreement.figures import Interval, Score

_BOUNDS = {
    "longest": "longest output",
    "best_single": "best single",
    "mean_single": "mean single",
    "oracle": "oracle",
}
"""What stands below the strategies, by the name of its figure."""


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """The object that `evaluate --json` prints; its numbers have four decimals."""
    values = asdict(evaluation)
    names = ("size", "keep", "tasks", "default", "strategies", "best_single", "mean_single", "oracle")
    ordered = {name: values.pop(name) for name in names}
    return {name: _rounded(value) for name, value in (ordered | values).items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """The evaluation for people."""
    subsets = f"{evaluation.subsets} subsets" if evaluation.subsets > 1 else "1 subset"
    drawn = f" (of {evaluation.possible}, seed {evaluation.seed})" if evaluation.subsets < evaluation.possible else ""
    scores = "ROUGE-L F1 to the reference" if evaluation.label == "reference" else "preferences"
    return [
        f"{evaluation.tasks} tasks, {len(evaluation.voters)} models, {subsets} of {evaluation.size}{drawn}; scores are "
        f"{scores} x 100",
        "",
        *_strategy_lines(evaluation),
        "",
        *_voter_lines(evaluation),
        "",
        *_rank_lines(evaluation),
        "",
        f"Kept are {100 * evaluation.keep:g} % of the tasks, unless a strategy decides it. 95 %: bootstrap over tasks.",
        f"Best single and oracle know the {evaluation.label}s. * is what a config uses that names no strategy.",
        *_slope_lines(evaluation.adjusted),
        *_few_lines(evaluation.tasks),
    ]


def _few_lines(tasks: int) -> list[str]:
    """What a reader should know where tasks are few."""
    from ensemble_instruct.agreement.voters.learned import LEAST_ROWS

    return [f"Below {LEAST_ROWS} tasks vouched learns nothing of the voters."] if tasks < LEAST_ROWS else []


def _strategy_lines(evaluation: Evaluation) -> list[str]:
    average = sum(voter.words for voter in evaluation.voters.values()) / len(evaluation.voters)
    adjusted = evaluation.adjusted
    heads = f"{'kept adj.':>11}{'95 %':>13}{'all adj.':>10}{'95 %':>13}" if adjusted else ""
    lines = [
        f"{'strategy':<16}{'kept %':>7}{'score':>7}{'95 %':>13}{'words':>7}{'all':>8}{'95 %':>13}{'words':>7}{heads}",
    ]
    for strategy, result in evaluation.strategies.items():
        label = strategy + " *" * (strategy == evaluation.default)
        kept = f"{100 * result.kept_share:>7.1f}{_shown(result.kept_score)}{_range(result.kept_interval)}"
        every = f"{_shown(result.all_score, 8)}{_range(result.all_interval)}{_shown(result.all_words)}"
        beside = _beside(adjusted.strategies[strategy]) if adjusted else ""
        lines.append(f"{label:<16}{kept}{_shown(result.kept_words)}{every}{beside}")
    for name, label in _BOUNDS.items():
        beside = f"{'':>44}{_shown(getattr(adjusted, name), 10)}" if adjusted else ""
        lines.append(f"{label:<16}{'':>34}{_shown(getattr(evaluation, name), 8)}{beside}")
    return [*lines, f"{'average output':<16}{'':>55}{_shown(average)}"]


def _beside(score: Score) -> str:
    """The figures without the influence of length."""
    kept = f"{_shown(score.kept_score, 11)}{_range(score.kept_interval)}"
    return f"{kept}{_shown(score.all_score, 10)}{_range(score.all_interval)}"


def _voter_lines(evaluation: Evaluation) -> list[str]:
    width = max(len("voter"), *map(len, evaluation.voters))
    ranked = sorted(evaluation.voters.items(), key=lambda item: (item[1].score is None, -(item[1].score or 0), item[0]))
    return [
        f"{'voter':<{width}}{'score':>7}{'agreement':>11}{'words':>7}",
        *(
            f"{name:<{width}}{_shown(voter.score)}{_shown(voter.agreement, 11, 3)}{_shown(voter.words)}"
            for name, voter in ranked
        ),
    ]


def _rank_lines(evaluation: Evaluation) -> list[str]:
    """How well what is known without labels ranks: from -1, the wrong way round, to 1."""
    ranks = evaluation.confidence_ranks.items()
    shown = ", ".join(f"{name} {'-' if rank is None else f'{rank:+.2f}'}" for name, rank in ranks)
    lines = [f"Spearman of confidence with the score of what is chosen: {shown}"]
    if evaluation.strength_rank is not None:
        lines.append(f"Spearman of the voters' strength with their score: {evaluation.strength_rank:+.2f}")
    return lines


def _slope_lines(adjusted: Adjusted | None) -> list[str]:
    if adjusted is None:
        return []
    return [
        f"adj.: as if all outputs were of the usual length; e times the words are worth {adjusted.slope:.1f} points."
    ]


def _shown(value: float | None, width: int = 7, decimals: int = 1) -> str:
    return f"{'-' if value is None else f'{value:.{decimals}f}':>{width}}"


def _range(interval: Interval | None) -> str:
    return f"{'-' if interval is None else f'{interval[0]:.1f}-{interval[1]:.1f}':>13}"


def _rows_of_run(folder: Path) -> list[dict[str, Any]]:
    """The tasks of a run that have a reference, with the outputs of its voters."""
    from ensemble_instruct.store.reading import read_labelled, reading, require_run
    from ensemble_instruct.store.settings import run_config

    with reading(require_run(folder)) as connection:
        rows = list(read_labelled(connection, run_config(folder).voter_names))
    if not rows:
        raise InputFileError(
            f"{folder}: no task of this run has a reference; begin a run with `--instances FILE` whose rows have one"
        )
    return rows


@click.command()
@click.argument("file", metavar="[FILE]", type=PATH, required=False)
@click.option("--run", "run_folder", metavar="RUN", type=PATH, help="In place of FILE: the tasks with a reference.")
@click.option("--size", metavar="K", type=int, help="Voters of each subset (default: 3, or all where fewer).")
@click.option(
    "--keep",
    metavar="SHARE",
    type=ShareRange(0, 1, min_open=True),
    help="Share of the tasks to keep (default: 0.529; the original's strategies as they decide).",
)
@click.option(
    "--subsets",
    metavar="N",
    type=click.IntRange(1),
    default=150,
    show_default=True,
    help="Most subsets to look at; where there are more, N are drawn at random.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draw of the subsets.")
@utility_option
@embedding_option
@click.option("--json", "for_programs", is_flag=True, help="Print JSON instead of a table.")
def evaluate(
    file: Path | None,
    run_folder: Path | None,
    size: int | None,
    keep: float | None,
    subsets: int,
    seed: int,
    utility: dict[Utility, float],
    embedding_model: Path | None,
    for_programs: bool,
) -> None:
    """Show how well each strategy and each voter does against references or preferences."""
    from ensemble_instruct.agreement.evaluation import evaluate as evaluate_file
    from ensemble_instruct.files.jsonl import dump

    if (file is None) == (run_folder is None):
        raise UsageError("give either FILE or --run RUN")
    evaluation = evaluate_file(
        _rows_of_run(run_folder) if run_folder else file or Path(),
        size=size,
        keep=keep,
        utility=utility or "rouge-l",
        embedding_model=embedding_model,
        subsets=subsets,
        seed=seed,
    )
    if for_programs:
        click.echo(dump(evaluation_json(evaluation), ascii_only=True))
    else:
        click.echo("\n".join(evaluation_lines(evaluation)))
