"""Who owns a run: where no lock keeps a second process out, one of the two stops, and the other's work is whole."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ensemble_instruct.errors import EnsembleInstructError, RunLockedError, StoreError
from ensemble_instruct.records import Response
from ensemble_instruct.store.database import APPLICATION_ID, MIGRATIONS, connect
from ensemble_instruct.store.owner import is_locked
from ensemble_instruct.store.store import Store, opened_store
from tests.conftest import ROOT
from tests.store.test_store import elsewhere, key_of, request

pytestmark = pytest.mark.slow
_AT_WORK = """
import asyncio, pathlib, sys
from tests.store.test_store import key_of, request
from ensemble_instruct.errors import StoreError
from ensemble_instruct.records import Response
from ensemble_instruct.store.store import opened_store

async def work(path, mode):
    with opened_store(path) as store:
        number = 0
        await store.commit(key_of("first"), "base", request("first"), Response("first"), 0.1)
        print("at work", flush=True)
        while mode == "writing" or await asyncio.to_thread(sys.stdin.readline):
            number += 1
            name = f"first {number}"
            await store.commit(key_of(name), "base", request(name), Response(name), 0.1)
            print("written", flush=True)

try:
    asyncio.run(work(pathlib.Path(sys.argv[1]), sys.argv[2]))
    print("closed", flush=True)
except StoreError as error:
    print(error, flush=True)
"""


@contextmanager
def at_work(path: Path, mode: str = "silent") -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the run at `path`; `silent`: it writes an answer for each line that it is sent."""
    command = [sys.executable, "-c", _AT_WORK, str(path), mode]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert said(process) == "at work"
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def told(process: subprocess.Popen[str]) -> str:
    """What the other process says when it is to write an answer."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return said(process)


def unlocked(path: Path) -> None:
    path.with_name("run.db.lock").unlink()


async def committed(store: Store, name: str) -> None:
    await store.commit(key_of(name), "base", request(name), Response(name), 0.1)


def test_who_works_on_a_run_keeps_it_when_its_lock_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "run.db"

    async def work() -> None:
        with pytest.raises(RunLockedError, match=r"another process .* is working on it"):
            Store(path)

    with at_work(path, "writing") as other:
        unlocked(path)
        assert is_locked(path)
        asyncio.run(work())
        assert not path.with_name("run.db.lock").exists()
        assert said(other) == "written"


@pytest.mark.parametrize("ends_first", [True, False])
def test_of_two_at_work_on_one_run_the_last_one_goes_on_and_the_other_writes_nothing_more(
    tmp_path: Path, ends_first: bool
) -> None:
    path = tmp_path / "run.db"

    async def work(other: subprocess.Popen[str]) -> None:
        with Store(path) as store:
            await committed(store, "second")
            if not ends_first:
                assert f"process {os.getpid()} on " in told(other)
            await committed(store, "second again")
        if ends_first:
            assert "another process has taken the run over, so this one stops" in told(other)

    with at_work(path) as other:
        unlocked(path)
        asyncio.run(work(other))
        assert other.wait() == 0
    texts = [text for (text,) in elsewhere(path, "SELECT text FROM request ORDER BY rowid")]
    assert texts == ["first", "second", "second again"]
    assert elsewhere(path, "SELECT * FROM owner") == []


def test_a_loser_does_not_remove_the_run_of_who_took_it_over(tmp_path: Path) -> None:
    path = tmp_path / "run.db"

    async def work() -> None:
        with opened_store(path) as first:
            unlocked(path)
            with Store(path):
                first.set_meta(state="running")
                await first.flush()

    with pytest.raises(StoreError, match="has taken the run over"):
        asyncio.run(work())
    assert path.exists()


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_run_whose_folder_is_moved_or_begun_anew_meanwhile_stops_with_one_line(
    tmp_path: Path, is_replaced: bool
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    path = folder / "run.db"

    async def begin_anew() -> None:
        with Store(path) as store:
            await committed(store, "new")

    with at_work(path) as other:
        folder.rename(tmp_path / "elsewhere")
        if is_replaced:
            folder.mkdir()
            asyncio.run(begin_anew())
        assert told(other).startswith(f"{path}: was moved or removed while the run was on; ")
        assert other.wait() == 0
    assert elsewhere(tmp_path / "elsewhere" / "run.db", "SELECT text FROM request") == [["first"]]
    if is_replaced:
        assert elsewhere(path, "SELECT text FROM request") == [["new"]]
    else:
        assert not folder.exists()


def test_a_run_that_was_killed_is_taken_over_also_where_its_lock_file_was_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with at_work(path) as other:
        other.kill()
        other.wait()
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("run.db", "run.db-wal"):
        shutil.copy(tmp_path / name, copy)

    async def work(at: Path) -> None:
        assert not is_locked(at)
        with Store(at) as store:
            assert is_locked(at)
            await committed(store, "second")
        assert not is_locked(at)

    for at in (path, copy / "run.db"):
        asyncio.run(work(at))
        assert elsewhere(at, "SELECT text FROM request ORDER BY rowid") == [["first"], ["second"]]


def test_many_at_once_bring_one_file_to_the_newest_schema(tmp_path: Path) -> None:
    for version in range(len(MIGRATIONS) + 1):
        path = tmp_path / f"{version}.db"
        with closing(sqlite3.connect(path)) as connection:
            scripts = "".join(MIGRATIONS[:version])
            connection.executescript(
                f"PRAGMA journal_mode=WAL; {scripts} PRAGMA application_id={APPLICATION_ID if version else 0};"
                f"PRAGMA user_version={version};"
            )
        with ThreadPoolExecutor(8) as threads:
            for opened in threads.map(connect, [path] * 8):
                assert opened.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
                opened.close()


def test_a_run_that_fails_before_it_paid_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.db"

    async def work() -> None:
        with opened_store(path) as store:
            store.set_meta(state="running")
            await store.flush()
            raise EnsembleInstructError("no such model")

    with pytest.raises(EnsembleInstructError, match="no such model"):
        asyncio.run(work())
    assert list(tmp_path.iterdir()) == []
