"""Whose code a config may bring into this process: none, unless the user has allowed it, and never by the config."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.spelling import shortened
from ensemble_instruct.errors import ConfigError

ALLOW_CODE = "ENSEMBLE_INSTRUCT_ALLOW_CODE"
"""The environment variable that allows it where it is `1`."""
_BRINGS_CODE = re.compile(
    r"trust_remote_code|(?:^|_)cls$|_class(?:es)?(?:_overrides)?$|plugins?$|logits_processors?$|use_kernels|"
    r"kernel_config|custom_generate|module_path|_passes$"
)
"""Options of transformers and vLLM by which a program of the model's, or one that is named, is run."""
_MAY_NAME_CODE = re.compile(r"(?:backend|implementation|loader|load_format|compiler)$")
"""Options that take a word, or the name of a program: with a dot, a colon or a slash in it."""


def require_code_allowed(models: Mapping[str, ModelSection], *, allow_code: bool) -> None:
    """Raise `ConfigError` for a model that runs code of others, unless `allow_code` or the environment allows it."""
    if allow_code or os.environ.get(ALLOW_CODE) == "1":
        return
    for name, section in models.items():
        for what in _code_of(section):
            raise ConfigError(
                f"models.{name}.{what} runs a program that is not this one's, with all your rights; if you know what "
                f"it does, give --allow-code, set {ALLOW_CODE}=1, or call with allow_code=True"
            )


def _code_of(section: ModelSection) -> Iterator[str]:
    """What in the settings of a model runs code that is not of this package, nor of those that it is built upon."""
    if section.function is not None:
        yield f"function: {shortened(section.function)}"
    yield from (f"options.{key}" for key, value in _options(section.options) if _runs_code(key, value))


def _options(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each option with the names of those above it, and what it is set to."""
    for key, value in options.items():
        yield str(key), value
        items = value if isinstance(value, list) else [value]
        for item in (item for item in items if isinstance(item, Mapping)):
            yield from ((f"{key}.{inner}", each) for inner, each in _options(item))


def _runs_code(key: str, value: Any) -> bool:
    name = key.rpartition(".")[2]
    if name == "weights_only":
        return not value  # files of weights that are programs
    if _MAY_NAME_CODE.search(name):
        return isinstance(value, str) and any(sign in value for sign in ".:/")
    return bool(value) and _BRINGS_CODE.search(name) is not None
