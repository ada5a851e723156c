"""The verbs that instructions begin with, and the ring that shows them."""

from __future__ import annotations

import re

import pytest

from ensemble_instruct.report.charts import sunburst
from ensemble_instruct.report.verbs import count_verbs, root_of


@pytest.mark.parametrize(
    ("instruction", "root"),
    [
        ("Write a short story about a lighthouse.", ("write", "story")),
        ("Please summarize the following articles in one sentence.", ("summarize", "article")),
        ("Given a sentence, identify its main verb.", ("identify", "verb")),
        ("You are a tutor. Could you explain the water cycle to a child?", ("explain", "cycle")),
        ("Give me three examples of irony.", ("give", "example")),
        ("Decide whether the review is positive.", ("decide", "")),
        ("Convert 5 yards to feet", ("convert", "yard")),
        ("List the countries bordering France", ("list", "country")),
        ("What is the capital of Peru?", None),
        ("\u5199\u4e00\u9996\u8bd7", None),
        ("", None),
    ],
)
def test_the_root_of_an_instruction(instruction: str, root: tuple[str, str] | None) -> None:
    assert root_of(instruction) == root


def test_verbs_are_counted_the_most_frequent_first() -> None:
    verbs = count_verbs(["Write a poem.", "Write a poem!", "write an essay", "Sort the list", "Why is it so?"])
    assert [(verb.verb, verb.count) for verb in verbs.top] == [("write", 3), ("sort", 1)]
    assert verbs.top[0].objects == (("poem", 2), ("essay", 1))
    assert (verbs.instructions, verbs.found, verbs.questions, verbs.different) == (5, 4, 1, 3)


def test_a_single_verb_is_a_whole_ring() -> None:
    for arc in sunburst(count_verbs(["Write a poem."])):
        ends = re.findall(r"(-?[\d.]+) (-?[\d.]+)(?=[ALZ])", arc.path)
        points = {(float(x), float(y)) for x, y in ends}
        assert len(points) == len(ends) == 4
