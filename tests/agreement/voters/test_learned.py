"""What a run teaches of its voters: who is set aside and why, and that a copy, an order or a process change nothing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.agreement.ensemble import Selected, ensemble
from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.agreement.voters.learned import Voters
from ensemble_instruct.agreement.voters.stored import noted, voters_of
from ensemble_instruct.records import INSTANCE_VOTER, Example, Rejected
from ensemble_instruct.steps.ensemble import select
from tests.conftest import SHARED, needs_shared
from tests.conftest import rows as rows_of
from tests.support.speakers import Row, Speaker, answered, speech, spoken, tasks, topic

THREE = {INSTANCE_VOTER: 0.7, "bob": 0.6, "eve": 0.5}
TWO = {INSTANCE_VOTER: 0.7, "bob": 0.6}
GOLDEN = ("davinci", "davinci-self-instruct", "text-davinci-003")

SAID: dict[str, tuple[str, Speaker]] = {
    "the same part again and again": ("repeats", lambda number, row: f"{row['bob'][:60]} " * 4),
    "a copy": ("copies", lambda number, row: row["bob"]),
    "a copy in another white space": ("copies", lambda number, row: "\n" + row["bob"].replace(" ", "  ") + "\n"),
    "two further answers": (
        "runs_on",
        lambda number, row: " ".join([speech("z", number, 0.4), *(speech("z", number + n, 0.6) for n in (1000, 2000))]),
    ),
    "of something else": ("off_topic", lambda number, row: speech("z", number + 1000, 0.7)),
    "no": ("off_topic", lambda number, row: "I am sorry, but I cannot help you with that request."),
    "nothing": ("off_topic", lambda number, row: ""),
    "blanks": ("off_topic", lambda number, row: " \n"),
    "the task": ("weak", lambda number, row: tasks(number + 1)[number]),
    "little": ("weak", lambda number, row: speech("z", number, 0.1)),
}


def learned(rows: list[Row]) -> Voters:
    found: list[Voters] = []
    list(select(lambda: answered(rows), Selection("vouched"), learned=found.append))
    return found[0]


def set_aside(rows: list[Row]) -> dict[str, str]:
    return {name: standing.set_aside for name, standing in learned(rows).standings.items() if standing.set_aside}


def choices(rows: list[Row], instructions: list[str]) -> list[str | None]:
    return [selected.output for selected in ensemble(rows, tasks=instructions, min_confidence=0.0)]


@pytest.mark.parametrize("what", SAID)
@pytest.mark.parametrize("shares", [THREE, TWO], ids=["three", "two"])
def test_a_voter_that_is_of_no_use_is_set_aside_with_the_reason(what: str, shares: dict[str, float]) -> None:
    reason, say = SAID[what]
    rows = spoken(shares, zed=say)
    assert set_aside(rows) == {"zed": reason}
    assert choices(rows, tasks(40)) == choices(spoken(shares), tasks(40))


def test_a_voter_that_says_most_of_what_terse_ones_do_and_more_is_the_strongest() -> None:
    rows = spoken({INSTANCE_VOTER: 0.3, "bob": 0.35, "eve": 0.3, "far": 0.85}, 60)
    voters = learned(rows)
    assert not any(standing.set_aside for standing in voters.standings.values())
    assert voters.standings["far"].strength == max(standing.strength for standing in voters.standings.values())


def test_a_copy_is_as_strong_as_what_it_copies_and_names_it() -> None:
    voters = learned(spoken(THREE, copy=lambda number, row: row["bob"])).standings
    assert (voters["copy"].like, voters["copy"].strength) == ("bob", voters["bob"].strength)


@pytest.mark.parametrize("copies", [1, 2, 4, 6])
def test_one_model_under_many_names_is_one_voter(copies: int) -> None:
    def again(number: int, row: Row) -> str:
        return row["bob"]

    rows = spoken(TWO, **{f"copy{number}": again for number in range(copies)})
    assert set_aside(rows) == {f"copy{number}": "copies" for number in range(copies)}
    assert choices(rows, tasks(40)) == choices(spoken(TWO), tasks(40))


def test_of_two_that_are_the_same_the_one_stays_that_answers() -> None:
    rows = spoken(THREE, aaa=lambda number, row: row["bob"])
    for number, row in enumerate(rows):
        if number % 3:
            del row["aaa"]
    assert set_aside(rows) == {"aaa": "copies"}
    assert choices(rows, tasks(40)) == choices(spoken(THREE), tasks(40))


def test_two_that_give_the_same_short_right_answers_are_no_copies() -> None:
    rows = [
        {INSTANCE_VOTER: f"{n} cats", "bob": f"{n} cats", "eve": f"{n} cats" if n % 5 else f"{n + 1} cats"}
        for n in range(60)
    ]
    assert set_aside(rows) == {}
    assert [one.output for one in ensemble(rows, tasks=tasks(60))] == [f"{n} cats" for n in range(60)]


def test_a_test_that_hits_everybody_hits_nobody() -> None:
    for said in ([""] * 40, ["so so so so so so so so " * 3] * 40, [speech("a", number, 0.6) for number in range(40)]):
        assert set_aside([dict.fromkeys((INSTANCE_VOTER, "bob", "eve"), text) for text in said]) == {}
    elsewhere = [{name: speech(name, n + 100 * at, 0.6) for at, name in enumerate(THREE)} for n in range(40)]
    assert len(set_aside(elsewhere)) < 3


@pytest.mark.parametrize("voters", [1, 2, 16])
def test_any_number_of_voters_can_be_learned_of(voters: int) -> None:
    shares = {INSTANCE_VOTER: 0.7, **{f"v{number:02}": 0.5 + number / 100 for number in range(voters - 1)}}
    found = learned(spoken(shares))
    assert list(found.standings) == sorted(shares)
    assert all(not standing.set_aside for standing in found.standings.values())


def test_a_voter_that_answers_a_tenth_of_the_rows_is_judged_by_those() -> None:
    rows = spoken(THREE, rare=lambda number, row: speech("rare", number, 0.9))
    for number, row in enumerate(rows):
        if number % 10:
            del row["rare"]
    voters = learned(rows).standings
    assert (voters["rare"].rows, voters["rare"].set_aside) == (4, "")
    assert voters["rare"].strength > voters["eve"].strength
    assert choices([row for row in rows if "rare" in row], tasks(4)) != []


def test_below_thirty_rows_nothing_is_learned() -> None:
    rows = spoken(THREE, 30, zed=SAID["of something else"][1])
    assert set_aside(rows) == {"zed": "off_topic"}
    few = learned(rows[:29])
    assert (few.rows, few.standings, few.kinship, few.words.rows) == (29, {}, {}, 0)
    alone = [
        ensemble([row], tasks=[task], min_confidence=0.0)[0] for row, task in zip(rows[:29], tasks(29), strict=True)
    ]
    assert ensemble(rows[:29], tasks=tasks(29), min_confidence=0.0) == alone


def everything(rows: list[Row], instructions: list[str]) -> list[Any]:
    selected = ensemble(rows, tasks=instructions, min_confidence=0.0)
    return [
        (one.output, one.winners, one.agreement, one.confidence, dict(sorted(one.scores.items()))) for one in selected
    ]


@settings(deadline=None, max_examples=6)
@given(st.sampled_from(sorted(SAID)), st.randoms(use_true_random=False))
def test_neither_the_order_of_voters_nor_that_of_rows_matters(what: str, rng: random.Random) -> None:
    rows = spoken(THREE, 32, zed=SAID[what][1])
    instructions = tasks(len(rows))
    before = everything(rows, instructions)
    order = rng.sample(range(len(rows)), len(rows))
    mixed = [dict(rng.sample(sorted(rows[place].items()), len(rows[place]))) for place in order]
    after = everything(mixed, [instructions[place] for place in order])
    assert after == [before[place] for place in order]


PROGRAM = """
import json, sys
from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.agreement.voters.stored import noted
from ensemble_instruct.steps.ensemble import select
from tests.support.speakers import answered, spoken, speech
rows = spoken({"instance": 0.7, "bob": 0.6, "eve": 0.5}, near=lambda n, row: row["bob"][:330] + speech("near", n, 0.3))
made, found = [], []
for record in select(lambda: answered(rows), Selection("vouched", keep=0.8), learned=found.append):
    made.append(repr(record))
print(json.dumps([noted(found[0]), made]))
"""


@pytest.mark.slow
def test_another_process_learns_and_chooses_the_same_to_the_byte() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "77")
    }
    assert len(outputs) == 1
    notes = json.loads(outputs.pop())[0]
    assert json.loads(notes["voters"])["relatives"]


@pytest.mark.slow
@needs_shared
@pytest.mark.parametrize("again", GOLDEN)
@pytest.mark.parametrize("name", ["aaa", "zzz"])
@pytest.mark.parametrize("form", ["as it is", "other blanks"])
def test_a_copy_changes_no_choice_among_real_models(again: str, name: str, form: str) -> None:
    lines = rows_of(SHARED / "golden" / "user-tasks" / "dev.jsonl")
    instructions = [(line["instruction"], line["input"]) for line in lines]
    rows: list[Row] = [{model: line["outputs"][model] for model in GOLDEN} for line in lines]
    copied = [
        row | {name: row[again] if form == "as it is" else f"  {row[again].replace(' ', '  ')}\n"} for row in rows
    ]

    def made(table: list[Row]) -> list[tuple[str | None, float]]:
        found: list[Selected] = ensemble(table, tasks=instructions, min_confidence=0.0)
        return [(" ".join((one.output or "").split()), round(one.confidence, 9)) for one in found]

    assert made(copied) == made(rows)


@settings(deadline=None, max_examples=10)
@given(st.sampled_from(sorted(SAID)), st.dictionaries(st.sampled_from(["bob", "eve"]), st.floats(0.01, 100)))
def test_what_was_learned_is_noted_and_read_again_exactly_and_every_choice_follows_from_it(
    what: str, weights: dict[str, float]
) -> None:
    rows = answered(spoken(THREE, zed=SAID[what][1]))
    selection, found = Selection("vouched", trust=tuple(weights.items())), list[Voters]()
    made = list(select(lambda: rows, selection, learned=found.append))
    known = voters_of(noted(found[0]))
    assert known == found[0]
    assert noted(known) == noted(found[0])
    for row, record in zip(rows, made, strict=True):
        assert decided_by(known, row, selection) == record


def decided_by(voters: Voters, row: Any, selection: Selection) -> Example | Rejected:
    from ensemble_instruct.agreement.selection import ballots_of, decide
    from ensemble_instruct.agreement.voters.standing import View

    (ballot,) = ballots_of([row], selection, voters=voters)
    return decide(row, selection, ballot, View(voters=voters))


@pytest.mark.parametrize("count", [3, 40])
def test_the_user_can_trust_a_voter_more_or_less_with_few_rows_and_with_many(count: int) -> None:
    rows = answered(spoken({INSTANCE_VOTER: 0.6, "bob": 0.6, "eve": 0.6}, count))

    def winners(**weights: float) -> set[tuple[str, ...]]:
        selection = Selection("vouched", min_confidence=0.0, trust=tuple(weights.items()))
        return {record.winners for record in select(lambda: rows, selection) if isinstance(record, Example)}

    assert winners(eve=50.0) == {("eve",)}
    assert ("eve",) not in winners(eve=0.02)
    assert winners(instance=0.02, bob=0.02) == {("eve",)}


def test_right_answers_out_of_the_task_are_no_copies() -> None:
    drawing = random.Random(3)
    rows, instructions = [], []
    for number in range(40):
        words = topic(number)[:12]
        right = " ".join(sorted(words))
        wrong = " ".join(drawing.sample(words, len(words)))
        rows.append({INSTANCE_VOTER: right, "bob": right, "eve": wrong, "zoe": right if number % 2 else wrong})
        instructions.append(f"Sort these: {' '.join(words)}")
    found: list[Voters] = []
    list(select(lambda: answered(rows, instructions), Selection("vouched"), learned=found.append))
    assert not any(standing.set_aside == "copies" for standing in found[0].standings.values())


def test_rows_without_any_output_teach_nothing() -> None:
    assert [selected.reason for selected in ensemble([{}] * 40)] == ["empty_outputs"] * 40
