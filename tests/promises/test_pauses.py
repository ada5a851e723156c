"""Commands that stand still for a while or whose terminal is closed: they go on, or stop so that nothing is lost."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import COMMAND, rows
from tests.support.forks import Forks
from tests.support.one_model import configure as configure_one
from tests.support.processes import PATIENCE, started, wait_for
from tests.support.servers.model import model_server
from tests.support.servers.reply import Reply, prompt_of, said, serving
from tests.support.stopping import ANSWERED, OUTPUTS, RUN, configure, kept, on_terminal, wait_until_held

pytestmark = pytest.mark.slow

PAUSE = 6.0
"""Seconds; a command that gives up after fewer goes on all the same."""


@pytest.mark.parametrize("fault", ["dropped", "late"])
def test_a_command_that_stood_still_for_longer_than_it_gives_up_after_goes_on(tmp_path: Path, fault: str) -> None:
    """Ctrl-Z and `fg` are the same to it as SIGSTOP and SIGCONT."""
    stopped_until = [float("inf")]

    async def answering(body: dict[str, Any], _: int) -> Reply:
        if len(served.bodies) > 8 and time.monotonic() < stopped_until[0]:
            await asyncio.sleep(1.0 if fault == "late" else 2.0)
            return said(prompt_of(body)) if fault == "late" else None
        return said(prompt_of(body))

    inputs = [f"task {number}" for number in range(24)]
    with serving(answering) as served:
        configure_one(tmp_path, served.base_url, inputs, max_in_flight=4, give_up_after=4.0)
        command = ["outputs", "config.yaml", "--model", "real", "--instances", "tasks.jsonl", "--to", "out.jsonl"]
        with started(tmp_path, *command) as process:
            wait_for(lambda: len(served.bodies) > 9)
            process.send_signal(signal.SIGSTOP)
            stopped_until[0] = time.monotonic() + PAUSE
            time.sleep(PAUSE)
            process.send_signal(signal.SIGCONT)
            _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert len(rows(tmp_path / "out.jsonl")) == len(inputs)
    if fault == "late":
        assert len(served.bodies) == len(inputs)


@pytest.mark.parametrize("command", [RUN, OUTPUTS], ids=["run", "outputs"])
def test_under_nohup_a_closed_terminal_stops_nothing(tmp_path: Path, command: tuple[str, ...]) -> None:
    with model_server(hold_after=ANSWERED) as server:
        configure(tmp_path, server.base_url)
        with started(tmp_path, *command, ignores_hang_up=True) as process:
            server.wait_until_asked(ANSWERED + 2)
            for _ in range(3):
                process.send_signal(signal.SIGHUP)
            server.go_on()
            _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "stopping" not in err


def test_nohup_itself_is_heeded(tmp_path: Path) -> None:
    nohup = shutil.which("nohup")
    if nohup is None:
        pytest.skip("there is no nohup here")
    with model_server(hold_after=ANSWERED) as server:
        configure(tmp_path, server.base_url)
        with started(tmp_path, COMMAND, *OUTPUTS, executable=nohup) as process:
            server.wait_until_asked(ANSWERED + 2)
            process.send_signal(signal.SIGHUP)
            server.go_on()
            _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err


def test_a_second_hang_up_drops_nothing(tmp_path: Path) -> None:
    """A shell that ends sends one, and so does its terminal."""
    with model_server(0.01, hold_after=ANSWERED) as server:
        configure(tmp_path, server.base_url)
        with started(tmp_path, *OUTPUTS) as process:
            wait_until_held(server, tmp_path / "out.jsonl.db")
            for _ in range(3):
                process.send_signal(signal.SIGHUP)
                time.sleep(0.1)
            server.go_on()
            _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "came home; " in err
    assert kept(tmp_path / "out.jsonl.db") == len(server.asked) > ANSWERED


@pytest.mark.parametrize("command", [RUN, OUTPUTS], ids=["run", "outputs"])
def test_a_terminal_that_is_closed_lets_the_requests_in_flight_come_home(
    forks: Forks, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Nothing can be written to it any more, and that loses nothing."""
    database = tmp_path / ("run/run.db" if command == RUN else "out.jsonl.db")
    with model_server(0.01, hold_after=ANSWERED) as server:
        configure(tmp_path, server.base_url)
        with on_terminal(tmp_path, *command) as terminal:
            wait_until_held(server, database)
            terminal.close()
            time.sleep(0.5)
            server.go_on()
            assert terminal.process.wait(PATIENCE) == 1
        assert kept(database) == len(server.asked) > ANSWERED
        asked = len(server.asked)
        done = forks.run(tmp_path, command)
        assert done.returncode == 0, done.stderr
        assert kept(database) == len(server.asked) > asked
