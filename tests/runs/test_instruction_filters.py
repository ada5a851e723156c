"""The filters of step 1 in a run: a user's own words, and a resumed run that had none of them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from tests.conftest import SIMULATED, Cli, rows
from tests.support.finished import stored

FILTERS = (
    "--set",
    "instructions.filters={blocked_words: [number, numbers, reply, by commas], blocked_patterns: ['^We are ']}",
)
WORDS = re.compile(r"\b(?:numbers?|reply|by commas)\b", re.IGNORECASE)


def texts(folder: Path) -> list[str]:
    return [text for (text,) in stored(folder, "SELECT text FROM instruction")]


def drops(folder: Path, step: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for reason, text in stored(folder, f"SELECT reason, text FROM rejected WHERE step = '{step}'"):
        found.setdefault(reason, []).append(text)
    return found


def test_a_user_keeps_words_and_patterns_of_their_own_out_of_a_dataset(cli: Cli, tmp_path: Path) -> None:
    assert cli("run", SIMULATED, "--out", "all").returncode == 0
    assert any("number" in text.lower().split() for text in texts(tmp_path / "all"))
    done = cli("run", SIMULATED, "--out", "run", *FILTERS)
    assert done.returncode == 0, done.stderr
    made = [row["instruction"] for row in rows(tmp_path / "run" / "examples.jsonl")] + texts(tmp_path / "run")
    assert made
    assert not [text for text in made if WORDS.search(text) or text.startswith("We are ")]
    dropped = drops(tmp_path / "run", "instructions")
    assert all(WORDS.search(text) for text in dropped["blocked_word"])
    assert all(text.startswith("We are ") for text in dropped["blocked_pattern"])
    further = drops(tmp_path / "run", "parse")["instruction_blocked_word"]
    assert all(WORDS.search(text) for text in further)


def test_a_run_from_before_there_were_filters_goes_on_with_the_defaults(
    cli: Cli, tmp_path: Path, finished_run: Path
) -> None:
    folder = Path(shutil.copytree(finished_run, tmp_path / "run"))
    (known,) = stored(folder, "SELECT value FROM meta WHERE name = 'config'")
    assert not [key for key in json.loads(known[0]) if "filters" in key]
    done = cli("run", SIMULATED, "--out", "run", "--set", "instructions.filters={min_words: 3, text_only: true}")
    assert done.returncode == 0, done.stderr
    refused = cli("run", SIMULATED, "--out", "run", *FILTERS)
    assert refused.returncode == 2
    assert 'instructions.filters.blocked_patterns: null → ["^We are "]' in refused.stderr
    assert "step 1 and after it: up to" in refused.stderr
    assert "min_words" not in refused.stderr


def test_a_single_step_filters_too(cli: Cli, tmp_path: Path) -> None:
    step = ("instructions", SIMULATED, "--kind", "output_only", "--set", "instructions.target.output_only=8")
    assert cli(*step, *FILTERS, "--to", "made.jsonl").returncode == 0
    assert not [row for row in rows(tmp_path / "made.jsonl") if "number" in row["instruction"].lower().split()]
    assert "blocked_word" in {row["reason"] for row in rows(tmp_path / "made.jsonl.rejected.jsonl")}
    completion = (
        "output: red\n\ninstruction: Draw a cat.\noutput: no\n\ninstruction: Name the files of Git.\noutput: HEAD"
    )
    row = {"instruction": "Name a colour.", "raw_instances": completion}
    (tmp_path / "completions.jsonl").write_text(json.dumps(row))
    assert cli("parse", "--instances", "completions.jsonl", "--to", "instances.jsonl").returncode == 0
    kept = [row["instruction"] for row in rows(tmp_path / "instances.jsonl")]
    assert kept == ["Name a colour.", "Name the files of Git."]
    dropped = rows(tmp_path / "instances.jsonl.rejected.jsonl")
    assert [row["reason"] for row in dropped] == ["instruction_needs_more_than_text"]
