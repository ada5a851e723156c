"""What a server says of who answered and of the cost is kept beside the answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ensemble_instruct.records import Answer, Request, Response, Sampling
from ensemble_instruct.store.store import Store

REQUEST = Request(prompt="What is a hat?", sampling=Sampling(max_tokens=9), step="outputs", kind="output_only")
KEY = "ab" * 16


def test_who_answered_and_what_it_cost_comes_back_with_the_answer(tmp_path: Path) -> None:
    response = Response(
        "a cover", "stop", 7, 8, model="m-2", upstream="Deep", cost=0.0025, cached_tokens=4, reasoning_tokens=5
    )

    async def work() -> None:
        with Store(tmp_path / "run.db") as store:
            await store.commit(KEY, "a", REQUEST, response, 0.1)
        with Store(tmp_path / "run.db") as store:
            assert store.answer(KEY) == Answer(KEY, response)

    asyncio.run(work())
