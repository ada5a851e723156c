"""Answers that cannot be written now: they are kept and written later, whatever the reason."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import pytest

from ensemble_instruct.errors import StoreError
from ensemble_instruct.records import Request, Response, Sampling
from ensemble_instruct.store import writer
from ensemble_instruct.store.store import Store


def request(prompt: str) -> Request:
    return Request(prompt=prompt, sampling=Sampling(max_tokens=64), step="outputs", kind="output_only")


def key_of(number: int) -> str:
    return f"{number:032x}"


def written(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM request").fetchone()[0])


@contextmanager
def no_room(store: Store) -> Iterator[None]:
    """The database may have no further page."""
    connection = store._writer._connection
    most = connection.execute("PRAGMA max_page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    try:
        yield
    finally:
        with suppress(sqlite3.ProgrammingError):  # it is closed
            connection.execute(f"PRAGMA max_page_count = {most}")


@contextmanager
def no_file(_: Store) -> Iterator[None]:
    """No file can be opened, and none can grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_TRY_AGAIN", 0.02)


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("fault", [no_room, no_file])
def test_answers_are_committed_once_they_can_be(
    tmp_path: Path, fault: Callable[[Store], AbstractContextManager[None]]
) -> None:
    async def work() -> None:
        with Store(tmp_path / "run.db") as store:
            await store.commit(key_of(0), "base", request("first"), Response("x"), 0.1)
            with fault(store):
                answers = [
                    asyncio.ensure_future(
                        store.commit(
                            key_of(number), "base", request(f"{number}"), Response(os.urandom(2000).hex()), 0.1
                        )
                    )
                    for number in range(1, 40)
                ]
                await asyncio.sleep(0.1)
                assert not any(each.done() for each in answers)
            await asyncio.gather(*answers)

    asyncio.run(work())
    assert written(tmp_path / "run.db") == 40


@pytest.mark.usefixtures("_soon")
def test_what_was_given_up_is_written_at_the_end_if_that_is_possible_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_TRIES", 3)

    async def work() -> None:
        with Store(tmp_path / "run.db") as store:
            await store.commit(key_of(0), "base", request("first"), Response("x"), 0.1)
            with no_room(store):
                texts = [os.urandom(2000).hex() for _ in range(40)]
                several = [
                    store.commit(key_of(at), "b", request(f"{at}"), Response(texts[at]), 0.1) for at in range(1, 40)
                ]
                outcomes = await asyncio.gather(*several, return_exceptions=True)
                assert all(isinstance(each, StoreError) for each in outcomes)
                assert "free some space" in str(outcomes[0])
                with pytest.raises(StoreError):
                    await store.commit(key_of(99), "b", request("later"), Response("late"), 0.1)

    asyncio.run(work())
    assert written(tmp_path / "run.db") == 41


@pytest.mark.usefixtures("_soon")
def test_where_there_is_no_room_at_the_end_either_the_error_stays(tmp_path: Path) -> None:
    async def work() -> None:
        store = Store(tmp_path / "run.db")
        await store.commit(key_of(0), "base", request("first"), Response("x"), 0.1)
        with no_room(store):
            with pytest.raises(StoreError, match="free some space"):
                await store.commit(key_of(1), "base", request("1"), Response(os.urandom(90_000).hex()), 0.1)
            store.close()
        assert "free some space" in str(store._writer.failed)

    asyncio.run(work())
    assert written(tmp_path / "run.db") == 1
