"""`kill -9` at random moments: the resumed run ends as an undisturbed one and asks nothing again that was on disk."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import SIMULATED, needs_shared, published_config, replay_server, stats
from tests.support.forks import Forked, Forks
from tests.support.processes import PATIENCE

pytestmark = pytest.mark.slow

KILLS, CHAINS = 50, 2
DELAY_MS, JITTER_MS = 4, 8
MAX_IN_FLIGHT = {"falcon-40b": 6, "flan-t5-xxl": 3, "flan-ul2": 3}
DEMO_KILLS = 5
LATEST = 0.6
"""The latest moment of a kill, as a share of the time that an undisturbed run takes."""
FURTHEST = 60
"""Most requests that a process may send before it is killed, where the kill waits for requests and not for a time."""
LARGE = ("--set=instructions.target.input_output=150", "--set=instructions.target.output_only=100")
SMALL = ("--set=instructions.target.input_output=5", "--set=instructions.target.output_only=0")

Rows = dict[bytes, tuple[object, ...]]


def answered(folder: Path) -> Rows:
    """The committed answers of a run by key, read from a copy: the run itself shall recover what the kill left."""
    copy = folder.with_name(f"{folder.name}-copy")
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in folder.glob("run.db*"):
        if not path.name.endswith(("-shm", ".lock")):
            shutil.copy(path, copy)
    with closing(sqlite3.connect(copy / "run.db")) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            return {}
        return {row[0]: row for row in connection.execute("SELECT * FROM request")}


def started(forks: Forks, folder: Path, *arguments: str | Path) -> AbstractContextManager[Forked]:
    """`run` in a process of its own; what it says goes to a file beside the folder."""
    return forks.started(folder.parent, folder.with_suffix(".log"), "run", *arguments, "--out", folder)


def killed(process: Forked, folder: Path, moment: float | None) -> bool:
    """Whether SIGKILL met the process at that moment (in seconds); False when it was done before."""
    code = process.wait(PATIENCE if moment is None else moment)
    if moment is not None and code is None:
        code = process.kill()
    assert code in ((0,) if moment is None else (0, -signal.SIGKILL)), folder.with_suffix(".log").read_text()
    return code != 0


@dataclass
class Undisturbed:
    """What a run is that nobody disturbs."""

    examples: bytes
    requests: int
    seconds: float


def undisturbed(forks: Forks, folder: Path, *arguments: str | Path) -> Undisturbed:
    began = time.monotonic()
    with started(forks, folder, *arguments) as process:
        assert not killed(process, folder, None)
    seconds = time.monotonic() - began
    return Undisturbed((folder / "examples.jsonl").read_bytes(), len(answered(folder)), seconds)


def settled_requests(base_url: str) -> int:
    """Requests that a replay server has seen, once none is at work any more.

    A server counts a request when it has waited its delay. So the test asks the same server, one after the other, as
    often as it takes to have waited longer than any request of a killed process can; these are counted as unmatched.
    """
    body = json.dumps({"model": "nobody", "prompt": "ready?"}).encode()
    for _ in range((DELAY_MS + JITTER_MS) // DELAY_MS + 1):
        with urllib.request.urlopen(urllib.request.Request(f"{base_url}/completions", body)) as reply:
            reply.read()
    return seen_requests(base_url)


def seen_requests(base_url: str) -> int:
    return sum(number for step, number in stats(base_url).items() if step != "unmatched")


@dataclass
class Chain:
    """Runs on one server, each in a new folder, resumed after each kill until it finishes."""

    forks: Forks
    base_url: str
    place: Path
    expected: Undisturbed
    rng: random.Random
    kills: int = 0
    lost: list[int] = field(default_factory=list)
    """Requests of each process that were asked in vain."""
    resumed_with: list[int] = field(default_factory=list)
    """Answers on disk at each start."""

    def go(self, kills: int) -> None:
        for number in count():
            self._one_run(self.place / f"{number}", kills)
            if self.kills == kills:
                return

    def _one_run(self, folder: Path, kills: int) -> None:
        config = folder.with_suffix(".yaml")
        config.write_text(published_config(self.base_url), encoding="utf-8")
        committed: Rows = {}
        asked = settled_requests(self.base_url)
        unfinished = True
        while unfinished:
            self.resumed_with.append(len(committed))
            with started(self.forks, folder, config, *in_flight()) as process:
                moment = self._moment(process, asked) if self.kills < kills else None
                unfinished = killed(process, folder, moment)
            self.kills += unfinished
            before, committed = committed, answered(folder) if (folder / "run.db").exists() else {}
            asked_before, asked = asked, settled_requests(self.base_url)
            self.lost.append(asked - asked_before - (len(committed) - len(before)))
            assert before.items() <= committed.items(), "an answer on disk was asked for again or lost"
            assert asked - asked_before <= self.expected.requests - len(before)
            assert 0 <= self.lost[-1] <= (sum(MAX_IN_FLIGHT.values()) if unfinished else 0)
            examples = folder / "examples.jsonl"
            if examples.exists() or not unfinished:
                assert examples.read_bytes() == self.expected.examples

    def _moment(self, process: Forked, asked: int) -> float:
        """Seconds until the kill: half of them any time from the start, half after any number of requests."""
        if self.rng.random() < 0.5:
            return self.rng.uniform(0, LATEST * self.expected.seconds)
        last = asked + self.rng.randint(1, FURTHEST)
        while process.wait(0) is None and seen_requests(self.base_url) < last:
            time.sleep(0.005)
        return self.rng.uniform(0, 0.02)


def in_flight() -> list[str]:
    return [word for name, most in MAX_IN_FLIGHT.items() for word in ("--set", f"models.{name}.max_in_flight={most}")]


@needs_shared
def test_kills_at_random_moments_lose_only_what_was_in_flight(forks: Forks, tmp_path: Path) -> None:
    delays = ("--delay-ms", str(DELAY_MS), "--jitter-ms", str(JITTER_MS))
    with replay_server(*delays) as base_url:
        config = tmp_path / "undisturbed.yaml"
        config.write_text(published_config(base_url), encoding="utf-8")
        expected = undisturbed(forks, tmp_path / "undisturbed", config, *in_flight())
        assert settled_requests(base_url) == expected.requests

    def chain(seed: int) -> Chain:
        place = tmp_path / f"chain-{seed}"
        place.mkdir()
        with replay_server(*delays) as base_url:
            made = Chain(forks, base_url, place, expected, random.Random(seed))
            made.go(KILLS // CHAINS)
        return made

    with ThreadPoolExecutor(CHAINS) as pool:
        chains = list(pool.map(chain, range(CHAINS)))
    assert sum(chain.kills for chain in chains) == KILLS
    assert max(max(chain.lost) for chain in chains) > 0, "no kill met a request in flight"
    assert len({with_answers for chain in chains for with_answers in chain.resumed_with}) > KILLS // 5


def test_kills_of_the_demo_change_nothing(forks: Forks, tmp_path: Path) -> None:
    expected = undisturbed(forks, tmp_path / "undisturbed", SIMULATED, *LARGE)
    rng = random.Random(0)
    kills = 0
    for number in count():
        folder = tmp_path / f"{number}"
        committed: Rows = {}
        unfinished = True
        while unfinished:
            moment = rng.uniform(0, LATEST * expected.seconds) if kills < DEMO_KILLS else None
            with started(forks, folder, SIMULATED, *LARGE) as process:
                unfinished = killed(process, folder, moment)
            kills += unfinished
            before, committed = committed, answered(folder) if (folder / "run.db").exists() else {}
            assert before.items() <= committed.items(), "an answer on disk was asked for again or lost"
        assert (folder / "examples.jsonl").read_bytes() == expected.examples
        assert len(committed) == expected.requests
        if kills == DEMO_KILLS:
            return


def test_a_run_killed_before_it_had_a_database_starts_anew(forks: Forks, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.db.lock").touch()
    undisturbed(forks, folder, SIMULATED, *SMALL)


@pytest.mark.parametrize("size", [0, 4096])
def test_a_run_killed_while_its_database_was_made_starts_anew(forks: Forks, tmp_path: Path, size: int) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        if size:
            connection.execute("PRAGMA journal_mode=WAL")
    assert (folder / "run.db").stat().st_size == size
    undisturbed(forks, folder, SIMULATED, *SMALL)
