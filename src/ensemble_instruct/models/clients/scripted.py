"""Replies from a Python function or a JSONL file: for tests, dry runs and the simulated models of the demo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import ConfigError, ModelError, RequestRefusedError
from ensemble_instruct.files.rows import read_rows
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.records import Request, Response

Script = Callable[[Request], str | Response]
"""A pure function: of equal requests, equal replies."""
_MISTAKES = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError,
)  # fmt: skip
"""What the code of a script may raise by mistake."""


class ScriptedClient(Client):
    """Answers with what a pure function of the request returns.

    From a file of `{prompt, text}` rows it answers a prompt with the text of its row; a prompt that the file
    does not have is refused. Raises `ConfigError` when the function cannot be imported.
    """

    def __init__(self, name: str, section: ModelSection, api_key: str | None = None) -> None:
        self._where = f"models.{name}.function: {section.function}"
        if section.replies is not None:
            self._script: Script = _from_file(section.replies)
        else:
            self._script = _from_function(name, section.function or "")

    async def answer(self, request: Request) -> Response:
        """The script's reply. Errors of this package that it raises are passed on, others become a `ModelError`."""
        await asyncio.sleep(0)
        try:
            reply = self._script(request)
        except _MISTAKES as error:
            raise ModelError(f"{self._where} failed: {type(error).__name__}: {error}; mend it and run again") from error
        if isinstance(reply, str):
            reply = Response(reply)
        if not isinstance(reply, Response) or not _is_text(reply.text):
            raise ModelError(f"{self._where} gave {type(reply).__name__}; it must give text or a Response with text")
        return reply


def _is_text(value: object) -> bool:
    """Whether it is a string that a file can hold: one with half a surrogate pair is not."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _from_function(name: str, path: str) -> Script:
    module, _, attribute = path.partition(":")
    try:
        function: Script = getattr(import_module(module), attribute)
    except _MISTAKES as error:
        problem = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(
            f"models.{name}.function: {path!r} cannot be imported ({problem}); write it as "
            f"package.module:name, and put its folder on PYTHONPATH"
        ) from error
    if not callable(function):
        raise ConfigError(f"models.{name}.function: {path!r} is no function; write it as package.module:name")
    return function


def _from_file(path: Path) -> Script:
    texts = {row["prompt"]: row["text"] for _, row, _ in read_rows(path, {"prompt": str, "text": str})}

    def reply(request: Request) -> str:
        if request.prompt not in texts:
            raise RequestRefusedError(f"{path}: has no reply to this prompt", type="no_scripted_reply")
        return str(texts[request.prompt])

    return reply
