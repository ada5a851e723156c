"""Worked examples out of completions: as base models go on with them, and as chat models write them."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ensemble_instruct.replies.worked_tasks import WorkedTask, read_worked_tasks

ASKED = "Say what the animal says."
Pair = tuple[str | None, str | None]

CAT: Pair = ("a cat", "meow")
MEOW: Pair = (None, "meow")
NOTHING: Pair = (None, None)
CODE = "```python\nprint(1)\n```"
ONE_EXAMPLE: dict[str, tuple[str, Pair]] = {
    # case and marks of labels
    "as the prompt has it": ("input: a cat\noutput: meow", CAT),
    "capitals": ("Input: a cat\nOutput: meow", CAT),
    "all in capitals": ("INPUT: a cat\nOUTPUT: meow", CAT),
    "mixed case": ("input: a cat\nOutput: meow", CAT),
    "bold with the colon": ("**Input:** a cat\n\n**Output:** meow", CAT),
    "bold without the colon": ("**Input**: a cat\n**Output**: meow", CAT),
    "bold with the text": ("**Input: a cat**\n**Output: meow**", CAT),
    "italics": ("*Input:* a cat\n_Output_: meow", CAT),
    "bold italics": ("***Input:*** a cat\n***Output:*** meow", CAT),
    "code": ("`Input`: a cat\n`Output`: meow", CAT),
    "headings": ("### Input\na cat\n\n### Output\nmeow", CAT),
    "headings with colons": ("## Input:\n\na cat\n\n## Output: meow", CAT),
    "bold headings": ("# **Input**\na cat\n# **Output**\nmeow", CAT),
    "bold lines": ("**Input**\n\na cat\n\n**Output**\n\nmeow", CAT),
    "space before the colon": ("Input : a cat\nOutput\u00a0: meow", CAT),
    "fullwidth colon": ("Input：a cat\nOutput：meow", CAT),  # noqa: RUF001
    "no space": ("Input:a cat\nOutput:meow", CAT),
    "dashes": ("- Input: a cat\n- Output: meow", CAT),
    "stars and bold": ("* **Input:** a cat\n* **Output:** meow", CAT),
    "bullets": ("• Input: a cat\n• Output: meow", CAT),
    "numbers": ("1. Input: a cat\n2. Output: meow", CAT),
    "numbers in brackets": ("1) **Input**: a cat\n2) **Output**: meow", CAT),
    "an item of two lines": ("- input: a cat\n  output: meow", CAT),
    "emoji": ("📥 **Input:** a cat\n📤 **Output:** meow", CAT),
    "example in the label": ("**Example Input:** a cat\n**Expected Output:** meow", CAT),
    "another language": ("**Eingabe:** a cat\n**Ausgabe:** meow", CAT),
    "Arabic": ("\u200fالمدخل: a cat\n\u200fالمخرج: meow", CAT),  # noqa: RUF001
    "Turkish": ("Girdi: a cat\nÇıktı: meow", CAT),  # noqa: RUF001
    "Hindi": ("इनपुट: a cat\nआउटपुट: meow", CAT),
    "Vietnamese": ("Đầu vào: a cat\nĐầu ra: meow", CAT),
    "Chinese": ("输入：a cat\n输出：meow", CAT),  # noqa: RUF001
    "a heading above a label": ("### Input\n**Input:** a cat\n\n### Output\n**Output:** meow", CAT),
    "numbers in bold": ("**1. Input:** a cat\n**2. Output:** meow", CAT),
    "a space within the bold": ("**Input: ** a cat\n**Output: ** meow", CAT),
    "a byte order mark": ("\ufeffInput: a cat\nOutput: meow", CAT),
    "Windows ends of lines": ("Input: a cat\r\n\r\nOutput: meow\r\n", CAT),
    # no input
    **{f"no input: {said}": (f"Input: {said}\nOutput: meow", MEOW) for said in (
        "None", "none.", "N/A", "n/a", "(none)", "[None]", "<noinput>", "No input", "No input required.", "-", "\u2014",
        "not applicable", "*None*", "**N/A**", "None needed", "(empty)", '""',
        "`None`", "No input needed for this task.", "无", "keine",
    )},
    "only an output": ("Output: meow", MEOW),
    "an empty input": ("Input:\nOutput: meow", ("", "meow")),
    "an input that only begins with none": ("Input: None of them.\nOutput: meow", ("None of them.", "meow")),
    # what stands around the example
    "preamble": ("Sure! Here is an example:\n\nInput: a cat\nOutput: meow", CAT),
    "heading of an example": ("Example 1:\nInput: a cat\nOutput: meow", CAT),
    "bold heading of an example": ("**Example**\n\n- Input: a cat\n- Output: meow", CAT),
    "the instruction again": (f"Instruction: {ASKED}\nInput: a cat\nOutput: meow", CAT),
    "the instruction again, in bold": (f"**Instruction:** {ASKED.lower()}\n\n**Input:** a cat\n**Output:** meow", CAT),
    "closing remark": ("Input: a cat\nOutput: meow\n\nLet me know if you'd like more examples!", CAT),
    "closing question": ("Output: meow\n\nWould you like another example?", MEOW),
    "request for more": ("Output: meow\n\nReady for the next task!", MEOW),
    "rule before a closing remark": ("Output: meow\n\n---\n\nI hope this helps!", MEOW),
    "rules between the parts": ("### Input\na cat\n\n---\n\n### Output\nmeow\n\n---", CAT),
    "fence around all": ("```\nInput: a cat\nOutput: meow\n```", CAT),
    "fence with a remark": ("Here:\n```text\nInput: a cat\nOutput: meow\n```\nHope it helps!", CAT),
    "fence that is not closed": ("```\nInput: a cat\nOutput: meow", CAT),
    "a fence around each part": ("```\nInput: a cat\n```\n\n```\nOutput: meow\n```", CAT),
    "code in a fence around all": (f"```\nInput: a cat\nOutput:\n{CODE}\n```\nBye.", ("a cat", CODE)),
    # what is text
    "a fence around an output": (f"Input: a cat\nOutput:\n{CODE}", ("a cat", CODE)),
    "a fence behind a label": ("Input: ```\na\n```\nOutput: ```\nb\n```", ("```\na\n```", "```\nb\n```")),
    "a bare fence around an output": ("Output:\n```\nmeow\n```", (None, "```\nmeow\n```")),
    "labels in code": ("Input:\n```\nInput: 1\nOutput: 2\n```\nOutput: 3", ("```\nInput: 1\nOutput: 2\n```", "3")),
    "labels in a line": ("Input: say output: here\nOutput: Input: there", ("say output: here", "Input: there")),
    "a label that is set in": ("Input: a: 1\n  output: 2\nOutput: 3", ("a: 1\n  output: 2", "3")),
    "labels written otherwise": (
        "**Input:** Sum.\nInput: 1 2\nOutput: 3\n\n**Output:** 3\n\nInput: none",
        ("Sum.\nInput: 1 2\nOutput: 3", "3\n\nInput: none"),
    ),
    "a list with labels": ("Input: a motor\n- Output: 5 W\nOutput: weak", ("a motor\n- Output: 5 W", "weak")),
    "a document": ("Output: # It\n## Input\nnone\n## Output\nall", (None, "# It\n## Input\nnone\n## Output\nall")),
    "a letter that ends with an offer": (
        "Input: a refund\nOutput: Dear Ann,\n\nit is paid.\n\nLet me know if you need more.",
        ("a refund", "Dear Ann,\n\nit is paid.\n\nLet me know if you need more."),
    ),
    "a second input": ("input: a cat\ninput: a dog\noutput: meow", CAT),
    "several inputs of one example": ("Input 1: a\nInput 2: b\nOutput: same", ("Input 1: a\nInput 2: b", "same")),
    "a number at the end": ("Input: count\nOutput:\n\n1.\n2.", ("count", "1.\n2.")),
    # answer as the label
    "answer after an input": ("Input: a cat\nAnswer: meow", CAT),
    "response after an input": ("**Input:** a cat\n**Response:** meow", CAT),
    "answer first": ("Answer: meow", MEOW),
    "answer after an announcement": ("Here you go:\nAnswer: meow", MEOW),
    "answer beside an output": ("Input: a cat\nAnswer: none\nOutput: meow", ("a cat\nAnswer: none", "meow")),
    "answer in an output": ("Output: a\nAnswer: meow", (None, "a\nAnswer: meow")),
    "answer to a question that is part of the text": ("Question: what?\nAnswer: meow", NOTHING),
    # JSON
    "JSON": ('{"input": "a cat", "output": "meow"}', CAT),
    "JSON in a fence": ('Here:\n\n```json\n{\n  "Input": "a cat",\n  "OUTPUT": "meow"\n}\n```\n\nBye!', CAT),
    "JSON with the instruction": (f'{{"instruction": "{ASKED}", "input": "a cat", "output": "meow"}}', CAT),
    "JSON in another order": ('{"id": 1, "output": "meow", "input": "a cat"}', CAT),
    "JSON in a list": ('[{"input": "a cat", "output": "meow"}]', CAT),
    "JSON in an object": ('{"example": {"input": "a cat", "output": "meow"}}', CAT),
    "JSON with lines": ('{"input": "a\\ncat", "output": "me\now"}', ("a\ncat", "me\now")),
    "JSON without a text": ('{"input": [1, {"a": null}], "output": 2.5}', ('[1,{"a":null}]', "2.5")),
    "JSON of other scripts": ('{"input": ["猫"], "output": true}', ('["猫"]', "true")),
    "JSON without an input": ('{"input": "", "output": "meow"}', MEOW),
    "JSON with null": ('{"input": null, "output": "meow"}', MEOW),
    "JSON with a comma too many": ('{"input": "a, ]", "output": "meow",\n}', ("a, ]", "meow")),
    "JSON without its last brace": ('{"input": "a cat", "output": "meow"', CAT),
    "JSON with an answer": ('{"input": "a cat", "answer": "meow"}', CAT),
    "JSON as an output": ('Input: a cat\nOutput: {"output": "meow"}', ("a cat", '{"output": "meow"}')),
    # nothing
    "no label": ("I cannot do that.", NOTHING),
    "no text": ("", NOTHING),
    "JSON that is none": ('{"input": "say "hi"", "output": }', NOTHING),
}  # fmt: skip


def read(text: str, *, is_cut_off: bool = False) -> list[WorkedTask]:
    return list(read_worked_tasks(text, instruction=ASKED, is_cut_off=is_cut_off))


@pytest.mark.parametrize("name", ONE_EXAMPLE)
def test_the_example_is_read_however_it_is_written(name: str) -> None:
    text, expected = ONE_EXAMPLE[name]
    (task,) = read(text)
    assert (task.instruction, task.input, task.output) == (ASKED, *expected)
    assert task.further == ""
    assert task.raw == text.replace("\r\n", "\n").strip()


FURTHER = {
    "numbers": ("Input 1: a\nOutput 1: b\nInput 2: c\nOutput 2: d", "Input 2: c\nOutput 2: d"),
    "numbers, inputs first": ("Input 1: a\nInput 2: c\nOutput 1: b\nOutput 2: d", "Input 2: c\nOutput 2: d"),
    "no numbers": ("input: a\noutput: b\n\ninput: c\noutput: d", "input: c\noutput: d"),
    "headings": ("**Example 1**\n\nInput: a\nOutput: b\n\n**Example 2**\n\nInput: c\nOutput: d", "Input: c\nOutput: d"),
    "rules": ("Input: a\nOutput: b\n\n---\n\nInput: c\nOutput: d", "Input: c\nOutput: d"),
    "another announcement": ("Input: a\nOutput: b\n\nHere is another example:\n\nInput: c", "Input: c"),
    "fences": ("```\nInput: a\nOutput: b\n```\n\nExample 2:\n```\nInput: c\nOutput: d", "Input: c\nOutput: d"),
    "JSON": ('[{"input": "a", "output": "b"}, {"input": "c", "output": "d"}]', '{"input": "c", "output": "d"}]'),
    "JSON by lines": ('{"input": "a", "output": "b"}\n{"input": "c", "output": "d"}', '{"input": "c", "output": "d"}'),
}


@pytest.mark.parametrize("name", FURTHER)
def test_the_first_example_is_the_tasks_and_the_others_are_kept_apart(name: str) -> None:
    text, further = FURTHER[name]
    (task,) = read(text)
    assert (task.input, task.output, task.further) == ("a", "b", further)


OTHER = "Name the food of the animal."
STATED = {
    "as the prompt has it": f"input: a\noutput: b\n\ninstruction: {OTHER}\ninput: c\noutput: d",
    "bold": f"**Input:** a\n**Output:** b\n\n---\n\n**Instruction:** {OTHER}\n\n**Input:** c\n\n**Output:** d",
    "another style": f"input: a\noutput: b\n\nInstruction: {OTHER}\nInput: c\nOutput: d",
    "numbers": f"Input 1: a\nOutput 1: b\n\nInstruction 2: {OTHER}\nInput 2: c\nOutput 2: d",
    "JSON": f'{{"input": "a", "output": "b"}}\n{{"instruction": "{OTHER}", "input": "c", "output": "d"}}',
}


@pytest.mark.parametrize("name", STATED)
def test_a_further_task_that_is_stated_is_read_as_well(name: str) -> None:
    tasks = read(STATED[name])
    assert [(task.instruction, task.input, task.output) for task in tasks] == [(ASKED, "a", "b"), (OTHER, "c", "d")]


def test_a_fence_that_was_left_open_does_not_reach_into_the_next_task() -> None:
    text = f"input: a\noutput: ```\nb\n\ninstruction: {OTHER}\ninput: c\noutput:\n```\nd\n```"
    assert [(task.input, task.output) for task in read(text)] == [("a", "```\nb"), ("c", "```\nd\n```")]


def test_a_blank_example_before_another_task_is_not_filled_with_its_text() -> None:
    tasks = read(f"\n\ninstruction: {ASKED}\ninput: a cat\noutput: meow")
    assert [(task.input, task.output) for task in tasks] == [NOTHING, CAT]


@pytest.mark.parametrize("text", [
    "Input: a cat\nOutput: me", "Output: me", "Input: a c", "```\nInput: a cat\nOutput: me", '{"input": "a cat", "outp',
    '{"input": "a cat", "output": "me', '[{"input": "a cat", "output": tr',
])  # fmt: skip
def test_a_text_that_the_token_limit_ends_is_cut_off(text: str) -> None:
    assert [task.is_cut_off for task in read(text, is_cut_off=True)] == [True]


@pytest.mark.parametrize("text", [
    "Output: meow\n|EoS|", "```\nOutput: meow\n```", '{"output": "meow"}', "Output: meow\n\nLet me know if you",
    'Here: {"input": "a", "output": "b"}, {"input": "c',
])  # fmt: skip
def test_an_example_that_ends_before_the_text_does_is_whole(text: str) -> None:
    (task,) = read(text, is_cut_off=True)
    assert not task.is_cut_off
    assert task.output


def test_json_that_ends_early_is_cut_off_whatever_the_server_says() -> None:
    assert [(task.output, task.is_cut_off) for task in read('{"input": "a cat", "output": "me')] == [(None, True)]


# Any style

NAMES = ("Input", "Output")
STYLES = [
    "{0}: ", "{0} : ", "**{0}:** ", "**{0}**: ", "*{0}*: ", "_{0}:_ ", "__{0}:__ ", "### {0}\n", "# {0}:\n",
    "## **{0}**\n", "**{0}**\n", "- {0}: ", "* **{0}:** ", "`{0}`: ", "{0}\uff1a", "{0}:\n\n",
    "\u2022 {0}: ", "**Example {0}:** ",
]  # fmt: skip
AROUND = [
    ("", ""), ("Sure! Here is an example:\n\n", ""), ("**Example 1**\n", "\n\nI hope this helps!"), ("```\n", "\n```"),
    ("```text\n", "\n```\n\nLet me know if you need more."), ("---\n\n", "\n\n---"),
]  # fmt: skip
CASES = [str.upper, str.lower, str.title]
values = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"], include_characters="\n"), min_size=1).map(
    str.strip
)


def is_plain(value: str) -> bool:
    """Whether a text holds nothing that reads as a label, a fence, the heading of an example, or no input."""
    words = ("input", "output", "instruction", "answer", "response", "example", "none", "n/a", "```", "~~~", "|eos|")
    return any(map(str.isalnum, value)) and not any(word in value.lower() for word in words)


@settings(deadline=None)
@given(
    value=values.filter(is_plain),
    output=values.filter(is_plain),
    style=st.sampled_from(STYLES),
    around=st.sampled_from(AROUND),
    case=st.sampled_from(CASES),
)
def test_input_and_output_come_back_from_labels_of_any_style(
    value: str, output: str, style: str, around: tuple[str, str], case: object
) -> None:
    assert callable(case)
    marks = [style.format(case(name)) for name in NAMES]
    assume(not ("```" in around[0] and "`" in value + output))
    text = f"{around[0]}{marks[0]}{value}\n{marks[1]}{output}{around[1]}"
    (task,) = read(text)
    assert (task.input, task.output, task.further) == (value, output, "")


# Long texts

PIECES = [
    "\n", " ", "a", "#", "*", "`", "```\n", "```python\n", "Input:", "Input: a\nOutput: b\n", "### Input\n",
    "Answer: a\n", "Input 1: a\n", "instruction: a\n", "Input: ```\n", "```\nInput: a\nOutput: b\n```\n", "{", "[",
    '{"input":', '{"a": {', '{"a": 1}', '{"input": "a", "output": "b"}\n', '{"input": "\\"',
    "Output: a\n\nExample 2:\n", "- - -\n", "Example 1:\n", "|EoS|",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_a_long_text_is_read_in_one_go_through_it(piece: str) -> None:
    text = piece * (100_000 // len(piece))  # a rule that went back over the text at each line would take an hour
    assert read(text, is_cut_off=True)
    assert read(f"Output: {text}")
