"""Worked examples that a text says as JSON: objects with `input` and `output`, alone, in a list, or one to a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_OBJECT = re.compile(r"\{\s*\"[^\"\n]{1,60}\"\s*:")
"""Where an object may begin."""
_KEY = re.compile(
    r"\s*(?:(?:example|sample|expected)[ _-]?)?(instruction|input|output|answer|response)\s*", re.IGNORECASE
)
_STATES = re.compile(rf'"{_KEY.pattern}"\s*:', re.IGNORECASE)
_TEXT_OR_COMMA = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)|,(?=\s*[}\]])', re.DOTALL)
"""A text as a whole, or a comma that stands before the end of an object or a list."""
_MOST_TRIES = 4
"""Objects that cannot be read, or that only hold others."""
_NEAR = 5
"""How far before the end of a text that is cut off a decoder may find fault with it: `tru`."""
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonExample:
    """One object that states a worked example. A part is None where there is none, or null."""

    start: int
    instruction: str | None = None
    input: str | None = None
    output: str | None = None
    is_cut_off: bool = False
    """Whether the text ends before the object does: then nothing is read out of it."""


def json_examples(text: str, before: int) -> Iterator[JsonExample]:
    """The examples of a text whose first one begins before a place, in time linear in the text.

    Parts that are no texts are written as compact JSON.
    """
    tries, cut_off, last = 0, -1, -1
    inherited: str | None = None
    found = _OBJECT.search(text, 0, before)
    while found and tries < _MOST_TRIES:
        start, place = found.span()
        parts, end = _decoded(text, start)
        if parts is None:
            tries += 1
            cut_off = start if end == len(text) else cut_off
        elif "input" in parts or "output" in parts:
            instruction = parts.get("instruction", inherited)
            output = parts.get("output")
            yield JsonExample(start=start, instruction=instruction, input=parts.get("input"), output=output)
            inherited, last, place = None, start, end
        else:
            inherited = parts.get("instruction")
            tries += 1
        found = _OBJECT.search(text, place, len(text) if last >= 0 else before)
    if cut_off > last and _STATES.search(text, cut_off):
        yield JsonExample(start=cut_off, is_cut_off=True)


def _decoded(text: str, start: int) -> tuple[dict[str, str | None] | None, int]:
    """(the parts of an example in the object that begins at a place, where it ends).

    (None, the end of the text) for an object that the text ends in; (None, start) for one that is none.
    """
    fault = ""
    for read in (_as_it_is, _without_last_commas, _closed):
        try:
            value, end = _DECODER.raw_decode(read(text, start), start)
            return _parts(value), min(end, len(text))
        except json.JSONDecodeError as error:
            is_at_end = error.msg.startswith("Unterminated") or len(text.rstrip()) - error.pos < _NEAR
            fault = fault or ("end" if is_at_end else "within")
        except (ValueError, RecursionError):  # a number or a nesting that is too long to be one
            break
    return None, len(text) if fault == "end" else start


def _as_it_is(text: str, _: int) -> str:
    return text


def _without_last_commas(text: str, start: int) -> str:
    """Without the commas that stand before the end of an object or a list; all else stays in its place."""
    return text[:start] + _TEXT_OR_COMMA.sub(lambda found: " " if found[0] == "," else found[0], text[start:])


def _closed(text: str, _: int) -> str:
    """With the brace that is missing where the text ends with a whole part."""
    bare = text.rstrip()
    return f"{bare}}}" if bare.endswith(('"', "]", "}")) else text


def _parts(value: dict[str, Any]) -> dict[str, str | None]:
    """The parts of an example that an object holds, by name, as texts; an answer or response is an output."""
    parts: dict[str, str | None] = {}
    for key, part in value.items():
        if named := _KEY.fullmatch(key):
            is_text = part is None or isinstance(part, str)
            parts.setdefault(
                named[1].lower(), part if is_text else json.dumps(part, ensure_ascii=False, separators=(",", ":"))
            )
    for other in ("answer", "response"):
        if other in parts and "output" not in parts:
            parts["output"] = parts[other]
    return parts
