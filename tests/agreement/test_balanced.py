"""`balanced`: what speaks against an output by itself counts too, the order of voters never."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.agreement.ballots import ballot
from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.agreement.strategies import balanced
from ensemble_instruct.agreement.voters.standing import Standing
from ensemble_instruct.records import Answered, Candidate, Example, Instance, Rejected
from ensemble_instruct.rouge import rouge_l
from ensemble_instruct.steps.ensemble import select
from tests.conftest import SHARED, needs_shared, rows

LOREM = "lorem the of a to in and is that it for as with"
WORDS = ["a", "b", "c", "boat", "boats", "Boat", "sailing", "3", "A,", "é"]
OUTPUTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), min_size=2, max_size=6)


def chosen(outputs: list[str], source: str = "") -> str | None:
    place = balanced(ballot(outputs, source)).place
    return None if place is None else outputs[place]


@settings(deadline=None, max_examples=200)
@given(outputs=OUTPUTS, rng=st.randoms(use_true_random=False), data=st.data())
def test_the_order_of_the_outputs_does_not_matter(outputs: list[str], rng: random.Random, data: st.DataObject) -> None:
    outside = [data.draw(st.sampled_from([0.0, 0.1, 0.5])) for _ in outputs]
    order = list(range(len(outputs)))
    rng.shuffle(order)
    one = balanced(ballot(outputs), outside)
    other = balanced(ballot([outputs[place] for place in order]), [outside[place] for place in order])
    assert (other.confidence, other.reason) == (one.confidence, one.reason)
    assert 0 <= one.confidence <= 1
    if one.place is not None and other.place is not None:
        assert outputs[order[other.place]] == outputs[one.place]


def test_what_speaks_against_an_output_by_itself() -> None:
    answer = "Boil the water, add the tea and wait for four minutes"
    assert chosen([answer, f"{answer} {answer} {answer} {answer}", "No"]) == answer
    assert chosen([answer, f"{answer} before you pour it into a cup", "water"]) != "water"
    assert chosen(["", " ", "something"]) == "something"
    assert chosen(["the same words", "The same words!", "others"], "the same words") == "others"
    assert balanced(ballot(["", " "])).reason == "empty_outputs"
    assert balanced(ballot(["x y", "X y."], "x y")).reason == "echoes"


def test_a_voter_that_agrees_with_nobody_is_an_outsider_and_weighs_less() -> None:
    standing = Standing()
    for _ in range(3):
        standing.add(["a", "b", "c"], [0.5, 0.4, 0.02])
        standing.add(["a", "b"], [0.4, 0.4])
    outsiders = standing.view().outsiders
    assert (outsiders["a"], outsiders["b"]) == (0.0, 0.0)
    assert 0.4 < outsiders["c"] < 0.5
    assert Standing().view().outsiders == {}


@needs_shared
@pytest.mark.parametrize("rubbish", ["words", "nothing", "a copy of the input", "the same sentence"])
def test_a_voter_that_answers_rubbish_takes_no_more_than_a_point(rubbish: str) -> None:
    tasks = rows(SHARED / "golden" / "user-tasks" / "dev.jsonl")
    chosen_words, words = random.Random(0), LOREM.split()

    def rubbish_for(task: dict[str, Any]) -> str:
        if rubbish == "words":
            return " ".join(chosen_words.choices(words, k=60))
        if rubbish == "a copy of the input":
            return str(task["input"] or task["instruction"])
        return "" if rubbish == "nothing" else "I am sorry, but I cannot help you with that request."

    def quality(voters: list[str], *, with_rubbish: bool) -> float:
        table = [
            Answered(
                Instance(
                    kind="input_output",
                    instruction=task["instruction"],
                    input=task["input"],
                    output=task["outputs"][voters[0]],
                ),
                tuple(
                    Candidate("", name, text)
                    for name, text in [(voter, task["outputs"][voter]) for voter in voters[1:]]
                    + ([("rubbish", rubbish_for(task))] if with_rubbish else [])
                ),
            )
            for task in tasks
        ]
        made = list(select(lambda: table, Selection("balanced", min_confidence=0.0)))
        kept = {
            record.instance.instruction + record.instance.input: record
            for record in made
            if isinstance(record, Example)
        }
        scores = []
        for task in tasks:
            record = kept.get(task["instruction"] + task["input"])
            scores.append(rouge_l(task["reference"], record.output, stem=True) if record else 0.0)
        return 100 * sum(scores) / len(scores)

    triples = (
        ["text-davinci-001", "text-davinci-002", "text-davinci-003"],
        ["davinci-self-instruct", "davinci-superni-ft", "text-davinci-003"],
        ["davinci-t0-ft", "davinci-superni-ft", "text-davinci-002"],
    )
    losses = [quality(voters, with_rubbish=False) - quality(voters, with_rubbish=True) for voters in triples]
    assert sum(losses) / len(losses) <= 1


def test_rows_are_decided_with_all_others_in_view() -> None:
    """The voter that disagrees in all other rows loses the one in which it would win by its length."""
    instances = [
        Instance(kind="output_only", instruction=f"task {number}", input="", output=f"answer number {number} is right")
        for number in range(5)
    ]
    table = [
        Answered(one, (Candidate(one.id, "b", one.output), Candidate(one.id, "odd", "qq ww ee"))) for one in instances
    ]
    last = Instance(kind="output_only", instruction="last", input="", output="red")
    long = "quite another text " + " ".join(f"w{number}" for number in range(30))
    table.append(Answered(last, (Candidate(last.id, "b", "blue"), Candidate(last.id, "odd", long))))
    records = list(select(lambda: table, Selection("balanced", min_confidence=0.0)))
    alone = list(select(lambda: table[-1:], Selection("balanced", min_confidence=0.0)))
    assert isinstance(records[-1], Example | Rejected)
    assert isinstance(alone[0], Example)
    assert alone[0].output == long
    assert isinstance(records[-1], Example)
    assert records[-1].output in ("red", "blue")
