"""Step 2: the same base model completes each instruction with an input and an output, few-shot.

Paper, section 3.2 (two templates, one for each kind of task).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import dataclass

from ensemble_instruct.concurrency import map_in_order
from ensemble_instruct.config.section import SamplingOverrides
from ensemble_instruct.models.model import Model
from ensemble_instruct.prompts.completions import InstancesTemplate, instances_sampling
from ensemble_instruct.records import (
    Answer,
    Completion,
    Failure,
    Instruction,
    Kind,
    Profile,
    Rejected,
    Request,
    content_id,
)


@dataclass(frozen=True, slots=True)
class InstancesPlan:
    """What step 2 needs for one kind."""

    kind: Kind
    template: InstancesTemplate
    profile: Profile
    seed: int
    overrides: SamplingOverrides


def instances_request(plan: InstancesPlan, instruction: str) -> Request:
    """The request that completes an instruction."""
    seed = int(content_id(str(plan.seed), "instances", plan.kind, instruction), 16) % 2**31
    return Request(
        prompt=plan.template.prompt(instruction),
        sampling=plan.overrides.applied_to(instances_sampling(plan.profile, seed)),
        step="instances",
        kind=plan.kind,
        shared=plan.template.text,
    )


async def make_instances(
    instructions: AsyncIterable[Instruction], model: Model, plan: InstancesPlan, window: int
) -> AsyncGenerator[Completion | Rejected, None]:
    """Yield one completion, or the drop of a refused request, for each instruction, in order."""

    async def ask(instruction: Instruction) -> Answer:
        return await model.ask(instances_request(plan, instruction.text))

    async with aclosing(map_in_order(instructions, ask, window)) as answers:
        async for instruction, answer in answers:
            outcome = answer.outcome
            if isinstance(outcome, Failure):
                yield Rejected(
                    step="instances",
                    reason=outcome.type,
                    text=instruction.text,
                    kind=plan.kind,
                    source=instruction.id,
                    request_key=answer.key,
                    detail=outcome.message,
                )
            else:
                yield Completion(instruction.text, plan.kind, outcome.text, outcome.finish_reason, answer.key)
