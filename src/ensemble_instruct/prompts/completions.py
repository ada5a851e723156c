"""The prompts of steps 1, 2 and 4 over completions (paper, section 3 and appendix; design, section 7).

In the profile `published` their items carry the end marker, which the original's models stop at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ensemble_instruct.prompts.folder import Prompts, bundled_prompts
from ensemble_instruct.records import END_MARKER, Demonstration, Kind, Profile, Sampling
from ensemble_instruct.replies.end_marker import squeezed

HEADING = "Come up with a series of tasks:\n"
"""What a bundled prompt of step 1 begins with."""
NEXT_TASK = "\n\ninstruction:"
"""What ends an example in the default profile, by the bundled prompts: the heading of the next one."""


def instructions_prompt(
    demonstrations: Sequence[str], profile: Profile, *, kind: Kind = "output_only", prompts: Prompts | None = None
) -> str:
    """A numbered list of the demonstrations that ends in the next number and a dot."""
    end = f" {END_MARKER}" if profile == "published" else ""
    shown = [f"{squeezed(text).rstrip(':')}{end}" for text in demonstrations]
    values = {"kind": kind, "demonstrations": shown, "number": len(shown) + 1}
    return (prompts or bundled_prompts()).rendered("completions", "instructions", **values)


def instructions_sampling(demonstrations: int, profile: Profile, seed: int, prompts: Prompts | None = None) -> Sampling:
    """Sampling of step 1: an item ends at the marker (published) or where the next number begins (default)."""
    stop: tuple[str, ...] = (END_MARKER,)
    if profile == "default":
        stop = (prompts or bundled_prompts()).labels.stops_of_list(demonstrations + 2)
    return Sampling(max_tokens=256, min_tokens=15, temperature=0.7, top_k=50, top_p=1.0, stop=stop, seed=seed)


@dataclass(frozen=True, slots=True)
class InstancesTemplate:
    """The part that all bundled prompts of step 2 for one kind share."""

    text: str

    def prompt(self, instruction: str) -> str:
        """Template, a space, the instruction, a newline."""
        return f"{self.text} {instruction}\n"


def instances_template(kind: Kind, demonstrations: Sequence[Demonstration], profile: Profile) -> InstancesTemplate:
    """The demonstrations one after the other, then `instruction:`."""
    return InstancesTemplate(instances_prompt(kind, demonstrations, profile, "").removesuffix(" \n"))


def instances_prompt(
    kind: Kind,
    demonstrations: Sequence[Demonstration],
    profile: Profile,
    instruction: str,
    prompts: Prompts | None = None,
) -> str:
    """The demonstrations one after the other, then the instruction whose input and output are to come."""
    end = f"\n{END_MARKER}" if profile == "published" else ""
    shown = [
        {"instruction": each.instruction, "input": each.input, "output": f"{each.output}{end}"}
        for each in demonstrations
    ]
    values = {"kind": kind, "demonstrations": shown, "instruction": instruction}
    return (prompts or bundled_prompts()).rendered("completions", "instances", **values)


def instances_sampling(profile: Profile, seed: int, prompts: Prompts | None = None) -> Sampling:
    """Sampling of step 2. At least 50 tokens: a short example is followed by a further task."""
    stop: tuple[str, ...] = ("\n\n", END_MARKER)
    if profile == "default":
        stop = (prompts or bundled_prompts()).labels.stops_of_example
    return Sampling(max_tokens=512, min_tokens=50, temperature=0.7, top_k=50, top_p=1.0, stop=stop, seed=seed)


def outputs_prompt(instruction: str, task_input: str, prompts: Prompts | None = None) -> str:
    """Instruction, newline, input: zero-shot; the newline stays where there is no input."""
    kind: Kind = "input_output" if task_input else "output_only"
    values = {"kind": kind, "instruction": instruction.strip(), "input": task_input.strip()}
    return (prompts or bundled_prompts()).rendered("completions", "outputs", **values)


def outputs_sampling(profile: Profile, *, sampled: bool = False) -> Sampling:
    """Greedy, or at temperature 0.7 where a model gives several samples.

    The default profile has no stop text, so that an answer of several paragraphs stays whole.
    """
    temperature = 0.7 if sampled else 0.0
    if profile == "published":
        return Sampling(max_tokens=256, min_tokens=1, temperature=temperature, stop=("\n\n", END_MARKER))
    return Sampling(max_tokens=512, temperature=temperature)
