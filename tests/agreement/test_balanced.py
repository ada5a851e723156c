"""`balanced`: what speaks against an output by itself counts too, the order of voters never, and a run selects anew."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.agreement.ballots import ballot
from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.agreement.strategies import Standing, balanced
from ensemble_instruct.records import Answered, Candidate, Example, Instance, Rejected
from ensemble_instruct.rouge import rouge_l
from ensemble_instruct.steps.ensemble import select
from tests.conftest import SHARED, SIMULATED, Cli, needs_shared, rows

LOREM = "lorem the of a to in and is that it for as with"
WORDS = ["a", "b", "c", "boat", "boats", "Boat", "sailing", "3", "A,", "é"]
OUTPUTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), min_size=2, max_size=6)


def chosen(outputs: list[str], source: str = "") -> str | None:
    place = balanced(ballot(outputs, source)).place
    return None if place is None else outputs[place]


@settings(deadline=None, max_examples=200)
@given(outputs=OUTPUTS, rng=st.randoms(use_true_random=False), data=st.data())
def test_the_order_of_the_outputs_does_not_matter(outputs: list[str], rng: random.Random, data: st.DataObject) -> None:
    outside = [data.draw(st.sampled_from([0.0, 0.1, 0.5])) for _ in outputs]
    order = list(range(len(outputs)))
    rng.shuffle(order)
    one = balanced(ballot(outputs), outside)
    other = balanced(ballot([outputs[place] for place in order]), [outside[place] for place in order])
    assert (other.agreement, other.reason) == (one.agreement, one.reason)
    assert 0 <= one.agreement <= 1
    if one.place is not None and other.place is not None:
        assert outputs[order[other.place]] == outputs[one.place]


def test_what_speaks_against_an_output_by_itself() -> None:
    answer = "Boil the water, add the tea and wait for four minutes"
    assert chosen([answer, f"{answer} {answer} {answer} {answer}", "No"]) == answer
    assert chosen([answer, f"{answer} before you pour it into a cup", "water"]) != "water"
    assert chosen(["", " ", "something"]) == "something"
    assert chosen(["the same words", "The same words!", "others"], "the same words") == "others"
    assert balanced(ballot(["", " "])).reason == "empty_outputs"
    assert balanced(ballot(["x y", "X y."], "x y")).reason == "echoes"


def test_a_voter_that_agrees_with_nobody_is_an_outsider_and_weighs_less() -> None:
    standing = Standing()
    for _ in range(3):
        standing.add(["a", "b", "c"], [0.5, 0.4, 0.02])
        standing.add(["a", "b"], [0.4, 0.4])
    outsiders = standing.view().outsiders
    assert (outsiders["a"], outsiders["b"]) == (0.0, 0.0)
    assert 0.4 < outsiders["c"] < 0.5
    assert Standing().view().outsiders == {}


@needs_shared
@pytest.mark.parametrize("rubbish", ["words", "nothing", "a copy of the input", "the same sentence"])
def test_a_voter_that_answers_rubbish_takes_no_more_than_a_point(rubbish: str) -> None:
    tasks = rows(SHARED / "golden" / "user-tasks" / "dev.jsonl")
    chosen_words, words = random.Random(0), LOREM.split()

    def said(task: dict[str, Any]) -> str:
        if rubbish == "words":
            return " ".join(chosen_words.choices(words, k=60))
        if rubbish == "a copy of the input":
            return str(task["input"] or task["instruction"])
        return "" if rubbish == "nothing" else "I am sorry, but I cannot help you with that request."

    def quality(voters: list[str], *, with_rubbish: bool) -> float:
        table = [
            Answered(
                Instance(
                    kind="input_output",
                    instruction=task["instruction"],
                    input=task["input"],
                    output=task["outputs"][voters[0]],
                ),
                tuple(
                    Candidate("", name, text)
                    for name, text in [(voter, task["outputs"][voter]) for voter in voters[1:]]
                    + ([("rubbish", said(task))] if with_rubbish else [])
                ),
            )
            for task in tasks
        ]
        made = list(select(lambda: table, Selection("balanced", min_agreement=0.0)))
        kept = {
            record.instance.instruction + record.instance.input: record
            for record in made
            if isinstance(record, Example)
        }
        scores = []
        for task in tasks:
            record = kept.get(task["instruction"] + task["input"])
            scores.append(rouge_l(task["reference"], record.output, stem=True) if record else 0.0)
        return 100 * sum(scores) / len(scores)

    triples = (
        ["text-davinci-001", "text-davinci-002", "text-davinci-003"],
        ["davinci-self-instruct", "davinci-superni-ft", "text-davinci-003"],
        ["davinci-t0-ft", "davinci-superni-ft", "text-davinci-002"],
    )
    losses = [quality(voters, with_rubbish=False) - quality(voters, with_rubbish=True) for voters in triples]
    assert sum(losses) / len(losses) <= 1


# A run


@pytest.fixture
def finished(cli: Cli, tmp_path: Path) -> Path:
    assert cli("run", SIMULATED, "--out", "run").returncode == 0
    return tmp_path / "run"


def selected(folder: Path) -> tuple[bytes, list[Any]]:
    """The examples, and what step 5 dropped."""
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        dropped = connection.execute(
            "SELECT reason, text, detail, lower(hex(request)) FROM rejected WHERE step = 'ensemble' ORDER BY 2, 1"
        ).fetchall()
    return (folder / "examples.jsonl").read_bytes(), dropped


@pytest.mark.parametrize(
    "options",
    [
        ["--strategy", "consensus"],
        ["--strategy", "released"],
        ["--strategy", "balanced", "--keep", "0.6"],
        ["--min-agreement", "0.5"],
        ["--keep", "0.25"],
    ],
    ids=" ".join,
)
def test_a_finished_run_selects_anew_as_a_run_with_that_strategy_does(
    cli: Cli, tmp_path: Path, finished: Path, options: list[str]
) -> None:
    before = selected(finished)
    done = cli("ensemble", "--run", "run", *options)
    assert done.returncode == 0, done.stderr
    settings = [
        f"--set=ensemble.{name.removeprefix('--').replace('-', '_')}={value}"
        for name, value in zip(options[::2], options[1::2], strict=True)
    ]
    if "--strategy" not in options:
        settings.append(f"--set=ensemble.strategy={json.loads(_config(finished))['strategy']}")
    assert cli("run", SIMULATED, "--out", "fresh", *settings).returncode == 0
    assert selected(finished) == selected(tmp_path / "fresh") != before
    assert f"{len(rows(finished / 'examples.jsonl'))} examples in run/examples.jsonl" in done.stdout
    again = cli("run", "--out", "run")
    assert again.returncode == 0, again.stderr
    assert selected(finished) == selected(tmp_path / "fresh")


def _config(folder: Path) -> str:
    import yaml

    return json.dumps(yaml.safe_load((folder / "config.yaml").read_text("utf-8"))["ensemble"])


def test_each_example_says_how_all_outputs_agree(finished: Path) -> None:
    for row in rows(finished / "examples.jsonl"):
        outputs = [candidate["output"] for candidate in row["candidates"]]
        given = ballot(outputs)
        assert row["matrix"] == [list(scores) for scores in given.matrix]
        assert [candidate["score"] for candidate in row["candidates"]] == list(given.scores)


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["--run", "run", "--keep", "0.5", "--min-agreement", "0.5"], "give either 'min_agreement' or 'keep'", 2),
        (["--run", "run", "--to", "x.jsonl"], "give either --run, or --instances, --outputs and --to", 2),
        (["--run", "nowhere"], "nowhere: is not a run folder", 2),
        (["--to", "x.jsonl"], "give --instances, --outputs and --to, or --run", 2),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    cli: Cli, finished: Path, arguments: list[str], said: str, code: int
) -> None:
    before = selected(finished)
    done = cli("ensemble", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert said in done.stderr
    assert selected(finished) == before


def test_rows_are_decided_with_all_others_in_view() -> None:
    """The voter that disagrees in all other rows loses the one in which it would win by its length."""
    instances = [
        Instance(kind="output_only", instruction=f"task {number}", input="", output=f"answer number {number} is right")
        for number in range(5)
    ]
    table = [
        Answered(one, (Candidate(one.id, "b", one.output), Candidate(one.id, "odd", "qq ww ee"))) for one in instances
    ]
    last = Instance(kind="output_only", instruction="last", input="", output="red")
    long = "quite another text " + " ".join(f"w{number}" for number in range(30))
    table.append(Answered(last, (Candidate(last.id, "b", "blue"), Candidate(last.id, "odd", long))))
    records = list(select(lambda: table, Selection("balanced", min_agreement=0.0)))
    alone = list(select(lambda: table[-1:], Selection("balanced", min_agreement=0.0)))
    assert isinstance(records[-1], Example | Rejected)
    assert isinstance(alone[0], Example)
    assert alone[0].output == long
    assert isinstance(records[-1], Example)
    assert records[-1].output in ("red", "blue")


INTERRUPTED = """
import os, signal, sys
from ensemble_instruct.runs import lifecycle as runs
from ensemble_instruct.steps import ensemble

at, how = sys.argv.pop(1), sys.argv.pop(1)

def stop(*_):
    os.kill(os.getpid(), getattr(signal, how))
    raise SystemExit("not stopped")

def at_row(number, work=ensemble.decide):
    calls = iter(range(10**9))
    return lambda *given, **named: stop() if next(calls) == number else work(*given, **named)

if at.isdigit():
    ensemble.decide = at_row(int(at))
else:
    setattr(runs, at, stop)
from ensemble_instruct.cli import main
sys.argv[0] = "ensemble-instruct"
main()
"""


@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL"])
@pytest.mark.parametrize("at", ["0", "30", "write_config", "write_examples"])
def test_a_selection_that_is_stopped_leaves_a_run_that_goes_on(
    cli: Cli, tmp_path: Path, finished: Path, at: str, how: str
) -> None:
    (tmp_path / "interrupted.py").write_text(INTERRUPTED)
    before = selected(finished)
    options = ["ensemble", "--run", "run", "--strategy", "consensus", "--keep", "0.3"]
    done = subprocess.run(
        [sys.executable, "interrupted.py", at, how, *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == (1 if how == "SIGINT" else -signal.SIGKILL)
    assert "Traceback" not in done.stderr
    exported = cli("export", "run", "--format", "original", "--to", "out.jsonl")
    if at.isdigit():
        assert selected(finished) == before
        assert exported.returncode == 0
    else:
        assert exported.returncode == 1, "a run between two selections is not finished"
    resumed = cli("run", "--out", "run")
    assert resumed.returncode == 0, resumed.stderr
    if at != "write_examples":
        assert selected(finished) == before
    assert cli(*options).returncode == 0
    assert cli("run", SIMULATED, "--out", "fresh", "--set=ensemble.strategy=consensus",
               "--set=ensemble.keep=0.3").returncode == 0  # fmt: skip
    assert selected(finished) == selected(tmp_path / "fresh")


def test_selecting_anew_reads_nothing_else_and_hides_no_other_change(cli: Cli, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.jsonl"
    with as_file(files("ensemble_instruct") / "data" / "seed_tasks.jsonl") as bundled:
        seeds.write_bytes(bundled.read_bytes())
    assert cli("run", SIMULATED, "--out", "run", "--set", "seed_tasks=seeds.jsonl").returncode == 0
    text = seeds.read_text("utf-8")
    seeds.unlink()
    done = cli("ensemble", "--run", "run", "--keep", "0.5")
    assert done.returncode == 0, done.stderr
    seeds.write_text(text.replace("Write", "Compose"), "utf-8")
    refused = cli("run", "--out", "run")
    assert refused.returncode == 2
    assert "seed_tasks" in refused.stderr
    assert "ensemble" not in refused.stderr.replace("ensemble-instruct", "")


@pytest.mark.parametrize("option", ["--keep", "--min-agreement", "--threshold"])
def test_nan_is_no_share(cli: Cli, option: str) -> None:
    done = cli("ensemble", "--run", "run", option, "nan")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nan is no number" in done.stderr
