"""`evaluate` gives what a plain count over all subsets with rouge-score gives, and says what it cannot read."""

from __future__ import annotations

import json
import math
import random
import re
from functools import cache
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from rouge_score.rouge_scorer import RougeScorer

from ensemble_instruct.agreement.ballots import ballot
from ensemble_instruct.agreement.evaluation import evaluate, part_of, subsets_of
from ensemble_instruct.agreement.strategies import balanced
from ensemble_instruct.agreement.voters.standing import Standing
from ensemble_instruct.cli.commands.evaluate import evaluation_json, evaluation_lines
from ensemble_instruct.errors import UsageError
from ensemble_instruct.records import DEFAULT_STRATEGY
from ensemble_instruct.rouge import normalised
from tests.conftest import SHARED, Cli, needs_shared
from tests.support.good_input import write

USER_TASKS = SHARED / "golden" / "user-tasks" / "dev.jsonl"
MODELS = ("ant", "bee", "cat", "dog")
TEXT = "the river runs slowly past seven quiet houses, and nobody walked there: Running Houses!"
WORDS = TEXT.split()
KEYS = {"kept_share", "kept_score", "all_score", "kept_interval", "all_interval", "kept_words", "all_words"}
SCORER = RougeScorer(["rougeL"], use_stemmer=True)

Pick = tuple[str | None, float]


def task(chosen: random.Random) -> dict[str, Any]:
    """A task whose outputs are now and then equal, empty, without a common word, or the input again."""
    reference = chosen.choices(WORDS, k=chosen.randint(3, 12))
    outputs: dict[str, str] = {}
    for model in MODELS:
        tokens = [word if chosen.random() < 0.6 else chosen.choice(WORDS) for word in reference]
        text = " ".join(tokens[: chosen.randint(1, 12)])
        odd = chosen.choice(["", "nowhere", "say it", text.upper() + "!", *(outputs.values() or ["zebra"])])
        outputs[model] = odd if chosen.random() < 0.3 else text
    return {
        "instruction": "Say it", "input": chosen.choice(["", "the river"]), "reference": " ".join(reference),
        "outputs": outputs,
    }  # fmt: skip


def tasks(count: int = 15, seed: int = 1) -> list[dict[str, Any]]:
    chosen = random.Random(seed)
    return [task(chosen) for _ in range(count)]


@cache
def rouge(first: str, second: str) -> float:
    return float(SCORER.score(first, second)["rougeL"].fmeasure)


def rouge_words(text: str) -> list[str]:
    tokens: list[str] = SCORER._tokenizer.tokenize(text)
    return tokens


def agreement(first: str, second: str) -> float:
    return 1.0 if normalised(first) == normalised(second) != "" else rouge(first, second)


def mean_agreement(texts: list[str], place: int) -> float:
    return fmean(agreement(texts[place], text) for other, text in enumerate(texts) if other != place)


def by_consensus(texts: list[str]) -> Pick:
    filled = [place for place, text in enumerate(texts) if text]
    if not filled:
        return None, 0.0
    means = [mean_agreement(texts, place) for place in range(len(texts))]

    def rank(place: int) -> tuple[float, float, int, int, str]:
        text = texts[place]
        return -means[place], ballot([text]).repetition[0], -len(rouge_words(text)), len(text), text

    best = min(filled, key=rank)
    return texts[best], means[best]


def by_original(texts: list[str], rule: str) -> Pick:
    first, second, third = map(normalised, texts)
    pairs = [rouge(first, second), rouge(first, third), rouge(second, third)]
    means = [fmean(pairs[at] for at in others) for others in ((0, 1), (0, 2), (1, 2))]
    if rule == "algorithm1":
        place = (0, 0, 1)[pairs.index(max(pairs))]
        return (texts[place], means[place]) if min(pairs) > 0.01 else (None, 0.0)
    if first in (second, third):
        return texts[0], means[0]
    if second == third:
        place = 1 if rule == "released" else 0
        return texts[place], means[place]
    if min(pairs) <= 0.01:
        return None, 0.0
    sums = [pairs[0] + pairs[1], pairs[0] + pairs[2], pairs[1] + pairs[2]]
    place = sums.index(max(sums))
    return texts[place], means[place]


def by_balance(rows: list[list[str]], sources: list[str]) -> list[Pick]:
    ballots = [ballot(texts, source) for texts, source in zip(rows, sources, strict=True)]
    standing = Standing()
    names = [str(place) for place in range(len(rows[0]))]
    for given in ballots:
        standing.add(names, given.scores)
    weights = [standing.view().outsiders[name] for name in names]
    choices = [balanced(given, weights) for given in ballots]
    return [
        (None if choice.place is None else texts[choice.place], choice.confidence)
        for texts, choice in zip(rows, choices, strict=True)
    ]


def by_leader(rows: list[list[str]], sources: list[str]) -> list[Pick]:
    """Always the voter that agrees most with the others over all rows, where its output counts."""
    voters = range(len(rows[0]))
    totals = [fmean(mean_agreement(texts, voter) for texts in rows) for voter in voters]
    ranking = sorted(voters, key=lambda voter: -totals[voter])
    picks: list[Pick] = []
    for texts, source in zip(rows, sources, strict=True):
        counts = ballot(texts, source).counts
        leader = next((voter for voter in ranking if counts[voter]), None)
        picks.append((None, 0.0) if leader is None else (texts[leader], mean_agreement(texts, leader)))
    return picks


def expected(rows: list[dict[str, Any]], rule: str, size: int, keep: float | None) -> dict[str, float | None]:
    """The means over all subsets, counted one subset after the other."""
    shares, kept_scores, all_scores, kept_words, all_words = ([] for _ in range(5))
    for names in combinations(sorted(MODELS), size):
        texts = [[row["outputs"][name] for name in names] for row in rows]
        if rule in ("balanced", "single"):
            sources = [row["input"] or row["instruction"] for row in rows]
            picks = by_balance(texts, sources) if rule == "balanced" else by_leader(texts, sources)
        else:
            picks = [by_consensus(given) if rule == "consensus" else by_original(given, rule) for given in texts]
        scores = [
            0.0 if text is None else 100 * rouge(row["reference"], text)
            for row, (text, _) in zip(rows, picks, strict=True)
        ]
        kept = [place for place, (text, _) in enumerate(picks) if text is not None]
        all_words.append(fmean(len(rouge_words(picks[place][0] or "")) for place in kept))
        if keep is not None or rule in ("balanced", "consensus", "single"):
            ranked = sorted(range(len(rows)), key=lambda place: (picks[place][0] is None, -picks[place][1], place))
            kept = ranked[: int((keep or 0.529) * len(rows) + 0.5)]
        shares.append(len(kept) / len(rows))
        all_scores.append(fmean(scores))
        kept_scores.append(fmean(scores[place] for place in kept))
        kept_words.append(fmean(len(rouge_words(text)) for place in kept if (text := picks[place][0]) is not None))
    return {
        "kept_share": fmean(shares), "kept_score": fmean(kept_scores), "all_score": fmean(all_scores),
        "kept_words": fmean(kept_words), "all_words": fmean(all_words),
    }  # fmt: skip


@pytest.mark.parametrize("keep", [None, 0.3, 1.0])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_equals_a_plain_count(tmp_path: Path, size: int, keep: float | None) -> None:
    rows = tasks()
    found = evaluation_json(evaluate(write(tmp_path / "tasks.jsonl", *rows), size=size, keep=keep))
    rules = {"balanced", "consensus", "single"} | ({"released", "published", "algorithm1"} if size == 3 else set())
    assert set(found["strategies"]) == {*rules, "random", "vouched"}
    assert 0 < found["strategies"]["random"]["all_score"] <= found["oracle"]
    for rule in rules:
        counted = expected(rows, rule, size, keep)
        assert {key: found["strategies"][rule][key] for key in counted} == pytest.approx(counted, abs=1e-4), rule
    table = [[100 * rouge(row["reference"], row["outputs"][name]) for name in MODELS] for row in rows]
    subsets = list(combinations(range(len(MODELS)), size))
    singles = [[fmean(line[place] for line in table) for place in places] for places in subsets]
    assert found["best_single"] == pytest.approx(fmean(map(max, singles)), abs=1e-4)
    assert found["mean_single"] == pytest.approx(fmean(map(fmean, singles)), abs=1e-4)
    oracle = fmean(max(line[place] for place in places) for places in subsets for line in table)
    assert found["oracle"] == pytest.approx(oracle, abs=1e-4)


def test_a_part_of_a_ballot_is_the_ballot_of_the_part() -> None:
    for row in tasks(30):
        outputs = list(row["outputs"].values())
        for places in ((0, 1), (1, 2, 3), (0, 2, 3), (0, 1, 2, 3)):
            part = ballot([outputs[place] for place in places], row["input"])
            assert part_of(ballot(outputs, row["input"]), places) == part


def test_an_input_that_is_null_is_none_and_a_number_is_a_text(tmp_path: Path) -> None:
    row = {"instruction": "Add 2 and 2.", "input": "", "reference": "4", "outputs": {"a": "4", "b": "5", "c": "4"}}
    whole, loose = write(tmp_path / "a.jsonl", row), write(tmp_path / "b.jsonl", row | {"input": None, "reference": 4})
    assert evaluation_json(evaluate(loose)) == evaluation_json(evaluate(whole))


def test_a_rule_that_keeps_nothing_has_no_score_of_what_it_keeps(tmp_path: Path) -> None:
    row = {"instruction": "Say", "input": "", "reference": "one", "outputs": {"a": "one", "b": "two", "c": "three"}}
    path = write(tmp_path / "tasks.jsonl", row, row)
    found = evaluate(path)
    assert evaluation_json(found)["strategies"]["released"] == {
        "kept_share": 0.0, "kept_score": None, "all_score": 0.0, "kept_interval": None, "all_interval": [0.0, 0.0],
        "kept_words": None, "all_words": None,
    }  # fmt: skip
    (line,) = (line for line in evaluation_lines(found) if line.startswith("released"))
    assert line.split() == ["released", "0.0", "-", "-", "-", "0.0", "0.0-0.0", "-"]
    assert evaluation_json(evaluate(path, keep=1.0))["strategies"]["released"]["kept_score"] == 0.0


def test_the_command_prints_a_table_or_json_of_the_same(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "tasks.jsonl", *tasks())
    done, table = cli("evaluate", "tasks.jsonl", "--json"), cli("evaluate", "tasks.jsonl")
    assert (done.returncode, table.returncode, done.stderr, table.stderr) == (0, 0, "", "")
    found = json.loads(done.stdout)
    names = ["size", "keep", "tasks", "default", "strategies", "best_single", "mean_single", "oracle"]
    assert list(found)[: len(names)] == names
    assert (found["label"], found["subsets"], found["seed"], found["adjusted"]) == ("reference", 4, 0, None)
    assert (found["size"], found["keep"], found["tasks"], found["default"]) == (3, 0.529, 15, DEFAULT_STRATEGY)
    for name, result in found["strategies"].items():
        assert set(result) == KEYS
        for what in ("kept", "all"):
            low, high = result[f"{what}_interval"]
            assert 0 <= low < result[f"{what}_score"] < high <= 100
        (line,) = (line for line in table.stdout.splitlines() if line.split()[:1] == [name])
        shown = [cell for cell in line.split() if cell != "*"]
        assert ("*" in line) == (name == DEFAULT_STRATEGY)
        assert [shown[2], shown[5]] == [f"{result['kept_score']:.1f}", f"{result['all_score']:.1f}"]
    for model in MODELS:
        assert f"\n{model} " in table.stdout


def test_neither_order_of_models_nor_another_start_changes_a_number(tmp_path: Path) -> None:
    rows = tasks()
    turned = [{**row, "outputs": dict(reversed(row["outputs"].items()))} for row in rows]
    mixed = [turned[place] if place % 2 else row for place, row in enumerate(rows)]
    found = [
        evaluate(write(tmp_path / f"{place}.jsonl", *given)) for place, given in enumerate([rows, rows, turned, mixed])
    ]
    assert all(other == found[0] for other in found)


def test_where_there_are_more_subsets_than_asked_for_so_many_are_drawn(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "tasks.jsonl", *tasks())
    every, some = (cli("evaluate", "tasks.jsonl", "--size", "2", "--subsets", count).stdout for count in ("6", "4"))
    assert every.startswith("15 tasks, 4 models, 6 subsets of 2; ")
    assert some.startswith("15 tasks, 4 models, 4 subsets of 2 (of 6, seed 0); ")
    found = [
        json.loads(cli("evaluate", "tasks.jsonl", "--size", "2", "--subsets", "4", "--seed", seed, "--json").stdout)
        for seed in ("0", "0", "1")
    ]
    assert found[0] == found[1] != found[2]
    assert [(each["subsets"], each["possible"], each["seed"]) for each in found] == [(4, 6, 0), (4, 6, 0), (4, 6, 1)]


def test_a_few_subsets_of_millions_are_drawn_and_all_differ() -> None:
    drawn = subsets_of(200, 100, 150, seed=1)
    assert len(set(drawn)) == 150
    assert all(len(set(places)) == 100 and places == tuple(sorted(places)) for places in drawn)
    assert drawn != subsets_of(200, 100, 150, seed=2)
    assert len(set(subsets_of(6, 3, 19, seed=1))) == 19


def test_words_of_every_script_count_in_a_score() -> None:
    for reference in ("北京是中国的首都", "Москва большой город", "القاهرة مدينة كبيرة", "Wo die Äpfel blühen"):
        row = {"instruction": "Say", "input": "", "reference": reference, "outputs": {"a": reference, "b": "nowhere"}}
        assert {name: voter.score for name, voter in evaluate([row]).voters.items()} == {"a": 100.0, "b": 0.0}


def test_rows_in_memory_are_evaluated_as_their_file_is(tmp_path: Path) -> None:
    rows = tasks()
    assert evaluate(rows, size=2, keep=0.4) == evaluate(write(tmp_path / "tasks.jsonl", *rows), size=2, keep=0.4)


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([], {}, "rows: holds no rows"),
        (["one"], {}, "rows:1: expected a mapping"),
        ([{"instruction": "Say"}], {}, "rows:1: field 'input' is missing"),
        (tasks(), {"keep": 1.5}, "keep 1.5: is not a share"),
        (tasks(), {"utility": "rouge"}, "utility 'rouge': no such utility; there are exact, rouge-l"),
        (tasks(), {"utility": {"exact": -1}}, "utility 'exact': weight -1 is not a positive number"),
    ],
)
def test_a_mistake_in_python_is_one_line(rows: list[Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        evaluate(rows, **settings)


ASKED: dict[str, Any] = {"instruction": "Say", "input": "", "outputs": {"a": "one", "b": "two"}}
GOOD = {**ASKED, "reference": "one"}
PREFERRED = {**ASKED, "preference": {"a": 0.5, "b": None}}


@pytest.mark.parametrize(
    ("lines", "arguments", "message"),
    [
        ([], [], "tasks.jsonl: holds no rows; put one object with instruction, input, reference, outputs on each line"),
        ([GOOD, {"instruction": "Say"}], [], "tasks.jsonl:2: field 'input' is missing"),
        ([{**GOOD, "reference": None}], [], "tasks.jsonl:1: field 'reference' must be a string, found null"),
        ([{**GOOD, "outputs": ["one"]}], [], "tasks.jsonl:1: field 'outputs' must be an object, found a list"),
        ([{**GOOD, "outputs": {"a": "one", "b": 2}}], [], "tasks.jsonl:1: the output of 'b' must be a string"),
        ([{**GOOD, "outputs": {"a": "one", "b": None}}], [], "tasks.jsonl: has the outputs of 1 of the two models or"),
        (
            [GOOD, PREFERRED],
            [],
            "tasks.jsonl:2: line 2 has a preference and line 1 a reference; give all rows the same",
        ),
        ([PREFERRED, GOOD], [], "tasks.jsonl:2: line 2 has a reference and line 1 a preference"),
        ([{**GOOD, **PREFERRED}], [], "tasks.jsonl:1: has both 'reference' and 'preference'; leave one of the two out"),
        ([{**ASKED}], [], "tasks.jsonl:1: field 'reference' is missing, and 'preference' too"),
        (
            [{**PREFERRED, "preference": [1, 0]}],
            [],
            "tasks.jsonl:1: field 'preference' must be an object, found a list",
        ),
        (
            [{**PREFERRED, "preference": {"a": "1"}}],
            [],
            "the preference of 'a' must be a number or null, found a string",
        ),
        ([{**PREFERRED, "preference": {"a": True}}], [], "must be a number or null, found true or false"),
        ([{**PREFERRED, "preference": {"a": math.nan}}], [], "tasks.jsonl:1: holds NaN, which is no number of JSON"),
        ([{**PREFERRED, "preference": {"a": 10**400}}], [], "must be a number or null, found int"),
        ([{**PREFERRED, "preference": {"a": None, "c": 1}}], [], "tasks.jsonl: has no number for any output"),
        ([GOOD], ["--subsets", "0"], "'--subsets'"),
        ([GOOD], ["--size", "3"], "tasks.jsonl: has the outputs of 2 models; give a --size from 2 to 2, not 3"),
        ([GOOD], ["--size", "1"], "give a --size from 2 to 2, not 1"),
        ([GOOD], ["--keep", "0.2"], "tasks.jsonl: 0.2 of 1 tasks is less than one; give a higher --keep"),
        ([GOOD], ["--keep", "1.5"], "'--keep'"),
    ],
)
def test_a_mistake_is_one_line(cli: Cli, tmp_path: Path, lines: list[Any], arguments: list[str], message: str) -> None:
    write(tmp_path / "tasks.jsonl", *lines)
    done = cli("evaluate", "tasks.jsonl", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


@pytest.mark.slow
@needs_shared
def test_the_known_figures_of_the_user_tasks() -> None:
    """Those of rouge-score; a dozen references are not ASCII, and of these it does not see every word."""
    found = evaluation_json(evaluate(USER_TASKS))
    assert found["tasks"] == 126
    of = found["strategies"]
    assert 100 * of["released"]["kept_share"] == pytest.approx(52.9, abs=0.06)
    assert of["released"]["kept_score"] == pytest.approx(41.5, abs=0.06)
    assert 100 * of["algorithm1"]["kept_share"] == pytest.approx(48.3, abs=0.06)
    assert of["algorithm1"]["kept_score"] == pytest.approx(37.1, abs=0.1)
    assert of["consensus"]["kept_score"] == pytest.approx(43.0, abs=0.6)
    assert of["consensus"]["all_score"] >= 28.4
    assert found["best_single"] == pytest.approx(31.4, abs=0.1)
    assert found["mean_single"] == pytest.approx(24.2, abs=0.06)
