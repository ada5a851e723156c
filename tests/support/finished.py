"""Finished runs: made once for all tests of a session, copied by a test that changes one, and read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name`, which `make` fills in the first process of the session that asks for it.

    The others find it there. It is of all tests: who changes something copies it before (`shutil.copytree`).
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared-{name}"
    with FileLock(f"{folder}.lock"):
        if not (folder / "made").exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            (folder / "made").touch()
    return folder


def stored(run: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows of a run's database."""
    with closing(sqlite3.connect(run / "run.db")) as connection:
        return connection.execute(sql, values).fetchall()


def change(run: Path, sql: str, *values: object) -> None:
    """Change a run's database."""
    with closing(sqlite3.connect(run / "run.db")) as connection, connection:
        connection.execute(sql, values)
