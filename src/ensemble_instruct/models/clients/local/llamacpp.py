"""A GGUF file on llama.cpp in this process, by `xllamacpp`: it works on a few requests together, each in a place."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, TypeVar

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import ConfigError, EnsembleInstructError, ModelError, RequestRefusedError, TransientError
from ensemble_instruct.models.clients.base import Client, closed_error
from ensemble_instruct.models.clients.local.gguf_file import read_gguf
from ensemble_instruct.models.clients.local.local import require_packages, valid_turns
from ensemble_instruct.records import Request, Response, Sampling

_PLACES = 4
"""Requests that are worked on together, where the config does not say."""
_CONTEXT = 4096
"""Tokens of a place, where the config does not say: the memory for all of them is taken at the start."""
_STRIDE = 512
"""Tokens of prompts that are read before it is asked whether anybody still waits: what llama.cpp computes at once."""
_Result = TypeVar("_Result")
_RANDOM = 2**32 - 1
"""The seed that llama.cpp takes for none."""


class LlamaCppClient(Client):
    """A model in a file. It can be opened again after it was closed."""

    def __init__(self, name: str, section: ModelSection, api_key: str | None = None) -> None:
        require_packages(name, "llamacpp", ("xllamacpp",))
        if section.folder is None:
            raise ConfigError(f"models.{name}.path: name the .gguf file of the model")
        self._name, self._section, self._file = name, section, read_gguf(name, section.folder)
        if section.endpoint == "chat" and not self._file.has_template:
            raise ConfigError(
                f"models.{name}.endpoint: {section.folder} has no chat template; set endpoint: completions, or take "
                f"a file of the model that carries one"
            )
        self._places, self._context = section.batch_size or _PLACES, section.context_length or _CONTEXT
        self._work: _Work | None = None

    @property
    def traits(self) -> str:
        """See `Client.traits`."""
        return (
            f"llama.cpp, {self._file.architecture}, {self._places} together, {self._context} tokens each; "
            f"seeds are honoured, min_tokens is not"
        )

    async def open(self) -> None:
        """Load the model; raises `ModelError` when that fails."""
        if self._work is not None:
            return
        work = self._work = _Work(self._name, self._places)
        try:
            await work.do(lambda: work.load(self._parameters))
        except ModelError:
            await self.close()
            raise

    def _parameters(self, library: Any) -> Any:
        section, parameters = self._section, library.CommonParams()
        parameters.model.path = str(self._file.path)
        parameters.n_parallel, parameters.n_ctx = self._places, self._places * self._context
        if section.threads is not None:
            parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = section.threads
        parameters.n_batch = max(_STRIDE, self._places)
        parameters.cache_ram_mib = 0  # else up to 8 GiB of prompts that were read before
        parameters.verbosity, parameters.warmup = 0, False
        # it listens on this machine, whether it is asked to or not: nobody else knows the key
        parameters.api_keys, parameters.ui = [secrets.token_hex()], False
        return parameters

    async def answer(self, request: Request) -> Response:
        """See `Client.answer`."""
        work, dropped = self._work, threading.Event()
        if work is None:
            raise closed_error()
        try:
            return await work.do(lambda: self._reply(work, request, dropped))
        finally:
            dropped.set()

    def _reply(self, work: _Work, request: Request, dropped: threading.Event) -> Response:
        """The reply; for a thread."""
        until, reply = time.monotonic() + self._section.timeout, _Reply(self._name, self._context)

        def take(part: Mapping[str, Any]) -> bool:
            """Add a part of the reply; whether it goes on no further."""
            reply.add(part)
            return work.is_closed or dropped.is_set() or time.monotonic() > until

        work.ask(self._section.endpoint == "chat", self._body(request), take)
        if work.is_closed:
            raise closed_error()
        if not reply.is_whole and time.monotonic() > until:
            raise TransientError(f"no answer within {self._section.timeout:g} s", cause="timeout")
        return reply.response()

    def _body(self, request: Request) -> dict[str, Any]:
        turns = [turn._asdict() for turn in valid_turns(request.messages)]
        is_chat = self._section.endpoint == "chat"
        asked: dict[str, Any] = {"messages": turns} if is_chat else {"prompt": turns[-1]["content"]}
        return asked | _settings(request.sampling, self._context)

    async def close(self) -> None:
        """Drop what is under way and free the memory; what is asked afterwards fails."""
        work, self._work = self._work, None
        if work is not None:
            await work.stop()


class _Work:
    """The engine and the threads that wait for its replies: as many as it has places."""

    def __init__(self, name: str, places: int) -> None:
        self._name = name
        self._threads = ThreadPoolExecutor(places, thread_name_prefix=f"model-{name}")
        self._engines: list[Any] = []
        """The one engine, once it is loaded: whoever empties the list frees it."""
        self._is_loaded = threading.Event()
        """Set also where it could not be."""
        self.is_closed = False

    async def do(self, task: Callable[[], _Result]) -> _Result:
        """The result of a task that a thread works on as soon as one is free."""
        if self.is_closed:
            raise closed_error()
        return await asyncio.get_running_loop().run_in_executor(self._threads, task)

    def load(self, parameters: Callable[[Any], Any]) -> None:
        """Load the model; raises `ModelError`."""
        try:
            library = import_module("xllamacpp")
            self._engines.append(library.Server(parameters(library)))
        except (RuntimeError, ValueError, TypeError, ImportError, OSError, MemoryError, AttributeError) as error:
            message = " ".join(str(error).split())[:300] or type(error).__name__
            raise ModelError(
                f"model {self._name} cannot be loaded: {message}; is the file whole, is there memory for it, and does "
                f"this llama.cpp know the architecture? See models.{self._name}.path, context_length and batch_size"
            ) from error
        finally:
            self._is_loaded.set()

    def ask(self, is_chat: bool, body: Mapping[str, Any], take: Callable[[Mapping[str, Any]], bool]) -> None:
        """Hand over the reply part by part, until `take` says that it is enough."""
        self._is_loaded.wait()
        if self.is_closed or not self._engines:
            raise closed_error()
        engine = self._engines[0]
        try:
            (engine.handle_chat_completions if is_chat else engine.handle_completions)(body, take)
        except (RuntimeError, ValueError) as error:
            message = " ".join(str(error).split())[:300]
            raise RequestRefusedError(f"llama.cpp refuses the request: {message}", type="bad_request") from error
        finally:
            del engine

    async def stop(self) -> None:
        """Drop what is under way, end the threads and free the engine."""
        self.is_closed = True
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._engines.clear)


class _Reply:
    """A reply that comes in parts."""

    def __init__(self, name: str, context: int) -> None:
        self._name, self._context = name, context
        self._text = self._reasoning = self._ending = ""
        self._usage: Mapping[str, Any] = {}
        self._error: EnsembleInstructError | None = None

    @property
    def is_whole(self) -> bool:
        return bool(self._ending) or self._error is not None

    def add(self, part: Mapping[str, Any]) -> None:
        if "error" in part:
            self._error = self._meaning(part["error"])
        self._usage = part.get("usage") or self._usage
        for choice in part.get("choices", ()):
            delta = choice.get("delta", choice)
            self._text += delta.get("text") or delta.get("content") or ""
            self._reasoning += delta.get("reasoning_content") or ""
            self._ending = choice.get("finish_reason") or self._ending

    def _meaning(self, error: Mapping[str, Any]) -> EnsembleInstructError:
        message, code = " ".join(str(error.get("message", "")).split())[:300], int(error.get("code", 500))
        if error.get("type") == "exceed_context_size_error":
            problem = f"the prompt has {error.get('n_prompt_tokens')} tokens, the model's context {error.get('n_ctx')}"
            return RequestRefusedError(f"{problem} (models.{self._name}.context_length)", type="prompt_too_long")
        if code < 500:
            return RequestRefusedError(message, type="bad_request")
        return TransientError(f"the engine failed: {message}", cause="engine")

    def response(self) -> Response:
        """The whole reply; raises what the engine said instead."""
        if self._error is not None:
            raise self._error
        if not self._ending:
            raise TransientError("the engine gave no whole reply", cause="malformed")
        made = self._usage.get("completion_tokens")
        return Response(
            self._text,
            self._ending,
            self._usage.get("prompt_tokens"),
            made if self._text or self._reasoning else 0,  # the token that ends a reply is counted too
            reasoning=self._reasoning,
        )


def _settings(sampling: Sampling, context: int) -> dict[str, Any]:
    """Sampling as llama.cpp takes it; what is left out would be by its defaults, or those that the file carries."""
    settings: dict[str, Any] = {
        "max_tokens": sampling.max_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p,
        "top_k": sampling.top_k or 0, "min_p": sampling.min_p or 0.0, "stop": list(sampling.stop),
        "presence_penalty": sampling.presence_penalty or 0.0, "frequency_penalty": sampling.frequency_penalty or 0.0,
        "repeat_penalty": sampling.repetition_penalty or 1.0, "repeat_last_n": context,
        "stream": True, "stream_options": {"include_usage": True},
        "return_progress": True,  # so that a prompt which nobody waits for is not read to its end
    }  # fmt: skip
    if sampling.seed is not None:
        settings["seed"] = sampling.seed % _RANDOM
    if sampling.json_schema:
        settings["json_schema"] = json.loads(sampling.json_schema)
    return settings
