"""Many commands for the price of one start: each runs in a process of its own, forked from one that has the imports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from select import select
from typing import Any, TextIO

import pytest


def tree(folder: Path) -> dict[Path, bytes | None]:
    """Everything in a folder, with the content of the files."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


_FORKING = """
import gc, json, os, signal, sys
import nltk.stem.porter, rich.console, rich.live, rich.progress, uvloop
from ensemble_instruct import cli
from ensemble_instruct.agreement import content
from ensemble_instruct.cli import terminal
from ensemble_instruct.config import load
from ensemble_instruct.demo import answers
from ensemble_instruct.export import card, exporter, facts
from ensemble_instruct.licences import table
from ensemble_instruct.models.clients import scripted
from ensemble_instruct.models.clients.openai import client
from ensemble_instruct.prompts import folder
from ensemble_instruct.replies import lists
from ensemble_instruct.replies.answers import small_talk
from ensemble_instruct.report import page
from ensemble_instruct.runs import estimate, lifecycle, progress, status, step_files
from ensemble_instruct.runs.merging import merge
from ensemble_instruct.runs.preview import making
from ensemble_instruct.steps.text_only import needs
from tests.support.simulated import models
content.function_words(), folder.bundled_prompts(), table.licence_of_model("-"), table.licence_called("-")
load.load_config(preset="demo")
for name in "report.html.j2", "report_lede.html.j2", "report_macros.html.j2", "report_sections.html.j2":
    page.environment().get_template(name)
try:
    import pandas, pyarrow.parquet  # where both are installed, the one imports the other when it writes
except ImportError:
    pass
small_talk.holds_offer("What each process reads once, this one reads for all of them."), small_talk.holds_offer("你")
sys.argv[0] = "ensemble-instruct"
sys.dont_write_bytecode = True
gc.freeze()

def command(order):
    signal.alarm(order["timeout"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(order["folder"])
    os.environ.update(order["env"])
    sys.path[:0] = filter(None, order["env"].get("PYTHONPATH", "").split(os.pathsep))
    how = os.O_APPEND if "told" in order else os.O_TRUNC
    for number in (1, 2):
        os.dup2(os.open(order["streams"][number - 1], os.O_WRONLY | os.O_CREAT | how), number)
    sys.argv[1:] = order["arguments"]
    try:
        cli.main()
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(end.code)

def told(order):
    if os.fork():
        os._exit(0)  # who goes on has no parent that must wait for it
    with open(order["told"], "w", buffering=1) as tell:
        child = os.fork()
        if child == 0:
            tell.close()
            command(order)
            return
        print(child, file=tell)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=tell)
    os._exit(0)

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        told(order) if "told" in order else command(order)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forked:
    """A command at work, like a `Popen`."""

    def __init__(self, told: TextIO) -> None:
        self._told = told
        self._code: int | None = None
        self.pid = int(told.readline())

    def wait(self, timeout: float) -> int | None:
        """Its exit code, or None when it goes on after that many seconds."""
        if self._code is None and select([self._told], [], [], timeout)[0]:
            self._code = int(self._told.readline())
        return self._code

    def kill(self) -> int:
        """End it with SIGKILL if it goes on; returns its exit code."""
        if self.wait(0) is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, signal.SIGKILL)
        code = self.wait(120)
        assert code is not None
        return code


class Forks:
    """Runs commands like the `cli` fixture, each in a process of its own, but imports the package only once.

    So a hundred refusals cost a few seconds.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch, self._count, self._one_at_a_time = scratch, count(), threading.Lock()
        self._streams = [scratch / "stdout", scratch / "stderr"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _FORKING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(
        self, folder: Path, arguments: Sequence[str | Path], env: dict[str, str] | None = None, timeout: int = 300
    ) -> subprocess.CompletedProcess[str]:
        """Exit code, stdout and stderr of a command that was run in `folder`; killed after `timeout` seconds."""
        given, streams = [str(part) for part in arguments], [str(path) for path in self._streams]
        order = {"folder": str(folder), "env": env or {}, "streams": streams, "arguments": given, "timeout": timeout}
        code = self._order(order)
        out, err = (path.read_text() for path in self._streams)
        return subprocess.CompletedProcess(given, code, out, err)

    @contextmanager
    def started(self, folder: Path, log: Path, *arguments: str | Path) -> Iterator[Forked]:
        """A command at work in `folder`, which adds what it says to `log`; killed at the end, or after minutes."""
        fifo = self._scratch / f"told-{next(self._count)}"
        os.mkfifo(fifo)
        given = [str(part) for part in arguments]
        order = {"folder": str(folder), "env": {}, "streams": [str(log)] * 2, "arguments": given, "timeout": 120}
        assert self._order({**order, "told": str(fifo)}) == 0
        with fifo.open() as told:
            process = Forked(told)
            try:
                yield process
            finally:
                process.kill()

    def _order(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def refused(self, folder: Path, *arguments: str | Path, env: dict[str, str] | None = None) -> str:
        """Assert that a command is refused as bad input, and return the one line it says."""
        before = tree(folder)
        done = self.run(folder, arguments, env)
        assert done.stderr.startswith("error: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.returncode == 2, done.stderr
        assert done.stdout == ""
        assert tree(folder) == before
        return done.stderr

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def on_path(folder: Path) -> dict[str, str]:
    """The environment in which a command also finds the modules of a folder: it does not look there by itself."""
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])}


@contextmanager
def forking(factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """For a fixture of a module."""
    forks = Forks(factory.mktemp("streams"))
    try:
        yield forks
    finally:
        forks.close()


def unwritable(folder: Path) -> Path:
    """A folder in which no file can be made. The superuser may write anywhere but in the kernel's own."""
    if os.geteuid() == 0:
        return Path("/sys")
    folder.mkdir(mode=0o500)
    return folder
