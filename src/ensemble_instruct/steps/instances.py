"""Step 2: the same model completes each instruction with an input and an output, few-shot.

Paper, section 3.2 (two templates, one for each kind of task).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import dataclass, replace

from ensemble_instruct.concurrency import map_in_order
from ensemble_instruct.config.section import SamplingOverrides
from ensemble_instruct.models.model import Model
from ensemble_instruct.prompts.forms import InstancesQuestion
from ensemble_instruct.records import (
    Answer,
    Completion,
    Demonstration,
    Failure,
    Instruction,
    Kind,
    Rejected,
    Request,
    content_id,
)


@dataclass(frozen=True, slots=True)
class InstancesPlan:
    """What step 2 needs for one kind."""

    kind: Kind
    demonstrations: tuple[Demonstration, ...]
    """The worked examples that a request shows."""
    seed: int
    overrides: SamplingOverrides


def instances_request(plan: InstancesPlan, question: InstancesQuestion, instruction: str) -> Request:
    """The request that completes an instruction."""
    seed = int(content_id(str(plan.seed), "instances", plan.kind, instruction), 16) % 2**31
    request = question.request(instruction, seed)
    return replace(request, sampling=plan.overrides.applied_to(request.sampling))


async def make_instances(
    instructions: AsyncIterable[Instruction], model: Model, plan: InstancesPlan, window: int
) -> AsyncGenerator[Completion | Rejected, None]:
    """Yield one completion, or the drop of a refused request, for each instruction, in order."""
    question = model.form.instances(plan.kind, plan.demonstrations)

    async def ask(instruction: Instruction) -> Answer:
        return await model.ask(instances_request(plan, question, instruction.text))

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
