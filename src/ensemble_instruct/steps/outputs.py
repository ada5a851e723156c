"""Step 4: other, instruction-tuned models answer each instance, zero-shot and greedy (paper, section 3.3)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Sequence
from contextlib import aclosing

from ensemble_instruct.config import SamplingOverrides
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
)
from ensemble_instruct.streams import in_order, together

Answered = tuple[Instance, tuple[Candidate, ...]]


async def make_outputs(
    instances: AsyncIterable[Instance],
    voters: Sequence[Model],
    profile: Profile,
    overrides: SamplingOverrides,
    window: int,
) -> AsyncGenerator[Answered | Rejected, None]:
    """Yield each instance with the candidates of all voters, in order; first the drops among them, if any.

    All voters are asked at the same time. A candidate is missing where the voter refused the request or, in
    the default profile, was cut off by the token limit, said nothing, or repeated the input.
    """
    sampling = overrides.applied_to(outputs_sampling(profile))

    async def ask_all(instance: Instance) -> list[Answer]:
        request = Request(outputs_prompt(instance.instruction, instance.input), sampling, "outputs", instance.kind)
        if len(voters) == 1:
            return [await voters[0].ask(request)]
        return await together(voter.ask(request) for voter in voters)

    async with aclosing(in_order(instances, ask_all, window)) as answered:
        async for instance, answers in answered:
            candidates = []
            for record in _read(instance, voters, answers, profile):
                if isinstance(record, Rejected):
                    yield record
                else:
                    candidates.append(record)
            yield instance, tuple(candidates)


def _read(
    instance: Instance, voters: Sequence[Model], answers: Sequence[Answer], profile: Profile
) -> Iterator[Candidate | Rejected]:
    for voter, answer in zip(voters, answers, strict=True):
        outcome = answer.outcome
        if isinstance(outcome, Failure):
            yield Rejected("outputs", outcome.type, outcome.message, instance.kind, instance.id, answer.key, voter.name)
        elif profile == "published":
            yield Candidate(instance.id, voter.name, outcome.text, outcome.finish_reason, answer.key)
        else:
            text = outcome.text.partition(END_MARKER)[0].strip()
            if reason := _reason(instance, text, outcome):
                yield Rejected("outputs", reason, text, instance.kind, instance.id, answer.key, voter.name)
            else:
                yield Candidate(instance.id, voter.name, text, outcome.finish_reason, answer.key)


def _reason(instance: Instance, text: str, response: Response) -> str:
    """Why the default profile does not let a candidate vote, or the empty string."""
    if response.finish_reason == "length" and END_MARKER not in response.text:
        return "cut_off"
    if not text:
        return "empty_output"
    return "output_equals_input" if instance.input and squeezed(text) == squeezed(instance.input) else ""
