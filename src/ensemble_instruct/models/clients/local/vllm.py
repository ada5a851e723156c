"""vLLM's engine in this process, for decoder-only models on a GPU: it batches by itself, request by request.

Written against the documented interface of `AsyncLLM`; see docs/guide/local-models.md for what of it has been run.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from importlib import import_module
from itertools import count
from typing import Any

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import ModelError, RequestRefusedError, TransientError
from ensemble_instruct.models.clients.base import Client, closed_error
from ensemble_instruct.models.clients.local.local import require_packages, valid_turns
from ensemble_instruct.records import Message, Request, Response, Sampling

_FAILURES = (RuntimeError, ValueError, TypeError, KeyError, ImportError, OSError, MemoryError, AssertionError)
"""What vLLM and the libraries under it raise when a model cannot be loaded or run."""


class VllmClient(Client):
    """A model on the Hub or in a folder. It can be opened again after it was closed."""

    def __init__(self, name: str, section: ModelSection, api_key: str | None = None) -> None:
        require_packages(name, "vllm", ("vllm",))
        self._name, self._section = name, section
        self._engine: Any = None
        self._tokenizer: Any = None
        self._numbers = count()

    @property
    def traits(self) -> str:
        """See `Client.traits`."""
        return "vllm, decoder-only; as many together as fit; seeds are honoured"

    async def open(self) -> None:
        """Load the model; raises `ModelError` when that fails."""
        if self._engine is not None:
            return
        try:
            self._engine = await asyncio.to_thread(self._made)
            tokenizer = self._engine.get_tokenizer()
            self._tokenizer = await tokenizer if inspect.isawaitable(tokenizer) else tokenizer
        except _FAILURES as error:
            raise self._broken("cannot be loaded", error) from error

    def _made(self) -> Any:
        section = self._section
        settings: dict[str, Any] = {"dtype": section.dtype or "auto", "max_model_len": section.context_length}
        settings |= {"revision": section.revision, "generation_config": "vllm"}  # no defaults of the model's own
        arguments = import_module("vllm.engine.arg_utils").AsyncEngineArgs(
            model=str(section.folder or section.model), **(settings | section.options)
        )
        return import_module("vllm.v1.engine.async_llm").AsyncLLM.from_engine_args(arguments)

    async def answer(self, request: Request) -> Response:
        """See `Client.answer`; one request is one prompt."""
        engine, result = self._engine, None
        if engine is None:
            raise closed_error()
        errors = import_module("vllm.v1.engine.exceptions")
        number = f"{self._name}-{next(self._numbers)}"
        try:
            arguments = self._prompt(request.messages), _parameters(request.sampling), number
            async with asyncio.timeout(self._section.timeout):
                async for part in engine.generate(*arguments):
                    result = part
        except TimeoutError as error:
            raise TransientError(f"no answer within {self._section.timeout:g} s", cause="timeout") from error
        except errors.EngineGenerateError as error:
            raise TransientError("the engine failed at this request", cause="engine") from error
        except ValueError as error:
            message = " ".join(str(error).split())[:300]
            is_long = "max_model_len" in message or "longer than the maximum" in message
            raise RequestRefusedError(message, type="prompt_too_long" if is_long else "bad_request") from error
        except (*_FAILURES, errors.EngineDeadError) as error:
            raise self._broken("failed", error) from error
        return self._response(result)

    def _prompt(self, messages: Sequence[Message]) -> Any:
        turns = [turn._asdict() for turn in valid_turns(messages)]
        if self._section.endpoint != "chat":
            return {"prompt": turns[-1]["content"]}
        whole = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return {"prompt_token_ids": self._tokenizer.encode(whole, add_special_tokens=False)}

    def _response(self, result: Any) -> Response:
        if result is None or len(result.outputs) != 1:
            raise TransientError("the engine gave no text", cause="malformed")
        (output,) = result.outputs
        if output.finish_reason not in ("stop", "length"):
            raise TransientError(f"the engine ended it: {output.finish_reason}", cause="engine")
        counts = len(result.prompt_token_ids or ()), _made_tokens(output)
        return Response(output.text, output.finish_reason, *counts)

    async def close(self) -> None:
        """End the engine and free its memory; what is asked afterwards fails."""
        engine, self._engine, self._tokenizer = self._engine, None, None
        if engine is not None:
            await asyncio.to_thread(engine.shutdown)

    def _broken(self, what: str, error: Exception) -> ModelError:
        message = " ".join(str(error).split())[:300] or type(error).__name__
        return ModelError(f"model {self._name} {what}: {message}; check models.{self._name}")


def _made_tokens(output: Any) -> int:
    """How many tokens the reply has; the one that ends it is not counted."""
    ended = output.finish_reason == "stop" and not isinstance(output.stop_reason, str)
    return max(0, len(output.token_ids) - ended)


def _parameters(sampling: Sampling) -> Any:
    """Sampling as vLLM takes it."""
    parameters = import_module("vllm.sampling_params")
    return parameters.SamplingParams(
        max_tokens=sampling.max_tokens,
        min_tokens=min(sampling.min_tokens, sampling.max_tokens),
        temperature=sampling.temperature,
        top_k=sampling.top_k or 0,
        top_p=sampling.top_p,
        stop=list(sampling.stop),
        seed=sampling.seed,
        output_kind=parameters.RequestOutputKind.FINAL_ONLY,
    )
