"""Does memory stay flat? Step 4 alone, through the command line, over a million small rows and a scripted model.

    .venv/bin/python benchmarks/memory.py [--size 1000000]

Prints how much memory the command took as it went on, and how long a request took it; ends with 1 if a row is missing
or wrong. Reads /proc, so it needs Linux. Everything it makes is deleted at its end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

COMMAND = Path(sys.executable).with_name("ensemble-instruct")
EVERY = 0.25
"""Seconds between two looks at the command."""
SHARES = (0.10, 0.25, 0.50, 0.75, 1.00)

MODULE = '''
def reply(request):
    """One more than the number in the last line of the prompt."""
    return str(int(request.prompt.rpartition("\\n")[2]) + 1)
'''
CONFIG = """
models:
  tiny: {provider: scripted, function: "tiny_model:reply"}
roles: {instructions: tiny, instances: tiny, outputs: [tiny]}
"""


@dataclass(frozen=True)
class Sample:
    """One look at the command: how many requests were answered, and the memory it held."""

    answered: int
    megabytes: float


@dataclass(frozen=True)
class Ended:
    """A command that came to its end."""

    code: int
    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    samples: list[Sample]


def main() -> int:
    """Run it and print the table."""
    arguments = argparse.ArgumentParser(description="Memory of step 4 alone over many small rows.")
    arguments.add_argument("--size", type=int, default=1_000_000, help="number of rows (default: 1000000)")
    size = arguments.parse_args().size
    with tempfile.TemporaryDirectory(prefix="memory-") as name:
        folder = Path(name)
        _write_inputs(folder, size)
        ended = _run(folder)
        if ended.code != 0:
            print(f"the command ended with {ended.code}")
            return 1
        missing = _missing(folder / "outputs.jsonl", size)
        _print_table(size, ended, (folder / "outputs.jsonl.db").stat().st_size)
    if missing:
        print(f"{missing} rows are missing or wrong")
    return 1 if missing else 0


def _rows(size: int, *, answered: bool) -> Iterator[str]:
    for number in range(size):
        output = str(number + 1) if answered else ""
        row = {"instruction": "Say the number that comes after this one.", "input": str(number), "output": output}
        yield json.dumps(row) + "\n"


def _write_inputs(folder: Path, size: int) -> None:
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "tiny_model.py").write_text(MODULE)
    with (folder / "instances.jsonl").open("w") as file:
        file.writelines(_rows(size, answered=False))


def _run(folder: Path) -> Ended:
    """Run the command in the folder, looking at it at regular intervals."""
    given = "outputs config.yaml --model tiny --instances instances.jsonl --to outputs.jsonl --allow-code"
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    samples: list[Sample] = []
    peak = 0.0
    with subprocess.Popen(
        [str(COMMAND), *given.split()], cwd=folder, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        try:
            while process.poll() is None:
                held, highest = _memory(process.pid)
                if held:
                    samples.append(Sample(_answered(folder / "outputs.jsonl.db"), held))
                peak = max(peak, highest)
                time.sleep(EVERY)
        except BaseException:
            process.kill()
            raise
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ended(process.returncode, seconds, cpu, peak, samples)


def _memory(process: int) -> tuple[float, float]:
    """Megabytes that a process holds now, and the most it held so far; zeros when it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0.0, 0.0
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1000 for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return sizes.get("VmRSS", 0.0), sizes.get("VmHWM", 0.0)


def _answered(database: Path) -> int:
    """How many requests the store holds: each new one has the next row id."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            (count,) = connection.execute("SELECT MAX(rowid) FROM request").fetchone()
    except sqlite3.OperationalError:  # not made yet
        return 0
    return count or 0


def _missing(path: Path, size: int) -> int:
    """How many rows are not there, not in their place or not as they should be."""
    with path.open() as lines:
        return sum(line != expected for line, expected in zip_longest(lines, _rows(size, answered=True)))


def _print_table(size: int, ended: Ended, database: int) -> None:
    at = [next((sample for sample in ended.samples if sample.answered >= share * size), None) for share in SHARES]
    cells = {
        "rows": f"{size:,}",
        "wall s": f"{ended.seconds:.1f}",
        "requests/s": f"{size / ended.seconds:,.0f}",
        "CPU ms/request": f"{1000 * ended.cpu_seconds / size:.3f}",
        **{
            f"MB at {share:.0%}": f"{sample.megabytes:.1f}" if sample else "-"
            for share, sample in zip(SHARES, at, strict=True)
        },
        "peak MB": f"{ended.peak_megabytes:.1f}",
        "database MB": f"{database / 1e6:.1f}",
    }
    widths = [max(len(name), len(cell)) for name, cell in cells.items()]
    print("  ".join(name.rjust(width) for name, width in zip(cells, widths, strict=True)))
    print("  ".join(cell.rjust(width) for cell, width in zip(cells.values(), widths, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
