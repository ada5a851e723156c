"""Any server that speaks the OpenAI protocol: vLLM, llama.cpp, Ollama, TGI, hosted ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ensemble_instruct.config.access import access_of
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import (
    AuthenticationError,
    ModelError,
    QuotaError,
    RequestRefusedError,
    ServerUnreachableError,
    TransientError,
    UnknownModelError,
)
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.models.clients.openai.endings import ending_of, reason_of
from ensemble_instruct.models.clients.openai.failures import Meaning, meaning_of
from ensemble_instruct.models.clients.openai.http import Connections, HttpReply
from ensemble_instruct.models.clients.openai.messages import Hidden, ServerMessage, message_of, valid
from ensemble_instruct.models.clients.openai.parts import Parts, parts_of
from ensemble_instruct.models.clients.openai.rate_headers import rate_limits, retry_after
from ensemble_instruct.models.clients.openai.stream import StreamError, completion_in, is_stream
from ensemble_instruct.models.clients.openai.terms import Terms, is_of_use
from ensemble_instruct.models.clients.openai.usage import ReplyUsage, noting_what_was_paid, reply_usage
from ensemble_instruct.models.clients.openai.wrong_path import is_elsewhere, no_path
from ensemble_instruct.records import END_MARKER, Request, Response, Sampling

_END_TOKENS = 2
"""Tokens that a model has made at most which ends at once, not counting those of a stop string."""
_MAY_REFUSE_SETTINGS = (400, 403, 404, 405, 406, 409, 413, 415, 422, 500, 501)
"""Statuses with which servers refuse a setting."""
_REFUSALS: tuple[Meaning, ...] = ("content_filter", "prompt_too_long", "bad_request")
"""What an error means that is the end of one request alone."""
SECRET_IN_REPLY = "secret_in_reply"  # noqa: S105 - the name of a reason
"""Why a reply is dropped in which a key or a password stands."""
_SHOWN = 160
"""Characters of a server's words that a note shows."""
_REFUSES_THOUGH_BROKEN = re.compile(
    r"unexpected keyword argument|stream|not supported|unsupported"
    r"|(must|has to|should) be (an? |strictly |in |between |[<>1])"
)
"""How servers refuse a setting that call it a failure of their own."""
_NAMES_SETTINGS: tuple[Meaning, ...] = ("bad_request", "no_model", "other")
"""What an error means where it may be a setting that is refused."""


class OpenAIClient(Client):
    """One model of an OpenAI-compatible server, over one session with kept-alive connections."""

    def __init__(self, name: str, section: ModelSection, api_key: str | None) -> None:
        self._name, self._section, self._key = name, section, api_key
        self._base_url = section.base_urls[0]
        self._terms = Terms()
        self._asked_about = "response_format" if section.structured == "auto" else ""
        """A setting whose refusal is an answer by itself."""
        self._has_answered = self._has_doubted = self._has_looked_elsewhere = False
        self._path = "chat/completions" if section.endpoint == "chat" else "completions"
        self._connections = Connections(name, section, access_of(name, section, api_key))
        self._notes = self._connections.notes

    @property
    def left_out(self) -> frozenset[str]:
        """Settings that the server has said it does not take."""
        return frozenset(name for name, _ in self._terms.left_out)

    @property
    def notes(self) -> Sequence[str]:
        """See `Client.notes`."""
        return self._notes

    async def open(self) -> None:
        """Ask for the list of models: an answer of any kind shows that the server is there.

        Raises `ServerUnreachableError` when no connection can be made, `AuthenticationError` on 401. With
        403 the key may not list models, and ask one all the same.
        """
        try:
            status = await self._connections.status_of("models")
        except TransientError as error:
            if error.server_down:
                raise ServerUnreachableError(f"model {self._name}: {error}") from error
            return  # something answers there: whether it serves the model, the first request will tell
        if status == 401:
            raise self._authentication(status)

    async def close(self) -> None:
        """Close all connections; what is asked afterwards fails."""
        await self._connections.close()

    async def answer(self, request: Request) -> Response:
        """See `Client.answer`. One prompt a request; a stop string at the end of the text is cut off.

        A setting that the server says it does not take is left out, and the request sent again; where that helps, it is
        left out from then on.
        """
        terms, hidden, wanted = self._terms, Hidden(self._connections.secrets, request), self._body(request)
        while True:
            sent = terms.fitted(wanted)
            with noting_what_was_paid(request) as tried:
                reply = tried.reply = await self._connections.post(self._path, json.dumps(sent).encode())
                self.limits = rate_limits(reply.headers)
                if 200 <= reply.status < 300:
                    self._agree(terms, wanted)
                    response = await self._response(reply, request, hidden)
                    self._has_answered = True
                    return response
                said = message_of(reply.body, hidden)
                may_go = {name: value for name, value in sent.items() if name != self._asked_about}
                others = terms.after(said, may_go) if _may_name_setting(reply.status, said) else None
                if others is None:
                    raise await self._error(reply.status, said, reply)
            terms = others

    def _agree(self, terms: Terms, wanted: Mapping[str, Any]) -> None:
        """Keep to the terms on which the server has answered; what they leave out is a note."""
        if terms == self._terms:
            return
        known = self.left_out
        self._terms = self._terms.joined(terms)
        for name, words in terms.left_out:
            if name not in known and name in wanted and is_of_use(name, wanted[name]):
                value = json.dumps(wanted[name], ensure_ascii=False)[:80]
                self._notes.append(
                    f"{self._base_url} does not take {name}: {value}; it is left out of all requests, so that what "
                    f"the server does by itself holds (it said: {words[:_SHOWN]})"
                )

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {"model": self._section.model}
        if self._section.endpoint == "chat":
            body["messages"] = [message._asdict() for message in request.messages]
        else:
            body["prompt"] = request.prompt
        body |= {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p}
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
        return body | sampling.further | self._section.extra_body

    async def _response(self, reply: HttpReply, request: Request, hidden: Hidden) -> Response:
        is_chat = self._section.endpoint == "chat"
        try:
            content = completion_in(reply.body) if is_stream(reply.headers, reply.body) else json.loads(reply.body)
            choice = content["choices"][0]
            ending = ending_of(choice.get("finish_reason"))
            if ending == "broken":
                raise KeyError("text")
            parts = Parts(*map(valid, parts_of(choice, is_chat=is_chat)))
            usage = self._usage(content, reply, request, hidden)
            length = usage.completion_tokens
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise await self._broken(reply, hidden, error) from error
        self._require_no_key(hidden, *parts, choice.get("finish_reason"), content.get("model"), content.get("provider"))
        reason = hidden.prompts_out_of(reason_of(choice.get("finish_reason")))
        if ending == "filter":
            raise RequestRefusedError(
                f"the server's content filter withheld the answer ({reason})", type="content_filter"
            )
        if len(content["choices"]) > 1:
            raise TransientError(f"{len(content['choices'])} texts came where one was asked for", cause="malformed")
        # over chat, a limit that came before any text cut a thought off that the server does not show
        is_final = ending == "call" or (is_chat and ending == "length")
        shown = (length or 0) - (usage.reasoning_tokens or 0)
        if not any(parts) and not is_final and shown > _end_tokens(request.sampling):
            raise TransientError(f"the text is empty, though {length} tokens were made", cause="empty")
        kept, is_cut = _before_stop(parts.text, request.sampling)
        return Response(
            kept,
            "stop" if is_cut else reason,
            usage.prompt_tokens,
            length,
            reasoning=parts.reasoning,
            refusal=parts.refusal,
            model=hidden.prompts_out_of(usage.model),
            upstream=hidden.prompts_out_of(usage.upstream),
            cost=usage.cost,
            cached_tokens=usage.cached_tokens,
            reasoning_tokens=usage.reasoning_tokens,
        )

    def _require_no_key(self, hidden: Hidden, *said: object) -> None:
        """Raise for a reply in which a key stands: with the key hidden it would not be what the model wrote."""
        if hidden.keys_are_in(*(str(each) for each in said if each is not None)):
            note = f"{self._base_url} repeats the key in its replies: those are dropped as {SECRET_IN_REPLY}"
            if note not in self._notes:
                self._notes.append(note)
            raise RequestRefusedError(
                "the reply holds the key with which the server was asked; ask who runs the server, or a proxy before "
                "it, why it repeats what it is sent",
                type=SECRET_IN_REPLY,
            )

    def _usage(self, content: object, reply: HttpReply, request: Request, hidden: Hidden) -> ReplyUsage:
        usage = reply_usage(content, reply.headers, request, size=len(reply.body))
        if usage.doubts and not self._has_doubted:
            self._has_doubted = True
            self._notes.append(
                f"{self._base_url} states what cannot be ({hidden.out_of(', '.join(usage.doubts))}): such numbers are "
                f"not believed, but estimated"
            )
        return usage

    async def _broken(self, reply: HttpReply, hidden: Hidden, error: Exception) -> Exception:
        """The error for a success that holds no completion: an error of its own, or something else."""
        if isinstance(error, StreamError):
            if error.error is None:
                return TransientError(str(error), cause="malformed")
            if error.has_begun:
                said = message_of(json.dumps(error.error).encode(), hidden)
                return TransientError(f"the stream broke off: {said.shown}", cause="malformed")
            reply = replace(reply, body=json.dumps(error.error).encode())
        elif is_stream(reply.headers, reply.body):
            return TransientError("the stream holds no completion", cause="malformed")
        said = message_of(reply.body, hidden)
        code = _code_in(reply.body)
        if code is not None:
            return await self._error(code, said, reply)
        if _is_blocked(reply.body):
            return RequestRefusedError("the server's content filter withheld the answer", type="content_filter")
        if said.is_page and not self._has_answered and (wrong := await self._page(said)) is not None:
            return wrong
        if said.is_error and meaning_of(400, said) in ("content_filter", "prompt_too_long", "no_path", "quota"):
            return await self._error(400, said, reply)
        words = "" if said.is_completion else f": {said.shown}"
        hint = f"; check models.{self._name}.base_url, if this goes on" if said.is_page else ""
        return TransientError(f"the reply is not a completion{words}{hint}", cause="malformed")

    async def _page(self, said: ServerMessage) -> ModelError | None:
        """The error for a page in place of the first answer; None where it may be gone later."""
        if said.is_login:
            return ModelError(
                f"model {self._name}: {self._base_url} answers with a page to log in at ({said.shown}) and no "
                f"completion; set models.{self._name}.base_url to an address for programs, and the key that the "
                f"gateway asks for"
            )
        if not self._has_looked_elsewhere:
            self._has_looked_elsewhere = True
            if await is_elsewhere(self._section, self._connections.speaks):
                return await no_path(self._name, self._section, said.shown, self._connections.speaks)
        return None

    async def _error(self, status: int, said: ServerMessage, reply: HttpReply) -> Exception:
        wait = retry_after(reply.headers)
        meaning, words = meaning_of(status, said, may_wait=wait is not None), said.shown
        if meaning == "transient":
            return TransientError(f"HTTP {status}: {words}", cause=str(status), retry_after=wait)
        if meaning in _REFUSALS:
            return RequestRefusedError(words, type=meaning)
        if meaning == "key":
            return self._authentication(status, "" if status == 401 else f": {words}")
        where = f"model {self._name}: {self._base_url}"
        if meaning == "quota":
            return QuotaError(
                f"{where} answers no more, since the quota or the balance of its account is used up (HTTP {status}: "
                f"{words}); see to the account, then run the same command again"
            )
        if meaning == "no_model":
            return UnknownModelError(
                f"{where} does not serve {self._section.model!r} ({words}); "
                f"set models.{self._name}.model to a name that `curl {self._base_url}/models` lists"
            )
        if meaning == "no_path" and not self._has_answered:
            return await no_path(self._name, self._section, f"HTTP {status}: {words}", self._connections.speaks)
        return ModelError(f"{where} answered HTTP {status} ({words}); check models.{self._name}.base_url")

    def _authentication(self, status: int, words: str = "") -> AuthenticationError:
        is_key_elsewhere = self._connections.has_key and not self._key
        what = "does not accept the key" if self._connections.has_key else "asks for a key"
        variable = self._section.api_key_env or "OPENAI_API_KEY"
        remedy = (
            f"check the variables that models.{self._name}.headers and query name"
            if is_key_elsewhere
            else f"set environment variable {variable}"
        )
        return AuthenticationError(f"model {self._name}: {self._base_url} {what} (HTTP {status}{words}); {remedy}")


def _may_name_setting(status: int, said: ServerMessage) -> bool:
    """Whether an error may be about a setting of the request, and not about what was asked or who asks."""
    if status == 500:
        return _REFUSES_THOUGH_BROKEN.search(said.text) is not None
    return status == 501 or (status in _MAY_REFUSE_SETTINGS and meaning_of(status, said) in _NAMES_SETTINGS)


def _code_in(body: bytes) -> int | None:
    """The status that stands within a reply: that of the error of a gateway, or of the choice."""
    try:
        content = json.loads(body)
        error = content.get("error") or content["choices"][0]["error"]
        code = int(error["code"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError):
        return None
    return code if 400 <= code < 600 else None


def _is_blocked(body: bytes) -> bool:
    """Whether a reply without a text says that the prompt was blocked, as Gemini does."""
    try:
        content = json.loads(body)
        feedback = content.get("promptFeedback") or content["prompt_feedback"]
        return bool(feedback.get("blockReason") or feedback.get("block_reason"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


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
