"""How well `vouched` chooses, beside `balanced`: against labels, with bad voters, and with constants chosen elsewhere.

    .venv/bin/python benchmarks/voters.py choosing FILE ... [--like] [--sizes 3 5 8] [--subsets 60] [--seed 0]
    .venv/bin/python benchmarks/voters.py confidence FILE ... [--like] [--sizes 3 5] [--subsets 20]
    .venv/bin/python benchmarks/voters.py bad-voters FILE ... [--like] [--sizes 3 5] [--subsets 3]
    .venv/bin/python benchmarks/voters.py cross-validation FILE ... [--sizes 3 5] [--subsets 12]
    .venv/bin/python benchmarks/voters.py languages FILE ... [--sizes 3 5] [--subsets 20]

FILE has rows with a reference or preferences, as for `evaluate`. Each figure is a mean over random subsets of the
models (always the same for a seed); `--like` takes only those whose models' mean scores are within a factor of 2.

    choosing          mean voter, longest output, best single model and best output of each task (those two know the
                      labels), both strategies with 95 % intervals, the share of the best single model that `vouched`
                      has, and for preferences the same without what length is worth; for references what is kept
    bad-voters        one bad voter more (`bad_voters` says which): points lost, mean of all sets and the worst set
    cross-validation  the constants of `vouched` picked on other tasks and other models than they are tested on
    confidence        how well that of `vouched` ranks rows whose chosen output is short or has over 50 words, how many
                      of them are below the threshold, and what these score, beside the others
    languages         the same texts without stop words, in other letters, and written without spaces

Prints tables and keeps nothing.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import bad_voters
from labelled_rows import Rows, Subset, in_letters, in_signs, rows_of, subset_of

from ensemble_instruct.agreement import content, vouched
from ensemble_instruct.agreement.evaluation import DEFAULT_SHARE, subsets_of
from ensemble_instruct.agreement.figures import (
    Numbers,
    Picks,
    bounds_of,
    length_slope,
    mean,
    score_of,
    spearman,
    without_length,
)
from ensemble_instruct.agreement.labelled import LabelledTasks, read_labelled_tasks
from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.agreement.voters import learned
from ensemble_instruct.records import Strategy

POOL = 100_000
"""Subsets of which those of like strength are drawn."""
FACTOR = 2.0
"""Between the mean scores of models of like strength, at most."""
GRID = [
    (weak, coverage, strength)
    for weak in (0.3, 0.4, 0.5)
    for coverage in (0.2, 0.35, 0.5)
    for strength in (0.4, 0.7, 1.0)
]
"""Constants to pick from: share of the strongest below which a voter is set aside; weights of coverage and strength."""
OURS = (0.4, 0.35, 0.7)
"""Those of the package."""
LONG = 50
"""Words up to which an output is short."""
FEWEST = 20
"""Rows of a subset that are ranked."""
FOLDS = 3
"""Of the tasks, and of the models: a fold is tested, the others are for picking."""


def drawn(scores: Numbers, size: int, most: int, seed: int, *, like: bool) -> list[tuple[int, ...]]:
    """Subsets of the models, at random."""
    pool = subsets_of(scores.shape[1], size, POOL, seed)
    if like:
        means = mean(scores, 0)
        pool = [places for places in pool if max(means[list(places)]) <= FACTOR * min(means[list(places)])]
    return sorted(random.Random(seed).sample(pool, min(most, len(pool))))


def tables(benchmark: LabelledTasks) -> tuple[Numbers, Numbers]:
    """The scores and the words of all outputs, a row for each task."""
    words = np.full((len(benchmark.tasks), len(benchmark.models)), np.nan)
    for line, task in zip(words, benchmark.tasks, strict=True):
        line[list(task.places)] = task.ballot.words
    return np.array([task.scores for task in benchmark.tasks]), words


def picks(subsets: Sequence[Subset], strategy: Strategy) -> Picks:
    """What a strategy picks in each subset."""
    return Picks.from_cells([subset.cells(strategy) for subset in subsets])


def choosing(benchmark: LabelledTasks, size: int, places: Sequence[tuple[int, ...]]) -> None:
    """Print how well both strategies do over some subsets."""
    scores, words = tables(benchmark)
    subsets = [subset_of(benchmark, each) for each in places]
    slope = length_slope(scores, words)
    quota = round(DEFAULT_SHARE * len(scores))
    bounds = bounds_of(scores, words, places)
    print(
        f"  K = {size}, {len(places)} subsets: mean voter {bounds.mean_single:.1f}, longest {bounds.longest:.1f}, "
        f"best single {bounds.best_single:.1f}, oracle {bounds.oracle:.1f}"
    )
    for strategy in ("balanced", "vouched"):
        picked = picks(subsets, strategy)
        score = score_of(picked, scores, quota)
        line = f"    {strategy:<9} {_with_interval(score.all_score, score.all_interval)}"
        line += f", {score.all_score / (bounds.best_single or 1):.3f} of the best single"
        if benchmark.label == "preference":
            adjusted = score_of(picked, without_length(scores, words, slope), quota)
            line += f"; adjusted for length {_with_interval(adjusted.all_score, adjusted.all_interval)}"
        elif score.kept_score is not None and score.kept_interval is not None:
            line += f"; kept {_with_interval(score.kept_score, score.kept_interval)}"
        print(line, flush=True)


def confidence(benchmark: LabelledTasks, size: int, places: Sequence[tuple[int, ...]]) -> None:
    """Print how well the confidence of `vouched` ranks, and what the default threshold drops."""
    scores, words = tables(benchmark)
    least = Selection("vouched").least("output_only")
    picked = picks([subset_of(benchmark, each) for each in places], "vouched")
    values, lengths = picked.of(scores), picked.of(words)
    for name, rows in ((f"up to {LONG} words", lengths <= LONG), (f"over {LONG} words", lengths > LONG)):
        low = rows & (picked.confidence < least)
        ranks = [
            spearman(*(numbers[at][own] for numbers in (picked.confidence, values)))
            for at, own in enumerate(rows)
            if own.sum() >= FEWEST
        ]
        print(
            f"  K = {size}, {name:<15} {100 * rows.mean():5.1f} % of the rows; Spearman "
            f"{float(mean(np.array(ranks))):+.2f}; below {least:g}: {100 * low.sum() / max(1, rows.sum()):.1f} %, "
            f"which score {float(values[low].mean()) if low.any() else 0:.1f}, "
            f"the others {values[rows & ~low].mean():.1f}",
            flush=True,
        )


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:5.1f} [{interval[0]:.1f}, {interval[1]:.1f}]"


def lost(rows: Rows, name: str, sizes: Sequence[int], subsets: int, seed: int, *, like: bool) -> None:
    """Print the points that one more voter costs, for each way to be bad."""
    benchmark = read_labelled_tasks(rows)
    scores, _ = tables(benchmark)
    losses: dict[str, dict[int, list[tuple[float, float]]]] = {}
    for size in sizes:
        for places in drawn(scores, size, subsets, seed, like=like):
            usual = subset_of(benchmark, places)
            cast = bad_voters.cast_of(rows, usual)
            for way, made in bad_voters.made(rows, cast).items():
                before = usual if way not in bad_voters.OF_THE_MEDIAN else _whole(bad_voters.doubled(rows, cast))
                pair = tuple(_whole(made).score(each) - before.score(each) for each in ("balanced", "vouched"))
                losses.setdefault(way, {}).setdefault(size, []).append((pair[0], pair[1]))
    for way, by_size in losses.items():
        found = ", ".join(
            f"K = {size} {np.mean([a for a, _ in pairs]):+6.1f} {np.mean([b for _, b in pairs]):+6.1f}"
            for size, pairs in by_size.items()
        )
        print(f"  {name:<28}{way:<34}{found}", flush=True)


def _whole(rows: Rows) -> Subset:
    benchmark = read_labelled_tasks(rows)
    return subset_of(benchmark, range(len(benchmark.models)))


def with_constants(point: tuple[float, float, float]) -> None:
    """Replace the constants of the package: they are no setting, and this is the one place that tries others."""
    learned._WEAK, vouched._COVERAGE, vouched._STRENGTH = point  # noqa: SLF001


def by_point(subset: Subset) -> Numbers:
    """What `vouched` scores on each task, a row for each point of the grid."""
    found = []
    for point in GRID:
        with_constants(point)
        found.append(subset.values("vouched", learn=point[1:] == GRID[0][1:]))
    with_constants(OURS)
    return np.array(found)


def cross_validation(benchmark: LabelledTasks, size: int, subsets: int, seed: int) -> None:
    """Print what picked constants give on tasks and models that they were not picked on, and what ours give there."""
    scores, _ = tables(benchmark)
    draw = random.Random(seed)
    models, tasks = list(range(scores.shape[1])), np.random.default_rng(seed).permutation(len(scores))
    draw.shuffle(models)
    shares: list[tuple[float, float]] = []
    chosen: dict[tuple[float, float, float], int] = {}
    for fold in range(FOLDS):
        out = set(models[fold::FOLDS])
        pool = subsets_of(len(models), size, POOL, seed)
        own = [places for places in pool if not out & set(places)]
        others = [places for places in pool if 2 * len(out & set(places)) > size] or [p for p in pool if out & set(p)]
        train, test = (
            [(places, by_point(subset_of(benchmark, places))) for places in draw.sample(each, min(subsets, len(each)))]
            for each in (own, others)
        )
        for tested in np.array_split(tasks, FOLDS):
            rest = np.setdiff1d(tasks, tested)
            totals = sum(
                (points[:, rest].mean(1) / mean(scores[rest], 0)[list(p)].max() for p, points in train),
                np.zeros(len(GRID)),
            )
            best = int(totals.argmax())
            chosen[GRID[best]] = chosen.get(GRID[best], 0) + 1
            single = sum(float(mean(scores[tested], 0)[list(p)].max()) for p, _ in test)
            reached = sum((points[:, tested].mean(1) for _, points in test), np.zeros(len(GRID))) / single
            shares.append((reached[best], reached[GRID.index(OURS)]))
    anew, fixed = np.mean(shares, 0)
    often = ", ".join(f"{point} {number}x" for point, number in sorted(chosen.items(), key=lambda each: -each[1]))
    print(
        f"  K = {size}: picked elsewhere {anew:.3f}, ours {fixed:.3f}, less {fixed - anew:+.3f}; picked: {often}",
        flush=True,
    )


def languages(rows: Rows, sizes: Sequence[int], subsets: int, seed: int) -> None:
    """Print what both strategies score with the texts as they are and written in other ways."""
    ways: dict[str, Callable[[Rows], Rows]] = {
        "as they are": lambda same: same,
        "no stop words": lambda same: same,
        "Cyrillic letters": in_letters,
        "a sign a syllable, no spaces": in_signs,
    }
    stop_words = content.function_words
    for way, written in ways.items():
        if way == "no stop words":
            content.function_words = frozenset  # type: ignore[assignment]
        benchmark = read_labelled_tasks(written(rows))
        scores, words = tables(benchmark)
        line = f"  {way:<30}"
        for size in sizes:
            places = drawn(scores, size, subsets, seed, like=False)
            found = [subset_of(benchmark, each) for each in places]
            best = bounds_of(scores, words, places).best_single
            pair = (np.mean([each.score(strategy) for each in found]) for strategy in ("balanced", "vouched"))
            line += f"  K = {size}: {' / '.join(f'{value:.1f}' for value in pair)} of {best:.1f}"
        content.function_words = stop_words
        print(line, flush=True)


def main(arguments: Iterable[str] | None = None) -> None:
    """Read the arguments and run."""
    parser: Any = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=["choosing", "confidence", "bad-voters", "cross-validation", "languages"])
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="rows with a reference or preferences")
    parser.add_argument("--like", action="store_true", help="only models of like strength")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3, 5], metavar="K", help="models of a subset (3 5)")
    parser.add_argument("--subsets", type=int, default=20, help="of each size (20)")
    parser.add_argument("--seed", type=int, default=0, help="of the subsets (0)")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}" + (", models of like strength" if options.like else ""))
    if options.question == "bad-voters":
        print("points that a bad voter costs: balanced, vouched")
    for file in options.files:
        print(file.name)
        benchmark = read_labelled_tasks(file)
        if options.question == "bad-voters":
            lost(rows_of(benchmark), file.name, options.sizes, options.subsets, options.seed, like=options.like)
        elif options.question == "languages":
            languages(rows_of(benchmark), options.sizes, options.subsets, options.seed)
        for size in options.sizes:
            if options.question in ("choosing", "confidence"):
                places = drawn(tables(benchmark)[0], size, options.subsets, options.seed, like=options.like)
                (choosing if options.question == "choosing" else confidence)(benchmark, size, places)
            elif options.question == "cross-validation":
                cross_validation(benchmark, size, options.subsets, options.seed)


if __name__ == "__main__":
    main()
