"""A run: the five steps composed, each kind of task a stream of its own, all models at work at the same time.

    seeds → make_instructions → make_instances → parse_completions → make_outputs → examples_so_far → select → examples

Each step draws from the one before as fast as its window allows. Between two steps every record passes a `Recorder`,
which hands it to the store and counts it; only records that were not dropped go on.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Iterator, Mapping, Sequence
from contextlib import aclosing

from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.concurrency import drain, gather
from ensemble_instruct.config.schema import Config
from ensemble_instruct.models.model import Model
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.records import Answered, Instance, Instruction, Kind, Rejected
from ensemble_instruct.replies.reader import READING
from ensemble_instruct.runs.passes import Phase, phases_of
from ensemble_instruct.runs.recorder import Monitor, Recorder, Summary, ToldOnce
from ensemble_instruct.runs.selecting import select_all
from ensemble_instruct.steps.ensemble import examples_so_far
from ensemble_instruct.steps.first_replies import FirstReplies, noting_drops
from ensemble_instruct.steps.fusion import make_fusions
from ensemble_instruct.steps.instances import make_instances
from ensemble_instruct.steps.instructions import InstructionsPlan, make_instructions
from ensemble_instruct.steps.judge import make_verdicts
from ensemble_instruct.steps.outputs import make_outputs
from ensemble_instruct.steps.parse import Parser, parse_completions
from ensemble_instruct.steps.plans import KindPlan, outputs_plan
from ensemble_instruct.steps.rating import make_ratings
from ensemble_instruct.steps.toxicity import make_toxicity_verdicts
from ensemble_instruct.steps.usable import InstructionFilters
from ensemble_instruct.store.store import Store
from ensemble_instruct.version import __version__


async def run_steps(
    config: Config, plans: Mapping[Kind, KindPlan], models: Mapping[str, Model], store: Store, monitor: Monitor
) -> Summary:
    """Make all records of a run and hand them to the store; answers that it has are not asked again.

    Raises `RunError` when the run cannot go on.
    """
    began = time.monotonic()
    earlier = {kind: _earlier(store, plan.instructions) for kind, plan in plans.items()}
    store.forget_records()
    store.set_meta(state="running", version=__version__, reading=READING)
    told_once = ToldOnce(monitor)
    recorder = Recorder(store, told_once)
    told_once.started(models, {kind: config.instructions.target.of(kind) for kind in plans})
    for phase in phases_of(config):  # each pass makes the records anew, out of the answers that are there by then
        await gather(_stream(config, plan, models, recorder, earlier[kind], only=phase) for kind, plan in plans.items())
        for name in phase.unloaded:
            await models[name].unload()
        await store.flush()
        earlier = {kind: store.instructions(kind) for kind in plans}
        store.forget_records()
        told_once.next_pass()
        recorder = Recorder(store, told_once)
    await gather(_stream(config, plan, models, recorder, earlier[kind]) for kind, plan in plans.items())
    if not Selection.of(config).is_final_at_once(config.quality):
        await select_all(config, store, recorder)
    return await recorder.summary(began)


def _earlier(store: Store, plan: InstructionsPlan) -> Iterator[Instruction]:
    """What the start before made in step 1, if it began with the same pool."""
    name, pool_id = f"pool_{plan.kind}", plan.pool_id
    instructions = store.instructions(plan.kind) if store.meta(name) == pool_id else iter(())
    store.set_meta(**{name: pool_id})
    return instructions


async def _stream(
    config: Config,
    plan: KindPlan,
    models: Mapping[str, Model],
    recorder: Recorder,
    earlier: Iterator[Instruction],
    only: Phase | None = None,
) -> None:
    """The five steps for one kind; with `only`, those before step 4, and then nobody but who is asked in that pass."""
    roles, selection = config.roles, Selection.of(config)
    generator, writer = models[roles.instructions], models[roles.instances]
    threshold = config.instructions.novelty_threshold
    pool = NoveltyPool(plan.instructions.seeds, threshold, base=plan.instructions.known)
    parser = Parser(config.profile, pool, threshold, InstructionFilters.of(config.instructions.filters))
    kind = plan.instructions.kind
    first_lists = FirstReplies("instructions", kind, generator, config.profile)
    instructions = recorder.kept(make_instructions(generator, plan.instructions, earlier, first_lists))
    first = FirstReplies("instances", kind, writer, config.profile)
    written = make_instances(instructions, writer, plan.instances, writer.window)
    completions = recorder.kept(noting_drops(written, first))
    instances = recorder.kept(parse_completions(completions, parser, first))
    if only is not None:
        await drain(_part_of_step_4(config, models, instances, only))
        return
    answered = recorder.kept(_answered(config, kind, models, instances))
    note = recorder.note if selection.is_final_at_once(config.quality) else recorder.store_only
    async with aclosing(examples_so_far(answered, selection)) as examples:
        async for example in examples:
            note(example)


def _answered(
    config: Config, kind: Kind, models: Mapping[str, Model], instances: AsyncIterable[Instance]
) -> AsyncIterable[Answered | Rejected]:
    """Step 4, and what models say of its outputs: fusion, ratings, verdicts, toxicity, where the config wants them."""
    answered = _rated(config, models, instances, config.judges)
    if "judge" in config.ensemble.utility.of(kind) and config.roles.judge is not None:
        judge = models[config.roles.judge]
        answered = make_verdicts(answered, judge)
    if config.quality.toxicity is not None:
        model = models[config.quality.toxicity.model]
        answered = make_toxicity_verdicts(answered, model)
    return answered


def _rated(
    config: Config, models: Mapping[str, Model], instances: AsyncIterable[Instance], judges: Sequence[str]
) -> AsyncIterable[Answered | Rejected]:
    """The outputs of all voters, and that of fusion, once these judges have rated them."""
    answered = _voted(config, models, instances, config.roles.outputs)
    if config.ensemble.fusion and config.roles.fusion is not None:
        fuser = models[config.roles.fusion]
        answered = make_fusions(answered, fuser, config.outputs.sampling, fuser.window)
    for name in judges:
        answered = make_ratings(answered, models[name], config.voters_of(name))
    return answered


def _voted(
    config: Config, models: Mapping[str, Model], instances: AsyncIterable[Instance], names: Sequence[str]
) -> AsyncIterable[Answered | Rejected]:
    """The outputs of these models."""
    voters = [(voter, models[voter.model]) for voter in config.voters if voter.model in names]
    return make_outputs(instances, voters, outputs_plan(config), max(model.window for _, model in voters))


def _part_of_step_4(
    config: Config, models: Mapping[str, Model], instances: AsyncIterable[Instance], phase: Phase
) -> AsyncIterable[object]:
    """What a pass before the last one goes up to."""
    if phase.judges:
        return _rated(config, models, instances, phase.judges)
    return _voted(config, models, instances, phase.voters) if phase.voters else instances
