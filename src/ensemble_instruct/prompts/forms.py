"""How each step asks a model: one text that it goes on with (`completions`), or a conversation (`chat`).

Which form a model gets is its `endpoint`; nothing else knows of it. The profile `published` has one form, the
original's, whatever the endpoint.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ensemble_instruct.prompts.completions import (
    instances_prompt,
    instances_sampling,
    instructions_prompt,
    instructions_sampling,
    outputs_sampling,
)
from ensemble_instruct.prompts.folder import FormName, Prompts, bundled_prompts
from ensemble_instruct.records import Demonstration, Instance, Kind, Message, Profile, Request, Sampling
from ensemble_instruct.replies.end_marker import squeezed

CHAT_FORM = "conversation"
"""The name of how chat models are asked: runs that began when they got one text, as completions do, have none."""
TASKS_ASKED = 8
"""Tasks that a chat model is asked for at once in step 1."""
_SENTENCE_END = re.compile(r"(?<=[.:?!])\s+|\n")
_WORD = Sampling(max_tokens=16)
"""Greedy, and no longer than a word needs."""
_WORD_AFTER_THOUGHT = Sampling(max_tokens=1024)
"""Greedy, and long enough for a model that thinks before it says its word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstancesQuestion:
    """What all requests of step 2 for one kind share: the worked examples."""

    kind: Kind
    sampling: Sampling
    prompt: Callable[[str], str]
    """The prompt for an instruction."""
    earlier: tuple[Message, ...] = ()
    shared: str = ""

    def request(self, instruction: str, seed: int) -> Request:
        """The request that asks for a worked example of an instruction."""
        return Request(
            prompt=self.prompt(instruction),
            sampling=replace(self.sampling, seed=seed),
            step="instances",
            kind=self.kind,
            earlier=self.earlier,
            shared=self.shared,
        )


class Form(ABC):
    """The requests of all steps; how a reply to them is read follows from it."""

    name: FormName
    """By which its templates are called."""
    continues_list: bool
    """Whether a reply of step 1 goes on with an item that the prompt has begun."""
    cleans_answers: bool
    """Whether what a chat model says around its answer is taken away."""
    tasks_asked: int
    """How many tasks a request of step 1 asks for."""
    prompts: Prompts
    """The wording of all that is asked."""

    @abstractmethod
    def instructions(self, kind: Kind, demonstrations: Sequence[str], seed: int, shared: str) -> Request:
        """Step 1: more tasks like the demonstrations. `shared`: text that the prompts have in common."""

    def wording(self, kind: Kind) -> tuple[str, ...]:
        """The sentences of a prompt of step 1 that are no demonstration: a small model may give them back as tasks."""
        return ()

    @abstractmethod
    def instances(self, kind: Kind, demonstrations: Sequence[Demonstration]) -> InstancesQuestion:
        """Step 2: a worked example, after those of the demonstrations."""

    @abstractmethod
    def outputs(self, instance: Instance, *, is_sampled: bool = False) -> Request:
        """Step 4: the answer to an instance; greedy, or one of several samples."""

    def fusion(self, instance: Instance, outputs: Sequence[str]) -> Request:
        """After step 4: one best answer out of several."""
        prompt = self._asked("fusion", instance, outputs=[output.strip() for output in outputs])
        return Request(prompt=prompt, sampling=outputs_sampling("default"), step="outputs", kind=instance.kind)

    def verdict(self, instance: Instance, one: str, other: str) -> Request:
        """After step 4: whether two answers say the same."""
        return self._for_a_word(instance, self._asked("verdict", instance, one=one.strip(), other=other.strip()))

    def toxicity(self, instance: Instance, output: str) -> Request:
        """After step 4: whether an answer is harmful."""
        return self._for_a_word(instance, self._asked("toxicity", instance, output=output.strip()))

    def rating(self, instance: Instance, output: str, reference: str, *, reference_first: bool) -> Request:
        """After step 4: how good an answer is, from 1 to 5, beside another one; either may stand first."""
        texts = {"output": output.strip(), "reference": reference.strip()}
        return self._for_a_word(instance, self._asked("rating", instance, **texts, reference_first=reference_first))

    def _for_a_word(self, instance: Instance, prompt: str) -> Request:
        sampling = _WORD if self.continues_list else _WORD_AFTER_THOUGHT
        return Request(prompt=prompt, sampling=sampling, step="ensemble", kind=instance.kind)

    def _asked(self, template: str, instance: Instance, **values: object) -> str:
        task = {"kind": instance.kind, "instruction": instance.instruction.strip(), "input": instance.input.strip()}
        return self._written(template, **task, **values)

    def _written(self, template: str, **values: object) -> str:
        return self.prompts.rendered(self.name, template, **values)


def form_of(endpoint: FormName, profile: Profile, prompts: Prompts | None = None) -> Form:
    """The form of a model; `prompts` None: the bundled ones."""
    if endpoint == "chat" and profile == "default":
        return ChatForm(prompts=prompts or bundled_prompts())
    return CompletionsForm(profile, prompts)


class CompletionsForm(Form):
    """The paper's prompts: a text that the model goes on with. The bytes are those that older versions sent."""

    name: FormName = "completions"
    continues_list = True
    cleans_answers = False
    tasks_asked = 1

    def __init__(self, profile: Profile, prompts: Prompts | None = None) -> None:
        self._profile: Profile = profile
        self.prompts = prompts or bundled_prompts()

    def instructions(self, kind: Kind, demonstrations: Sequence[str], seed: int, shared: str) -> Request:
        """See `Form.instructions`."""
        return Request(
            prompt=instructions_prompt(demonstrations, self._profile, kind=kind, prompts=self.prompts),
            sampling=instructions_sampling(len(demonstrations), self._profile, seed, self.prompts),
            step="instructions",
            kind=kind,
            shared=shared,
        )

    def instances(self, kind: Kind, demonstrations: Sequence[Demonstration]) -> InstancesQuestion:
        """See `Form.instances`."""

        def prompt(instruction: str) -> str:
            return instances_prompt(kind, demonstrations, self._profile, instruction, self.prompts)

        sampling = instances_sampling(self._profile, 0, self.prompts)
        shared = _same_beginning(prompt("1"), prompt("2")).rstrip()
        return InstancesQuestion(kind=kind, sampling=sampling, prompt=prompt, shared=shared)

    def outputs(self, instance: Instance, *, is_sampled: bool = False) -> Request:
        """See `Form.outputs`."""
        sampling = outputs_sampling(self._profile, sampled=is_sampled)
        return Request(prompt=self._asked("outputs", instance), sampling=sampling, step="outputs", kind=instance.kind)


@dataclass(frozen=True, slots=True)
class ChatForm(Form):
    """A conversation: says what is wanted, and what the reply shall look like; demonstrations are turns or a list."""

    is_structured: bool = False
    """Whether steps 1 and 2 ask for JSON of a schema, which the server then holds the model to."""
    prompts: Prompts = field(default_factory=bundled_prompts)
    name = "chat"
    continues_list = False
    cleans_answers = True
    tasks_asked = TASKS_ASKED

    def instructions(self, kind: Kind, demonstrations: Sequence[str], seed: int, shared: str) -> Request:
        """See `Form.instructions`."""
        shown = [squeezed(text).rstrip(":") for text in demonstrations]
        values = {"demonstrations": shown, "number": len(shown) + 1, "more": TASKS_ASKED}
        prompt = self._written("instructions", kind=kind, structured=self.is_structured, **values)
        schema = _schema(tasks={"type": "array", "items": _TEXT}) if self.is_structured else ""
        sampling = Sampling(max_tokens=1024, temperature=0.7, top_k=50, seed=seed, json_schema=schema)
        return Request(prompt=prompt, sampling=sampling, step="instructions", kind=kind, shared=shared)

    def wording(self, kind: Kind) -> tuple[str, ...]:
        """See `Form.wording`."""
        prompt = self.instructions(kind, (), 0, "").prompt
        return tuple(filter(None, map(str.strip, _SENTENCE_END.split(prompt))))

    def instances(self, kind: Kind, demonstrations: Sequence[Demonstration]) -> InstancesQuestion:
        """See `Form.instances`."""
        parts: tuple[Literal["input", "output"], ...] = ("input", "output") if kind == "input_output" else ("output",)
        turns: list[Message] = []
        for demonstration in demonstrations:
            values = {part: str(getattr(demonstration, part)) for part in parts}
            turns += [Message("user", demonstration.instruction), Message("assistant", self._worked(values))]
        before = self._written("instances", kind=kind, structured=self.is_structured) + "\n\n"
        if turns:
            turns[0] = Message("user", before + turns[0].content)
        schema = _schema(**dict.fromkeys(parts, _TEXT)) if self.is_structured else ""
        return InstancesQuestion(
            kind=kind,
            sampling=Sampling(max_tokens=1024, temperature=0.7, top_k=50, json_schema=schema),
            prompt=str if turns else before.__add__,
            earlier=tuple(turns),
        )

    def _worked(self, values: dict[Literal["input", "output"], str]) -> str:
        """A worked example as a reply shall be."""
        if self.is_structured:
            return json.dumps(values, ensure_ascii=False)
        return "\n".join(f"{self.prompts.labels.headings[part]} {text}" for part, text in values.items())

    def outputs(self, instance: Instance, *, is_sampled: bool = False) -> Request:
        """See `Form.outputs`."""
        sampling = outputs_sampling("default", sampled=is_sampled)
        return Request(prompt=self._asked("outputs", instance), sampling=sampling, step="outputs", kind=instance.kind)

    def _written(self, template: str, **values: object) -> str:
        return self.prompts.rendered(self.name, template, **values).strip()


def _same_beginning(one: str, other: str) -> str:
    return one[: next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))]


_TEXT = {"type": "string"}


def _schema(**properties: object) -> str:
    """The JSON Schema of an object with these properties, all of which it must have, as a text."""
    return json.dumps(
        {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    )
