"""What is wrong with an address at which a server has nothing: the path of its endpoint, an address without `/v1`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from yarl import URL

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import ModelError

_ENDPOINTS = ("/chat/completions", "/completions", "/models", "/responses", "/embeddings", "/chat")
"""Ends of an address that belong to a single endpoint."""
_BEFORE = ("v1", "api/v1", "openai/v1", "api", "v1beta/openai", "compatible-mode/v1", "inference/v1")
"""Where servers speak the protocol."""


async def no_path(name: str, section: ModelSection, said: str, speaks: Callable[[str], Awaitable[bool]]) -> ModelError:
    """The error for a model whose server has nothing at the path of its endpoint; it looks where there is something.

    `said` is what the server said. `speaks` tells whether there is something at a path below the address.
    """
    url = section.base_urls[0]
    path = "chat/completions" if section.endpoint == "chat" else "completions"
    wrong = f"model {name}: there is nothing at {url}/{path} ({said})"
    ending = next((end for end in _ENDPOINTS if url.endswith(end)), None)
    if ending is not None:
        return ModelError(f"{wrong}; set models.{name}.base_url to the address without {ending}")
    if await speaks("models"):
        other = "completions" if section.endpoint == "chat" else "chat"
        return ModelError(
            f"{wrong}, though {url}/models is there; set models.{name}.endpoint: {other}, or check models.{name}.model "
            f"and models.{name}.base_url"
        )
    if (found := await _interface(url, speaks)) is not None:
        return ModelError(f"{wrong}; {found}/models is there: set models.{name}.base_url: {found}")
    return ModelError(
        f"{wrong}; check models.{name}.base_url: it is the address before /{path}, and mostly ends in /v1"
    )


async def is_elsewhere(section: ModelSection, speaks: Callable[[str], Awaitable[bool]]) -> bool:
    """Whether a server that answers with a web page speaks the protocol at another address than that of the section."""
    return not await speaks("models") and await _interface(section.base_urls[0], speaks) is not None


async def _interface(url: str, speaks: Callable[[str], Awaitable[bool]]) -> URL | None:
    """Where the server speaks the protocol, below the address or beside it."""
    # the address may name another interface of the same server, such as Ollama's own
    beside = [f"../{before}" for before in _BEFORE] if len(URL(url).parts) == 2 else []
    for before in (*_BEFORE, *beside):
        if await speaks(f"{before}/models"):
            return URL(f"{url}/{before}")
    return None
