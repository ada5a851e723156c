"""`ensemble` on plain lists does what step 5 of a run does."""

from __future__ import annotations

import random
import re
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.agreement.ensemble import Selected, ensemble
from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.errors import EnsembleInstructError, UsageError
from ensemble_instruct.records import RATED, Answered, Example, Rejected, Strategy
from ensemble_instruct.steps.ensemble import select
from tests.support.answered_rows import table

SAID = {"ada": "Oslo", "bob": "oslo.", "eve": "Bergen"}


def by_instance(rows: list[Answered], selection: Selection) -> dict[str, Example | Rejected]:
    records = select(lambda: rows, selection)
    return {record.instance.id if isinstance(record, Example) else record.source: record for record in records}


def as_selected(record: Example | Rejected, scores: dict[str, float]) -> Selected:
    if isinstance(record, Example):
        return Selected(
            output=record.output, winners=record.winners, agreement=record.agreement, confidence=record.confidence,
            scores=scores,
        )  # fmt: skip
    return Selected(
        output=None, winners=(), agreement=0.0, confidence=0.0, scores=scores, reason=record.reason,
        detail=record.detail,
    )  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([strategy for strategy in get_args(Strategy) if strategy not in RATED]),
    st.sampled_from(["exact", "rouge-l"]),
    st.sampled_from([{}, {"min_confidence": 0.4}, {"keep": 0.3}]),
    st.integers(2, 4),
    st.integers(0, 1000),
)
def test_the_same_is_selected_as_by_step_5(
    strategy: Strategy, utility: Any, bound: dict[str, Any], voters: int, seed: int
) -> None:
    rows = table(voters, random.Random(seed))
    outputs = [{"instance": row.instance.output, **{each.voter: each.text for each in row.candidates}} for row in rows]
    tasks = [(row.instance.instruction, row.instance.input) for row in rows]
    weights = ((utility, 1.0),)
    records = by_instance(rows, Selection(strategy, weights=(weights, weights), **bound))
    got = ensemble(outputs, tasks=tasks, strategy=strategy, utility=utility, **bound)
    assert len(got) == len(rows)
    for row, selected in zip(rows, got, strict=True):
        record = records[row.instance.id]
        scores = selected.scores
        if isinstance(record, Example):
            assert tuple(scores.values()) == record.scores
            assert list(scores) == [candidate.voter for candidate in record.candidates]
            assert selected == as_selected(record, dict(scores))
        else:
            assert (selected.output, selected.reason, selected.detail) == (None, record.reason, record.detail)


def test_lists_and_mappings_mean_the_same_and_the_order_of_the_voters_nothing() -> None:
    (named,) = ensemble([SAID])
    (listed,) = ensemble([list(SAID.values())])
    (turned,) = ensemble([dict(reversed(SAID.items()))])
    assert (named.output, named.winners) == ("Oslo", ("ada",))
    assert (listed.output, listed.winners, listed.agreement) == ("Oslo", ("0",), named.agreement)
    assert dict(zip("012", named.scores.values(), strict=True)) == listed.scores
    assert (turned.output, turned.winners, turned.agreement) == (named.output, named.winners, named.agreement)


def test_a_task_says_what_an_output_must_not_just_repeat() -> None:
    said = ["Translate it.", "Translate it.", "Bonjour"]
    assert ensemble([said])[0].output == "Translate it."
    assert ensemble([said], tasks=["Translate it."], min_confidence=0)[0].output == "Bonjour"
    assert ensemble([said], tasks=[("Translate it.", "Good day")])[0].output == "Translate it."
    (dropped,) = ensemble([["Good day", "good day"]], tasks=[("Translate it.", "Good day")])
    assert (dropped.output, dropped.reason, dropped.winners) == (None, "echoes", ())


def test_without_tasks_equal_rows_are_told_apart_by_their_place() -> None:
    rows = [{"a": "one", "b": "one"}] * 4
    kept = ensemble(rows, keep=0.5)
    assert [selected.output for selected in kept] == ["one", "one", None, None]
    assert kept[2].reason == "below_share"
    drawn = ensemble([{"a": "one", "b": "two"}] * 20, strategy="random")
    assert {selected.output for selected in drawn} == {"one", "two"}


def test_rows_without_outputs_are_dropped() -> None:
    assert [selected.reason for selected in ensemble([{}, [""], ["", " "]])] == ["empty_outputs"] * 3
    assert ensemble([]) == []


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        (["Oslo"], {}, "rows[0]: expected outputs by voter or a list of them, found 'Oslo'"),
        ([{"ada": None}], {}, "rows[0]: the output of 'ada' must be a string, found None"),
        ([SAID], {"tasks": []}, "tasks: there are 0 for 1 rows; each row needs its own"),
        ([SAID], {"tasks": [("Say", 3)]}, "tasks[0]: expected an instruction, or an instruction and its input"),
        ([SAID], {"tasks": [None]}, "tasks[0]: expected an instruction, or an instruction and its input, found None"),
        ([SAID], {"strategy": "best"}, "strategy 'best': no such strategy; there are vouched, balanced"),
        ([SAID], {"utility": "bleu"}, "utility 'bleu': no such utility; there are exact, rouge-l"),
        ([SAID], {"utility": "embedding"}, "utility embedding"),
        ([SAID], {"utility": ["exact"]}, "utility ['exact']: give the name of one, or a mapping of names to weights"),
        ([SAID], {"utility": {"exact": "1"}}, "utility 'exact': weight 1 is not a positive number"),
        ([{1: "Oslo", "ada": "Oslo"}], {}, "rows[0]: the name of a voter must be a string, found 1"),
        ([SAID], {"min_confidence": "0.5"}, "min_confidence '0.5': is not between 0 and 1"),
        ([SAID], {"keep": 1.5}, "keep 1.5: is not between 0 and 1"),
        ([SAID], {"min_confidence": -1}, "min_confidence -1: is not between 0 and 1"),
        ([SAID], {"min_confidence": 0.5, "keep": 0.5}, "give either 'min_confidence' or 'keep', not both"),
        ([SAID], {"min_agreement": 0.5, "keep": 0.5}, "give either 'min_agreement' or 'keep', not both"),
        ([SAID], {"min_confidence": 0.5, "min_agreement": 0.5}, "give either 'min_confidence' or 'min_agreement', not"),
    ],
)
def test_what_cannot_be_is_one_line(rows: list[Any], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(EnsembleInstructError, match=re.escape(message)) as caught:
        ensemble(rows, **arguments)
    assert isinstance(caught.value, UsageError)
    assert "\n" not in str(caught.value)
