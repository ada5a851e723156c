"""Many commands for the price of one start: each runs in a process of its own, forked from one that has the imports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from select import select
from typing import Any, TextIO

import pytest


def tree(folder: Path) -> dict[Path, bytes | None]:
    """Everything in a folder, with the content of the files."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


_LONGEST = 120.0
"""Seconds after which a command that was started is killed."""
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
        if "told" in order:
            raise  # it ends as a process of its own does
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
    """A command at work, much like a `Popen`; `told` is where its pid and its exit code come from."""

    def __init__(self, told: TextIO, streams: Sequence[TextIO] = ()) -> None:
        self._told, self._streams = told, streams
        self.returncode: int | None = None
        self.pid = int(told.readline())

    @property
    def stderr(self) -> TextIO:
        """What it says, if it was not sent to a file."""
        return self._streams[1]

    def wait(self, timeout: float = _LONGEST) -> int | None:
        """Its exit code, or None when it goes on after that many seconds."""
        if self.returncode is None and select([self._told], [], [], timeout)[0]:
            self.returncode = int(self._told.readline())
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code, or None when it goes on."""
        return self.wait(0)

    def communicate(self, timeout: float = _LONGEST) -> tuple[str, str]:
        """All that it still says on stdout and stderr, once it has ended."""
        with ThreadPoolExecutor(1) as other:
            out, err = other.submit(self._streams[0].read), self._streams[1].read()
            assert self.wait(timeout) is not None
            return out.result(), err

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal if it goes on."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def kill(self) -> int:
        """End it with SIGKILL if it goes on; returns its exit code."""
        self.send_signal(signal.SIGKILL)
        code = self.wait(_LONGEST)
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
        with self._begun(folder, [log] * 2, arguments).open() as told, _killed_at_the_end(Forked(told)) as process:
            yield process

    @contextmanager
    def at_work(self, folder: Path, *arguments: str | Path) -> Iterator[Forked]:
        """The same, where a test reads what it says."""
        pipes = [self._pipe(), self._pipe()]
        with ExitStack() as stack:
            told = stack.enter_context(self._begun(folder, pipes, arguments).open())
            streams = [stack.enter_context(pipe.open()) for pipe in pipes]
            yield stack.enter_context(_killed_at_the_end(Forked(told, streams)))

    def _begun(self, folder: Path, streams: Sequence[Path], arguments: Sequence[str | Path]) -> Path:
        """Begin a command; returns the pipe that tells of it."""
        told, said = self._pipe(), [str(path) for path in streams]
        order = {"folder": str(folder), "env": {}, "streams": said, "arguments": [str(part) for part in arguments]}
        assert self._order({**order, "timeout": int(_LONGEST), "told": str(told)}) == 0
        return told

    def _pipe(self) -> Path:
        pipe = self._scratch / f"pipe-{next(self._count)}"
        os.mkfifo(pipe)
        return pipe

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


@contextmanager
def _killed_at_the_end(process: Forked) -> Iterator[Forked]:
    try:
        yield process
    finally:
        process.kill()


def unwritable(folder: Path) -> Path:
    """A folder in which no file can be made. The superuser may write anywhere but in the kernel's own."""
    if os.geteuid() == 0:
        return Path("/sys")
    folder.mkdir(mode=0o500)
    return folder
