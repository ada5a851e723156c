"""How the report counts: words, values between edges, and texts as far as they are shown."""

from __future__ import annotations

import pytest

from ensemble_instruct.report.histograms import series, shortened, unit_edges, visible, word_edges, words_in
from ensemble_instruct.rouge import word_count


@pytest.mark.parametrize(
    "text",
    [
        "x" * 9000 + " \u05d0 <b> it's so " + "y" * 9000,
        "na\u00efve, plain-text words " * 900,
        "\u65e5\u672c\u8a9e \U0001f600 " * 900,
        "short \u00e9",
        "plain " * 3000,
    ],
)
def test_words_of_long_texts_are_counted_as_those_of_short_ones(text: str) -> None:
    assert words_in(text) == pytest.approx(word_count(text), rel=0.01)


def test_a_value_on_an_edge_is_where_it_belongs() -> None:
    assert series([0.7], unit_edges(20)).counts.index(1) == 14
    assert series([0.7], unit_edges(20), upper=True).counts.index(1) == 13
    assert series([0.0, 1.0], unit_edges(20), upper=True).counts == (1, *[0] * 18, 1)


def test_a_text_is_cut_and_says_how_long_it_is() -> None:
    assert shortened("abc", 5, 3).is_cut is False
    assert shortened("abcdef", 5, 3) == shortened("abcdef", 5, 9)
    assert (shortened("a\nb\nc\nd", 50, 3).text, shortened("a\nb\nc\nd", 50, 3).characters) == ("a\nb\nc", 7)
    assert visible("tab\tline\r\nend") == "tab\tline\nend"


@pytest.mark.parametrize("values", [[], [0], [1, 2, 3], list(range(500)), [100_000]])
def test_edges_are_round_and_rise(values: list[int]) -> None:
    edges = word_edges(values)
    assert edges[0] == 0
    assert len(edges) < 40
    assert list(edges) == sorted(set(edges))
