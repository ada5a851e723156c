"""What is said of the voters of a run: who is far ahead, who is set aside, who are relatives."""

from __future__ import annotations

import json
from dataclasses import replace
from statistics import fmean, pstdev

import pytest

from ensemble_instruct.agreement.voters.kept import LONG_TEXTS, Kept, KeptCounts, kept_of, noted_kept
from ensemble_instruct.agreement.voters.learned import SetAside, Voters, VoterStanding
from ensemble_instruct.agreement.voters.seen import notes_on, seen_voters
from ensemble_instruct.agreement.voters.stored import noted
from ensemble_instruct.records import Example
from tests.support.made_run import made_examples


def standing(name: str, set_aside: SetAside = "", like: str = "", weight: float = 1.0) -> VoterStanding:
    return VoterStanding(name=name, rows=50, strength=1.0, agreement=0.4, set_aside=set_aside, like=like, weight=weight)


def voters(*standings: VoterStanding, rows: int = 50, **kinship: float) -> Voters:
    """What was learned; `ada_bob=0.5` makes two of them relatives."""
    pairs = {tuple(pair.split("_")): share for pair, share in kinship.items()}
    both = {order: share for (one, two), share in pairs.items() for order in ((one, two), (two, one))}
    return Voters(rows, {one.name: one for one in standings}, kinship=both)


def kept(examples: int = 100, **won: int) -> Kept:
    return Kept(examples=examples, won=won, bases={"text": examples}, lengths=(), caution="")


THREE = (standing("ada"), standing("bob"), standing("eve"))


def test_a_voter_that_won_nearly_all_rows_is_far_ahead() -> None:
    note = "nearly all rows are ada's: the others serve as a check"
    assert notes_on(voters(*THREE), kept(ada=90, bob=20)) == (note,)
    assert notes_on(voters(*THREE), kept(ada=89, bob=11)) == ()


@pytest.mark.parametrize(
    ("standings", "won"),
    [
        ((standing("ada"),), {"ada": 100}),  # there is no other
        (THREE, {"ada": 95, "bob": 93, "eve": 91}),  # they gave the same texts
        (THREE, {}),
    ],
)
def test_nobody_is_far_ahead_alone_or_beside_others_with_the_same_texts(
    standings: tuple[VoterStanding, ...], won: dict[str, int]
) -> None:
    assert notes_on(voters(*standings), kept(**won)) == ()


def test_nothing_is_kept_and_nobody_is_ahead() -> None:
    assert notes_on(voters(*THREE), kept(0)) == ()


@pytest.mark.parametrize(
    ("reason", "note"),
    [
        ("repeats", "eve is set aside: it repeats itself"),
        ("runs_on", "eve is set aside: it runs on into further tasks"),
        ("off_topic", "eve is set aside: what it says is not about the tasks"),
        ("weak", "eve is set aside: others say little of what it says"),
        ("copies", "eve says all that ada {x} does: it is set aside"),
    ],
)
def test_who_is_set_aside_is_named_with_the_reason(reason: SetAside, note: str) -> None:
    assert notes_on(voters(*THREE[:2], standing("eve", reason, "ada {x}")), kept()) == (note,)


def test_a_pair_of_relatives_is_named_once_the_nearest_first() -> None:
    assert notes_on(voters(*THREE, eve_ada=0.25, ada_bob=0.0), kept()) == (
        "ada and bob are relatives (they share more than voters usually do): neither counts for the other",
        "ada and eve are relatives (they share more than voters usually do): each counts less for the other "
        "(0.25 of a vote)",
    )


def test_many_relatives_are_some_lines() -> None:
    names = [f"m{number}" for number in range(6)]
    pairs = {(one, two): 0.5 for one in names for two in names if one < two}
    notes = notes_on(replace(voters(*map(standing, names)), kinship=pairs), kept())
    assert len(notes) == 6
    assert notes[-1] == "10 further pairs of voters are relatives"


def test_below_30_rows_nothing_is_known_of_them() -> None:
    assert notes_on(Voters(29), kept(29, ada=29)) == (
        "fewer than 30 rows: their strength is not known; each voter counts by its weight alone",
    )
    assert notes_on(Voters(), kept(0)) == ()


def meta(known: Voters, strategy: str = "vouched", **changed: str) -> dict[str, str]:
    config = {"config": json.dumps({"ensemble.strategy": strategy}), "state": "finished"}
    return {**config, **noted(known), **noted_kept(kept(10, ada=9)), **changed}


def test_the_table_has_the_strongest_first_and_those_set_aside_last() -> None:
    known = voters(
        replace(standing("ada", weight=2.0), strength=0.8),
        replace(standing("bob", "weak"), strength=1.5),
        replace(standing("eve"), strength=1.2),
    )
    seen = seen_voters(meta(known))
    assert seen is not None
    assert [(one.name, one.won, one.share, one.weight, one.why) for one in seen.voters] == [
        ("eve", 0, 0.0, 1.0, ""),
        ("ada", 9, 0.9, 2.0, ""),
        ("bob", 0, 0.0, 1.0, "others say little of what it says"),
    ]
    assert seen.notes == notes_on(known, kept(10, ada=9))


def test_only_a_finished_run_that_has_learned_of_its_voters_shows_them() -> None:
    known = voters(*THREE)
    assert seen_voters(meta(known)) is not None
    assert seen_voters(meta(known, state="running")) is None
    assert seen_voters(meta(known, "consensus")) is None  # what it noted is of an earlier selection
    assert seen_voters(meta(Voters())) is None
    for name in ("voters", "kept"):
        assert seen_voters({key: value for key, value in meta(known).items() if key != name}) is None
    assert seen_voters({}) is None
    assert kept_of({}) is None


def counted(examples: list[Example]) -> Kept:
    counts = KeptCounts()
    for example in examples:
        counts.add(example)
    return counts.kept


def test_agreement_is_told_by_length_in_whatever_order_the_rows_come() -> None:
    examples = [
        replace(example, output=" ".join(["word"] * (1, 5, 6, 50, 51)[number % 5]), basis="answer")
        for number, example in enumerate(made_examples(40))
    ]
    numbers = counted(examples)
    assert counted(examples[::-1]) == numbers
    assert [(band.words, band.rows) for band in numbers.lengths] == [
        ("up to 5 words", 16), ("6 to 50 words", 16), ("over 50 words", 8),
    ]  # fmt: skip
    few = [example.agreement for number, example in enumerate(examples) if number % 5 < 2]
    assert (numbers.lengths[0].mean, numbers.lengths[0].deviation) == pytest.approx((fmean(few), pstdev(few)))
    assert numbers.bases == {"answer": 40}
    assert numbers.won == {"granite": 40, "instance": 40}
    assert numbers.caution == ""  # long ones that agree by something else than their whole texts
    assert kept_of({"state": "finished", **noted_kept(numbers)}) == numbers


def test_long_outputs_that_agree_by_their_texts_are_warned_of() -> None:
    (example, *_) = made_examples(10)
    long = replace(example, output="word " * 51)
    assert counted([long]).caution == LONG_TEXTS
    assert counted([replace(long, output="word " * 50)]).caution == ""
    assert counted([replace(long, basis="result")]).caution == ""
    assert counted([replace(long, ratings=(0.5, 1.0, None))]).caution == ""  # rated, not agreed on
    assert counted([]) == Kept(examples=0, won={}, bases={}, lengths=(), caution="")
