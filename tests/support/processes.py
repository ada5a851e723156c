"""Commands at work in processes of their own: started, waited for, told to stop."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import COMMAND
from tests.support.forks import Forked

PATIENCE = 120.0
"""Seconds after which a test gives up: far more than anything takes, so that only what hangs meets it."""
PROGRESS = re.compile(r"\b\d+ requests, .* in flight$")
STOPPING = re.compile(r"stopping: (\d+) requests in flight are coming home; Ctrl-C again drops them\n")


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once something that another process does has come true; an error if it never does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


def terminal_environment() -> dict[str, str]:
    """The environment of a user at a terminal, without keys."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    return {**kept, "TERM": "xterm-256color"}


@contextmanager
def started(
    folder: Path, *arguments: str | Path, ignores_hang_up: bool = False, **settings: Any
) -> Iterator[subprocess.Popen[str]]:
    """A command at work in `folder`; killed at the end, or when it hangs. `settings`: those of `Popen`.

    It hears SIGHUP, whatever started the tests, unless it `ignores_hang_up`, as under `nohup`.
    """
    usual: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": terminal_environment()}
    heard = signal.SIG_IGN if ignores_hang_up else signal.SIG_DFL
    usual["preexec_fn"] = lambda: signal.signal(signal.SIGHUP, heard)
    with subprocess.Popen([COMMAND, *arguments], cwd=folder, text=True, **{**usual, **settings}) as process:
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def told_to_stop(process: subprocess.Popen[str] | Forked, number: signal.Signals) -> int:
    """Send a signal; returns the number of requests in flight that the one line about it names."""
    process.send_signal(number)
    line = next_line(process)
    stopping = STOPPING.fullmatch(line)
    assert stopping, line
    return int(stopping[1])


def next_line(process: subprocess.Popen[str] | Forked) -> str:
    """The next line on stderr that does not say how far it is, which a slow machine has time for."""
    assert process.stderr is not None
    return next((line for line in process.stderr if without_progress(line)), "")


def without_progress(text: str) -> str:
    """The lines that do not say how far a run is."""
    return "".join(line for line in text.splitlines(keepends=True) if not PROGRESS.search(line))


def done(folder: Path, *arguments: str | Path) -> str:
    """What a command says that a real model takes long to finish; it must end well."""
    finished = subprocess.run(
        [COMMAND, *arguments],
        cwd=folder, env=terminal_environment(), capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr + finished.stdout
    return finished.stdout
