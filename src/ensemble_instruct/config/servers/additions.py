"""What a user adds to each request to a server: headers, parts of the query, and keys of the body."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from ensemble_instruct.config.keys import IN_PLACE_OF_KEY, OF_RUN, is_key_at, is_name_of_key, place_of_key
from ensemble_instruct.config.servers.variables import require_no_key
from ensemble_instruct.files.jsonl import has_lone_surrogate

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""What HTTP takes for the name of a header."""
_OF_HTTP = frozenset({
    "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host",
    "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers that the connection itself needs, or that go to a proxy."""
_INSTEAD: Mapping[str, str] = {
    "model": "models.NAME.model", "messages": "models.NAME.system or prompts", "prompt": "prompts",
    "stream": "nothing: a server that speaks in streams alone is read so",
    "stream_options": "nothing: a server that speaks in streams alone is read so",
    "max_tokens": "models.NAME.sampling.max_tokens", "max_completion_tokens": "models.NAME.sampling.max_tokens",
    "n": "outputs.samples", "best_of": "outputs.samples", "seed": "the key seed of the config",
    "stop": "nothing: each step has its own", "response_format": "models.NAME.structured",
}  # fmt: skip
"""Keys of the body that are set by the program, each with what to use instead."""
OF_SAMPLING = (
    "temperature", "top_p", "top_k", "min_tokens", "min_p", "presence_penalty", "frequency_penalty",
    "repetition_penalty", "reasoning_effort",
)  # fmt: skip
"""Those that the section `sampling` sets."""
_DEEPEST = 32
"""Most values inside each other."""
_HANDING_OVER = re.compile(r"authorization|key|(.*[-_])?(api[-_]?key|subscription[-_]key)", re.IGNORECASE)
"""Names of headers and of parts of a query with which a server needs no other key."""


def hand_over_key(*parts: Mapping[str, str]) -> bool:
    """Whether headers or a query hand the server a key: `Authorization`, `api-key` and its like."""
    return any(_HANDING_OVER.fullmatch(name) for part in parts for name in part)


def checked_headers(values: Any) -> Any:
    """The headers as they are; raises an error that names the one that cannot be sent, or holds a key itself."""
    seen: set[str] = set()
    for name, value in values.items() if isinstance(values, dict) else ():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise _refusal("is no name that a header can have; use letters, digits and -", name)
        if name.lower() in _OF_HTTP:
            raise _refusal("is set by the connection itself; leave it out", name)
        if name.lower() in seen:
            raise _refusal("stands there twice, in other capitals; headers know no case", name)
        seen.add(name.lower())
        _require_text(name, value)
        if not value.isprintable() or not value.isascii():
            raise _refusal("has characters that no HTTP header can hold; write one line of ASCII", name)
        _require_no_key(name, value)
    return values


def checked_query(values: Any) -> Any:
    """The parts of a query as they are; raises an error that names the one that cannot be sent, or holds a key."""
    for name, value in values.items() if isinstance(values, dict) else ():
        if not isinstance(name, str) or not name or not name.isprintable():
            raise _refusal("is no name that a part of a query can have; write it as text in quotes", name)
        _require_text(name, value)
        if not value.isprintable():
            raise _refusal("has characters that cannot be seen; write one line of text", name)
        _require_no_key(name, value)
    return values


def checked_body(values: Any, info: ValidationInfo) -> Any:
    """The keys of the body as they are; raises an error that names what is no JSON, a key, or set by the program."""
    for name in values if isinstance(values, dict) else ():
        if name in OF_SAMPLING:
            raise _refusal(f"is set by the program; use models.NAME.sampling.{name} instead", name)
        if name in _INSTEAD:
            raise _refusal(f"is set by the program; use {_INSTEAD[name]}", name)
    _require_json(values, ())
    if info.context != OF_RUN:
        _require_no_keys(values, ())
    return values


def checked_options(values: Any, info: ValidationInfo) -> Any:
    """The options of an engine as they are; raises an error that names the one that is a key."""
    if info.context != OF_RUN:
        _require_no_keys(values, (), of_hub=True)
    return values


def _require_no_keys(value: Any, at: tuple[Any, ...], *, of_hub: bool = False) -> None:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for name, each in inner if len(at) <= _DEEPEST else ():
        if place_of_key(name) is not None:
            raise _refusal(IN_PLACE_OF_KEY, *at)
        _require_no_keys(each, (*at, name), of_hub=of_hub)
    if not isinstance(value, str):
        return
    # the signs that a tokenizer puts into texts are tokens, too
    if of_hub and at and is_name_of_key(str(at[-1])) and value.strip() and not value.startswith(("<", "[")):
        raise _refusal("must not hold a key, for the config is written to files; set environment variable HF_TOKEN, "
                       'or for a server headers: {api-key: "${NAME}"}', *at)  # fmt: skip
    if is_key_at(at, value):
        raise _refusal(IN_PLACE_OF_KEY, *at)


def _require_json(value: Any, at: tuple[Any, ...]) -> None:
    if len(at) > _DEEPEST:
        raise _refusal(f"has more than {_DEEPEST} values inside each other", *at[:3])
    if isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise _refusal(f"was read as {_sort(name)}; write the name in quotes", *at, name)
            _require_json(inner, (*at, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _require_json(inner, (*at, number))
    else:
        _require_json_value(value, at)


def _require_json_value(value: Any, at: tuple[Any, ...]) -> None:
    if not isinstance(value, str | int | float | bool | None):
        raise _refusal(f"was read as {_sort(value)}, which JSON does not have; write it in quotes", *at)
    if isinstance(value, float) and not math.isfinite(value):
        raise _refusal("is no finite number, and JSON has no other", *at)
    if isinstance(value, str) and has_lone_surrogate(value):
        raise _refusal("holds half of a surrogate pair, which is no text", *at)


def _require_text(name: str, value: Any) -> None:
    # the value is not shown: it may be a key
    if not isinstance(value, str):
        raise _refusal(f"was read as {_sort(value)}; write it in quotes", name)


def _sort(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", dict: "keys and values", list: "a list"}
    return "nothing" if value is None else names.get(type(value), f"a {type(value).__name__}")


def _require_no_key(name: str, value: str) -> None:
    try:
        require_no_key(name, value)
    except ValueError as error:
        raise _refusal(str(error), name) from error


def _refusal(problem: str, *keys: Any) -> PydanticCustomError:
    """An error about a value under keys that the user has chosen."""
    return PydanticCustomError("inner_key", "{problem}", {"keys": keys, "problem": problem})
