"""A server of the OpenAI protocol that answers as a test says, and keeps what it was sent."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from multidict import CIMultiDictProxy

Reply = web.Response | None
"""What a server answers; None drops the connection."""
Answering = Callable[[dict[str, Any], int], Reply | Awaitable[Reply]]
"""Body of a request and how often its prompt has come, from 1."""
Gate = Callable[[web.BaseRequest, dict[str, Any]], Reply]
"""What is answered in place of that, or None."""


@dataclass
class Served:
    """A server, and what it saw."""

    base_url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    raw_bodies: list[bytes] = field(default_factory=list)
    """The same as they were sent."""
    paths: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    """The same with their queries, as they were sent."""
    headers: list[CIMultiDictProxy[str]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    connections: int = 0


def prompt_of(body: dict[str, Any]) -> str:
    return str(body["prompt"] if "prompt" in body else body["messages"][-1]["content"])


def said(text: str | None, finish_reason: str | None = "stop", **more: Any) -> web.Response:
    """A completion that reads on both endpoints."""
    choice = {"index": 0, "text": text, "message": {"role": "assistant", "content": text}}
    return web.json_response({"choices": [{**choice, "finish_reason": finish_reason}], **more})


def refused(message: str, status: int = 400) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "invalid_request_error"}}, status=status)


@asynccontextmanager
async def listening(
    answering: Answering, models: Reply = None, tls: ssl.SSLContext | None = None, gate: Gate | None = None
) -> AsyncIterator[Served]:
    """A server of the OpenAI protocol in this event loop; `models` is its answer to GET, else an empty list."""
    served = Served()
    tries: Counter[str] = Counter()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        served.paths.append(request.path)
        served.targets.append(request.raw_path)
        served.headers.append(request.headers)
        served.authorizations.append(request.headers.get("Authorization"))
        if request.method == "GET":
            if models is None:
                return web.json_response({"data": []})
            return web.Response(status=models.status, body=models.body, headers=models.headers)
        body = await request.json()
        served.bodies.append(body)
        served.raw_bodies.append(await request.read())
        if gate is not None and (refusal := gate(request, body)) is not None:
            return refusal
        tries[prompt_of(body)] += 1
        reply = answering(body, tries[prompt_of(body)])
        if isinstance(reply, Awaitable):
            reply = await reply
        if reply is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return reply

    server = web.Server(handle)

    def connected() -> Any:
        served.connections += 1
        return server()

    listener = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0, ssl=tls)
    served.base_url = f"http{'s' if tls else ''}://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield served
    finally:
        listener.close()
        await server.shutdown(0)


@contextmanager
def serving(
    answering: Answering, models: Reply = None, tls: ssl.SSLContext | None = None, gate: Gate | None = None
) -> Iterator[Served]:
    """The same in a thread of its own."""
    ready: Future[Served] = Future()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with listening(answering, models, tls, gate) as served:
            ready.set_result(served)
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield ready.result(30)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
