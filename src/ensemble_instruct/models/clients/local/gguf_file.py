"""What a GGUF file says of itself in its head: whether it is one, and the few values that are asked for."""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ensemble_instruct.errors import ConfigError

_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""The types of plain values, by the numbers that the format has for them."""
_STRING, _ARRAY = 8, 9
_LONGEST = 2**24
"""Bytes of a text and values of a list: with more, it is no head of a model."""


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A model in one file."""

    path: Path
    architecture: str
    has_template: bool
    """Whether it carries a chat template."""


def read_gguf(name: str, path: Path) -> GgufFile:
    """The head of a model's file. Raises `ConfigError` where there is none, or it is no GGUF."""
    if path.is_dir():
        raise ConfigError(f"models.{name}.path: {path} is a folder; name the .gguf file in it")
    try:
        with path.open("rb") as file:
            found = _values(file, ("general.architecture", "tokenizer.chat_template"))
    except OSError as error:
        raise ConfigError(f"models.{name}.path: cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(
            f"models.{name}.path: {path} is no GGUF file, or is not whole ({error}); download it again, or convert the "
            f"model with llama.cpp's convert_hf_to_gguf.py"
        ) from error
    return GgufFile(path, found.get("general.architecture", ""), "tokenizer.chat_template" in found)


def _values(file: BinaryIO, wanted: Collection[str]) -> dict[str, str]:
    """The texts under some keys of the head."""
    if file.read(4) != b"GGUF" or _number(file, "I") not in (2, 3):
        raise ValueError("it does not begin as one of version 2 or 3")
    _number(file, "Q")  # tensors
    found = {}
    for _ in range(_number(file, "Q")):
        key = _text(file)
        text = _value(file, _number(file, "I"))
        if key in wanted and text is not None:
            found[key] = text
    return found


def _value(file: BinaryIO, kind: int) -> str | None:
    """The value that comes next, if it is a text; any other is passed over."""
    if kind == _STRING:
        return _text(file)
    if kind == _ARRAY:
        kind, length = _number(file, "I"), _length(file)
        if kind in _FORMATS:
            file.seek(length * struct.calcsize(_FORMATS[kind]), 1)
        elif kind == _STRING:
            for _ in range(length):
                _text(file)
        else:
            raise ValueError(f"a list of type {kind}")
    elif kind in _FORMATS:
        _bytes(file, struct.calcsize(_FORMATS[kind]))
    else:
        raise ValueError(f"a value of type {kind}")
    return None


def _text(file: BinaryIO) -> str:
    return _bytes(file, _length(file)).decode("utf-8", "replace")


def _length(file: BinaryIO) -> int:
    length = _number(file, "Q")
    if length > _LONGEST:
        raise ValueError(f"a length of {length}")
    return length


def _number(file: BinaryIO, kind: str) -> int:
    (value,) = struct.unpack(f"<{kind}", _bytes(file, struct.calcsize(kind)))
    return int(value)


def _bytes(file: BinaryIO, number: int) -> bytes:
    content = file.read(number)
    if len(content) < number:
        raise ValueError("it ends within its head")
    return content
