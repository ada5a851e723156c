"""How well each strategy of step 5, and each voter, does against labels: over subsets of some models.

What a row is, and what its outputs score: `labelled`. How the figures come about: `figures`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ensemble_instruct.agreement.ballots import Ballot, original_ballot
from ensemble_instruct.agreement.choices import Question
from ensemble_instruct.agreement.figures import (
    NOBODY,
    Bounds,
    Numbers,
    Picks,
    Score,
    bounds_of,
    confidence_rank,
    length_slope,
    mean,
    number,
    score_of,
    spearman,
    without_length,
    words_of,
)
from ensemble_instruct.agreement.labelled import Label, LabelledTasks, read_labelled_tasks
from ensemble_instruct.agreement.selection import NOTHING_LEARNED
from ensemble_instruct.agreement.strategies import choose
from ensemble_instruct.agreement.task_ballots import as_task_asks
from ensemble_instruct.agreement.utilities import utility_weights
from ensemble_instruct.agreement.voters.learned import Voters, learn_voters
from ensemble_instruct.agreement.voters.standing import Standing, View
from ensemble_instruct.agreement.voters.tallies import VotedRow, coherence_of_voters
from ensemble_instruct.errors import UsageError
from ensemble_instruct.records import DEFAULT_STRATEGY, DEFAULT_STRATEGY_ELSE, OF_THREE, RATED, Strategy, Utility

DEFAULT_SHARE = 0.529
"""What `released` keeps of the tasks on which the strategies were compared: docs/measured/agreement.md."""
DEFAULT_SUBSETS = 150
"""The most that are looked at, unless more are asked for."""
_USUAL_SIZE = 3
"""Of a subset: an instance and two voters."""
_OF_ORIGINAL = 3
"""Outputs that the strategies of the original are defined for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyResult(Score):
    """How well a strategy does, how much it keeps and how long that is: means over the subsets."""

    kept_share: float
    kept_words: float | None
    all_words: float | None
    """Of what is chosen."""


@dataclass(frozen=True, slots=True)
class VoterResult:
    """How well a model does by itself, how much it agrees with all others, and how long its outputs are."""

    score: float | None
    agreement: float | None
    words: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted(Bounds):
    """The same figures with the influence of length taken out of each preference."""

    slope: float
    """Points that a preference rises where an output has e times as many words, within a task and a model."""
    strategies: Mapping[Strategy, Score]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(Bounds):
    """What `evaluate` found."""

    label: Label
    """What the scores come from."""
    size: int
    keep: float
    """The share at which strategies are cut."""
    tasks: int
    subsets: int
    possible: int
    """Of these the subsets were drawn, with the seed, where there are more of them."""
    seed: int
    default: Strategy
    """The strategy of a config that names none."""
    strategies: Mapping[Strategy, StrategyResult]
    confidence_ranks: Mapping[Strategy, float | None]
    """Spearman's rank correlation of confidence with the score of what is chosen; None where one never differs."""
    strength_rank: float | None
    """That of the voters' strength with their mean score; None where no strength is learned."""
    voters: Mapping[str, VoterResult]
    adjusted: Adjusted | None
    """Of preferences."""


def evaluate(
    source: Iterable[Mapping[str, Any]] | Path | str,
    *,
    size: int | None = None,
    keep: float | None = None,
    utility: Utility | Mapping[Utility, float] = "rouge-l",
    embedding_model: Path | str | None = None,
    subsets: int = DEFAULT_SUBSETS,
    seed: int = 0,
) -> Evaluation:
    """Evaluate the strategies on rows `{instruction, input, reference, outputs: {model: text}}`, or on a JSONL file.

    In the place of `reference` all rows may have `preference: {model: number or null}`. A model that has no output in
    a row does not vote there. `size` is how many models vote at a time, by default 3; `keep` the share of the tasks at
    which strategies are cut. `utility` says what agreement means; the strategies of the original have their own.
    `embedding_model` is the folder of a sentence encoder, for the utility `embedding`. Where there are more than
    `subsets` subsets of the models, that number is drawn at random, always the same for the same `seed`.

    Raises `InputFileError`, with the file and the line or the number of the row, for rows that are not like this, and
    `UsageError` for a size that is not between 2 and the number of models, or a share that is less than one task.
    """
    if keep is not None and not 0 < keep <= 1:
        raise UsageError(f"keep {keep}: is not a share; give a number above 0, up to 1")
    if subsets < 1:
        raise UsageError(f"subsets {subsets}: is not a number of subsets; give 1 or more")
    name = str(source) if isinstance(source, str | Path) else "rows"
    tasks = read_labelled_tasks(source, utility_weights(utility), embedding_model)
    count = len(tasks.models)
    if size is not None and not 2 <= size <= count:
        raise UsageError(f"{name}: has the outputs of {count} models; give a --size from 2 to {count}, not {size}")
    if not _quota(len(tasks.tasks), keep):
        raise UsageError(f"{name}: {keep:g} of {len(tasks.tasks)} tasks is less than one; give a higher --keep")
    return evaluate_tasks(tasks, size or min(_USUAL_SIZE, count), keep, subsets=subsets, seed=seed)


def evaluate_tasks(
    benchmark: LabelledTasks, size: int, keep: float | None = None, *, subsets: int = DEFAULT_SUBSETS, seed: int = 0
) -> Evaluation:
    """How every strategy defined for `size` outputs does, over the subsets of that size, or those that are drawn.

    Of each subset the tasks with the highest confidence are kept up to the share `keep` of all tasks (rounded half up;
    of equal confidences the earlier task). Where it is not given the share is 0.529, and the strategies of the original
    keep what they themselves keep.
    """
    drawn = subsets_of(len(benchmark.models), size, subsets, seed)
    scores = np.array([task.scores for task in benchmark.tasks])
    words = _table(benchmark, [task.ballot.words for task in benchmark.tasks])
    picks, strengths = picks_of(benchmark, drawn)
    shared = _quota(len(benchmark.tasks), keep)
    quotas = {name: None if keep is None and name in OF_THREE else shared for name in picks}
    return Evaluation(
        label=benchmark.label,
        size=size,
        keep=DEFAULT_SHARE if keep is None else keep,
        tasks=len(benchmark.tasks),
        subsets=len(drawn),
        possible=math.comb(len(benchmark.models), size),
        seed=seed,
        default=DEFAULT_STRATEGY if benchmark.is_by_rouge_l else DEFAULT_STRATEGY_ELSE,
        strategies={name: _result(picked, scores, words, quotas[name]) for name, picked in picks.items()},
        **asdict(bounds_of(scores, words, drawn)),
        confidence_ranks={name: confidence_rank(picked, scores) for name, picked in picks.items()},
        strength_rank=_strength_rank(benchmark.models, strengths, scores),
        voters=_voters(benchmark, scores, words),
        adjusted=_adjusted(picks, scores, words, drawn, quotas) if benchmark.label == "preference" else None,
    )


def subsets_of(count: int, size: int, most: int, seed: int) -> list[tuple[int, ...]]:
    """The subsets of `size` of `count` models: all of them, or `most` of them at random where there are more."""
    if math.comb(count, size) <= most:
        return list(combinations(range(count), size))
    drawing = random.Random(seed)  # noqa: S311 - draws subsets
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < most:  # one after the other: all of them together may be millions
        drawn.add(tuple(sorted(drawing.sample(range(count), size))))
    return sorted(drawn)


def _quota(tasks: int, keep: float | None) -> int:
    return math.floor((DEFAULT_SHARE if keep is None else keep) * tasks + 0.5)


def _table(benchmark: LabelledTasks, rows: Sequence[Sequence[float]]) -> Numbers:
    """A number for each task and model, from those of the outputs that there are; NaN for the others."""
    table = np.full((len(benchmark.tasks), len(benchmark.models)), np.nan)
    for line, task, values in zip(table, benchmark.tasks, rows, strict=True):
        line[list(task.places)] = values
    return table


def _voters(benchmark: LabelledTasks, scores: Numbers, words: Numbers) -> dict[str, VoterResult]:
    # an output that is alone has nobody to agree with
    together = [
        task.ballot.scores if len(task.places) > 1 else [math.nan] * len(task.places) for task in benchmark.tasks
    ]
    columns = zip(benchmark.models, mean(scores, 0), mean(_table(benchmark, together), 0), mean(words, 0), strict=True)
    return {name: VoterResult(number(score), number(own), float(length)) for name, score, own, length in columns}


def part_of(whole: Ballot, places: Sequence[int]) -> Ballot:
    """The ballot of some of the outputs: as `ballot` would make it, without comparing any text again."""
    return Ballot(
        outputs=tuple(whole.outputs[place] for place in places),
        matrix=tuple(tuple(whole.matrix[place][other] for other in places) for place in places),
        words=tuple(whole.words[place] for place in places),
        repetition=tuple(whole.repetition[place] for place in places),
        counts=tuple(whole.counts[place] for place in places),
        contents=tuple(whole.contents[place] for place in places if whole.contents),
        task=whole.task,
    )


def picks_of(
    benchmark: LabelledTasks, subsets: Sequence[Sequence[int]]
) -> tuple[dict[Strategy, Picks], list[Mapping[str, float]]]:
    """What each strategy picks, for each subset (places of models, all equally many) and each task.

    And for each subset how strong its voters are, as far as that is learned.
    """
    three = len(subsets[0]) == _OF_ORIGINAL
    left_out = RATED if three else (*RATED, *OF_THREE)  # those that go by ratings need a model
    strategies: list[Strategy] = [name for name in get_args(Strategy) if name not in left_out]
    usual = [task.ballot for task in benchmark.tasks]
    everybody = _rows(benchmark, usual, range(len(benchmark.models)))
    coherence = coherence_of_voters([VotedRow(row.voters, row.ballot) for row in everybody])
    originals = [original_ballot(task.ballot.outputs, task.source) for task in benchmark.tasks] if three else usual
    cells: dict[Strategy, list[list[tuple[float, int]]]] = {name: [] for name in strategies}
    strengths: list[Mapping[str, float]] = []
    for places in subsets:
        rows, by_original = (_rows(benchmark, ballots, places) for ballots in (usual, originals))
        by_task = _as_tasks_ask(benchmark, rows) if benchmark.is_by_rouge_l else rows
        view = _view(rows, by_task, coherence)
        strengths.append(view.strength)
        if benchmark.is_by_rouge_l and any(map(view.voters.is_aside, view.voters.standings)):
            by_task = _as_tasks_ask(benchmark, rows, view.voters)
        ballots_of: dict[Strategy, list[_Row]] = {"vouched": by_task, **dict.fromkeys(OF_THREE, by_original)}
        for name in strategies:
            cells[name].append([_cell(row, view, name) for row in ballots_of.get(name, rows)])
    return {name: Picks.from_cells(found) for name, found in cells.items()}, strengths


@dataclass(frozen=True, slots=True)
class _Row:
    """What a subset has to choose from for one task."""

    key: str
    places: tuple[int, ...]
    """Of the models of the subset that have an output."""
    voters: tuple[str, ...]
    ballot: Ballot


def _rows(benchmark: LabelledTasks, ballots: Sequence[Ballot], places: Sequence[int]) -> list[_Row]:
    """The part that a subset has in the ballots of all models."""
    rows = []
    for task, whole in zip(benchmark.tasks, ballots, strict=True):
        there = tuple(place for place in places if place in task.places)
        part = part_of(whole, [task.places.index(place) for place in there])
        rows.append(_Row(task.instance.id, there, tuple(benchmark.models[place] for place in there), part))
    return rows


def _as_tasks_ask(benchmark: LabelledTasks, rows: Sequence[_Row], voters: Voters = NOTHING_LEARNED) -> list[_Row]:
    """The same rows with the ballots of the strategy `vouched`."""
    return [
        replace(row, ballot=as_task_asks(row.ballot, task.instance, heard=voters.heard(row.voters)))
        for row, task in zip(rows, benchmark.tasks, strict=True)
    ]


def _view(rows: Sequence[_Row], by_task: Sequence[_Row], coherence: Mapping[str, float | None]) -> View:
    """How the voters do over all tasks, as step 5 has it over all rows."""
    standing = Standing()
    for row in rows:
        standing.add(row.voters, row.ballot.scores)
    voted = [VotedRow(row.voters, row.ballot) for row in by_task]
    return replace(standing.view(), voters=learn_voters(voted, coherence=coherence))


def _cell(row: _Row, view: View, strategy: Strategy) -> tuple[float, int]:
    """How sure a strategy is, and the place of the model that it picks."""
    choice = choose(Question(row.ballot, row.voters, row.key, view), strategy)
    return (-math.inf, NOBODY) if choice.place is None else (choice.confidence, row.places[choice.place])


def _result(picks: Picks, scores: Numbers, words: Numbers, quota: int | None) -> StrategyResult:
    share = float((picks.places != NOBODY).mean()) if quota is None else quota / len(scores)
    score = score_of(picks, scores, quota)
    return StrategyResult(
        **asdict(score),
        kept_share=share,
        kept_words=words_of(picks, words, quota),
        all_words=words_of(picks, words, None),
    )


def _adjusted(
    picks: Mapping[Strategy, Picks],
    scores: Numbers,
    words: Numbers,
    subsets: Sequence[Sequence[int]],
    quotas: Mapping[Strategy, int | None],
) -> Adjusted:
    slope = length_slope(scores, words)
    without = without_length(scores, words, slope)
    return Adjusted(
        slope=slope,
        strategies={name: score_of(picked, without, quotas[name]) for name, picked in picks.items()},
        **asdict(bounds_of(without, words, subsets)),
    )


def _strength_rank(models: Sequence[str], strengths: Sequence[Mapping[str, float]], scores: Numbers) -> float | None:
    """The rank correlation of strength with the mean score, over the voters of a subset; mean over the subsets."""
    worth = {name: score for name, score in zip(models, mean(scores, 0), strict=True) if not math.isnan(score)}
    ranks = []
    for strength in strengths:
        known = [name for name in strength if name in worth]
        ranks.append(spearman(np.array([strength[name] for name in known]), np.array([worth[name] for name in known])))
    return number(float(mean(np.array(ranks))))
