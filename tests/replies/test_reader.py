"""What becomes of a response on its way to a step: answer and thought apart, or a failure that says what to do."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ensemble_instruct.records import Failure, Profile, Response
from ensemble_instruct.replies.reader import read_reply
from ensemble_instruct.report.wording import REASONS

PROFILES: tuple[Profile, ...] = ("default", "published")
MADE_OF = [
    *("a", " ", "\n", "\n\n", "Paris.", "`", "```\n", '"', "- "),
    *("<think>", "</think>", "<think>\n", "\n</think>\n\n", "<reasoning>", "</reasoning>", "[THINK]", "[/THINK]"),
    *("<|channel|>analysis<|message|>", "<|end|>", "<|start|>assistant", "<|channel|>final<|message|>", "<|return|>"),
    *("<|im_end|>", "<|im_start|>assistant\n", "<|im_start|>user\n", "<s>", "</s>", "[INST]", "<answer>", "</answer>"),
]


@pytest.mark.parametrize(
    ("response", "text", "reasoning", "finish_reason"),
    [
        (Response("Paris."), "Paris.", "", "stop"),
        (Response("Paris", "length"), "Paris", "", "length"),
        (Response("", "stop"), "", "", "stop"),
        (Response("\n\n", "length"), "\n\n", "", "length"),
        (Response("<think>\none\n</think>\n\nParis."), "Paris.", "one", "stop"),
        (Response("<think>one</think>Par", "length"), "Par", "one", "length"),
        (Response("Paris.", reasoning="one"), "Paris.", "one", "stop"),
        (Response("<think>two</think>Paris.", reasoning="one"), "Paris.", "one\n\ntwo", "stop"),
        (Response("<think>one</think>Paris.", reasoning="one\n"), "Paris.", "one\n", "stop"),
        (Response("Paris.<|im_end|>\n<|im_start|>user\nAnd", "length"), "Paris.", "", "stop"),
        (Response("<|im_start|>assistant\nPar", "length"), "Par", "", "length"),
        (Response("<s><think>one</think>\nParis.</s>"), "Paris.", "one", "stop"),
        (Response("one\n</think>\n\n<|im_start|>assistant\nParis.<|im_end|>"), "Paris.", "one", "stop"),
        (
            Response(
                "<|channel|>analysis<|message|>one<|end|><|start|>assistant<|channel|>final<|message|>Paris.<|return|>",
                "length",
            ),
            "Paris.",
            "one",
            "stop",
        ),
        (
            Response(
                "<|channel|>final<|message|>Paris.<|end|><|start|>assistant<|channel|>final<|message|>Rome.", "length"
            ),
            "Paris.",
            "",
            "stop",
        ),
        (Response("No.", refusal="I cannot help."), "No.", "", "stop"),
    ],
)
def test_the_text_is_the_answer(response: Response, text: str, reasoning: str, finish_reason: str) -> None:
    read = read_reply(response, "default")
    assert isinstance(read, Response)
    assert (read.text, read.reasoning, read.finish_reason) == (text, reasoning, finish_reason)
    assert read_reply(read, "default") is read


@pytest.mark.parametrize(
    "response",
    [
        Response("<think>\nThe capital of"),
        Response("", reasoning="The capital of"),
        Response(" \n", reasoning="The capital of"),
        Response("<|channel|>analysis<|message|>The capital of"),
        Response("<think>The capital of</think><|im_end|>"),
        Response("<think></think>\n", reasoning="The capital of"),
    ],
)
@pytest.mark.parametrize("finish_reason", ["length", "stop"])
def test_a_thought_without_an_answer_is_a_failure_that_says_what_to_do(response: Response, finish_reason: str) -> None:
    failure = read_reply(Response(response.text, finish_reason, reasoning=response.reasoning), "default")
    assert isinstance(failure, Failure)
    assert failure.type == "thought_only"
    is_cut_off = finish_reason == "length" and "<|im_end|>" not in response.text
    assert ("raise `max_tokens`" in failure.message) is is_cut_off
    assert failure.message.endswith(": The capital of")


def test_a_long_thought_is_shown_on_one_line_and_in_part() -> None:
    failure = read_reply(Response("<think>" + "Hm.\n" * 1000, "length"), "default")
    assert isinstance(failure, Failure)
    assert len(failure.message.splitlines()) == 1
    assert 200 < len(failure.message) < 400


@pytest.mark.parametrize("profile", PROFILES)
def test_no_text_at_the_token_limit_is_a_thought_that_the_server_hides(profile: Profile) -> None:
    failure = read_reply(Response("", "length"), profile)
    assert isinstance(failure, Failure)
    assert failure.type == "thought_only"
    assert "raise `max_tokens`" in failure.message


@pytest.mark.parametrize("profile", PROFILES)
def test_a_refusal_without_a_text_is_a_failure_of_its_own(profile: Profile) -> None:
    assert read_reply(Response("", refusal="I cannot\nhelp."), profile) == Failure("refusal", "I cannot help.")


def test_the_profile_published_reads_nothing_out_of_a_text() -> None:
    for text in ("<think>one</think>Paris.", "Paris.<|im_end|>", "<think>one", "", " \n"):
        response = Response(text)
        assert read_reply(response, "published") is response


def test_each_failure_is_described_in_the_report() -> None:
    assert {"thought_only", "refusal"} <= REASONS.keys()


@given(
    st.lists(st.sampled_from(MADE_OF), max_size=14).map("".join),
    st.sampled_from(["stop", "length"]),
    st.sampled_from(["", "one"]),
)
@example("a</think>`</think>`<think>`</think>", "stop", "")
def test_a_response_that_was_read_is_read_again_as_it_is(text: str, finish_reason: str, reasoning: str) -> None:
    read = read_reply(Response(text, finish_reason, reasoning=reasoning), "default")
    if isinstance(read, Response):
        assert read_reply(read, "default") is read


def test_a_long_reply_is_read_at_once() -> None:
    text = "<think>\n" + "Let me see, a < b. `x` " * 20_000 + "\n</think>\n\n" + "So <b>it</b> is. [1]\n" * 20_000
    read = read_reply(Response(text + "<|im_end|>"), "default")
    assert isinstance(read, Response)
    assert read.finish_reason == "stop"
