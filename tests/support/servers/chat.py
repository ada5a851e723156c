"""Chat models at a server: they state tasks, work them out and answer, each reply in another style, all of one mind.

What was stated is kept, so that a test can say what must come out of a run, whatever the style.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from aiohttp import web

from ensemble_instruct.records import Kind, Step
from tests.support.chat_styles import PLAIN, Message, Said, Styles
from tests.support.servers.reply import Served, refused, serving

_Style = TypeVar("_Style")
_TASKS_STATED = 4
"""Tasks that a reply to step 1 states."""
Schemas = Literal["follows", "ignores", "refuses"]
"""What a server makes of `response_format`."""

_THINGS = ("harbour", "bridge", "violin", "bakery", "lantern", "comet", "orchard", "glacier", "anvil", "compass")
_ADJECTIVES = ("old", "noisy", "royal", "wooden", "secret", "famous", "tiny", "crooked", "modern", "gentle", "blue")
_PEOPLE = ("a nurse", "my uncle", "two sailors", "the mayor", "a beekeeper", "a child", "your rival", "the twins")
_PLACES = ("Lisbon", "the valley", "Oslo", "an island", "the border", "Kyoto", "Quito", "the desert", "Bergen")
_TASKS = (
    "Describe the {adjective} {thing} that {person} brought to {place} {number} years ago.",
    "Explain to {person} why a {adjective} {thing} near {place} costs {number} crowns: name three causes.",
    'What does the saying "a {adjective} {thing} needs {person}" tell us about {place} in {number}?',
    "In {number} words or less, persuade {person} to paint a {adjective} {thing} for {place}.",
    "{place} lacks a {adjective} {thing}. Plan with {person}, step by step, how to get one within {number} days.",
    "Erkläre, wozu {person} in {place} genau {number} Mal den Satz „{adjective} {thing}“ braucht.",
)
_ANSWERS = (
    "It took {number} days.",
    "Nobody knows for sure, but {number} people saw it happen.\n\nThe rest is in the letter from {place}.",
    "1. Open the gate.\n2. Count to {number}.\n3. Go home to {place}.",
    "- {number} apples\n- salt\n- a map of {place}",
    "{number}",
    "Dear friends,\n\nyou are invited at {number} o'clock.\n\nYours,\nthe people of {place}",
)
_INPUTS = (
    "{number} boxes from {place}",
    "The ship left at noon.\n\nIt had {number} people on board; {place} was far.",
    "name,age\nAda,{number}\nBen,7",
    "- bread ({number})\n- milk\n\n1) first\n2) second",
)


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of a model: what it states, and how."""

    step: Step
    kind: Kind
    style: str
    message: Message


@dataclass
class ChatModels:
    """What the server says, and what it has said."""

    styles: Styles = PLAIN
    schemas: Schemas = "ignores"
    served: Served = field(default_factory=Served)
    tasks: dict[str, str] = field(default_factory=dict)
    """The style in which each task was stated."""
    worked: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Input and output that were stated for each task."""
    replies: list[Reply] = field(default_factory=list)
    _turns: Counter[tuple[Step, Kind]] = field(default_factory=Counter)

    def answering(self, body: dict[str, Any], _: int) -> web.Response:
        """The reply to one request."""
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
        if schema and self.schemas == "refuses":
            return refused("response_format: json_schema is not supported by this server")
        values, said = self._said(body)
        if schema and self.schemas == "follows":
            said = json.dumps({name: values.get(name, "Paris") for name in schema["properties"]})
        return reply_of(said if isinstance(said, dict) else {"content": said})

    def _said(self, body: dict[str, Any]) -> tuple[dict[str, Any], Said]:
        """What a reply to a request states, by name, and the reply in the style whose turn it is."""
        step, kind = asked_for(body)
        prompt = body["messages"][-1]["content"]
        number = zlib.crc32(json.dumps([body["messages"], body.get("seed")]).encode())
        if step == "instructions":
            tasks = self._new_tasks(number)
            first = re.search(r"begins with (\d+)\.", prompt)
            list_name, list_style = self._next(self.styles.lists, step, kind)
            self.tasks.update(dict.fromkeys(tasks, list_name))
            said = list_style(tasks, int(first[1]) if first else 1)
            return {"tasks": tasks}, self._noted(step, kind, list_name, said)
        if step == "instances":
            task_input = _filled(_INPUTS, number) if kind == "input_output" else ""
            values = ({"input": task_input} if task_input else {}) | {"output": answer_to(prompt, task_input)}
            self.worked[prompt] = (task_input, values["output"])
            worked_name, worked_style = self._next(self.styles.worked, step, kind)
            return dict(values), self._noted(step, kind, worked_name, worked_style(values))
        if step == "outputs":
            name, style = self._next(self.styles.answers, step, kind)
            return {}, self._noted(step, kind, name, style(_answer(prompt)))
        return {}, "same"

    def _next(self, styles: Mapping[str, _Style], step: Step, kind: Kind) -> tuple[str, _Style]:
        turn = self._turns[step, kind]
        self._turns[step, kind] += 1
        return list(styles.items())[turn % len(styles)]

    def _noted(self, step: Step, kind: Kind, style: str, said: Said) -> Said:
        self.replies.append(Reply(step, kind, style, said if isinstance(said, dict) else {"content": said}))
        return said

    def _new_tasks(self, number: int) -> list[str]:
        """Tasks that were not stated before."""
        found: list[str] = []
        while len(found) < _TASKS_STATED:
            number = zlib.crc32(str(number).encode())
            task = _filled(_TASKS, number)
            if task not in self.tasks and task not in found:
                found.append(task)
        return found


def asked_for(body: Mapping[str, Any]) -> tuple[Step, Kind]:
    """The step in which a conversation is held, and the kind of task that it is about."""
    messages = body["messages"]
    prompt = messages[-1]["content"]
    if "more tasks" in prompt:
        return "instructions", "input_output" if "the input itself" in prompt else "output_only"
    if len(messages) > 1:
        shown = messages[1]["content"].lower()
        return "instances", "input_output" if shown.startswith(("input", '{"input')) else "output_only"
    if "Reply with one word" in prompt:
        return "ensemble", "output_only"
    return "outputs", "input_output" if "\n\n" in prompt else "output_only"


def answer_to(task: str, task_input: str) -> str:
    """The answer of every model to a task."""
    return _answer("\n\n".join(filter(None, (task, task_input))))


def _answer(prompt: str) -> str:
    return _filled(_ANSWERS, zlib.crc32(prompt.encode()))


def _filled(texts: Sequence[str], number: int) -> str:
    """One of the texts, filled in by a number."""
    text = texts[number % len(texts)]
    words = zlib.crc32(f"words {number}".encode())
    return _capital(text.format(
        number=3 + words % 89, thing=_THINGS[words // 7 % 10], adjective=_ADJECTIVES[words // 89 % 11],
        person=_PEOPLE[words // 1000 % 8], place=_PLACES[words // 9000 % 9],
    ))  # fmt: skip


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def reply_of(message: Message) -> web.Response:
    """A completion of the protocol with this message, in which `finish_reason` may stand too."""
    fields = {name: value for name, value in message.items() if name != "finish_reason"}
    choice = {"index": 0, "message": {"role": "assistant", **fields}}
    return web.json_response({
        "object": "chat.completion", "choices": [{**choice, "finish_reason": message.get("finish_reason", "stop")}],
        "usage": {"prompt_tokens": 90, "completion_tokens": 60},
    })  # fmt: skip


@contextmanager
def chat_models(styles: Styles = PLAIN, schemas: Schemas = "ignores") -> Iterator[ChatModels]:
    """A server of them on a free port."""
    models = ChatModels(styles, schemas)
    with serving(models.answering) as models.served:
        yield models


def chat_config(base_url: str, target: int = 4, *, window: int = 2, **settings: Any) -> str:
    """A config all of whose models are of such a server; `settings`: of the one that steps 1 and 2 ask."""
    of_each: dict[str, dict[str, Any]] = {"writer": settings, "first": {}, "second": {}}
    return json.dumps({
        "instructions": {
            "target": {"input_output": target, "output_only": target},
            "demonstrations": {"input_output": 8, "output_only": 8}, "window": window,
        },
        "models": {
            name: {"base_url": base_url, "model": name, "endpoint": "chat", **more} for name, more in of_each.items()
        },
        "roles": {"instructions": "writer", "instances": "writer", "outputs": ["first", "second"]},
        "licenses": {"policy": "any"},
    })  # fmt: skip
