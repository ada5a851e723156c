"""Commands that wait for a server which holds their requests, and the terminal that they are at."""

from __future__ import annotations

import os
import pty
import sqlite3
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import COMMAND
from tests.support.good_input import TASK, write
from tests.support.processes import PATIENCE, terminal_environment, wait_for
from tests.support.servers.model import ModelServer, model_config

ANSWERED = 12
"""Requests that a server answers before it holds all others."""
RUN = ("run", "config.yaml", "--out", "run")
OUTPUTS = ("outputs", "config.yaml", "--model", "careful", "--instances", "tasks.jsonl", "--to", "out.jsonl")
MADE = {RUN: ("run/examples.jsonl", "run/run.db"), OUTPUTS: ("out.jsonl", "out.jsonl.db")}
"""What a command writes at its end, and where it keeps the answers."""
Words = tuple[str, ...]


def configure(folder: Path, base_url: str, tasks: int = 60) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(model_config(base_url))
    write(folder / "tasks.jsonl", *({**TASK, "input": f"Country {number}"} for number in range(tasks)))


def kept(database: Path) -> int:
    """Answers on disk."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(database)) as connection:
        known = connection.execute("PRAGMA user_version").fetchone()[0]
        return int(connection.execute("SELECT COUNT(*) FROM request").fetchone()[0]) if known else 0


def wait_until_held(server: ModelServer, database: Path) -> None:
    """Return once all answers are on disk, and what else may be sent now has been sent."""
    wait_for(lambda: kept(database) == ANSWERED)
    wait_for(lambda: len(server.asked) > ANSWERED)
    asked = 0
    while asked < len(server.asked):
        asked = len(server.asked)
        time.sleep(0.25)


@dataclass
class Terminal:
    """A command whose controlling terminal this is, and what stood on it so far."""

    process: subprocess.Popen[str]
    keyboard: int
    text: str = ""
    is_closed: bool = False

    def read_until(self, words: str) -> None:
        while words not in self.text:
            more = self._more()
            assert more, self.text
            self.text += more

    def press_ctrl_c(self) -> None:
        os.write(self.keyboard, b"\x03")

    def close(self) -> None:
        """The window is closed: the command is told so, and what it writes fails."""
        os.close(self.keyboard)
        self.is_closed = True

    def end(self) -> int:
        while more := self._more():
            self.text += more
        return self.process.wait(PATIENCE)

    def _more(self) -> str:
        try:
            return os.read(self.keyboard, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            return ""


ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@contextmanager
def on_terminal(folder: Path, *arguments: str) -> Iterator[Terminal]:
    keyboard, screen = pty.openpty()
    termios.tcsetwinsize(screen, (40, 130))
    before = termios.tcgetattr(keyboard)
    command = [sys.executable, "-I", "-S", "-c", ON_TERMINAL, str(COMMAND), *arguments]
    process = subprocess.Popen(
        command, cwd=folder, env=terminal_environment(), start_new_session=True, text=True,
        stdin=screen, stdout=screen, stderr=screen,
    )  # fmt: skip
    terminal = Terminal(process, keyboard)
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        os.close(screen)
        yield terminal
        assert terminal.is_closed or termios.tcgetattr(keyboard) == before
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        if not terminal.is_closed:
            os.close(keyboard)
