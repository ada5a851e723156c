"""What servers say and models are called reaches no terminal as it came: controls and directions are spelled out."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from ensemble_instruct.invisible import harmless
from tests.conftest import COMMAND, Cli
from tests.support.processes import terminal_environment
from tests.support.servers.model import simulated
from tests.support.servers.reply import Served, prompt_of, said, serving

ODD = "\x1b[31mred\x1b]0;title\x07\x1b[2J\u202eabc\u2066d\u200f\u061c\x9b1m\x85\x00\r\x08\u2028"
NAMES = {"base": f"base{ODD}", "careful": f"care{ODD}", "talkative": f"talk{ODD}"}


def answering(body: dict[str, Any], number: int) -> web.Response:
    """A completion that calls its model in an odd way, or an error in odd words."""
    if number == 1 and len(prompt_of(body)) % 5 == 0:
        return web.json_response({"error": {"message": f"busy {ODD}"}}, status=503)
    if "teapot" in body["model"]:
        return web.json_response({"error": {"message": f"no such tea {ODD}"}}, status=418)
    reply = simulated({**body, "model": body["model"].partition("\x1b")[0]}, prompt_of(body))
    text = reply.text if len(prompt_of(body)) % 7 else f"{reply.text} {ODD}"
    return said(text, f"stop {ODD}", model=f"{body['model']} {len(prompt_of(body)) % 2} {ODD}", provider=ODD)


def configured(folder: Path, served: Served, **voter: str) -> None:
    url = served.base_url
    config = {
        "instructions": {
            "target": {"input_output": 6, "output_only": 5},
            "demonstrations": {"input_output": 8, "output_only": 6},
            "window": 8,
        },
        "models": {
            NAMES["base"]: {"base_url": url, "model": f"base{ODD}"},
            NAMES["careful"]: {"base_url": url, "model": f"voter_a{ODD}", "endpoint": "chat"},
            NAMES["talkative"]: {"base_url": url, "model": f"voter_b{ODD}", **voter},
        },
        "roles": {
            "instructions": NAMES["base"],
            "instances": NAMES["base"],
            "outputs": [NAMES["careful"], NAMES["talkative"]],
        },
        "licenses": {"policy": "any"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def on_terminal(folder: Path, *arguments: str) -> str:
    """What a command writes to a terminal."""
    keyboard, screen = pty.openpty()
    command = [str(COMMAND), *arguments]
    environment = terminal_environment() | {"TERM": "xterm-256color"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen
    )
    os.close(screen)
    written = bytearray()
    try:
        while chunk := os.read(keyboard, 65536):
            written += chunk
    except OSError:  # Linux says so at the end
        pass
    finally:
        os.close(keyboard)
        process.wait()
    return written.decode("utf-8", "backslashreplace")


def acted_on(text: str) -> set[str]:
    """The characters in what was written to a pipe that a terminal would act on."""
    return {sign for sign in text if harmless(sign) != sign}


def test_nothing_of_a_server_or_a_name_is_acted_on(tmp_path: Path, cli: Cli) -> None:
    with serving(answering) as served:
        configured(tmp_path, served)
        shown = {
            command[0]: cli(*command)
            for command in (
                ("check", "config.yaml"),
                ("preview", "config.yaml"),
                ("run", "config.yaml", "--out", "run", "--log-file", "log.jsonl", "--log-format", "json"),
                ("status", "run"),
            )
        }
        screen = on_terminal(tmp_path, "status", "run") + on_terminal(tmp_path, "preview", "config.yaml")
    for command, done in shown.items():
        assert not acted_on(done.stdout), command
        assert not acted_on(done.stderr), command
        assert "\\u202e" in done.stdout + done.stderr, command
    log = (tmp_path / "log.jsonl").read_text(encoding="utf-8")
    assert "u202e" in log
    for line in log.splitlines():
        assert not acted_on(line)
        assert not [value for value in json.loads(line).values() if isinstance(value, str) and acted_on(value)]
    # colours and bars are the program's own
    assert "\\x1b[31m" in screen
    assert not {"\u202e", "\u2066", "\u200f", "\u061c", "\x9b", "\x85", "\x00", "\x07", "\x08"}.intersection(screen)
    assert not [own for own in ("\x1b[31mred", "\x1b]0", "\x1b[2J") if own in screen]


def test_what_ends_a_run_is_not_acted_on(tmp_path: Path, cli: Cli) -> None:
    with serving(answering) as served:
        configured(tmp_path, served, model="teapot\x1b[2J")
        done = cli("run", "config.yaml", "--out", "run")
        screen = on_terminal(tmp_path, "run", "config.yaml", "--out", "run")
    assert done.returncode == 1
    assert not acted_on(done.stdout + done.stderr)
    assert "no such tea \\x1b[31mred" in done.stderr
    assert "no such tea \\x1b[31mred" in screen
    assert "\x1b[2J" not in screen


@pytest.mark.parametrize(
    "text", ["Grüße, 你好\u3000、\xa0: 👩\u200d🔬\n\tend", "\u0645\u06cc\u200c\u062e\u0648", "français\u202f!"]
)
def test_what_people_write_stays(text: str) -> None:
    assert harmless(text) == text
