"""Starts a run again and again while everything goes wrong, until it has ended; holds the end against a calm run's.

    .venv/bin/python -m tests.soak [--minutes 30] [--seed 1] [--rows 60]

One round after the other, each with a seed of its own, which is printed. A round fails where what the run made differs
from what a calm run makes of the same answers, where a process ends without one line that says why, or with
`internal error`, and where a run does not come to its end once all is calm again. Ends with 1 if a round has failed.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.conftest import COMMAND, ROOT
from tests.soak.servers import Moody, config, replicas

_CALM_AFTER = 150.0
"""Seconds of a round after which nothing goes wrong any more."""
_PATIENCE = 300.0
"""Seconds in which a calm run comes to its end."""
_READERS = (
    ["status", "run"],
    ["report", "run", "--to", "r.html"],
    ["card", "run"],
    ["export", "run", "--format", "alpaca", "--to", "x.jsonl", "--partial"],
)
"""Commands that look at a run, at any time."""
_EVENTS = (
    "kill",
    "term",
    "int",
    "hup",
    "stop",
    "disk",
    "descriptors",
    "clock",
    "reader",
    "second",
    "thief",
    "wait",
    "wait",
)


_NOT_YET = re.compile(r"is working on it|no run|not a run|is not finished|cannot be read")
"""What is said of a run that has just begun, or that another process works on."""


class Round:
    """One run, from its first start to its end, and what went wrong around it."""

    def __init__(self, seed: int, folder: Path, servers: list[Moody]) -> None:
        self._drawn = random.Random(seed)
        self._folder, self._servers = folder, servers
        self._others: list[tuple[str, subprocess.Popen[bytes], Path]] = []
        self._began = time.monotonic()
        self.events: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.faults: list[str] = []

    def made(self) -> bytes:
        """What the run has made in the end."""
        for server in self._servers:
            server.is_calm = False
        code = None
        while code != 0 and not self.faults:
            process, log = self._started(["run", "my.yaml", "--out", "run"])
            code = self._watched(process)
            self._judge("run", code, log, stopped=True)
        for name, process, log in self._others:
            process.send_signal(signal.SIGCONT)
            self._judge(name, process.wait(_PATIENCE), log, stopped=False)
        path = self._folder / "run" / "examples.jsonl"
        return path.read_bytes() if path.is_file() else b""

    def _started(self, arguments: list[str]) -> tuple[subprocess.Popen[bytes], Path]:
        log = self._folder / f"{len(list(self._folder.glob('*.log')))}.log"
        paths = [str(ROOT / "tests" / "soak" / "clock"), str(ROOT / "src"), str(ROOT)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "SOAK_CLOCK": str(self._folder / "clock")}
        with log.open("wb") as file:
            process = subprocess.Popen(
                [str(COMMAND), *arguments], cwd=self._folder, env=environment, stdout=file, stderr=file
            )
        return process, log

    def _watched(self, process: subprocess.Popen[bytes]) -> int:
        """The exit code of a start, after whatever has happened to it."""
        deadline = None
        while process.poll() is None:
            if time.monotonic() - self._began > _CALM_AFTER and deadline is None:
                deadline = time.monotonic() + _PATIENCE
                for server in self._servers:
                    server.is_calm = True
            if deadline is not None and time.monotonic() > deadline:
                self.faults.append("the run does not come to its end, though all is calm")
                process.kill()
            if deadline is None:
                self._happens(process)
            time.sleep(self._drawn.uniform(0.5, 4.0))
        return process.returncode

    def _happens(self, process: subprocess.Popen[bytes]) -> None:
        event = self._drawn.choice(_EVENTS)
        self.events[event] += 1
        signals = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT, "hup": signal.SIGHUP}
        if event in signals:
            process.send_signal(signals[event])
        elif event == "stop":
            process.send_signal(signal.SIGSTOP)
            time.sleep(self._drawn.uniform(0.5, 5.0))
            process.send_signal(signal.SIGCONT)
        elif event == "disk":
            self._limited(process, resource.RLIMIT_FSIZE, self._drawn.randrange(1, 400_000))
        elif event == "descriptors":
            self._limited(process, resource.RLIMIT_NOFILE, self._drawn.randrange(8, 40))
        elif event == "clock":
            (self._folder / "clock").write_text(str(self._drawn.choice([-86400, 86400, -3600, 3600, 0, 0])))
        elif event == "reader":
            self._beside("reader", self._drawn.choice(_READERS))
        elif event in ("second", "thief"):
            if event == "thief":
                (self._folder / "run" / "run.db.lock").unlink(missing_ok=True)
            self._beside(event, ["run", "my.yaml", "--out", "run"])

    def _limited(self, process: subprocess.Popen[bytes], which: int, most: int) -> None:
        """Less than it needs, for a while, of the size of files or of descriptors."""
        try:
            before = resource.prlimit(process.pid, which)
            resource.prlimit(process.pid, which, (most, before[1]))
            time.sleep(self._drawn.uniform(0.5, 4.0))
            resource.prlimit(process.pid, which, before)
        except ProcessLookupError:
            pass  # it has just ended

    def _beside(self, name: str, arguments: list[str]) -> None:
        self._others.append((name, *self._started(arguments)))
        for done in [other for other in self._others if other[1].poll() is not None]:
            self._others.remove(done)
            self._judge(done[0], done[1].returncode, done[2], stopped=False)

    def _judge(self, name: str, code: int, log: Path, *, stopped: bool) -> None:
        """Note how a process has ended, and what is wrong with that."""
        said = log.read_text(errors="replace")
        last = next((line for line in said.splitlines()[::-1] if line.startswith("error: ")), "")
        is_early = code == -signal.SIGINT and said.rstrip().endswith("KeyboardInterrupt")  # before it has begun
        known = code in (0, 1) or (code < 0 and stopped) or (code == 2 and _NOT_YET.search(last) is not None)
        if ("Traceback" in said and not is_early) or "internal error" in said or not known or (code > 0 and not last):
            self.faults.append(f"{name} ended with {code} ({log}): {said[-600:]}")
        words = re.sub(r"[\d.:]+|/\S+|'.*?'", "_", last)[:90]
        self.ends[f"{name} {code} {words}".strip()] += 1


def calm(folder: Path) -> bytes:
    """What a run makes that nobody disturbs."""
    done = subprocess.run(
        [str(COMMAND), "run", "my.yaml", "--out", "calm"], cwd=folder, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"the calm run failed: {done.stderr.decode()[-600:]}")
    return (folder / "calm" / "examples.jsonl").read_bytes()


def one_round(seed: int, rows: int) -> bool:
    """A calm run and a wild one; whether all was well."""
    place = Path(tempfile.mkdtemp(prefix=f"soak-{seed}-"))
    with replicas(6, seed) as servers:
        (place / "my.yaml").write_text(f"seed: {seed}\n{config(servers, rows)}")
        expected = calm(place)
        began, wild = time.monotonic(), Round(seed, place, servers)
        found = wild.made()
    if not wild.faults and found != expected:
        wild.faults.append(f"{place / 'run'}: differs from {place / 'calm'}")
    print(f"seed {seed}: {time.monotonic() - began:.0f} s, {expected.count(b'{')} objects; {dict(wild.events)}")
    for end, count in wild.ends.most_common():
        print(f"  {count:4} x {end}")
    for fault in wild.faults:
        print(f"  FAULT {fault}")
    if not wild.faults:
        shutil.rmtree(place)
    sys.stdout.flush()
    return not wild.faults


def main() -> int:
    """Rounds until the time is over."""
    arguments = argparse.ArgumentParser(description="A run with everything going wrong at random.")
    arguments.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    arguments.add_argument("--seed", type=int, default=None, help="of the first round (default: drawn)")
    arguments.add_argument("--rows", type=int, default=60, help="instructions of each kind (default: 60)")
    given = arguments.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # clients that are killed hang up
    over, failed = time.monotonic() + 60 * given.minutes, 0
    while time.monotonic() < over:
        failed += not one_round(seed, given.rows)
        seed += 1
    print(f"{failed} rounds failed" if failed else "all rounds ended as their calm runs did")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
