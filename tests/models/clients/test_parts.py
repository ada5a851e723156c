"""What servers send as a message: the text, the thought and the refusal are told apart, wherever they stand."""

from __future__ import annotations

from typing import Any

import pytest

from ensemble_instruct.models.clients.openai.parts import Parts, parts_of

TEXT = {"type": "text", "text": "It is"}
MORE = {"type": "output_text", "text": " blue."}
MESSAGES: dict[str, tuple[dict[str, Any], Parts]] = {
    "a text": ({"content": "It is."}, Parts("It is.")),
    "a text with spaces": ({"content": " It is.\n"}, Parts(" It is.\n")),
    "nothing said": ({"content": ""}, Parts("")),
    "null": ({"content": None}, Parts("")),
    "parts": ({"content": [TEXT, MORE]}, Parts("It is blue.")),
    "one part": ({"content": TEXT}, Parts("It is")),
    "no parts": ({"content": []}, Parts("")),
    "texts as parts": ({"content": ["It is", " blue."]}, Parts("It is blue.")),
    "a part without a type": ({"content": [{"text": "It is."}]}, Parts("It is.")),
    "a text within a part": ({"content": [{"type": "text", "text": {"value": "It is."}}]}, Parts("It is.")),
    "an image": ({"content": [TEXT, {"type": "image_url", "image_url": {"url": "data:,x"}}]}, Parts("It is")),
    "Mistral's thought": (
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, TEXT]},
        Parts("It is", "Hm."),
    ),
    "Anthropic's thought": (
        {"content": [{"type": "thinking", "thinking": "Hm.", "signature": "x"}, TEXT]},
        Parts("It is", "Hm."),
    ),
    "reasoning_content": ({"content": "It is.", "reasoning_content": "Hm."}, Parts("It is.", "Hm.")),
    "reasoning": ({"content": "It is.", "reasoning": "Hm.", "reasoning_details": [{}]}, Parts("It is.", "Hm.")),
    "both fields": ({"content": "It is.", "reasoning_content": "", "reasoning": "Hm."}, Parts("It is.", "Hm.")),
    "no thought": ({"content": "It is.", "reasoning_content": None}, Parts("It is.")),
    "a thought alone": ({"content": None, "reasoning_content": "Hm."}, Parts("", "Hm.")),
    "a thought without a content": ({"reasoning_content": "Hm."}, Parts("", "Hm.")),
    "a refusal": ({"content": None, "refusal": "No."}, Parts("", "", "No.")),
    "a refusal in a part": ({"content": [{"type": "refusal", "refusal": "No."}]}, Parts("", "", "No.")),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_the_parts_of_a_message_are_told_apart(case: str) -> None:
    message, expected = MESSAGES[case]
    assert parts_of({"message": message, "finish_reason": "stop"}, is_chat=True) == expected


@pytest.mark.parametrize("message", [{}, {"content": 7}, {"content": [7]}, {"content": True}, {"content": [[]]}])
def test_what_is_no_message_is_an_error(message: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        parts_of({"message": message, "finish_reason": "stop"}, is_chat=True)


def test_over_completions_there_is_a_text_alone() -> None:
    assert parts_of({"text": " It is.", "message": {"content": "no"}}, is_chat=False) == Parts(" It is.")


def test_a_message_without_a_content_that_the_limit_ended_had_a_thought_that_is_not_shown() -> None:
    assert parts_of({"message": {"role": "assistant"}, "finish_reason": "length"}, is_chat=True) == Parts("")
