"""A TCP server that says any bytes, or none, where a server of the OpenAI protocol would answer."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

CHUNKED = {"Transfer-Encoding": "chunked"}


@dataclass
class Exchange:
    """One request as it arrived, and the connection to answer it on."""

    method: str
    path: str
    authorization: str
    prompt: str
    tries: int
    """How often this prompt has come, from 1."""
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Write, and wait until the system has taken it."""
        self.writer.write(data)
        await self.writer.drain()


Act = Callable[[Exchange], Awaitable[None]]
"""What a server does with one request. The connection stays open afterwards unless the act closes it."""
Choice = Callable[[Exchange], Act | None]
"""The act for a request; None: the right answer."""


@dataclass
class RawServed:
    """A server, and what it saw."""

    base_url: str = ""
    asked: list[Exchange] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    """How often each prompt got the right answer, whole."""
    tries: Counter[str] = field(default_factory=Counter)
    """How often each prompt came."""
    connections: int = 0


def answer_to(prompt: str) -> str:
    """The right answer."""
    return f"It is {prompt.rpartition(chr(10))[2]}."


def completion(text: str | None, finish_reason: str = "stop", **more: Any) -> bytes:
    """A body that reads on both endpoints."""
    choice = {"index": 0, "text": text, "message": {"role": "assistant", "content": text}}
    return json.dumps({"choices": [{**choice, "finish_reason": finish_reason}], **more}).encode()


def head(status: str = "200 OK", **headers: str) -> bytes:
    """The lines before a body; an underscore in a name stands for a hyphen."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def reply(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A reply with its length and type."""
    return head(status, **{"Content_Type": "application/json", "Content_Length": str(len(body)), **headers}) + body


def chunk(data: bytes) -> bytes:
    """A piece of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def says(*pieces: bytes, end: str = "") -> Act:
    """Sends the pieces one after the other; `end` may be `close` or `reset`."""

    async def act(exchange: Exchange) -> None:
        for piece in pieces:
            await exchange.send(piece)
        if end == "reset":
            opened = exchange.writer.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if end:
            exchange.writer.close()

    return act


def says_later(first: bytes, second: bytes, end: str = "") -> Act:
    """Sends the first piece, and the second when the first has been read for some time."""

    async def act(exchange: Exchange) -> None:
        await says(first)(exchange)
        await asyncio.sleep(0.01)
        await says(second, end=end)(exchange)

    return act


def stalls(begin: bytes = b"") -> Act:
    """Sends the beginning of a reply, then nothing until the client leaves."""

    async def act(exchange: Exchange) -> None:
        await exchange.send(begin)
        await exchange.reader.read()
        exchange.writer.close()

    return act


def drips(data: bytes, every: float) -> Act:
    """Sends one byte at a time."""

    async def act(exchange: Exchange) -> None:
        for byte in data:
            await exchange.send(bytes([byte]))
            await asyncio.sleep(every)

    return act


def floods(begin: bytes, piece: bytes, size: int) -> Act:
    """Sends the same piece again and again, `size` bytes in all."""

    async def act(exchange: Exchange) -> None:
        await exchange.send(begin)
        for _ in range(size // len(piece)):
            await exchange.send(piece)
        exchange.writer.close()

    return act


@asynccontextmanager
async def raw_listening(choice: Choice, models: Act | None = None) -> AsyncIterator[RawServed]:
    """A server in this event loop; `models` is its act for GET, else an empty list."""
    served = RawServed()
    conversations: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while not writer.is_closing():
                    await _answer(await _arrived(reader, writer, served), served, choice, models)
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        task = asyncio.ensure_future(converse(reader, writer))
        conversations.add(task)
        task.add_done_callback(conversations.discard)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=512)
    served.base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield served
    finally:
        listener.close()
        for task in conversations:
            task.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        await asyncio.sleep(0)


@contextmanager
def raw_server(choice: Choice, models: Act | None = None) -> Iterator[RawServed]:
    """The same in a thread with an event loop of its own."""
    ready: Future[RawServed] = Future()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with raw_listening(choice, models) as served:
            ready.set_result(served)
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield ready.result(120)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


async def _arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, served: RawServed) -> Exchange:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = lines[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    prompt = ""
    if length := int(headers.get("content-length", 0)):
        body = json.loads(await reader.readexactly(length))
        prompt = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
        served.tries[prompt] += 1
    authorization = headers.get("authorization", "")
    exchange = Exchange(method, path, authorization, prompt, served.tries[prompt], reader, writer)
    served.asked.append(exchange)
    return exchange


async def _answer(exchange: Exchange, served: RawServed, choice: Choice, models: Act | None) -> None:
    if exchange.method == "GET":
        act = models or says(reply(b'{"data": []}'))
    elif (chosen := choice(exchange)) is not None:
        act = chosen
    else:
        act = says(reply(completion(answer_to(exchange.prompt))))
        served.answered[exchange.prompt] += 1
    await act(exchange)
