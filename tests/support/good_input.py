"""What commands read, with nothing wrong in it: a row of each sort, files of them, two configs; and broken lines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

TASK = {"instruction": "Name the capital city of this country.", "input": "France", "output": "Paris"}
COMPLETION = {"instruction": TASK["instruction"], "raw_instances": "input: France\noutput: Paris"}
SEED = {
    "id": "seed_1",
    "name": "capital",
    "instruction": TASK["instruction"],
    "instances": [{"input": "France", "output": "Paris"}],
    "is_classification": False,
}
REPLY = {"prompt": "Say yes.", "text": "Yes."}

SIMULATED_CONFIG = """
instructions:
  target: {input_output: 5, output_only: 5}
  demonstrations: {input_output: 4, output_only: 4}
models:
  base: {provider: scripted, function: "tests.support.simulated.models:base"}
  a: {provider: scripted, function: "tests.support.simulated.models:voter_a"}
  b: {provider: scripted, function: "tests.support.simulated.models:voter_b"}
  file: {provider: scripted, replies: replies.jsonl}
roles: {instructions: base, instances: base, outputs: [a, b]}
licenses: {policy: any}
"""
"""The simulated models, and one that answers from a file."""

SERVED_CONFIG = """\
seed: 42
instructions:
  target: {input_output: 5, output_only: 5}
  window: 8
models:
  base:
    base_url: http://127.0.0.1:9/v1
    model: m
  a: {base_url: http://127.0.0.1:9/v1, model: m}
  b: {base_url: http://127.0.0.1:9/v1, model: m}
  c: {base_url: http://127.0.0.1:9/v1, model: m}
roles:
  instructions: base
  instances: base
  outputs: [a, b]
ensemble:
  strategy: consensus
licenses: {policy: any}
"""
"""Models at servers, none of which is there."""

Fault = Callable[[dict[str, Any]], tuple[bytes, str]]
"""From a good row to a line that is none, and what is said of it."""


def _last_field(row: dict[str, Any]) -> str:
    return list(row)[-1]


def _without_last(row: dict[str, Any]) -> tuple[bytes, str]:
    kept = {name: row[name] for name in list(row)[:-1]}
    return json.dumps(kept).encode(), f"field '{_last_field(row)}' is missing"


def _with_number(row: dict[str, Any]) -> tuple[bytes, str]:
    return json.dumps({**row, _last_field(row): 5}).encode(), f"field '{_last_field(row)}' must be"


FAULTS: dict[str, Fault] = {
    "cut JSON": lambda row: (json.dumps(row).encode()[:-1], "not JSON"),
    "a list": lambda row: (json.dumps([row]).encode(), "expected a JSON object, found a list"),
    "missing field": _without_last,
    "wrong type": _with_number,
    "invalid UTF-8": lambda row: (json.dumps(row).encode().replace(b"a", b"\xff", 1), "not UTF-8"),
    "no number": lambda row: (json.dumps({**row, "note": math.nan}).encode(), "holds NaN, which is no number of JSON"),
    "a field twice": lambda row: (
        json.dumps(row).encode()[:-1] + b', "note": 1, "note": 2}',
        "has the field 'note' twice",
    ),
    "lone surrogate": lambda row: (json.dumps({**row, "note": "\ud83d"}).encode(), "half of a surrogate pair"),
}


def write(path: Path, *rows: object) -> Path:
    """The path of a JSONL file with these rows."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def working_folder(folder: Path) -> Path:
    """The folder, with `config.yaml` and a file of each sort that a step command reads; nothing in them is wrong."""
    (folder / "config.yaml").write_text(SIMULATED_CONFIG)
    for name in ("good.jsonl", "a.jsonl", "b.jsonl"):
        write(folder / name, TASK)
    write(folder / "completions.jsonl", COMPLETION)
    return folder
