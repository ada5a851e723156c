"""What a server says of an error: one line without keys and prompt, its codes, and the settings that it names."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ensemble_instruct.invisible import harmless
from ensemble_instruct.models.clients.openai.secrets import Secrets
from ensemble_instruct.records import Request

_MESSAGE_LENGTH = 64_000
"""Characters of an error's text that are looked at."""
_LONGEST_KEY = 8_000
"""Characters at the end of a text that was cut, of which a part may be the beginning of a key."""
_READ = 1500
"""Characters of its words that are read."""
_SHOWN = 300
"""Characters of them that are shown."""
_SHORTEST_PROMPT = 12
"""A prompt below this length may be in an error's text: it could be any word of it."""
_PLAIN = re.compile(r"[A-Za-z0-9]+")
"""Signs that are the same in whatever way a text is quoted."""
_CODES = ("code", "type", "status", "error_type", "reason", "error_code")
"""Where servers put a word for what is wrong."""
_DEEPEST = 8
"""Errors within each other that are read."""
_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{1,200})", re.IGNORECASE)
_PAGE = re.compile(
    r"\s{0,100}(<!--.{0,500}?-->\s{0,100})?<(!doctype html|html|head|body|title|h1)\b", re.IGNORECASE | re.DOTALL
)
"""How a page begins that was meant for a browser."""
_LOGIN = re.compile(
    r"type=.?password|\b(log|sign)[ -]?(in|on)\b|single sign|/(login|signin|oauth2?|saml|sso)\b|captcha", re.IGNORECASE
)
"""What such a page has that asks who one is."""


@dataclass(frozen=True, slots=True)
class ServerMessage:
    """An error in a server's own words."""

    text: str
    """One line."""
    codes: frozenset[str] = frozenset()
    """Its names for what is wrong, in lower case: `insufficient_quota`, `model_not_found`."""
    names: tuple[str, ...] = ()
    """The parts of the request that it says are wrong, outside of its text: `temperature`, `messages`."""
    is_page: bool = False
    """Whether it is a page for a browser."""
    is_login: bool = False
    """Whether it is one that asks who one is."""
    is_error: bool = False
    """Whether it says itself that it is an error."""
    is_completion: bool = False
    """Whether it has the form of a completion, so that its words are a model's."""

    @property
    def shown(self) -> str:
        """The line as messages show it."""
        return self.text[:_SHOWN]


class Hidden:
    """What must not be seen in what a server says: keys, and what was asked."""

    def __init__(self, secrets: Secrets, request: Request) -> None:
        self._secrets = secrets
        self._prompts = [message.content for message in request.messages if len(message.content) >= _SHORTEST_PROMPT]

    def out_of(self, text: str) -> str:
        """The text of an error with `***` for keys, and `(prompt)` for prompts, which servers quote in many ways."""
        return self.prompts_out_of(self._secrets.out_of(text))

    def keys_are_in(self, *texts: str) -> bool:
        """Whether one of the texts of a reply holds a key."""
        return self._secrets.are_in("\n".join(filter(None, texts)))

    def prompts_out_of(self, text: str) -> str:
        """The text with `(prompt)` for prompts."""
        for prompt in self._prompts:
            # the forms of a long prompt take longer to make than all else of a reply, and most texts have none of them
            if (word := _PLAIN.search(prompt)) is None or word[0] in text:
                for form in _quoted(prompt):
                    text = text.replace(form, "(prompt)")
        return text


def message_of(body: bytes, hidden: Hidden) -> ServerMessage:
    """What the body of an error says."""
    whole = body.decode(json.detect_encoding(body), "replace")
    text = hidden.out_of(whole[: 2 * _MESSAGE_LENGTH])
    text = (text if len(whole) <= 2 * _MESSAGE_LENGTH else text[:-_LONGEST_KEY])[:_MESSAGE_LENGTH]
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        is_page = _PAGE.match(text) is not None
        is_login = is_page and _LOGIN.search(text) is not None
        return ServerMessage(
            _line(_of_page(text) if is_page else _without_tags(text), hidden), is_page=is_page, is_login=is_login
        )
    found = list(_errors(reply))
    words = list(dict.fromkeys(word for error in found if (word := _words(error))))
    return ServerMessage(
        _line(": ".join(words) or _last_words(reply), hidden),
        frozenset(code for error in found for code in _codes(error)),
        tuple(dict.fromkeys(name for error in found for name in _names(error))),
        is_error=isinstance(reply, dict) and bool(reply.get("error")),
        is_completion=isinstance(reply, dict) and "choices" in reply,
    )


def valid(text: str) -> str:
    """The text with half surrogate pairs, which no file can hold, as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _line(text: str, hidden: Hidden) -> str:
    return harmless(valid(" ".join(hidden.out_of(text).split())[:_READ])) or "no message"


def _of_page(page: str) -> str:
    """The title of a page, or all of its text."""
    title = _TITLE.search(page)
    return f"a page titled {' '.join(html.unescape(title[1]).split())!r}" if title else _without_tags(page)


def _without_tags(text: str) -> str:
    return re.sub(r"<[^<>]{1,300}>", " ", text)


def _errors(reply: object, depth: int = 0) -> Iterator[dict[str, Any] | str]:
    """The objects in which an error is told: gateways put those of others into theirs, as JSON or as its text."""
    if depth > _DEEPEST:
        return
    if isinstance(reply, list):
        for each in reply[:8]:
            yield from _errors(each, depth + 1)
    elif isinstance(reply, str):
        inner = _json_in(reply)
        yield from [reply] if inner is None else _errors(inner, depth + 1)
    elif isinstance(reply, dict):
        yield reply
        for name in ("error", "errors", "detail", "message", "innererror", "metadata", "raw", "details"):
            value = reply.get(name)
            if isinstance(value, dict | list) or (isinstance(value, str) and name in ("raw", "message", "error")):
                yield from _errors(value, depth + 1)


def _json_in(text: str) -> Any:
    """What a text is as JSON, where it is an object or a list."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _words(error: dict[str, Any] | str) -> str:
    """What one object says in words."""
    if isinstance(error, str):
        return error.strip()
    for name in ("message", "msg", "detail", "error", "error_description"):
        value = error.get(name)
        if isinstance(value, str) and value.strip() and _json_in(value) is None:
            place = ".".join(map(str, error["loc"])) if isinstance(error.get("loc"), list) else ""
            return f"{place}: {value}" if place else value.strip()
    return ""


def _last_words(reply: object) -> str:
    """What is shown where nothing says what is wrong."""
    if isinstance(reply, dict) and isinstance(reply.get("error", reply.get("detail")), dict | list):
        return str(reply.get("error", reply.get("detail")))
    return "" if reply is None else str(reply)


def _codes(error: dict[str, Any] | str) -> Iterator[str]:
    if isinstance(error, dict):
        for name in _CODES:
            if isinstance(error.get(name), str):
                yield error[name].lower()


def _names(error: dict[str, Any] | str) -> Iterator[str]:
    """Of `param: temperature`, `loc: [body, top_k]`, `field: x` the name of the setting."""
    if isinstance(error, str):
        return
    for name in ("param", "parameter", "field", "property"):
        if isinstance(error.get(name), str) and error[name]:
            yield re.split(r"[.\[]", error[name])[0]
    loc = error.get("loc")
    if isinstance(loc, list):
        yield from (part for part in loc[:2] if isinstance(part, str) and part != "body")


def _quoted(prompt: str) -> set[str]:
    """The prompt as it is, as Python, HTML or JSON writes it, or JSON within JSON."""
    forms = {prompt, prompt.strip(), repr(prompt)[1:-1], html.escape(prompt), " ".join(prompt.split())}
    for ascii_only in (True, False):
        quoted = json.dumps(prompt, ensure_ascii=ascii_only)
        forms |= {quoted[1:-1], json.dumps(quoted, ensure_ascii=ascii_only)[3:-3]}
    return forms
