"""An example has two numbers: how much the outputs agree, and how sure the strategy is."""

from __future__ import annotations

import warnings
from itertools import permutations
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.agreement.ballots import original_ballot
from ensemble_instruct.agreement.ensemble import ensemble
from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.agreement.strategies import released
from ensemble_instruct.errors import UsageError
from ensemble_instruct.records import RATED, Answered, Candidate, Example, Instance, Rejected, Strategy
from ensemble_instruct.steps.ensemble import select

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
TEXTS = [
    "Oslo", "oslo.", "Bergen", "1,000", "1000", "3.5", "35", "东京", "东京。", "大阪", "Москва", "القاهرة", "नई दिल्ली",
    "!!!", "a long answer of some more words", "a long answer of some other words", "<b>x</b>", "a\r\nb", "a\nb",
]  # fmt: skip


def row(*texts: str) -> Answered:
    instance = Instance(kind="output_only", instruction="Say it.", input="", output=texts[0])
    voters = (Candidate(instance.id, f"m{place}", text) for place, text in enumerate(texts[1:]))
    return Answered(instance, tuple(voters))


def chosen(strategy: Strategy, *texts: str) -> Example | Rejected:
    (record,) = select(lambda: [row(*texts)], Selection(strategy, min_confidence=0.0))
    return record


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("text", ["Oslo", "东京", "القاهرة", "42", "a\r\nb", "word " * 5000])
def test_where_all_say_the_same_the_agreement_is_one_by_every_strategy(strategy: Strategy, text: str) -> None:
    example = chosen(strategy, text, text, text)
    if strategy == "algorithm1" and not text.isascii():
        assert isinstance(example, Rejected), "it sees no words there, and keeps what it kept before"
        return
    assert isinstance(example, Example)
    assert example.agreement == 1.0
    assert 0 <= example.confidence <= 1
    assert example.basis == ("answer" if strategy == "vouched" and len(text) < 20 else "text")
    if strategy in RATED:
        return  # which need a model
    (selected,) = ensemble([[text] * 3], strategy=strategy, min_confidence=0.0)
    assert (selected.agreement, selected.confidence) == (example.agreement, example.confidence)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(STRATEGIES), st.lists(st.sampled_from(TEXTS), min_size=3, max_size=3))
def test_the_agreement_is_the_mean_of_the_output_with_the_others(strategy: Strategy, texts: list[str]) -> None:
    example = chosen(strategy, *texts)
    if isinstance(example, Example):
        score = example.scores[[candidate.text for candidate in example.candidates].index(example.output)]
        assert score <= example.agreement <= 1
        assert 0 <= example.confidence <= 1
        if strategy in ("balanced", "consensus", "single", "random"):
            assert example.agreement == score


@pytest.mark.parametrize("texts", list(permutations(["东京", "东京", "大阪"])))
def test_the_rules_of_the_original_decide_by_their_own_scores_and_show_the_agreement(texts: tuple[str, ...]) -> None:
    example = chosen("released", *texts)
    assert isinstance(example, Example)
    choice = released(original_ballot(texts), 0.01)
    assert choice.place is not None
    assert (example.output, example.confidence) == (texts[choice.place], 0.0)
    assert example.agreement == 0.5
    assert example.scores == (0.0, 0.0, 0.0)


def test_one_word_on_which_all_agree_is_agreed_on_in_full() -> None:
    example = chosen("balanced", "Oslo", "Oslo", "Oslo")
    assert isinstance(example, Example)
    assert (example.agreement, round(example.confidence, 2)) == (1.0, 0.84)
    two = chosen("balanced", "Oslo", "Oslo", "Bergen")
    assert isinstance(two, Example)
    assert (two.agreement, round(two.confidence, 2)) == (0.5, 0.34)


def test_an_output_alone_agrees_with_nobody() -> None:
    (selected,) = ensemble([["Oslo"]], strategy="consensus", min_confidence=0.0)
    assert (selected.output, selected.agreement) == ("Oslo", 0.0)


def test_the_threshold_is_one_of_confidence_not_of_agreement() -> None:
    rows = [["Oslo", "Oslo", "Bergen"]]
    (selected,) = ensemble(rows, strategy="balanced", min_confidence=0.4)
    assert (selected.output, selected.reason, selected.detail) == (None, "low_confidence", "0.338 < 0.4")
    assert selected.confidence == pytest.approx(0.338, abs=0.001)
    (kept,) = ensemble(rows, strategy="consensus", min_confidence=0.4)
    assert (kept.output, kept.confidence) == ("Oslo", 0.5)


def test_the_old_name_of_the_threshold_works_with_one_warning() -> None:
    rows = [["Oslo", "Oslo", "Bergen"], ["a", "b", "c"]]
    with pytest.warns(DeprecationWarning, match=r"^min_agreement is called min_confidence now$") as caught:
        older = ensemble(rows, strategy="consensus", min_agreement=0.4)
    assert [one.filename for one in caught] == [__file__]
    assert older == ensemble(rows, strategy="consensus", min_confidence=0.4)


@pytest.mark.parametrize("bounds", [("min_agreement", "keep"), ("min_agreement", "min_confidence")])
def test_two_bounds_at_once_are_refused_also_by_the_old_name(bounds: tuple[str, str]) -> None:
    both: dict[str, Any] = dict.fromkeys(bounds, 0.5)
    none: dict[str, Any] = dict.fromkeys(bounds)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UsageError, match="give either"):
            ensemble([["a", "b"]], **both)
        assert ensemble([["a", "a"]], **none)[0].output == "a"
