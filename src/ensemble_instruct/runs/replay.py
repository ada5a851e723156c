"""Whether step 1, read by this version, still goes the way that it went when the run began; nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path

from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import ConfigChangedError, RunError
from ensemble_instruct.models.known import KnownAnswers
from ensemble_instruct.models.structured import noted_form
from ensemble_instruct.prompts.folder import load_prompts
from ensemble_instruct.records import Answer, Instruction, Kind, Request
from ensemble_instruct.replies.reader import READING
from ensemble_instruct.steps.instructions import make_instructions
from ensemble_instruct.steps.plans import KindPlan
from ensemble_instruct.store.store import Store


async def require_same_way(config: Config, plans: Mapping[Kind, KindPlan], store: Store, folder: Path) -> None:
    """Raise `ConfigChangedError` where prompts of step 1 would change because its replies are read otherwise now.

    Each later prompt shows what was read before, so that its answer would be asked, and paid, anew. Looked at once in a
    run that an older version began.
    """
    if store.meta("reading") == READING or config.profile == "published":
        return
    name = config.roles.instructions
    section = config.models[name]
    form = noted_form(name, section, config.profile, store, load_prompts(config.prompts))
    replay = _Replay(KnownAnswers(store.answer, section, config.profile, form))
    again = 0
    for kind, plan in plans.items():
        again += await _asked_again(plan, replay, store, kind)
    if again:
        raise ConfigChangedError(
            f"{folder}: this version reads the replies of step 1 otherwise than the one that began the run: up to "
            f"{again} answers of step 1, and what follows from them, would be asked again; give --force to go on so, "
            f"or another --out to start anew"
        )


class _NotAnsweredError(RunError):
    """The store has no answer."""


class _Replay:
    """Stands in for a model of step 1: knows what the store knows."""

    def __init__(self, known: KnownAnswers) -> None:
        self.form, self._known = known.form, known

    async def ask(self, request: Request) -> Answer:
        """See `Model.ask`; raises `_NotAnsweredError` instead of asking."""
        answer = self._known.to(request)
        if answer is None:
            raise _NotAnsweredError("not answered")
        return answer

    def set_aside(self, name: str, places: int) -> None:
        """See `Model.set_aside`: there are no places."""


async def _asked_again(plan: KindPlan, replay: _Replay, store: Store, kind: Kind) -> int:
    """How many answers come after the first reply that is read otherwise than before; 0 where none is."""
    expected = store.instructions(kind)
    before = next(expected, None)
    is_at_its_reply = False
    """Whether the reply that gave `before` is the one that is being read."""
    try:
        async with aclosing(make_instructions(replay, plan.instructions, store.instructions(kind))) as records:
            async for record in records:
                if before is None or (is_at_its_reply and record.request_key != before.request_key):
                    break
                is_at_its_reply = record.request_key == before.request_key
                if isinstance(record, Instruction):
                    if (record.text, record.request_key) != (before.text, before.request_key):
                        is_at_its_reply = True
                        break
                    before = next(expected, None)
                    is_at_its_reply = before is not None and before.request_key == record.request_key
    except _NotAnsweredError:
        pass  # as far as the run had come, or what came of it was lost
    is_read_otherwise = before is not None and is_at_its_reply
    return max(1, store.answered_in("instructions", kind) - before.round - 1) if is_read_otherwise and before else 0
