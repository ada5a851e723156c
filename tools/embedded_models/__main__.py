"""Make everything anew: seed tasks, the three models, their evaluation and their cards.

    python -m tools.embedded_models [--build build/embedded-models]

Two models are trained at a time, each on one core: `tiny-base` beside `tiny-a` and then `tiny-b`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from threading import Thread

from tools.embedded_models.shapes import BUILD

LANES = (("tiny-base",), ("tiny-a", "tiny-b"))


def call(module: str, *arguments: str) -> None:
    """Run one of the programs beside this one; raises `CalledProcessError` when it fails."""
    subprocess.run([sys.executable, "-m", f"tools.embedded_models.{module}", *arguments], check=True)


def train_in_turn(names: tuple[str, ...], build: Path) -> None:
    """Train models one after the other."""
    for name in names:
        call("train", name, "--to", str(build))


def main() -> None:
    """Read the arguments and do all of it."""
    parser = argparse.ArgumentParser(description="Make the embedded models anew.")
    parser.add_argument("--build", type=Path, default=BUILD)
    options = parser.parse_args()
    call("seeds")
    lanes = [Thread(target=train_in_turn, args=(names, options.build)) for names in LANES]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    call("convert", "--from", str(options.build))
    call("evaluate")
    call("cards")


if __name__ == "__main__":
    main()
