"""Work that is done ahead and taken in order: what is slow holds nothing up, and memory stays bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.concurrency import map_in_order
from tests.support.simulated_time import simulated_time

WINDOW = 4


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


def begun_while_one_hangs(count: int, hanging: int) -> int:
    """How many of so many pieces of work have begun after an hour in which one is not done."""

    async def ask() -> int:
        begun, hangs = 0, asyncio.Event()

        async def work(number: int) -> int:
            nonlocal begun
            begun += 1
            await (hangs.wait() if number == hanging else asyncio.sleep(0.1))
            return number

        async def take() -> list[int]:
            return [value async for _, value in map_in_order(numbers(count), work, WINDOW)]

        taking = asyncio.ensure_future(take())
        await asyncio.sleep(3600)
        before = begun
        hangs.set()
        assert await taking == list(range(count))
        return before

    with simulated_time() as runner:
        return runner.run(ask())


def test_one_piece_of_work_that_hangs_holds_up_none_of_the_others() -> None:
    for hanging in (0, 17, 39):
        assert begun_while_one_hangs(40, hanging) == 40


def test_what_waits_behind_it_is_bounded() -> None:
    assert 8 * WINDOW <= begun_while_one_hangs(1000, 0) <= 32 * WINDOW


def test_a_slow_consumer_is_never_left_behind_by_more_than_the_window() -> None:
    async def ask() -> int:
        begun, most = 0, 0

        async def work(number: int) -> int:
            nonlocal begun
            begun += 1
            await asyncio.sleep(0.001 * (number % 3))
            return number

        async for _, value in map_in_order(numbers(60), work, WINDOW):
            await asyncio.sleep(1)
            most = max(most, begun - value)
        return most

    with simulated_time() as runner:
        assert runner.run(ask()) <= WINDOW


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 10), max_size=60), st.integers(1, 9), st.floats(0, 2))
def test_all_comes_in_order_with_no_more_than_the_window_at_work(
    seconds: list[float], window: int, pause: float
) -> None:
    async def ask() -> tuple[list[int], int]:
        here = most = 0

        async def work(number: int) -> int:
            nonlocal here, most
            here += 1
            most = max(most, here)
            await asyncio.sleep(seconds[number])
            here -= 1
            return number

        taken = []
        async for number, value in map_in_order(numbers(len(seconds)), work, window):
            assert number == value
            taken.append(value)
            await asyncio.sleep(pause)
        return taken, most

    with simulated_time() as runner:
        taken, most = runner.run(ask())
    assert taken == list(range(len(seconds)))
    assert most <= window
