"""Families whose input is a sentence."""

from __future__ import annotations

import re
from random import Random

from ensemble_instruct.demo.tasks.families import Family, Values
from ensemble_instruct.demo.tasks.words import ANIMALS, CITIES, NAMES, OPPOSITES, STATES, THINGS


def _state(rng: Random, _values: Values) -> str:
    return f"The {rng.choice(ANIMALS)} {rng.choice(('is', 'was'))} {rng.choice(STATES)}."


def _report(rng: Random, _values: Values) -> str:
    name, city, amount, things = rng.choice(NAMES), rng.choice(CITIES), rng.randint(2, 99), rng.choice(THINGS)
    return rng.choice((
        f"{name} bought {amount} {things} in {city}.",
        f"In {city}, {name} sold {amount} {things}.",
        f"A shop in {city} sent {amount} {things} to {name}.",
        f"{amount} {things} were left in {city} by {name}.",
    ))  # fmt: skip


def _only_match(pattern: str, task_input: str) -> str:
    (only,) = re.findall(pattern, task_input)
    return str(only)


def _question(task_input: str) -> str:
    the, animal, verb, state = task_input.rstrip(".").split()
    return f"{verb.title()} {the.lower()} {animal} {state}?"


def _opposed(task_input: str) -> str:
    *start, state = task_input.rstrip(".").split()
    return f"{' '.join(start)} {OPPOSITES[state]}."


SENTENCE_FAMILIES = (
    Family(
        name="extract_number",
        wordings=(
            "Which number occurs in the sentence?",
            "Extract the figure from this message.",
            "How many pieces are mentioned?",
            "Copy the digits that you find in the text.",
            "Give the quantity that the report speaks of.",
            "Write down only the number.",
            "Tell me how much was moved, as a figure.",
            "Find the amount in the line below.",
            "What number does the writer name?",
            "State the count that is given here.",
        ),
        unseen_wordings=("Write the number that stands in the sentence.", "What is the figure in this text?"),
        answer=lambda _, task_input: _only_match(r"\d+", task_input),
        make_input=_report,
    ),
    Family(
        name="extract_name",
        wordings=(
            "Which person is named in the sentence?",
            "Extract the first name from this message.",
            "Who is mentioned here?",
            "Copy the name of the human being in the text.",
            "Give the name of the man or woman that the report speaks of.",
            "Write down only who it was.",
            "Tell me the name of the person.",
            "Find somebody's name in the line below.",
            "What is the person in this note called?",
            "About whom does the writer tell us?",
        ),
        unseen_wordings=("Write the name of the person in the sentence.", "Who is the person in this text?"),
        answer=lambda _, task_input: _only_match("|".join(NAMES), task_input),
        make_input=_report,
    ),
    Family(
        name="extract_city",
        wordings=(
            "Which city is named in the sentence?",
            "Extract the town from this message.",
            "Where did it happen?",
            "Copy the name of the city in the text.",
            "Give the place that the report speaks of.",
            "Write down only the town.",
            "Tell me in which city this took place.",
            "Find the location in the line below.",
            "What is the town in this note called?",
            "At what place is the story set?",
        ),
        unseen_wordings=("Write the name of the city in the sentence.", "What town is it in this text?"),
        answer=lambda _, task_input: _only_match("|".join(CITIES), task_input),
        make_input=_report,
    ),
    Family(
        name="negate",
        wordings=(
            "Make the sentence negative.",
            "Say the contrary by adding the word not.",
            "Insert not at the right place.",
            "Deny what the statement says.",
            "Rewrite this so that it claims it is untrue.",
            "Negate what is said here.",
            "Put a not behind the verb.",
            "Form the negative of the line.",
            "Express that the fact below does not hold.",
            "Change the claim into its denial with not.",
        ),
        unseen_wordings=("Write the sentence with not in it.", "Make a negative statement of this text."),
        answer=lambda _, task_input: re.sub(r" (is|was) (\w+)\.$", r" \1 not \2.", task_input),
        make_input=_state,
    ),
    Family(
        name="question",
        wordings=(
            "Turn the sentence into a question.",
            "Ask whether this is so.",
            "Make a yes-or-no question out of the statement.",
            "Rewrite the line as something that one asks.",
            "How would you ask for this fact?",
            "Form the matching question.",
            "Change the statement so that it ends in a question mark.",
            "Put the verb first and ask.",
            "Express the same thing as a question.",
            "You are not sure that it is true; ask about it.",
        ),
        unseen_wordings=("Write the sentence as a question.", "Make the statement in this text a question."),
        answer=lambda _, task_input: _question(task_input),
        make_input=_state,
    ),
    Family(
        name="opposite_sentence",
        wordings=(
            "Replace the describing word by its opposite.",
            "Exchange the adjective for its antonym.",
            "Say the reverse, without using the word not.",
            "Give the animal the contrary quality.",
            "Let the last word become its opposite.",
            "Write the sentence so that the adjective means the contrary.",
            "Tell it the other way: keep all but the adjective, which is turned round.",
            "Change how the animal is described to the exact opposite.",
            "Swap the quality named here for the one that is its counterpart.",
            "Use the antonym of the adjective.",
        ),
        unseen_wordings=(
            "Write the sentence with the opposite adjective.",
            "Put an antonym in place of the last word.",
        ),
        answer=lambda _, task_input: _opposed(task_input),
        make_input=_state,
    ),
    Family(
        name="subject",
        wordings=(
            "Which animal is described?",
            "Name the creature in the sentence.",
            "What kind of animal is it about?",
            "Copy the noun of the statement.",
            "Of which animal do we hear something?",
            "Write down only the animal.",
            "Tell me what creature the writer saw.",
            "Find the beast in the line below.",
            "Give the subject without the article.",
            "Extract the animal from this remark.",
        ),
        unseen_wordings=("Write the animal that is named in the sentence.", "What is the animal in this text?"),
        answer=lambda _, task_input: task_input.split()[1],
        make_input=_state,
    ),
    Family(
        name="tense",
        wordings=(
            "Move the sentence to the other tense: is becomes was, and was becomes is.",
            "Change the verb from present to past, or from past to present.",
            "Swap is and was.",
            "If it is told of today tell it of yesterday, and the other way about.",
            "Shift the time of the statement between now and then.",
            "Exchange the verb form for that of the other time.",
            "Write was for is, or is for was.",
            "Use the past instead of the present, or the present instead of the past.",
            "Put the remark into the tense that it does not have.",
            "Alter the tense and nothing else.",
        ),
        unseen_wordings=("Write the sentence in the other tense.", "Change is to was or was to is in this text."),
        answer=lambda _, task_input: re.sub(
            r" (is|was) ", lambda verb: {"is": " was ", "was": " is "}[verb[1]], task_input
        ),
        make_input=_state,
    ),
)
