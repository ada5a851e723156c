"""Tasks that a reply states as JSON: an array of texts or of objects, in an object or not, whole or cut off."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ensemble_instruct.replies.lists.markers import marker_of
from ensemble_instruct.replies.lists.phrases import COLONS
from ensemble_instruct.replies.lists.texts import is_sentence

_DECODER = json.JSONDecoder(strict=False)
_START = re.compile(r"\[\s*[\"'{\[]|\{\s*[\"']")
_NEXT = re.compile(r"[\s,;]*")
_MORE = re.compile(r"\s*(?:[,;\]}\"{\[]|$)")
_LINE = re.compile(r"\"([^\n]*)\"[ \t]*,?[ \t]*(?=[\n\]]|$)")
_WRAPPER = re.compile(r"\{\s*\"[^\"\\]{0,60}\"\s*:\s*(?=[\[{])")
_KEYS = ("instruction", "task", "prompt", "question", "text", "description", "content")
"""Keys under which an object states its task, the best first."""
_HALF = re.compile(
    rf"\"(?:{'|'.join(_KEYS)})\"\s*:\s*\"(?P<text>(?:[^\"\\]|\\.)*+)(?P<end>\"?)", re.IGNORECASE | re.DOTALL
)
_STRING = re.compile(r"\"(?P<text>(?:[^\"\\]|\\.)*+)(?P<end>\"?)", re.DOTALL)
_HALF_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{0,3}$")
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")
"""Half of a surrogate pair, which is no character."""
_DEPTH = 6


class JsonTexts(NamedTuple):
    """What a reply states as JSON, and the text around it."""

    before: str
    texts: list[str]
    half: str
    """The last text, where it is cut off."""
    after: str


def read_json(text: str) -> JsonTexts | None:
    """The tasks that a reply states as JSON; None where it has no JSON that holds tasks, or a list comes first."""
    found = _START.search(text)
    if not found:
        return None
    *lines, last = text[: found.start()].split("\n")
    if (
        any(map(_is_item, lines))
        or _is_item(last)
        or not (last.strip() == "" or last.rstrip().endswith((*COLONS, "=")))
    ):
        return None
    reader = _Reader(text, found.start())
    reader.read()
    stated = [*reader.texts, reader.half] if reader.half else reader.texts
    if not stated or 2 * sum(is_sentence(text.title()) for text in stated) < len(stated):
        return None
    return JsonTexts(text[: found.start()], reader.texts, reader.half, text[reader.place :])


def _is_item(line: str) -> bool:
    marker = marker_of(line.strip())
    return bool(marker and marker.stands_alone and marker.text)


class _Reader:
    def __init__(self, text: str, place: int) -> None:
        self.texts: list[str] = []
        self.half = ""
        self.place = place
        self._text = text

    def read(self) -> None:
        """Read values one after the other, as in JSON lines, until something else comes."""
        while self._text[self.place : self.place + 1] in ("[", "{"):
            if not self._value():
                return
            end = _NEXT.match(self._text, self.place)
            if not end or not _START.match(self._text, end.end()):
                return
            self.place = end.end()

    def _value(self) -> bool:
        """Read a value; whether it was whole."""
        try:
            value, self.place = _DECODER.raw_decode(self._text, self.place)
        except (ValueError, RecursionError):
            return self._python() or self._part()
        self.texts.extend(_texts(value))
        return True

    def _python(self) -> bool:
        """Read a list as Python writes it, with single quotation marks; whether there was one."""
        end = self._text.rfind("]") + 1
        if "'" not in self._text[self.place : self.place + 3] or not self._text.startswith("[", self.place):
            return False
        try:
            value = ast.literal_eval(self._text[self.place : end])
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return False
        self.texts.extend(_texts(value))
        self.place = end
        return True

    def _part(self) -> bool:
        """Read what is whole of a value that is not: the elements of an array, the first array of an object."""
        for _ in range(_DEPTH):
            if wrapper := _WRAPPER.match(self._text, self.place):
                self.place = wrapper.end()
            elif self._text.startswith("[", self.place):
                return self._elements()
        return self._half_text(_HALF.search(self._text, self.place))

    def _elements(self) -> bool:
        self.place += 1
        while True:
            end = _NEXT.match(self._text, self.place)
            self.place = end.end() if end else self.place
            if self.place >= len(self._text):
                return False
            if self._text[self.place] in "]}":
                self.place += 1
                return True
            start = self.place
            try:
                value, self.place = _DECODER.raw_decode(self._text, start)
            except (ValueError, RecursionError):
                return self._half_text(
                    (_STRING.match if self._text[self.place] == '"' else _HALF.search)(self._text, self.place)
                )
            if not _MORE.match(self._text, self.place) and (line := _LINE.match(self._text, start)):
                value, self.place = line[1], line.end()  # quotation marks in a text that are not escaped
            self.texts.extend(_texts(value))

    def _half_text(self, found: re.Match[str] | None) -> bool:
        if found:
            text = _unescaped(found["text"])
            if found["end"]:
                self.texts.append(text)
            else:
                self.half = text
        self.place = len(self._text)
        return False


def _unescaped(text: str) -> str:
    try:
        found: str = json.loads(f'"{re.sub(_HALF_ESCAPE, "", text)}"', strict=False)
    except ValueError:
        return text
    return _HALF_PAIR.sub("", found)


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """The tasks in a value: a text, those of a list, that of an object, those of an object's lists."""
    if depth > _DEPTH:
        return
    if isinstance(value, str):
        yield _HALF_PAIR.sub("", value)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, depth + 1)
    elif isinstance(value, dict):
        yield from _of_object(value, depth)


def _of_object(value: dict[str, Any], depth: int) -> Iterator[str]:
    by_key = {key.lower(): part for key, part in value.items()}
    for key in _KEYS:
        if isinstance(by_key.get(key), str):
            yield by_key[key]
            return
    parts = [part for part in value.values() if isinstance(part, list | dict) and part]
    texts = [part for part in value.values() if isinstance(part, str)]
    if parts:
        for part in parts:
            yield from _texts(part, depth + 1)
    elif len(texts) > 1 and all(any(letter.isdigit() for letter in key) for key in value):
        yield from texts
    elif texts:
        yield max(texts, key=len)
