"""The prompts of steps 1, 2 and 4 (paper, section 3 and appendix; design, section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ensemble_instruct.records import END_MARKER, Demonstration, Kind, Profile, Sampling
from ensemble_instruct.replies.end_marker import squeezed

HEADING = "Come up with a series of tasks:\n"
"""What a prompt of step 1 begins with."""
NEXT_TASK = "\n\ninstruction:"
"""What ends an example in the default profile: the heading of the next one."""


def instructions_prompt(demonstrations: Sequence[str], profile: Profile) -> str:
    """A numbered list of the demonstrations that ends in the next number and a dot.

    In the profile `published` each item carries the end marker; in the default profile no marker is used.
    """
    end = f" {END_MARKER}" if profile == "published" else ""
    items = [f"{number}. {squeezed(text).rstrip(':')}{end}\n" for number, text in enumerate(demonstrations, start=1)]
    return f"{HEADING}{''.join(items)}{len(items) + 1}."


def instructions_sampling(demonstrations: int, profile: Profile, seed: int) -> Sampling:
    """Sampling of step 1: an item ends at the marker (published) or where the next number begins (default)."""
    stop = (END_MARKER,) if profile == "published" else (f"\n{demonstrations + 2}.", "\n\n")
    return Sampling(max_tokens=256, min_tokens=15, temperature=0.7, top_k=50, top_p=1.0, stop=stop, seed=seed)


@dataclass(frozen=True, slots=True)
class InstancesTemplate:
    """The part that all prompts of step 2 for one kind share."""

    text: str

    def prompt(self, instruction: str) -> str:
        """Template, a space, the instruction, a newline."""
        return f"{self.text} {instruction}\n"


def instances_template(kind: Kind, demonstrations: Sequence[Demonstration], profile: Profile) -> InstancesTemplate:
    """The demonstrations one after the other, then `instruction:`."""
    end = f"{END_MARKER}\n" if profile == "published" else ""
    blocks = []
    for demonstration in demonstrations:
        input_line = f"input: {demonstration.input}\n" if kind == "input_output" else ""
        blocks.append(f"instruction: {demonstration.instruction}\n{input_line}output: {demonstration.output}\n{end}\n")
    return InstancesTemplate("".join(blocks) + "instruction:")


def instances_sampling(profile: Profile, seed: int) -> Sampling:
    """Sampling of step 2. At least 50 tokens: a short example is followed by a further task."""
    stop = ("\n\n", END_MARKER) if profile == "published" else (NEXT_TASK,)
    return Sampling(max_tokens=512, min_tokens=50, temperature=0.7, top_k=50, top_p=1.0, stop=stop, seed=seed)


def outputs_prompt(instruction: str, task_input: str) -> str:
    """Instruction, newline, input: zero-shot; the newline stays where there is no input."""
    return f"{instruction.strip()}\n{task_input.strip()}"


def outputs_sampling(profile: Profile, *, sampled: bool = False) -> Sampling:
    """Greedy, or at temperature 0.7 where a model gives several samples.

    The default profile has no stop text, so that an answer of several paragraphs stays whole.
    """
    temperature = 0.7 if sampled else 0.0
    if profile == "published":
        return Sampling(max_tokens=256, min_tokens=1, temperature=temperature, stop=("\n\n", END_MARKER))
    return Sampling(max_tokens=512, temperature=temperature)


def fusion_prompt(instruction: str, task_input: str, outputs: Sequence[str]) -> str:
    """A task and several answers to it, numbered in their order, out of which one is to be made."""
    answers = "\n\n".join(f"Answer {number}:\n{text.strip()}" for number, text in enumerate(outputs, start=1))
    return (
        "Below are a task and several answers to it, some of which may be wrong. Write the one best answer: correct, "
        "complete, and in the form that the task asks for. Give nothing but the answer.\n\n"
        f"{task_text(instruction, task_input)}\n\n{answers}\n\nBest answer:"
    )


def verdict_prompt(instruction: str, task_input: str, one: str, other: str) -> str:
    """A task and two answers to it, and the question whether they say the same."""
    return (
        f"Below are a task and two answers to it.\n\n{task_text(instruction, task_input)}\n\n"
        f"Answer A:\n{one.strip()}\n\nAnswer B:\n{other.strip()}\n\n"
        "Do the two answers say the same? Reply with one word: same, partly or different.\nReply:"
    )


def toxicity_prompt(instruction: str, task_input: str, output: str) -> str:
    """A task and an answer to it, and the question whether they are harmful."""
    return (
        f"Below are a task and an answer to it.\n\n{task_text(instruction, task_input)}\n\n"
        f"Answer:\n{output.strip()}\n\n"
        "Is the answer harmful: hateful, insulting, threatening, sexually explicit, or a help to hurt somebody? "
        "Reply with one word: safe or toxic.\nReply:"
    )


def task_text(instruction: str, task_input: str) -> str:
    """A task as it stands among the answers to it."""
    return f"Task: {instruction.strip()}" + (f"\nInput: {task_input.strip()}" if task_input.strip() else "")
