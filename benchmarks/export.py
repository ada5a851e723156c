"""How long does an export take, and how much memory? A run with a million examples, in each format.

    .venv/bin/python benchmarks/export.py [--size 1000000] [--format NAME ...] [--folder FOLDER]

Makes a `run.db` with that many examples, each with an instance, three voters and their scores, and exports it with the
command line, twice; prints time, CPU time, peak memory and size, and ends with 1 if a row is missing, or if the second
export is not the first to the byte. Everything it makes is deleted at its end.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ensemble_instruct.records import INSTANCE_VOTER, KINDS, Candidate, Example, Instance
from ensemble_instruct.store.database import connect
from ensemble_instruct.store.rows import example_row

COMMAND = Path(sys.executable).with_name("ensemble-instruct")
VOTERS = (INSTANCE_VOTER, "first", "second", "third")
WORDS = [f"{start}{middle}{end}" for start in "bdfgklmnprst" for middle in "aeiou" for end in ("l", "nd", "r", "st")]
CONFIG = """
models:
  base: {base_url: "http://127.0.0.1:8000/v1", model: example/base, license: Apache-2.0}
  first: {base_url: "http://127.0.0.1:8001/v1", model: example/first, endpoint: chat, license: Apache-2.0}
  second: {base_url: "http://127.0.0.1:8002/v1", model: example/second, endpoint: chat, license: MIT}
  third: {base_url: "http://127.0.0.1:8003/v1", model: example/third, endpoint: chat, license: MIT}
roles: {instructions: base, instances: base, outputs: [first, second, third]}
"""
SPLIT = "train=0.95,test=0.05"
CASES: dict[str, list[str]] = {
    "parquet (file)": ["--format", "parquet", "--to", "out.parquet"],
    "parquet (shards)": ["--format", "parquet", "--to", "shards/", "--split", SPLIT, "--shard-size", "100MB"],
    "hub (dry run)": ["--format", "hub", "--dry-run", "--to", "hub", "--split", SPLIT],
    "messages": ["--format", "messages", "--to", "messages.jsonl", "--system", "Answer briefly."],
    "prompt-completion": ["--format", "prompt-completion", "--to", "pairs.jsonl"],
    "alpaca": ["--format", "alpaca", "--to", "alpaca.json"],
    "preference": ["--format", "preference", "--to", "preference.jsonl"],
    "original": ["--format", "original", "--to", "original.jsonl"],
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One command that came to its end."""

    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    megabytes: float
    """Of the files that it wrote."""
    digest: str
    output: str
    """What it printed."""


def main() -> int:
    """Run it and print the table."""
    arguments = argparse.ArgumentParser(description="Time and memory of exports.")
    arguments.add_argument("--size", type=int, default=1_000_000, help="number of examples (default: 1000000)")
    arguments.add_argument(
        "--format", action="append", choices=list(CASES), help="only this one; repeat (default: all)"
    )
    arguments.add_argument("--folder", type=Path, help="where to work (default: where temporary files are made)")
    options = arguments.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="export-", dir=options.folder) as name:
        folder = Path(name)
        make_run(folder / "run", options.size)
        database = (folder / "run" / "run.db").stat().st_size
        print(f"{options.size:,} examples, database {database / 1e6:,.0f} MB")
        print(f"{'format':<18}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'MB':>8}  again the same")
        for case in options.format or CASES:
            first, second = (_export(folder, CASES[case]) for _ in range(2))
            is_right = first.digest == second.digest
            is_right &= case == "preference" or f"{options.size} examples" in first.output
            failed |= not is_right
            times = f"{first.seconds:>8.1f}{first.cpu_seconds:>8.1f}"
            sizes = f"{first.peak_megabytes:>9.0f}{first.megabytes:>8.0f}"
            print(f"{case:<18}{times}{sizes}  {'yes' if is_right else 'NO: ' + first.output}", flush=True)
    return int(failed)


def make_run(folder: Path, size: int) -> None:
    """A finished run of this many examples, half of each kind; nothing else of a run is in it."""
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG)
    with closing(connect(folder / "run.db")) as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO meta VALUES ('state', 'finished')")
        connection.executemany("INSERT INTO example VALUES (?, ?, ?, ?)", _examples(size))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _examples(size: int) -> Iterator[tuple[str, int, str, str]]:
    rng = random.Random(0)
    for number in range(size):
        kind = KINDS[2 * number // size]
        task_input = _text(rng, 30) if kind == "input_output" else ""
        instruction = f"{_text(rng, 15)} {number}."
        instance = Instance(kind=kind, instruction=instruction, input=task_input, output=_text(rng, 40))
        texts = (instance.output, instance.output, _text(rng, 40), _text(rng, 40))
        candidates = tuple(Candidate(instance.id, *pair) for pair in zip(VOTERS, texts, strict=True))
        scores = tuple(round(rng.random(), 4) for _ in VOTERS)
        matrix = tuple(scores for _ in VOTERS)
        example = Example(
            instance=instance,
            output=instance.output,
            winners=VOTERS[:2],
            agreement=max(scores),
            confidence=max(scores),
            candidates=candidates,
            scores=scores,
            matrix=matrix,
        )
        yield kind, number, instance.id, json.dumps(example_row(example))


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words))


def _export(folder: Path, arguments: list[str]) -> Measured:
    began = time.monotonic()
    command = [str(COMMAND), "export", "run", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    target = folder / arguments[arguments.index("--to") + 1]
    files = sorted(path for path in target.rglob("*") if path.is_file()) if target.is_dir() else [target]
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(f"{path}{hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return Measured(
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_megabytes=usage.ru_maxrss / 1000,
        megabytes=sum(path.stat().st_size for path in files) / 1e6,
        digest=digest.hexdigest(),
        output=output,
    )


if __name__ == "__main__":
    sys.exit(main())
