"""The original's strategies read each text as it did, without white space at its ends; what step 4 wrote stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ensemble_instruct.agreement.ensemble import ensemble
from ensemble_instruct.records import Strategy
from tests.conftest import Cli, rows
from tests.support.forks import Forks, on_path
from tests.support.good_input import write

CASES = {
    "Own": ("a red boat", "\nA red boat ", "one boat"),
    "Against": ("green", "\na red boat ", "a red boat\u3000"),
    "Close": ("a blue boat", "a red boat sails \n", "\r\n a red boat sailed"),
    "Blank": ("a red boat", " \n", "\u00a0"),
}
"""What the instance and the two voters say to a task that begins with the word."""
KEPT: dict[Strategy, dict[str, str]] = {
    "released": {"Own": "a red boat", "Against": "a red boat", "Close": "a red boat sails", "Blank": ""},
    "published": {"Own": "a red boat", "Against": "green", "Close": "a red boat sails", "Blank": "a red boat"},
    "algorithm1": {"Own": "a red boat", "Close": "a red boat sails"},
}
"""What each strategy makes of it."""
SCRIPTS = f'''
"""Models that answer by the first word of the instruction."""
import random
from ensemble_instruct.records import Request

WORDS = "amber birch cedar delta ember flint grove haven inlet jade kelp larch north opal pine river".split()
CASES = {CASES!r}

def said(request: Request) -> tuple[str, str, str]:
    return CASES[max(CASES, key=lambda word: request.prompt.rfind(word + " words"))]

def base(request: Request) -> str:
    drawn = random.Random(request.sampling.seed)
    if request.step == "instructions":
        return f" {{drawn.choice(sorted(CASES))}} words {{' '.join(drawn.sample([*WORDS, *WORDS], 10))}}."
    return f"output: {{said(request)[0]}}"

def a(request: Request) -> str: return said(request)[1]
def b(request: Request) -> str: return said(request)[2]
'''
CONFIG = """
profile: published
instructions: {{target: {{input_output: 0, output_only: 20}}}}
models:
  base: {{provider: scripted, function: "said_scripts:base"}}
  a: {{provider: scripted, function: "said_scripts:a"}}
  b: {{provider: scripted, function: "said_scripts:b"}}
roles: {{instructions: base, instances: base, outputs: [a, b]}}
ensemble: {{strategy: {strategy}}}
"""


def case_of(instruction: str) -> str:
    return instruction.partition(" ")[0]


@pytest.mark.parametrize("strategy", KEPT)
def test_the_step_writes_rows_without_white_space_at_the_ends(cli: Cli, tmp_path: Path, strategy: Strategy) -> None:
    for place, name in enumerate(("instances", "a", "b")):
        lines = [
            {"instruction": f"{case} \n", "input": "\tin the sea ", "output": f"{said[place]} "}
            for case, said in CASES.items()
        ]
        write(tmp_path / name, *lines)
    before = (tmp_path / "a").read_bytes()
    files = ("--instances", "instances", "--outputs", "a", "--outputs", "b")
    done = cli("ensemble", *files, "--strategy", strategy, "--to", "made")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "made") == [
        {"instruction": case, "input": "in the sea", "output": output} for case, output in KEPT[strategy].items()
    ]
    assert (tmp_path / "a").read_bytes() == before


def test_files_of_two_steps_belong_together_though_one_has_white_space_at_the_ends(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "instances", {"instruction": "Name a boat. ", "input": "", "output": "a red boat"})
    for name in ("a", "b"):
        write(tmp_path / name, {"instruction": "Name a boat.", "input": "\n", "output": "a red boat"})
    done = cli(
        "ensemble", "--instances", "instances", "--outputs", "a", "--outputs", "b", "--strategy", "released",
        "--to", "made",
    )  # fmt: skip
    assert (done.returncode, "belong to no instance" in done.stdout) == (0, False)
    assert rows(tmp_path / "made") == [{"instruction": "Name a boat.", "input": "", "output": "a red boat"}]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    """A folder with a finished run of each strategy."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "said_scripts.py").write_text(SCRIPTS, encoding="utf-8")
    for strategy in KEPT:
        (folder / "config.yaml").write_text(CONFIG.format(strategy=strategy))
        done = forks.run(folder, ["run", "config.yaml", "--out", strategy], on_path(folder))
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("strategy", KEPT)
def test_a_run_exports_rows_without_white_space_at_the_ends(runs: Path, forks: Forks, strategy: Strategy) -> None:
    done = forks.run(runs, ["export", strategy, "--format", "original", "--to", "made"])
    assert done.returncode == 0, done.stderr
    made = rows(runs / "made")
    assert {case_of(row["instruction"]): row["output"] for row in made} == KEPT[strategy]
    assert all(row["output"] == KEPT[strategy][case_of(row["instruction"])] for row in made)


def test_the_voter_whose_text_had_white_space_at_its_ends_is_a_winner(runs: Path) -> None:
    winners = {case_of(row["instruction"]): row["winners"] for row in rows(runs / "released" / "examples.jsonl")}
    assert winners == {"Own": ["instance"], "Against": ["a", "b"], "Close": ["a"], "Blank": ["a", "b"]}


def test_what_step_4_made_stays_as_it_is(runs: Path) -> None:
    with closing(sqlite3.connect(runs / "released" / "run.db")) as connection:
        texts = {text for (text,) in connection.execute("SELECT text FROM candidate")}
    assert texts == {text for _, *said in CASES.values() for text in said}


def test_selecting_anew_gives_what_a_new_run_gives(runs: Path, forks: Forks) -> None:
    done = forks.run(runs, ["select", "released", "--strategy", "algorithm1", "--to", "made"])
    assert done.returncode == 0, done.stderr
    assert (runs / "made").read_bytes() == (runs / "algorithm1" / "examples.jsonl").read_bytes()


def test_a_share_keeps_such_rows_too(runs: Path, forks: Forks) -> None:
    done = forks.run(runs, ["select", "released", "--strategy", "published", "--keep", "1", "--to", "made"])
    assert done.returncode == 0, done.stderr
    assert (runs / "made").read_bytes() == (runs / "published" / "examples.jsonl").read_bytes()


@pytest.mark.parametrize("strategy", KEPT)
def test_plain_lists_are_read_so_too(strategy: Strategy) -> None:
    selected = ensemble(list(CASES.values()), strategy=strategy)
    assert [each.output for each in selected] == [KEPT[strategy].get(case) for case in CASES]


def test_a_strategy_for_any_number_gives_the_text_as_it_is(runs: Path, forks: Forks) -> None:
    done = forks.run(runs, ["select", "released", "--strategy", "consensus", "--to", "made"])
    assert done.returncode == 0, done.stderr
    (output,) = {row["output"] for row in rows(runs / "made") if case_of(row["instruction"]) == "Close"}
    assert output == "a red boat sails \n"
