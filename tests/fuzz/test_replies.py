"""What models write, whatever it is: lists of tasks, worked examples, answers, thoughts, ratings, verdicts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ensemble_instruct.records import Failure, Profile, Response
from ensemble_instruct.replies.answers import clean_answer
from ensemble_instruct.replies.lists.reading import read_list
from ensemble_instruct.replies.ratings import rating_of
from ensemble_instruct.replies.reader import read_reply
from ensemble_instruct.replies.thoughts import part_thought
from ensemble_instruct.replies.verdicts import is_toxic, verdict_of
from ensemble_instruct.replies.worked_tasks import read_worked_tasks
from tests.fuzz.mangling import FUZZ, mangled

SEEDS = [
    "1. Name a river.\n2. Sort the words.\n3. Translate into French: |EoS|",
    "Sure! Here are some tasks:\n\n- **Sort** the words\n  in the list\n- Name a river\n\nDo you want more?",
    'Here is JSON:\n```json\n[{"instruction": "Sort.", "input": "b a", "output": "a b"}, "two"]\n```',
    "instruction: Sort the words.\ninput: b a\noutput: a b\n\ninstruction: Next\noutput: x\n^ input: y",
    "<think>\nLet me see: 1. no\n</think>\n\nAnswer: **Paris**\n\nIs there anything else?",
    "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Oslo<|return|>",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint('x')\n```\n> quote\n1) a\n2) b\ni. c\nii. d",
    "以下是任务:\n一、排序\n二、翻译成法语。\n输入\uff1a无\n输出\uff1a巴黎",
    "The answer is B, [[7]], rating: 8/10. Verdict: A > B. yes",
]  # fmt: skip
PIECES = [
    "\n", "\r\n", "\n\n", " ", "\t", "\u2028", "\u200b", "\u202e", "\0", "\ud800", "```", "~~~", "<think>",
    "</think>", "<", ">", "<|", "|>", "<|im_end|>", "|EoS|", "{", "}", "[", "]", '"', "\\", "'", "1.",
    "10000000000000.", "- ", "* ", "# ", "input:", "output:", "instruction:", "**", "__", "^", "Sure!", "Note:",
    "(a)", "IX.", "٣.", "①", "é", "\u0301", "9" * 500, "a. b! c? ", "<answer>", "</answer>", '{"instruction": ',
    '"input": ', "Input", "\uff1a", "。", "/10", "A", "tie", "\\u00", "\x1b[31m",
]  # fmt: skip
PROFILES: st.SearchStrategy[Profile] = st.sampled_from(["default", "published"])
REASONS = st.sampled_from(["stop", "length", ""])
REPLIES = mangled(SEEDS, PIECES, st.text(max_size=12))


@FUZZ
@given(text=REPLIES, continues=st.booleans(), is_cut_off=st.booleans(), keeps_input=st.booleans())
def test_a_list_of_tasks_is_read(text: str, continues: bool, is_cut_off: bool, keeps_input: bool) -> None:
    for item in read_list(text, continues=continues, is_cut_off=is_cut_off, keeps_input=keeps_input):
        assert isinstance(item.text, str)


@FUZZ
@given(text=REPLIES, is_cut_off=st.booleans())
def test_worked_examples_are_read(text: str, is_cut_off: bool) -> None:
    tasks = list(read_worked_tasks(text, instruction="Sort the words.", is_cut_off=is_cut_off))
    assert tasks
    assert tasks[0].instruction == "Sort the words."


@FUZZ
@given(text=REPLIES, task=REPLIES)
def test_an_answer_is_cleaned_to_a_part_of_it(text: str, task: str) -> None:
    cleaned = clean_answer(text, task)
    assert cleaned.text.strip() in text
    assert bool(cleaned.text.strip()) == bool(text.strip())


@FUZZ
@given(text=REPLIES)
def test_a_thought_is_parted_from_the_answer(text: str) -> None:
    parted = part_thought(text)
    assert len(parted.answer) <= len(text)
    assert len(parted.thought) <= len(text)


@FUZZ
@given(text=REPLIES, reasoning=REPLIES, reason=REASONS, profile=PROFILES)
def test_a_reply_is_an_answer_or_a_failure(text: str, reasoning: str, reason: str, profile: Profile) -> None:
    read = read_reply(Response(text, reason, reasoning=reasoning), profile)
    if isinstance(read, Failure):
        assert read.type
    else:
        assert read_reply(read, profile) is read


@FUZZ
@given(text=REPLIES)
def test_what_judges_say_is_a_number_or_nothing(text: str) -> None:
    for number in (rating_of(text), verdict_of(text)):
        assert number is None or 0 <= number <= 100
    assert is_toxic(text) in (None, True, False)
