"""The section of one model: where it answers or how it is run, and what of that goes into a request's key."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ensemble_instruct.config.bundled import BUNDLED, bundled_path
from ensemble_instruct.config.keys import OF_RUN
from ensemble_instruct.config.section import ModelSampling, Section
from ensemble_instruct.config.servers.additions import checked_body, checked_headers, checked_options, checked_query
from ensemble_instruct.config.servers.addresses import OPENAI_URL, require_no_key_in_path, require_plain_url
from ensemble_instruct.config.servers.prices import KnownPrice, Price, known_price
from ensemble_instruct.files.digest import model_digest, model_file_digest, replies_digest
from ensemble_instruct.files.jsonl import has_lone_surrogate

_OF_THE_HUB: tuple[str, ...] = ("transformers", "vllm")
"""Providers that load a model from the Hub by its name."""
LOCAL_PROVIDERS = ("ctranslate2", "llamacpp", *_OF_THE_HUB)
"""Providers that run the model in this process."""

_KEYS_OF: Mapping[str, tuple[str, ...]] = {
    "openai": (
        "base_url", "known_as", "revision", "structured", "system", "sampling", "extra_body", "headers", "query",
        "ca_file",
    ),
    "scripted": ("function", "replies"),
    "ctranslate2": (
        "path", "device", "compute_type", "threads", "batch_size", "batch_tokens", "context_length", "unload",
    ),
    "llamacpp": ("path", "structured", "system", "sampling", "threads", "batch_size", "context_length", "unload"),
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


class ModelSection(Section):
    """One language model: where it answers or how it is run, and what it may be asked at once."""

    provider: Literal["openai", "scripted", "ctranslate2", "llamacpp", "transformers", "vllm"] = "openai"
    """`openai`: any server of its protocol; `scripted`: a function or a file; the others: run in this process."""
    base_url: str | list[str] | None = None
    """`openai`: the server's address, or a list of replicas, the first of which names the model in request keys.

    Null: `OPENAI_BASE_URL` from the environment, else https://api.openai.com/v1.
    """
    known_as: str | None = None
    """`openai`: the address that a server had before it moved to `base_url`: its answers are known by that one still.

    Request keys, by which answers are known, keep the old address: a run that is resumed asks nothing again.
    """
    model: str = ""
    """The model's name on the server; for a model that is run in this process, its name on the Hub."""
    endpoint: Literal["completions", "chat"] = "completions"
    """`completions` sends the prompt as it is, as base models need it; `chat` has a conversation for each step."""
    structured: Literal["auto", "always", "never"] = "auto"
    """`openai`, `llamacpp` over chat: whether steps 1 and 2 ask for JSON by a schema; `auto`: if the server follows it.

    What `auto` comes to is found out by one request before the first of a run, and kept when it is resumed.
    """
    system: str = ""
    """`openai`, `llamacpp` over chat: a system message that each conversation with the model begins with."""
    sampling: ModelSampling = Field(default_factory=ModelSampling)
    """`openai`, `llamacpp`: how this model samples, whatever it is asked; what is left out is as each step has it."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """`openai`: further keys of each request's body, any JSON: `{chat_template_kwargs: {enable_thinking: false}}`."""
    headers: dict[str, str] = Field(default_factory=dict)
    """`openai`: further headers of each request; `${NAME}` in one is the value of that environment variable.

    A key must be named so: what stands in a config is written to files.
    """
    query: dict[str, str] = Field(default_factory=dict)
    """`openai`: the query of each request's address, such as `{api-version: "2024-10-21"}`; `${NAME}` as in `headers`.
    """
    ca_file: Path | None = Field(default=None, strict=False)
    """`openai`: a file with certificates (PEM) that the server's is signed by, beside those that the system trusts."""
    api_key_env: str | None = None
    """The environment variable that holds the API key; null: `OPENAI_API_KEY`, if it is set.

    Where `headers` or `query` hand a key over, null is none.
    """
    license: str | None = None
    """SPDX id of the model's licence; null: that under which a model of its name was published, if it is known."""
    price: Price = Field(default_factory=Price)
    """US dollars per million tokens, for the estimate, `status` and `--budget`; what is null is looked up."""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """How much you trust this model compared with the others: its strength and its vote count by this factor.

    For the strategy `vouched`; it changes no answer of the model.
    """
    max_in_flight: int | None = Field(default=None, ge=1)
    """Most requests in flight for each server; null: found out while it answers."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Most requests that each server gets in a minute; null: no limit but the server's own."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Most tokens that each server gets and gives in a minute; null: no limit but the server's own."""
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
    """Folder of a model that is run in this process, for `llamacpp` its .gguf file.

    `bundled:models/NAME`: one that comes with the package.
    """
    revision: str | None = None
    """Commit, tag or branch of a model on the Hub, null: `main`; for a server, what its owner says that it serves."""
    device: str | None = None
    """`ctranslate2`, `transformers`: `cpu`, `cuda`, `cuda:N`, `mps` (transformers) or `auto`; null: `auto`."""
    compute_type: str | None = None
    """`ctranslate2`: the type of the numbers, such as `int8` or `float32`; null: as the folder was converted."""
    dtype: str | None = None
    """`transformers`, `vllm`: the type of the weights in memory, such as `bfloat16`; null: as they are stored."""
    options: dict[str, Any] = Field(default_factory=dict)
    """`transformers`, `vllm`: handed to the engine unchanged, such as `{device_map: auto}` or a quantisation."""
    threads: int | None = Field(default=None, ge=1)
    """`ctranslate2`, `llamacpp`, `transformers`: threads of the processor; null: as the engine chooses."""
    batch_size: int | None = Field(default=None, ge=1)
    """Most requests in one batch; null: 32 (`transformers` without a GPU: 8; `llamacpp`: 4)."""
    batch_tokens: int | None = Field(default=None, ge=1)
    """Most tokens in one batch, of prompts and replies together; null: 32,768."""
    context_length: int | None = Field(default=None, ge=2)
    """Most tokens of a prompt and its reply together; null: as the model's folder says (`llamacpp`: 4,096)."""
    unload: bool = False
    """Whether its memory is freed when its last role is over; no model of a later step begins before that."""
    exclusive: str | None = Field(default=None, min_length=1)
    """A name that models share of which one fits at a time on their server (Ollama, llama-swap) or card.

    They are asked one after the other, in passes; one that is run in this process is freed after its pass.
    """

    @field_validator("api_key_env")
    @classmethod
    def _name_of_variable(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError("must be the name of an environment variable (not the key itself), such as MY_KEY")
        return value

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str | list[str] | None, info: ValidationInfo) -> str | list[str] | None:
        for url in [value] if isinstance(value, str) else value or []:
            require_plain_url(url)
            if info.context != OF_RUN:
                require_no_key_in_path(url)
        if isinstance(value, list) and not value:
            raise ValueError("name at least one address")
        if isinstance(value, list) and len({url.rstrip("/") for url in value}) < len(value):
            raise ValueError("names the same address twice; each replica has one of its own")
        return value

    @field_validator("known_as")
    @classmethod
    def _plain_old_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            require_plain_url(value)
            if info.context != OF_RUN:
                require_no_key_in_path(value)
        return value

    @field_validator("system")
    @classmethod
    def _text_to_send(cls, value: str) -> str:
        if has_lone_surrogate(value):
            raise ValueError("holds half of a surrogate pair, which is no text")
        return value

    _headers = field_validator("headers", mode="before")(checked_headers)
    _query = field_validator("query", mode="before")(checked_query)
    _body = field_validator("extra_body", mode="before")(checked_body)
    _options = field_validator("options", mode="before")(checked_options)

    @field_validator("device")
    @classmethod
    def _known_device(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
            raise ValueError("must be auto, cpu, cuda, cuda:N, or (transformers) mps")
        return value

    @model_validator(mode="after")
    def _complete(self) -> ModelSection:
        if self.provider == "openai":
            self._require_server()
        elif self.provider == "scripted" and bool(self.function) == bool(self.replies):
            raise ValueError("provider: scripted needs either 'function' or 'replies'")
        elif self.provider == "ctranslate2" and self.path is None:
            raise ValueError(
                "provider: ctranslate2 needs 'path', the folder of a converted model (docs/guide/local-models.md)"
            )
        elif self.provider == "llamacpp" and self.path is None:
            raise ValueError("provider: llamacpp needs 'path', the .gguf file of a model")
        elif self.provider in _OF_THE_HUB and bool(self.path) == bool(self.model):
            raise ValueError(f"provider: {self.provider} needs either 'model', a name on the Hub, or 'path', a folder")
        if self.unload and self.exclusive is not None:
            raise ValueError("give either 'exclusive' or 'unload': both say that it does not fit beside others")
        self._require_own_keys()
        if self.system and self.endpoint == "completions":
            raise ValueError("'system' needs endpoint: chat; over completions a model gets the prompt alone")
        return self

    def _require_server(self) -> None:
        if not self.model:
            raise ValueError("'model' is missing: the name under which the server serves it")
        if self.base_url is None:
            require_plain_url(self.base_urls[0], "OPENAI_BASE_URL")
            require_no_key_in_path(self.base_urls[0], "OPENAI_BASE_URL")
        if self.api_key_env is not None and any(name.lower() == "authorization" for name in self.headers):
            raise ValueError("give either 'api_key_env' or the header 'Authorization'; both are the same header")
        if self.function or self.replies:
            raise ValueError("'function' and 'replies' belong to provider: scripted")

    def _require_own_keys(self) -> None:
        own = _KEYS_OF[self.provider]
        for key in sorted({key for keys in _KEYS_OF.values() for key in keys} - set(own)):
            default = type(self).model_fields[key].get_default(call_default_factory=True)
            if getattr(self, key) != default:
                owners = ", ".join(provider for provider, keys in _KEYS_OF.items() if key in keys)
                raise ValueError(f"'{key}' belongs to provider: {owners}")

    @property
    def is_local(self) -> bool:
        """Whether it is run in this process."""
        return self.provider in LOCAL_PROVIDERS

    @property
    def takes_schema(self) -> bool:
        """Whether it may be held to a JSON Schema over chat."""
        return "structured" in _KEYS_OF[self.provider]

    @property
    def base_urls(self) -> tuple[str, ...]:
        """The addresses, without a slash at the end; replicas after the first."""
        urls = self.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
        return tuple(url.rstrip("/") for url in ([urls] if isinstance(urls, str) else urls))

    @property
    def known_url(self) -> str:
        """The address by which the answers of a server are known: that from before it moved, if it did."""
        return (self.known_as or self.base_urls[0]).rstrip("/")

    @property
    def known_price(self) -> KnownPrice | None:
        """What it costs; None where that is not known."""
        return known_price(self.price, self.model, self.base_urls if self.provider == "openai" else ())

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
    def content(self) -> str | None:
        """What the model that `path` names is known by."""
        if self.folder is None:
            return None
        return model_file_digest(self.folder) if self.provider == "llamacpp" else model_digest(self.folder)

    @property
    def is_bundled(self) -> bool:
        """Whether it comes with this package."""
        return self.path is not None and str(self.path).startswith(BUNDLED)

    @property
    def voice(self) -> tuple[str, ...]:
        """All by which two models answer differently: the identity, and the model's own `system` and `sampling`."""
        own = {"system": self.system, **self.sampling.model_dump()}
        set_ones = {key: value for key, value in own.items() if value not in (None, "")}
        return (*self.identity, *([json.dumps(set_ones, sort_keys=True)] if set_ones else []))

    @property
    def identity(self) -> tuple[str, ...]:
        """What of the model goes into the key of a request: all that can change an answer, and nothing else.

        For a server: where it answers, its name there, the endpoint, the revision if one is declared, and what is added
        to the body and the query, as it is written. A model that runs here is known by the content of its folder or
        file up to 64 MB, beyond by its path; or by its name and revision on the Hub.
        """
        if self.provider == "scripted":
            script = self.function or f"replies {replies_digest(self.replies)}"
            return (f"scripted: {script}", self.model, self.endpoint)
        if not self.is_local:
            added = {key: value for key, value in (("body", self.extra_body), ("query", self.query)) if value}
            more = [json.dumps(added, sort_keys=True)] if added else []
            return (self.known_url, self.model, self.endpoint, *([self.revision] if self.revision else []), *more)
        which = self.content or self.model
        how = {"revision": self.revision, "compute_type": self.compute_type, "dtype": self.dtype}
        options = {key: value for key, value in self.options.items() if key not in _WITHOUT_EFFECT}
        settings = {"context_length": self.context_length, **how, **({"options": options} if options else {})}
        set_ones = {key: value for key, value in settings.items() if value is not None}
        return (f"{self.provider}: {which}", json.dumps(set_ones, sort_keys=True, default=str), self.endpoint)
