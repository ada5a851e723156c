"""The keys of a server, found and taken out of whatever comes from it: as they are, quoted or encoded."""

from __future__ import annotations

import html
import re
import sys
from array import array
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import unquote

_LONG = 12
"""Characters from which on a secret is looked for by itself: a shorter one may be a word, such as `EMPTY`."""
_SHORTEST_WORD = 4
"""Characters of a short one that is taken out of errors where it is a word of its own."""
_ROUNDS = 6
"""Most encodings within each other that are undone."""
_ESCAPE = re.compile(
    r"%[0-7][0-9a-f]|%[89a-f][0-9a-f](?:%[89a-f][0-9a-f]){0,3}"
    r"|&\#x0{0,20}[0-9a-f]{1,6};?|&\#0{0,20}[0-9]{1,7};?|&[a-z][a-z0-9]{1,30};"
    r"|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|\\u\{[0-9a-f]{1,6}\}|\\x[0-9a-f]{2}|\\[nrtbf]|\\[^a-z0-9]"
    # a line break within base64: MIME breaks it after 76 characters, PEM after 64
    r"|\n(?<=[a-z0-9+/_-]{60}\n)|\r\n(?<=[a-z0-9+/_-]{60}\r\n)",
    re.IGNORECASE,
)
"""What a URL, HTML, JSON, Python and base64 write in place of characters."""
_OF_LETTERS = re.compile(
    r"%[2-7][0-9a-f]|&(?:\#|amp;|percnt;|bsol;|num;)|\\[uU][0-9a-f{]|\\x[0-9a-f]{2}"
    r"|\n(?<=[a-z0-9+/_-]{60}\n)|\r\n(?<=[a-z0-9+/_-]{60}\r\n)",
    re.IGNORECASE,
)
"""Those of them that may stand in place of letters and digits."""
_HANDED_OVER = (
    r"(?:\b(?:bearer|basic)\s{1,3}|(?:\bauthorization|api[-_]?key)[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:[a-z]{1,12}\s)?)"
)
"""What stands before a key where it is handed over."""


class Secrets:
    """The keys and passwords that go to a server, so that they come back from it to nobody.

    Each is known as it is, as a URL, HTML, JSON or Python writes it, all of these within each other, and within
    base64. A short one counts where it is handed over: after `Bearer`, `api-key:` and their like.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({secret for secret in secrets if secret})
        short = [secret for secret in known if len(secret) < _LONG]
        long = {form.lower() for secret in known for form in _forms(secret)}
        self._long = tuple(sorted(long, key=len, reverse=True))
        runs = {max(re.findall("[a-z0-9]*", form.lower()), key=len) for form in (*long, *short)}
        self._runs = tuple(runs)
        """Of each secret the longest piece that an encoding leaves as it is, if it leaves letters and digits so."""
        self._short = tuple(short)
        self._words = tuple(word for word in short if len(word) >= _SHORTEST_WORD)
        anywhere = [f"(?i:{'|'.join(map(re.escape, self._long))})"] if long else []
        handed_over = [rf"(?i:{_HANDED_OVER})(?:{_either(short)})(?![A-Za-z0-9])"] if short else []
        words = [rf"(?<![A-Za-z0-9])(?:{_either(self._words)})(?![A-Za-z0-9])"] if self._words else []
        self._in_replies = re.compile("|".join((*anywhere, *handed_over)) or r"(?!)")
        self._in_errors = re.compile("|".join((*anywhere, *handed_over, *words)) or r"(?!)")

    def __bool__(self) -> bool:
        return bool(self._long or self._short)

    def are_in(self, text: str) -> bool:
        """Whether a reply holds one of them."""
        return any(self._in_replies.search(shown) for shown in self._suspicious(text))

    def out_of(self, text: str) -> str:
        """The text of an error with `***` in place of each; short ones also where they are words of their own."""
        if not any(self._in_errors.search(shown) for shown in self._suspicious(text)):
            return text
        pieces, end = [], 0
        for start, stop in sorted(self._places(text)):
            if stop > end:
                pieces += [text[end:start], "***"] if start >= end else []
                end = stop
        return "".join((*pieces, text[end:]))

    def _suspicious(self, text: str) -> Iterator[str]:
        """Of the text and what is behind its encodings, each that may hold one: a look that costs next to nothing."""
        if not self:
            return
        for _ in range(_ROUNDS):
            small = text.lower()
            has_run = any(run in small for run in self._runs)
            if has_run and (any(form in small for form in self._long) or any(word in text for word in self._short)):
                yield text
            if not has_run and _OF_LETTERS.search(text) is None:
                return
            decoded = _ESCAPE.sub(_decoded, text)
            if decoded == text:
                return
            text = decoded

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where they are in a text, also those behind its encodings."""
        starts, ends = array("I", range(len(text))), array("I", range(1, len(text) + 1))
        for _ in range(_ROUNDS):
            for found in self._in_errors.finditer(text):
                yield starts[found.start()], ends[found.end() - 1]
            pieces, begins, stops, place = list[str](), array("I"), array("I"), 0
            for match in _ESCAPE.finditer(text):
                piece = _decoded(match)
                pieces += (text[place : match.start()], piece)
                begins += starts[place : match.start()] + starts[match.start() : match.start() + 1] * len(piece)
                stops += ends[place : match.start()] + ends[match.end() - 1 : match.end()] * len(piece)
                place = match.end()
            if not place:
                return
            text = "".join((*pieces, text[place:]))
            starts, ends = begins + starts[place:], stops + ends[place:]


def _either(texts: Iterable[str]) -> str:
    return "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))


def _forms(secret: str) -> Iterator[str]:
    """What a text holds, its encodings undone, that holds a secret: the secret, and what base64 makes of it."""
    if len(secret) >= _LONG:
        decoded = _ESCAPE.sub(_decoded, secret)  # one that has signs of an encoding loses them with the text
        yield from {form for text in (secret, decoded) if len(text) >= _LONG for form in (text, text.replace(" ", "+"))}
    encoded = secret if len(secret) >= _LONG else f"Bearer {secret}"
    if len(encoded) >= _LONG:
        yield from _in_base64(encoded.encode())


def _in_base64(secret: bytes) -> Iterator[str]:
    """The characters that are sure, wherever the secret begins: at the first, second or third byte of three."""
    for before in range(3):
        text = b64encode(bytes(before) + secret).decode()
        sure = text[-(-before * 4 // 3) : (before + len(secret)) * 4 // 3]
        yield from (sure, sure.replace("+", "-").replace("/", "_"))


def _decoded(match: re.Match[str]) -> str:
    return _meaning(match[0])


@lru_cache(2048)
def _meaning(escape: str) -> str:
    """The character that an escape stands for."""
    if escape[0] == "%":
        return unquote(escape)
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[0] in "\r\n":
        return ""
    if escape[1] in "uUx" and len(escape) > 2:
        number = int(escape[2:].strip("{}"), 16)
        return chr(number) if number <= sys.maxunicode else "\ufffd"
    return {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}.get(escape[1], escape[1])
