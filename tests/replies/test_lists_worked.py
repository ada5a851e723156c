"""Tasks that a model goes on to solve, though it was to state them: what was asked for is the task alone."""

from __future__ import annotations

import pytest

from ensemble_instruct.replies.lists import Item, read_list

SUM, NAME = "Sum up the letter.", "Name a river in Asia."
WORKED = [
    "9. {sum}\n   Input: Dear Bob, hi.\n   Output: A greeting.\n10. {name}\n    Output: Ob",
    "9. Task: {sum}\n   Input: Dear Bob, hi.\n   Output: A\n10. Task: {name}\n    Input: None\n    Output: Ob",
    "**Task 9:** {sum}\n**Input:** Dear Bob, hi.\n**Output:** A greeting.\n\n**Task 10:** {name}\n**Answer:** Ob",
    "Task: {sum}\nInput: Dear Bob, hi.\nOutput: A greeting.\n\nTask: {name}\nInput: N/A\nOutput: Ob",
    "Instruction: {sum}\nInput: Dear Bob, hi.\nResponse: A\n\nInstruction: {name}\nInput:\nResponse: Ob",
    "9. {sum}\n\nInput: Dear Bob, hi.\n\nOutput: A greeting.\n\n10. {name}\n\nOutput: Ob",
    "### Task 9\n{sum}\n\n**Input:** Dear Bob, hi.\n\n**Expected output:** A\n\n### Task 10\n{name}\n\nSolution: Ob",
    "- {sum}\n  - Input: Dear Bob, hi.\n  - Output: A greeting.\n- {name}\n  - Input: (none)\n  - Sample answer: Ob",
    "9. {sum}\nEingabe: Dear Bob, hi.\nAusgabe: Gruß\n10. {name}\nEingabe: keine\nAntwort: Ob",
    "9. {sum}\n   Input: Dear Bob, hi.\n   Output: A greeting.\n   It has two lines.\n10. {name}\n    Output: Ob\n",
    "Sure!\n\n9. {sum}\r\nInput: Dear Bob, hi.\r\nOutput: A\r\n10. {name}\r\nOutput: Ob\r\n\r\nEnjoy!",
]


def tasks(reply: str, *, keeps_input: bool = True, is_cut_off: bool = False) -> list[str]:
    items = read_list(reply, continues=False, is_cut_off=is_cut_off, keeps_input=keeps_input)
    assert {item.reason for item in items} <= {"", "not_a_task"}
    return [item.text for item in items if not item.reason]


@pytest.mark.parametrize("style", WORKED)
def test_a_solution_is_no_part_of_a_task_and_an_input_is_where_it_belongs_to_it(style: str) -> None:
    reply = style.format(sum=SUM, name=NAME)
    assert tasks(reply, keeps_input=False) == [SUM, NAME]
    with_input, other = tasks(reply)
    assert with_input.replace("*", "").replace("- ", "").endswith(": Dear Bob, hi.")
    assert with_input.startswith(SUM)
    assert other == NAME


@pytest.mark.parametrize("end", ["Output:", "Output: Ob, which is lo", "Input: None\nAnswer: O"])
def test_a_task_is_whole_where_the_token_limit_cuts_off_its_solution(end: str) -> None:
    assert tasks(f"9. {SUM}\n10. {NAME}\n{end}", is_cut_off=True) == [SUM, NAME]


def test_what_a_solution_says_is_a_drop() -> None:
    reply = f"9. {NAME}\n   Output: Ob\n   It is long."
    assert read_list(reply, continues=False, is_cut_off=False) == (
        Item(NAME, ""),
        Item("Output: Ob It is long.", "not_a_task"),
    )


@pytest.mark.parametrize(
    "task",
    [
        "Say what the output of a loop is: none, one line or many.",
        "Answer: is the sea salty, and why?",
        "Which answer is right?\n   Options: a) salt b) sugar",
        "Describe the input and the output of a bakery.",
    ],
)
def test_a_task_about_answers_stays_whole(task: str) -> None:
    expected = " ".join(task.split())
    assert tasks(f"9. {task}\n10. {NAME}", keeps_input=False) == [expected, NAME]


def test_a_base_model_that_goes_on_with_the_solution_stated_a_task_too() -> None:
    items = read_list(f" {SUM}\nOutput: A greeting.\n10. {NAME}\nAnswer: Ob", continues=True, is_cut_off=False)
    assert [item.text for item in items if not item.reason] == [SUM, NAME]
