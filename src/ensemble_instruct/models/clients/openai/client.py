"""Any server that speaks the OpenAI protocol: vLLM, llama.cpp, Ollama, TGI, hosted ones."""

from __future__ import annotations

import html
import json
import logging
import re
from typing import Any

from ensemble_instruct.config.access import access_of
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import (
    AuthenticationError,
    ModelError,
    RequestRefusedError,
    ServerUnreachableError,
    TransientError,
    UnknownModelError,
)
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.models.clients.openai.http import Connections, HttpReply
from ensemble_instruct.models.clients.openai.parts import Parts, parts_of
from ensemble_instruct.models.clients.openai.rate_headers import rate_limits, retry_after
from ensemble_instruct.models.clients.openai.secrets import without_secrets
from ensemble_instruct.models.clients.openai.usage import ReplyUsage, reply_usage
from ensemble_instruct.records import END_MARKER, Request, Response, Sampling

OPTIONAL = ("top_k", "min_tokens", "seed")
"""Settings that some servers do not take: left out for a server that says so."""
_END_TOKENS = 2
"""Tokens that a model has made at most which ends at once, not counting those of a stop string."""
_MESSAGE_LENGTH = 64_000
"""Characters of an error's text that are looked at."""
_SHORTEST_SECRET = 12
"""A prompt below this length may be in an error's text: it could be any word of it."""
_TOO_LONG = re.compile(
    r"context.?(length|size|window)|maximum context|too (long|large)|too many tokens|tokens.* must be <=", re.IGNORECASE
)
"""How servers say that a prompt is too long; each of these says it in words of its own."""
_FILTERED = re.compile(r"content.?(filter|policy|management)|safety|moderation", re.IGNORECASE)
"""How they say that a filter withheld the answer."""
_NOT_TAKEN = re.compile(
    r"unrecogni|unknown|unsupported|support|permitted|allowed|extra|unexpected|invalid|must be", re.IGNORECASE
)
"""How they say that they do not take a setting."""
_WRONG_KEY = re.compile(r"api.?key (is )?(not valid|invalid|incorrect)|(invalid|incorrect) api.?key", re.IGNORECASE)
"""How some say with status 400 that the key is wrong."""
_WRONG_MODEL = re.compile(
    r"model.{0,80}(not found|does not exist|not a valid model|not supported by any provider)|not a valid model"
    r"|(unknown|invalid|no such) model",
    re.IGNORECASE,
)
"""How some say with status 400 that they do not serve the model."""

log = logging.getLogger(__name__)


class OpenAIClient(Client):
    """One model of an OpenAI-compatible server, over one session with kept-alive connections."""

    def __init__(self, name: str, section: ModelSection, api_key: str | None) -> None:
        self._name, self._section, self._key = name, section, api_key
        self._base_url = section.base_urls[0]
        self._left_out: set[str] = set()
        self._max_tokens_name = "max_tokens"
        self._has_doubted = False
        self._path = "chat/completions" if section.endpoint == "chat" else "completions"
        self._connections = Connections(name, section, access_of(name, section, api_key))

    @property
    def left_out(self) -> frozenset[str]:
        """Settings that the server has said it does not take."""
        return frozenset(self._left_out)

    async def open(self) -> None:
        """Ask for the list of models: an answer of any kind shows that the server is there.

        Raises `ServerUnreachableError` when no connection can be made, `AuthenticationError` on 401 and 403.
        """
        try:
            status = await self._connections.status_of("models")
        except TransientError as error:
            if error.server_down:
                raise ServerUnreachableError(f"model {self._name}: {error}") from error
            return  # something answers there: whether it serves the model, the first request will tell
        if status in (401, 403):
            raise self._authentication(status)

    async def close(self) -> None:
        """Close all connections; what is asked afterwards fails."""
        await self._connections.close()

    async def answer(self, request: Request) -> Response:
        """See `Client.answer`. One prompt a request; a stop string at the end of the text is cut off.

        A setting that the server says it does not take is left out from then on, and the request sent again.
        """
        while True:
            sent = self._body(request)
            reply = await self._connections.post(self._path, json.dumps(sent).encode())
            self.limits = rate_limits(reply.headers)
            if 200 <= reply.status < 300:
                return self._response(reply, request)
            error = self._error(reply.status, reply, request)
            if not (
                isinstance(error, RequestRefusedError) and error.type == "bad_request" and self._adapt(error, sent)
            ):
                raise error

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {"model": self._section.model}
        if self._section.endpoint == "chat":
            body["messages"] = [message._asdict() for message in request.messages]
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
        if sampling.json_schema:
            schema = {"name": "reply", "strict": True, "schema": json.loads(sampling.json_schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        body |= sampling.further
        return {name: value for name, value in body.items() if name not in self._left_out} | self._section.extra_body

    def _adapt(self, error: RequestRefusedError, sent: dict[str, Any]) -> bool:
        """Whether the server named a setting that was sent and can be left out or renamed; it is, from now on."""
        message = str(error)
        if "max_tokens" in sent and "max_completion_tokens" in message:
            self._max_tokens_name = "max_completion_tokens"
            return True
        # a top_p of 1 limits nothing, so that leaving it out changes no answer
        optional = (*OPTIONAL, "top_p") if sent.get("top_p") == 1 else OPTIONAL
        named = [name for name in optional if name in sent and re.search(rf"\b{name}\b", message)]
        if named and _NOT_TAKEN.search(message):
            self._left_out.add(named[0])
            return True
        return False

    def _response(self, reply: HttpReply, request: Request) -> Response:
        is_chat = self._section.endpoint == "chat"
        try:
            content = json.loads(reply.body)
            choice = content["choices"][0]
            parts = Parts(*map(_valid, parts_of(choice, is_chat=is_chat)))
            finish_reason = choice.get("finish_reason") or "stop"
            usage = self._usage(content, reply, request)
            length = usage.completion_tokens
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise self._broken(reply, request) from error
        if finish_reason == "content_filter":
            raise RequestRefusedError("the server's content filter withheld the answer", type="content_filter")
        if finish_reason in ("error", "abort"):
            raise self._broken(reply, request)
        if len(content["choices"]) > 1:
            raise TransientError(f"{len(content['choices'])} texts came where one was asked for", cause="malformed")
        # over chat, a limit that came before any text cut a thought off that the server does not show
        is_thought = is_chat and finish_reason == "length"
        if not any(parts) and not is_thought and (length or 0) > _end_tokens(request.sampling):
            raise TransientError(f"the text is empty, though {length} tokens were made", cause="empty")
        kept, is_cut = _before_stop(parts.text, request.sampling)
        reason = "stop" if is_cut else _reason(finish_reason)
        return Response(
            kept,
            reason,
            usage.prompt_tokens,
            length,
            reasoning=parts.reasoning,
            refusal=parts.refusal,
            model=usage.model,
            upstream=usage.upstream,
            cost=usage.cost,
            cached_tokens=usage.cached_tokens,
            reasoning_tokens=usage.reasoning_tokens,
        )

    def _usage(self, content: object, reply: HttpReply, request: Request) -> ReplyUsage:
        usage = reply_usage(content, reply.headers, request, size=len(reply.body))
        if usage.doubts and not self._has_doubted:
            self._has_doubted = True
            log.warning(
                "model %s at %s states what cannot be (%s): such numbers are not believed, but estimated",
                self._name,
                self._base_url,
                ", ".join(usage.doubts),
                extra={"model": self._name, "server": self._base_url},
            )
        return usage

    def _broken(self, reply: HttpReply, request: Request) -> Exception:
        """The error for a success that holds no completion: an error of its own, or something else."""
        try:
            content = json.loads(reply.body)
            code = content["error"]["code"]
        except (ValueError, KeyError, TypeError, RecursionError):
            content, code = None, None
        if isinstance(code, int) and 400 <= code < 600:
            return self._error(code, reply, request)
        words = "" if isinstance(content, dict) and "choices" in content else f": {self._message(reply.body, request)}"
        return TransientError(f"the reply is not a completion{words}", cause="malformed")

    def _error(self, status: int, reply: HttpReply, request: Request) -> Exception:
        message = self._message(reply.body, request)
        if status in (401, 403):
            return self._authentication(status)
        if status in (408, 409, 425, 429) or status >= 500:
            return TransientError(
                f"HTTP {status}: {message}", cause=str(status), retry_after=retry_after(reply.headers)
            )
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

    def _message(self, body: bytes, request: Request) -> str:
        """What the server says of an error, as one line of at most 300 characters, without the key and the prompt."""
        text = self._redacted(body.decode("utf-8", "replace"), request)[:_MESSAGE_LENGTH]
        try:
            reply = json.loads(text)
            error = reply.get("error", reply) if isinstance(reply, dict) else reply
            text = str(error.get("message") or error.get("detail") or error) if isinstance(error, dict) else str(error)
        except (ValueError, RecursionError):
            text = re.sub(r"<[^<>]{1,300}>", " ", text)
        return _valid(" ".join(self._redacted(text, request).split())[:300]) or "no message"

    def _redacted(self, text: str, request: Request) -> str:
        text = without_secrets(text, self._connections.secrets)
        for message in request.messages:
            text = _without(text, message.content)
        return text

    def _authentication(self, status: int) -> AuthenticationError:
        variable = self._section.api_key_env or "OPENAI_API_KEY"
        what = "does not accept the key" if self._key else "asks for a key"
        return AuthenticationError(
            f"model {self._name}: {self._base_url} {what} (HTTP {status}); set environment variable {variable}"
        )


def _without(text: str, prompt: str) -> str:
    """The text of an error without what was asked, which servers quote in many ways."""
    if len(prompt) < _SHORTEST_SECRET:
        return text
    # as it is, as Python, HTML or JSON writes it, or JSON within JSON
    forms = {prompt, prompt.strip(), repr(prompt)[1:-1], html.escape(prompt), " ".join(prompt.split())}
    for ascii_only in (True, False):
        quoted = json.dumps(prompt, ensure_ascii=ascii_only)
        forms |= {quoted[1:-1], json.dumps(quoted, ensure_ascii=ascii_only)[3:-3]}
    for form in forms:
        text = text.replace(form, "(prompt)")
    return text


def _end_tokens(sampling: Sampling) -> int:
    """How many tokens a reply may have of which nothing is left: an end, or a stop string in single bytes."""
    return _END_TOKENS + max((len(stop.encode("utf-8", "replace")) for stop in sampling.stop), default=0)


def _before_stop(text: str, sampling: Sampling) -> tuple[str, bool]:
    """The text before a stop string, and whether there was one.

    A server may include what it stopped at, or not know the setting. Where at least some tokens were asked for, a stop
    string within the text may have come before they were reached: then only one at the end counts. The published
    profile, which has a marker among them, is given the text as it came, as the original was.
    """
    stops = [] if END_MARKER in sampling.stop else [stop for stop in sampling.stop if stop]
    if sampling.min_tokens > 1:
        ends = [len(text) - len(stop) for stop in stops if text.endswith(stop)]
    else:
        ends = [at for stop in stops if (at := text.find(stop)) >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


def _reason(finish_reason: object) -> str:
    """Why a reply ended, by the protocol's name for it."""
    name = str(finish_reason)
    return {"stop_sequence": "stop", "eos_token": "stop", "eos": "stop"}.get(name, _valid(name))


def _valid(text: str) -> str:
    """The text with half surrogate pairs, which no file can hold, as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
