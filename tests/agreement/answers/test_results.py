# ruff: noqa: RUF001 - letters and marks of other scripts
"""Results: long outputs agree when what they end in is the same, and only what is a result counts as one."""

from __future__ import annotations

import time

import pytest

from ensemble_instruct.agreement.answers.results import is_same_result, result_of, results_of
from ensemble_instruct.agreement.ensemble import ensemble
from ensemble_instruct.agreement.task_ballots import task_ballot
from ensemble_instruct.records import Instance

PRICE = Instance(kind="output_only", instruction="What do all the boxes cost together?", input="", output="")
WAY = "First we count the boxes, of which there are three on each shelf, and then add up what each of them costs."
OTHER_WAY = "Let x be what remains; by the rule of three, and since nothing else was bought that day, we find it."


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (r"So it is $\boxed{42}$.", "42"),
        (r"So it is \boxed{\frac{3}{4}}.", "3/4"),
        (r"So it is \boxed{\text{(C)}}, as said.", "c"),
        (r"\boxed{1{,}000} is what we get", "1000"),
        (r"We get \boxed{50\%}", "50%"),
        (r"\boxed{2*3}", "2*3"),
        ("a\n#### 42", "42"),
        ("a\r\n#### $1,200\r\n", "1200"),
        ("The answer is 12.", "12"),
        ("The answer is: **12**\nI hope that this helps!", "12"),
        ("The answer is 12 because 3 * 4 is 12.", "12"),
        ("Final answer: B", "b"),
        ("**Answer:** (C)", "c"),
        ("Answer: (C) Oslo", "c"),
        ("The correct answer is option B.", "b"),
        ("Therefore, the answer is $1,200$.", "1200"),
        ("Therefore, the answer is \\$1,200.50.", "1200.5"),
        ("The answer is \u22125.", "-5"),
        ("The answer is Beijing.", "beijing"),
        ("The answer to the question of life is 42!", "42"),
        ("we add\n12", "12"),
        ("we add\n(B)", "b"),
        ("we add\n**12 km**", "12 km"),
        ("### Answer\n12", "12"),
        ("Die Antwort ist 12.", "12"),
        ("uno\nRespuesta: 12", "12"),
        ("La réponse est 12.", "12"),
        ("раз\nОтвет: 12.", "12"),
        ("所以答案是 12。", "12"),
        ("一\n答案：B", "b"),
        ("الجواب: 12", "12"),
    ],
)
def test_the_result_that_an_output_ends_in(text: str, result: str) -> None:
    assert result_of(text) == result


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The answer is not simple. It depends on many things.",
        "The answer is to be found in ourselves.",
        "The answer is that nobody knows",
        "The answer is simple: love.",
        "The answer is",
        "There is no answer to this.",
        "As a result, I left. As a result is what I call it.",
        "The result is a delicious cake.",
        "My solution is to wait.",
        "Roses are red\nViolets are blue\nSo am I\nI",
        "1\n2\n3",
        "1. one\n2. two\n3. three",
        "Flour: 300 g\nSugar: 100 g\nMilk: 200 ml",
        "Stir.\nServes: 4",
        "Prep: 15 min\nCook: 30 min\nTotal: 45 min",
        "Name: Tom\nAge: 12",
        "It is a fine town.\n\nPopulation: 700000",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "def f(x):\n    result = []\n    return result",
        "answer = compute(x)",
        "Here is more:\n#### Tips\nEat well, and sleep well.",
        "\\boxed{",
        "\\boxed{}",
    ],
)
def test_what_is_no_result(text: str) -> None:
    assert result_of(text) == ""


def test_a_number_is_the_same_number_of_something_but_two_things_differ() -> None:
    assert is_same_result("12", "12 apples")
    assert not is_same_result("50%", "50")
    assert not is_same_result("5 million", "5")
    for one, other in (("3 hours", "3 minutes"), ("12", "12x"), ("1", "12 apples"), ("12", "12 / 3"), ("", "12")):
        assert not is_same_result(one, other)
        assert not is_same_result(other, one)


def test_most_outputs_must_have_a_result_and_one_that_is_nothing_else_has_one() -> None:
    assert results_of([f"{WAY} The answer is 12.", "12", "$12"]) == ("12", "12", "12")
    assert results_of([f"{WAY} The answer is 12.", WAY, OTHER_WAY]) == ()
    assert results_of(["12", "12"]) == ()
    assert results_of([]) == ()


def test_outputs_with_the_same_result_agree_and_the_reasoning_votes_for_less() -> None:
    outputs = [f"{WAY} The answer is 12.", f"{OTHER_WAY}\n#### 12", f"{WAY} The answer is 13."]
    found = task_ballot(PRICE, outputs)
    assert found.basis == "result"
    assert found.matrix[0][1] > 0.8
    assert found.matrix[0][2] < 0.2
    without = task_ballot(PRICE, outputs, with_results=False)
    assert without.basis == "text"
    assert without.matrix[0][2] > 0.8
    (chosen,) = ensemble([outputs], tasks=[PRICE.instruction])
    assert chosen.output in outputs[:2]


@pytest.mark.parametrize(
    "part",
    [
        "\\boxed{", "\\boxed{{", "\\text{", "answer is ", "answer to ", "the result of ", "#### ", "1,", "1 ", "\n",
        " ", "**", "答案", "a: ", "$", "(", "\\frac{1}", "Answer: 1\n", "x = ",
    ],
)  # fmt: skip
def test_a_huge_output_takes_time_in_proportion_to_its_length(part: str) -> None:
    def seconds(size: int) -> float:
        texts = [part * (size // len(part)), (part * (size // len(part)))[::-1]]
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            results_of(texts)
            best = min(best, time.process_time() - began)
        return best

    small = seconds(20_000)
    assert seconds(320_000) < 16 * 4 * (small + 0.001)
