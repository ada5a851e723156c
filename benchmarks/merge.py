"""Memory and time of what looks at a whole run at its end: selecting anew, and merging two runs.

    .venv/bin/python benchmarks/merge.py [--instances 100000] [--words 60] [--keep FOLDER]

Two runs are made here, out of random words: each instance has three outputs in addition to its own, more or less
alike, and one in twenty instructions of the second is in the first too. Each command is a process of its own; what is
printed is its processor time and the most memory that it took. All that is made is deleted at the end, unless it shall
be kept.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection

from ensemble_instruct.config.load import load_config
from ensemble_instruct.records import Instance, Instruction, Kind
from ensemble_instruct.runs.fingerprint import fingerprint
from ensemble_instruct.store.database import connect, pack_prompt
from ensemble_instruct.version import __version__

VOTERS = ("a-7b", "b-8b", "c-9b")
WORDS = [first + second + third for first in "bdfgklmnprst" for second in "aeiou" for third in "dlmnrst"]
COMMANDS = (
    ("select anew, consensus", "select", "one", "--strategy", "consensus"),
    ("select anew, --keep 0.5", "select", "one", "--strategy", "balanced", "--keep", "0.5"),
    ("select anew, balanced", "select", "one", "--strategy", "balanced"),
    ("merge", "merge", "two", "one", "--to", "both"),
)


class Maker:
    """Writes the records of a run."""

    def __init__(self, connection: Connection, number: int, words: int) -> None:
        self._random = random.Random(number)
        self._connection, self._number, self._words, self._requests = connection, number, words, 0

    def make(self, kind: Kind, wanted: int) -> None:
        """This many instances with their outputs."""
        shared = random.Random(0)
        for place in range(wanted):
            common = self._text(shared, 12)
            text = common if place % 20 == 0 else self._text(self._random, 12)
            key = self._request("instructions", kind, "base", text)
            instruction = Instruction(kind=kind, text=text)
            self._insert("instruction", (kind, place, instruction.id, text, key, place, "[]", None))
            right = self._text(self._random, self._random.randint(self._words // 2, self._words * 3 // 2))
            task_input = self._text(self._random, 20) if kind == "input_output" else ""
            key = self._request("instances", kind, "base", right)
            record = Instance(kind=kind, instruction=text, input=task_input, output=right)
            self._insert("instance", (kind, place, record.id, text, task_input, self._nearly(right), 0, "", key))
            for voter in VOTERS:
                output = self._nearly(right)
                key = self._request("outputs", kind, voter, output)
                self._insert("candidate", (record.id, voter, output, "stop", key))

    def _text(self, draw: random.Random, words: int) -> str:
        return " ".join(draw.choices(WORDS, k=words))

    def _nearly(self, right: str) -> str:
        other = self._random.random() * 0.9
        words = right.split()
        return " ".join(self._random.choice(WORDS) if self._random.random() < other else word for word in words)

    def _request(self, step: str, kind: Kind, model: str, text: str) -> bytes:
        self._requests += 1
        key = bytes([self._number]) + self._random.randbytes(15)
        values = (1, pack_prompt(text[:200], ""), 1, None, 0, text, "stop", 90, 90, None, 0.5, 1.8e9, 0, 1)
        self._insert("request", (key, step, kind, model, *values))
        return key

    def _insert(self, table: str, values: tuple[object, ...]) -> None:
        self._connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)


def make_run(folder: Path, number: int, instances: int, words: int) -> None:
    """A finished run whose rows are still to be selected."""
    folder.mkdir(parents=True)
    names = ["base", *VOTERS]
    models = {name: {"base_url": "http://127.0.0.1:8000/v1", "model": name, "license": "Apache-2.0"} for name in names}
    roles = {"instructions": "base", "instances": "base", "outputs": list(VOTERS)}
    target = {"input_output": instances // 2, "output_only": instances - instances // 2}
    config = {"instructions": {"target": target}, "models": models, "roles": roles}
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    with closing(connect(folder / "run.db")) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO shared VALUES (1, '')")
        connection.execute("INSERT INTO sampling VALUES (1, '{}')")
        maker = Maker(connection, number, words)
        maker.make("input_output", target["input_output"])
        maker.make("output_only", target["output_only"])
        settings = json.dumps(fingerprint(load_config(folder / "config.yaml")))
        meta = {"config": settings, "state": "finished", "version": __version__}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")


def measure(folder: Path, *arguments: str) -> tuple[float, float]:
    """Seconds of processor time and peak megabytes of a command."""
    process = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "ensemble_instruct", *arguments],
        {**os.environ, "PWD": str(folder)},
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)}: ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Make the runs, measure each command, print the table."""
    arguments = argparse.ArgumentParser(description="Memory and time of the end of a run, and of a merge.")
    arguments.add_argument("--instances", type=int, default=100_000, help="of each run (default: 100000)")
    arguments.add_argument("--words", type=int, default=60, help="of an output, on average (default: 60)")
    arguments.add_argument("--keep", type=Path, help="folder to make the runs in, and to leave them there")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="merge-") as name:
        folder = (options.keep or Path(name)).absolute()
        for number, run in enumerate(("one", "two"), start=1):
            if not (folder / run).exists():
                make_run(folder / run, number, options.instances, options.words)
        os.chdir(folder)
        shutil.rmtree("both", ignore_errors=True)
        print(f"{options.instances:,} instances a run, {options.words} words an output")
        print(f"{'':<26}{'processor s':>12}{'MB':>8}")
        for title, *command in COMMANDS:
            seconds, megabytes = measure(folder, *command)
            print(f"{title:<26}{seconds:>12.1f}{megabytes:>8.0f}", flush=True)


if __name__ == "__main__":
    main()
