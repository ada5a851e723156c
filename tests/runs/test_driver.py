"""Interrupts of a run that Python code has started: like Ctrl-C in a terminal, and the process keeps its settings."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import ensemble_instruct as ei
from ensemble_instruct.runs.driver import Driver
from ensemble_instruct.runs.progress import Watch
from tests.conftest import ROOT
from tests.support.processes import PATIENCE, next_line, wait_for, without_progress
from tests.support.servers.model import ModelServer, model_config, model_server

pytestmark = pytest.mark.slow

ANSWERED = 12
"""Requests that a server answers before it holds all others."""
PROGRAM = """
import ensemble_instruct as ei
try:
    ei.run("config.yaml", "run")
except KeyboardInterrupt as error:
    print(error)
"""
IN_A_LOOP = """
import asyncio
import ensemble_instruct as ei
async def cell():
    ei.run("config.yaml", "run")
try:
    asyncio.run(cell())
except KeyboardInterrupt as error:
    print(error)
"""
AWAITED = """
import asyncio
import ensemble_instruct as ei
try:
    asyncio.run(ei.run_async("config.yaml", "run"))
except KeyboardInterrupt:
    print("stopped")
"""


@contextmanager
def started(folder: Path, program: str, server: ModelServer) -> Iterator[subprocess.Popen[str]]:
    """A program at work, whose server has answered all that it will; killed at the end, or when it hangs."""
    (folder / "config.yaml").write_text(model_config(server.base_url))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program], cwd=folder, text=True,
        env={**kept, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        try:
            wait_for(lambda: answers(folder) == ANSWERED)
            server.wait_until_asked(ANSWERED + 1)
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def answers(folder: Path) -> int:
    """Answers on disk."""
    try:
        with closing(sqlite3.connect(f"file:{folder / 'run' / 'run.db'}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM request").fetchone()[0])
    except sqlite3.OperationalError:  # it has not begun
        return 0


def resumed(folder: Path, server: ModelServer) -> bytes:
    """The examples of the run, when it has gone on to its end."""
    run = ei.run(folder / "config.yaml", folder / "run", progress=False)
    assert len(server.asked) >= answers(folder)
    return (run.folder / "examples.jsonl").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed")
    with model_server() as server:
        (folder / "config.yaml").write_text(model_config(server.base_url))
        return resumed(folder, server)


@pytest.mark.parametrize("program", [PROGRAM, IN_A_LOOP], ids=["plain", "in a running loop"])
def test_an_interrupt_lets_the_requests_in_flight_come_home(undisturbed: bytes, tmp_path: Path, program: str) -> None:
    with model_server(hold_after=ANSWERED) as server, started(tmp_path, program, server) as process:
        process.send_signal(signal.SIGINT)
        assert "are coming home; another interrupt drops them" in next_line(process)
        server.go_on()
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, without_progress(err)) == (0, "")
        assert out.endswith("is kept: call run again with the same folder to go on\n")
        assert answers(tmp_path) == len(server.asked) > ANSWERED
        assert resumed(tmp_path, server) == undisturbed


def test_a_second_interrupt_drops_them(undisturbed: bytes, tmp_path: Path) -> None:
    with model_server(hold_after=ANSWERED) as server, started(tmp_path, PROGRAM, server) as process:
        process.send_signal(signal.SIGINT)
        next_line(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, without_progress(err)) == (0, "")
        assert out == "stopped; what was answered is kept: call run again with the same folder to go on\n"
        assert answers(tmp_path) == ANSWERED
        server.go_on()
        assert resumed(tmp_path, server) == undisturbed


def test_a_cancelled_run_leaves_its_folder_whole(undisturbed: bytes, tmp_path: Path) -> None:
    with model_server(hold_after=ANSWERED) as server, started(tmp_path, AWAITED, server) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, without_progress(err)) == (0, "stopped\n", "")
        assert answers(tmp_path) == ANSWERED
        server.go_on()
        assert resumed(tmp_path, server) == undisturbed


def test_what_was_stopped_before_it_began_does_not_begin() -> None:
    async def work() -> None:
        raise AssertionError("it began")

    driver = Driver(Watch())
    driver.stop()
    with pytest.raises(ei.EnsembleInstructError, match=r"^stopped; what was answered is kept: "):
        driver.drive_in_thread(work())


def test_what_fails_in_the_thread_is_raised_where_it_was_called() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        Driver(Watch()).drive_in_thread(work())
