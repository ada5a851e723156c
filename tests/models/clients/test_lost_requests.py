"""What no server can have read was not paid; what one may have read was."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import TransientError
from ensemble_instruct.models.clients.openai.client import OpenAIClient
from ensemble_instruct.records import Request, Response, Sampling

REQUEST = Request(prompt="What is a hat?", sampling=Sampling(max_tokens=9), step="outputs", kind="output_only")
Way = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def paid(base_url: str) -> Response | None:
    client = OpenAIClient("a", ModelSection(base_url=base_url, model="m", timeout=1.0), None)
    try:
        with pytest.raises(TransientError) as caught:
            await client.answer(REQUEST)
        return caught.value.paid
    finally:
        await client.close()


async def hangs(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def hangs_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()


async def says_too_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b" " * 9_000_000)
    await writer.drain()


@pytest.mark.parametrize("way", [hangs, hangs_up, breaks_off, says_too_much])
def test_what_a_server_may_have_read_may_have_been_paid(way: Way) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            try:
                await way(reader, writer)
            finally:
                writer.close()
                await writer.wait_closed()

    async def work() -> Response | None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            found = await paid(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
            await asyncio.sleep(0.1)  # what it serves comes to its end
            return found

    assert asyncio.run(work()) == Response("")


def test_what_went_nowhere_was_free() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert asyncio.run(paid(f"http://127.0.0.1:{nobody.getsockname()[1]}/v1")) is None
    assert asyncio.run(paid("http://2130706433/v1")) is None, "an address that cannot be asked"


def test_a_server_that_takes_no_connection_was_paid_nothing() -> None:
    """Its queue is full, so that the time is over before there is a connection."""

    async def work(port: int) -> Response | None:
        return await paid(f"http://127.0.0.1:{port}/v1")

    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            assert asyncio.run(work(port)) is None
        finally:
            for one in waiting:
                one.close()
