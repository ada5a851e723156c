"""Step 4: other, instruction-tuned models answer each instance, zero-shot (paper, section 3.3).

One output of a model is greedy; several are samples, each a voter of its own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from ensemble_instruct.config_base import SamplingOverrides
from ensemble_instruct.model import Model
from ensemble_instruct.prompts import outputs_prompt, outputs_sampling, squeezed
from ensemble_instruct.records import (
    END_MARKER,
    Answer,
    Candidate,
    Failure,
    Instance,
    Profile,
    Rejected,
    Request,
    Response,
    Voter,
    content_id,
)
from ensemble_instruct.streams import in_order, together

Answered = tuple[Instance, tuple[Candidate, ...]]
Voters = Sequence[tuple[Voter, Model]]


@dataclass(frozen=True, slots=True)
class OutputsPlan:
    """What step 4 needs beside the models."""

    profile: Profile
    seed: int
    overrides: SamplingOverrides


def outputs_request(plan: OutputsPlan, instance: Instance, voter: Voter) -> Request:
    """The request that lets a voter answer an instance; samples differ in their seed and their repeat number."""
    sampling = outputs_sampling(plan.profile, sampled=voter.of > 1)
    if voter.of > 1:
        seed = int(content_id(str(plan.seed), "outputs", instance.id, str(voter.sample)), 16) % 2**31
        sampling = replace(sampling, seed=seed)
    sampling = plan.overrides.applied_to(sampling)
    return Request(
        outputs_prompt(instance.instruction, instance.input), sampling, "outputs", instance.kind, voter.sample
    )


async def make_outputs(
    instances: AsyncIterable[Instance], voters: Voters, plan: OutputsPlan, window: int
) -> AsyncGenerator[Answered | Rejected, None]:
    """Yield each instance with the candidates of all voters, in order; first the drops among them, if any.

    All voters are asked at the same time. A candidate is missing where the voter refused the request or, in
    the default profile, was cut off by the token limit, said nothing, or repeated the input.
    """

    async def ask_all(instance: Instance) -> list[Answer]:
        if len(voters) == 1:
            voter, model = voters[0]
            return [await model.ask(outputs_request(plan, instance, voter))]
        return await together(model.ask(outputs_request(plan, instance, voter)) for voter, model in voters)

    async with aclosing(in_order(instances, ask_all, window)) as answered:
        async for instance, answers in answered:
            candidates = []
            for record in _read(instance, [voter.name for voter, _ in voters], answers, plan.profile):
                if isinstance(record, Rejected):
                    yield record
                else:
                    candidates.append(record)
            yield instance, tuple(candidates)


def _read(
    instance: Instance, names: Sequence[str], answers: Sequence[Answer], profile: Profile
) -> Iterator[Candidate | Rejected]:
    for name, answer in zip(names, answers, strict=True):
        outcome = answer.outcome
        if isinstance(outcome, Failure):
            yield Rejected("outputs", outcome.type, outcome.message, instance.kind, instance.id, answer.key, name)
        elif profile == "published":
            yield Candidate(instance.id, name, outcome.text, outcome.finish_reason, answer.key)
        else:
            text = outcome.text.partition(END_MARKER)[0].strip()
            if reason := _reason(instance, text, outcome):
                yield Rejected("outputs", reason, text, instance.kind, instance.id, answer.key, name)
            else:
                yield Candidate(instance.id, name, text, outcome.finish_reason, answer.key)


def _reason(instance: Instance, text: str, response: Response) -> str:
    """Why the default profile does not let a candidate vote, or the empty string."""
    if response.finish_reason == "length" and END_MARKER not in response.text:
        return "cut_off"
    if not text:
        return "empty_output"
    return "output_equals_input" if instance.input and squeezed(text) == squeezed(instance.input) else ""
