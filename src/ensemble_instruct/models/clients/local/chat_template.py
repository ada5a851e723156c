"""The chat template of a model's folder, as transformers writes it: a conversation in, a prompt out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ensemble_instruct.errors import ModelError, RequestRefusedError
from ensemble_instruct.models.clients.local.local import read_json
from ensemble_instruct.records import Message


class ChatTemplate:
    """The template of one model; raises `ModelError` where its folder has none or it cannot be read."""

    def __init__(self, name: str, folder: Path) -> None:
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        settings = read_json(folder / "tokenizer_config.json")
        path = folder / "chat_template.jinja"
        source = path.read_text(encoding="utf-8") if path.is_file() else _default(settings.get("chat_template"))
        if source is None:
            raise ModelError(
                f"model {name}: {folder} has no chat template; copy tokenizer_config.json and chat_template.jinja of "
                f"the model there, or set models.{name}.endpoint: completions"
            )
        self._error = TemplateError
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
        environment.globals["raise_exception"] = self._raise
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise ModelError(f"model {name}: the chat template of {folder} cannot be read: {error}") from error
        self._special = {key: _content(settings[key]) for key in ("bos_token", "eos_token") if settings.get(key)}

    def prompt(self, messages: Sequence[Message]) -> str:
        """What the model is given for a conversation."""
        turns = [message._asdict() for message in messages]
        try:
            return self._template.render(messages=turns, add_generation_prompt=True, tools=None, **self._special)
        except self._error as error:
            raise RequestRefusedError(f"the chat template refuses the message: {error}", type="bad_request") from error

    def _raise(self, message: str) -> NoReturn:
        raise self._error(message)


def _default(template: Any) -> str | None:
    """A template, or the one called `default` of several."""
    if isinstance(template, list):
        named = {each.get("name"): each.get("template") for each in template if isinstance(each, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _content(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token)
