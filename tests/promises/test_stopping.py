"""Ctrl-C and SIGTERM: the first lets the requests in flight come home, the second drops them; both can be resumed."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.forks import Forked, Forks
from tests.support.good_input import COMPLETION, TASK, write
from tests.support.processes import PATIENCE, told_to_stop, wait_for
from tests.support.servers.model import model_config, model_server
from tests.support.servers.reply import refused, serving
from tests.support.stopping import ANSWERED, MADE, OUTPUTS, RUN, Words, configure, kept, on_terminal, wait_until_held

pytestmark = pytest.mark.slow

HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"

commands = pytest.mark.parametrize("command", [RUN, OUTPUTS], ids=["run", "outputs"])


@dataclass
class Undisturbed:
    """What a command makes that nobody stops, and how many requests it takes."""

    made: bytes
    needed: int


@pytest.fixture(scope="module")
def undisturbed(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> dict[Words, Undisturbed]:
    folder = tmp_path_factory.mktemp("undisturbed")
    found: dict[Words, Undisturbed] = {}
    for command, (made, _) in MADE.items():
        with model_server() as server:
            configure(folder, server.base_url)
            assert forks.run(folder, command).returncode == 0
            found[command] = Undisturbed((folder / made).read_bytes(), len(server.asked))
    return found


def ended(process: Forked) -> str:
    """The last words of a command that was stopped."""
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, ""), err
    assert re.fullmatch("error: stopped; .* is kept: run the same command again to go on\n", err)
    return err


def goes_on(forks: Forks, folder: Path, command: Words, expected: Undisturbed) -> None:
    """Assert that a stopped command leaves nothing half done, and ends as if nobody had stopped it."""
    made = folder / MADE[command][0]
    assert not made.exists()
    assert not [path.name for path in folder.rglob(".*")]
    done = forks.run(folder, command)
    assert done.returncode == 0, done.stderr
    assert made.read_bytes() == expected.made
    assert kept(folder / MADE[command][1]) == expected.needed


@pytest.mark.parametrize(
    ("command", "number"),
    [(RUN, signal.SIGINT), (RUN, signal.SIGTERM), (RUN, signal.SIGHUP), (OUTPUTS, signal.SIGINT)],
    ids=["run-SIGINT", "run-SIGTERM", "run-SIGHUP", "outputs-SIGINT"],
)
def test_the_first_signal_lets_the_requests_in_flight_come_home(
    forks: Forks, undisturbed: dict[Words, Undisturbed], tmp_path: Path, command: Words, number: signal.Signals
) -> None:
    database, expected = tmp_path / MADE[command][1], undisturbed[command]
    with model_server(0.01, hold_after=ANSWERED) as server:
        configure(tmp_path, server.base_url)
        with forks.at_work(tmp_path, *command) as process:
            wait_until_held(server, database)
            in_flight = told_to_stop(process, number)
            server.wait_until_asked(ANSWERED + in_flight)
            server.go_on()
            assert re.search(rf"; {in_flight} [a-z ]+ came home; ", ended(process))
        assert len(server.asked) == kept(database) == ANSWERED + in_flight
        goes_on(forks, tmp_path, command, expected)
        assert len(server.asked) == expected.needed


@pytest.mark.parametrize(
    ("command", "numbers"),
    [
        (RUN, [signal.SIGINT, signal.SIGINT]),
        (OUTPUTS, [signal.SIGINT, signal.SIGINT]),
        (OUTPUTS, [signal.SIGINT, signal.SIGTERM]),
        (OUTPUTS, [signal.SIGHUP, signal.SIGTERM]),
    ],
    ids=["run", "outputs", "outputs-SIGTERM", "outputs-SIGHUP"],
)
def test_the_second_signal_ends_at_once(
    forks: Forks, undisturbed: dict[Words, Undisturbed], tmp_path: Path, command: Words, numbers: list[signal.Signals]
) -> None:
    database, expected = tmp_path / MADE[command][1], undisturbed[command]
    with model_server(hold_after=ANSWERED) as server:
        configure(tmp_path, server.base_url)
        with forks.at_work(tmp_path, *command) as process:
            wait_until_held(server, database)
            in_flight = told_to_stop(process, numbers[0])
            server.wait_until_asked(ANSWERED + in_flight)
            process.send_signal(numbers[1])
            assert "came home" not in ended(process)
        assert kept(database) == ANSWERED
        assert len(server.asked) == ANSWERED + in_flight
        server.go_on()
        goes_on(forks, tmp_path, command, expected)
        assert len(server.asked) == expected.needed + in_flight


def test_a_request_that_fails_on_its_way_home_is_not_tried_again_before_the_end(
    forks: Forks, undisturbed: dict[Words, Undisturbed], tmp_path: Path
) -> None:
    failing = threading.Event()
    with model_server(hold_after=ANSWERED, fault=lambda *_: (500, "a fault") if failing.is_set() else None) as server:
        configure(tmp_path, server.base_url)
        with forks.at_work(tmp_path, *OUTPUTS) as process:
            wait_until_held(server, tmp_path / "out.jsonl.db")
            in_flight = told_to_stop(process, signal.SIGINT)
            server.wait_until_asked(ANSWERED + in_flight)
            failing.set()
            server.go_on()
            _, err = process.communicate(timeout=PATIENCE)
        assert "came home" not in err
        assert len(server.asked) == ANSWERED + in_flight
        assert kept(tmp_path / "out.jsonl.db") == ANSWERED
        failing.clear()
        goes_on(forks, tmp_path, OUTPUTS, undisturbed[OUTPUTS])


def test_what_waits_for_the_budget_is_not_sent_after_the_signal(forks: Forks, tmp_path: Path) -> None:
    """So much is set aside for the requests in flight that others must wait until it is known what they cost."""
    with model_server(hold_after=0) as server:
        (tmp_path / "config.yaml").write_text(model_config(server.base_url))
        priced = ("--set=models.base.price.output=1000", "--budget=1.0")
        with forks.at_work(tmp_path, *RUN, *priced) as process:
            server.wait_until_asked(3)
            in_flight = told_to_stop(process, signal.SIGINT)
            server.go_on()
            process.communicate(timeout=PATIENCE)
        assert process.returncode == 1
        assert (len(server.asked), kept(tmp_path / "run" / "run.db"), in_flight) == (3, 3, 3)
        done = forks.run(tmp_path, [*RUN, "--set=models.base.price.output=1000"])
        assert done.returncode == 0, done.stderr


def patient() -> web.Response:
    reply = refused("come back tomorrow", 429)
    reply.headers["Retry-After"] = "3600"
    return reply


@pytest.mark.parametrize("reply", [patient, lambda: refused("a fault", 500)], ids=["Retry-After", "500"])
def test_while_all_requests_wait_to_be_tried_again_one_signal_is_enough(
    forks: Forks, tmp_path: Path, reply: Any
) -> None:
    with serving(lambda *_: reply()) as served:
        configure(tmp_path, served.base_url, 6)
        with forks.at_work(tmp_path, *OUTPUTS) as process:
            wait_for(lambda: len(served.bodies) >= 6 or (reply is patient and len(served.bodies) > 0))
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("error: stopped; ")


@commands
def test_a_signal_before_anything_is_in_flight(
    forks: Forks, undisturbed: dict[Words, Undisturbed], tmp_path: Path, command: Words
) -> None:
    """The server takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configure(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        with forks.at_work(tmp_path, *command) as process, silent.accept()[0]:
            process.send_signal(signal.SIGINT)
            ended(process)
    with model_server() as server:
        configure(tmp_path, server.base_url)
        again = [*command, "--force"] if command is RUN else command
        assert forks.run(tmp_path, again).returncode == 0
        assert len(server.asked) == undisturbed[command].needed
    assert (tmp_path / MADE[command][0]).read_bytes() == undisturbed[command].made


PARSE = ("parse", "--instances", "rows.jsonl", "--to", "out.jsonl")
ENSEMBLE = ("ensemble", "--instances", "rows.jsonl", "--outputs", "voter.jsonl", "--to", "out.jsonl")
model_free = pytest.mark.parametrize("command", [PARSE, ENSEMBLE], ids=["parse", "ensemble"])


def ended_without_a_trace(process: Forked, folder: Path, before: set[str]) -> None:
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, ""), err
    assert re.fullmatch("error: stopped.*\n", err)
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
@model_free
def test_a_step_without_models_stops_in_its_middle(forks: Forks, tmp_path: Path, command: Words) -> None:
    words = [f"{chr(97 + number % 26)}{number * 7919 % 10007}" for number in range(40000)]
    given = [" ".join(words[5 * number % 39000 :][:12]) for number in range(8000)]
    row = COMPLETION if command is PARSE else TASK
    write(tmp_path / "rows.jsonl", *({**row, "instruction": f"Tell me of {text}."} for text in given))
    write(tmp_path / "voter.jsonl", *({**TASK, "instruction": f"Tell me of {text}."} for text in given))
    before = {path.name for path in tmp_path.iterdir()}
    with forks.at_work(tmp_path, *command) as process:
        wait_for(lambda: is_writing(process.pid, tmp_path))
        process.send_signal(signal.SIGINT)
        ended_without_a_trace(process, tmp_path, before)


def is_writing(pid: int, folder: Path) -> bool:
    """Whether a process has begun with rows: they wait in a file of this folder without a name."""
    with suppress(FileNotFoundError):
        names = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
        return any(name.startswith(f"{folder}/") and name.endswith(" (deleted)") for name in names)
    return False


@model_free
def test_a_step_that_waits_for_its_input_stops(forks: Forks, tmp_path: Path, command: Words) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    write(tmp_path / "voter.jsonl", TASK)
    before = {path.name for path in tmp_path.iterdir()}
    opened: list[int] = []

    def is_awaited() -> bool:
        try:
            opened.append(os.open(tmp_path / "rows.jsonl", os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody reads it yet
            return False
        return True

    with forks.at_work(tmp_path, *command) as process:
        wait_for(is_awaited)
        process.send_signal(signal.SIGINT)
        try:
            ended_without_a_trace(process, tmp_path, before)
        finally:
            os.close(opened[0])


@pytest.mark.parametrize("pressed", [1, 2])
def test_the_screen_is_left_sane(tmp_path: Path, pressed: int) -> None:
    with model_server(hold_after=ANSWERED) as server:
        configure(tmp_path, server.base_url)
        with on_terminal(tmp_path, *RUN) as terminal:
            server.wait_until_asked(ANSWERED + 2)
            terminal.read_until("instructions")
            terminal.press_ctrl_c()
            terminal.read_until("are coming home; Ctrl-C again drops them")
            if pressed == 2:
                terminal.press_ctrl_c()
            else:
                server.go_on()
            assert terminal.end() == 1
    text = terminal.text
    assert HIDDEN in text
    assert text.rindex(SHOWN) > text.rindex(HIDDEN)
    assert "Traceback" not in text
    last = re.split(r"\r\n|\x1b\[[\d;]*[A-KSTfmnsu]|\x1b\[\?25[lh]|\r", text.removesuffix("\r\n"))[-1]
    assert re.match("error: stopped; .* to go on$", last)
