"""`evaluate`: how well strategies and voters do, as a table for people and an object for programs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ensemble_instruct.cli.options import PATH, ShareRange, embedding_option, utility_option
from ensemble_instruct.records import Utility

if TYPE_CHECKING:
    from ensemble_instruct.agreement.evaluation import Evaluation, Interval


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """The object that `evaluate --json` prints; its numbers have four decimals."""
    values = asdict(evaluation)
    names = ("size", "keep", "tasks", "default", "strategies", "best_single", "mean_single", "oracle")
    return {name: _rounded(values[name]) for name in names}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """The evaluation for people."""
    subsets = f"{evaluation.subsets} subsets" if evaluation.subsets > 1 else "1 subset"
    return [
        f"{evaluation.tasks} tasks, {len(evaluation.voters)} models, {subsets} of {evaluation.size}; scores are "
        f"ROUGE-L F1 to the reference x 100",
        "",
        *_strategy_lines(evaluation),
        "",
        *_voter_lines(evaluation),
        "",
        f"Kept are {100 * evaluation.keep:g} % of the tasks, unless a strategy decides it. 95 %: bootstrap over tasks.",
        "Best single and oracle know the references. * is what a config uses that names no strategy.",
    ]


def _strategy_lines(evaluation: Evaluation) -> list[str]:
    average = sum(voter.words for voter in evaluation.voters.values()) / len(evaluation.voters)
    lines = [
        f"{'strategy':<16}{'kept %':>7}{'score':>7}{'95 %':>13}{'words':>7}{'all':>8}{'95 %':>13}{'words':>7}",
    ]
    for strategy, result in evaluation.strategies.items():
        label = strategy + " *" * (strategy == evaluation.default)
        kept = f"{100 * result.kept_share:>7.1f}{_shown(result.kept_score)}{_range(result.kept_interval)}"
        every = f"{_shown(result.all_score, 8)}{_range(result.all_interval)}{_shown(result.all_words)}"
        lines.append(f"{label:<16}{kept}{_shown(result.kept_words)}{every}")
    baselines = {
        "best single": evaluation.best_single,
        "mean single": evaluation.mean_single,
        "oracle": evaluation.oracle,
    }
    lines += [f"{label:<16}{'':>34}{_shown(score, 8)}" for label, score in baselines.items()]
    return [*lines, f"{'average output':<16}{'':>55}{_shown(average)}"]


def _voter_lines(evaluation: Evaluation) -> list[str]:
    width = max(len("voter"), *map(len, evaluation.voters))
    ranked = sorted(evaluation.voters.items(), key=lambda item: (-item[1].score, item[0]))
    return [
        f"{'voter':<{width}}{'score':>7}{'agreement':>11}{'words':>7}",
        *(f"{name:<{width}}{voter.score:>7.1f}{voter.agreement:>11.3f}{voter.words:>7.1f}" for name, voter in ranked),
    ]


def _shown(value: float | None, width: int = 7) -> str:
    return f"{'-' if value is None else f'{value:.1f}':>{width}}"


def _range(interval: Interval | None) -> str:
    return f"{'-' if interval is None else f'{interval[0]:.1f}-{interval[1]:.1f}':>13}"


@click.command()
@click.argument("file", type=PATH)
@click.option("--size", metavar="K", type=int, help="Voters of each subset (default: 3, or all where fewer).")
@click.option(
    "--keep",
    metavar="SHARE",
    type=ShareRange(0, 1, min_open=True),
    help="Share of the tasks to keep (default: 0.529; the original's strategies as they decide).",
)
@utility_option
@embedding_option
@click.option("--json", "for_programs", is_flag=True, help="Print JSON instead of a table.")
def evaluate(
    file: Path,
    size: int | None,
    keep: float | None,
    utility: dict[Utility, float],
    embedding_model: Path | None,
    for_programs: bool,
) -> None:
    """Show how well each strategy and each voter does against references (JSONL)."""
    from ensemble_instruct.agreement.evaluation import evaluate as evaluate_file
    from ensemble_instruct.files.jsonl import dump

    evaluation = evaluate_file(
        file, size=size, keep=keep, utility=utility or "rouge-l", embedding_model=embedding_model
    )
    click.echo(dump(evaluation_json(evaluation)) if for_programs else "\n".join(evaluation_lines(evaluation)))
