"""A process that may have few files open asks as many requests at a time as it has room for, and loses no answer."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import COMMAND, rows
from tests.support.one_model import OUTPUTS, configure
from tests.support.processes import PATIENCE, terminal_environment
from tests.support.servers.model import model_config, model_server
from tests.support.servers.reply import Reply, Served, prompt_of, said, serving

pytestmark = pytest.mark.slow

INPUTS = [f"task {number}" for number in range(700)]


def under(folder: Path, limits: str, command: Sequence[str], also_open: int = 0) -> subprocess.CompletedProcess[str]:
    """A command in a process with these limits (arguments of `ulimit`), which has so many files open already."""
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(also_open)]
    script = "".join(f"ulimit {each}; " for each in limits.split(", ")) + f"exec '{COMMAND}' {' '.join(command)}"
    try:
        return subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=folder, env=terminal_environment(), capture_output=True, text=True, timeout=PATIENCE, check=False,
            pass_fds=opened,
        )  # fmt: skip
    finally:
        for each in opened:
            os.close(each)


@contextmanager
def replicas(count: int) -> Iterator[list[Served]]:
    """Servers that answer a little late, whatever comes."""

    async def answering(body: dict[str, Any], _: int) -> Reply:
        await asyncio.sleep(0.1)
        return said(prompt_of(body))

    with ExitStack() as stack:
        yield [stack.enter_context(serving(answering)) for _ in range(count)]


@pytest.mark.parametrize(
    ("limits", "also_open", "ceiling"),
    [("-n 64", 0, None), ("-n 128", 0, 256), ("-n 256", 0, None), ("-n 256", 120, 256)],
)
def test_few_descriptors_lose_no_answer_and_the_limit_is_named(
    tmp_path: Path, limits: str, also_open: int, ceiling: int | None
) -> None:
    with replicas(4) as servers:
        configure(tmp_path, [each.base_url for each in servers], INPUTS, max_in_flight=ceiling)
        done = under(tmp_path, limits, OUTPUTS, also_open)
        assert done.returncode == 0, done.stderr
        assert len(rows(tmp_path / "out.jsonl")) == len(INPUTS)
        assert sum(len(each.bodies) for each in servers) == len(INPUTS)
    assert f"this process may have {limits.split()[1]} files and connections open (`ulimit -n`)" in done.stderr
    assert "4 servers" in done.stderr


def test_the_soft_limit_is_raised_to_the_hard_one(tmp_path: Path) -> None:
    with replicas(4) as servers:
        configure(tmp_path, [each.base_url for each in servers], INPUTS, max_in_flight=256)
        done = under(tmp_path, "-Sn 128, -Hn 2048", OUTPUTS)
        assert sum(len(each.bodies) for each in servers) == len(INPUTS)
    assert done.returncode == 0, done.stderr
    assert "ulimit" not in done.stderr


def test_the_usual_limit_is_enough_for_four_replicas(tmp_path: Path) -> None:
    with replicas(4) as servers:
        configure(tmp_path, [each.base_url for each in servers], [*INPUTS, *(f"more {each}" for each in INPUTS)])
        done = under(tmp_path, "-n 1024", OUTPUTS)
        assert sum(len(each.bodies) for each in servers) == 2 * len(INPUTS)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("limit", [64, 128])
def test_a_whole_run_has_room_for_all_that_it_opens(tmp_path: Path, limit: int) -> None:
    with model_server() as server:
        (tmp_path / "config.yaml").write_text(model_config(server.base_url))
        done = under(tmp_path, f"-n {limit}", ["run", "config.yaml", "--out", "run"])
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "run" / "examples.jsonl")
    assert (tmp_path / "run" / "report.html").exists()


def test_more_servers_than_there_is_room_for_are_refused_with_the_limit(tmp_path: Path) -> None:
    configure(tmp_path, [f"http://127.0.0.1:{port}/v1" for port in range(2000, 2100)], INPUTS[:3])
    done = under(tmp_path, "-n 64", OUTPUTS)
    assert done.returncode == 2, done.stderr
    assert "64 files and connections open (`ulimit -n`), too few for 100 servers" in done.stderr
    assert done.stderr.count("\n") == 1
