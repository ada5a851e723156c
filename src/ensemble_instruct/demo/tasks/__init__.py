"""Toy tasks with one computable answer each: what the embedded models are trained on and judged by.

    families            what a family of tasks is: wordings, slots, the answer as a function
    inputs              inputs of the tasks on lists and single values, and what is read out of them
    words               the words, names and facts that the tasks are about
    word_row_tasks      families with input: a row of words
    sentence_tasks      families with input: a sentence
    value_tasks         families with input: a list, a number or a single word
    number_questions    families without input: a number, or what is asked about one
    word_questions      families without input: what one knows of a word or a country
    order_questions     families without input: what comes where

Public: `FAMILIES`, `families_of`, `answer_of`, `is_right`.
"""

from __future__ import annotations

from ensemble_instruct.demo.tasks.families import Family, answer_in
from ensemble_instruct.demo.tasks.number_questions import NUMBER_FAMILIES
from ensemble_instruct.demo.tasks.order_questions import ORDER_FAMILIES
from ensemble_instruct.demo.tasks.sentence_tasks import SENTENCE_FAMILIES
from ensemble_instruct.demo.tasks.value_tasks import VALUE_FAMILIES
from ensemble_instruct.demo.tasks.word_questions import WORD_FAMILIES
from ensemble_instruct.demo.tasks.word_row_tasks import WORD_ROW_FAMILIES
from ensemble_instruct.records import Kind

FAMILIES: tuple[Family, ...] = (
    *WORD_ROW_FAMILIES,
    *SENTENCE_FAMILIES,
    *VALUE_FAMILIES,
    *NUMBER_FAMILIES,
    *WORD_FAMILIES,
    *ORDER_FAMILIES,
)


def families_of(kind: Kind) -> tuple[Family, ...]:
    """The families of one kind, in order."""
    return tuple(family for family in FAMILIES if family.kind == kind)


def answer_of(instruction: str, task_input: str = "") -> str | None:
    """The right answer to an instruction in any known wording; None for any other, or an input that does not fit."""
    return answer_in(FAMILIES, instruction, task_input)


def is_right(instruction: str, task_input: str, output: str) -> bool | None:
    """Whether an output is the right answer, a full stop at its end aside; None where that is not known."""
    answer = answer_of(instruction, task_input)
    return None if answer is None else plain(output) == plain(answer)


def plain(text: str) -> str:
    """The text with white space squeezed and without a full stop at its end."""
    return " ".join(text.split()).removesuffix(".")
