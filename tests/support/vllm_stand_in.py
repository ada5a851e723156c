"""Modules by the names of vLLM's, with the signatures that its version 0.11 documents, over a function.

vLLM needs a GPU, so the tests cannot run it: this shows that the client asks by that interface and reads what it
gives, and no more.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ensemble_instruct.errors import RequestRefusedError, TransientError
from ensemble_instruct.records import Request, Response, Sampling


class RequestOutputKind(Enum):
    CUMULATIVE = 0
    DELTA = 1
    FINAL_ONLY = 2


@dataclass
class SamplingParams:
    max_tokens: int = 16
    min_tokens: int = 0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    stop: list[str] | None = None
    seed: int | None = None
    output_kind: RequestOutputKind = RequestOutputKind.CUMULATIVE

    def __post_init__(self) -> None:
        if not self.max_tokens >= max(1, self.min_tokens) or not 0 < self.top_p <= 1 or self.top_k < -1:
            raise ValueError(f"sampling settings cannot be: {self}")


@dataclass
class AsyncEngineArgs:
    model: str
    dtype: str = "auto"
    max_model_len: int | None = None
    revision: str | None = None
    generation_config: str = "auto"
    gpu_memory_utilization: float = 0.9


@dataclass
class CompletionOutput:
    index: int
    text: str
    token_ids: list[int]
    finish_reason: str | None
    stop_reason: int | str | None = None


@dataclass
class RequestOutput:
    prompt_token_ids: list[int]
    outputs: list[CompletionOutput]
    finished: bool = True


class EngineGenerateError(Exception):
    pass


class EngineDeadError(Exception):
    pass


class Tokenizer:
    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return [ord(character) for character in text]

    def apply_chat_template(self, messages: list[dict[str, str]], add_generation_prompt: bool, tokenize: bool) -> str:
        assert add_generation_prompt
        assert not tokenize
        return f"<{messages[0]['content']}>"


@dataclass
class AsyncLLM:
    """Answers with what `model` makes of a prompt; what it was asked stands in `asked`."""

    arguments: AsyncEngineArgs
    model: Callable[[Request], Response]
    asked: list[tuple[Any, SamplingParams]] = field(default_factory=list)
    is_shut_down: bool = False

    async def get_tokenizer(self) -> Tokenizer:
        return Tokenizer()

    async def generate(
        self, prompt: Any, sampling_params: SamplingParams, request_id: str
    ) -> AsyncIterator[RequestOutput]:
        assert request_id
        assert sampling_params.output_kind is RequestOutputKind.FINAL_ONLY
        self.asked.append((prompt, sampling_params))
        text = prompt.get("prompt") or "".join(map(chr, prompt["prompt_token_ids"]))
        await asyncio.sleep(0.001)
        while text == "Think for as long as you can.":
            await asyncio.sleep(0.01)
        wanted = sampling_params
        sampling = Sampling(max_tokens=wanted.max_tokens, temperature=wanted.temperature, stop=tuple(wanted.stop or ()))
        try:
            reply = self.model(
                Request(prompt=text, sampling=sampling_with(sampling, wanted.seed), step="outputs", kind="output_only")
            )
        except RequestRefusedError as error:
            raise ValueError(f"The prompt is longer than the maximum model length: {error}") from error
        except TransientError as error:
            raise EngineGenerateError from error
        made = reply.completion_tokens or 0
        stopped = next((stop for stop in sampling.stop if reply.finish_reason == "stop"), None)
        ids = [1] * (made + (reply.finish_reason == "stop" and stopped is None))
        output = CompletionOutput(0, reply.text, ids, reply.finish_reason, stopped)
        yield RequestOutput([1] * len(re.findall(r"\S+", text)), [output])

    def shutdown(self) -> None:
        self.is_shut_down = True


def sampling_with(sampling: Sampling, seed: int | None) -> Sampling:
    return Sampling(max_tokens=sampling.max_tokens, temperature=sampling.temperature, stop=sampling.stop, seed=seed)


@contextmanager
def vllm(model: Callable[[Request], Response]) -> Iterator[list[AsyncLLM]]:
    """The modules in place; the engines that are made."""
    engines: list[AsyncLLM] = []

    class Engine(AsyncLLM):
        @classmethod
        def from_engine_args(cls, engine_args: AsyncEngineArgs) -> AsyncLLM:
            engines.append(AsyncLLM(engine_args, model))
            return engines[-1]

    held: dict[str, dict[str, Any]] = {
        "vllm": {},
        "vllm.sampling_params": {"SamplingParams": SamplingParams, "RequestOutputKind": RequestOutputKind},
        "vllm.engine": {},
        "vllm.engine.arg_utils": {"AsyncEngineArgs": AsyncEngineArgs},
        "vllm.v1": {},
        "vllm.v1.engine": {},
        "vllm.v1.engine.async_llm": {"AsyncLLM": Engine},
        "vllm.v1.engine.exceptions": {"EngineDeadError": EngineDeadError, "EngineGenerateError": EngineGenerateError},
    }
    for name, values in held.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        module.__dict__.update(values)
        sys.modules[name] = module
    try:
        yield engines
    finally:
        for name in held:
            del sys.modules[name]
