"""How much better `balanced` chooses than plain mean agreement, on tasks and models that its weights have not seen.

    .venv/bin/python benchmarks/cross_validation.py FILE [--repeats 12] [--seed 1] [--keep 0.529]

FILE has rows `{instruction, input, reference, outputs: {model: text}}`, as for `evaluate`. In each of 3 x repeats folds
the weights (shortness, its limit in words, repetition) are picked on two thirds of the tasks and the subsets of five
random models, and tested on the other tasks and the other subsets. Picked is the mean of the best fifth of a grid, by
what is kept and all, over subsets of 3 and 5: the single best point depends more on chance. Prints, for subsets of 3, 5
and all models, the score of plain mean agreement (stemmed ROUGE-L, ties to the first) on the whole file, and the gain
in points with its standard error over the folds, of the picked weights and of those of the package. Keeps nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_instruct.agreement.labelled import LabelledTasks, read_labelled_tasks
from ensemble_instruct.rouge import rouge_l

Numbers = NDArray[np.float64]
Subsets = Sequence[tuple[int, ...]]
Weights = tuple[float, float, float]
"""Of shortness, its limit in words, of repetition."""

OURS: Weights = (0.05, 50.0, 0.2)
"""Those of the package."""
GRID: tuple[Weights, ...] = tuple(
    product((0.0, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08), (20.0, 30.0, 50.0, 100.0), (0.0, 0.1, 0.2, 0.3, 0.5))
)
BEST_SHARE = 5
"""The picked weights are the mean of the best of the grid: one in this many."""
TRAINING_MODELS = 5
"""Models that the weights are picked on; the tested subsets have at least one other."""
FOLDS = 3
"""Of the tasks; two are for picking, one for testing."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Table:
    """The benchmark as arrays: a row for each task, a column for each model."""

    scores: Numbers
    matrix: Numbers
    plain: Numbers
    """The matrix of plain mean agreement."""
    words: Numbers
    repetition: Numbers
    counts: NDArray[np.bool_]


def table_of(benchmark: LabelledTasks) -> Table:
    """All that the strategies need."""
    ballots = [task.ballot for task in benchmark.tasks]
    plain = [
        [[rouge_l(one, other, stem=True) * (i != j) for j, other in enumerate(ballot.outputs)]
         for i, one in enumerate(ballot.outputs)]
        for ballot in ballots
    ]  # fmt: skip
    return Table(
        scores=np.array([task.scores for task in benchmark.tasks]),
        matrix=np.array([ballot.matrix for ballot in ballots]),
        plain=np.array(plain),
        words=np.array([ballot.words for ballot in ballots], dtype=np.float64),
        repetition=np.array([ballot.repetition for ballot in ballots]),
        counts=np.array([ballot.counts for ballot in ballots]),
    )


def scores(table: Table, subsets: Subsets, tasks: NDArray[np.int64], keep: float, weights: Weights | None) -> Numbers:
    """The mean score of what is kept and of all, over the subsets; without weights, of plain mean agreement."""
    kept = int(keep * len(tasks) + 0.5)
    means_of_subsets = []
    for models in subsets:
        subset = np.array(models)
        cells = np.ix_(tasks, subset)
        matrix = table.plain if weights is None else table.matrix
        ranked = matrix[np.ix_(tasks, subset, subset)].sum(2) / (len(subset) - 1)
        if weights is not None:
            shortness, limit, repetition = weights
            standing = ranked.mean(0)
            outside = 0.5 * np.clip(1 - standing / (0.8 * np.median(standing)), 0, 1)
            ranked = ranked - repetition * table.repetition[cells] - outside - 10 * ~table.counts[cells]
            ranked -= shortness * (np.log1p(limit) - np.log1p(np.minimum(table.words[cells], limit)))
        rows, picked = np.arange(len(tasks)), ranked.argmax(1)
        values = table.scores[cells][rows, picked]
        first = np.argsort(-ranked[rows, picked], kind="stable")[:kept]
        means_of_subsets.append((values[first].mean(), values.mean()))
    means: Numbers = np.array(means_of_subsets).mean(0)
    return means


def picked_weights(table: Table, subsets: Sequence[Subsets], tasks: NDArray[np.int64], keep: float) -> Weights:
    """The mean of the best fifth of the grid."""
    totals = [sum(float(scores(table, each, tasks, keep, point).sum()) for each in subsets) for point in GRID]
    best = np.array(GRID)[np.argsort(-np.array(totals))[: len(GRID) // BEST_SHARE]]
    return float(best[:, 0].mean()), float(np.exp(np.log(best[:, 1]).mean())), float(best[:, 2].mean())


def gains(table: Table, sizes: Sequence[int], keep: float, repeats: int, seed: int) -> tuple[Numbers, Numbers]:
    """For each fold and size the gain in what is kept and in all: of the picked weights, and of ours."""
    random = np.random.default_rng(seed)
    count = table.scores.shape[1]
    every = {size: list(combinations(range(count), size)) for size in sizes}
    picked: list[Numbers] = []
    ours: list[Numbers] = []
    for _ in range(repeats):
        order = random.permutation(len(table.scores))
        for tested in np.array_split(order, FOLDS):
            models = set(random.choice(count, TRAINING_MODELS, replace=False).tolist())
            own = [[subset for subset in every[size] if set(subset) <= models] for size in sizes[:2]]
            others = [[s for s in every[size] if not set(s) <= models] for size in sizes]
            weights = picked_weights(table, own, np.setdiff1d(order, tested), keep)
            before = [scores(table, each, tested, keep, None) for each in others]
            for gained, point in ((picked, weights), (ours, OURS)):
                after = [scores(table, each, tested, keep, point) for each in others]
                gained.append(np.array(after) - np.array(before))
    return np.array(picked), np.array(ours)


def main() -> None:
    """Read the arguments and run."""
    parser: Any = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="tasks with references and outputs")
    parser.add_argument("--repeats", type=int, default=12, help="of three folds (12)")
    parser.add_argument("--seed", type=int, default=1, help="of the folds (1)")
    parser.add_argument("--keep", type=float, default=0.529, help="share of the tasks that is kept (0.529)")
    options = parser.parse_args()
    benchmark = read_labelled_tasks(options.file)
    count = len(benchmark.models)
    if any(len(task.places) < count for task in benchmark.tasks) or benchmark.label != "reference":
        parser.error(f"{options.file}: every row needs a reference and the outputs of the same models")
    table = table_of(benchmark)
    if count <= TRAINING_MODELS:
        parser.error(f"{options.file}: has {count} models; more than {TRAINING_MODELS} are needed")
    sizes = (3, TRAINING_MODELS, count)
    tasks = np.arange(len(table.scores))
    picked, ours = gains(table, sizes, options.keep, options.repeats, options.seed)
    print(f"{len(tasks)} tasks, {count} models, {len(picked)} folds; kept at {options.keep:g} / all")
    print(f"{'subsets of':<12}{'plain':>14}{'gain, picked anew':>28}{'gain, our weights':>22}")
    for at, size in enumerate(sizes):
        plain = scores(table, list(combinations(range(count), size)), tasks, options.keep, None)
        error = picked.std(0)[at] / np.sqrt(len(picked))
        anew, fixed = picked.mean(0)[at], ours.mean(0)[at]
        print(
            f"{size:<12}{f'{plain[0]:.1f} / {plain[1]:.1f}':>14}"
            f"{f'{anew[0]:+.2f} ({error[0]:.2f}) / {anew[1]:+.2f} ({error[1]:.2f})':>28}"
            f"{f'{fixed[0]:+.2f} / {fixed[1]:+.2f}':>22}"
        )


if __name__ == "__main__":
    main()
