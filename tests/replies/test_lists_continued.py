"""Replies that go on a numbered list, as a base model over completions does: by the rule that was always there."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.records import END_MARKER
from ensemble_instruct.replies.end_marker import before_marker, without_marker
from ensemble_instruct.replies.lists import Item, read_list
from tests.conftest import PUBLISHED_RUN, needs_shared


def by_the_old_rule(text: str, *, is_cut_off: bool) -> list[Item]:
    """Split at the next numbers; the last item is cut off, if it holds text and no end marker."""
    pieces = re.split(r"\n\d+\s?\. ", text)
    unfinished = is_cut_off and not before_marker(pieces[-1])[1]
    items = [Item(without_marker(piece), "") for piece in pieces]
    return [*items[:-1], Item(items[-1].text, "cut_off" if unfinished and items[-1].text else "")]


def read(reply: str, *, is_cut_off: bool = False) -> list[Item]:
    return list(read_list(reply, continues=True, is_cut_off=is_cut_off))


@needs_shared
@pytest.mark.parametrize("is_cut_off", [False, True])
def test_the_replies_of_the_published_run_are_read_as_before(*, is_cut_off: bool) -> None:
    lines = (PUBLISHED_RUN / "openei.io_instructions.jsonl").read_text(encoding="utf-8").splitlines()
    replies = [json.loads(line)["metadata"]["response"] for line in lines]
    assert len(replies) == 101
    for reply in replies:
        unmarked = reply.replace(END_MARKER, "")
        assert read(reply, is_cut_off=is_cut_off) == by_the_old_rule(reply, is_cut_off=is_cut_off)
        assert read(unmarked, is_cut_off=is_cut_off) == by_the_old_rule(unmarked, is_cut_off=is_cut_off)


WORDS = [
    "Given",
    "the",
    "list",
    "of",
    "3",
    "words,",
    "write",
    "(a)",
    "poem:",
    "rain",
    "2.5",
    "\u2013",
    '"so"',
    "1984.",
    "Name",
    "?",
]
PLAIN = st.lists(st.sampled_from(WORDS), max_size=8).map(lambda words: " ".join(["Explain", *words]))
TEXTS = st.one_of(PLAIN, st.just(""), st.tuples(PLAIN, PLAIN).map("\n".join))
ENDS = st.sampled_from(["", f" {END_MARKER}", f" {END_MARKER} {END_MARKER}", "  ", "\t"])


@settings(deadline=None)
@given(
    items=st.lists(st.tuples(st.integers(1, 99), st.sampled_from([". ", " . "]), TEXTS, ENDS), min_size=1, max_size=6),
    is_cut_off=st.booleans(),
)
def test_what_a_base_model_goes_on_with_is_read_as_before(
    items: list[tuple[int, str, str, str]], *, is_cut_off: bool
) -> None:
    first, *others = items
    text = f" {first[2]}{first[3]}" + "".join(f"\n{number}{dot}{text}{end}" for number, dot, text, end in others)
    assert read(text, is_cut_off=is_cut_off) == by_the_old_rule(text, is_cut_off=is_cut_off)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("", [("", "")]),
        ("\n", [("", "")]),
        (" Write a letter.", [("Write a letter.", "")]),
        (" Answer the question:\n26. Name it.", [("Answer the question:", ""), ("Name it.", "")]),
        ("\n26. Name it.", [("", ""), ("Name it.", "")]),
        (' Given ["a b c", "d e f"], sort it.', [('Given ["a b c", "d e f"], sort it.', "")]),
        (" Which one is it?\n1) cat\n2) dog", [("Which one is it? 1) cat 2) dog", "")]),
        ("25. Write a letter.\n26. Name it.", [("Write a letter.", ""), ("Name it.", "")]),
        ("**25.** Write a letter.\n**26.** Name it.", [("Write a letter.", ""), ("Name it.", "")]),
        (" Write a letter.\n26) Name it.\n27) Sing.", [("Write a letter.", ""), ("Name it.", ""), ("Sing.", "")]),
        (" Write a letter.\n**26.** Name it.", [("Write a letter.", ""), ("Name it.", "")]),
        (" **Task**: Write it.\n26. Task: Name it.", [("Write it.", ""), ("Name it.", "")]),
        (" Sure! Here are more tasks:", [("Sure! Here are more tasks:", "not_a_task")]),
        (
            " Sure! Here are more tasks:\n25. Write a letter.\n26. Name it.",
            [("Sure! Here are more tasks:", "not_a_task"), ("Write a letter.", ""), ("Name it.", "")],
        ),
        (
            " Voici d'autres tâches :\n\n1. Write a letter.\n2. Name it.",
            [("Voici d'autres tâches :", "not_a_task"), ("Write a letter.", ""), ("Name it.", "")],
        ),
        (' ["Write a letter.", "Name the river."]', [("Write a letter.", ""), ("Name the river.", "")]),
        (
            " Write a letter.\n26. Name it.\n\nLet me know if you want more!",
            [("Write a letter.", ""), ("Name it.", ""), ("Let me know if you want more!", "not_a_task")],
        ),
        (
            " Write a letter.\nI hope this helps!",
            [("Write a letter.", ""), ("I hope this helps!", "not_a_task")],
        ),
    ],
)  # fmt: skip
def test_an_instruct_model_that_is_to_go_on_a_list_may_answer(reply: str, expected: list[tuple[str, str]]) -> None:
    assert read(reply) == [Item(*item) for item in expected]
    assert read(reply.replace("\n", "\r\n")) == [Item(*item) for item in expected]


def test_a_remark_after_the_last_item_shows_that_the_item_is_whole() -> None:
    assert read(" Write it.\n26. Name it.\n\nLet me kn", is_cut_off=True)[1] == Item("Name it.", "")
    assert read(" Write it.\n26) Name", is_cut_off=True)[1] == Item("Name", "cut_off")
