"""How requests to a model of this process are put together, and what becomes of them when the engine fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any

import pytest

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import ModelError, TransientError
from ensemble_instruct.models.clients.local.engine import BatchRow, Engine
from ensemble_instruct.models.clients.local.local import LocalClient
from ensemble_instruct.records import Message, Request, Response, Sampling


class Parrot(Engine):
    """Says the prompt again; a token is a character. `fails` may raise before it does."""

    batch_size = 8

    def __init__(self, fails: Callable[[Sequence[BatchRow]], None] = lambda rows: None) -> None:
        super().__init__("parrot")
        self.batches: list[list[str]] = []
        self.loads = 0
        self.load_fails: Exception | None = None
        self._fails = fails

    def load(self) -> None:
        self.loads += 1
        with self.errors("cannot be loaded"):
            if self.load_fails is not None:
                raise self.load_fails

    def free(self) -> None:
        pass

    def encode(self, messages: Sequence[Message]) -> Sequence[int]:
        return [ord(character) for character in messages[-1].content]

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))

    def ends(self, sampling: Sampling) -> frozenset[int]:
        return frozenset({0})

    def group(self, sampling: Sampling) -> float:
        return sampling.temperature

    def generate(self, rows: Sequence[BatchRow]) -> None:
        self.batches.append([self.decode(row.prompt) for row in rows])
        with self.errors("failed", len(rows)):
            self._fails(rows)
        for row in rows:
            for token in (*row.prompt, 0):
                if row.add(token):
                    break


def held(engine: Engine, case: Callable[[LocalClient], Awaitable[Any]]) -> Any:
    async def hold() -> Any:
        client = LocalClient("parrot", ModelSection(provider="ctranslate2", path="x"), engine)  # type: ignore[arg-type]
        await client.open()
        try:
            return await case(client)
        finally:
            await client.close()

    return asyncio.run(hold())


async def ask(client: LocalClient, *prompts: str, **sampling: Any) -> list[Any]:
    requests = [
        Request(prompt=prompt, sampling=Sampling(max_tokens=64, **sampling), step="outputs", kind="output_only")
        for prompt in prompts
    ]
    return await asyncio.gather(*map(client.answer, requests), return_exceptions=True)


def test_what_waits_goes_together_and_nothing_waits_for_ever() -> None:
    engine = Parrot()
    prompts = [f"{number}" for number in range(30)]
    replies = held(engine, lambda client: ask(client, *prompts))
    assert [reply.text for reply in replies] == prompts
    assert sorted(chain.from_iterable(engine.batches)) == sorted(prompts)
    assert max(map(len, engine.batches)) == 8


def test_only_what_fits_and_is_alike_goes_together() -> None:
    engine = Parrot()
    engine.batch_tokens, engine.spread = 300, 3

    async def case(client: LocalClient) -> None:
        hot = ask(client, "aa", "bb", temperature=1.0)
        await asyncio.gather(ask(client, *(letter * 8 for letter in "cdefg"), "short"), hot)

    held(engine, case)
    for batch in engine.batches:
        assert len(batch) * 72 <= 300 or len(batch) == 1
        assert max(map(len, batch)) - min(map(len, batch)) <= 3
        assert not {"aa", "bb"} & set(batch) or set(batch) <= {"aa", "bb"}


def test_out_of_memory_lowers_the_batch_and_the_request_may_be_tried_again() -> None:
    def fails(rows: Sequence[BatchRow]) -> None:
        if len(rows) > 2:
            raise RuntimeError("CUDA failed with error out of memory")

    engine = Parrot(fails)

    async def case(client: LocalClient) -> list[Any]:
        waiting, done = [f"{number}" for number in range(8)], []
        while waiting:
            replies = await ask(client, *waiting)
            assert all(isinstance(reply, Response) or reply.cause == "memory" for reply in replies)
            done += [reply.text for reply in replies if isinstance(reply, Response)]
            waiting = [prompt for prompt in waiting if prompt not in done]
        return done

    assert sorted(held(engine, case)) == [f"{number}" for number in range(8)]
    assert engine.batch_size == 2


@pytest.mark.parametrize("error", [RuntimeError("out of memory\nat line 3"), MemoryError(), OSError("disk")])
def test_an_engine_that_cannot_do_a_single_one_ends_the_run_with_one_line(error: Exception) -> None:
    def fails(rows: Sequence[BatchRow]) -> None:
        raise error

    (outcome,) = held(Parrot(fails), lambda client: ask(client, "x"))
    assert isinstance(outcome, ModelError)
    assert "model parrot failed" in str(outcome)
    assert "\n" not in str(outcome)


def test_what_nobody_foresaw_is_an_error_of_this_package_too() -> None:
    def fails(rows: Sequence[BatchRow]) -> None:
        raise ZeroDivisionError("quotient")

    first, second = held(Parrot(fails), lambda client: ask(client, "x", "y"))
    assert isinstance(first, ModelError)
    assert isinstance(second, ModelError)
    assert "ZeroDivisionError: quotient" in str(first)


def test_a_model_that_failed_to_load_can_be_opened_again() -> None:
    engine = Parrot()
    engine.load_fails = OSError("no such file")

    async def case() -> None:
        client = LocalClient("parrot", ModelSection(provider="ctranslate2", path="x"), engine)  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(ModelError, match="no such file"):
                await client.open()
        with pytest.raises(TransientError):
            await client.answer(
                Request(prompt="x", sampling=Sampling(max_tokens=8), step="outputs", kind="output_only")
            )
        engine.load_fails = None
        await client.open()
        assert (
            await client.answer(
                Request(prompt="x", sampling=Sampling(max_tokens=8), step="outputs", kind="output_only")
            )
        ).text == "x"
        await client.close()

    asyncio.run(case())
    assert engine.loads == 3
