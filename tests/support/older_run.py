"""A finished run that an older version left, with the models that it asked."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, rows

OLDER_RUN = ROOT / "tests" / "store" / "older_run"
"""A run that was made by an earlier version, with models of its own: its config, its database as SQL, its examples."""
OLDER_MODELS = """
import re
import zlib

def base(request):
    number = zlib.crc32(request.prompt.encode() + str(request.sampling.seed).encode()) % 10**6
    if request.step == "instructions":
        return f" Say the number {number} of the day {number * 7 % 1000003} to friend{number * 13 % 99991}"
    task = request.prompt.rpartition("instruction: ")[2]
    word = f"input: größer als {number}\\n" if request.kind == "input_output" else ""
    return f"{word}output: number {re.search('[0-9]+', task)[0]} it is"

def voter(request):
    number = re.search("[0-9]+", request.prompt)[0]
    return f"the number is {number}" if int(number) % 3 else "I cannot tell 日本"
"""
SILENT_MODELS = "def base(request): raise RuntimeError('asked again')\nvoter = base\n"


def of_today(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of examples; what an older version called agreement was the confidence."""
    return [
        {"agreement": row["matrix"][0][1], "confidence": row["agreement"], "basis": "text"} | row
        if "confidence" not in row
        else row
        for row in rows(path)
    ]


def older_run(folder: Path, models: str) -> Path:
    """That run in `folder`, where its models are these."""
    (folder / "older_models.py").write_text(models, encoding="utf-8")
    run = folder / "run"
    run.mkdir()
    for name in ("config.yaml", "examples.jsonl"):
        shutil.copy(OLDER_RUN / name, run)
    with closing(sqlite3.connect(run / "run.db")) as connection:
        connection.executescript((OLDER_RUN / "run.sql").read_text(encoding="utf-8"))
    return run
