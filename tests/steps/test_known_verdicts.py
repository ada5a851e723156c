"""What a judge said is read in step 5 as it was when it answered: by the reader of replies, not as it came."""

from __future__ import annotations

from pathlib import Path

import pytest

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.known import KnownAnswers
from ensemble_instruct.records import Answer, Answered, Candidate, Instance, Response
from ensemble_instruct.steps.judge import Verdicts
from ensemble_instruct.steps.rating import Judge, JudgedRatings
from ensemble_instruct.steps.toxicity import ToxicityVerdicts

JUDGE = ModelSection(base_url="http://127.0.0.1:1/v1", model="judge", endpoint="chat")
INSTANCE = Instance(kind="output_only", instruction="Name a river.", input="", output="the Ob")


def known(reply: str) -> KnownAnswers:
    """A judge that has said this, whatever it was asked."""
    return KnownAnswers(lambda key: Answer(key, Response(reply)), JUDGE, "default")


@pytest.mark.parametrize(
    ("reply", "agreement"),
    [
        ("The two say the same.<|im_end|>\n<|im_start|>user\nAnswer A is different from answer B.", 1.0),
        ("They are different.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nThe same?", 0.0),
        ("<think>They look the same.</think>\n\nThey are different.</s>The same.", 0.0),
    ],
)
def test_a_judge_whose_server_lets_the_next_turn_through_is_read_up_to_its_end(reply: str, agreement: float) -> None:
    ((_, found), _) = Verdicts(known(reply), Path("run"))([(INSTANCE, ("the Ob", "a river in Siberia"))])[0]
    assert found == agreement


@pytest.mark.parametrize(
    ("reply", "confidence"),
    [
        ("<think>A 2, or rather a 3 of 5.</think>\n\n4", 0.75),
        ("Rating: 2<|im_end|>\n<|im_start|>user\nRating: 5", 0.25),
        ("<think>The reference is better, so", None),
        ("a number from 1 to 5", None),
    ],
)
def test_a_judge_that_thinks_or_goes_on_is_read_in_its_answer(reply: str, confidence: float | None) -> None:
    row = Answered(INSTANCE, (Candidate(INSTANCE.id, "a", "the Lena"), Candidate(INSTANCE.id, "judge", "the Ob ")))
    judge = Judge("judge", known(reply), frozenset({"judge"}))
    (found,) = JudgedRatings([judge], Path("run"))([row])
    assert found == (None, confidence, None), "the instance's output has the words of the judge's own"


def test_what_comes_after_the_end_of_a_reply_is_no_word_about_harm() -> None:
    filter_of = ToxicityVerdicts(known("It is<|im_end|>\n<|im_start|>user\nsafe or toxic?"))
    hit = filter_of(INSTANCE, "the Ob")
    assert hit is not None
    assert "toxic" not in hit.detail
    assert ToxicityVerdicts(known("safe<|im_end|>\n<|im_start|>user\ntoxic!"))(INSTANCE, "the Ob") is None
