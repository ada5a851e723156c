"""What a run will ask for, before it asks: requests, tokens and cost, with the assumptions they rest on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from ensemble_instruct.clients import make_client
from ensemble_instruct.config import Config, ModelSection, api_key
from ensemble_instruct.errors import EnsembleInstructError, ModelError, RequestError
from ensemble_instruct.pipeline import KindPlan
from ensemble_instruct.prompts import instructions_prompt
from ensemble_instruct.records import Kind, Request, Sampling, Step
from ensemble_instruct.steps.instances import instances_request

CHARACTERS_PER_TOKEN = 4
YIELD_INSTRUCTIONS = 0.6
"""Kept instructions a request of step 1: 0.8 in the published run, less as the pool grows."""
YIELD_INSTANCES = 0.8
"""Instances an instruction of step 2 (published run: 86 of 101 hold a usable one)."""
INSTRUCTION_TOKENS, INSTANCE_TOKENS, INSTANCE_PROMPT_TOKENS, OUTPUT_TOKENS = 30, 120, 90, 60
ASSUMPTIONS = (
    f"{CHARACTERS_PER_TOKEN} characters a token; {YIELD_INSTRUCTIONS:g} instructions kept a request of step 1; "
    f"{YIELD_INSTANCES:g} instances a completion; replies of {INSTRUCTION_TOKENS}, {INSTANCE_TOKENS} and "
    f"{OUTPUT_TOKENS} tokens in steps 1, 2 and 4"
)


@dataclass(frozen=True, slots=True)
class PlannedRequests:
    """What one model will be asked in one step, estimated."""

    step: Step
    kind: Kind
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


def plan_run(config: Config, plans: Mapping[Kind, KindPlan]) -> list[PlannedRequests]:
    """The requests of a run by step, kind and model; see `ASSUMPTIONS`."""
    planned = []
    for kind, plan in plans.items():
        target = config.instructions.target.of(kind)
        seeds = plan.instructions.seeds[: config.instructions.demonstrations.of(kind)]
        shown = len(instructions_prompt(seeds, config.profile)) // CHARACTERS_PER_TOKEN
        asked = round(target / YIELD_INSTRUCTIONS)
        planned.append(_planned(config, "instructions", kind, config.roles.instructions, asked, shown))
        template = len(instances_request(plan.instances, plan.instructions.seeds[0]).prompt) // CHARACTERS_PER_TOKEN
        planned.append(_planned(config, "instances", kind, config.roles.instances, target, template))
        for voter in config.roles.outputs:
            instances = round(target * YIELD_INSTANCES)
            planned.append(_planned(config, "outputs", kind, voter, instances, INSTANCE_PROMPT_TOKENS))
    return planned


def _planned(config: Config, step: Step, kind: Kind, model: str, requests: int, prompt: int) -> PlannedRequests:
    replies = {"instructions": INSTRUCTION_TOKENS, "instances": INSTANCE_TOKENS, "outputs": OUTPUT_TOKENS}
    completion = replies[step]
    price = config.models[model].price
    cost = requests * (prompt * price.input + completion * price.output) / 1e6
    return PlannedRequests(step, kind, model, requests, requests * prompt, requests * completion, cost)


async def ask_one_word(config: Config) -> dict[str, str | EnsembleInstructError]:
    """Ask each model that has a role for one word, all at once: what it said, or the error, by name."""
    replies = await asyncio.gather(*(_one_word(name, config.models[name]) for name in config.used_models))
    return dict(zip(config.used_models, replies, strict=True))


async def _one_word(name: str, section: ModelSection) -> str | EnsembleInstructError:
    question = "Answer with one word. The capital of France is"
    client = make_client(name, section, api_key(name, section))
    try:
        await client.open()
        return (await client.answer(Request(question, Sampling(max_tokens=8), "outputs", "output_only"))).text
    except (RequestError, ModelError) as error:
        return error
    finally:
        await client.close()
