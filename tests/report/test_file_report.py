"""`report FILE`: what a file of tasks can tell of itself, and nothing that only a run knows."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from jinja2.meta import find_undeclared_variables

from ensemble_instruct.report.file_report import FileContext, read_file_report
from ensemble_instruct.report.page import WORDS, environment
from ensemble_instruct.report.records import SAMPLE
from tests.conftest import Cli

TASKS = [
    {"instruction": "Add the two numbers.", "input": "1, 2", "output": "3"},
    {"instruction": "add  the two NUMBERS.", "input": "1, 2", "output": "three"},
    {"instruction": "Add the two numbers.", "input": "4, 5", "output": "9"},
    {"instruction": "Name three rivers <b>of Europe</b>.", "input": "", "output": "Rhine, Rhône, Volga"},
]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_page_of_a_file_has_its_numbers_and_no_section_of_a_run(cli: Cli, tmp_path: Path) -> None:
    written(tmp_path / "tasks.jsonl", TASKS)
    done = cli("report", "tasks.jsonl")
    assert (done.returncode, done.stdout, done.stderr) == (0, "report in tasks.jsonl.report.html\n", "")
    page = (tmp_path / "tasks.jsonl.report.html").read_text()
    assert "4 tasks with their answers, 3 with an input and 1 without" in page
    assert "Name three rivers &lt;b&gt;of Europe&lt;/b&gt;." in page
    assert "Rhône" in page
    assert [f'id="{name}"' in page for name in ("rows", "lengths", "variety")] == [True] * 3
    for of_a_run in ("drops", "agreement", "cost", "config", "funnel"):
        assert f'id="{of_a_run}"' not in page
        assert f"#{of_a_run}" not in page


def test_the_numbers_are_those_of_the_rows(cli: Cli, tmp_path: Path) -> None:
    written(tmp_path / "tasks.jsonl", TASKS)
    report = json.loads(cli("report", "tasks.jsonl", "--json").stdout)
    assert (report["rows"], report["repeated"], report["kinds"]) == (4, 1, {"input_output": 3, "output_only": 1})
    words = {part["part"]: part["words"]["mean"] for part in report["lengths"]}
    assert words == {"instruction": fmean((4, 4, 4, 5)), "input": 2.0, "output": fmean((1, 1, 1, 3))}
    assert sum(report["likeness"]["nearest"]["counts"]) == 3
    assert {verb["verb"]: verb["count"] for verb in report["verbs"]["top"]} == {"add": 3, "name": 1}


@pytest.mark.parametrize("form", ["original", "alpaca", "messages", "prompt-completion"])
def test_every_format_of_a_file_is_reported_on(cli: Cli, tmp_path: Path, form: str) -> None:
    written(tmp_path / "tasks.jsonl", TASKS)
    assert cli("export", "tasks.jsonl", "--format", form, "--to", "made.json").returncode == 0
    report = json.loads(cli("report", "made.json", "--json").stdout)
    assert (report["rows"], report["repeated"]) == (4, 1)


STEP_1 = [
    {"instruction": text, "most_similar": {}, "avg_similarity_score": None, "metadata": {"seed": 1}, "request_idx": 0}
    for text in ("Add the two numbers.", "Name three rivers <b>of Europe</b>.", "add the two  numbers.")
]
STEP_2 = [{"instruction": row["instruction"], "raw_instances": "input: 1\noutput: 2"} for row in STEP_1]


@pytest.mark.parametrize(
    ("step_rows", "rows_of", "lede", "parts"),
    [
        (STEP_1, "instructions", "3 instructions of step 1.", ["instruction"]),
        (STEP_2, "completions", "3 completions of step 2.", ["instruction", "completion"]),
        ([{**STEP_2[0], "finish_reason": "length"}, *STEP_2[1:]], "completions", "3 completions of step 2.",
         ["instruction", "completion"]),
    ],
    ids=["step 1", "step 2", "step 2 with a cut"],
)  # fmt: skip
def test_the_files_of_steps_1_and_2_show_what_they_can_fill(
    cli: Cli, tmp_path: Path, step_rows: list[dict[str, Any]], rows_of: str, lede: str, parts: list[str]
) -> None:
    written(tmp_path / "step.jsonl", step_rows)
    report = json.loads(cli("report", "step.jsonl", "--json").stdout)
    assert (report["rows"], report["rows_of"], report["repeated"], report["kinds"]) == (3, rows_of, 1, {})
    assert [part["part"] for part in report["lengths"]] == parts
    assert sum(report["likeness"]["nearest"]["counts"]) == 2
    assert {verb["verb"]: verb["count"] for verb in report["verbs"]["top"]} == {"add": 2, "name": 1}
    done = cli("report", "step.jsonl")
    assert (done.returncode, done.stdout, done.stderr) == (0, "report in step.jsonl.report.html\n", "")
    page = (tmp_path / "step.jsonl.report.html").read_text()
    assert lede in page
    assert "1 row repeats the instruction of an earlier one." in page
    assert "Name three rivers &lt;b&gt;of Europe&lt;/b&gt;." in page
    assert ('<p class="label">Completion</p>' in page) == (rows_of == "completions")
    for of_tasks in ("Output</p>", "Input</p>", " tasks", "of examples", "None"):
        assert of_tasks not in page


def test_the_rows_of_two_steps_are_not_mixed(cli: Cli, tmp_path: Path) -> None:
    for later in (STEP_2[0], TASKS[0]):
        written(tmp_path / "mixed.jsonl", [*STEP_1, later])
        done = cli("report", "mixed.jsonl", "--json")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "mixed.jsonl:4: is not one of the instructions that the file begins with" in done.stderr


@pytest.mark.slow
def test_a_large_file_is_read_once_and_looked_at_in_an_even_sample(tmp_path: Path) -> None:
    count = 3 * SAMPLE
    rows = [{"instruction": f"Name number {number}.", "input": "", "output": "x"} for number in range(count)]
    report = read_file_report(written(tmp_path / "many.jsonl", rows))
    assert (report.rows, report.repeated) == (count, 0)
    assert SAMPLE / 2 <= report.sampled <= SAMPLE
    numbers = [int(look.instruction.text.split()[2].rstrip(".")) for look in report.looks]
    assert numbers == pytest.approx([0, count / 3, 2 * count / 3], abs=8)


@pytest.mark.parametrize("text", ["", "[]", "\n\n"])
def test_an_empty_file_has_a_page_without_sections(cli: Cli, tmp_path: Path, text: str) -> None:
    (tmp_path / "none").write_text(text)
    assert cli("report", "none", "--to", "page.html").returncode == 0
    page = (tmp_path / "page.html").read_text()
    assert "0 tasks" in page
    assert "<section" not in page


def test_what_is_no_file_of_tasks_is_one_line(cli: Cli, tmp_path: Path) -> None:
    written(tmp_path / "bad.jsonl", [*TASKS, {"instruction": "Add.", "raw_instances": "output: 1"}])
    for options in ((), ("--json",)):
        done = cli("report", "bad.jsonl", *options)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "bad.jsonl:5: is not a task with its answer" in done.stderr
    assert cli("report", "bad.jsonl", "--to", "bad.jsonl").returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]


def test_the_template_uses_what_it_is_given_and_nothing_else() -> None:
    templates = environment()
    assert templates.loader is not None
    sources = [templates.loader.get_source(templates, name)[0] for name in ("file.html.j2", "verbs.html.j2")]
    used = set().union(*(find_undeclared_variables(templates.parse(source)) for source in sources))
    assert used - set(WORDS) == {field.name for field in fields(FileContext)}
