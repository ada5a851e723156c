"""Which output ratings choose: the best that may be chosen, whatever the order, and one without a rating last."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.agreement.ballots import Ballot, ballot
from ensemble_instruct.agreement.choices import Choice, Question
from ensemble_instruct.agreement.ratings import Ratings, mean_rating
from ensemble_instruct.agreement.strategies import choose, consensus
from ensemble_instruct.quality.hit import Hit

OUTPUTS = ("the sea is blue", "the sea is green", "a sea", "say it")
NUMBERS = st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0])


def chosen(outputs: Ballot, ratings: Ratings) -> Choice:
    voters = tuple(f"m{place}" for place in range(len(outputs.outputs)))
    return choose(Question(outputs, voters, ratings=ratings), "judged")


@pytest.mark.parametrize(
    ("ratings", "place", "confidence"),
    [
        ((0.25, 0.5, 0.75, 0.0), 2, 0.75),
        ((0.0, None, None, None), 0, 0.0),  # a bad rating comes before none
        ((None, 0.5, 0.5, 1.0), 1, 0.5),  # the last only repeats the task; of equal ones that with more words
    ],
)
def test_the_highest_rating_decides(ratings: Ratings, place: int, confidence: float) -> None:
    choice = chosen(ballot(OUTPUTS, "Say it"), ratings)
    assert (choice.place, choice.confidence) == (place, confidence)
    assert choice.scores == ballot(OUTPUTS, "Say it").scores, "agreement is what it was"


def test_what_a_filter_bars_is_not_chosen_even_where_nothing_else_is_rated() -> None:
    outputs = replace(ballot(OUTPUTS), barred=(Hit("toxic", "x"), None, None, None))
    assert chosen(outputs, (1.0, 0.25, 0.5, None)).place == 2
    choice, best = chosen(outputs, (1.0, None, None, None)), consensus(outputs)
    assert (choice.place, choice.confidence) == (best.place, best.confidence) == (1, outputs.scores[1])
    all_barred = replace(outputs, barred=(Hit("toxic", "x"),) * 4)
    assert (chosen(all_barred, (1.0, 0.5, None, 0.0)).place, chosen(all_barred, ()).reason) == (None, "toxic")


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.sampled_from([*OUTPUTS, "", " "]), NUMBERS), min_size=1, max_size=6), st.randoms())
def test_the_order_of_the_outputs_never_matters(rated: list[tuple[str, float | None]], rng: random.Random) -> None:
    known = {text: rating if text.strip() else None for text, rating in rated}
    texts = [text for text, _ in rated]

    def found(order: list[str]) -> tuple[str | None, float, str]:
        choice = chosen(ballot(order), tuple(known[text] for text in order))
        return None if choice.place is None else order[choice.place], choice.confidence, choice.reason

    first = found(texts)
    rng.shuffle(texts)
    assert found(texts) == first


@given(st.lists(st.integers(1, 5), min_size=1, max_size=60), st.randoms())
def test_a_mean_is_the_same_in_any_order_and_on_any_number_of_judges(ratings: list[int], rng: random.Random) -> None:
    first = mean_rating(ratings, 1, 5)
    assert first is not None
    assert 0 <= first <= 1
    rng.shuffle(ratings)
    assert mean_rating(ratings, 1, 5) == mean_rating(ratings * 2, 1, 5) == first
    assert mean_rating([], 1, 5) is None
