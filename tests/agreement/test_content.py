"""What outputs of a row say together: the numbers are those of the plain definition."""

from __future__ import annotations

import math
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.agreement.content import Content, WordWeights, content_of, content_words, shared_words
from ensemble_instruct.rouge import rouge_tokens, word_tokens

PROPERTY = settings(deadline=None)
WORDS = st.lists(st.sampled_from("alpha beta gamma delta epsilon zeta eta theta".split()), max_size=12)  # noqa: SIM905


@PROPERTY
@given(st.lists(st.lists(WORDS, min_size=3, max_size=3), min_size=2, max_size=5), WORDS)
def test_the_share_of_another_output_is_the_weight_of_its_words_that_an_output_has(
    rows: list[list[list[str]]], task: list[str]
) -> None:
    outputs = [[content_of(words) for words in row] for row in rows]
    weights, contents = WordWeights.of(outputs), outputs[0]
    shares = shared_words(contents, frozenset(task), weights)

    def weight(words: frozenset[str]) -> float:
        frequency = {word: sum(any(word in c.words for c in row) for row in outputs) for word in words}
        return sum(
            (math.log((1 + len(rows)) / (1 + frequency[word])) + 0.5) * (0.25 if word in task else 1) for word in words
        )

    for i, one in enumerate(contents):
        for j, other in enumerate(contents):
            expected = weight(one.words & other.words) / weight(other.words) if i != j and other.words else 0.0
            assert math.isclose(shares[i][j], expected, abs_tol=1e-3)


@PROPERTY
@given(st.lists(WORDS, min_size=2, max_size=4), WORDS)
def test_the_order_of_words_changes_no_share(outputs: list[list[str]], task: list[str]) -> None:
    contents = [content_of(words) for words in outputs]
    turned = [Content(frozenset(reversed(words)) or content_of(words).words) for words in outputs]
    weights = WordWeights.of([contents])
    assert shared_words(contents, frozenset(task), weights) == shared_words(turned, frozenset(task), weights)


@PROPERTY
@given(st.text())
def test_the_tokens_of_a_text_are_the_runs_of_letters_and_digits(text: str) -> None:
    assert rouge_tokens(text) == re.findall(r"[a-z0-9]+", text.lower())


@PROPERTY
@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_tokens_of_ascii_are_the_same_for_words_of_every_script(text: str) -> None:
    assert word_tokens(text, stem=True) == rouge_tokens(text, stem=True)


def test_characters_of_a_script_without_spaces_count_in_pairs() -> None:
    assert content_words(word_tokens("中国人 speak 好 English", stem=True)) == {
        "中国",
        "国人",
        "speak",
        "好",
        "english",
    }
