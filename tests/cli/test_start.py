"""Start-up: the help answers at once, and wrong usage is one line."""

from __future__ import annotations

import resource
import subprocess

from tests.conftest import COMMAND, Cli


def test_help_takes_little_cpu() -> None:
    subprocess.run([COMMAND, "--help"], capture_output=True, check=True)
    best = 1.0
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([COMMAND, "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert best < 0.2


def test_unknown_option_is_one_line(cli: Cli) -> None:
    done = cli("run", "--nonsense")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "--nonsense" in done.stderr
