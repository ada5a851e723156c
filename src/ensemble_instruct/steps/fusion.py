"""After step 4, if asked for: a model makes one more output out of those that there are; it votes like any other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import replace

from ensemble_instruct.concurrency import map_in_order
from ensemble_instruct.config.section import SamplingOverrides
from ensemble_instruct.invisible import is_blank
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import (
    FUSION_VOTER,
    Answer,
    Answered,
    Rejected,
)
from ensemble_instruct.steps.candidates import read_candidate


async def make_fusions(
    answered: AsyncIterable[Answered | Rejected],
    model: Model,
    overrides: SamplingOverrides,
    window: int,
) -> AsyncGenerator[Answered | Rejected, None]:
    """Yield what comes, in order; instances with one candidate more, by the voter `fusion`, or after its drop.

    The prompt holds the different outputs in alphabetical order, so that the order of the voters never matters. Where
    there are not two, nothing is asked: there is nothing to fuse. Always greedy, and read as in the default profile.
    """

    async def ask(item: Answered | Rejected) -> Answer | None:
        if isinstance(item, Rejected):
            return None
        instance, candidates = item
        texts = sorted({text for text in (instance.output, *(each.text for each in candidates)) if not is_blank(text)})
        if len(texts) < 2:
            return None
        request = model.form.fusion(instance, texts)
        sampling = overrides.model_copy(update={"temperature": None}).applied_to(request.sampling)
        return await model.ask(replace(request, sampling=sampling))

    async with aclosing(map_in_order(answered, ask, window)) as fused:
        async for item, answer in fused:
            if isinstance(item, Rejected) or answer is None:
                yield item
                continue
            instance, candidates = item
            fused_output = read_candidate(
                instance, FUSION_VOTER, answer, "default", is_cleaned=model.form.cleans_answers
            )
            if isinstance(fused_output, Rejected):
                yield fused_output
                yield item
            else:
                yield Answered(instance, (*candidates, fused_output))
