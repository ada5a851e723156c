"""What a run will ask for, before it asks: requests, tokens and cost, with the assumptions they rest on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ensemble_instruct.config.load import ConfigSource, config_of
from ensemble_instruct.config.schema import Config
from ensemble_instruct.prompts.folder import load_prompts
from ensemble_instruct.prompts.forms import TASKS_ASKED, Form, form_of
from ensemble_instruct.records import BYTES_PER_TOKEN, Kind, Step
from ensemble_instruct.steps.plans import KindPlan, prepare

YIELD_INSTRUCTIONS = 0.6
"""Kept instructions of each task asked for in step 1: 0.8 in the published run, less as the pool grows."""
YIELD_INSTANCES = 0.8
"""Instances an instruction of step 2 (published run: 86 of 101 hold a usable one)."""
INSTRUCTION_TOKENS = 30
"""In a reply of step 1."""
INSTANCE_TOKENS = 120
"""In a reply of step 2."""
INSTANCE_PROMPT_TOKENS = 90
"""In an instruction with its input."""
OUTPUT_TOKENS = 60
"""In a reply of step 4."""
VERDICT_TOKENS = 2
"""In the word of a judge, or its number."""
ASSUMPTIONS = (
    f"{BYTES_PER_TOKEN} bytes a token; {YIELD_INSTRUCTIONS:g} instructions kept of each task that step 1 asks for (one"
    f" a request, over chat {TASKS_ASKED}); "
    f"{YIELD_INSTANCES:g} instances a completion; replies of {INSTRUCTION_TOKENS}, {INSTANCE_TOKENS} and "
    f"{OUTPUT_TOKENS} tokens in steps 1, 2 and 4"
)
"""What an estimate rests on, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one model will be asked in one step, estimated."""

    step: Step
    kind: Kind
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    """US dollars; None where the price of the model is not known."""


def estimate(source: ConfigSource) -> list[Estimate]:
    """The requests of a run by step, kind and model, with their tokens and cost; see `ASSUMPTIONS`. Nothing is asked.

    Raises `ConfigError` for a config that cannot be, `InputFileError` for a file of it that cannot be read.
    """
    config = config_of(source)
    estimates = []
    for kind, plan in prepare(config).items():
        target = config.instructions.target.of(kind)
        estimates += _of_generators(config, kind, plan)
        instances = target if config.tasks == "instances" else round(target * YIELD_INSTANCES)
        for model in config.roles.outputs:
            requests = instances * config.outputs.samples_of(model)
            estimates.append(
                _estimate(config, "outputs", kind, model, requests=requests, prompt_tokens=INSTANCE_PROMPT_TOKENS)
            )
        estimates += _of_helpers(config, kind, instances)
    return estimates


def _of_generators(config: Config, kind: Kind, plan: KindPlan) -> list[Estimate]:
    """What steps 1 and 2 ask for, as far as the run has these steps."""
    target, roles = config.instructions.target.of(kind), config.roles
    seeds = plan.instructions.seeds[: config.instructions.demonstrations.of(kind)]
    estimates = []
    if config.tasks is None:
        generator = _form(config, roles.instructions)
        shown = len(generator.instructions(kind, seeds, 0, "").text) // BYTES_PER_TOKEN
        requests = math.ceil(round(target / YIELD_INSTRUCTIONS) / generator.tasks_asked)
        estimates.append(
            _estimate(config, "instructions", kind, roles.instructions, requests=requests, prompt_tokens=shown)
        )
    if config.tasks != "instances":
        question = _form(config, roles.instances).instances(kind, plan.instances.demonstrations)
        template = len(question.request(seeds[0] if seeds else "", 0).text) // BYTES_PER_TOKEN
        estimates.append(_estimate(config, "instances", kind, roles.instances, requests=target, prompt_tokens=template))
    return estimates


def _form(config: Config, model: str) -> Form:
    return form_of(config.models[model].endpoint, config.profile, load_prompts(config.prompts))


def _of_helpers(config: Config, kind: Kind, instances: int) -> list[Estimate]:
    """What fusion, judges and a model for toxicity are asked about the outputs, which are all in their prompts."""
    voters = len(config.voter_names) + 1
    estimates = []
    if config.ensemble.fusion and config.roles.fusion is not None:
        shown = INSTANCE_PROMPT_TOKENS + (voters - 1) * OUTPUT_TOKENS
        estimates.append(
            _estimate(config, "outputs", kind, config.roles.fusion, requests=instances, prompt_tokens=shown)
        )
    if "judge" in config.ensemble.utility.of(kind) and config.roles.judge is not None:
        pairs = instances * voters * (voters - 1) // 2
        shown = INSTANCE_PROMPT_TOKENS + 2 * OUTPUT_TOKENS
        estimates.append(_estimate(config, "ensemble", kind, config.roles.judge, requests=pairs, prompt_tokens=shown))
    for judge in config.judges:
        rated = voters - len(config.voters_of(judge))  # each beside each other one, in both orders
        shown = INSTANCE_PROMPT_TOKENS + 2 * OUTPUT_TOKENS
        requests = 2 * instances * rated * (voters - 1)
        estimates.append(_estimate(config, "ensemble", kind, judge, requests=requests, prompt_tokens=shown))
    if config.quality.toxicity is not None:
        shown = INSTANCE_PROMPT_TOKENS + OUTPUT_TOKENS
        estimates.append(
            _estimate(
                config,
                "ensemble",
                kind,
                config.quality.toxicity.model,
                requests=instances * voters,
                prompt_tokens=shown,
            )
        )
    return estimates


def _estimate(config: Config, step: Step, kind: Kind, model: str, *, requests: int, prompt_tokens: int) -> Estimate:
    asked = _form(config, model).tasks_asked if step == "instructions" else 1
    replies = {"instructions": INSTRUCTION_TOKENS * asked, "instances": INSTANCE_TOKENS, "outputs": OUTPUT_TOKENS}
    completion = replies.get(step, VERDICT_TOKENS)
    prompt_tokens += len(config.models[model].system.encode()) // BYTES_PER_TOKEN
    price = config.models[model].known_price
    cost = None if price is None else requests * price.cost(prompt_tokens, completion)
    return Estimate(
        step=step,
        kind=kind,
        model=model,
        requests=requests,
        prompt_tokens=requests * prompt_tokens,
        completion_tokens=requests * completion,
        cost=cost,
    )
