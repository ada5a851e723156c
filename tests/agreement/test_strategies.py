"""Step 5: consensus is what its definition says, whatever the order; files are joined by content; N voters."""

from __future__ import annotations

import math
import random
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from ensemble_instruct.agreement.ballots import ballot
from ensemble_instruct.agreement.choices import Choice
from ensemble_instruct.agreement.strategies import consensus as consensus_of
from tests.conftest import Cli, rows
from tests.support.good_input import write

SCORER = RougeScorer(["rougeL"], use_stemmer=True)
PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SENTENCE = "the small red boat sails over a calm sea at night"


def plain(text: str) -> str:
    return " ".join("".join(letter for letter in text.lower() if letter not in string.punctuation).split())


def agreement(one: str, other: str) -> float:
    """1 for texts that are equal but for case, punctuation and white space, else stemmed ROUGE-L F1."""
    if plain(one) == plain(other):
        return 1.0 if plain(one) else 0.0
    return float(SCORER.score(one, other)["rougeL"].fmeasure)


def consensus(outputs: Sequence[str]) -> Choice:
    return consensus_of(ballot(outputs))


def means(outputs: Sequence[str]) -> list[float]:
    """For each output its mean agreement with the others."""
    return [
        sum(agreement(one, other) for at, other in enumerate(outputs) if at != place) / (len(outputs) - 1)
        for place, one in enumerate(outputs)
    ]


# The definition


WORDS = ["a", "b", "c", "boat", "boats", "Boat", "sailing", "sailed", "sail.", "3", "A,"]
OUTPUTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join), min_size=2, max_size=6)


@pytest.mark.slow
@settings(PROPERTY, max_examples=300)
@given(outputs=OUTPUTS, rng=st.randoms(use_true_random=False))
def test_consensus_does_not_depend_on_the_order_of_the_outputs(outputs: list[str], rng: random.Random) -> None:
    order = list(range(len(outputs)))
    rng.shuffle(order)
    shuffled = [outputs[place] for place in order]
    one, other = consensus(outputs), consensus(shuffled)
    assert other.confidence == one.confidence
    assert other.reason == one.reason
    assert [other.scores[at] for at in range(len(order))] == [one.scores[place] for place in order]
    assert (one.place is None) == (other.place is None)
    if one.place is not None and other.place is not None:
        assert shuffled[other.place] == outputs[one.place]


@settings(PROPERTY, max_examples=300)
@given(outputs=OUTPUTS)
def test_consensus_keeps_an_output_of_the_highest_mean_agreement(outputs: list[str]) -> None:
    choice, expected = consensus(outputs), means(outputs)
    assert choice.scores == pytest.approx(expected)
    if not any(outputs):
        assert choice.place is None
        return
    assert choice.place is not None
    assert outputs[choice.place]
    assert choice.confidence == pytest.approx(max(mean for mean, text in zip(expected, outputs, strict=True) if text))
    assert choice.confidence == choice.scores[choice.place]


def test_consensus_compares_texts_of_every_script() -> None:
    assert consensus(["春天的风很暖", "秋天的雨", "春天的风很暖。"]).place == 0
    assert consensus(["秋天的雨", "一", "秋天的雨很冷"]).confidence > 0.3
    assert consensus(["नदी और सागर", "नदी और पहाड़", "आकाश"]).confidence == pytest.approx(1 / 3)


# Through the command


Row = dict[str, Any]
Table = Sequence[Sequence[str | None]]


def tell(folder: Path, table: Table) -> list[str]:
    """Write files of instances and of each voter, row by row; returns the options that name them.

    Even and odd rows share an instruction and differ in their input. None leaves a row out.
    """
    names = ["instances", *(f"voter{number}" for number in range(1, len(table[0])))]
    for column, name in enumerate(names):
        lines = [
            {"instruction": f"task {place // 2}", "input": "one" if place % 2 else "", "output": outputs[column]}
            for place, outputs in enumerate(table)
            if outputs[column] is not None
        ]
        write(folder / name, *lines)
    return ["--instances", "instances", *(part for name in names[1:] for part in ("--outputs", name))]


CONSENSUS = ("--strategy", "consensus")


def kept(cli: Cli, folder: Path, *arguments: str) -> list[str]:
    """The outputs that the command keeps."""
    done = cli("ensemble", *arguments, "--to", "made")
    assert done.returncode == 0, done.stderr
    return [row["output"] for row in rows(folder / "made")]


def reasons(folder: Path) -> list[str]:
    return [row["reason"] for row in rows(folder / "made.rejected.jsonl")]


def random_table(voters: int, count: int) -> list[list[str]]:
    rng = random.Random(voters)
    return [
        [f"{place} " + " ".join(rng.sample(SENTENCE.split(), rng.randrange(2, 9))) for _ in range(1 + voters)]
        for place in range(count)
    ]


def test_keep_takes_the_most_agreed_on_share_of_the_rows_in_their_order(cli: Cli, tmp_path: Path) -> None:
    table = random_table(voters=3, count=20)
    best = [max(means(outputs)) for outputs in table]
    limit = sorted(best)[8]
    assert sorted(best)[7] < limit
    made = kept(cli, tmp_path, *tell(tmp_path, table), *CONSENSUS, "--keep", "0.6")
    assert [int(output.split()[0]) for output in made] == [place for place in range(20) if best[place] >= limit]
    assert reasons(tmp_path) == ["below_share"] * 8


def test_keep_counts_the_rows_without_any_output_too(cli: Cli, tmp_path: Path) -> None:
    table = [["", "", ""], ["a b", "a c", "d"], ["a b c", "a b c", "a b d"], ["", "", ""], ["a", "a", "a"]]
    assert kept(cli, tmp_path, *tell(tmp_path, table), *CONSENSUS, "--keep", "0.4") == ["a b c", "a"]
    assert sorted(reasons(tmp_path)) == ["below_share", "empty_outputs", "empty_outputs"]
    assert kept(cli, tmp_path, *tell(tmp_path, table), "--keep", "0.2") == ["a"]
    assert sorted(reasons(tmp_path)) == ["all_differ", "below_share", "empty_outputs", "empty_outputs"]


def test_min_confidence_keeps_what_reaches_it(cli: Cli, tmp_path: Path) -> None:
    options = [*tell(tmp_path, [["a b", "a c"], ["a b c d", "a x y z"], ["same.", "Same"], ["a", "b"]]), *CONSENSUS]
    assert kept(cli, tmp_path, *options, "--min-confidence", "0.5") == ["a b", "Same"]
    assert reasons(tmp_path) == ["low_confidence"] * 2
    assert kept(cli, tmp_path, *options, "--min-confidence", "0.51") == ["Same"]


def test_four_voters_decide_together_in_any_order(cli: Cli, tmp_path: Path) -> None:
    table = [
        ["five", "six", "six", "six", "five"],
        ["a red boat", "green", "the red boat", "red boats", "blue"],
        ["", "", "alone", "", ""],
        *random_table(voters=4, count=15),
    ]
    options = tell(tmp_path, table)
    made = kept(cli, tmp_path, *options, *CONSENSUS, "--min-confidence", "0")
    assert made[:3] == ["six", "red boats", "alone"]
    for output, outputs in zip(made[3:], table[3:], strict=True):
        assert means(outputs)[outputs.index(output)] == pytest.approx(max(means(outputs)))
    before = (tmp_path / "made").read_bytes()
    swapped = [options[at] for at in (0, 1, 6, 7, 4, 5, 8, 9, 2, 3)]
    kept(cli, tmp_path, *swapped, *CONSENSUS, "--min-confidence", "0")
    assert (tmp_path / "made").read_bytes() == before


def test_one_voter_and_the_instance_are_enough(cli: Cli, tmp_path: Path) -> None:
    options = tell(tmp_path, [["Yes!", "yes"], ["yes", "no"]])
    for strategy, reason in (("vouched", "all_differ"), ("balanced", "low_confidence")):
        assert kept(cli, tmp_path, *options, "--strategy", strategy) == ["yes"]
        assert reasons(tmp_path) == [reason]


@pytest.mark.parametrize("strategy", ["consensus", "released"])
def test_outputs_are_joined_by_content_when_a_file_is_shuffled(cli: Cli, tmp_path: Path, strategy: str) -> None:
    options = [*tell(tmp_path, random_table(voters=2, count=30)), "--strategy", strategy]
    assert kept(cli, tmp_path, *options)
    made = (tmp_path / "made").read_bytes()
    for number in (1, 2):
        lines = rows(tmp_path / f"voter{number}")
        random.Random(number).shuffle(lines)
        write(tmp_path / f"voter{number}", *lines)
    kept(cli, tmp_path, *options)
    assert (tmp_path / "made").read_bytes() == made


def test_a_row_that_a_voter_lacks_is_decided_by_the_others(cli: Cli, tmp_path: Path) -> None:
    table: Table = [
        ["a red boat", None, "A red boat"],
        ["green", "a red boat", None],
        ["a red boat", None, None],
        ["a b", "a b", "a b"],
    ]
    options = tell(tmp_path, table)
    assert kept(cli, tmp_path, *options) == ["A red boat", "a b"]
    assert reasons(tmp_path) == ["all_differ"] * 2
    assert kept(cli, tmp_path, *options, "--strategy", "released") == ["a b"]
    assert reasons(tmp_path) == ["missing_output"] * 3


@pytest.mark.parametrize(("strategy", "voters"), [("released", 1), ("published", 3), ("algorithm1", 4)])
def test_the_strategies_of_three_refuse_another_number_of_voters(
    cli: Cli, tmp_path: Path, strategy: str, voters: int
) -> None:
    options = tell(tmp_path, random_table(voters, count=2))
    before = sorted(tmp_path.iterdir())
    done = cli("ensemble", *options, "--strategy", strategy, "--to", "made")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert strategy in done.stderr
    assert "consensus" in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_a_config_with_a_strategy_of_three_and_three_voters_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("""
models: {a: {model: a}, b: {model: b}, c: {model: c}}
roles: {instructions: a, instances: a, outputs: [a, b, c]}
ensemble: {strategy: algorithm1}
""")
    done = cli("run", "config.yaml", "--out", "made")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "config.yaml:3: roles.outputs: " in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_agreement_sums_are_exact() -> None:
    outputs = ["a b c", "a b d", "a e f g", "b a", "c a b"]
    scores = consensus(outputs).scores
    for place, one in enumerate(outputs):
        others = [agreement(one, other) for at, other in enumerate(outputs) if at != place]
        assert scores[place] == math.fsum(others) / 4
