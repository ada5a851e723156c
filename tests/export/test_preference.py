"""Preference pairs out of a run, read back as a trainer would: who won, who was rejected, and what was left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ensemble_instruct.export.formats import preference_row
from tests.conftest import rows
from tests.support.forks import Forks, on_path

CASES = {
    "Clear": {
        "instance": "red green blue",
        "a": "red green blue",
        "b": "red green pink",
        "c": "red lime",
        "d": "mauve",
    },
    "Longer": {"instance": "red green", "a": "red green", "b": "grey", "c": "violet cream", "d": "red green"},
    "Alphabet": {"instance": "red green", "a": "red green", "b": "olive", "c": "azure", "d": "red green"},
    "Shared": {"instance": "grün\n\n日本", "a": "olive 😀", "b": "olive 😀", "c": "grün\n\n日本", "d": "grün\n\n日本"},
    "Outvoted": {"instance": "violet cream", "a": "red green", "b": "red green", "c": "red green", "d": "red green"},
    "Same": dict.fromkeys(("instance", "a", "b", "c", "d"), "red green"),
    "Cased": {"instance": "red green", "a": "Red green", "b": "red green.", "c": "Red Green", "d": "red  green"},
    "Blank": {"instance": "red green", "a": "red green", "b": "   ", "c": "red green", "d": ""},
}
"""What is answered to an instruction that begins with the word, by the instance and each voter."""
PAIRS = {
    "Clear": ("red green blue", "mauve", (1 + 2 / 3 + 2 / 5 + 0) / 4, ["a", "instance"], ["d"]),
    "Longer": ("red green", "violet cream", 1 / 2, ["a", "d", "instance"], ["c"]),
    "Alphabet": ("red green", "azure", 1 / 2, ["a", "d", "instance"], ["c"]),
    "Shared": ("grün\n\n日本", "olive 😀", 1 / 2 - 1 / 4, ["c", "d", "instance"], ["a", "b"]),
    "Outvoted": ("red green", "violet cream", 3 / 4, ["a", "b", "c", "d"], ["instance"]),
}
"""The chosen and the rejected text, the margin, and the voters of each; the other cases have no pair."""
SCRIPTS = '''
"""Models that answer by the first word of the instruction."""
import random
from ensemble_instruct.records import Request

WORDS = "amber birch cedar delta ember flint grove haven inlet jade kelp larch north opal pine river".split()
CASES = {cases}

def case(prompt: str) -> str:
    return max(CASES, key=lambda word: prompt.rfind(word + " words"))

def base(request: Request) -> str:
    if request.step == "instructions":
        chosen = random.Random(request.sampling.seed).sample([*WORDS, *WORDS], 10)
        return f" {{random.Random(request.sampling.seed).choice(sorted(CASES))}} words {{' '.join(chosen)}}."
    task_input = "input: ein Wert\\n" if request.kind == "input_output" else ""
    return f"{{task_input}}output: {{CASES[case(request.prompt)]['instance']}}"
''' + "".join(f"\ndef {voter}(request): return CASES[case(request.prompt)]['{voter}']\n" for voter in "abcd")
CONFIG = """
profile: {profile}
instructions: {{target: {{input_output: 12, output_only: 12}}, window: 4}}
models:
  base: {{provider: scripted, function: "case_scripts:base"}}
  a: {{provider: scripted, function: "case_scripts:a"}}
  b: {{provider: scripted, function: "case_scripts:b"}}
  c: {{provider: scripted, function: "case_scripts:c"}}
  d: {{provider: scripted, function: "case_scripts:d"}}
roles: {{instructions: base, instances: base, outputs: [{voters}]}}
ensemble: {{strategy: consensus, min_confidence: 0}}
"""
COLUMNS = ["prompt", "chosen", "rejected", "margin", "chosen_voters", "rejected_voters", "id"]


def run(
    forks: Forks, folder: Path, *cases: str, voters: str = "a, b, c, d", profile: str = "default"
) -> list[dict[str, Any]]:
    """The examples of a run of these cases; its folder is `run`."""
    (folder / "case_scripts.py").write_text(SCRIPTS.format(cases={case: CASES[case] for case in cases}))
    (folder / "config.yaml").write_text(CONFIG.format(voters=voters, profile=profile))
    done = forks.run(folder, ["run", "config.yaml", "--out", "run"], on_path(folder))
    assert done.returncode == 0, done.stderr
    all_rows = rows(folder / "run" / "examples.jsonl")
    assert {case_of(row["instruction"]) for row in all_rows} == set(cases)
    return all_rows


def case_of(text: str) -> str:
    return text.partition(" ")[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    """A folder with a finished run that has examples of every case but the blank one, of both kinds."""
    folder = tmp_path_factory.mktemp("place")
    all_rows = run(forks, folder, *PAIRS, "Same", "Cased")
    assert {row["input"] for row in all_rows} == {"", "ein Wert"}
    return folder


def exported(forks: Forks, folder: Path, name: str, *options: str) -> str:
    """What the command says of the pairs that it wrote to a file."""
    done = forks.run(folder, ["export", "run", "--format", "preference", "--to", name, *options])
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_each_pair_is_the_winner_against_the_least_agreed_on_other_text(forks: Forks, place: Path) -> None:
    exported(forks, place, "pairs.jsonl")
    pairs = rows(place / "pairs.jsonl")
    assert {case_of(pair["prompt"]) for pair in pairs} == set(PAIRS)
    for pair in pairs:
        chosen, rejected, margin, winners, losers = PAIRS[case_of(pair["prompt"])]
        assert list(pair) == COLUMNS
        assert (pair["chosen"], pair["rejected"]) == (chosen, rejected)
        assert pair["margin"] == pytest.approx(margin)
        assert (pair["chosen_voters"], pair["rejected_voters"]) == (winners, losers)


def test_prompts_are_those_of_prompt_completion_and_rows_keep_their_order(forks: Forks, place: Path) -> None:
    exported(forks, place, "pairs.jsonl")
    forks.run(place, ["export", "run", "--format", "prompt-completion", "--to", "single.jsonl"])
    ids = [row["id"] for row in rows(place / "run" / "examples.jsonl")]
    expected = [
        (row_id, row["prompt"], row["completion"])
        for row_id, row in zip(ids, rows(place / "single.jsonl"), strict=True)
        if case_of(row["prompt"]) in PAIRS
    ]
    pairs = rows(place / "pairs.jsonl")
    assert [(pair["id"], pair["prompt"], pair["chosen"]) for pair in pairs] == expected
    assert {pair["prompt"].endswith("\n\nein Wert") for pair in pairs} == {True, False}


def test_rows_without_another_text_are_left_out_and_counted_in_one_line(forks: Forks, place: Path) -> None:
    all_rows = rows(place / "run" / "examples.jsonl")
    left = sum(case_of(row["instruction"]) in ("Same", "Cased") for row in all_rows)
    assert exported(forks, place, "pairs.jsonl") == (
        f"{left} left out, as no candidate has another answer that is less agreed on; "
        f"{len(all_rows) - left} examples in pairs.jsonl\n"
    )


def test_nothing_is_said_of_left_out_rows_where_there_are_none(forks: Forks, tmp_path: Path) -> None:
    all_rows = run(forks, tmp_path, "Clear", "Longer")
    assert exported(forks, tmp_path, "pairs.jsonl") == f"{len(all_rows)} examples in pairs.jsonl\n"


def test_a_blank_candidate_is_never_rejected_against_the_winner(forks: Forks, tmp_path: Path) -> None:
    all_rows = run(forks, tmp_path, "Blank", "Longer", profile="published")
    outputs = {candidate["output"] for row in all_rows for candidate in row["candidates"]}
    assert {"", "   "} <= outputs
    exported(forks, tmp_path, "pairs.jsonl")
    assert {case_of(pair["prompt"]) for pair in rows(tmp_path / "pairs.jsonl")} == {"Longer"}


def example_of(*answers: tuple[str, float]) -> dict[str, Any]:
    """An example of which the first text was chosen; each text has a voter and a score."""
    candidates = [{"voter": f"v{at}", "output": text, "score": score} for at, (text, score) in enumerate(answers)]
    return {"id": "1", "instruction": "Say.", "input": "", "output": answers[0][0], "candidates": candidates}


LONG = "You pay 1000 euros in all.\n\n" + "The trip is paid by your 2 friends, as agreed. " * 2000


@pytest.mark.parametrize(
    ("chosen", "same"),
    [
        ("red green", "red green\n"),  # it may lower an agreement that a model measures
        ("1,000", "1000"),
        ("It costs 3.50 euros.", "it costs 3.5 euros"),
        ("Oslo", '"OSLO."'),
        ("one\ntwo", "one \r\n\r\n  two"),
        ("(yes)", "Yes!"),
        ("東京", "「東京」。"),
        ("Qué río", "¿Qué río?"),
        ("Il faut 12\u202f000 euros", "« Il faut 12000 euros »"),
        ("café", "cafe\u0301"),
        ("„Oslo“", "Oslo"),
        ("نعم", "نعم؟"),
        (LONG, LONG.replace("1000", "1,000").replace("friends,", "friends").upper()),
    ],
    ids=range(13),
)
def test_the_same_answer_in_other_marks_is_not_rejected_but_the_next_other_text_is(chosen: str, same: str) -> None:
    pair = preference_row(example_of((chosen, 0.9), (same, 0.1), ("red", 0.5), ("red and blue", 0.7)))
    assert pair is not None
    assert (pair["chosen"], pair["rejected"], pair["rejected_voters"]) == (chosen, "red", ["v2"])
    assert pair["margin"] == pytest.approx(0.4)
    assert preference_row(example_of((chosen, 0.9), (same, 0.1))) is None


@pytest.mark.parametrize(("chosen", "other"), [("35", "3.5"), ("-5", "5"), ("C#", "C++"), ("x²", "x2"), ("!", "?")])
def test_a_mark_that_changes_the_answer_makes_a_pair(chosen: str, other: str) -> None:
    pair = preference_row(example_of((chosen, 0.9), (other, 0.1)))
    assert pair is not None
    assert (pair["chosen"], pair["rejected"]) == (chosen, other)


def test_a_long_run_of_one_mark_is_looked_at_once() -> None:
    for mark in ".)]!¿":
        assert preference_row(example_of((f"{mark * 500_000}a", 0.9), (f"{mark * 500_000}a.", 0.1))) is None


def test_parquet_holds_the_same_pairs(forks: Forks, place: Path) -> None:
    line = exported(forks, place, "pairs.jsonl")
    assert exported(forks, place, "pairs.parquet") == line.replace("jsonl", "parquet")
    table = pq.read_table(place / "pairs.parquet")
    assert table.column_names == COLUMNS
    assert table.to_pylist() == rows(place / "pairs.jsonl")


def test_a_run_without_any_pair_gives_if_allowed_an_empty_file_with_all_columns(
    forks: Forks, place: Path, tmp_path: Path
) -> None:
    all_rows = run(forks, tmp_path, "Same")
    for name in ("pairs.jsonl", "pairs.parquet"):
        refused = forks.run(tmp_path, ["export", "run", "--format", "preference", "--to", name])
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(f"error: run: none of its {len(all_rows)} examples makes a pair: ")
        assert not (tmp_path / name).exists()
        assert exported(forks, tmp_path, name, "--allow-empty") == (
            f"{len(all_rows)} left out, as no candidate has another answer that is less agreed on; "
            f"0 examples in {name}\n"
        )
    assert (tmp_path / "pairs.jsonl").read_bytes() == b""
    exported(forks, place, "pairs.parquet")
    schema: pa.Schema = pq.read_schema(tmp_path / "pairs.parquet")
    assert schema.names == COLUMNS
    assert schema.equals(pq.read_schema(place / "pairs.parquet"))


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.parquet"])
def test_the_order_of_the_voters_changes_no_byte(forks: Forks, place: Path, tmp_path: Path, name: str) -> None:
    run(forks, tmp_path, *PAIRS, "Same", "Cased", voters="c, d, b, a")
    candidates = [row["candidates"] for row in rows(tmp_path / "run" / "examples.jsonl")]
    assert [candidate["voter"] for candidate in candidates[0]] == ["instance", "c", "d", "b", "a"]
    assert exported(forks, tmp_path, name) == exported(forks, place, name)
    assert (tmp_path / name).read_bytes() == (place / name).read_bytes()


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.parquet"])
def test_an_older_file_is_replaced_as_a_whole(forks: Forks, place: Path, name: str) -> None:
    exported(forks, place, name)
    once = (place / name).read_bytes()
    (place / name).write_bytes(b"old content " * 100_000)
    exported(forks, place, name)
    assert (place / name).read_bytes() == once
    assert not [path for path in place.iterdir() if path.name.startswith(".")]


def test_text_beyond_ascii_stands_in_the_lines_as_it_is(forks: Forks, place: Path) -> None:
    exported(forks, place, "pairs.jsonl")
    lines = (place / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.dumps(json.loads(line), ensure_ascii=False) for line in lines] == lines
    assert any("olive 😀" in line for line in lines)
