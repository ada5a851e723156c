"""`${NAME}` in a text of the config: what stands there is written, what the environment has is sent."""

from __future__ import annotations

import os
import re

from ensemble_instruct.config.keys import is_like_key, is_name_of_key, without_scheme
from ensemble_instruct.errors import ConfigError

_PART = re.compile(r"\$\$\{|\$\{([^{}$]*)\}?")
"""`$${`, which stands for a plain `${`, or a variable with its name."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def require_no_key(name: str, text: str) -> None:
    """Raise `ValueError` for a value under a name that is, or holds, a key itself instead of `${NAME}`.

    Also for a `${` that begins no variable. What is wrong is said without the value.
    """
    found = list(_PART.finditer(text))
    if any(match[1] is not None and not (_NAME.fullmatch(match[1]) and match[0].endswith("}")) for match in found):
        raise ValueError("has a ${ that begins no variable; write ${NAME}, or $${ for a plain ${")
    has_variable = any(match[1] is not None for match in found)
    # a space in its place: what stands before a variable and what stands behind it are no one word
    literal = _PART.sub(" ", text)
    if is_like_key(without_scheme(literal) if has_variable else literal) or (
        is_name_of_key(name) and text.strip() and not has_variable
    ):
        raise ValueError(
            f"holds a key itself, and the config is written to files; write {_written(name)}, and set that variable "
            f"in the environment"
        )


def _written(name: str) -> str:
    """How a key is named under a name."""
    scheme = "Bearer " if "authorization" in name.lower() else ""
    return f'{name}: "{scheme}${{NAME}}"'


def filled_in(text: str, key: str) -> tuple[str, tuple[str, ...]]:
    """The text with the values of its variables, and these values; `key` of the config names the text in errors.

    Raises `ConfigError` for a variable that is not set, or whose value has characters that HTTP cannot send.
    """
    values: list[str] = []

    def value_of(match: re.Match[str]) -> str:
        if match[1] is None:
            return "${"
        value = os.environ.get(match[1], "").strip()
        if not value:
            raise ConfigError(f"{key}: environment variable {match[1]} is not set; export it first")
        if not value.isprintable() or not value.isascii():
            raise ConfigError(
                f"{key}: environment variable {match[1]} has characters that no HTTP header can hold; export it again"
            )
        values.append(value)
        return value

    return _PART.sub(value_of, text), tuple(values)
