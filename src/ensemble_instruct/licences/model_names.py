"""Whether the name of a model, as a config has it, is that of a model of some family and owner.

A model of its owner is known by how its name begins. A name without an owner (Ollama, a hosted service, a folder) and
one of a known copyist (`unsloth`, `TheBloke`) count only where every further word says size, version or number format:
`mistral:7b-instruct-q4_K_M` is Mistral 7B; `mistral-7b-openorca` and `someone/Mistral-7B` are models of somebody else.
"""

from __future__ import annotations

import re
from functools import cache

_COPYISTS = frozenset(("bartowski", "ggml-org", "library", "lmstudio-community", "maziyarpanahi", "mlx-community"))
"""Owners that publish copies of models of others, unchanged but for the number format."""
_COPYISTS |= frozenset(("neuralmagic", "nousresearch", "quantfactory", "redhatai", "thebloke", "unsloth"))
_SERVICE = re.compile(
    r"(?:(?:us|eu|apac|global)\.)?(anthropic|cohere|deepseek|google|meta|mistral|openai|qwen)\.(?=[a-z])"
)
"""How Amazon Bedrock names an owner."""
_SERVICE_OWNERS = {"mistral": "mistralai", "deepseek": "deepseek-ai"}
"""Owners on the Hub whose names there differ from the service's."""
_CARRIERS = frozenset(("models", "ollama", "ollama_chat", "groq"))
"""What is written in the owner's place and is not an owner."""
_WORD = re.compile(r"[a-z]*\d+(?:\.\d+)*[a-z]*|[a-z]+")
"""A word of a name: a number with its unit, or letters."""
_HARMLESS = re.compile(
    r"v?\d+(\.\d+)*|\d+(\.\d+)?[bmke]|[ae]\d+b|\d+x\d+b"  # versions, dates and sizes
    r"|\d*bit|i?q\d*|k|[xs]*[sml]|(int|i|w|a|f|fp|bf|nf|mxfp|nvfp)\d+|w\d+a\d+"  # how numbers are kept
    r"|gguf|ggml|awq|gptq|bnb|exl2|mlx|qat|imat|onnx|dynamic|quantized"
    r"|instruct|chat|base|text|it|pt|hf|latest|preview|free|cloud|thinking"
)
"""A word that says of a model neither who changed it nor what for."""
_END = r"(?!\.?\d|[a-z])"
"""What may not follow a name: `qwen2` is not the beginning of `qwen2.5`, nor `gemma-2` of `gemma-2b`."""


def is_named(model: str, pattern: str) -> bool:
    """Whether the model is one of the pattern's.

    A pattern is `OWNER|OWNER/NAME`, where NAME is a regular expression of how the names of models begin.
    """
    owners, expression = _read(pattern)
    owner, name = _owner_and_name(model)
    match = expression.match(name)
    if match is None:
        return False
    if owner in owners:
        return True
    words = _WORD.findall(name[match.end() :])
    return (not owner or owner in _COPYISTS) and all(_HARMLESS.fullmatch(word) for word in words)


@cache
def _read(pattern: str) -> tuple[frozenset[str], re.Pattern[str]]:
    owners, _, name = pattern.partition("/")
    return frozenset(owners.split("|")), re.compile(f"(?:{name}){_END}")


def _owner_and_name(model: str) -> tuple[str, str]:
    """Both in small letters; the owner is empty where the name has none, as a path of one's own has."""
    *before, name = model.strip().lower().replace("\\", "/").rstrip("/").split("/")
    is_path = bool(before) and (before[0] in ("", "~", ".", "..") or before[0].endswith(":"))
    owner = before[-1] if before and not is_path and before[-1] not in _CARRIERS else ""
    service = None if owner else _SERVICE.match(name)
    return (_SERVICE_OWNERS.get(service[1], service[1]), name[service.end() :]) if service else (owner, name)
