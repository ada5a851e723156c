"""Seed tasks known by their content: a file that has no others needs no licence in the config."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files
from pathlib import Path

from ensemble_instruct.config.bundled import is_users
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import UsageError
from ensemble_instruct.files.jsonl import JsonRow
from ensemble_instruct.files.rows import read_rows

LICENCE = "Apache-2.0"
"""Of the bundled seed tasks, and of Self-Instruct's: https://github.com/yizhongw/self-instruct/blob/main/LICENSE"""
_DIGITS = 12
"""Hexadecimal digits of a fingerprint."""


def with_known_licence(config: Config) -> Config:
    """The config, with the licence of its seed tasks where it declares no licence and all tasks are known.

    Known are the bundled ones and Self-Instruct's. The file may hold only some of them, in any order; with one other
    task in it, or where it cannot be read, the config stays as it is.
    """
    path = config.seed_tasks
    if path is None or not is_users(path) or config.licenses.seed_tasks is not None or not are_known(path):
        return config
    licenses = config.licenses.model_copy(update={"seed_tasks": LICENCE})
    return config.model_copy(update={"licenses": licenses})


def are_known(path: Path) -> bool:
    """Whether a regular file holds seed tasks, and only known ones; reads up to the first other one."""
    if not path.is_file():
        return False
    known, some = _known(), False
    try:
        for _, row, _ in read_rows(path, {}):
            if task_fingerprint(row) not in known:
                return False
            some = True
    except UsageError:
        return False
    return some


@cache
def _known() -> frozenset[str]:
    data = files("ensemble_instruct") / "data"
    lines = (data / "self_instruct.txt").read_text(encoding="utf-8").splitlines()
    ours = (data / "seed_tasks.jsonl").read_text(encoding="utf-8").splitlines()
    theirs = (line for line in lines if not line.startswith("#"))
    return frozenset((*theirs, *(task_fingerprint(json.loads(row)) for row in ours)))


def task_fingerprint(row: JsonRow) -> str:
    """The first twelve hexadecimal digits of the SHA-256 of a task's instruction and instances."""
    text = json.dumps([row.get("instruction"), row.get("instances")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
