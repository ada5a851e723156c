"""Replies that stall, flood, break the protocol or make no sense, and what the `openai` client makes of one."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.clients.openai.client import OpenAIClient
from ensemble_instruct.records import Request, Sampling
from tests.support.servers.raw import (
    CHUNKED,
    Act,
    chunk,
    completion,
    drips,
    floods,
    head,
    raw_listening,
    reply,
    says,
    says_later,
    stalls,
)
from tests.support.simulated_time import simulated_time

MANY = 50 * 2**20
PAGE = b"<html><head><title>Bad gateway</title></head>\n<body><h1>Bad gateway</h1></body></html>"
WRONG = completion("This must not be taken.")
EVENTS = [chunk(b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'), chunk(b"data: [DONE]\n\n"), chunk(b"")]
ERROR = b'{"error": {"message": "the upstream is busy", "code": 502}}'


def with_usage(usage: Any) -> Callable[[bytes], Act]:
    return lambda body: says(reply(json.dumps({**json.loads(body), "usage": usage}).encode()))


STRANGE: dict[str, Callable[[bytes], Act]] = {
    "no Content-Type": lambda body: says(head(Content_Length=str(len(body))) + body),
    "a page by its Content-Type": lambda body: says(reply(body, Content_Type="text/html; charset=latin-1")),
    "chunked": lambda body: says(head(**CHUNKED), chunk(body[:9]), chunk(body[9:]), chunk(b"")),
    "gzip": lambda body: says(reply(gzip.compress(body), Content_Encoding="gzip")),
    "deflate": lambda body: says(reply(zlib.compress(body), Content_Encoding="deflate")),
    "byte order mark": lambda body: says(reply(b"\xef\xbb\xbf" + body)),
    "white space": lambda body: says(reply(b"\r\n\t " + body + b" \n\n" * 999)),
    "more fields": lambda body: says(reply(json.dumps({**json.loads(body), "error": None, "x": [{}]}).encode())),
    "HTTP/1.0": lambda body: says(b"HTTP/1.0 200 OK\r\n\r\n" + body, end="close"),
    "until the end": lambda body: says(head() + body, end="close"),
    "long header": lambda body: says(reply(body, X_Long="x" * 8000)),
    "further headers first": lambda body: says(head("100 Continue"), head("103 Early Hints", Link="</a>"), reply(body)),
    "Created": lambda body: says(reply(body, "201 Created")),
    "usage: NaN": with_usage({"prompt_tokens": float("nan"), "completion_tokens": float("-inf")}),
    "usage: list": with_usage([12, 3]),
    "usage: text": with_usage("none"),
    "usage: objects": with_usage({"prompt_tokens": {"text": 12}, "completion_tokens": 10**30}),
    "limit of many digits": lambda body: says(reply(body, X_RateLimit_Remaining_Requests="9" * 5000)),
    "date far away": lambda body: says(reply(body, Retry_After="Mon, 01 Jan 2024 00:00:00 +99999999999999")),
    "further lines": lambda body: says(reply(body) + b"\r\n\r\n"),
    "two replies": lambda body: says(reply(body), reply(WRONG)),
    "a second reply later": lambda body: says_later(reply(body), reply(WRONG)),
    "farewell": lambda body: says_later(reply(body), reply(PAGE, "408 Too late", Connection="close"), end="close"),
}
"""Replies that are odd and yet hold the answer, which is their argument."""
STALLS = {
    "nothing": stalls(),
    "half a header": stalls(b"HTTP/1.1 200 OK\r\nContent-"),
    "headers": stalls(head(Content_Length=str(len(WRONG)))),
    "half a body": stalls(head(Content_Length=str(len(WRONG))) + WRONG[:-9]),
    "continue": stalls(head("100 Continue")),
    "a byte at a time": drips(reply(WRONG), 0.1),
}
FLOODS = {
    "body": floods(head(Content_Length=str(MANY)), b" " * 2**16, MANY),
    "chunks": floods(head(**CHUNKED), chunk(b" " * 2**16), MANY),
    "gzip": says(reply(gzip.compress(b" " * MANY), Content_Encoding="gzip")),
}
ENDLESS = {
    "endless status": floods(b"HTTP/1.1 200 ", b"x" * 2**16, MANY),
    "endless header": floods(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 2**16, MANY),
    "endless headers": floods(b"HTTP/1.1 200 OK\r\n", b"X-Header: xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n" * 999, MANY),
}
BROKEN = {
    "closed": says(end="close"),
    "reset": says(end="reset"),
    "cut off": says(head(Content_Length="1000") + WRONG, end="close"),
    "cut off in a chunk": says(head(**CHUNKED) + b"fff\r\n" + WRONG, end="close"),
    "gzip that is none": says(reply(WRONG, Content_Encoding="gzip")),
    "gzip cut off": says(reply(gzip.compress(WRONG)[:-12], Content_Encoding="gzip")),
    "unknown encoding": says(reply(b"\x00\x01", Content_Encoding="zork")),
    "two lengths": says(reply(WRONG, X="1\r\nContent-Length: 3")),
    "negative length": says(head(Content_Length="-1") + WRONG),
    "no size of a chunk": says(head(**CHUNKED) + b"zz\r\n" + WRONG),
    "not HTTP": says(b"SSH-2.0-OpenSSH_9.6\r\n"),
    **ENDLESS,
}
NONSENSE = {
    "empty": says(reply(b"")),
    "page": says(reply(PAGE, Content_Type="text/html")),
    "no choices": says(reply(b'{"choices": []}')),
    "choices: null": says(reply(b'{"choices": null}')),
    "error": says(reply(ERROR)),
    "not UTF-8": says(reply(WRONG.replace(b"must", b"\xff\xfe"))),
    "stream": says(head(Content_Type="text/event-stream", **CHUNKED), *EVENTS),
    "long": floods(head(**CHUNKED), chunk(b" " * 2**16), MANY),
}
UNUSUAL = {
    "No Content": says(head("204 No Content")),
    "Accepted": says(reply(b"", "202 Accepted")),
    "deep": says(reply(b"[" * 100_000)),
    "finish_reason: error": says(reply(completion("Half of i", "error"))),
}
SERVER_ERRORS = {
    "page": says(reply(PAGE, "500 Oops", Content_Type="text/html")),
    "deep": says(reply(b"[" * 60_000, "500 Oops")),
    "date far away": says(reply(ERROR, "500 Oops", Retry_After="Mon, 01 Jan 2024 00:00:00 +99999999999999")),
}


def outcomes(act: Act, timeout: float = 30.0, key: str = "sk-key") -> list[Any]:
    """What a client says to a request that is answered so, and then to one that is answered well; in simulated time."""

    async def ask() -> list[Any]:
        async with raw_listening(lambda exchange: act if exchange.prompt == "odd" else None) as served:
            section = ModelSection(base_url=served.base_url, model="m", endpoint="chat", timeout=timeout)
            client = OpenAIClient("m", section, key)
            found: list[Any] = []
            for prompt in ("odd", "even"):
                request = Request(prompt=prompt, sampling=Sampling(max_tokens=9), step="outputs", kind="output_only")
                found += await asyncio.gather(client.answer(request), return_exceptions=True)
                await asyncio.sleep(0.02)
            await client.close()
            return found

    with simulated_time() as runner:
        return runner.run(ask())
