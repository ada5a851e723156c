"""Many commands for the price of one start: each runs in a process of its own, forked from one that has the imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest


def tree(folder: Path) -> dict[Path, bytes | None]:
    """Everything in a folder, with the content of the files."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


_FORKING = """
import gc, json, os, signal, sys
from ensemble_instruct import cli
from ensemble_instruct.export import exporter
from ensemble_instruct.models.clients import scripted
from ensemble_instruct.models.clients.openai import client
from ensemble_instruct.replies import lists
from ensemble_instruct.runs import estimate, lifecycle, progress, status, step_files
from ensemble_instruct.steps.text_only import needs
sys.argv[0] = "ensemble-instruct"
sys.dont_write_bytecode = True
gc.freeze()
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        signal.alarm(order["timeout"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(order["folder"])
        os.environ.update(order["env"])
        sys.path[:0] = filter(None, order["env"].get("PYTHONPATH", "").split(os.pathsep))
        for number in (1, 2):
            os.dup2(os.open(order["streams"][number - 1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.argv[1:] = order["arguments"]
        try:
            cli.main()
        except SystemExit as end:
            sys.stdout.flush()
            os._exit(end.code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forks:
    """Runs commands like the `cli` fixture, each in a process of its own, but imports the package only once.

    So a hundred refusals cost a few seconds.
    """

    def __init__(self, scratch: Path) -> None:
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
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        given, streams = [str(part) for part in arguments], [str(path) for path in self._streams]
        order = {"folder": str(folder), "env": env or {}, "streams": streams, "arguments": given, "timeout": timeout}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        out, err = (path.read_text() for path in self._streams)
        return subprocess.CompletedProcess(given, code, out, err)

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
