"""Thought and answer apart: as models of today write them, and texts that only speak of the tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_instruct.replies.thoughts import Parted, part_thought

ASKED = "Okay, the user asks for the capital of France. I know that one."
PARIS = "Paris is the capital of France."
WITH_THOUGHT = {
    "R1": f"<think>\n{ASKED}\n</think>\n\n{PARIS}",
    "R1 whose prompt opens the thought": f"{ASKED}\n</think>\n\n{PARIS}",
    "the same on one line": f"{ASKED}</think>{PARIS}",
    "the same with spaces": f"{ASKED} </think> {PARIS}",
    "Qwen3": f"<think>\n{ASKED}\n</think>\n\n{PARIS}",
    "Qwen3 with the header of its turn": f"<|im_start|>assistant\n<think>\n{ASKED}\n</think>\n\n{PARIS}",
    "QwQ": f"{ASKED}\n</think>\n\n{PARIS}",
    "Windows ends of lines": f"<think>\r\n{ASKED}\r\n</think>\r\n\r\n{PARIS}",
    "white space before": f"\n\n  <think>{ASKED}</think>\n{PARIS}",
    "a header without its tokens": f"assistant\n<think>\n{ASKED}\n</think>\n\n{PARIS}",
    "a byte order mark": f"\ufeff<think>{ASKED}</think>{PARIS}",
    "capitals": f"<THINK>{ASKED}</Think>{PARIS}",
    "attributes": f'<think duration="3s">{ASKED}</think>{PARIS}',
    "thinking": f"<thinking>\n{ASKED}\n</thinking>\n\n{PARIS}",
    "reasoning": f"<reasoning>{ASKED}</reasoning>{PARIS}",
    "EXAONE": f"<thought>\n{ASKED}\n</thought>\n\n{PARIS}",
    "closed by another tag": f"<thinking>\n{ASKED}\n</think>\n\n{PARIS}",
    "Seed": f"<seed:think>{ASKED}</seed:think>{PARIS}",
    "LongCat": f"{ASKED}</longcat_think>{PARIS}",
    "Magistral": f"[THINK]{ASKED}[/THINK]{PARIS}",
    "Magistral with its start token": f"<s>[THINK]{ASKED}[/THINK]{PARIS}",
    "Kimi": f"◁think▷{ASKED}◁/think▷{PARIS}",
    "Gemma 4": f"<|channel>thought\n{ASKED}<channel|>{PARIS}",
    "MedGemma": f"<unused94>thought\n{ASKED}<unused95>{PARIS}",
    "Command A": f"<|START_THINKING|>{ASKED}<|END_THINKING|>{PARIS}",
    "Apertus": f"<|inner_prefix|>{ASKED}<|inner_suffix|>{PARIS}",
    "OpenThinker": f"<|begin_of_thought|>\n\n{ASKED}\n\n<|end_of_thought|>\n\n{PARIS}",
    "Granite 3.2": f"Here is my thought process:\n{ASKED}\n\nHere is my response:\n\n{PARIS}",
    "Granite 3.3": f"<think>{ASKED}</think><response>{PARIS}</response>",
    "ERNIE": f"<think>\n{ASKED}\n</think>\n\n<response>\n{PARIS}\n</response>",
    "Hunyuan": f"<think>\n{ASKED}\n</think>\n<answer>\n{PARIS}\n</answer>",
    "an answer in tags, cut off": f"<think>\n{ASKED}\n</think>\n<answer>\n{PARIS}",
    "trained with rewards for tags": f"<reasoning>\n{ASKED}\n</reasoning>\n<answer>\n{PARIS}\n</answer>",
    "Hermes 4": f"<think>\n{ASKED}\n</think>\n{PARIS}",
    "after a blank block": f"<think></think>\n<think>{ASKED}</think>\n\n{PARIS}",
    "an end that is there twice": f"<think>{ASKED}</think>\n</think>\n\n{PARIS}",
    "a stray end after the answer": f"<think>{ASKED}</think>\n\n{PARIS}\n</think>",
    "gpt-oss": f"<|channel|>analysis<|message|>{ASKED}<|end|><|start|>assistant<|channel|>final<|message|>{PARIS}",
    "gpt-oss with the header of its turn": (
        f"<|start|>assistant<|channel|>analysis<|message|>{ASKED}<|end|>\n"
        f"<|start|>assistant<|channel|>final<|message|>{PARIS}"
    ),
    "gpt-oss in a format": (
        f"<|channel|>analysis<|message|>{ASKED}<|end|><|start|>assistant<|channel|>final <|constrain|>text"
        f"<|message|>{PARIS}"
    ),
    "gpt-oss whose prompt opens the thought": f"{ASKED}<|end|><|start|>assistant<|channel|>final<|message|>{PARIS}",
    "gpt-oss without a last channel": (
        f"<|channel|>analysis<|message|>{ASKED}<|end|><|start|>assistant<|message|>{PARIS}"
    ),
    "gpt-oss without its tokens": f"analysis{ASKED}assistantfinal{PARIS}",
}
CUT_OFF = {
    "R1": f"<think>\n{ASKED}",
    "a tag that is quoted": f"<think>\n{ASKED} I should end with `</think",
    "Magistral": f"[THINK]{ASKED}",
    "Kimi": f"◁think▷{ASKED}",
    "after the end": f"<think>{ASKED}</think>\n",
    "gpt-oss": f"<|channel|>analysis<|message|>{ASKED}",
    "gpt-oss between channels": f"<|channel|>analysis<|message|>{ASKED}<|end|><|start|>assistant<|channel|>fin",
    "gpt-oss without its tokens": f"analysis{ASKED}",
    "an end token instead of an answer": f"<think>{ASKED}</think><|im_end|>",
}
TEXTS = [
    "",
    PARIS,
    f"\n\n  {PARIS}  \n",
    "I think so. [1] a < b, c > d, [THINKING], <thinkpad>",
    "The <think> tag of DeepSeek opens a thought, and </think> ends it.",
    "DeepSeek wraps its thoughts in <think> and </think> tags.",
    "Use <think>...</think> blocks.",
    "<think> and </think> are the tags that R1 uses.",
    "The tag that closes a thought is </think>.",
    "The last of them is </think>",
    "`<think>` opens a thought,\n`</think>` closes it.",
    'It begins with "<think>" and ends with "</think>".',
    "An example:\n\n```\n<think>\nA thought.\n</think>\nAn answer.\n```\n\nThat is all.",
    "- An example:\n  ~~~xml\n<think>\nA thought.\n</think>\n  ~~~\n",
    "The end looks like this:\n\n```\n</think>\n```",
    "<response><reasoning>Two and two.</reasoning><answer>4</answer></response>",
    "<response>\n<reasoning>\nTwo and two.\n</reasoning>\n<answer>4</answer>\n</response>",
    '<?xml version="1.0"?>\n<scene>\n  <thinking>\n  Where is he?\n  </thinking>\n</scene>',
    "<dialogue>\n<think>Where is he?</think>\n</dialogue>",
    "The tags:\n<think> - opens a thought\n</think> - closes it",
    "Here is my thought process: first the sum, then the product.",
    "analysis of the text: it is short.",
    "Analysis shows that assistantfinal is no word.",
    "A reply has the form `<|channel|>final<|message|>...<|return|>`.",
]


@pytest.mark.parametrize("text", WITH_THOUGHT.values(), ids=WITH_THOUGHT)
def test_the_thought_of_a_reply_stands_apart_from_its_answer(text: str) -> None:
    assert part_thought(text) == Parted(PARIS, ASKED, is_thought_only=False)


@pytest.mark.parametrize("text", CUT_OFF.values(), ids=CUT_OFF)
def test_a_thought_that_is_cut_off_leaves_no_answer(text: str) -> None:
    answer, thought, is_thought_only = part_thought(text)
    assert is_thought_only
    assert answer in ("", "<|im_end|>")
    assert thought.startswith(ASKED)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_that_holds_no_thought_is_left_as_it_came(text: str) -> None:
    answer, thought, is_thought_only = part_thought(text)
    assert answer is text
    assert (thought, is_thought_only) == ("", False)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("<think>\n\n</think>\n\nYes", ("Yes", "")),
        ("</think>\n\nYes", ("Yes", "")),
        ("<think>one</think>\n\n<think>two</think>\nYes", ("Yes", "one\n\ntwo")),
        ("one</think>two</think>Yes", ("Yes", "one\n\ntwo")),
        ("one</think><think>two</think>Yes", ("Yes", "one\n\ntwo")),
        ("<think>one <think>two</think> three</think>Yes", ("Yes", "one <think>two</think> three")),
        ("<think>\n<think>\none</think>Yes", ("Yes", "<think>\none")),
        (
            "<think>He asks for `</think>`. Easy.</think>\nIt ends there.",
            ("It ends there.", "He asks for `</think>`. Easy."),
        ),
        ("<think>a ``` fence</think>\n```\ncode\n```", ("```\ncode\n```", "a ``` fence")),
        ("Try:\n```\ncode\n</think>\n\n```\ncode\n```", ("```\ncode\n```", "Try:\n```\ncode")),
        ("He asks for <think> tags.\nEasy.\n</think>\n\nYes", ("Yes", "He asks for <think> tags.\nEasy.")),
        ("Sure!\n\n<think>\none\n</think>\n\nYes", ("Sure!\n\nYes", "one")),
        ("Sure!\n\n<think>\none", ("Sure!", "one")),
        ("<think>one</think>\n\nWrite `<think>` first.", ("Write `<think>` first.", "one")),
        ("<think>one</think>\n\n\n    indented\nnot", ("    indented\nnot", "one")),
        ("<think>one</think>\n<answer>4</answer> is right.", ("<answer>4</answer> is right.", "one")),
        ("<think>one</think>\n<div>\n<answer>4</answer>\n</div>", ("<div>\n<answer>4</answer>\n</div>", "one")),
        ("<think>one</think><answer><b>4</b></answer>", ("<answer><b>4</b></answer>", "one")),
        ("思考过程。</think>答案", ("答案", "思考过程。")),
        ("<think>one</think><answer>4</answer><|im_end|>", ("4<|im_end|>", "one")),
        ("<|channel|>final<|message|>Yes<|return|>", ("Yes<|return|>", "")),
        (
            "<|channel|>analysis<|message|>one<|end|><|start|>assistant<|channel|>commentary to=functions.f "
            "<|constrain|>json<|message|>{}<|call|><|start|>assistant<|channel|>final<|message|>Yes<|end|>",
            ("Yes<|end|>", "one\n\n{}"),
        ),
        ("<|channel|>analysis<|message|>one<|channel|>final<|message|>Yes", ("Yes", "one")),
    ],
)
def test_what_is_thought_and_what_is_answer(text: str, parts: tuple[str, str]) -> None:
    assert part_thought(text) == Parted(*parts, is_thought_only=False)


WORDS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "a",
                "5",
                "`x`",
                "**b**",
                "\n",
                "\n\n",
                "\r\n",
                "\n- ",
                "\n```\ncode\n```\n",
                "1 < 2",
                "<b>c</b>",
                "d[0]",
                "Ende.",
            ]
        ),
        st.text(st.characters(exclude_characters="<[◁", exclude_categories=["Cs"]), min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=12,
).map(" ".join)
PLAIN = WORDS.filter(lambda text: text.strip() and not text.startswith("analysis"))
TAGS = [
    *((f"<{name}>", f"</{name}>") for name in ("think", "thinking", "reasoning", "thought", "Think", "THINKING")),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|channel>thought\n", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
]


@given(
    PLAIN, PLAIN, st.sampled_from(TAGS), st.sampled_from(["", "\n", "\n\n", "\r\n"]), st.sampled_from(["", " ", "\n"])
)
def test_any_thought_and_any_answer_come_apart_in_each_style(
    thought: str, answer: str, tags: tuple[str, str], space: str, before: str
) -> None:
    opening, closing = tags
    text = f"{before}{opening}{space}{thought}{space}{closing}{space}{answer}"
    parted = part_thought(text)
    assert parted.answer.strip() == answer.strip()
    assert parted.thought == thought.strip()
    assert part_thought(parted.answer).answer is parted.answer
    assert part_thought(f"{before}{opening}{space}{thought}") == Parted("", thought.strip(), is_thought_only=True)


@given(PLAIN, PLAIN, st.sampled_from(["</think>", "</thinking>", "[/THINK]", "◁/think▷"]))
def test_a_closing_tag_alone_ends_a_thought(thought: str, answer: str, closing: str) -> None:
    parted = part_thought(f"{thought.strip()}\n{closing}\n\n{answer.strip()}")
    assert (parted.answer.strip(), parted.thought) == (answer.strip(), thought.strip())


@given(WORDS)
def test_a_text_without_tags_is_the_same_object(text: str) -> None:
    assert part_thought(text).answer is text or text.startswith("analysis")


@pytest.mark.parametrize(
    "part",
    [
        *("<think>a</think>", "a</think>", "<think>", "a <think> ", "\n<think> x", "`</think>` ", "x</think><think>"),
        *("\n<think>\nx</thinking>", "<think></think><answer>", "<|channel|>analysis<|message|>", "<", "[", "```\n"),
        *("`", "<think ", "\n```\n</think>\n```", "<|start|>assistant", "Here is my thought process:"),
    ],
)
def test_a_text_of_nothing_but_tags_is_read_at_once(part: str) -> None:
    """Were the time to grow with the square of the length, it would be minutes."""
    assert part_thought(part * (400_000 // len(part)) + "</think>")
