# ruff: noqa: RUF001 - letters and marks of other scripts
"""Whatever style a model chooses, the tasks that its reply states are what is read, and nothing else is a task."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.replies.lists import read_list
from ensemble_instruct.steps.seed_tasks import load_seed_tasks

VERBS = ["Describe", "Explain", "Name", "Übersetze", "Écris", "Напиши", "请写出", "What is", "Is it true:", "In 1984,"]
WORDS = [
    "rain", "the", "3", "7.5", "rivers,", '"hello"', "“so”", "of", "Asia", "is", "(a)", "2", "+", "=", "1984", "one:",
    "`x`", "**bold**", "don't", "x*y", "l'été", "дом", "河流", "and/or", "25.", "a)", "task:", "- ",
]  # fmt: skip
ENDS = [".", "?", "", "!", ":"]
SEEDS = [" ".join(seed.instruction.split()) for seed in load_seed_tasks()]
MADE = st.tuples(
    st.sampled_from(VERBS), st.lists(st.sampled_from(WORDS), min_size=2, max_size=7), st.sampled_from(ENDS)
).map(lambda parts: " ".join(f"{parts[0]} {' '.join(parts[1])} thing{parts[2]}".split()))
TASKS = st.one_of(MADE, st.sampled_from(SEEDS))
NUMBERED = [
    "{n}. {t}", "{n}) {t}", "{n}: {t}", "({n}) {t}", "[{n}] {t}", "{n} - {t}", "{n} . {t}", "**{n}.** {t}", "**{n}**. {t}",  # noqa: E501
    "{n}\\. {t}", "{n}、{t}", "#{n} {t}", "Task {n}: {t}", "**Task {n}:** {t}", "### Task {n}\n{t}", "### {n}. {t}",
    "{n}. **Task**: {t}", "{n}. Instruction: {t}", "{n}.\n{t}", "- {n}. {t}", "Aufgabe {n}: {t}", "任务{n}：{t}",
]  # fmt: skip
UNNUMBERED = [
    "- {t}",
    "* {t}",
    "+ {t}",
    "• {t}",
    "– {t}",
    "- [ ] {t}",
    "Task: {t}",
    "- **Task:** {t}",
    "<li>{t}</li>",
    "1. {t}",
]
PREAMBLES = [
    "", "Sure! Here are more tasks:\n\n", "Here are 10 more tasks:\n", "## Tasks\n\n", "Voici quelques idées.\n\n",
    "好的，以下是更多任务：\n\n", "Of course!\n\n---\n\n", "I came up with some. They are all new.\n\n", "Zadania:\n",
]  # fmt: skip
CLOSINGS = [
    "", "\n\nLet me know if you'd like more!", "\nI hope these help.", "\n\n---\n\nDo zobaczenia.", "\n\nWould you like me to:\n- go on",  # noqa: E501
    "\n\n**Note:** they are all new.", "\n\n希望这些任务对你有帮助！", "\n\nÀ bientôt !\n\nVotre assistant",
]  # fmt: skip


def in_lines(style: str, first: int, tasks: list[str], between: str) -> str:
    return between.join(style.format(n=first + place, t=task) for place, task in enumerate(tasks))


def read_tasks(reply: str) -> list[str]:
    return [item.text for item in read_list(reply, continues=False, is_cut_off=False) if not item.reason]


@settings(deadline=None)
@given(
    style=st.sampled_from(NUMBERED + UNNUMBERED),
    first=st.integers(1, 400),
    tasks=st.lists(TASKS, min_size=2, max_size=7),
    between=st.sampled_from(["\n", "\n\n"]),
    preamble=st.sampled_from(PREAMBLES),
    closing=st.sampled_from(CLOSINGS),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_a_list_of_any_style_and_first_number_comes_back_whatever_stands_around_it(
    style: str, first: int, tasks: list[str], between: str, preamble: str, closing: str, newline: str
) -> None:
    reply = f"{preamble}{in_lines(style, first, tasks, between)}{closing}"
    assert read_tasks(reply.replace("\n", newline)) == tasks


def as_texts(tasks: list[str]) -> object:
    return tasks


def as_objects(tasks: list[str]) -> object:
    return [{"id": place, "instruction": task} for place, task in enumerate(tasks)]


def as_one_object(tasks: list[str]) -> object:
    return {"tasks": [{"task": task, "input": ""} for task in tasks]}


@settings(deadline=None)
@given(
    form=st.sampled_from([as_texts, as_objects, as_one_object]),
    tasks=st.lists(TASKS, min_size=1, max_size=7),
    is_ascii=st.booleans(),
    indent=st.sampled_from([None, 2]),
    around=st.sampled_from(
        ["{}", "```json\n{}\n```", "Here you go:\n\n```\n{}\n```\n\nEnjoy!", "Voilà.\n{}\nÀ bientôt !"]
    ),
)
def test_json_comes_back_in_any_form(
    form: Callable[[list[str]], object], tasks: list[str], *, is_ascii: bool, indent: int | None, around: str
) -> None:
    reply = around.replace("{}", json.dumps(form(tasks), ensure_ascii=is_ascii, indent=indent))
    assert read_tasks(reply) == tasks


@settings(deadline=None)
@given(tasks=st.lists(TASKS, min_size=2, max_size=5), end=st.integers(0, 400))
def test_of_json_that_is_cut_off_anywhere_what_is_whole_comes_back(tasks: list[str], end: int) -> None:
    reply = json.dumps({"tasks": tasks}, ensure_ascii=False)
    items = read_list(reply[: max(end, len(tasks[0]) + 20)], continues=False, is_cut_off=True)
    whole = [item.text for item in items if not item.reason]
    assert whole == tasks[: len(whole)]
    assert all(item.reason == "cut_off" for item in items[len(whole) :])
    assert len(items) <= len(whole) + 1


@settings(deadline=None)
@given(reply=st.text(st.sampled_from(list("ab1.)-*#:\n\n \"'[]{}|`>,\\“”（①。")), max_size=60), continues=st.booleans())
def test_every_reply_is_read_into_items_of_one_line(reply: str, *, continues: bool) -> None:
    items = read_list(reply, continues=continues, is_cut_off=True)
    assert items
    assert all(item.text == " ".join(item.text.split()) for item in items)
    assert {item.reason for item in items} <= {"", "not_a_task", "cut_off"}


PARTS = [
    "1.\n", "- a\n", "a\n\n", "**", '"', "[", '["a",', "<li", "> ", "|1|a|\n", "\n \n", "Sure! ", "If you ", "a: ",
    "“", "- - x",
]  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_a_long_reply_is_read_in_one_go_through_it(part: str) -> None:
    # a rule that went back over the text at each line would take an hour
    assert read_list(part * (50_000 // len(part)), continues=False, is_cut_off=True)
    assert read_list(part * (50_000 // len(part)), continues=True, is_cut_off=True)
