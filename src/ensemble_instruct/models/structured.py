"""Whether a server holds a chat model to a JSON Schema: decided once for a run, before its first request."""

from __future__ import annotations

import json
import logging
from typing import Any

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.model import Model
from ensemble_instruct.prompts.folder import Prompts
from ensemble_instruct.prompts.forms import ChatForm, Form, form_of
from ensemble_instruct.records import Failure, Profile, Request, Sampling
from ensemble_instruct.store.store import Store

_META = "structured"
"""The name in `meta` of what was decided: a JSON object by model, each with the identity that it was decided for."""
_SCHEMA: dict[str, Any] = {
    "type": "object", "properties": {"capital_city": {"type": "string"}}, "required": ["capital_city"],
    "additionalProperties": False,
}  # fmt: skip
PROBE = Request(
    prompt="What is the capital of France?",
    sampling=Sampling(max_tokens=1024, json_schema=json.dumps(_SCHEMA)),
    step="instructions",
    kind="output_only",
)
"""Nobody answers this with such JSON who is not held to it."""

log = logging.getLogger(__name__)


async def settle_form(model: Model, store: Store) -> None:
    """Let a model that lists or worked examples are asked of answer in JSON, if its server holds it to a schema.

    Only one that gets a conversation. What a server does is asked for once, as any request is, and noted in the store:
    a resumed run goes by the note, so that its requests stay the same whatever the server does by then.
    """
    section = model.section
    is_open = isinstance(model.form, ChatForm) and section.takes_schema and section.structured == "auto"
    if is_open and _noted(model.name, section, store) is None:
        note = {"identity": section.identity, "is_structured": await _follows_schema(model)}
        store.set_meta(**{_META: json.dumps(_notes(store) | {model.name: note})})
        await store.flush()
        how = "is held to JSON" if note["is_structured"] else "writes text"
        log.info("model %s: %s in steps 1 and 2", model.name, how, extra={"model": model.name})
    model.form = noted_form(model.name, section, model.profile, store, model.form.prompts)


def noted_form(name: str, section: ModelSection, profile: Profile, store: Store, prompts: Prompts) -> Form:
    """The form of a model of steps 1 and 2, by what its config says and the run has noted."""
    form = form_of(section.endpoint, profile, prompts)
    if not isinstance(form, ChatForm) or not section.takes_schema:
        return form
    is_noted = section.structured == "auto" and bool(_noted(name, section, store))
    return ChatForm(is_structured=section.structured == "always" or is_noted, prompts=prompts)


def _notes(store: Store) -> dict[str, Any]:
    notes: dict[str, Any] = json.loads(store.meta(_META) or "{}")
    return notes


def _noted(name: str, section: ModelSection, store: Store) -> bool | None:
    """What was decided for a model as its config now is, under whatever name it was asked; or None."""
    notes = _notes(store)
    same = [note for note in (notes.get(name), *notes.values()) if note and note["identity"] == list(section.identity)]
    return bool(same[0]["is_structured"]) if same else None


async def _follows_schema(model: Model) -> bool:
    outcome = (await model.ask(PROBE)).outcome
    if isinstance(outcome, Failure):
        return False
    try:
        reply = json.loads(outcome.text)
    except (ValueError, RecursionError):
        return False
    return isinstance(reply, dict) and reply.keys() == _SCHEMA["properties"].keys()
