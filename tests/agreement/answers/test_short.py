# ruff: noqa: RUF001 - letters and marks of other scripts
"""Short answers: the same however they are written, and never the same where a word, a sign or an order differs."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.agreement.answers.short import ShortAnswers
from ensemble_instruct.agreement.ensemble import ensemble
from ensemble_instruct.agreement.task_ballots import task_ballot
from ensemble_instruct.records import Instance

ITEMS = ["red", "blue", "oak tree", "7", "Ελλάδα", "猫", "no name"]
SORT = "Sort these words from A to Z: tiger, lion, bear"
ROW = "Turn the list around: [1,2,3]"
CAPITAL = "What is the capital of Norway?"
MOOD = "Classify the sentiment as positive or negative."
HOT = "Is it hot or not?"
CHOICE = "A) Rome B) Paris. Which one is in France?"
LARGER = "Which is bigger, a cat or a dog?"


def same(task: str, one: str, other: str) -> bool:
    answers = ShortAnswers(task, [one, other])
    found = answers.same(0, 1)
    assert answers.same(1, 0) == ShortAnswers(task, [other, one]).same(0, 1) == found
    return found


@pytest.mark.parametrize(
    ("task", "one", "other"),
    [
        ("Name three primes.", "2, 3 and 5", "- 5\n- 3\n- 2"),
        ("Name three primes.", "[2, 3, 5]", "1. two\r\n2. three\r\n3. five"),
        ("Name colours.", "red, and blue", "['blue', 'red']"),
        ("Farben?", "rot und blau", "blau, rot"),
        ("列出三种水果", "苹果、香蕉、梨", "梨，苹果，香蕉"),
        (SORT, "bear, lion, tiger", "bear\nlion\ntiger"),
        (SORT, "bear, lion, tiger", "1. bear 2. lion 3. tiger".replace(" 2", "\n2").replace(" 3", "\n3")),
        (ROW, "[3,2,1]", "3, 2, 1"),
        ("How many?", "1,000", "1000"),
        ("How many?", "3.50", "3.5"),
        ("How many?", "Three.", "3"),
        ("How many?", "one", "1"),
        ("How many?", "thirteen", "13"),
        ("How many?", "\u22125", "-5"),
        ("How many apples are left?", "There are three apples left.", "3"),
        ("How much is 3 + 4?", "3 + 4 = 7", "7"),
        (CAPITAL, "The capital of Norway is Oslo.", "Oslo"),
        (CAPITAL, "It's Oslo", "**Oslo**"),
        (CAPITAL, "The answer is Oslo.", "- Oslo"),
        (CAPITAL, "Die Antwort ist Oslo", "Oslo"),
        ("首都？", "答案：奥斯陆。", "奥斯陆"),
        ("ما عاصمة النرويج؟", "أوسلو", "أوسلو."),
        ("Какая столица?", "Осло", "«осло»"),
        (MOOD, "The sentiment is positive.", "Positive"),
        (HOT, "Yes, it is.", "yes"),
        (HOT, "No, it isn't", "No."),
        ("Stimmt das?", "Nein, das stimmt nicht", "nein"),
        (CHOICE, "B) Paris", "B"),
        (CHOICE, "(B) Paris", "b."),
        (LARGER, "the dog", "Dog"),
        ("Which emoji?", "😀", " 😀\n"),
    ],
)
def test_the_same_answer_in_another_form(task: str, one: str, other: str) -> None:
    assert same(task, one, other)


@pytest.mark.parametrize(
    ("task", "one", "other"),
    [
        ("Name colours.", "red, blue", "red, green"),
        (SORT, "bear, lion, tiger", "tiger, lion, bear"),
        (SORT, "1. bear\n2. lion\n3. tiger", "1. tiger\n2. lion\n3. bear"),
        (SORT, "bear", "bear, lion, tiger"),
        (ROW, "[3,2,1]", "[1,2,3]"),
        ("排序：虎、狮、熊", "熊、狮、虎", "虎、狮、熊"),
        ("Rank the planets by size.", "Jupiter, Saturn", "Saturn, Jupiter"),
        ("How many?", "-5", "5"),
        ("How many?", "1/2", "12"),
        ("How many?", "3", "three hundred"),
        ("How much is 3 + 4?", "3 + 4 = 7", "3 + 4 = 8"),
        ("How much?", "$5", "5%"),
        (CAPITAL, "Oslo", "Bergen"),
        (CAPITAL, "Oslo", "not Oslo"),
        (CAPITAL, "The answer is not Oslo", "Oslo"),
        (MOOD, "Definitely positive", "Definitely negative"),
        (MOOD, "positive overall", "negative overall"),
        (HOT, "not sunny", "sunny"),
        (HOT, "It isn't hot", "It is hot"),
        (HOT, "It is not hot", "It is hot"),
        (HOT, "yes", "no"),
        ("Ist es heiß?", "nicht heiß", "heiß"),
        ("Is it on or off?", "switched on", "switched off"),
        ("Is it spam?", "no spam", "spam"),
        (CHOICE, "A) Rome", "B) Paris"),
        (CHOICE, "A", "B) Paris"),
        (LARGER, "cat", "A dog is bigger than a cat"),
        (LARGER, "dog is bigger than cat", "cat is bigger than dog"),
        ("Who chases whom, cat or dog?", "dog chases cat quickly", "cat chases dog quickly"),
        ("Put into the past.", "He was happy", "He is happy"),
        ("Put into the past.", "I went", "We went"),
        ("Where is it?", "in the box", "at the box"),
        ("Which operator?", "!=", "="),
        ("Which operator?", "a < b", "a > b"),
        ("Which language?", "C++", "C#"),
        ("Which call?", "print(x)", "print(y)"),
        ("Which emoji?", "😀", "😢"),
        ("Say nothing.", "", ""),
        ("Say nothing.", " ", "\n"),
        ("Say nothing.", "", "nothing"),
        ("Who?", "John Smith", "Smith, John"),
    ],
)
def test_another_answer_however_alike_it_looks(task: str, one: str, other: str) -> None:
    assert not same(task, one, other)


@settings(deadline=None)
@given(st.lists(st.sampled_from(ITEMS), min_size=2, max_size=5, unique=True), st.randoms(use_true_random=False))
def test_a_list_is_the_same_in_every_form_and_any_order_unless_the_task_has_its_items(
    items: list[str], rng: random.Random
) -> None:
    forms = [
        ", ".join(items), ",".join(items), "\n".join(items), "; ".join(items), f"[{', '.join(items)}]",
        "\n".join(f"- {item}" for item in items), "\n".join(f"{n}. {item}" for n, item in enumerate(items, 1)),
        f"{', '.join(items[:-1])} and {items[-1]}", f"{', '.join(items[:-1])}, and {items[-1]}",
    ]  # fmt: skip
    assert all(same("Name some.", rng.choice(forms), form) for form in forms)
    mixed = rng.sample(items, len(items))
    assert same("Name some.", rng.choice(forms), ", ".join(mixed))
    assert same(f"Sort these: {', '.join(items)}.", rng.choice(forms), ", ".join(mixed)) == (mixed == items)


@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_being_the_same_is_mutual_and_an_output_is_the_same_as_itself(task: str, one: str, other: str) -> None:
    same(task, one, other)
    assert same(task, one, one) == bool(one.strip())


def test_what_is_looked_at_depends_on_how_long_the_outputs_are() -> None:
    def basis(*outputs: str) -> str:
        return task_ballot(Instance(kind="output_only", instruction=CAPITAL, input="", output=""), outputs).basis

    long = "Norway is a country in the north of Europe with many mountains"
    assert basis("Oslo", "Oslo, Norway", long) == "answer"
    assert basis("Oslo", long, long) == "text"
    assert basis("Oslo", "", "") == "answer"
    assert basis("", " ") == "text"


def test_no_row_is_kept_whose_short_outputs_all_differ() -> None:
    rows = [{"a": "tiger, lion, bear", "b": "lion, tiger, bear", "c": "tiger, bear, lion"}] * 40
    for bound in ({}, {"keep": 1.0}, {"min_confidence": 0.01}):
        chosen = ensemble(rows, tasks=[SORT] * len(rows), **bound)  # type: ignore[arg-type]
        assert {(one.output, one.reason) for one in chosen} == {(None, "all_differ")}
    kept = ensemble(rows, tasks=[SORT] * len(rows), min_confidence=0.0)
    assert all(one.output is not None for one in kept)


def test_two_of_three_are_enough_and_words_of_the_task_are_none() -> None:
    (chosen,) = ensemble([{"a": "bear, lion, tiger", "b": "bear\nlion\ntiger", "c": "tiger, lion, bear"}], tasks=[SORT])
    assert chosen.output in ("bear, lion, tiger", "bear\nlion\ntiger")
    assert chosen.agreement == pytest.approx(0.5)
    assert list(chosen.scores.values()) == [0.5, 0.5, 0.0]


@pytest.mark.parametrize(
    "part", [" ", "\n", ", ", "a, ", "- ", "1. ", "and ", "is ", "the ", "-", "猫、", "'", "yes,", "(", "1,000 "]
)
def test_a_huge_output_or_task_takes_time_in_proportion_to_its_length(part: str) -> None:
    def seconds(size: int) -> float:
        huge = "x" + part * (size // len(part)) + "x"
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            for task, outputs in ((CAPITAL, [huge, "Oslo", "x"]), (huge, ["a, x", "x, a", "Oslo"])):
                answers = ShortAnswers(task, outputs)
                assert not answers.same(0, 2)
            best = min(best, time.process_time() - began)
        return best

    small = seconds(20_000)
    assert seconds(320_000) < 16 * 4 * (small + 0.001)


DIFFERENT = [
    (
        CAPITAL,
        ["The capital of Norway is Oslo.", "The capital of Norway is Bergen.", "The capital of Norway is Bo."],
    ),
    ("Sort: pear fig apple kiwi plum lime", ["apple fig kiwi lime pear plum", "fig apple kiwi lime pear plum"]),
    ("Wann war das?", ["2020年5月3日", "2021年6月4日", "2019年5月3日"]),
    ("一共多少钱?", ["一共是三十五元", "一共是四十二元", "一共是二十七元"]),
    ("How do you take your coffee?", ["with milk", "without milk", "milk"]),
    ("When does it open?", ["until Monday", "from Monday", "Monday"]),
    ("When does it open?", ["3 am", "3 pm", "3"]),
    ("How many?", ["above 5", "below 5", "5"]),
]


@pytest.mark.parametrize(("task", "outputs"), DIFFERENT, ids=[outputs[0] for _, outputs in DIFFERENT])
def test_short_outputs_that_turn_on_one_word_all_differ(task: str, outputs: list[str]) -> None:
    (selected,) = ensemble([outputs], tasks=[task])
    assert (selected.output, selected.reason) == (None, "all_differ")


def test_of_the_same_answers_the_usual_wording_is_chosen() -> None:
    rows = [["Oslo", "Oslo", "The capital is Oslo"], ["The capital is Oslo", "Oslo", "Oslo", "Oslo"]]
    assert [selected.output for selected in ensemble(rows, tasks=[CAPITAL] * 2)] == ["Oslo", "Oslo"]
    (selected,) = ensemble([["Yes", "Yes, it is very cold today", "No"]], tasks=["Is it cold?"])
    assert selected.output is not None
