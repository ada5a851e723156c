"""The files that `export` writes, read back as a trainer would and compared with the run's examples."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import rows
from tests.support.forks import Forks, on_path, unwritable

SCRIPTS = '''
"""Models whose texts have more than ASCII and more than one line."""
import random
import re
from ensemble_instruct.prompts.completions import HEADING
from ensemble_instruct.records import Request

WORDS = "amber birch cedar delta ember flint grove haven inlet jade kelp larch north opal pine river".split()

def base(request: Request) -> str:
    if request.prompt.startswith(HEADING):
        chosen = random.Random(request.sampling.seed).sample(WORDS, 8)
        return f" Explain {' '.join(chosen)} größer."
    if request.step == "outputs":
        return voter(request) + " und dies"
    instruction = re.findall("instruction: (.*)", request.prompt)[-1]
    number = len(instruction) % 7
    task_input = f"input: Größe „{number}“ \\\\ 日本\\nzweite Zeile\\n" if request.kind == "input_output" else ""
    return f"{task_input}output: Antwort {number} 😀\\n\\n  eingerückt {instruction.split()[1]}"

def voter(request: Request) -> str:
    number = len(request.prompt.partition("\\n")[0]) % 7
    return f"Antwort {number} 😀\\n\\n  eingerückt {request.prompt.split()[1]}"
'''
CONFIG = """
instructions: {target: {input_output: 12, output_only: 8}, window: 4}
models:
  base: {provider: scripted, function: "text_scripts:base"}
  voter: {provider: scripted, function: "text_scripts:voter"}
roles: {instructions: base, instances: base, outputs: [voter, base]}
ensemble: {strategy: balanced, min_confidence: 0.1}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    """A folder with a finished run whose texts are hard on a writer."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "text_scripts.py").write_text(SCRIPTS)
    (folder / "config.yaml").write_text(CONFIG)
    done = forks.run(folder, ["run", "config.yaml", "--out", "run"], on_path(folder))
    assert done.returncode == 0, done.stderr
    all_rows = rows(folder / "run" / "examples.jsonl")
    assert len(all_rows) >= 10
    assert {row["input"] == "" for row in all_rows} == {True, False}
    assert any(row["agreement"] not in (0.0, 0.5, 1.0) for row in all_rows)
    assert all("😀" in row["output"] and "\n\n  " in row["output"] for row in all_rows)
    return folder


def exported(forks: Forks, folder: Path, form: str, name: str, *options: str) -> bytes:
    """What `export` wrote to a file."""
    done = forks.run(folder, ["export", "run", "--format", form, "--to", name, *options])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{len(examples(folder))} examples in {name}\n"
    return (folder / name).read_bytes()


def examples(folder: Path) -> list[dict[str, Any]]:
    return rows(folder / "run" / "examples.jsonl")


def alpaca(row: dict[str, Any]) -> dict[str, str]:
    return {name: row[name] for name in ("instruction", "input", "output")}


def question(row: dict[str, Any]) -> str:
    return "\n\n".join(part for part in (row["instruction"], row["input"]) if part)


def test_original_is_escaped_json_as_the_first_program_wrote_it(forks: Forks, place: Path) -> None:
    lines = "".join(json.dumps(alpaca(row)) + "\n" for row in examples(place))
    assert exported(forks, place, "original", "out.ensemble") == lines.encode("ascii")


def test_alpaca_is_an_array_in_a_json_file_and_lines_elsewhere(forks: Forks, place: Path) -> None:
    expected = [alpaca(row) for row in examples(place)]
    assert json.loads(exported(forks, place, "alpaca", "out.json")) == expected
    lines = exported(forks, place, "alpaca", "out.jsonl").decode().splitlines()
    assert [json.loads(line) for line in lines] == expected
    assert "日本" in "".join(lines)


def test_messages_are_one_exchange_of_user_and_assistant(forks: Forks, place: Path) -> None:
    exported(forks, place, "messages", "messages.jsonl")
    assert rows(place / "messages.jsonl") == [
        {
            "messages": [
                {"role": "user", "content": question(row)},
                {"role": "assistant", "content": row["output"]},
            ]
        }
        for row in examples(place)
    ]


def test_prompt_and_completion_are_two_columns(forks: Forks, place: Path) -> None:
    exported(forks, place, "prompt-completion", "pairs.jsonl")
    expected = [{"prompt": question(row), "completion": row["output"]} for row in examples(place)]
    assert rows(place / "pairs.jsonl") == expected


def test_parquet_holds_the_examples_with_their_agreement(forks: Forks, place: Path) -> None:
    exported(forks, place, "parquet", "out.parquet")
    table = pq.read_table(place / "out.parquet")
    columns = ("id", "kind", "instruction", "input", "output", "winners", "agreement", "confidence", "basis")
    assert tuple(table.column_names) == columns
    assert table.to_pylist() == [{name: row[name] for name in columns} for row in examples(place)]


@pytest.mark.parametrize("form", ["original", "alpaca", "messages", "prompt-completion", "parquet"])
def test_the_same_export_twice_is_the_same_file(forks: Forks, place: Path, form: str) -> None:
    once = exported(forks, place, form, "once")
    assert exported(forks, place, form, "again") == once
    (place / "again").write_bytes(b"old content " * 100_000)
    assert exported(forks, place, form, "again") == once
    assert not [path for path in place.iterdir() if path.name.startswith(".")]


def test_an_export_changes_nothing_in_the_run(forks: Forks, place: Path) -> None:
    before = {path.name: path.read_bytes() for path in (place / "run").iterdir()}
    exported(forks, place, "alpaca", "out.json")
    assert {path.name: path.read_bytes() for path in (place / "run").iterdir()} == before


def test_a_run_that_kept_no_example_is_exported_empty_if_that_is_allowed(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "text_scripts.py").write_text(SCRIPTS.replace('f"Antwort {number} 😀', 'f"nothing alike {number}'))
    config = CONFIG.replace("[voter, base]", "[voter]").replace("min_confidence: 0.1", "min_confidence: 1")
    (tmp_path / "config.yaml").write_text(config)
    done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run"], on_path(tmp_path))
    assert done.returncode == 1, done.stderr
    assert examples(tmp_path) == []
    refused = forks.run(tmp_path, ["export", "run", "--format", "alpaca", "--to", "out.json"])
    assert refused.returncode == 1
    assert re.fullmatch(r"error: run: has no example; dropped most: \d+ low_confidence in ensemble.*\n", refused.stderr)
    for form, name in [("alpaca", "out.json"), ("original", "out.jsonl"), ("parquet", "out.parquet")]:
        exported(forks, tmp_path, form, name, "--allow-empty")
    assert json.loads((tmp_path / "out.json").read_text()) == []
    assert (tmp_path / "out.jsonl").read_bytes() == b""
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("to", "problem"),
    [("nowhere/out", "nowhere does not exist"), ("run", "is a folder"), ("config.yaml/out", "config.yaml")],
)
@pytest.mark.parametrize("form", ["alpaca", "parquet"])
def test_a_place_that_cannot_be_written_is_refused(forks: Forks, place: Path, form: str, to: str, problem: str) -> None:
    message = forks.refused(place, "export", "run", "--format", form, "--to", to)
    assert to in message
    assert problem in message


@pytest.mark.parametrize("form", ["alpaca", "parquet"])
def test_a_folder_without_permission_is_refused(forks: Forks, place: Path, tmp_path: Path, form: str) -> None:
    to = unwritable(tmp_path / "locked") / "out"
    assert f"{to}: cannot be written" in forks.refused(place, "export", "run", "--format", form, "--to", to)
