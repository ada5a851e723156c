"""Three simulated language models for a demo without a network: pure functions of the request.

They know the families of tasks of `families` and make mistakes at a set rate: `base` is the weakest, and the
two voters err in different ways, so that agreement between them means something. Nothing here is a language model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from random import Random

from ensemble_instruct.prompts.completions import HEADING, NEXT_TASK
from ensemble_instruct.records import Kind, Request, Response
from tests.support.simulated.families import Task, recognised
from tests.support.simulated.tasks_input_output import INPUT_OUTPUT_FAMILIES
from tests.support.simulated.tasks_output_only import OUTPUT_ONLY_FAMILIES

FAMILIES = (*INPUT_OUTPUT_FAMILIES, *OUTPUT_ONLY_FAMILIES)
BASE_RIGHT, VOTER_A_RIGHT, VOTER_B_RIGHT = 0.68, 0.85, 0.75
"""How often each model answers a recognised task correctly."""
SECOND_ITEM, FOLLOW_ON, JUNK = 0.33, 0.2, 0.05
"""Shares of replies: of step 1 with a second list item, of step 2 with a further task, of items that are junk."""
EQUAL_OUTPUT, EMPTY_OUTPUT, CUT_OFF = 0.015, 0.03, 0.05
"""Upper ends of the ranges of a random number in which step 2 goes wrong in that way."""
TOKENS_PER_WORD = 1.3
_TOO_SHORT = ("Count words.", "Sort it.", "Say something.", "Convert it.")
_NEEDS_MORE = (
    "Draw a house with a garden and two tall trees.",
    "Describe what can be seen in the picture in one sentence.",
    "Plot the data of the monthly rainfall of a town of your choice.",
    "Take a photo of the numbers from one to ten.",
)
_GENERIC_INPUTS = ("The shop opens at nine.", "Our neighbour has two cats.", "It rained for most of the week.")
_GENERIC_ANSWERS = (
    "That depends on the details.",
    "A short note is enough here.",
    "Most people would agree.",
    "It cannot be said for sure.",
)
_LAST_ASKED = re.compile(r"(?:^|\n)instruction: ?([^\n]*)\n$")
_LISTED = re.compile(r"^\d+\. (.+)$", re.MULTILINE)
_Mistake = Callable[[str, Task, str, Random], str]


def base(request: Request) -> Response:
    """A base model: continues the list of instructions of step 1 and the worked examples of step 2."""
    rng = _rng("base", request)
    if request.prompt.startswith(HEADING):
        return _response(request, _instructions(request, rng))
    if asked := _LAST_ASKED.search(request.prompt):
        return _completion(request, asked[1], rng)
    return _response(request, rng.choice(_GENERIC_ANSWERS))


def voter_a(request: Request) -> Response:
    """A careful voter: bare answers; where it errs, it is just beside the right answer."""
    return _vote(request, "voter_a", VOTER_A_RIGHT, _near_miss, in_sentences=False)


def voter_b(request: Request) -> Response:
    """A talkative voter: full sentences where they are allowed; where it errs, it mixes things up."""
    return _vote(request, "voter_b", VOTER_B_RIGHT, _mix_up, in_sentences=True)


def family_answer(instruction: str, given: str) -> str | None:
    """The right answer to a task of a known family; None for any other task or an input that does not fit."""
    task = recognised(instruction, FAMILIES)
    return task.answer(given) if task else None


def is_right(instruction: str, given: str, output: str) -> bool | None:
    """Whether an output is the right answer, bare or as the family's sentence; None where that is not known."""
    task = recognised(instruction, FAMILIES)
    answer = task.answer(given) if task else None
    if task is None or answer is None:
        return None
    sentence = task.family.sentence.format(answer=answer)
    return _plain(output) in (_plain(answer), _plain(sentence))


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold().removesuffix(".")


def _rng(model: str, request: Request) -> Random:
    return Random(f"{model}\n{request.sampling.seed}\n{request.repeat}\n{request.prompt}")


def _tokens(text: str) -> int:
    return round(len(text.split()) * TOKENS_PER_WORD)


def _response(request: Request, text: str, finish_reason: str = "stop") -> Response:
    return Response(text, finish_reason, _tokens(request.prompt), _tokens(text))


def _instructions(request: Request, rng: Random) -> str:
    shown = _LISTED.findall(request.prompt)
    text = f" {_item(request.kind, shown, rng)}"
    if rng.random() < SECOND_ITEM:
        text += f"\n{len(shown) + 2}. {_item(request.kind, shown, rng)}"
    return text


def _item(kind: Kind, shown: list[str], rng: Random) -> str:
    if rng.random() >= JUNK:
        return _task_text(kind, rng)
    sort = rng.choice(("too short", "needs more", "near copy"))
    if sort == "near copy" and shown:
        return f"{rng.choice(shown).rstrip('.!?')}, please."
    return rng.choice(_TOO_SHORT if sort == "too short" else _NEEDS_MORE)


def _task_text(kind: Kind, rng: Random) -> str:
    families = INPUT_OUTPUT_FAMILIES if kind == "input_output" else OUTPUT_ONLY_FAMILIES
    return rng.choice(families).make_instruction(rng)


def _completion(request: Request, instruction: str, rng: Random) -> Response:
    given, output = _example(instruction, request.kind, rng)
    fate = rng.random()
    if fate < EQUAL_OUTPUT and given:
        output = given
    elif fate < EMPTY_OUTPUT:
        output = ""
    elif fate < CUT_OFF:
        rambling = f"{output}\nTo check this, go through the task once more from the beginning and compare each"
        return _response(request, _worked(given, rambling), "length")
    text = _worked(given, output)
    if rng.random() < FOLLOW_ON:
        further = _task_text(request.kind, rng)
        text += f"{NEXT_TASK} {further}\n{_worked(*_example(further, request.kind, rng))}"
    return _response(request, text)


def _worked(given: str, output: str) -> str:
    return f"input: {given}\noutput: {output}" if given else f"output: {output}"


def _example(instruction: str, kind: Kind, rng: Random) -> tuple[str, str]:
    """(input, output) for an instruction; the output is not always right."""
    task = recognised(instruction, FAMILIES)
    if task is None:
        return rng.choice(_GENERIC_INPUTS) if kind == "input_output" else "", rng.choice(_GENERIC_ANSWERS)
    given = task.family.make_input(rng, task.values) if task.family.make_input else ""
    answer = task.answer(given)
    if not answer:
        return given, rng.choice(_GENERIC_ANSWERS)
    if rng.random() >= BASE_RIGHT:
        answer = rng.choice((_near_miss, _mix_up))(answer, task, given, rng)
    return given, answer


def _vote(request: Request, name: str, right: float, mistake: _Mistake, *, in_sentences: bool) -> Response:
    instruction, _, given = request.prompt.partition("\n")
    given = given.lstrip("\n")  # over chat a blank line stands before it
    rng = _rng(name, replace(request, prompt=f"{instruction}\n{given}"))
    task = recognised(instruction, FAMILIES)
    answer = task.answer(given) if task else None
    if task is None or not answer:
        return _response(request, rng.choice(_GENERIC_ANSWERS))
    if rng.random() >= right:
        answer = mistake(answer, task, given, rng)
    return _response(request, task.sentence(answer) if in_sentences else answer)


def _near_miss(answer: str, task: Task, given: str, rng: Random) -> str:
    """The neighbouring choice, a number off by one or two, a list without its last item, a letter left out."""
    choices = list(task.choices(given))
    if answer in choices:
        return choices[(choices.index(answer) + 1) % len(choices)]
    if len(items := re.split(r"(, |\n)", answer)) > 1:
        return "".join(items[:-2])
    if found := re.search(r"\d+", answer):
        off = max(0, int(found[0]) + rng.choice((-2, -1, 1, 2)))
        return f"{off if off != int(found[0]) else off + 1}{answer[found.end() :]}"
    place = rng.randrange(1, len(answer)) if len(answer) > 1 else 1
    return answer[:place] + answer[place + 1 :] if place < len(answer) else answer * 2


def _mix_up(answer: str, task: Task, given: str, rng: Random) -> str:
    """Any other choice, a number off by tens, a list the other way round, a letter too many."""
    choices = [choice for choice in task.choices(given) if choice != answer]
    if choices:
        return rng.choice(choices)
    items = re.split(r", |\n", answer)
    if len(items) > 1:
        return ("\n" if "\n" in answer else ", ").join(items[::-1])
    if found := re.search(r"\d+", answer):
        return f"{int(found[0]) + 10 * rng.randint(1, 3)}{answer[found.end() :]}"
    place = rng.randrange(len(answer))
    return answer[: place + 1] + answer[place:]
