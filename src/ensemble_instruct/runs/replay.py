"""What a run was answered, gone through by this version and with this config: what would be asked anew.

Nothing is asked. The answers lie under keys that hold all that can change them, and not the name that a config has for
a model: so it shows what a changed setting costs, and that a new name costs nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ensemble_instruct.concurrency import closing
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import ConfigChangedError, RunError
from ensemble_instruct.models.asking import as_asked, request_key
from ensemble_instruct.models.model import Model
from ensemble_instruct.models.structured import PROBE, noted_form
from ensemble_instruct.prompts.folder import load_prompts
from ensemble_instruct.records import Answer, Failure, Instruction, Kind, Rejected, Request, Step
from ensemble_instruct.replies.reader import READING, read_answer
from ensemble_instruct.runs.passes import Pass
from ensemble_instruct.runs.pipeline import generators_of, own_tasks, stream
from ensemble_instruct.runs.recorder import Record, Recorder
from ensemble_instruct.steps.instructions import make_instructions
from ensemble_instruct.steps.plans import KindPlan
from ensemble_instruct.store.store import Store

_Place = tuple[str, Step, Kind]
"""A model, and the step and the kind of what it is asked."""
_NOTHING_KNOWN = Failure("not_novel", "not answered")
"""Its reason is one that stops no run, however often it comes."""
_STEPS: tuple[Step, ...] = ("instructions", "instances", "outputs", "ensemble")
"""Those that ask, in order: what a step asks depends on the answers of those before."""


async def require_same_way(config: Config, plans: Mapping[Kind, KindPlan], store: Store, folder: Path) -> None:
    """Raise `ConfigChangedError` where prompts of step 1 would change because its replies are read otherwise now.

    Each later prompt shows what was read before, so that its answer would be asked, and paid, anew. Looked at once in a
    run that an older version began.
    """
    if store.meta("reading") == READING or config.profile == "published":
        return
    name = config.roles.instructions
    replay = _Knowing(name, config, store, _LookedUp())
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


class _Knowing(Model):
    """Stands in for a model: knows what the store knows, and asks nobody."""

    def __init__(self, name: str, config: Config, store: Store, looked: _LookedUp) -> None:
        prompts, section = load_prompts(config.prompts), config.models[name]
        super().__init__(name, section, (), store, profile=config.profile, prompts=prompts)
        if name in (config.roles.instructions, config.roles.instances):
            self.form = noted_form(name, section, config.profile, store, prompts)
        self._looked = looked

    async def ask(self, request: Request) -> Answer:
        """See `Model.ask`; raises `_NotAnsweredError` for step 1, and else answers that nothing is known."""
        key = request_key(self._identity, as_asked(self.section, request))
        answer = self._store.answer(key)
        place = self.name, request.step, request.kind
        if answer is not None:
            self._looked.used[place].add(key)
            return read_answer(answer, self.profile)
        if request.step == "instructions":
            raise _NotAnsweredError("not answered")
        self._looked.missing[place].add(key)
        return Answer(key, _NOTHING_KNOWN)

    def set_aside(self, name: str, places: int) -> None:
        """See `Model.set_aside`: there are no places."""


@dataclass(slots=True)
class _LookedUp:
    """Keys of requests: those that the store can answer, and those that it cannot."""

    used: defaultdict[_Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    missing: defaultdict[_Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    ended: set[Kind] = field(default_factory=set)
    """The kinds whose step 1 came to a request that the store cannot answer."""

    def used_in(self, step: Step, kind: Kind) -> int:
        """How many answers of a step are of use."""
        return len(set().union(*(keys for place, keys in self.used.items() if place[1:] == (step, kind))))


class _Unrecorded(Recorder):
    """Lets records pass, and keeps none; a step that comes to an unknown answer has ended."""

    def __init__(self, kind: Kind, looked: _LookedUp) -> None:
        self._kind, self._looked = kind, looked

    async def kept(self, records: AsyncIterable[Record | Rejected]) -> AsyncGenerator[Record, None]:
        """See `Recorder.kept`."""
        try:
            async with closing(records) as source:
                async for record in source:
                    if not isinstance(record, Rejected):
                        yield record
        except _NotAnsweredError:
            self._looked.ended.add(self._kind)
        except RunError:
            pass  # the first replies were of no use: there it would stop


async def cost_of(config: Config, plans: Mapping[Kind, KindPlan], store: Store) -> str:
    """What a run would ask that goes on with this config, of what it was answered before, in words.

    The steps are gone through by the answers that are there, and nothing is asked.
    """
    looked = _LookedUp()
    models = {name: _Knowing(name, config, store, looked) for name in config.used_models}
    for name in generators_of(config):
        with suppress(_NotAnsweredError):
            await models[name].ask(PROBE)
    everything = Pass("opinions", config.used_models)
    own = own_tasks(config, plans, store)
    for kind, plan in plans.items():
        await stream(config, plan, models, _Unrecorded(kind, looked), iter(()), everything, own[kind])
    return _in_words(looked, {(step, kind): store.answered_in(step, kind) for step in _STEPS for kind in plans})


def _in_words(looked: _LookedUp, answered: Mapping[tuple[Step, Kind], int]) -> str:
    unused = {place: count - looked.used_in(*place) for place, count in answered.items()}
    lost = {kind: unused["instructions", kind] for kind in looked.ended if unused["instructions", kind]}
    if lost:
        most = sum(count for (_, kind), count in unused.items() if kind in lost)
        goes_on = any(looked.used_in("instructions", kind) for kind in lost)
        what = "asks again what follows in step 1 and after it" if goes_on else "asks every step again"
        return f"{what}: up to {most} answers are of no use any more"
    for number, step in enumerate(_STEPS):
        again = _again(looked, step, {kind: count for (at, kind), count in unused.items() if at == step})
        if again:
            follows = any(count for (at, _), count in unused.items() if at in _STEPS[number + 1 :])
            rest = ", and what follows where they differ" if follows else ""
            return f"asks again: {again} answers of step {step}{rest}"
    return "asks nothing again" + (", only for what is missing" if looked.missing or looked.ended else "")


def _again(looked: _LookedUp, step: Step, unused: Mapping[Kind, int]) -> int:
    """How many answers of a step are asked again: of models that have none of use there, and no more than are lost."""
    again: Counter[Kind] = Counter()
    for (name, at, kind), keys in looked.missing.items():
        if at == step and not looked.used[name, at, kind]:
            again[kind] += len(keys)
    return sum(min(count, unused.get(kind, 0)) for kind, count in again.items())


async def _asked_again(plan: KindPlan, replay: _Knowing, store: Store, kind: Kind) -> int:
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
