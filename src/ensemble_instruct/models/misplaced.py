"""Models that follow instructions, but stand at `endpoint: completions`: told by their names and by what they do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import ModelError, RequestError
from ensemble_instruct.models.clients import make_clients
from ensemble_instruct.models.turns import in_turns
from ensemble_instruct.records import Request, Response, Sampling
from ensemble_instruct.replies.reader import read_reply

_IS_CHAT = re.compile(
    r"(?<![a-z])(instruct(ed|ion)?|chat|it|sft|dpo|rlhf|assistant|think(ing|er)?|reasoning)(?![a-z])", re.IGNORECASE
)
"""How owners call models that follow instructions."""
_IS_BASE = re.compile(r"(?<![a-z])(base|pt|pretrain(ed)?)(?![a-z])", re.IGNORECASE)
"""How they call those that do not."""
_HAS_NO_CHAT = re.compile(
    r"(?<![a-z0-9])(t5|t0(pp?)?|mt0|ul2|bart|aya-101|tk-instruct|gpt-3\.5-turbo-instruct)(?![a-z0-9])", re.IGNORECASE
)
"""Models that follow instructions without a chat template: encoder-decoders, and one of OpenAI's."""
_QUESTION = Request(
    prompt="What is the capital of France? Answer with one word.",
    sampling=Sampling(max_tokens=64),
    step="outputs",
    kind="output_only",
)
_MOST_WORDS = 2
"""Of an answer that obeys. A base model under a template that is not its own goes on and on."""
_PATIENCE = 60.0
"""Seconds that the question may take."""


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A model that looks as if it follows instructions, why, and what must be done before it can be asked over chat."""

    model: str
    why: str
    before: str = ""

    def __str__(self) -> str:
        return (
            f"model {self.model} looks like one that follows instructions ({self.why}), but is asked over completions, "
            f"as base models are; set models.{self.model}.endpoint: chat{self.before}"
        )


async def misplaced_models(config: Config) -> list[Misplaced]:
    """Those of the models with a role, in the order of the roles; each is asked one question over chat.

    None in profile `published`, whose models are asked over completions as the original's were. A model whose server
    is not there, or that has no chat, is told by its name alone.
    """
    if config.profile == "published":
        return []
    asked = [(name, config.models[name]) for name in config.used_models]
    found = await in_turns(
        [(section, partial(_misplaced, name, section)) for name, section in asked if _may_be(section)]
    )
    return [each for each in found if each is not None]


def _may_be(section: ModelSection) -> bool:
    is_asked_so = section.provider == "openai" and section.endpoint == "completions"
    return is_asked_so and not _HAS_NO_CHAT.search(section.model.replace("_", "-"))


async def _misplaced(name: str, section: ModelSection) -> Misplaced | None:
    try:
        is_obeyed, before = await _obeys(name, section), ""
    except (RequestError, ModelError):
        is_obeyed, before = False, ", once its server has a chat template for it: it refuses chat now"
    called = section.model.replace("_", "-")
    is_called_so = _IS_CHAT.search(called) is not None and not _IS_BASE.search(called)
    why = {"its name": is_called_so, "how it answers over chat": is_obeyed}
    told = " and ".join(reason for reason, is_so in why.items() if is_so)
    return Misplaced(name, f"by {told}", before) if told else None


async def _obeys(name: str, section: ModelSection) -> bool:
    """Whether the model answers over chat as chat models do: it thinks, or says a word and ends there."""
    chat = {"endpoint": "chat", "timeout": min(section.timeout, _PATIENCE)}
    _, client = make_clients(name, section.model_copy(update=chat))[0]
    try:
        reply = await client.answer(_QUESTION)
    finally:
        await client.close()
    read = read_reply(reply, "default")
    if not isinstance(read, Response) or read.reasoning.strip():
        return True  # nothing but a thought, or a refusal in the words of the protocol
    # as it came: a control token in the text is one of a template that the model does not know
    return reply.finish_reason == "stop" and reply.text == read.text and 0 < len(read.text.split()) <= _MOST_WORDS
