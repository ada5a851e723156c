"""The config of one model: where it answers, or how it is run here, and what of that goes into a request's key."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from ensemble_instruct.config.bundled import BUNDLED, bundled_path
from ensemble_instruct.config.section import Section
from ensemble_instruct.errors import ConfigError
from ensemble_instruct.files.digest import _digest, content_of

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
OPENAI_URL = "https://api.openai.com/v1"
_OF_THE_HUB: tuple[str, ...] = ("transformers", "vllm")
LOCAL_PROVIDERS = ("ctranslate2", *_OF_THE_HUB)

_KEYS_OF: Mapping[str, tuple[str, ...]] = {
    "openai": ("base_url", "revision"),
    "scripted": ("function", "replies"),
    "ctranslate2": (
        "path", "device", "compute_type", "threads", "batch_size", "batch_tokens", "context_length", "unload",
    ),
    "transformers": (
        "path", "revision", "device", "dtype", "options", "threads", "batch_size", "batch_tokens", "context_length",
        "unload",
    ),
    "vllm": ("path", "revision", "dtype", "options", "context_length", "unload"),
}  # fmt: skip
"""Keys that belong to some providers only."""
_WITHOUT_EFFECT = (
    "device_map", "max_memory", "offload_folder", "low_cpu_mem_usage", "gpu_memory_utilization", "max_num_seqs",
    "max_num_batched_tokens", "tensor_parallel_size", "pipeline_parallel_size", "swap_space", "cache_dir",
    "download_dir", "enforce_eager",
)  # fmt: skip
"""Options that say where and how fast a model runs, not what it answers."""


class Price(Section):
    """US dollars per million tokens."""

    input: float = Field(default=0.0, ge=0)
    output: float = Field(default=0.0, ge=0)


class ModelSection(Section):
    """One language model and where it answers."""

    provider: Literal["openai", "scripted", "ctranslate2", "transformers", "vllm"] = "openai"
    base_url: str | list[str] | None = None
    model: str = ""
    """The name on the server; for a model that runs here, its name on the Hub."""
    endpoint: Literal["completions", "chat"] = "completions"
    api_key_env: str | None = None
    license: str | None = None
    price: Price = Field(default_factory=Price)
    max_in_flight: int | None = Field(default=None, ge=1)
    """Most requests at a time, for each server; None: found out."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Ceilings of each server, prompts and completions together."""
    timeout: float = Field(default=600.0, gt=0)
    """Seconds that one try of a request may take."""
    max_tries: int = Field(default=6, ge=1)
    """Tries of a request that the server answers with an error of its own, before it is recorded as failed."""
    give_up_after: float = Field(default=1800.0, gt=0)
    """Seconds without any success after which the run stops."""
    function: str | None = None
    """`scripted`: `package.module:name` of a function from `Request` to text or `Response`."""
    replies: Path | None = Field(default=None, strict=False)
    """`scripted`: a JSONL file of `{prompt, text}`."""
    path: Path | None = Field(default=None, strict=False)
    """The folder of a model that runs here; `bundled:models/NAME` for one that comes with the package."""
    revision: str | None = None
    """The commit, tag or branch of a model on the Hub; of a server's, what its owner says that it serves."""
    device: str | None = None
    """`cpu`, `cuda`, `cuda:N`, or `auto`, the default."""
    compute_type: str | None = None
    """`ctranslate2`: `int8`, `float32`, … ; as the folder was converted, where it is left out."""
    dtype: str | None = None
    """The type of the weights in memory: `bfloat16`, `float32`, …; as they are stored, where it is left out."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Passed on to the engine as it is: quantisation, `device_map`, …"""
    threads: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    """Most requests that are worked on together."""
    batch_tokens: int | None = Field(default=None, ge=1)
    """Most tokens, of prompts and replies, that are worked on together."""
    context_length: int | None = Field(default=None, ge=2)
    """Most tokens of a prompt and its reply; found in the model's folder, where it is left out."""
    unload: bool = False
    """Free its memory when its last role is over, and let no later step's model begin before."""

    @field_validator("api_key_env")
    @classmethod
    def _name_of_variable(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError("must be the name of an environment variable (not the key itself), such as MY_KEY")
        return value

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str | list[str] | None) -> str | list[str] | None:
        for url in [value] if isinstance(value, str) else value or []:
            _require_plain_url(url)
        if isinstance(value, list) and not value:
            raise ValueError("name at least one address")
        if isinstance(value, list) and len({url.rstrip("/") for url in value}) < len(value):
            raise ValueError("names the same address twice; each replica has one of its own")
        return value

    @field_validator("device")
    @classmethod
    def _known_device(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
            raise ValueError("must be auto, cpu, cuda, cuda:N, or (transformers) mps")
        return value

    @field_validator("options")
    @classmethod
    def _no_secrets(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in value:
            if "token" in str(key) and "tokens" not in str(key) and "tokenizer" not in str(key):
                raise ValueError("must not hold a key; set environment variable HF_TOKEN")
        return value

    @model_validator(mode="after")
    def _complete(self) -> ModelSection:
        if self.provider == "openai":
            if not self.model:
                raise ValueError("'model' is missing: the name under which the server serves it")
            if self.base_url is None:
                _require_plain_url(self.base_urls[0], "OPENAI_BASE_URL")
            if self.function or self.replies:
                raise ValueError("'function' and 'replies' belong to provider: scripted")
        elif self.provider == "scripted" and bool(self.function) == bool(self.replies):
            raise ValueError("provider: scripted needs either 'function' or 'replies'")
        elif self.provider == "ctranslate2" and self.path is None:
            raise ValueError("provider: ctranslate2 needs 'path', the folder of a converted model (docs/clients.md)")
        elif self.provider in _OF_THE_HUB and bool(self.path) == bool(self.model):
            raise ValueError(f"provider: {self.provider} needs either 'model', a name on the Hub, or 'path', a folder")
        self._require_own_keys()
        return self

    def _require_own_keys(self) -> None:
        own = _KEYS_OF[self.provider]
        for key in sorted({key for keys in _KEYS_OF.values() for key in keys} - set(own)):
            default = type(self).model_fields[key].get_default(call_default_factory=True)
            if getattr(self, key) != default:
                owners = ", ".join(provider for provider, keys in _KEYS_OF.items() if key in keys)
                raise ValueError(f"'{key}' belongs to provider: {owners}")

    @property
    def is_local(self) -> bool:
        """Whether it runs in this process."""
        return self.provider in LOCAL_PROVIDERS

    @property
    def base_urls(self) -> tuple[str, ...]:
        """The addresses, without a slash at the end; replicas after the first."""
        given = self.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
        return tuple(url.rstrip("/") for url in ([given] if isinstance(given, str) else given))

    @property
    def public_name(self) -> str:
        """The name of the model that a reader can look up: that of its last folder, where it is the path of one."""
        name = self.model or self.function or str(self.replies or self.path or "")
        is_path = not self.model or name.startswith(("/", "~", "."))
        return Path(name).name if is_path and not self.function else name

    @property
    def folder(self) -> Path | None:
        """Where the model lies that `path` names."""
        return None if self.path is None else bundled_path(self.path)

    @property
    def is_bundled(self) -> bool:
        """Whether it comes with this package."""
        return self.path is not None and str(self.path).startswith(BUNDLED)

    @property
    def identity(self) -> tuple[str, ...]:
        """What of the model goes into the key of a request: all that can change an answer, and nothing else.

        For a server: where it answers, its name there, the endpoint, and the revision if one is declared. A model that
        runs here is known by the content of its folder up to 64 MB, beyond by its path; or by its name and revision on
        the Hub.
        """
        if self.provider == "scripted":
            script = self.function or f"replies {_digest(self.replies)}"
            return (f"scripted: {script}", self.model, self.endpoint)
        if not self.is_local:
            return (self.base_urls[0], self.model, self.endpoint, *([self.revision] if self.revision else []))
        which = self.model if self.folder is None else content_of(self.folder)
        how = {"revision": self.revision, "compute_type": self.compute_type, "dtype": self.dtype}
        options = {key: value for key, value in self.options.items() if key not in _WITHOUT_EFFECT}
        settings = {"context_length": self.context_length, **how, **({"options": options} if options else {})}
        given = {key: value for key, value in settings.items() if value is not None}
        return (f"{self.provider}: {which}", json.dumps(given, sort_keys=True, default=str), self.endpoint)


def api_key(name: str, model: ModelSection) -> str | None:
    """The key of a model from the environment, or None where none is needed.

    Raises `ConfigError` when a variable other than OPENAI_API_KEY is named and not set.
    """
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


def _require_plain_url(url: str, source: str = "an address") -> None:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{source} must begin with http:// or https://")
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and parts.port != 0 and not re.search(r"[\s?#]", url)
        (parts.hostname or "").encode("idna")
    except ValueError:
        known = False
    if not known:
        raise ValueError(f"{source} needs a host, and a port below 65536 if any, such as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc:
        raise ValueError(f"{source} must not hold a password; name a variable with api_key_env")
