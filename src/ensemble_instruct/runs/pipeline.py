"""A run: the five steps composed, each kind of task a stream of its own, all models at work at the same time.

    seeds → make_instructions → make_instances → parse_completions → make_outputs → examples_so_far → select → examples

Each step draws from the one before as fast as its window allows. Between two steps every record passes a `Recorder`,
which hands it to the store and counts it; only records that were not dropped go on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import TypeVar

from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.concurrency import drain, gather
from ensemble_instruct.config.schema import Config
from ensemble_instruct.models.model import Model
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.records import Answered, Instance, Instruction, Kind, OwnForm, Rejected
from ensemble_instruct.replies.reader import READING
from ensemble_instruct.runs.passes import Pass, last_pass, passes_of
from ensemble_instruct.runs.recorder import Monitor, Recorder, Summary, ToldOnce
from ensemble_instruct.runs.selecting import select_all
from ensemble_instruct.steps.ensemble import examples_so_far
from ensemble_instruct.steps.first_replies import FirstReplies, noting_drops
from ensemble_instruct.steps.fusion import make_fusions
from ensemble_instruct.steps.instances import make_instances
from ensemble_instruct.steps.instructions import InstructionsPlan, make_instructions
from ensemble_instruct.steps.judge import make_verdicts
from ensemble_instruct.steps.outputs import make_outputs
from ensemble_instruct.steps.own_tasks import record_of
from ensemble_instruct.steps.parse import Parser, parse_completions
from ensemble_instruct.steps.plans import KindPlan, outputs_plan
from ensemble_instruct.steps.rating import make_ratings
from ensemble_instruct.steps.toxicity import make_toxicity_verdicts
from ensemble_instruct.steps.usable import InstructionFilters
from ensemble_instruct.store.own_tasks import KeptTask
from ensemble_instruct.store.store import Store
from ensemble_instruct.version import __version__

log = logging.getLogger(__name__)
Record = TypeVar("Record", Instruction, Instance)


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
    passes = passes_of(config)
    for number, one in enumerate(passes, 1):  # each makes the records anew, out of the answers that are there by then
        log.info("pass %d of %d, up to %s: %s", number, len(passes) + 1, one.until, ", ".join(one.asked))
        own = own_tasks(config, plans, store)
        await gather(
            stream(config, plan, models, recorder, earlier[kind], one, own[kind]) for kind, plan in plans.items()
        )
        for name in one.freed:
            await models[name].unload()
        await store.flush()
        earlier = {kind: store.instructions(kind) for kind in plans}
        store.forget_records()
        told_once.next_pass()
        recorder = Recorder(store, told_once)
    last = last_pass(config)
    own = own_tasks(config, plans, store)
    await gather(stream(config, plan, models, recorder, earlier[kind], last, own[kind]) for kind, plan in plans.items())
    if not Selection.of(config).is_final_at_once(config.quality):
        await select_all(config, store, recorder)
    return await recorder.summary(began)


def _earlier(store: Store, plan: InstructionsPlan) -> Iterator[Instruction]:
    """What the start before made in step 1, if it began with the same pool."""
    name, pool_id = f"pool_{plan.kind}", plan.pool_id
    instructions = store.instructions(plan.kind) if store.meta(name) == pool_id else iter(())
    store.set_meta(**{name: pool_id})
    return instructions


def own_tasks(config: Config, kinds: Iterable[Kind], store: Store) -> dict[Kind, Iterable[KeptTask]]:
    """The user's own tasks that the run begins with, by kind."""
    return {kind: () if config.tasks is None else store.tasks(kind) for kind in kinds}


def generators_of(config: Config) -> list[str]:
    """The models of steps 1 and 2, each once, as far as the run has these steps."""
    roles = config.roles
    names = {None: (roles.instructions, roles.instances), "instructions": (roles.instances,), "instances": ()}
    return list(dict.fromkeys(names[config.tasks]))


async def stream(
    config: Config,
    plan: KindPlan,
    models: Mapping[str, Model],
    recorder: Recorder,
    earlier: Iterator[Instruction],
    at: Pass,
    own: Iterable[KeptTask] = (),
) -> None:
    """The five steps for one kind, as far as a pass comes with them."""
    kind, selection = plan.instructions.kind, Selection.of(config)
    instances: AsyncIterable[Instance]
    if config.tasks == "instances":
        instances = recorder.kept(_own(own, "instances", Instance))
    else:
        if config.tasks == "instructions":
            instructions = recorder.kept(_own(own, "instructions", Instruction))
        else:
            generator = models[config.roles.instructions]
            first_lists = FirstReplies("instructions", kind, generator, config.profile)
            instructions = recorder.kept(make_instructions(generator, plan.instructions, earlier, first_lists))
        instances = _parsed(config, plan, models[config.roles.instances], recorder, instructions)
    if at.until == "instructions":
        await drain(instructions)
    elif at.until == "instances":
        await drain(instances)
    elif not at.is_last:
        await drain(_answered(config, kind, models, instances, at))
    else:
        answered = recorder.kept(_answered(config, kind, models, instances, at))
        note = recorder.note if selection.is_final_at_once(config.quality) else recorder.store_only
        async with aclosing(examples_so_far(answered, selection)) as examples:
            async for example in examples:
                note(example)


def _parsed(
    config: Config, plan: KindPlan, writer: Model, recorder: Recorder, instructions: AsyncIterable[Instruction]
) -> AsyncIterable[Instance]:
    """Steps 2 and 3."""
    threshold = config.instructions.novelty_threshold
    pool = NoveltyPool(plan.instructions.seeds, threshold, base=plan.instructions.known)
    filters = InstructionFilters.of(config.instructions.filters)
    parser = Parser(config.profile, pool, threshold, filters, plan.labels)
    first = FirstReplies("instances", plan.instructions.kind, writer, config.profile)
    written = make_instances(instructions, writer, plan.instances, writer.window)
    completions = recorder.kept(noting_drops(written, first))
    return recorder.kept(parse_completions(completions, parser, first))


async def _own(tasks: Iterable[KeptTask], form: OwnForm, made: type[Record]) -> AsyncGenerator[Record | Rejected, None]:
    """What the user's own tasks are in place of a step's records."""
    for task in tasks:
        record = record_of(task, form)
        if isinstance(record, made | Rejected):
            yield record


def _answered(
    config: Config, kind: Kind, models: Mapping[str, Model], instances: AsyncIterable[Instance], at: Pass
) -> AsyncIterable[Answered | Rejected]:
    """Step 4, and what models say of its outputs: fusion, ratings, verdicts, toxicity, where the config wants them."""
    asked, roles, toxicity = at.of("outputs", config.roles.outputs), config.roles, config.quality.toxicity
    voters = [(voter, models[voter.model]) for voter in config.voters if voter.model in asked]
    answered = make_outputs(instances, voters, outputs_plan(config), max(model.window for _, model in voters))
    if config.ensemble.fusion:
        for name in at.of("fusion", [roles.fusion]):
            answered = make_fusions(answered, models[name], config.outputs.sampling, models[name].window)
    for name in at.of("opinions", config.judges):
        answered = make_ratings(answered, models[name], config.voters_of(name))
    if "judge" in config.ensemble.utility.of(kind):
        for name in at.of("opinions", [roles.judge]):
            answered = make_verdicts(answered, models[name])
    if toxicity is not None:
        for name in at.of("opinions", [toxicity.model]):
            answered = make_toxicity_verdicts(answered, models[name])
    return answered
