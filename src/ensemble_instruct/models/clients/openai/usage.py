"""What a reply says of who answered, of its tokens and of its cost, as far as that can be true; what a failure took."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ensemble_instruct.errors import RequestError, RequestRefusedError, TransientError
from ensemble_instruct.invisible import harmless
from ensemble_instruct.models.clients.openai.http import HttpReply
from ensemble_instruct.models.clients.openai.stream import completion_in, is_stream
from ensemble_instruct.records import TEMPLATE_TOKENS, Request, Response

_HIDDEN_TOKENS = 4096
"""What a service may put before a prompt without showing it: instructions of its own, the schema of a reply."""
_OVER_LIMIT = 2
"""A reply may be as many times as long as it was asked to be at most, and somewhat longer: not all servers obey."""
_OVER_LIMIT_TOKENS = 1024
"""How much longer."""
_THOUGHT_TOKENS = 2**17
"""Tokens of a thought at most: some services do not count it where they limit a reply."""
_MOST_USD = 10.0
"""A reply costs at most this much and `_MOST_USD_A_TOKEN` for each token; a greater number is no cost in US dollars."""
_MOST_USD_A_TOKEN = 0.01
"""More than ten times what the dearest model takes."""
_TICKS = 1e10
"""Parts of a US dollar, in which xAI states costs."""
_COST_HEADER = "x-litellm-response-cost"
"""Where LiteLLM states the cost; its 0 may mean that it knows no price."""
_LONGEST_NAME = 200
"""Characters of a name that are kept."""
_LONGEST_COUNT = 40
"""Characters of what is no count that are shown."""
_PROMPT = ("prompt_tokens", "input_tokens")
_COMPLETION = ("completion_tokens", "output_tokens")
_CACHED = (
    "prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens", "prompt_cache_hit_tokens",
    "cache_read_input_tokens", "cached_tokens",
)  # fmt: skip
"""OpenAI's name and that of its other protocol; DeepSeek's; Anthropic's; Moonshot's."""
_REASONING = (
    "completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens", "reasoning_tokens",
)  # fmt: skip
_ANTHROPIC_CACHE = ("cache_read_input_tokens", "cache_creation_input_tokens")
"""Not among its `input_tokens`."""
_REFUSED_BEFORE = ("bad_request", "prompt_too_long")
"""What a request is refused for before anything is made."""
_STATUS = 3
"""Digits of a status: a cause of that form is an error of the server, which nobody charges for."""


@dataclass(slots=True, kw_only=True)
class ReplyUsage:
    """Tokens and cost as the server states them; None where it does not, or where that cannot be true."""

    model: str = ""
    upstream: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None
    doubts: list[str] = field(default_factory=list)
    """What the server states that cannot be true, in its own words."""

    @property
    def is_stated(self) -> bool:
        """Whether the server said anything of what it has made."""
        return bool(self.doubts) or (self.prompt_tokens, self.completion_tokens, self.cost) != (None, None, None)


def reply_usage(content: object, headers: Mapping[str, str], request: Request, *, size: int) -> ReplyUsage:
    """What a reply of `size` bytes to a request, as JSON, states of itself; it may be anything, and nothing is raised.

    A count that is beyond what the request allows is None.
    """
    if not isinstance(content, Mapping):
        content = {}
    usage = content.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    found = ReplyUsage(model=_name(content.get("model")), upstream=_name(content.get("provider")))
    longest = _longest_prompt(request)
    found.prompt_tokens = _prompt_tokens(usage, longest, found.doubts)
    found.reasoning_tokens = _count(usage, _REASONING, _THOUGHT_TOKENS, found.doubts)
    found.completion_tokens = _count(usage, _COMPLETION, _longest_reply(request, size, found), found.doubts)
    _add_hidden_thought(usage, found)
    found.cached_tokens = _count(
        usage, _CACHED, longest if found.prompt_tokens is None else found.prompt_tokens, found.doubts
    )
    found.cost = _cost(usage, headers, found, longest + request.sampling.max_tokens)
    return found


@dataclass(slots=True)
class Tried:
    """A try, and the reply that came, if one did."""

    reply: HttpReply | None = None


@contextmanager
def noting_what_was_paid(request: Request) -> Iterator[Tried]:
    """A try of a request: the error that ends it says what was paid, as far as that is known."""
    tried = Tried()
    try:
        yield tried
    except RequestError as error:
        error.paid = _paid(error, tried.reply, request)
        raise


def _paid(error: RequestError, reply: HttpReply | None, request: Request) -> Response | None:
    """What the server states; a response without numbers where it may have made an answer; None where it has not."""
    if reply is None:  # nothing came, or more than any completion has
        return Response("") if isinstance(error, TransientError) and error.cause == "malformed" else error.paid
    usage = reply_usage(_content(reply), reply.headers, request, size=len(reply.body))
    if usage.is_stated:
        is_free = not any((usage.doubts, usage.prompt_tokens, usage.completion_tokens, usage.cost))
        return (
            None
            if is_free
            else Response(
                "",
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cost=usage.cost,
                cached_tokens=usage.cached_tokens,
                reasoning_tokens=usage.reasoning_tokens,
            )
        )
    return Response("") if 200 <= reply.status < 300 and not _is_free(error) else None


def _is_free(error: RequestError) -> bool:
    """Whether the server says, with whatever status, that it has made nothing."""
    if isinstance(error, TransientError):
        return error.cause.isdecimal() and len(error.cause) == _STATUS
    return isinstance(error, RequestRefusedError) and error.type in _REFUSED_BEFORE


def _content(reply: HttpReply) -> object:
    """What a reply holds, as JSON; None where it is none."""
    try:
        return completion_in(reply.body) if is_stream(reply.headers, reply.body) else json.loads(reply.body)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _longest_prompt(request: Request) -> int:
    """A token is a byte at least."""
    shown = sum(len(text.encode("utf-8", "replace")) for text in (request.text, request.sampling.json_schema))
    return shown + (len(request.earlier) + 2) * TEMPLATE_TOKENS + _HIDDEN_TOKENS


def _longest_reply(request: Request, size: int, found: ReplyUsage) -> int:
    asked = _OVER_LIMIT * request.sampling.max_tokens + _OVER_LIMIT_TOKENS
    return max(asked, size) + (found.reasoning_tokens or 0)


def _prompt_tokens(usage: Mapping[str, Any], longest: int, doubts: list[str]) -> int | None:
    count = _count(usage, _PROMPT, longest, doubts)
    if count is None or "prompt_tokens" in usage:
        return count
    return count + sum(_count(usage, (name,), longest, doubts) or 0 for name in _ANTHROPIC_CACHE)


def _add_hidden_thought(usage: Mapping[str, Any], found: ReplyUsage) -> None:
    """Of a thought that is counted in `total_tokens` alone, and charged for, as by xAI and Gemini."""
    if found.prompt_tokens is None or found.completion_tokens is None:
        return
    counted = found.prompt_tokens + found.completion_tokens
    total = _whole(usage.get("total_tokens"))
    if total is not None and counted < total <= counted + _THOUGHT_TOKENS:
        found.completion_tokens += total - counted
        found.reasoning_tokens = max(found.reasoning_tokens or 0, total - counted)


def _count(usage: Mapping[str, Any], names: tuple[str, ...], most: int, doubts: list[str]) -> int | None:
    """The first of these that the server states, or None where it is no count or more than there can be."""
    for name in names:
        value = _at(usage, name)
        if value is None:
            continue
        count = _whole(value)
        if count is not None and count <= most:
            return count
        doubts.append(f"{name} {_shown(value)}")
        return None
    return None


def _shown(value: object) -> str:
    """What the server states where it is short: a part of a longer text may be a part of a key."""
    shown = _name(str(value)) if isinstance(value, int | float | str) else ""
    return shown if 0 < len(shown) <= _LONGEST_COUNT else type(value).__name__


def _at(usage: Mapping[str, Any], name: str) -> Any:
    outer, _, inner = name.partition(".")
    value = usage.get(outer)
    return (value.get(inner) if isinstance(value, Mapping) else None) if inner else value


def _whole(value: Any) -> int | None:
    """A whole number from 0 on, which some write as 12.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _cost(usage: Mapping[str, Any], headers: Mapping[str, str], found: ReplyUsage, tokens: int) -> float | None:
    most = _MOST_USD + _MOST_USD_A_TOKEN * max(tokens, (found.prompt_tokens or 0) + (found.completion_tokens or 0))
    for name, value in _stated_costs(usage, headers):
        cost = _number(value)
        if cost is not None and 0 <= cost <= most:
            return cost
        found.doubts.append(f"{name} {_shown(value)}")
    return None


def _stated_costs(usage: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """OpenRouter's and Perplexity's, xAI's, DeepInfra's and LiteLLM's, in US dollars."""
    if usage.get("cost") is not None:
        cost = usage["cost"]
        yield "cost", cost.get("total_cost") if isinstance(cost, Mapping) else _with_upstream(usage)
    if (ticks := usage.get("cost_in_usd_ticks")) is not None:
        number = _number(ticks)
        yield "cost_in_usd_ticks", ticks if number is None else number / _TICKS
    if usage.get("estimated_cost") is not None:
        yield "estimated_cost", usage["estimated_cost"]
    header = next((value for name, value in headers.items() if name.lower() == _COST_HEADER), "")
    if header.strip() not in ("", "None") and _number(header) != 0:
        yield _COST_HEADER, header


def _with_upstream(usage: Mapping[str, Any]) -> Any:
    """OpenRouter's cost; with a key of one's own at the provider it is a fee beside what the provider takes."""
    cost, upstream = _number(usage["cost"]), _number(_at(usage, "cost_details.upstream_inference_cost"))
    if usage.get("is_byok") is True and cost is not None and upstream is not None:
        return cost + upstream
    return usage["cost"]


def _number(value: Any) -> float | None:
    """A number, or a text of one; None for what is neither, and for what is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _name(value: object) -> str:
    """A name as a file can hold it, on one line."""
    text = value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
    return harmless(" ".join(text.split())[:_LONGEST_NAME])
