"""stdout and stderr that lack characters, are full, closed or set not to wait: printed, or one line that is true."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import COMMAND
from tests.support.made_run import CONFIG, made_examples, make_run
from tests.support.processes import terminal_environment
from tests.support.servers.model import model_config, model_server

NAME = "модель-日本"
PRINTS = {
    "card": ["card", "run"],
    "licence": ["card", "run", "--format", "licence"],
    "croissant": ["card", "run", "--format", "croissant"],
    "status": ["status", "run"],
    "report": ["report", "run", "--json"],
    "evaluate": ["evaluate", "labelled.jsonl"],
    "evaluate for programs": ["evaluate", "labelled.jsonl", "--json"],
    "help": ["run", "--help"],
    "version": ["--version"],
}
NARROW = {
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "an old locale": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}
FULL = Path("/dev/full")
with_full = pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
every_output = pytest.mark.parametrize("printed", PRINTS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run and a file of labelled rows in which not all names are in Latin letters."""
    folder = tmp_path_factory.mktemp("streams")
    make_run(folder / "run", made_examples(6))
    (folder / "run" / "config.yaml").write_text(CONFIG.replace("granite", NAME), encoding="utf-8")
    row = {"instruction": "日本", "input": "", "reference": "д ж", "outputs": {NAME: "д ж", "b": "д", "c": "ж"}}
    (folder / "labelled.jsonl").write_text(f"{json.dumps(row)}\n" * 3, encoding="utf-8")
    return folder


def ended(folder: Path, *arguments: str | Path, env: dict[str, str] | None = None, **streams: Any) -> Any:
    """A command that has ended; what it wrote as bytes."""
    usual: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = terminal_environment() | (env or {})
    return subprocess.run([COMMAND, *arguments], cwd=folder, env=environment, check=False, **{**usual, **streams})


@every_output
@pytest.mark.parametrize("narrow", NARROW)
def test_a_stdout_that_lacks_characters_gets_all_the_text(place: Path, printed: str, narrow: str) -> None:
    done = ended(place, *PRINTS[printed], env=NARROW[narrow])
    assert (done.returncode, done.stderr) == (0, b"")
    usual = ended(place, *PRINTS[printed], env={"PYTHONIOENCODING": "utf-8"}).stdout
    if printed in ("card", "licence", "croissant"):
        assert done.stdout == usual, "a file by its nature is UTF-8 wherever it goes"
    elif printed in ("report", "evaluate for programs"):
        assert json.loads(done.stdout.decode("ascii")) == json.loads(usual)
    else:
        assert done.stdout.count(b"\n") == usual.count(b"\n")


@with_full
@every_output
def test_a_full_stdout_is_told_in_one_line_that_is_true(place: Path, printed: str) -> None:
    with FULL.open("wb") as full:
        done = ended(place, *PRINTS[printed], stdout=full)
        silent = ended(place, *PRINTS[printed], stdout=full, stderr=full)
    line = b"error: stdout: cannot be written: No space left on device; send it to another place"
    assert done.returncode == silent.returncode == 1
    assert done.stderr.startswith(line), done.stderr
    assert done.stderr.count(b"\n") == 1


@with_full
def test_a_full_stderr_stops_nothing(place: Path) -> None:
    with FULL.open("wb") as full:
        done = ended(place, "export", "run", "--format", "messages", "--reasoning", "--to", "out.jsonl", stderr=full)
    assert (done.returncode, done.stdout) == (0, b"6 examples in out.jsonl\n")


@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2), (0, 1, 2)])
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path, closed: tuple[int, ...]) -> None:
    """What is printed would land in the database."""
    with model_server() as server:
        (tmp_path / "config.yaml").write_text(model_config(server.base_url))
        redirections = " ".join(f"{number}>&-" for number in closed)
        command = f'"$0" run config.yaml --out run {redirections}'
        done = subprocess.run(["sh", "-c", command, COMMAND], cwd=tmp_path, env=terminal_environment(), check=False)
    assert done.returncode == 0
    assert b"\nfinished; " in ended(tmp_path, "status", "run").stdout


@with_full
@pytest.mark.parametrize("command", ["check config.yaml", "preview config.yaml --rows 1", "run config.yaml --out run"])
def test_a_command_that_asks_models_prints_whatever_stdout_can_hold(tmp_path: Path, command: str) -> None:
    with model_server() as server:
        config = model_config(server.base_url).replace("careful", NAME)
        (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
        done = ended(tmp_path, *command.split(), env={"PYTHONIOENCODING": "latin-1"})
        assert done.returncode == 0, done.stderr
        shown = rb"\u043c\u043e\u0434\u0435\u043b\u044c-\u65e5\u672c"
        assert shown in done.stdout
        with FULL.open("wb") as full:
            done = ended(tmp_path, *command.split(), stdout=full)
    assert done.returncode == 1
    assert b"error: stdout: cannot be written: No space left on device" in done.stderr
    assert b"internal error" not in done.stderr


def test_a_stdout_that_does_not_wait_is_waited_for(place: Path) -> None:
    """Another program on the same terminal or pipe may have set it so."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    filled = os.write(write, b"x" * 2**20)  # as much as the pipe holds
    with subprocess.Popen([COMMAND, "card", "run"], cwd=place, env=terminal_environment(), stdout=write) as process:
        os.close(write)
        time.sleep(0.5)
        with os.fdopen(read, "rb") as reader:
            text = reader.read()[filled:]
    assert process.returncode == 0
    assert text == ended(place, "card", "run").stdout


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("MemoryError()", "out of memory: end other programs or allow this one more (`ulimit -v`)"),
        (
            "ImportError('_regex.so: failed to map segment from shared object')",
            "out of memory: end other programs or allow this one more (`ulimit -v`)",
        ),
        ('RuntimeError("can\'t start new thread")', "no further thread can be started"),
        (
            "OSError(24, 'Too many open files')",
            f"all {resource.getrlimit(resource.RLIMIT_NOFILE)[0]} files and connections that this process may have",
        ),
        ("OSError(28, 'No space left on device', 'x.tmp')", "x.tmp: is full: free some space"),
    ],
)
def test_what_the_machine_does_not_give_is_no_fault_of_the_program(error: str, line: str) -> None:
    code = (
        "import sys, click; from ensemble_instruct.cli import main\n"
        f"@main.command()\ndef end():\n    raise {error}\n"
        "main(['end'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {line}")
    assert done.stderr.endswith("then give the same command again\n")
    assert "report it" not in done.stderr
