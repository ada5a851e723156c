"""An HTTP proxy: opens tunnels and passes requests on, to this machine whatever host they name."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.servers.streams import stream_server


@dataclass
class Proxied:
    """A proxy, and the first lines of what it was sent."""

    url: str = ""
    lines: list[str] = field(default_factory=list)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextmanager
def proxying(login: str = "", status: int = 200) -> Iterator[Proxied]:
    """A proxy on a free port; it asks for a `login` if there is one, and refuses everything with another status."""
    proxied = Proxied()
    wanted = base64.b64encode(login.encode()).decode()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            writer.close()
            return
        line, _, headers = head.partition("\r\n")
        proxied.lines.append(line)
        method, target, _ = line.split(" ")
        answer = 407 if login and f"proxy-authorization: basic {wanted}".lower() not in headers.lower() else status
        if answer != 200:
            writer.write(f"HTTP/1.1 {answer} No\r\nContent-Length: 0\r\n\r\n".encode())
            writer.close()
            return
        port = (urlsplit(target).port or 80) if method != "CONNECT" else int(target.rpartition(":")[2])
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            inner_writer.write(head.encode())
        await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))

    with stream_server(handle) as port:
        proxied.url = f"http://127.0.0.1:{port}"
        yield proxied
