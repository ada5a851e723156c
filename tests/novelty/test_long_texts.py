"""Long texts: what they have in common is exact, what is unlike is given up, and who waits is told how far it is."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import LCSseq

from ensemble_instruct.novelty import long_texts
from ensemble_instruct.novelty.dedup import dedup_file
from ensemble_instruct.novelty.long_texts import common_length
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.rouge import lcs_f1, word_tokens
from ensemble_instruct.runs import progress

tokens = st.lists(st.integers(0, 4), max_size=40)


@given(tokens, tokens, st.integers(0, 45), st.sampled_from([1, 3, 7, 64]), st.booleans())
def test_what_is_in_common_is_exact_or_known_to_be_too_little(
    one: list[int], other: list[int], least: int, block: int, own: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_texts, "LONG", 0)
        patch.setattr(long_texts, "_VERY_LONG", 0 if own else 2**16)
        patch.setattr(long_texts, "_BLOCK", block)
        expected = LCSseq.similarity(one, other)
        found = common_length(one, other, least)
    assert found == expected if expected >= least else found < least


@pytest.mark.parametrize("words", [400, 60_000], ids=["few words", "more words than an index has letters for"])
def test_the_decisions_on_long_texts_are_those_of_a_full_comparison(words: int) -> None:
    """Copies with every tenth word changed, and texts that share no more than their words."""
    chosen = random.Random(words)
    vocabulary = [f"w{number}" for number in range(words)]
    originals = [chosen.choices(vocabulary, k=3_000) for _ in range(4)]
    copies = [[word if at % 10 else "other" for at, word in enumerate(text)] for text in originals[:2]]
    texts = [" ".join(text) for text in (*originals, *copies, originals[3][300:])]
    pool = NoveltyPool(texts[:4], 0.7, scan_limit=2 if words > 400 else 2**10)
    for text in texts:
        scores = [lcs_f1(word_tokens(text), word_tokens(other)) for other in texts[:4]]
        best = max(scores)
        assert pool.above(text, 0.7) == ((best, scores.index(best)) if best > 0.7 else None)
        assert pool.nearest(text) == (best, scores.index(best))


def test_very_long_texts_that_are_unlike_are_not_compared_to_the_end(tmp_path: Path) -> None:
    """That would take minutes for each pair."""
    vocabulary = [f"w{number}" for number in range(200_000)]
    rows = [{"text": " ".join(random.Random(number).choices(vocabulary, k=250_000))} for number in range(4)]
    (tmp_path / "d.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, rows[2]]))
    summary = dedup_file(tmp_path / "d.jsonl", tmp_path / "o.jsonl", 0.7, lambda texts, _number, _title: texts)
    assert (summary.kept, summary.dropped) == (4, 1)


def test_a_row_that_takes_long_holds_up_no_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY", 0.01)
    told = ""
    for row in progress.with_progress(["a", "b"], 2, "dedup"):
        while row == "b" and not told:
            told = capsys.readouterr().err
    assert told.startswith("dedup: ")
    assert told.splitlines()[0].endswith(" of 2 rows")
