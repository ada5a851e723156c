"""Start-up: what a command loads before it works is little, and wrong usage is one line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import Cli

LOADED = """
import atexit, sys

light = set(sys.stdlib_module_names) - {"asyncio", "sqlite3", "ssl"}
before = set(sys.modules)

@atexit.register
def say():
    print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - light), file=sys.stderr)

"""
HELP = "sys.argv[:] = ['ensemble-instruct', {}]; from ensemble_instruct.cli import main; main()"


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        ("import ensemble_instruct", ["ensemble_instruct"]),
        ("import ensemble_instruct.cli", ["click", "ensemble_instruct"]),
        (HELP.format("'--help'"), ["click", "ensemble_instruct"]),
        (HELP.format("'status', '--help'"), ["click", "ensemble_instruct"]),
        (HELP.format("'run', '--help'"), ["click", "ensemble_instruct"]),
    ],
    ids=["import", "import of the commands", "--help", "status --help", "run --help"],
)
def test_the_start_loads_nothing_heavy(work: str, expected: list[str]) -> None:
    """Neither pydantic nor aiohttp nor numpy. The packages are named, as seconds would measure the machine."""
    done = subprocess.run([sys.executable, "-P", "-c", LOADED + work], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.split() == expected


def test_unknown_option_is_one_line(cli: Cli) -> None:
    done = cli("run", "--nonsense")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "--nonsense" in done.stderr
