"""What a run will ask for, before it asks: requests, tokens and cost, with the assumptions they rest on."""

from __future__ import annotations

from dataclasses import dataclass

from ensemble_instruct.config.load import ConfigSource, config_of
from ensemble_instruct.config.schema import Config
from ensemble_instruct.records import BYTES_PER_TOKEN, Kind, Step
from ensemble_instruct.steps.instances import instances_request
from ensemble_instruct.steps.plans import prepare
from ensemble_instruct.steps.prompts import instructions_prompt

YIELD_INSTRUCTIONS = 0.6
"""Kept instructions a request of step 1: 0.8 in the published run, less as the pool grows."""
YIELD_INSTANCES = 0.8
"""Instances an instruction of step 2 (published run: 86 of 101 hold a usable one)."""
INSTRUCTION_TOKENS, INSTANCE_TOKENS, INSTANCE_PROMPT_TOKENS, OUTPUT_TOKENS, VERDICT_TOKENS = 30, 120, 90, 60, 2
ASSUMPTIONS = (
    f"{BYTES_PER_TOKEN} bytes a token; {YIELD_INSTRUCTIONS:g} instructions kept a request of step 1; "
    f"{YIELD_INSTANCES:g} instances a completion; replies of {INSTRUCTION_TOKENS}, {INSTANCE_TOKENS} and "
    f"{OUTPUT_TOKENS} tokens in steps 1, 2 and 4"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one model will be asked in one step, estimated."""

    step: Step
    kind: Kind
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


def estimate(source: ConfigSource) -> list[Estimate]:
    """The requests of a run by step, kind and model, with their tokens and cost; see `ASSUMPTIONS`. Nothing is asked.

    Raises `ConfigError` for a config that cannot be, `InputFileError` for a file of it that cannot be read.
    """
    config = config_of(source)
    planned = []
    for kind, plan in prepare(config).items():
        target = config.instructions.target.of(kind)
        seeds = plan.instructions.seeds[: config.instructions.demonstrations.of(kind)]
        shown = len(instructions_prompt(seeds, config.profile)) // BYTES_PER_TOKEN
        asked = round(target / YIELD_INSTRUCTIONS)
        planned.append(_planned(config, "instructions", kind, config.roles.instructions, asked, shown))
        template = len(instances_request(plan.instances, plan.instructions.seeds[0]).prompt) // BYTES_PER_TOKEN
        planned.append(_planned(config, "instances", kind, config.roles.instances, target, template))
        instances = round(target * YIELD_INSTANCES)
        for model in config.roles.outputs:
            asked = instances * config.outputs.samples_of(model)
            planned.append(_planned(config, "outputs", kind, model, asked, INSTANCE_PROMPT_TOKENS))
        planned += _planned_helpers(config, kind, instances)
    return planned


def _planned_helpers(config: Config, kind: Kind, instances: int) -> list[Estimate]:
    """What fusion, a judge and a model for toxicity are asked about the outputs, which all stand in their prompts."""
    voters = len(config.voter_names) + 1
    planned = []
    if config.ensemble.fusion and config.roles.fusion is not None:
        shown = INSTANCE_PROMPT_TOKENS + (voters - 1) * OUTPUT_TOKENS
        planned.append(_planned(config, "outputs", kind, config.roles.fusion, instances, shown))
    if "judge" in config.ensemble.utility.of(kind) and config.roles.judge is not None:
        pairs = instances * voters * (voters - 1) // 2
        shown = INSTANCE_PROMPT_TOKENS + 2 * OUTPUT_TOKENS
        planned.append(_planned(config, "ensemble", kind, config.roles.judge, pairs, shown))
    if config.quality.toxicity is not None:
        shown = INSTANCE_PROMPT_TOKENS + OUTPUT_TOKENS
        planned.append(_planned(config, "ensemble", kind, config.quality.toxicity.model, instances * voters, shown))
    return planned


def _planned(config: Config, step: Step, kind: Kind, model: str, requests: int, prompt: int) -> Estimate:
    replies = {"instructions": INSTRUCTION_TOKENS, "instances": INSTANCE_TOKENS, "outputs": OUTPUT_TOKENS}
    completion = replies.get(step, VERDICT_TOKENS)
    cost = requests * config.models[model].price.cost(prompt, completion)
    return Estimate(
        step=step,
        kind=kind,
        model=model,
        requests=requests,
        prompt_tokens=requests * prompt,
        completion_tokens=requests * completion,
        cost=cost,
    )
