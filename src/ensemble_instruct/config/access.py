"""What a server asks for before it answers, from the environment: the key, and the variables of headers and query."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.servers.additions import hand_over_key
from ensemble_instruct.config.servers.variables import filled_in
from ensemble_instruct.errors import ConfigError

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
"""The environment variable that holds the API key where `api_key_env` names no other."""


@dataclass(frozen=True, slots=True)
class Access:
    """What goes with each request to a server, and what of it must be seen by nobody else."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    secrets: tuple[str, ...]
    """The key and the values of all variables, longest first."""


def access_of(name: str, model: ModelSection, key: str | None) -> Access:
    """What goes with each request to a model; raises `ConfigError` for a variable that is not set."""
    secrets: set[str] = {key} if key else set()
    sent: dict[str, dict[str, str]] = {"headers": {}, "query": {}}
    for part, texts in (("headers", model.headers), ("query", model.query)):
        for field, text in texts.items():
            sent[part][field], values = filled_in(text, f"models.{name}.{part}.{field}")
            secrets.update(values)
    if key:
        sent["headers"]["Authorization"] = f"Bearer {key}"
    return Access(sent["headers"], sent["query"], tuple(sorted(secrets, key=len, reverse=True)))


def api_key(name: str, model: ModelSection) -> str | None:
    """The key of a model from the environment, or None where none is needed.

    The one in `OPENAI_API_KEY` goes to no server that gets a key by a header or the query. Raises `ConfigError` when
    another variable is named and not set.
    """
    if model.api_key_env is None and hand_over_key(model.headers, model.query):
        return None
    variable = model.api_key_env or DEFAULT_KEY_VARIABLE
    key = os.environ.get(variable, "").strip()
    if not key and variable != DEFAULT_KEY_VARIABLE:
        raise ConfigError(f"models.{name}.api_key_env: environment variable {variable} is not set; export it first")
    if not key.isprintable() or not key.isascii():
        raise ConfigError(
            f"models.{name}.api_key_env: environment variable {variable} holds no key: it has characters "
            f"that no HTTP header can hold; export it again"
        )
    return key or None
