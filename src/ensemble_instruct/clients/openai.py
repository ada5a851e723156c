"""Any server that speaks the OpenAI protocol: vLLM, llama.cpp, Ollama, TGI, hosted ones."""

from __future__ import annotations

import asyncio
import email.utils
import json
import re
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace
from yarl import URL

from ensemble_instruct.clients.base import Client
from ensemble_instruct.config import ModelSection
from ensemble_instruct.errors import (
    AuthenticationError,
    ModelError,
    RequestRefusedError,
    ServerUnreachableError,
    TransientError,
    UnknownModelError,
)
from ensemble_instruct.rates import RateLimits
from ensemble_instruct.records import Request, Response

_OPTIONAL = ("top_k", "min_tokens", "seed")
"""Settings that some servers do not take: left out for a server that says so."""
_OPEN_TIMEOUT, _CONNECT_TIMEOUT = 10.0, 8.0
_CONNECTING = 4
_MESSAGE_BYTES = 64_000
_SHORTEST_SECRET = 12
"""A prompt below this length may stand in an error's text: it could be any word of it."""
_TOO_LONG = re.compile(
    r"context.?(length|size|window)|maximum context|too (long|large)|too many tokens|tokens.* must be <=", re.IGNORECASE
)
_FILTERED = re.compile(r"content.?(filter|policy|management)|safety|moderation", re.IGNORECASE)
_NOT_TAKEN = re.compile(
    r"unrecogni|unknown|unsupported|support|permitted|allowed|extra|unexpected|invalid", re.IGNORECASE
)
_WRONG_KEY = re.compile(r"api.?key (is )?(not valid|invalid|incorrect)|(invalid|incorrect) api.?key", re.IGNORECASE)
_WRONG_MODEL = re.compile(
    r"model.{0,80}(not found|does not exist|not a valid model)|not a valid model|(unknown|invalid|no such) model",
    re.IGNORECASE,
)
_REPLY_BYTES = 2 * 2**20
"""A reply that is longer is no completion: the longest that steps ask for has some kilobytes."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MAX_INT = 2**62
_LONGEST_WAIT = 86_400.0
_SINCE_1970 = 1e9
"""A number of seconds above this is a date."""


class _Connector(aiohttp.TCPConnector):
    """Opens few connections at the same time: a server's queue for new ones may be as short as five."""

    def __init__(self) -> None:
        super().__init__(limit=0, ttl_dns_cache=300)
        self._connecting = asyncio.Semaphore(_CONNECTING)

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
    ) -> ResponseHandler:
        async with self._connecting:
            return await super()._create_connection(req, traces, timeout)


class OpenAIClient(Client):
    """One model of an OpenAI-compatible server, over one session with kept-alive connections."""

    def __init__(self, name: str, section: ModelSection, api_key: str | None) -> None:
        self._name, self._section, self._key = name, section, api_key
        self._base_url = section.base_urls[0]
        self._left_out: set[str] = set()
        self._max_tokens_name = "max_tokens"
        path = "chat/completions" if section.endpoint == "chat" else "completions"
        self._url = URL(f"{self._base_url}/{path}")
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def open(self) -> None:
        """Open the session and ask for the list of models: an answer of any kind shows that the server is there.

        Raises `ServerUnreachableError` when no connection can be made, `AuthenticationError` on 401 and 403.
        """
        session = self._connect()
        url = f"{self._base_url}/models"
        try:
            timeout = aiohttp.ClientTimeout(total=_OPEN_TIMEOUT, sock_connect=_CONNECT_TIMEOUT)
            async with session.get(url, timeout=timeout) as reply:
                if reply.status in (401, 403):
                    raise self._authentication(reply.status)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ServerUnreachableError(
                f"model {self._name}: no server at {self._base_url} ({_reason(error)}); start it, "
                f"or set models.{self._name}.base_url"
            ) from error
        except (aiohttp.ClientError, TimeoutError):
            return  # something answers there: whether it serves the model, the first request will tell

    async def close(self) -> None:
        """Close the session; what is asked afterwards fails."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def answer(self, request: Request) -> Response:
        """See `Client.answer`. One prompt a request; the text is returned as the server gave it.

        A setting that the server says it does not take is left out from then on, and the request sent again.
        """
        while True:
            sent = self._body(request)
            status, body, retry_after = await self._post(sent)
            if status == 200:
                return self._response(body)
            error = self._error(status, body, retry_after, request.prompt)
            if not (
                isinstance(error, RequestRefusedError) and error.type == "bad_request" and self._adapt(error, sent)
            ):
                raise error

    def _connect(self) -> aiohttp.ClientSession:
        if self._closed:
            raise TransientError("the client is closed", cause="connection")
        if self._session is None:
            headers = {"Content-Type": "application/json"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._session = aiohttp.ClientSession(
                headers=headers,
                connector=_Connector(),
                timeout=aiohttp.ClientTimeout(total=self._section.timeout, sock_connect=30),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def _post(self, sent: dict[str, Any]) -> tuple[int, bytes, float | None]:
        try:
            async with self._connect().post(self._url, data=json.dumps(sent).encode(), allow_redirects=False) as reply:
                body = await _read(reply)
                self.limits = _limits(reply.headers)
                return reply.status, body, _seconds(reply.headers.get("Retry-After"))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TransientError(
                f"no connection to {self._base_url} ({_reason(error)})", cause="unreachable", server_down=True
            ) from error
        except TimeoutError as error:
            raise TransientError(f"no answer within {self._section.timeout:g} s", cause="timeout") from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransientError(f"connection lost ({type(error).__name__})", cause="connection") from error

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {"model": self._section.model}
        if self._section.endpoint == "chat":
            body["messages"] = [{"role": "user", "content": request.prompt}]
        else:
            body["prompt"] = request.prompt
        body |= {
            self._max_tokens_name: sampling.max_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p,
        }  # fmt: skip
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if sampling.min_tokens:
            body["min_tokens"] = sampling.min_tokens
        if sampling.top_k is not None:
            body["top_k"] = sampling.top_k
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        return {name: value for name, value in body.items() if name not in self._left_out}

    def _adapt(self, error: RequestRefusedError, sent: dict[str, Any]) -> bool:
        """Whether the server named a setting that was sent and can be left out or renamed; it is, from now on."""
        message = str(error)
        if "max_tokens" in sent and "max_completion_tokens" in message:
            self._max_tokens_name = "max_completion_tokens"
            return True
        named = [name for name in _OPTIONAL if name in sent and re.search(rf"\b{name}\b", message)]
        if named and _NOT_TAKEN.search(message):
            self._left_out.add(named[0])
            return True
        return False

    def _response(self, body: bytes) -> Response:
        try:
            reply = json.loads(body)
            choice = reply["choices"][0]
            text = choice["message"]["content"] if self._section.endpoint == "chat" else choice["text"]
            finish_reason = choice.get("finish_reason") or "stop"
            usage = reply.get("usage") or {}
            counts = [_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens")]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise TransientError("the reply is not a completion", cause="malformed") from error
        if finish_reason == "content_filter":
            raise RequestRefusedError("the server's content filter withheld the answer", type="content_filter")
        if text is None:
            text = ""
        if not isinstance(text, str):
            raise TransientError("the reply's text is not a string", cause="malformed")
        return Response(_valid(text), _valid(str(finish_reason)), *counts)

    def _error(self, status: int, body: bytes, retry_after: float | None, prompt: str) -> Exception:
        message = self._message(body, prompt)
        if status in (401, 403):
            return self._authentication(status)
        if status == 408 or status == 429 or status >= 500:  # noqa: PLR1714 - HTTP statuses
            return TransientError(f"HTTP {status}: {message}", cause=str(status), retry_after=retry_after)
        if status == 400 and _WRONG_KEY.search(message):
            return self._authentication(status)
        if status == 404 or (status == 400 and _WRONG_MODEL.search(message)):
            return UnknownModelError(
                f"model {self._name}: {self._base_url} does not serve {self._section.model!r} ({message}); "
                f"set models.{self._name}.model to a name that `curl {self._base_url}/models` lists"
            )
        if status in (400, 413, 422):
            if _FILTERED.search(message):
                return RequestRefusedError(message, type="content_filter")
            if status == 413 or _TOO_LONG.search(message):
                return RequestRefusedError(message, type="prompt_too_long")
            return RequestRefusedError(message, type="bad_request")
        return ModelError(
            f"model {self._name}: {self._base_url} answered HTTP {status} ({message}); "
            f"check models.{self._name}.base_url"
        )

    def _message(self, body: bytes, prompt: str) -> str:
        """What the server says of an error, as one line of at most 300 characters, without the key and the prompt."""
        text = body[:_MESSAGE_BYTES].decode("utf-8", "replace")
        try:
            reply = json.loads(text)
            error = reply.get("error", reply) if isinstance(reply, dict) else reply
            text = str(error.get("message") or error.get("detail") or error) if isinstance(error, dict) else str(error)
        except ValueError:
            text = re.sub(r"<[^>]*>", " ", text)
        if self._key:
            text = text.replace(self._key, "***")
        if len(prompt) >= _SHORTEST_SECRET:
            for echo in (prompt, prompt.strip(), json.dumps(prompt)[1:-1], repr(prompt)[1:-1]):
                text = text.replace(echo, "(prompt)")
        return _valid(" ".join(text.split())[:300]) or "no message"

    def _authentication(self, status: int) -> AuthenticationError:
        variable = self._section.api_key_env or "OPENAI_API_KEY"
        what = "does not accept the key" if self._key else "asks for a key"
        return AuthenticationError(
            f"model {self._name}: {self._base_url} {what} (HTTP {status}); set environment variable {variable}"
        )


def _reason(error: aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "no connection in time"
    return (error.os_error.strerror or str(error.os_error) or "no connection").lower()


def _seconds(header: str | None) -> float | None:
    """Retry-After as seconds from now, from its number or date."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if seconds <= _LONGEST_WAIT else None


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    """The body; raises `TransientError` when it is too long for a completion."""
    if reply.content_length is not None and reply.content_length <= _REPLY_BYTES:
        return await reply.read()
    body = bytearray()
    async for chunk in reply.content.iter_any():
        body += chunk
        if len(body) > _REPLY_BYTES:
            raise TransientError(f"the reply is longer than {_REPLY_BYTES:,} bytes", cause="malformed")
    return bytes(body)


def _limits(headers: Mapping[str, str]) -> RateLimits | None:
    """What the headers of OpenAI, vLLM gateways and others say is left of a rate limit."""
    requests = headers.get("x-ratelimit-remaining-requests", headers.get("x-ratelimit-remaining"))
    tokens = headers.get("x-ratelimit-remaining-tokens")
    if requests is None and tokens is None:
        return None
    return RateLimits(
        _number(requests),
        _duration(headers.get("x-ratelimit-reset-requests", headers.get("x-ratelimit-reset"))),
        _number(tokens),
        _duration(headers.get("x-ratelimit-reset-tokens")),
    )


def _number(header: str | None) -> int | None:
    return int(header) if header is not None and header.strip().isascii() and header.strip().isdigit() else None


def _duration(header: str | None) -> float | None:
    """Seconds from now: `6m0s`, `20ms`, `1.5`, or a time since 1970 in seconds or milliseconds."""
    if header is None:
        return None
    if parts := _DURATION.findall(header):
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        seconds = float(header)
    except ValueError:
        return None
    if seconds > _SINCE_1970:
        seconds = (seconds / 1000 if seconds > 1000 * _SINCE_1970 else seconds) - time.time()
    return max(0.0, seconds) if seconds <= _LONGEST_WAIT else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value < _MAX_INT else None


def _valid(text: str) -> str:
    """The text with half surrogate pairs, which no file can hold, as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
