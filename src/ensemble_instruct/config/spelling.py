"""What a YAML text says, with how and where each value is spelled; what YAML reads as another thing is refused.

YAML 1.1, which PyYAML reads, takes `no` for false, `2024-01-01` for a date, `12:30` for 750, `010` for 8 and `1e3` for
a text. Here `1e3` is a number, and what is hardly ever meant is refused, with what to write.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NoReturn

import yaml

from ensemble_instruct.config.keys import is_name_of_key
from ensemble_instruct.errors import ConfigError

Place = tuple[str, ...]
"""A key and those above it; an item of a list is named by its number."""
_DEEPEST = 60
"""Most keys below each other."""
_MOST = 20_000
"""Most keys and values, each as often as an alias repeats it: aliases of aliases make millions out of a few lines."""
LONGEST = 1_000_000
"""Characters of a YAML text; what people write is shorter."""
_MOST_SHOWN = 80
"""Letters of a key or a value that a message shows."""
_FREE = ("extra_body", "options")
"""Keys of a model whose value may be anything, so that nothing later says what is expected there."""
_OF_SECRETS = ("headers", "query", "api_key_env")
"""Keys of a model under which a user may write a key itself."""
_TAG = "tag:yaml.org,2002:"
_EXPONENT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+$")
"""A number that YAML 1.1 takes for a text, if there is no dot in it or no sign in its exponent."""
_ZERO_FIRST = re.compile(r"[-+]?0[0-9_]+$")
_LARGEST_WHOLE = 2**53
"""Up to here a floating-point number is exact."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a value stands in its source."""

    where: str
    """The file and the line of its key, or the `--set`."""
    text: str | None = None
    """A single value as it is written; None for a list or keys and values."""
    read_as: str = ""
    """What YAML takes it for: `bool`, `int`, `float`, `null`, `str`, `seq`, `map`."""
    is_quoted: bool = False
    is_secret: bool = False
    """Whether it may be a key, which no message shows."""


class _Loader(yaml.SafeLoader):
    """Reads numbers as people write them, and stops where a text is too much, before anything is made of it."""

    def __init__(self, text: str, where: Callable[[int], str] = str) -> None:
        super().__init__(text)
        self._line_at = where
        self._count = self._depth = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next value as PyYAML composes it; raises `ConfigError` for too many, too deep, or without an end."""
        is_alias: bool = self.check_event(yaml.AliasEvent)
        line: int = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
        before, self._depth = self._count, self._depth + 1
        if self._depth > _DEEPEST:
            self._refuse(line, f"more than {_DEEPEST} values within each other; write it flatter")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if is_alias and id(node) not in self._sizes:
            self._refuse(line, "goes on for ever; write it out without aliases")
        self._count += self._sizes[id(node)] if is_alias else 1
        if self._count > _MOST:
            self._refuse(line, f"more than {_MOST:,} keys and values, with those that aliases repeat; write fewer")
        self._sizes[id(node)] = self._count - before
        return node

    def _refuse(self, line: int, problem: str) -> NoReturn:
        raise ConfigError(f"{self._line_at(line)}: {problem}")


class Dumper(yaml.SafeDumper):
    """Quotes what `read_yaml` would take for a number."""


def _learn_numbers(kind: type[_Loader] | type[Dumper]) -> None:
    known = yaml.SafeLoader.yaml_implicit_resolvers.items()
    kind.yaml_implicit_resolvers = {
        first: [each for each in pairs if each[0] != f"{_TAG}value"] for first, pairs in known
    }
    kind.add_implicit_resolver(f"{_TAG}int", _ZERO_FIRST, list("-+0"))
    kind.add_implicit_resolver(f"{_TAG}float", _EXPONENT, list("-+.0123456789"))


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    """A number; a whole one where it is written so, with an exponent: `1e3`."""
    value: float = loader.construct_yaml_float(node)
    is_whole = _EXPONENT.match(node.value) and value.is_integer() and abs(value) <= _LARGEST_WHOLE
    return int(value) if is_whole else value


_learn_numbers(_Loader)
_learn_numbers(Dumper)
_Loader.add_constructor(f"{_TAG}float", _float)


def read_yaml(text: str, where: Callable[[int], str], below: Place = ()) -> tuple[Any, dict[Place, Spelling]]:
    """The value of a text, and how each part of it is spelled; `where` names a line, `below` is where the value goes.

    Raises `ConfigError` for what is certainly not meant, `yaml.YAMLError`, `ValueError` or `RecursionError` for what
    is not YAML.
    """
    if len(text) > LONGEST:
        raise ConfigError(f"{where(1)}: longer than {LONGEST:,} characters; write a shorter one")
    loader = _Loader(text, where)
    try:
        node = loader.get_single_node()
        found: dict[Place, Spelling] = {}
        if node is None:
            return None, found
        _Walk(loader, where, found).value(node, below, node.start_mark.line + 1)
        return loader.construct_document(node), found
    finally:
        loader.dispose()


def read_yaml_file(text: str, source: str) -> tuple[Any, dict[Place, Spelling]]:
    """The same of the text of a file, which `source` names; raises `ConfigError` for what is not YAML too."""
    try:
        return read_yaml(text, lambda line: f"{source}:{line}")
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{source}:{line}: not YAML: {error.problem}; check indentation and quotes") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: not YAML: {' '.join(str(error).split())}; check the values") from error


def comment_in(text: str) -> str | None:
    """The first comment of a text, from its `#` on; None where there is none. Raises `yaml.YAMLError`."""
    end = 0
    for token in yaml.scan(text, Loader=_Loader):
        between = text[end : token.start_mark.index]
        if "#" in between:
            return between[between.index("#") :].strip()
        end = token.end_mark.index
    rest = text[end:]
    return rest[rest.index("#") :].strip() if "#" in rest else None


class _Walk:
    """Goes through a text's nodes, before they become values."""

    def __init__(self, loader: _Loader, where: Callable[[int], str], found: dict[Place, Spelling]) -> None:
        self._loader, self._where, self._found = loader, where, found

    def value(self, node: yaml.Node, at: Place, line: int) -> None:
        """Note a value and all below it."""
        if len(at) > _DEEPEST:
            self._refuse(line, at[:3], f"more than {_DEEPEST} values within each other; write it flatter")
        read_as = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.ScalarNode):
            quoted, secret = node.style is not None, _is_secret(at)
            self._found[at] = Spelling(self._where(line), node.value, read_as, is_quoted=quoted, is_secret=secret)
            is_free = len(at) > 3 and at[0] == "models" and at[2] in _FREE
            if trap := _trap(node.value, read_as, is_free=is_free, is_secret=secret):
                self._refuse(line, at, trap)
            return
        self._found[at] = Spelling(self._where(line), None, read_as)
        if isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                self.value(item, (*at, str(number)), item.start_mark.line + 1)
        elif isinstance(node, yaml.MappingNode):
            self._keys(node, at)

    def _keys(self, node: yaml.MappingNode, at: Place) -> None:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line, name = key.start_mark.line + 1, self._name(key, at)
            if name in lines:
                self._refuse(line, (*at, name), f"stands already in line {lines[name]}")
            lines[name] = line
        self._loader.flatten_mapping(node)  # what `<<` takes from elsewhere
        for key, value in node.value:
            self.value(value, (*at, self._name(key, at)), key.start_mark.line + 1)

    def _name(self, key: yaml.Node, at: Place) -> str:
        """A key as a text; raises `ConfigError` where YAML takes it for another thing."""
        line, read_as = key.start_mark.line + 1, key.tag.removeprefix(_TAG)
        if not isinstance(key, yaml.ScalarNode):
            self._refuse(line, at, "a key must be a text; write it without brackets")
        name: str = key.value
        if read_as == "int" and re.fullmatch(r"0|-?[1-9][0-9]*", name) and at != ("models",):
            key.tag, read_as = f"{_TAG}str", "str"  # as in {logit_bias: {50256: -100}}
        if read_as not in ("str", "merge"):
            advice = f'quote it: "{shortened(name)}"' if name else "write one"
            self._refuse(line, (*at, name) if name else at, f"the key is read as {told(name, read_as)}; {advice}")
        return name

    def _refuse(self, line: int, at: Place, problem: str) -> NoReturn:
        raise ConfigError(": ".join(filter(None, (self._where(line), keys_in_line(at), problem))))


def keys_in_line(at: Sequence[str]) -> str:
    """A key with those above it, in one line."""
    return ".".join(shortened(part if part.isprintable() else repr(part)[1:-1]) for part in at)


def shortened(text: str, most: int = _MOST_SHOWN) -> str:
    """The beginning of a text that is too long for a message."""
    return f"{text[:most]}…" if len(text) > most else text


def _is_secret(at: Place) -> bool:
    return at[0:1] == ("models",) and any(part in _OF_SECRETS or is_name_of_key(part) for part in at[2:])


def told(text: str, read_as: str) -> str:
    """What YAML takes a text for, in words."""
    match read_as:
        case "bool":
            return "true" if text.lower() in ("yes", "true", "on") else "false"
        case "null":
            return "no value"
        case "int" | "float":
            is_plain = re.match(r"[-+]?\.?[1-9]", text) and ":" not in text
            return f"the number {shortened(text)}" if is_plain else "a number"
    return {"timestamp": "a date", "str": "a text", "seq": "a list", "map": "keys and values"}.get(read_as, read_as)


def _trap(text: str, read_as: str, *, is_free: bool, is_secret: bool) -> str:
    """What is wrong with a single value as it is written, and what to write; empty where nothing is."""
    quote = "quote it where it is a text" + ("" if is_secret else f': "{shortened(text)}"')
    shown = "the value" if is_secret else shortened(text)
    if read_as == "timestamp":
        return f"{shown} is read as a date; {quote}"
    if read_as == "bool" and is_free and text.lower() not in ("true", "false"):
        return f"{shown} is read as {told(text, read_as)}; write {told(text, read_as)}, or {quote}"
    if read_as not in ("int", "float"):
        return ""
    digits = text.replace("_", "").lower()
    if ":" in digits:
        value = reduce(lambda before, part: before * 60 + float(part), digits.lstrip("+-").split(":"), 0.0)
        value = -value if digits.startswith("-") else value
        number = "a number" if is_secret else f"{value:g}, a number"
        return f"{shown} is read as {number} of base 60; write one without colons, or {quote}"
    if read_as == "float" and not math.isfinite(value := float(re.sub(r"\.(?=inf|nan)", "", digits))):
        return f"{shown} is read as {value}, no finite number; write another, or {quote}"
    if _ZERO_FIRST.match(text):
        meant = "" if is_secret else f"write {_meant(digits)}, or "
        return f"{shown} begins with a zero, as octal numbers do; {meant}{quote}"
    return ""


def _meant(digits: str) -> str:
    """What a number that begins with a zero can be meant to be."""
    sign, digits = ("-" if digits.startswith("-") else ""), digits.lstrip("+-0") or "0"
    is_octal = set(digits) <= set("01234567") and int(digits, 8) != int(digits)
    octal = f", or {sign}{shortened(str(int(digits, 8)))} for the octal number" if is_octal else ""
    return f"{sign}{shortened(digits)}{octal}"
