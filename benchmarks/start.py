"""How long does a command take to start? Processor seconds of the shortest ones, next to those of Python itself.

    .venv/bin/python benchmarks/start.py [--repeats 20]

Each command is a process of its own; all take turns, so that a busy machine is as hard on one as on the others. Printed
are the median and the least processor time (user and system) of each. `--help` and `import ensemble_instruct` should
stay under 0.2 s: a heavy import that somebody puts at the head of a module shows here. `status` is that of a run folder
with an empty `run.db`, made here and deleted at the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median

from ensemble_instruct.store.database import connect

COMMAND = str(Path(sys.executable).with_name("ensemble-instruct"))


def commands(run: Path) -> dict[str, list[str]]:
    """What is measured, by the words of the table."""
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import click'": [sys.executable, "-c", "import click"],
        "python -c 'import ensemble_instruct'": [sys.executable, "-c", "import ensemble_instruct"],
        "ensemble-instruct --help": [COMMAND, "--help"],
        "ensemble-instruct status RUN": [COMMAND, "status", str(run)],
    }


def make_run(folder: Path) -> Path:
    """A run folder with a database in which nothing was recorded yet."""
    folder.mkdir()
    with closing(connect(folder / "run.db")):
        return folder


def cpu_seconds(command: list[str]) -> float:
    """Processor time of a command, user and system, whatever else the machine does."""
    quiet = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY, 0) for descriptor in (1, 2)]
    process = os.posix_spawn(command[0], command, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Processor time of the shortest commands.")
    parser.add_argument("--repeats", type=int, default=20, help="runs of each command (20)")
    repeats = parser.parse_args().repeats
    if repeats < 1:
        parser.error("--repeats must be at least 1")
    with tempfile.TemporaryDirectory(prefix="start-") as name:
        measured = commands(make_run(Path(name) / "run"))
        for command in measured.values():  # the first start of each reads files and compiles modules
            cpu_seconds(command)
        seconds: dict[str, list[float]] = {title: [] for title in measured}
        for _ in range(repeats):
            for title, command in measured.items():
                seconds[title].append(cpu_seconds(command))
    print(f"{'':<38}{'median CPU s':>14}{'least CPU s':>14}")
    for title, values in seconds.items():
        print(f"{title:<38}{median(values):>14.3f}{min(values):>14.3f}")


if __name__ == "__main__":
    main()
