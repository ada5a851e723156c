"""Step 5 over all rows of a run: the same as ever, with little in memory, and all of it on disk or nothing."""

from __future__ import annotations

import asyncio
import math
import random
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.config.quality import QualitySection
from ensemble_instruct.quality.filters import NO_FILTERS, QUALITY_REASONS, Filters
from ensemble_instruct.records import OF_THREE, Answered, Candidate, Example, Instance, Rejected, Strategy
from ensemble_instruct.steps.ensemble import select
from ensemble_instruct.store.store import Store
from tests.support.answered_rows import table
from tests.support.processes import PATIENCE

MANY = 10_000
"""Records: more than a store writes in one go."""


def shared(records: list[Example | Rejected], share: float) -> list[Example | Rejected]:
    """What a share leaves of the records that there are without one: first all other drops, then these."""
    examples = [record for record in records if isinstance(record, Example)]
    drops = [record for record in records if isinstance(record, Rejected)]
    quota = math.floor(share * (len(records) - sum(drop.reason in QUALITY_REASONS for drop in drops)) + 0.5)
    best = sorted(examples, key=lambda example: (-example.confidence, example.instance.id))[:quota]
    return [*drops, *(example if example in best else below(example, share) for example in examples)]


def below(example: Example, share: float) -> Rejected:
    instance, detail = example.instance, f"confidence {example.confidence:.3f}, not in {share:g}"
    return Rejected(
        step="ensemble", reason="below_share", text=instance.instruction, kind=instance.kind, source=instance.id,
        request_key="00", detail=detail, candidates=example.candidates,
    )  # fmt: skip


@pytest.mark.parametrize("strategy", get_args(Strategy))
@pytest.mark.parametrize("filtered", [False, True])
def test_a_share_takes_the_most_agreed_on_of_what_is_kept_without_it(strategy: Strategy, filtered: bool) -> None:
    lines = table(2 if strategy in OF_THREE else 4, random.Random(strategy))
    filters = Filters(QualitySection(repetition=0.2)) if filtered else NO_FILTERS
    every = Selection(strategy, min_confidence=1e-9 if strategy == "vouched" else 0.0)
    records = list(select(lambda: lines, every, filters=filters))
    assert any(isinstance(record, Example) and any(record.barred) for record in records) == filtered
    for share in (0.01, 0.5, 1.0):
        chosen = list(select(lambda: iter(lines), replace(every, min_confidence=None, keep=share), filters=filters))
        assert [plain(record) for record in chosen] == [plain(record) for record in shared(records, share)]


def plain(record: Example | Rejected) -> Example | Rejected:
    """Without what only says that no filter had anything against any output."""
    return replace(record, barred=()) if isinstance(record, Example) and not any(record.barred) else record


@pytest.mark.parametrize("strategy", ["balanced", "consensus"])
def test_texts_are_not_held_in_memory(strategy: Strategy) -> None:
    def lines(count: int = 300) -> Iterator[Answered]:
        for number in range(count):
            text = f"{number} " + "x" * 2000
            instance = Instance(kind="output_only", instruction=f"task {number}", input="", output=text)
            candidates = tuple(Candidate(instance.id, f"v{voter}", text + "." * voter) for voter in range(2))
            yield Answered(instance, candidates)

    selection = Selection(strategy, keep=0.5)
    assert list(select(lambda: lines(1), selection))  # what is loaded once is not counted
    tracemalloc.start()
    count = sum(isinstance(record, Example) for record in select(lines, selection))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 150
    assert peak < 1_500_000  # all texts have 1.8 MB, and were held twice


def drop(number: int, text: str = "new") -> Rejected:
    return Rejected(step="ensemble", reason="low_confidence", text=f"{text} {number}", kind="output_only")


def replaced(store: Store, records: int) -> None:
    store.forget_selected()
    for number in range(records):
        store.add(drop(number))


class _StopError(Exception):
    pass


def committed(path: Path) -> tuple[int, str, str]:
    with closing(sqlite3.connect(path)) as connection:
        count, first, last = connection.execute("SELECT COUNT(*), MIN(text), MAX(text) FROM rejected").fetchone()
    return count, first, last


def test_a_whole_block_is_written_meanwhile_and_seen_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        with Store(tmp_path / "run.db") as store:
            store.add(drop(0, "old"))
            await store.flush()
            with store.whole():
                replaced(store, MANY)
                waiting = asyncio.create_task(store.flush())  # as a run does every few seconds
                await asyncio.sleep(0.05)
                assert not waiting.done()
                assert committed(store.path) == (1, "old 0", "old 0")
                assert len(store._writer._items) < MANY / 2
            await asyncio.wait_for(waiting, PATIENCE)
            assert committed(store.path) == (MANY, "new 0", f"new {MANY - 1}")

    asyncio.run(work())


@pytest.mark.parametrize("how", ["fails", "is closed before its commit"])
@pytest.mark.parametrize("records", [10, MANY])
def test_of_a_whole_block_that_fails_nothing_is_left(tmp_path: Path, how: str, records: int) -> None:
    async def work() -> None:
        with Store(tmp_path / "run.db") as store:
            store.add(drop(0, "old"))
            await store.flush()
            with suppress(_StopError), store.whole():
                replaced(store, records)
                raise _StopError
            await store.flush()
            assert committed(store.path) == (1, "old 0", "old 0")
            store.add(drop(1, "old"))
            await store.flush()
        assert committed(store.path) == (2, "old 0", "old 1")

    async def closed() -> None:
        with Store(tmp_path / "run.db") as store:
            store.add(drop(0, "old"))
            await store.flush()
            with store.whole():
                replaced(store, records)
        count, *_ = committed(store.path)
        assert count in {1, records}  # what all fitted into one go is written as ever

    asyncio.run(work() if how == "fails" else closed())
