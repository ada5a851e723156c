"""What a row of a user's own has of a task, however its columns hold it."""

from __future__ import annotations

import math

import pytest

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.own_rows import own_row


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Paris", "Paris"), (4, "4"), (2.5, "2.5"), (True, "true"), (["Paris"], "Paris"), ({"text": "Paris"}, "Paris"),
        ([{"role": "assistant", "content": "Paris"}], "Paris"), (None, ""), ([], ""), (math.nan, ""), ("\u200b", ""),
    ],
)  # fmt: skip
def test_a_number_is_a_text_and_what_is_not_there_is_none(value: object, text: str) -> None:
    row = {"question": "What is it?", "input": value, "answer": value, "reference": value}
    task = own_row(row, "mine.jsonl:1")
    assert (task.input, task.output, task.reference) == (text, text, text)


@pytest.mark.parametrize("value", [["Paris", "Lutetia"], {"is": "Paris"}, [["Paris"]]])
def test_several_texts_are_not_put_together_as_one(value: object) -> None:
    with pytest.raises(
        InputFileError, match=r"^mine.jsonl:1: field 'reference' must be one text or messages, found an? "
    ):
        own_row({"instruction": "What is it?", "reference": value}, "mine.jsonl:1")


def test_an_empty_conversation_asks_nothing() -> None:
    assert own_row({"messages": []}, "mine.jsonl:1").instruction == ""
