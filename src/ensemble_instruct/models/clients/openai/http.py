"""HTTP to one server: connections kept and opened few at a time, replies of bounded size, errors of this package."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from ensemble_instruct.errors import TransientError

_STATUS_TIMEOUT = 10.0
"""Seconds for the question whether a server is there."""
_STATUS_CONNECT_TIMEOUT = 8.0
"""Seconds of them for the connection."""
_CONNECT_TIMEOUT = 30.0
"""Seconds for the connection of a request."""
_CONNECTING = 4
"""Connections that are opened at the same time."""
_REPLY_BYTES = 2 * 2**20
"""A reply that is longer is no completion: the longest that steps ask for has some kilobytes."""
_AT_ONCE = 0.05
"""Seconds within which a kept connection is lost that the server had closed before the request came."""
_NOT_THERE = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""What is raised where no connection can be made."""
_must_be_new: ContextVar[bool] = ContextVar("must_be_new", default=False)
"""Whether the present request must go over a connection of its own."""
_is_new: ContextVar[bool] = ContextVar("is_new", default=True)
"""Whether the connection of the present request was opened for it."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A reply, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Connector(aiohttp.TCPConnector):
    """Opens few connections at the same time: a server's queue for new ones may be as short as five.

    A kept connection on which something came that nobody had asked for is not used again.
    """

    def __init__(self) -> None:
        super().__init__(limit=0, ttl_dns_cache=300)  # how many are open, the gates decide
        self._connecting = asyncio.Semaphore(_CONNECTING)

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        if _must_be_new.get():
            return None
        while (kept := await super()._get(key, traces)) is not None:
            if kept.protocol is not None and not kept.protocol.should_close:
                break
            kept.close()
        _is_new.set(kept is None)
        return kept

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
    ) -> ResponseHandler:
        async with self._connecting:
            return await super()._create_connection(req, traces, timeout)


class Connections:
    """What is open to one server. Redirects are not followed, so that the key goes nowhere else."""

    def __init__(self, base_url: str, headers: Mapping[str, str], timeout: float) -> None:
        self._base_url, self._headers, self._timeout = base_url, headers, timeout
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def status_of(self, url: URL) -> int:
        """The status of a GET; raises `TransientError`, with `server_down` when no connection can be made."""
        timeout = aiohttp.ClientTimeout(total=min(_STATUS_TIMEOUT, self._timeout), sock_connect=_STATUS_CONNECT_TIMEOUT)
        try:
            async with self._opened().get(url, timeout=timeout, allow_redirects=False) as reply:
                return reply.status
        except _NOT_THERE as error:
            raise self._unreachable(error) from error
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise TransientError(f"no reply ({type(error).__name__})", cause="connection") from error

    async def post(self, url: URL, data: bytes) -> HttpReply:
        """The reply to a POST of JSON; raises `TransientError` when no reply comes.

        A kept connection that is lost at once had been closed by the server: the request then goes over a new one.
        """
        began = time.monotonic()
        try:
            return await self._post(url, data)
        except TransientError as error:
            if error.cause != "connection" or _is_new.get() or time.monotonic() - began > _AT_ONCE:
                raise
        shall_be_new = _must_be_new.set(True)
        try:
            return await self._post(url, data)
        finally:
            _must_be_new.reset(shall_be_new)

    async def _post(self, url: URL, data: bytes) -> HttpReply:
        try:
            async with self._opened().post(url, data=data, allow_redirects=False) as reply:
                return HttpReply(reply.status, reply.headers, await _read(reply))
        except _NOT_THERE as error:
            raise self._unreachable(error) from error
        except TimeoutError as error:
            raise TransientError(f"no answer within {self._timeout:g} s", cause="timeout") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TransientError(f"connection lost ({type(error).__name__})", cause="connection") from error

    async def close(self) -> None:
        """Close all; what is sent afterwards fails."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise TransientError("the client is closed", cause="connection")
        if self._session is None:
            headers = {**self._headers, "Content-Type": "application/json", "Accept-Encoding": "identity"}
            self._session = aiohttp.ClientSession(
                headers=headers,
                connector=_Connector(),
                timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=_CONNECT_TIMEOUT),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # `_read` unpacks: a small reply may unpack to gigabytes (a zip bomb)
            )
        return self._session

    def _unreachable(self, error: aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError) -> TransientError:
        return TransientError(
            f"no server at {self._base_url} ({_reason(error)})", cause="unreachable", server_down=True
        )


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    """The body, unpacked; raises `TransientError` when it is too long for a completion."""
    packed = reply.headers.get("Content-Encoding", "identity").lower() not in ("", "identity")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32) if packed else None  # 32: gzip or zlib, as its header says
    body = bytearray()
    async for chunk in reply.content.iter_any():
        try:
            body += unpacker.decompress(chunk, _REPLY_BYTES + 1) if unpacker else chunk
        except zlib.error as error:
            raise TransientError("the reply is packed in a way that is not known", cause="malformed") from error
        if len(body) > _REPLY_BYTES or (unpacker and unpacker.unconsumed_tail):
            raise TransientError(f"the reply is longer than {_REPLY_BYTES:,} bytes", cause="malformed")
    return bytes(body)


def _reason(error: aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "no connection in time"
    return (error.os_error.strerror or str(error.os_error) or "no connection").lower()
