"""What a model is asked in the end: the request of a step with the model's own settings, and its key in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.records import Message, Request


def as_asked(section: ModelSection, request: Request) -> Request:
    """The request with the model's own `system` before its turns and its own `sampling` over that of the step."""
    sampling = section.sampling.applied_to(request.sampling)
    if section.sampling.max_tokens is not None and section.sampling.min_tokens is None:
        sampling = replace(sampling, min_tokens=min(sampling.min_tokens, sampling.max_tokens))
    if section.system:
        request = replace(request, earlier=(Message("system", section.system), *request.earlier))
    return request if sampling == request.sampling else replace(request, sampling=sampling)


def request_key(identity: Sequence[str], request: Request) -> str:
    """32 hexadecimal digits over everything that can change the answer of a model, and nothing else."""
    sampling = request.sampling
    # this order is for ever: the keys of the answers in all stores were made with it
    parts = [
        *identity, request.messages if request.earlier else request.prompt, sampling.max_tokens, sampling.min_tokens,
        sampling.temperature, sampling.top_k, sampling.top_p, sampling.stop, sampling.seed, request.repeat,
        *([sampling.json_schema] if sampling.json_schema else []), *([sampling.further] if sampling.further else []),
    ]  # fmt: skip
    return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
