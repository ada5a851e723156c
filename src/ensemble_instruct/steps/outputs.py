"""Step 4: other, instruction-tuned models answer each instance, zero-shot (paper, section 3.3).

One output of a model is greedy; several are samples, each a voter of its own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from ensemble_instruct.concurrency import gather, map_in_order
from ensemble_instruct.config.section import SamplingOverrides
from ensemble_instruct.models.model import Model
from ensemble_instruct.prompts.forms import Form
from ensemble_instruct.records import (
    Answer,
    Answered,
    Instance,
    Profile,
    Rejected,
    Request,
    Voter,
    content_id,
)
from ensemble_instruct.steps.candidates import read_candidate

Voters = Sequence[tuple[Voter, Model]]


@dataclass(frozen=True, slots=True)
class OutputsPlan:
    """What step 4 needs besides the models."""

    profile: Profile
    seed: int
    overrides: SamplingOverrides


def outputs_request(plan: OutputsPlan, form: Form, instance: Instance, voter: Voter) -> Request:
    """The request that lets a voter answer an instance; samples differ in their seed and their repeat number."""
    request = form.outputs(instance, is_sampled=voter.of > 1)
    sampling = request.sampling
    if voter.of > 1:
        seed = int(content_id(str(plan.seed), "outputs", instance.id, str(voter.sample)), 16) % 2**31
        sampling = replace(sampling, seed=seed)
    return replace(request, sampling=plan.overrides.applied_to(sampling), repeat=voter.sample)


async def make_outputs(
    instances: AsyncIterable[Instance], voters: Voters, plan: OutputsPlan, window: int
) -> AsyncGenerator[Answered | Rejected, None]:
    """Yield each instance with the candidates of all voters, in order; first the drops among them, if any.

    All voters are asked at the same time. A candidate is missing where `read_candidate` drops it.
    """

    async def ask_all(instance: Instance) -> list[Answer]:
        if len(voters) == 1:
            voter, model = voters[0]
            return [await model.ask(outputs_request(plan, model.form, instance, voter))]
        return await gather(model.ask(outputs_request(plan, model.form, instance, voter)) for voter, model in voters)

    async with aclosing(map_in_order(instances, ask_all, window)) as answered:
        async for instance, answers in answered:
            candidates = []
            for (voter, model), answer in zip(voters, answers, strict=True):
                record = read_candidate(
                    instance, voter.name, answer, plan.profile, is_cleaned=model.form.cleans_answers
                )
                if isinstance(record, Rejected):
                    yield record
                else:
                    candidates.append(record)
            yield Answered(instance, tuple(candidates))
