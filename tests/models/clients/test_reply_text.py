"""The text of a reply as its tokens come: it is always the text up to the first stop string that counts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ensemble_instruct.models.clients.local.reply_text import ReplyText

TEXTS = st.text(st.sampled_from("ab\n é🦜漢|E"), max_size=30)
STOPS = st.lists(st.text(st.sampled_from("ab\né🦜|"), min_size=1, max_size=3), max_size=3)


def cut_into_tokens(text: str, cuts: Sequence[int]) -> list[bytes]:
    """The bytes of a text in pieces; borders may lie within a character."""
    data = text.encode()
    borders = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(borders)]


def said(tokens: Sequence[bytes], stop: Sequence[str] = (), min_tokens: int = 0, after: str = "") -> ReplyText:
    before = [bytes([byte]) for byte in after.encode()]
    known = [*before, *tokens]
    reply = ReplyText(
        lambda ids: b"".join(known[each] for each in ids).decode("utf-8", "replace"),
        after=range(len(before)), stop=stop, min_tokens=min_tokens,
    )  # fmt: skip
    for token in range(len(before), len(known)):
        if reply.add(token):
            break
    return reply


@given(TEXTS, st.lists(st.integers(0, 100), max_size=40), STOPS, st.text(max_size=4))
def test_it_is_the_text_before_the_first_stop_string(text: str, cuts: list[int], stop: list[str], after: str) -> None:
    expected = text[: min((at for each in stop if (at := text.find(each)) >= 0), default=len(text))]
    tokens = cut_into_tokens(text, cuts)
    reply = said(tokens, stop, after=after)
    assert reply.finish() == expected or _earlier_end_wins(reply.finish(), text, stop)


def _earlier_end_wins(found: str, text: str, stop: Sequence[str]) -> bool:
    """Of two that overlap, the one that is complete first ends the reply."""
    return text.startswith(found) and any(text.startswith(each, len(found)) for each in stop)


@given(TEXTS, st.lists(st.integers(0, 100), max_size=40))
def test_no_character_is_broken_wherever_it_is_cut_off(text: str, cuts: list[int]) -> None:
    tokens = cut_into_tokens(text, cuts)
    for end in range(len(tokens) + 1):
        assert said(tokens[:end]).finish() == b"".join(tokens[:end]).decode("utf-8", "ignore")


@given(TEXTS, STOPS, st.integers(0, 20))
def test_a_stop_string_that_is_complete_within_min_tokens_does_not_count(
    text: str, stop: list[str], min_tokens: int
) -> None:
    letters = "".join(character for character in text if ord(character) < 128)
    ends = [
        at
        for each in stop
        for at in range(len(letters))
        if letters.startswith(each, at) and at + len(each) > min_tokens
    ]
    reply = said([letter.encode() for letter in letters], stop, min_tokens).finish()
    first = min((at + len(each) for each in stop for at in ends if letters.startswith(each, at)
                 and at + len(each) > min_tokens), default=None)  # fmt: skip
    if first is None:
        assert reply == letters
    else:
        assert letters.startswith(reply)
        assert any(letters.startswith(each, len(reply)) and len(reply) + len(each) == first for each in stop)
