"""What text alone can answer stays, in many languages; what points at a picture, or orders one, goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ensemble_instruct.config.steps import FiltersSection
from ensemble_instruct.records import KINDS
from ensemble_instruct.steps.seed_tasks import load_demonstrations, load_seed_tasks
from ensemble_instruct.steps.text_only.needs import needs_more_than_text
from ensemble_instruct.steps.usable import InstructionFilters

BY_DEFAULT = InstructionFilters.of(None)
WITHOUT = InstructionFilters.of(FiltersSection(text_only=False))


def listed(name: str) -> list[str]:
    """The lines of a file beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()


def test_a_task_that_text_alone_can_answer_stays() -> None:
    tasks = listed("text_alone.txt")
    assert len(tasks) > 400
    assert {task: BY_DEFAULT.reason(task) for task in tasks if BY_DEFAULT.reason(task)} == {}


def test_a_task_that_needs_more_than_text_goes() -> None:
    tasks = listed("more_than_text.txt")
    assert len(tasks) > 300
    others = {task: BY_DEFAULT.reason(task) for task in tasks if BY_DEFAULT.reason(task) != "needs_more_than_text"}
    assert others == {}
    assert {task: WITHOUT.reason(task) for task in tasks if WITHOUT.reason(task)} == {}


def test_no_task_that_comes_with_the_package_needs_more() -> None:
    tasks = [task.instruction for task in load_seed_tasks()]
    tasks += [shown.instruction for kind in KINDS for shown in load_demonstrations(kind)]
    assert [task for task in tasks if needs_more_than_text(task)] == []


@pytest.mark.parametrize(
    "text",
    [
        "Look at the\npicture   below\r\nand describe it.",
        "LOOK AT THE PICTURE BELOW.",
        "Describe the dog\u2019s colour in the picture.",
        "Décris l'image ci-dessous.".replace("é", "e\u0301"),
        "Describe the following image: https://example.com/cat.jpg",
        "Describe the following image: [image]",
        "Which animal is shown in the following image: a cat or a dog?",
    ],
)
def test_how_a_text_is_written_makes_no_difference(text: str) -> None:
    assert needs_more_than_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "What does the <video> tag do?",
        'Translate "Look at the picture below." into Dutch.',
        "Translate “Draw a cat.” into Dutch.",
        "Describe the following image: a dog runs across a green field.",
        "Reply to the email that came with the attached photo.",
        "",
        "draw",
        "the",
        "\n",
        "the image " * 2000 + ":",
    ],
)
def test_words_that_are_quoted_or_stand_alone_ask_for_nothing(text: str) -> None:
    assert not needs_more_than_text(text)
