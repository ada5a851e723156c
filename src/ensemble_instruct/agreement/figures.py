"""The figures of an evaluation: means with intervals, the influence of length taken out, and how well numbers rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
Interval = tuple[float, float]

NOBODY = -1
"""The place of the model that is picked where none is."""

_SEED = 0
"""Of the bootstrap."""
_RESAMPLES = 1000
"""Of the bootstrap."""
_CUT_RESAMPLES = 200
"""Of the bootstrap where each resample is ranked and cut anew, which takes much longer."""


@dataclass(frozen=True, slots=True, eq=False)
class Picks:
    """What a strategy picks: in each array a row for each subset and a column for each task."""

    confidence: Numbers
    """Minus infinity where it picks nothing."""
    places: Places
    """Of the picked models; `NOBODY` where it picks nothing."""

    @classmethod
    def from_cells(cls, cells: Sequence[Sequence[tuple[float, int]]]) -> Picks:
        """The picks of a table whose cells have the confidence and the place."""
        return cls(
            np.array([[confidence for confidence, _ in row] for row in cells]),
            np.array([[place for _, place in row] for row in cells]),
        )

    def of(self, table: Numbers) -> Numbers:
        """The values of what is picked, from a table with a row for each task; 0 where there is none."""
        values = np.nan_to_num(table)[np.arange(len(table)), self.places]
        return np.where(self.places == NOBODY, 0.0, values)


@dataclass(frozen=True, slots=True)
class Score:
    """Means over the subsets; None where no subset keeps (or has) anything."""

    kept_score: float | None
    all_score: float
    """Over all tasks; one for which nothing is chosen counts 0."""
    kept_interval: Interval | None
    all_interval: Interval
    """95 %, of a bootstrap over the tasks."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What there is to choose from: means over the subsets; None where no output has a number."""

    best_single: float | None
    """The best model of each subset, mean over the tasks; known only with the labels in hand."""
    mean_single: float | None
    oracle: float | None
    """The best output of each task; known only with the labels in hand."""
    longest: float | None
    """The output of each task that has the most words; of equal ones that of the first model."""


def score_of(picks: Picks, table: Numbers, quota: int | None) -> Score:
    """How well picks do when `quota` tasks of each subset are kept; None: all for which something is picked."""
    tasks = len(table)
    values = picks.of(table)
    random = np.random.default_rng(_SEED)
    resamples = random.multinomial(tasks, np.full(tasks, 1 / tasks), _RESAMPLES)
    once = np.ones((1, tasks), dtype=np.int64)
    cut = kept_means(picks.confidence, values, resamples[:_CUT_RESAMPLES], quota)
    task_means = values.mean(axis=0)
    return Score(
        kept_score=number(kept_means(picks.confidence, values, once, quota)[0]),
        all_score=float(task_means.mean()),
        kept_interval=None if np.isnan(cut).all() else _interval(cut[~np.isnan(cut)]),
        all_interval=_interval(resamples @ task_means / tasks),
    )


def words_of(picks: Picks, words: Numbers, quota: int | None) -> float | None:
    """The mean number of words of what is picked and kept."""
    once, picked = np.ones((1, len(words)), dtype=np.int64), picks.places != NOBODY
    return number(kept_means(picks.confidence, picks.of(words), once, quota, picked)[0])


def kept_means(
    confidence: Numbers,
    values: Numbers,
    weights: NDArray[np.int64],
    quota: int | None,
    counted: NDArray[np.bool_] | None = None,
) -> Numbers:
    """For each row of weights (how often each task is there) the mean over the subsets of the mean value kept.

    Only `counted` picks enter, if given. A subset that keeps none does not count; NaN if none keeps any.
    """
    sums, subsets = np.zeros(len(weights)), np.zeros(len(weights))
    for row, ranked in enumerate(confidence):
        taken = _taken(ranked, weights, quota)
        if counted is not None:
            taken = taken * counted[row]
        numbers = taken.sum(axis=1)
        sums += taken @ values[row] / np.maximum(numbers, 1)
        subsets += numbers > 0
    return np.where(subsets > 0, sums / np.maximum(subsets, 1), np.nan)


def _taken(confidence: Numbers, weights: NDArray[np.int64], quota: int | None) -> NDArray[np.int64]:
    """How often each task is kept when it is there `weights` times."""
    if quota is None:
        return weights * (confidence > -math.inf)
    order = np.argsort(-confidence, kind="stable")  # of equal confidences the earlier task first
    ranked = weights[:, order]
    before = ranked.cumsum(axis=1) - ranked
    taken = np.empty_like(weights)
    taken[:, order] = np.clip(quota - before, 0, ranked)
    return taken


def number(value: float) -> float | None:
    """The value, or None for NaN."""
    return None if math.isnan(value) else float(value)


def _interval(values: Numbers) -> Interval:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def mean(table: Numbers, axis: int | None = None) -> Numbers:
    """The mean of what is there, along an axis or of all; NaN where there is nothing."""
    there = ~np.isnan(table)
    counts = there.sum(axis=axis)
    sums: Numbers = np.where(there, table, 0.0).sum(axis=axis)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def bounds_of(table: Numbers, words: Numbers, subsets: Sequence[Sequence[int]]) -> Bounds:
    """The bounds of the subsets; `words` is NaN where a model has no output."""
    singles = mean(table, axis=0)
    lengths, filled = np.nan_to_num(words, nan=-1.0), np.nan_to_num(table)
    highest = np.where(np.isnan(table), -math.inf, table)
    rows = np.arange(len(table))
    best, average, oracle, longest = [], [], [], []
    for models in subsets:
        places = list(models)
        voters = singles[places]
        best.append(math.nan if np.isnan(voters).all() else float(np.nanmax(voters)))
        average.append(float(mean(voters)))
        tops = highest[:, places].max(axis=1)
        oracle.append(float(np.where(tops > -math.inf, tops, 0.0).mean()))
        longest.append(float(filled[rows, np.array(places)[lengths[:, places].argmax(axis=1)]].mean()))
    means = (number(float(mean(np.array(values)))) for values in (best, average, oracle, longest))
    return Bounds(*means)


def length_slope(table: Numbers, words: Numbers) -> float:
    """By how much a score rises, within a task and within a model, where the words become e times as many.

    A regression on the logarithm of the words (1 + words) with an effect of each task and of each model, over all
    outputs that have a score; 0 where their lengths say nothing.
    """
    there = ~np.isnan(table) & ~np.isnan(words)
    scores, lengths = (_within(there, values) for values in (table, np.log1p(words)))
    spread = float((lengths**2).sum())
    return float((scores * lengths).sum() / spread) if spread > 1e-9 else 0.0


def _within(there: NDArray[np.bool_], values: Numbers) -> Numbers:
    """What no effect of a task or a model explains; exact where outputs are missing, too."""
    weights = there.astype(np.float64)
    counts = np.maximum(weights.sum(axis=1, keepdims=True), 1)
    filled = np.where(there, values, 0.0)
    residual = (filled - filled.sum(axis=1, keepdims=True) / counts) * weights
    # the tasks are taken out by their means, so that only the models' effects are left to solve for
    models = np.diag(weights.sum(axis=0)) - weights.T @ (weights / counts)
    effects = np.linalg.pinv(models, hermitian=True) @ residual.sum(axis=0)
    effect: Numbers = weights * effects
    within: Numbers = residual - (effect - effect.sum(axis=1, keepdims=True) / counts) * weights
    return within


def without_length(table: Numbers, words: Numbers, slope: float) -> Numbers:
    """The scores that outputs would have if all were as long as is usual: their mean is as before."""
    lengths = np.log1p(words)
    usual = mean(np.where(np.isnan(table), np.nan, lengths))
    adjusted: Numbers = table - slope * (lengths - usual)
    return adjusted


def spearman(first: Numbers, second: Numbers) -> float:
    """The rank correlation, equal values with their mean rank; NaN where one of the two is the same everywhere."""
    if len(first) < 2:
        return math.nan
    one, other = (ranks - ranks.mean() for ranks in map(_ranks, (first, second)))
    scale = math.sqrt(float((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / scale if scale else math.nan


def _ranks(values: Numbers) -> Numbers:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Numbers = (counts.cumsum() - (counts - 1) / 2)[places]
    return ranks


def confidence_rank(picks: Picks, table: Numbers) -> float | None:
    """The rank correlation of confidence with the score of what is picked, over the tasks; mean over the subsets."""
    found = []
    for confidence, places in zip(picks.confidence, picks.places, strict=True):
        scores = np.where(places == NOBODY, np.nan, table[np.arange(len(table)), places])
        there = ~np.isnan(scores)
        found.append(spearman(confidence[there], scores[there]))
    return number(float(mean(np.array(found))))
