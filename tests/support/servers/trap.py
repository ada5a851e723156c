"""Somebody on the way who must not get a key: keeps every byte that comes, and answers as a test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.servers.streams import stream_server

TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
"""With which a proxy opens a tunnel."""


@dataclass
class Trap:
    """Where it listens, and what came."""

    port: int = 0
    connections: int = 0
    heads: list[str] = field(default_factory=list)
    """The requests that came, without their bodies; those within TLS as they were before it."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def trapping(*answers: bytes, tls: ssl.SSLContext | None = None) -> Iterator[Trap]:
    """It answers the requests of a connection in turn and closes it; it speaks TLS, if it has any, after the first."""
    trap = Trap()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, answer in enumerate(answers):
            if number == 1 and tls is not None:
                await writer.start_tls(tls)
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                trap.heads.append(error.partial.decode("latin-1"))
                break
            trap.heads.append(head.decode("latin-1"))
            writer.write(answer)
            await writer.drain()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trap.connections += 1
        try:
            with suppress(OSError):
                await converse(reader, writer)
        finally:
            writer.close()

    with stream_server(handle) as trap.port:
        yield trap
