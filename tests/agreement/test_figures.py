"""The figures of an evaluation equal what a plain count, and least squares with an effect for each name, give."""

from __future__ import annotations

import math
from statistics import fmean

import numpy as np
import pytest

from ensemble_instruct.agreement.figures import (
    NOBODY,
    Numbers,
    Picks,
    bounds_of,
    confidence_rank,
    kept_means,
    length_slope,
    score_of,
    spearman,
    without_length,
)


@pytest.mark.parametrize("quota", [None, 1, 4, 8])
def test_a_resample_is_cut_as_if_its_tasks_stood_there(quota: int | None) -> None:
    chosen = np.random.default_rng(5)
    confidences = chosen.choice([-np.inf, 0.1, 0.2, 0.3], (3, 8))
    scores = np.where(confidences > -np.inf, chosen.random((3, 8)), 0.0)
    weights = chosen.multinomial(8, [1 / 8] * 8, 20)
    found = kept_means(confidences, scores, weights, quota)
    for times, mean in zip(weights, found, strict=True):
        means = []
        for line, values in zip(confidences, scores, strict=True):
            there = [place for place in range(8) for _ in range(times[place])]
            there.sort(key=lambda place: (-line[place], place))
            kept = [place for place in there if line[place] > -np.inf] if quota is None else there[:quota]
            means.append(fmean(values[place] for place in kept))
        assert mean == pytest.approx(fmean(means))


def table(gaps: int) -> tuple[Numbers, Numbers]:
    """Scores and words of 30 tasks and 5 models; some of either are missing."""
    chosen = np.random.default_rng(3)
    words = np.floor(np.exp(chosen.normal(4, 1, (30, 5)) + chosen.normal(0, 1, 5)))
    scores = 7 * np.log1p(words) + chosen.normal(0, 9, (30, 1)) + chosen.normal(0, 9, 5) + chosen.normal(0, 5, (30, 5))
    for hole in (scores, words):
        hole[chosen.integers(0, 30, gaps), chosen.integers(0, 5, gaps)] = math.nan
    return scores, words


@pytest.mark.parametrize("gaps", [0, 20, 60])
def test_the_slope_on_length_is_that_of_least_squares_with_an_effect_of_each_task_and_model(gaps: int) -> None:
    scores, words = table(gaps)
    cells = [(row, column) for row in range(30) for column in range(5) if not np.isnan(scores + words)[row, column]]
    design = np.zeros((len(cells), 36))
    for line, (row, column) in zip(design, cells, strict=True):
        line[[row, 30 + column]] = 1
        line[35] = math.log1p(words[row, column])
    solved = np.linalg.lstsq(design, np.array([scores[cell] for cell in cells]), rcond=None)[0]
    assert length_slope(scores, words) == pytest.approx(solved[35])


def test_without_length_the_mean_stays_and_nothing_depends_on_length_any_more() -> None:
    scores, words = table(0)
    adjusted = without_length(scores, words, length_slope(scores, words))
    assert adjusted.mean() == pytest.approx(scores.mean())
    assert length_slope(adjusted, words) == pytest.approx(0, abs=1e-9)


def test_equal_lengths_say_nothing() -> None:
    scores, _ = table(0)
    assert length_slope(scores, np.full((30, 5), 7.0)) == 0


@pytest.mark.parametrize(
    ("first", "second", "rank"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 400], 1),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1),
        ([1, 2, 2, 3], [1, 3, 2, 2], 0.5),  # ranks 1, 2.5, 2.5, 4 and 1, 4, 2.5, 2.5
        ([1, 1, 1], [1, 2, 3], math.nan),
        ([1], [1], math.nan),
    ],
)
def test_a_rank_correlation_gives_equal_values_their_mean_rank(
    first: list[float], second: list[float], rank: float
) -> None:
    assert spearman(np.array(first), np.array(second)) == pytest.approx(rank, nan_ok=True)


def test_a_row_without_a_choice_or_a_number_counts_nothing_and_says_nothing_of_the_rank() -> None:
    scores = np.array([[10.0, 90.0], [20.0, 80.0], [30.0, math.nan], [40.0, 60.0]])
    picks = Picks(np.array([[0.1, 0.2, 0.9, -math.inf]]), np.array([[0, 1, 1, NOBODY]]))
    found = score_of(picks, scores, 2)
    assert (found.kept_score, found.all_score) == (40.0, 22.5)
    assert confidence_rank(picks, scores) == 1


def test_bounds_leave_out_of_a_mean_what_has_no_number() -> None:
    scores = np.array([[10.0, 90.0, math.nan], [20.0, math.nan, math.nan], [30.0, math.nan, math.nan]])
    words = np.array([[5.0, 4.0, 6.0], [5.0, 5.0, math.nan], [7.0, 1.0, math.nan]])
    found = bounds_of(scores, words, [(0, 1), (0, 2), (1, 2)])
    assert found.best_single == pytest.approx(fmean([90, 20, 90]))
    assert found.mean_single == pytest.approx(fmean([55, 20, 90]))
    assert found.oracle == pytest.approx(fmean([140 / 3, 20, 30]))
    assert found.longest == pytest.approx(fmean([20, 50 / 3, 0]))
    assert bounds_of(scores * math.nan, words, [(0, 1)]).best_single is None
