"""One model under two names is asked once, and votes once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.conftest import Cli, rows
from tests.support.finished import stored
from tests.support.forks import on_path

SCRIPT = """
import re, zlib

def base(request):
    number = zlib.crc32(request.prompt.encode() + str(request.sampling.seed).encode()) % 10**6
    if request.step == "instructions":
        return f" Say the number {number} of the day {number * 7 % 1000003} to friend{number * 13 % 99991}"
    return f"output: what {number} of my friends would tell you about it on a rainy day"

def voter(request):
    return SAYS
"""
LONG, SHORT = "a wrong answer that one model alone gives to whatever it is asked", "wrong"
CONFIG = {
    "instructions": {"target": {"input_output": 0, "output_only": 6}, "window": 2},
    "models": {name: {"provider": "scripted", "function": f"script:{name}"} for name in ("base", "voter")}
    | {"other": {"provider": "scripted", "function": "script:voter"}},
    "roles": {"instructions": "base", "instances": "base", "outputs": ["voter", "other"]},
}


def begun(cli: Cli, folder: Path, says: str, strategy: str | None, *command: str) -> str:
    """What a command says on stderr about a run in which one model has two names."""
    (folder / "script.py").write_text(SCRIPT.replace("SAYS", repr(says)))
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"ensemble": {"strategy": strategy}}))
    done = cli(*command, env=on_path(folder))
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("says", [LONG, SHORT])
def test_a_model_does_not_agree_with_itself(cli: Cli, tmp_path: Path, says: str) -> None:
    told = begun(cli, tmp_path, says, None, "run", "config.yaml", "--out", "run", "--allow-empty")
    assert "note: other is the same model as voter and is asked the same: it votes once\n" in told
    assert rows(tmp_path / "run" / "examples.jsonl") == []
    asked = Counter(model for (model,) in stored(tmp_path / "run", "SELECT model FROM request WHERE step = 'outputs'"))
    assert asked.total() == 6


def test_where_each_name_votes_that_is_told(cli: Cli, tmp_path: Path) -> None:
    for command in (["check", "config.yaml"], ["run", "config.yaml", "--out", "run"]):
        told = begun(cli, tmp_path, LONG, "consensus", *command)
        assert "note: other is the same model as voter and is asked the same: it votes twice\n" in told
    assert rows(tmp_path / "run" / "examples.jsonl")[0]["winners"] == ["other", "voter"]
