"""What a run started ends with it: nothing goes on asking after a failure."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import pytest

from ensemble_instruct.concurrency import map_in_order
from ensemble_instruct.config.load import load_config
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import AuthenticationError
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import Kind, Request, Response, Step
from ensemble_instruct.runs.lifecycle import start_or_resume
from tests.conftest import SIMULATED

_calls = itertools.count()


def refuses_the_fourth(request: Request) -> Response:
    """A voter whose key stops working."""
    if next(_calls) == 3:
        raise AuthenticationError("model a: the key is not accepted any more; set another")
    return Response("yes")


class Watching:
    """A monitor that looks at nothing."""

    def started(self, models: Mapping[str, Model], targets: Mapping[Kind, int]) -> None: ...

    def counted(self, kind: Kind | None, step: Step, reason: str) -> None: ...


def test_no_task_is_left_when_a_run_fails(tmp_path: Path) -> None:
    config = load_config(Path(SIMULATED))
    broken = ModelSection(provider="scripted", function=f"{__name__}:refuses_the_fourth", max_in_flight=1)
    config = config.model_copy(update={"models": {**config.models, "simulated-a": broken}})

    async def run() -> set[asyncio.Task[object]]:
        with pytest.raises(AuthenticationError):
            await start_or_resume(config, tmp_path / "run", Watching())
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(run()) == set()


def test_work_begun_is_cancelled_when_the_consumer_leaves() -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        for number in range(100):
            yield number

    async def slow(number: int) -> int:
        await asyncio.sleep(0 if number == 0 else 3600)
        return number

    async def run() -> int:
        results = map_in_order(numbers(), slow, 8)
        assert await anext(results) == (0, 0)
        await results.aclose()
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1
