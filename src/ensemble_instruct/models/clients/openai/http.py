"""HTTP to one server: connections kept and opened few at a time, replies of bounded size, errors of this package."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from ensemble_instruct.config.access import Access
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.descriptors import are_used_up, used_up
from ensemble_instruct.errors import AuthenticationError, TransientError
from ensemble_instruct.models.clients.base import closed_error
from ensemble_instruct.models.clients.openai.proxies import is_here, proxy_for
from ensemble_instruct.models.clients.openai.redirects import MOST_REDIRECTS, REDIRECTS, redirected
from ensemble_instruct.models.clients.openai.secrets import Secrets
from ensemble_instruct.models.clients.openai.tls import tls_problem, trusting
from ensemble_instruct.records import Response

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
_STREAM_BYTES = 16 * _REPLY_BYTES
"""The same of a stream, in which a token may take some hundred bytes."""
_STREAM_ENDS = re.compile(rb"^data: ?\[DONE\]", re.MULTILINE)
"""The last event of a stream. Some servers leave the connection open after it."""
_AFTER_END = 1.0
"""Seconds that such a connection is waited for, so that it can be used again."""
_LATE = 1.0
"""Seconds by which a time-out is noticed too late where the process stood still."""
_AFTER_PAUSE = 5.0
"""Seconds for what came meanwhile."""
_AT_ONCE = 0.05
"""Seconds within which a kept connection is lost that the server had closed before the request came."""
_NOT_THERE = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""What is raised where no connection can be made."""
_SEE_OTHER = 303
"""Of the redirects, the one that is followed with a GET."""
_PROXY_WANTS_PASSWORD = 407
_must_be_new: ContextVar[bool] = ContextVar("must_be_new", default=False)
"""Whether the present request must go over a connection of its own."""
_is_connected: ContextVar[bool] = ContextVar("is_connected", default=False)
"""Whether the present request has got a connection, over which it goes."""
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

    def __init__(self, tls: ssl.SSLContext | bool) -> None:
        super().__init__(limit=0, ttl_dns_cache=300, ssl=tls)  # how many are open, the gates decide
        self._connecting = asyncio.Semaphore(_CONNECTING)

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        if _must_be_new.get():
            return None
        while (kept := await super()._get(key, traces)) is not None:
            if kept.protocol is not None and not kept.protocol.should_close:
                break
            kept.close()
        _is_new.set(kept is None)
        _is_connected.set(kept is not None)
        return kept

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
    ) -> ResponseHandler:
        async with self._connecting:
            made = await super()._create_connection(req, traces, timeout)
        _is_connected.set(True)
        return made


class Connections:
    """What is open to one server, which it may be a proxy that leads to. `model` names it in errors."""

    def __init__(self, model: str, section: ModelSection, access: Access) -> None:
        self._model, self._base_url, self._access = model, section.base_urls[0], access
        self._timeout = min(section.timeout, section.give_up_after)
        self.has_key = bool(access.secrets)
        """Whether a key goes with each request, in whatever header."""
        self._proxy = proxy_for(URL(self._base_url))
        self._tls = trusting(section.ca_file, f"models.{model}.ca_file")
        self.secrets = Secrets((*access.secrets, *(self._proxy.secrets if self._proxy else ())))
        """What must not be seen of all that goes out."""
        # sent with each request and not set for the session: aiohttp shows those of a session to the proxy of a tunnel
        self._headers = {**access.headers, "Content-Type": "application/json", "Accept-Encoding": "identity"}
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @property
    def notes(self) -> list[str]:
        """What is strange about the way to the server: a proxy, which is elsewhere, to this very machine."""
        if self._proxy is None or not is_here(URL(self._base_url)):
            return []
        return [f"{self._base_url} is asked through {self._proxy}; if it is on this machine, name its host in NO_PROXY"]

    async def status_of(self, path: str) -> int:
        """The status of a GET; raises `TransientError`, with `server_down` when no connection can be made."""
        async with self._found(path) as reply:
            return reply.status

    async def speaks(self, path: str) -> bool:
        """Whether something that speaks JSON is at a path, be it that it asks for a key."""
        try:
            async with self._found(path) as reply:
                return reply.status in (200, 401) and "json" in reply.headers.get("Content-Type", "")
        except TransientError:
            return False

    def _found(self, path: str) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """The reply to a GET, which must come soon."""
        seconds = min(_STATUS_TIMEOUT, self._timeout)
        return self._asked("GET", self._url(path), None, seconds, _STATUS_CONNECT_TIMEOUT)

    async def post(self, path: str, data: bytes) -> HttpReply:
        """The reply to a POST of JSON; raises `TransientError` when no reply comes.

        A kept connection that is lost at once had been closed by the server: the request then goes over a new one.
        """
        began = time.monotonic()
        try:
            return await self._post(path, data)
        except TransientError as error:
            if error.cause != "connection" or _is_new.get() or time.monotonic() - began > _AT_ONCE:
                raise
        shall_be_new = _must_be_new.set(True)
        try:
            return await self._post(path, data)
        finally:
            _must_be_new.reset(shall_be_new)

    async def _post(self, path: str, data: bytes) -> HttpReply:
        """The reply in the end; a redirect on the same server is followed, with what was asked unless it says GET."""
        method, url = "POST", self._url(path)
        for _ in range(MOST_REDIRECTS + 1):
            body = data if method == "POST" else None
            async with self._asked(method, url, body, self._timeout, _CONNECT_TIMEOUT) as opened:
                reply = HttpReply(opened.status, opened.headers, await _read(opened))
            if reply.status not in REDIRECTS:
                return reply
            url = redirected(url, reply.status, reply.headers, self._model, self.secrets)
            method = "GET" if reply.status == _SEE_OTHER else method
        raise TransientError(f"more than {MOST_REDIRECTS} redirects", cause="redirect")

    @asynccontextmanager
    async def _asked(
        self, method: str, url: URL, data: bytes | None, seconds: float, connecting: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The reply, while it comes in; what goes wrong meanwhile is raised as an error of this package."""
        proxy = self._proxy.url if self._proxy else None
        limits = aiohttp.ClientTimeout(total=None, sock_connect=connecting)
        _is_connected.set(False)
        try:
            async with (
                _within(seconds),
                self._opened().request(
                    method, url, data=data, headers=self._headers, timeout=limits, proxy=proxy, allow_redirects=False
                ) as reply,
            ):
                if self._proxy is not None and reply.status == _PROXY_WANTS_PASSWORD:
                    raise self._refused_by_proxy(reply.status)
                yield reply
        except aiohttp.ClientHttpProxyError as error:
            raise self._refused_by_proxy(error.status) from error
        except _NOT_THERE as error:
            raise self._unreachable(error) from error
        except TimeoutError as error:
            raise _lost(f"no answer within {self._timeout:g} s", "timeout") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _lost(f"connection lost ({type(error).__name__})", "connection") from error

    def _url(self, path: str) -> URL:
        return URL(f"{self._base_url}/{path}").with_query(self._access.query)

    def _refused_by_proxy(self, status: int) -> Exception:
        if status == _PROXY_WANTS_PASSWORD:
            return AuthenticationError(
                f"model {self._model}: {self._proxy} asks for a name and a password (HTTP {status}); write them there, "
                f"as in http://USER:PASSWORD@HOST:PORT"
            )
        return TransientError(
            f"{self._proxy} makes no connection to {self._base_url} (HTTP {status}); if no proxy is needed for it, "
            f"name its host in NO_PROXY",
            cause="proxy",
            server_down=True,
        )

    async def close(self) -> None:
        """Close all; what is sent afterwards fails."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise closed_error()
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(self._tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # `_read` unpacks: a small reply may unpack to gigabytes (a zip bomb)
            )
        return self._session

    def _unreachable(self, error: aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError) -> TransientError:
        if are_used_up(getattr(error, "os_error", None)):
            return TransientError(used_up(), cause="descriptors")
        if isinstance(error, aiohttp.ClientSSLError):
            problem = tls_problem(error, self._model)
            return TransientError(f"no TLS to {self._base_url}: {problem}", cause="tls", server_down=True)
        if isinstance(error, aiohttp.ClientProxyConnectionError):
            return TransientError(
                f"{self._proxy} is not there ({_reason(error)}); start it, or name the host of {self._base_url} in "
                f"NO_PROXY",
                cause="proxy",
                server_down=True,
            )
        return TransientError(
            f"no server at {self._base_url} ({_reason(error)}); start it, or set models.{self._model}.base_url",
            cause="unreachable",
            server_down=True,
        )


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """Raises `TimeoutError` in the block after `seconds`, and later where the process stood still meanwhile."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None
    async with asyncio.timeout(None) as limit:

        def end_in(seconds: float) -> asyncio.TimerHandle:
            return loop.call_later(seconds, end, loop.time() + seconds)

        def end(due: float) -> None:
            nonlocal timer
            if loop.time() - due > _LATE:
                timer = end_in(_AFTER_PAUSE)
            else:
                limit.reschedule(loop.time())

        timer = end_in(seconds)
        try:
            yield
        finally:
            timer.cancel()


def _lost(message: str, cause: str) -> TransientError:
    """The error where no reply comes; what had been sent, the server may have answered."""
    error = TransientError(message, cause=cause)
    error.paid = Response("") if _is_connected.get() else None
    return error


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    """The body, unpacked; raises `TransientError` when it is too long for a completion."""
    packed = reply.headers.get("Content-Encoding", "identity").lower() not in ("", "identity")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32) if packed else None  # 32: gzip or zlib, as its header says
    is_stream = reply.headers.get("Content-Type", "").lower().startswith("text/event-stream")
    longest = _STREAM_BYTES if is_stream else _REPLY_BYTES
    body = bytearray()
    async for chunk in reply.content.iter_any():
        begins = max(0, len(body) - len("data: [DONE]"))
        try:
            body += unpacker.decompress(chunk, longest + 1) if unpacker else chunk
        except zlib.error as error:
            raise TransientError("the reply is packed in a way that is not known", cause="malformed") from error
        if len(body) > longest or (unpacker and unpacker.unconsumed_tail):
            raise TransientError(f"the reply is longer than {longest:,} bytes", cause="malformed")
        if is_stream and _STREAM_ENDS.search(body, begins):
            with suppress(TimeoutError):
                await asyncio.wait_for(reply.content.readany(), _AFTER_END)
            break
    return bytes(body)


def _reason(error: aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "no connection in time"
    return (error.os_error.strerror or str(error.os_error) or "no connection").lower()
