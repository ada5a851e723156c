"""Tokens of chat templates in what models write: they end a text, unless the text speaks of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_instruct.replies.control_tokens import before_control_token

ENDS = [
    *(
        "<|im_end|>",
        "<|im_start|>",
        "<|endoftext|>",
        "</s>",
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "</s><s>[INST]",
        "<s>[INST]",
    ),
    *("<|eot_id|>", "<|eom_id|>", "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>"),
    *("<end_of_turn>", "<start_of_turn>", "<turn|>", "<|turn>", "<eos>", "<bos>", "<pad>", "<end_of_utterance>"),
    *("<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|observation|>", "<|endofprompt|>"),
    *("<|END_OF_TURN_TOKEN|>", "<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>", "<EOS_TOKEN>", "<|END_RESPONSE|>"),
    *(
        "<\uff5cend▁of▁sentence\uff5c>",
        "<\uff5cbegin▁of▁sentence\uff5c>",
        "<\uff5cUser\uff5c>",
        "<\uff5cAssistant\uff5c>",
        "<\uff5ctool▁calls▁begin\uff5c>",
        "<|EOT|>",
    ),
    *("<|start_of_role|>", "<|end_of_role|>", "<|return|>", "<|call|>", "<|start|>", "<|channel|>", "<|eot|>"),
    *("<|header_start|>", "<|im_user|>", "<|endofturn|>", "[|endofturn|]", "<|end_of_sentence|>", "<|hy_User|>"),
    *("<seed:eos>", "[e~[", "<|assistant_end|>", "<|role_end|>", "<|eos|>", "<|python_tag|>", "<extra_id_1>"),
]
STARTS = [
    *(
        "<s>",
        "<s> ",
        "<bos>",
        "<pad>",
        "<|begin_of_text|>",
        "<\uff5cbegin▁of▁sentence\uff5c>",
        "[gMASK]<sop>",
        "<|startoftext|>",
    ),
    *(
        "<|im_start|>assistant\n",
        "<|im_start|>",
        "<|im_start|>assistant<|im_sep|>",
        "<|assistant|>\n",
        "<\uff5cAssistant\uff5c>",
    ),
    *("<|start_header_id|>assistant<|end_header_id|>\n\n", "<|header_start|>assistant<|header_end|>\n\n", "[/INST] "),
    *("<|begin_of_text|><|start_header_id|>assistant<|end_header_id|>\n\n", "<start_of_turn>model\n", "<|turn>model\n"),
    *(
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
        "<|start_of_role|>assistant<|end_of_role|>",
        "<|start|>assistant<|message|>",
    ),
    *(
        "<|im_end|>\n<|im_start|>assistant\n",
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "[|assistant|]",
    ),
    *(
        "<|im_assistant|>assistant<|im_middle|>",
        "<seed:bos>assistant\n",
        "<|begin_of_solution|>\n\n",
        "\n <s>\n",
        "assistant\n\n",
    ),
]
TEXTS = [
    "",
    "Paris is the capital.",
    "  \n\nParis\n",
    "a < b || c > d, a[i], <b>bold</b>, <u>under</u>, <e>, <start>, <end>, [END]",
    "let x = f <| g <| h and y = a |> b",
    "Dear <|first_name|>, your <|order|> is here. <|username|> <|gender|>",
    "ChatML ends a turn with `<|im_end|>`, Llama with ``</s>``.",
    'The token "<|endoftext|>" ends a text, and so does \u201c</s>\u201d.',
    "```\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n```\n\nThat is ChatML.",
    "1. Llama 2:\n   ```text\n   <s>[INST] Hi [/INST] Hello </s>\n   ```\n2. Next.",
    "~~~\n<|eot_id|>\n~~~",
    "<s>old price</s> new price",
    "It was <s>10</s> 8 and <s>9</s> 7.",
    "The <s> element of HTML",
    'A price of <s class="old">10</s> 8.',
    "Explain what the <|endoftext|> token does, and the token </s> too.",
    "A sequence ends in [EOS], says the paper.",
]


@pytest.mark.parametrize("token", ENDS)
@pytest.mark.parametrize("after", ["", "\n", "Human: and Spain?", "\n\nParis."])
def test_a_control_token_ends_the_text(token: str, after: str) -> None:
    assert before_control_token(f"It is `Paris`.{token}{after}") == ("It is `Paris`.", True)


@pytest.mark.parametrize("start", STARTS)
def test_what_begins_a_turn_is_left_out_at_the_start(start: str) -> None:
    assert before_control_token(f"{start}Paris.") == ("Paris.", False)
    assert before_control_token(f"{start}Paris.</s>") == ("Paris.", True)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_without_control_tokens_is_the_same_object(text: str) -> None:
    content, is_ended = before_control_token(text)
    assert content is text
    assert not is_ended


@pytest.mark.parametrize(
    ("text", "content", "is_ended"),
    [
        ("<|im_end|>", "", True),
        ("<|im_start|>user\nAnd Spain?", "", True),
        ("<s>Paris</s>", "Paris", True),
        ("It was <s>10</s> 8.</s>", "It was <s>10</s> 8.", True),
        ("```\ncode<|im_end|>\nmore", "```\ncode", True),
        ("```\na = 1\n```\n<|im_end|>\n```\n", "```\na = 1\n```\n", True),
        ("An odd ` mark<|im_end|>\n` more", "An odd ` mark", True),
        ("It is <|begin_of_box|>Paris<|end_of_box|>.", "It is Paris.", False),
        ("<|begin_of_box|>Paris<|end_of_box|></s>", "Paris", True),
        ("Paris. [EOS]\n", "Paris. ", True),
    ],
)
def test_where_a_text_ends(text: str, content: str, is_ended: bool) -> None:
    assert before_control_token(text) == (content, is_ended)


@given(
    st.lists(st.sampled_from([*ENDS, *STARTS, "a", " ", "\n", "`", "```\n", '"', "<s>", "Paris."]), max_size=12).map(
        "".join
    )
)
def test_what_is_left_is_part_of_the_text_and_is_read_again_as_it_is(text: str) -> None:
    content, is_ended = before_control_token(text)
    assert content in text
    assert is_ended or text.endswith(content)


@pytest.mark.parametrize(
    "part", ["<s>", "`<|im_end|>` ", "<|im_start|>", "<s>a", "a</s><s>", "```\n", "[EOS] ", "<|", "<s>  x"]
)
def test_a_text_of_nothing_but_tokens_is_read_at_once(part: str) -> None:
    """Were the time to grow with the square of the length, it would be minutes."""
    assert before_control_token(part * (400_000 // len(part)))
