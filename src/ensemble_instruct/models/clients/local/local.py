"""A client over an engine of this process, and what such clients look for before anything is loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import ConfigError, ModelError
from ensemble_instruct.models.clients.base import Client, closed_error
from ensemble_instruct.models.clients.local.batches import Batches
from ensemble_instruct.models.clients.local.engine import Engine
from ensemble_instruct.records import Message, Request, Response


class LocalClient(Client):
    """Asks an engine, in batches. It can be opened again after it was closed."""

    def __init__(self, name: str, section: ModelSection, engine: Engine) -> None:
        self._name, self._section, self._engine = name, section, engine
        self._batches: Batches | None = None

    @property
    def traits(self) -> str:
        """See `Client.traits`."""
        return self._engine.traits

    async def open(self) -> None:
        """Load the model; raises `ModelError` when that fails."""
        if self._batches is not None:
            return
        batches = self._batches = Batches(self._name, self._engine, self._section.timeout)
        try:
            await batches.start()
        except ModelError:
            await self.close()
            raise

    async def answer(self, request: Request) -> Response:
        """See `Client.answer`."""
        if self._batches is None:
            raise closed_error()
        return await self._batches.reply(request)

    async def close(self) -> None:
        """Drop what is under way and free the memory."""
        batches, self._batches = self._batches, None
        if batches is not None:
            await batches.stop()


def require_packages(name: str, provider: str, packages: Sequence[str]) -> None:
    """Raise `ConfigError` unless they are installed; nothing is imported."""
    if any(find_spec(package) is None for package in packages):
        raise ConfigError(
            f"models.{name}.provider: needs {provider}, which is not installed; "
            f"pip install 'ensemble-instruct[{provider}]'"
        )


def valid_turns(messages: Sequence[Message]) -> list[Message]:
    """The messages with half surrogate pairs, which no tokenizer takes, as question marks."""
    return [turn._replace(content=turn.content.encode("utf-8", "replace").decode()) for turn in messages]


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of a model's folder; empty where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
