"""How well each strategy of step 5, and each voter, does against references: over every subset of some models.

The score of an output is its ROUGE-L F1 to the reference (rouge-score's tokens, stemmed), times 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ensemble_instruct.agreement.answers import source_of
from ensemble_instruct.agreement.ballots import Ballot, ballot, original_ballot
from ensemble_instruct.agreement.embeddings import comparers_for
from ensemble_instruct.agreement.strategies import Choice, Question, Standing, View, choose
from ensemble_instruct.agreement.utilities import ROUGE_L, Weights, mixed, utility_weights
from ensemble_instruct.errors import InputFileError, UsageError
from ensemble_instruct.files.jsonl import JsonRow, NumberedRow, read_rows, require_fields
from ensemble_instruct.records import DEFAULT_STRATEGY, OF_THREE, Instance, Kind, Strategy, Utility
from ensemble_instruct.rouge import rouge_l

Numbers = NDArray[np.float64]
Interval = tuple[float, float]

DEFAULT_SHARE = 0.529
"""What `released` keeps of the tasks on which the strategies were compared: docs/measured/agreement.md."""
_USUAL_SIZE = 3
"""Of a subset: an instance and two voters."""
_FIELDS: dict[str, type] = {"instruction": str, "input": str, "reference": str, "outputs": dict}
"""Of a row to evaluate."""
_SEED = 0
"""Of the bootstrap."""
_RESAMPLES = 1000
"""Of the bootstrap."""
_CUT_RESAMPLES = 200
"""Of the bootstrap where each resample is ranked and cut anew, which takes much longer."""
_MOST_SUBSETS = 5000
"""Beyond these an evaluation takes too long."""


@dataclass(frozen=True, slots=True)
class Task:
    """The outputs of all models for one task, in the order of the models' names."""

    id: str
    """Of the instance: what `random` draws by."""
    ballot: Ballot
    original: Ballot
    """For the strategies of the original."""
    scores: tuple[float, ...]
    """Of each output."""


@dataclass(frozen=True, slots=True)
class LabelledTasks:
    """Tasks with references, and the outputs of some models; the names are sorted."""

    models: tuple[str, ...]
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyResult:
    """Means over the subsets of how well a strategy does; None where no subset keeps (or chooses) anything."""

    kept_share: float
    kept_score: float | None
    all_score: float
    """Over all tasks; one for which nothing is chosen counts 0."""
    kept_interval: Interval | None
    all_interval: Interval
    """95 %, of a bootstrap over the tasks."""
    kept_words: float | None
    all_words: float | None
    """Of what is chosen."""


@dataclass(frozen=True, slots=True)
class VoterResult:
    """How well a model does by itself, how much it agrees with all others, and how long its outputs are."""

    score: float
    agreement: float
    words: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What `evaluate` found."""

    size: int
    keep: float
    """The share at which strategies are cut."""
    tasks: int
    subsets: int
    default: Strategy
    """The strategy of a config that names none."""
    strategies: Mapping[Strategy, StrategyResult]
    best_single: float
    """The best model of each subset, mean over all tasks; known only with the references in hand."""
    mean_single: float
    oracle: float
    """The best output of each task; known only with the references in hand."""
    voters: Mapping[str, VoterResult]


@dataclass(frozen=True, slots=True, eq=False)
class Picks:
    """What a strategy picks: in each array a row for each subset and a column for each task."""

    agreement: Numbers
    """Minus infinity where it picks nothing; there score and words are 0."""
    scores: Numbers
    words: Numbers


def evaluate(
    source: Iterable[Mapping[str, Any]] | Path | str,
    *,
    size: int | None = None,
    keep: float | None = None,
    utility: Utility | Mapping[Utility, float] = "rouge-l",
    embedding_model: Path | str | None = None,
) -> Evaluation:
    """Evaluate the strategies on rows `{instruction, input, reference, outputs: {model: text}}`, or on a JSONL file.

    `size` is how many models vote at a time, by default 3; `keep` the share of the tasks at which strategies are cut.
    `utility` says what agreement means; the strategies of the original have their own. `embedding_model` is the folder
    of a sentence encoder, for the utility `embedding`.

    Raises `InputFileError`, with the file and the line or the number of the row, for rows that are not like this, and
    `UsageError` for a size that is not between 2 and the number of models, or a share that is less than one task.
    """
    if keep is not None and not 0 < keep <= 1:
        raise UsageError(f"keep {keep}: is not a share; give a number above 0, up to 1")
    name = str(source) if isinstance(source, str | Path) else "rows"
    tasks = read_labelled_tasks(source, utility_weights(utility), embedding_model)
    count = len(tasks.models)
    if size is not None and not 2 <= size <= count:
        raise UsageError(f"{name}: has the outputs of {count} models; give a --size from 2 to {count}, not {size}")
    size = size or min(_USUAL_SIZE, count)
    if math.comb(count, size) > _MOST_SUBSETS:
        raise UsageError(f"{name}: too many subsets of {size} of {count} models; give a --size nearer to 2 or {count}")
    if not _quota(len(tasks.tasks), keep):
        raise UsageError(f"{name}: {keep:g} of {len(tasks.tasks)} tasks is less than one; give a higher --keep")
    return evaluate_tasks(tasks, size, keep)


def read_labelled_tasks(
    source: Iterable[Mapping[str, Any]] | Path | str,
    weights: Weights = ROUGE_L,
    embedding_model: Path | str | None = None,
) -> LabelledTasks:
    """The tasks of a file or of rows; raises `InputFileError`, with file and line, for what is not such a task."""
    comparers = comparers_for([weights], None if embedding_model is None else Path(embedding_model))
    models, rows = _read_tasks(source)
    texts = [([row["outputs"][name] for name in models], row) for row in rows]
    matrices = mixed(weights, comparers, [(_instance(row), outputs) for outputs, row in texts])
    tasks = []
    for (outputs, row), matrix in zip(texts, matrices, strict=True):
        echoed = source_of(row["instruction"], row["input"])
        scores = tuple(100 * rouge_l(row["reference"], text, stem=True) for text in outputs)
        tasks.append(Task(_instance(row).id, ballot(outputs, echoed, matrix), original_ballot(outputs, echoed), scores))
    return LabelledTasks(models, tuple(tasks))


def _instance(row: JsonRow) -> Instance:
    kind: Kind = "input_output" if row["input"].strip() else "output_only"
    return Instance(kind=kind, instruction=row["instruction"], input=row["input"], output="")


def _read_tasks(source: Iterable[Mapping[str, Any]] | Path | str) -> tuple[tuple[str, ...], list[JsonRow]]:
    """The names of the models, sorted, and the rows."""
    models: tuple[str, ...] = ()
    first = 0
    rows: list[JsonRow] = []
    if isinstance(source, str | Path):
        name, line, numbered = str(source), "line", read_rows(Path(source), _FIELDS)
    else:
        name, line, numbered = "rows", "row", _checked(source)
    for number, row in numbered:
        names = _models_of(row, f"{name}:{number}")
        if not rows:
            models, first = names, number
        if names != models:
            other = min(set(names) ^ set(models))
            has, lacks = (number, first) if other in names else (first, number)
            raise InputFileError(
                f"{name}:{number}: {line} {has} has an output of {other!r} and {line} {lacks} has none; "
                f"every row needs the same models"
            )
        rows.append(row)
    if not rows:
        raise InputFileError(f"{name}: holds no rows; put one object with {', '.join(_FIELDS)} on each line")
    return models, rows


def _checked(rows: Iterable[Mapping[str, Any]]) -> Iterator[NumberedRow]:
    """Rows that are in memory already, numbered from 1."""
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise InputFileError(f"rows:{number}: expected a mapping with {', '.join(_FIELDS)}, found {row!r}")
        require_fields(dict(row), f"rows:{number}", _FIELDS)
        yield number, dict(row)


def _models_of(row: JsonRow, where: str) -> tuple[str, ...]:
    outputs = row["outputs"]
    for name, text in outputs.items():
        if not isinstance(text, str):
            raise InputFileError(f"{where}: the output of {name!r} must be a string")
    if len(outputs) < 2:
        raise InputFileError(f"{where}: field 'outputs' has {len(outputs)} of the two models or more that it needs")
    return tuple(sorted(outputs))


def part_of(whole: Ballot, places: Sequence[int]) -> Ballot:
    """The ballot of some of the outputs: as `ballot` would make it, without comparing any text again."""
    return Ballot(
        outputs=tuple(whole.outputs[place] for place in places),
        matrix=tuple(tuple(whole.matrix[place][other] for other in places) for place in places),
        words=tuple(whole.words[place] for place in places),
        repetition=tuple(whole.repetition[place] for place in places),
        counts=tuple(whole.counts[place] for place in places),
    )


def evaluate_tasks(benchmark: LabelledTasks, size: int, keep: float | None = None) -> Evaluation:
    """How every strategy defined for `size` outputs does, over all subsets of that size.

    Of each subset the tasks with the highest agreement are kept up to the share `keep` of all tasks (rounded half up;
    of equal agreements the earlier task). Where it is not given the share is 0.529, and the strategies of the original
    keep what they themselves keep.
    """
    subsets = list(combinations(range(len(benchmark.models)), size))
    scores = np.array([task.scores for task in benchmark.tasks])
    parts = [scores[:, places] for places in subsets]
    quota = _quota(len(benchmark.tasks), keep)
    picks = picks_of(benchmark, subsets)
    return Evaluation(
        size=size,
        keep=DEFAULT_SHARE if keep is None else keep,
        tasks=len(benchmark.tasks),
        subsets=len(subsets),
        default=DEFAULT_STRATEGY,
        strategies={
            strategy: result_of(picked, None if keep is None and strategy in OF_THREE else quota)
            for strategy, picked in picks.items()
        },
        best_single=float(np.mean([part.mean(axis=0).max() for part in parts])),
        mean_single=float(np.mean([part.mean() for part in parts])),
        oracle=float(np.mean([part.max(axis=1).mean() for part in parts])),
        voters=_voters(benchmark, scores),
    )


def _quota(tasks: int, keep: float | None) -> int:
    return math.floor((DEFAULT_SHARE if keep is None else keep) * tasks + 0.5)


def _voters(benchmark: LabelledTasks, scores: Numbers) -> dict[str, VoterResult]:
    agreement = np.mean([task.ballot.scores for task in benchmark.tasks], axis=0)
    words = np.mean([task.ballot.words for task in benchmark.tasks], axis=0)
    columns = zip(benchmark.models, scores.mean(axis=0), agreement, words, strict=True)
    return {name: VoterResult(*map(float, numbers)) for name, *numbers in columns}


def picks_of(benchmark: LabelledTasks, subsets: Sequence[Sequence[int]]) -> dict[Strategy, Picks]:
    """What each strategy picks, for each subset (places of models, all equally many) and each task."""
    size = len(subsets[0])
    strategies: list[Strategy] = [strategy for strategy in get_args(Strategy) if size == 3 or strategy not in OF_THREE]
    cells: dict[Strategy, list[list[tuple[float, float, float]]]] = {strategy: [] for strategy in strategies}
    for places in subsets:
        voters = tuple(benchmark.models[place] for place in places)
        ballots = [part_of(task.ballot, places) for task in benchmark.tasks]
        originals = [part_of(task.original, places) for task in benchmark.tasks] if size == 3 else []
        view = _view(voters, ballots)
        for strategy in strategies:
            used = originals if strategy in OF_THREE else ballots
            cells[strategy].append(
                [
                    _cell(task, places, choose(Question(part, voters, task.id, view), strategy))
                    for task, part in zip(benchmark.tasks, used, strict=True)
                ]
            )
    return {strategy: Picks(*np.moveaxis(np.array(rows), 2, 0)) for strategy, rows in cells.items()}


def _view(voters: Sequence[str], ballots: Sequence[Ballot]) -> View:
    """How much the voters agree over all tasks, as step 5 has it over all rows."""
    standing = Standing()
    for part in ballots:
        standing.add(voters, part.scores)
    return standing.view()


def _cell(task: Task, places: Sequence[int], choice: Choice) -> tuple[float, float, float]:
    if choice.place is None:
        return -math.inf, 0.0, 0.0
    place = places[choice.place]
    return choice.agreement, task.scores[place], task.ballot.words[place]


def result_of(picks: Picks, quota: int | None) -> StrategyResult:
    """How well picks do when `quota` tasks of each subset are kept; None: all for which something is picked."""
    tasks = picks.scores.shape[1]
    random = np.random.default_rng(_SEED)
    resamples = random.multinomial(tasks, np.full(tasks, 1 / tasks), _RESAMPLES)
    once, chosen = np.ones((1, tasks), dtype=np.int64), picks.agreement > -math.inf
    cut = kept_means(picks, picks.scores, resamples[:_CUT_RESAMPLES], quota)
    task_means = picks.scores.mean(axis=0)
    return StrategyResult(
        kept_share=float(chosen.mean()) if quota is None else quota / tasks,
        kept_score=_number(kept_means(picks, picks.scores, once, quota)[0]),
        all_score=float(task_means.mean()),
        kept_interval=None if np.isnan(cut).all() else _interval(cut[~np.isnan(cut)]),
        all_interval=_interval(resamples @ task_means / tasks),
        kept_words=_number(kept_means(picks, picks.words, once, quota, chosen)[0]),
        all_words=_number(kept_means(picks, picks.words, once, None, chosen)[0]),
    )


def kept_means(
    picks: Picks,
    values: Numbers,
    weights: NDArray[np.int64],
    quota: int | None,
    counted: NDArray[np.bool_] | None = None,
) -> Numbers:
    """For each row of weights (how often each task is there) the mean over the subsets of the mean value kept.

    Only `counted` picks enter, if given. A subset that keeps none does not count; NaN if none keeps any.
    """
    sums, subsets = np.zeros(len(weights)), np.zeros(len(weights))
    for row, agreement in enumerate(picks.agreement):
        taken = _taken(agreement, weights, quota)
        if counted is not None:
            taken = taken * counted[row]
        numbers = taken.sum(axis=1)
        sums += taken @ values[row] / np.maximum(numbers, 1)
        subsets += numbers > 0
    return np.where(subsets > 0, sums / np.maximum(subsets, 1), np.nan)


def _taken(agreement: Numbers, weights: NDArray[np.int64], quota: int | None) -> NDArray[np.int64]:
    """How often each task is kept when it is there `weights` times."""
    if quota is None:
        return weights * (agreement > -math.inf)
    order = np.argsort(-agreement, kind="stable")  # of equal agreements the earlier task first
    ranked = weights[:, order]
    before = ranked.cumsum(axis=1) - ranked
    taken = np.empty_like(weights)
    taken[:, order] = np.clip(quota - before, 0, ranked)
    return taken


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _interval(values: Numbers) -> Interval:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
