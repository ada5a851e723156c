"""What is said of a config that cannot be: one line with the place, the key, what was read there and what to write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from ensemble_instruct.config.spelling import Place, Spelling, keys_in_line, told

_TEXT_WANTED = ("string_type", "path_type", "literal_error")
"""Where a text is expected, or one of several."""
_VALUE_WANTED = (
    *_TEXT_WANTED, "int_type", "int_from_float", "float_type", "bool_type", "list_type", "dict_type", "model_type",
    "model_attributes_type",
)  # fmt: skip
"""Where a value of another type is expected than is there."""
_BRANCHES = ("str", "list[str]", "int", "dict[str,int]")
"""How pydantic calls the branches of unions."""


def in_one_line(error: ValidationError, source: str, spelled: Mapping[Place, Spelling]) -> str:
    """The first of its problems; `source` is where the values come from that are not spelled."""
    problems = error.errors(include_url=False)
    first = problems[0]
    context = first.get("ctx") or {}
    location = [str(part) for part in first["loc"]]
    while len(location) > 1 and _is_branch(location, first["type"], spelled):
        location.pop()
    if "keys" in context:  # those that a user has chosen
        location += map(str, context["keys"])
    elif "key" in context:
        location = [*location, *str(context["key"]).split(".")] if first["type"] == "unknown_key" else str(
            context["key"]
        ).split(".")  # fmt: skip
    places = (tuple(location[:end]) for end in range(len(location), 0, -1))
    where = next((spelled[place].where for place in places if place in spelled), source)
    message = first["msg"].removeprefix("Value error, ")
    if message[1:2].islower():
        message = message[0].lower() + message[1:]
    if first["type"] == "path_type":
        message = "input should be a path"
    spelling = spelled.get(tuple(location))
    if spelling is not None and first["type"] in _VALUE_WANTED:
        message += _what_was_read(spelling, first["type"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}: {keys_in_line(location) or 'config'}: {message}{more}"


def _is_branch(location: Sequence[str], problem: str, spelled: Mapping[Place, Spelling]) -> bool:
    """Whether the last part is no key of the user's: pydantic names which branch of a union it tried."""
    if not spelled:
        return location[-1] in _BRANCHES
    return problem != "missing" and tuple(location) not in spelled


def _what_was_read(spelling: Spelling, problem: str) -> str:
    """What YAML made of a value, and what to write, as the end of a sentence; empty where that is plain to see."""
    text, read_as = spelling.text, spelling.read_as
    if text is None:
        return f"; {told('', read_as)} {'are' if read_as == 'map' else 'is'} there" if read_as in ("seq", "map") else ""
    if spelling.is_secret:
        return f"; it is read as {told('', read_as)}: quote it"
    if not text and read_as == "null":
        return "; nothing is there: write a value, or leave the key out"
    shown = f"{text[:40]}…" if len(text) > 40 else text
    if problem in _TEXT_WANTED and read_as != "str":
        return f'; {shown} is read as {told(text, read_as)}: quote it: "{shown}"'
    if problem == "literal_error":
        return ""
    if problem.startswith("int") and read_as == "float":
        whole = float(text.replace("_", ""))
        return f": write {int(whole)}" if whole.is_integer() else ": write a whole number"
    return f"; {shown} is read as {told(text, read_as)}{_advice(spelling, text, problem)}"


def _advice(spelling: Spelling, text: str, problem: str) -> str:
    """What to write instead of a value that is no number, or neither true nor false."""
    if problem == "bool_type":
        return ": write true or false"
    if spelling.read_as != "str":
        return ""
    if spelling.is_quoted and re.fullmatch(r"[-+\d._eE]+", text):
        return ": leave the quotes out"
    if problem.startswith("int") and re.fullmatch(r"0[oO][0-7]+", text):
        return f": write {int(text, 8)}"
    return f": write {text.replace(',', '.')}, with a point" if re.fullmatch(r"-?\d+,\d+", text) else ""
