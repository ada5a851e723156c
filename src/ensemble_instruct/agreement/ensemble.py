"""Step 5 on plain lists: which of the outputs that there are for a task the models agree on. No run, no config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from pathlib import Path
from typing import get_args

from ensemble_instruct.agreement.ballots import Ballot, agreement_of
from ensemble_instruct.agreement.choices import Choice, Question
from ensemble_instruct.agreement.embeddings import comparers_for
from ensemble_instruct.agreement.ratings import Ratings
from ensemble_instruct.agreement.rewards import rater_for
from ensemble_instruct.agreement.selection import (
    WITH_A_VIEW,
    Comparers,
    Selection,
    ballots_for,
    below_share,
    decided,
    least_confidence,
    surest,
)
from ensemble_instruct.agreement.utilities import ROUGE_L, Texts, utility_weights
from ensemble_instruct.agreement.voters.learned import MOST_ROWS, learn_voters
from ensemble_instruct.agreement.voters.standing import Standing, View
from ensemble_instruct.agreement.voters.tallies import VotedRow
from ensemble_instruct.errors import UsageError
from ensemble_instruct.records import (
    DEFAULT_STRATEGY,
    DEFAULT_STRATEGY_ELSE,
    INSTANCE_VOTER,
    OF_THREE,
    Instance,
    Kind,
    Strategy,
    Utility,
)

Outputs = Mapping[str, str] | Sequence[str]
"""The outputs for one task: by voter, or in a list, whose voters are called `0`, `1`, …"""
TaskText = str | tuple[str, str]
"""An instruction, or an instruction and its input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What becomes of the outputs for one task."""

    output: str | None
    """The one that is kept; None where the row is dropped."""
    winners: tuple[str, ...]
    """The voters that gave this very text, in alphabetical order."""
    agreement: float
    """The mean agreement of the output with the others, 0 to 1; 1 where all say the same, 0 where none is chosen."""
    confidence: float
    """How sure the strategy is, 0 to 1; by it `min_confidence` and `keep` decide."""
    scores: Mapping[str, float]
    """For each voter the mean agreement of its output with the others."""
    reason: str = ""
    """Why the row is dropped, in a word such as `low_confidence`; empty where it is kept."""
    detail: str = ""
    """What the reason rests on."""


def ensemble(
    rows: Iterable[Outputs],
    *,
    tasks: Iterable[TaskText] | None = None,
    strategy: Strategy | None = None,
    utility: Utility | Mapping[Utility, float] = "rouge-l",
    min_confidence: float | None = None,
    min_agreement: float | None = None,
    keep: float | None = None,
    threshold: float | None = None,
    embedding_model: Path | str | None = None,
    reward_model: Path | str | None = None,
) -> list[Selected]:
    """Of each row of outputs the one that the voters agree on, or why the row is dropped: what step 5 of a run does.

    >>> outputs = {"ada": "Oslo", "bob": "Oslo", "eve": "Bergen"}
    >>> (selected,) = ensemble([outputs], tasks=["What is the capital of Norway?"])
    >>> selected.output, selected.winners
    ('Oslo', ('ada', 'bob'))

    `tasks` says for each row its instruction, or its instruction and input: an output that only repeats that is not
    chosen. Without a `strategy` it is `vouched`, or `balanced` for another utility. A voter called `instance` is the
    instance's own output, the first of the three of the original's strategies; else the first of the row is. `utility`
    says what agreement means, one or several with weights; `embedding` needs `embedding_model`, the folder of a
    sentence encoder, the strategy `reward` `reward_model`, that of a sequence classifier; `judged` needs the answers of
    a run. A row needs the confidence `min_confidence` (`min_agreement` is its old name), or to be in the share `keep`
    of the highest ones; without either, the default of the strategy. `threshold` belongs to the original's strategies,
    which read outputs without the white space at their ends, and give them so.

    Raises `UsageError` for rows or settings that cannot be.
    """
    weights = utility_weights(utility)
    strategy = strategy or (DEFAULT_STRATEGY if weights == ROUGE_L else DEFAULT_STRATEGY_ELSE)
    least = least_confidence(min_confidence, min_agreement, keep)
    selection = Selection(strategy=strategy, min_confidence=least, keep=keep, weights=(weights, weights))
    if threshold is not None:
        selection = replace(selection, threshold=threshold)
    _require_possible(selection)
    comparers = comparers_for(selection.weights, None if embedding_model is None else Path(embedding_model))
    rater = rater_for(strategy, None if reward_model is None else Path(reward_model))
    table = _table(rows, tasks, is_stripped=strategy in OF_THREE)
    texts = [(row.instance, list(row.outputs.values())) for row in table]
    ballots, view = _in_view(table, texts, selection, comparers)
    ratings: Sequence[Ratings] = [()] * len(table) if rater is None else rater(texts)
    choices = _choices(table, ballots, ratings, selection, view)
    if keep is not None:
        choices = _shared(choices, [row.key for row in table], keep)
    return [_selected(choice, row.outputs, ballot) for choice, row, ballot in zip(choices, table, ballots, strict=True)]


@dataclass(frozen=True, slots=True)
class _Row:
    """The outputs for one task."""

    instance: Instance
    """The task; its own output is one of the outputs, if any."""
    outputs: Mapping[str, str]
    """By voter, the instance's own first."""
    key: str
    """What draws for it, and ranks it among equals, in hexadecimal digits: the id of the instance, as in a run; where
    the tasks are not known, the number of the row."""


def _table(rows: Iterable[Outputs], tasks: Iterable[TaskText] | None, *, is_stripped: bool) -> list[_Row]:
    outputs = [_by_voter(row, f"rows[{place}]") for place, row in enumerate(rows)]
    if is_stripped:
        outputs = [{voter: text.strip() for voter, text in by_voter.items()} for by_voter in outputs]
    else:  # as in a run, an instance that has no output of its own does not vote
        outputs = [{voter: text for voter, text in row.items() if text or voter != INSTANCE_VOTER} for row in outputs]
    if tasks is None:
        unknown = Instance(kind="output_only", instruction="", input="", output="")
        return [_Row(unknown, by_voter, f"{place:016x}") for place, by_voter in enumerate(outputs)]
    instances = [_instance(task, f"tasks[{place}]") for place, task in enumerate(tasks)]
    if len(instances) != len(outputs):
        raise UsageError(f"tasks: there are {len(instances)} for {len(outputs)} rows; each row needs its own")
    return [_Row(instance, by_voter, instance.id) for instance, by_voter in zip(instances, outputs, strict=True)]


def _in_view(
    table: Sequence[_Row], texts: Sequence[Texts], selection: Selection, comparers: Comparers
) -> tuple[list[Ballot], View]:
    """The ballots, in which who is set aside has no say, and how the voters do over all rows."""
    ballots = ballots_for(texts, selection, comparers)
    if selection.strategy not in WITH_A_VIEW:
        return ballots, View()
    view = _view(table, ballots, selection.strategy)
    if any(map(view.voters.is_aside, view.voters.standings)):
        ballots = ballots_for(texts, selection, comparers, [view.voters.heard(tuple(row.outputs)) for row in table])
    return ballots, view


def _choices(
    table: Sequence[_Row], ballots: Sequence[Ballot], ratings: Sequence[Ratings], selection: Selection, view: View
) -> list[Choice]:
    """What the strategy chooses in each row, with all rows in view."""
    return [
        decided(
            Question(ballot, tuple(row.outputs), row.key, view, selection.threshold, rated),
            selection,
            row.instance.kind,
        )
        for row, ballot, rated in zip(table, ballots, ratings, strict=True)
    ]


def _view(table: Sequence[_Row], ballots: Sequence[Ballot], strategy: Strategy) -> View:
    """How the voters do over all rows."""
    rows = [VotedRow(tuple(row.outputs), ballot) for row, ballot in zip(table, ballots, strict=True)]
    if strategy == "vouched":
        looked_at = nsmallest(MOST_ROWS, range(len(rows)), key=lambda place: table[place].key)
        return View(voters=learn_voters([rows[place] for place in looked_at]))
    standing = Standing()
    for row in rows:
        standing.add(row.voters, row.ballot.scores)
    return standing.view()


def _require_possible(selection: Selection) -> None:
    if selection.strategy not in get_args(Strategy):
        raise UsageError(
            f"strategy {selection.strategy!r}: no such strategy; there are {', '.join(get_args(Strategy))}"
        )
    for name in ("min_confidence", "keep", "threshold"):
        value = getattr(selection, name)
        if value is not None and not (isinstance(value, int | float) and 0 <= value <= 1):
            raise UsageError(f"{name} {value!r}: is not between 0 and 1")


def _by_voter(row: Outputs, where: str) -> dict[str, str]:
    """The outputs of a row by voter, the instance's own first."""
    if isinstance(row, str) or not isinstance(row, Mapping | Sequence):
        raise UsageError(f"{where}: expected outputs by voter or a list of them, found {row!r}")
    named = dict(row) if isinstance(row, Mapping) else {str(place): text for place, text in enumerate(row)}
    for voter, text in named.items():
        if not isinstance(voter, str):
            raise UsageError(f"{where}: the name of a voter must be a string, found {voter!r}")
        if not isinstance(text, str):
            raise UsageError(f"{where}: the output of {voter!r} must be a string, found {text!r}")
    own = {INSTANCE_VOTER: named[INSTANCE_VOTER]} if INSTANCE_VOTER in named else {}
    return own | named


def _instance(task: TaskText, where: str) -> Instance:
    match task:
        case str():
            instruction, task_input = task, ""
        case (str() as instruction, str() as task_input):
            pass
        case _:
            raise UsageError(f"{where}: expected an instruction, or an instruction and its input, found {task!r}")
    kind: Kind = "input_output" if task_input.strip() else "output_only"
    return Instance(kind=kind, instruction=instruction, input=task_input, output="")


def _shared(choices: Sequence[Choice], keys: Sequence[str], share: float) -> list[Choice]:
    """The choices, of which only those with the highest confidence stay, up to a share of all."""
    places = [place for place, choice in enumerate(choices) if choice.place is not None]
    stays = surest(
        [int(keys[place], 16) for place in places], [choices[place].confidence for place in places], share, len(choices)
    )
    shared = list(choices)
    for place, stays_here in zip(places, stays, strict=True):
        if not stays_here:
            detail = below_share(choices[place].confidence, share)
            shared[place] = replace(choices[place], place=None, reason="below_share", detail=detail)
    return shared


def _selected(choice: Choice, outputs: Mapping[str, str], ballot: Ballot) -> Selected:
    output = None if choice.place is None else ballot.outputs[choice.place]
    winners = () if output is None else tuple(sorted(voter for voter, text in outputs.items() if text == output))
    return Selected(
        output=output,
        winners=winners,
        agreement=0.0 if choice.place is None else agreement_of(ballot.outputs, choice.place, ballot.matrix),
        confidence=choice.confidence,
        scores=dict(zip(outputs, choice.scores, strict=True)),
        reason=choice.reason,
        detail=choice.detail,
    )
