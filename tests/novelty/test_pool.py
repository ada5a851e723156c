"""The novelty pool answers every question as a comparison with each of its texts does, however it is built up."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rapidfuzz import process
from rapidfuzz.distance import LCSseq
from rouge_score.rouge_scorer import RougeScorer

from ensemble_instruct.novelty.bounds import bounds, needed, prefix_length
from ensemble_instruct.novelty.index import _f1
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.rouge import f1_from_lcs, lcs_f1, pairwise_mean, rouge_tokens

SCORER = RougeScorer(["rougeL"], use_stemmer=False)
PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
THRESHOLDS = (0.1, 1 / 3, 0.4, 0.5, 4 / 7, 2 / 3, 0.7, 8 / 11, 0.8, 6 / 7, 1.0)
SIZES = ((10**6, 8192), (0, 10**6), (0, 0), (0, 3), (4, 2))
"""Limits (of the scan, of the tail): a scan; an index without postings; one built at each question; ones in between."""


def rouge(target: str, prediction: str) -> float:
    return float(SCORER.score(target, prediction)["rougeL"].fmeasure)


def require_exact(
    pool: NoveltyPool, texts: list[str], question: str, scores: list[float], thresholds: set[float]
) -> None:
    """All answers are those that the scores to each text give."""
    highest = max(scores, default=0.0)
    nearest = scores.index(highest) if scores else -1
    assert len(pool) == len(texts)
    assert pool.nearest(question) == (highest, nearest)
    for threshold in (*thresholds, highest, math.nextafter(highest, 0), math.nextafter(highest, 2)):
        assert pool.above(question, threshold) == ((highest, nearest) if highest > threshold else None), threshold
        assert pool.is_novel(question, threshold) == all(score <= threshold for score in scores)
    ranked = sorted(((score, place) for place, score in enumerate(scores)), key=lambda pair: -pair[0])
    for k in (0, 1, 3, len(texts), len(texts) + 1):
        assert pool.top(question, k) == ranked[:k]
    assert pool.mean(question) == pairwise_mean(scores)


# Any texts


def texts_of(words: str, longest: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(words.split()), max_size=longest).map(" ".join)


SHAPES = {
    "repeated tokens": texts_of("a a a b", 12),
    "few tokens": texts_of("a b c d", 6),
    "one token or none": texts_of("a b", 1),
    "many tokens": texts_of(" ".join(f"w{number}" for number in range(40)), 8),
    "all common but one": st.tuples(st.permutations(["the", "of", "a", "to", "in", "and"]), texts_of("x y z", 1)).map(
        lambda pair: " ".join([*pair[0], pair[1]])
    ),
    "long": texts_of("a b c d e f g h", 80),
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@settings(PROPERTY, max_examples=50)
@given(data=st.data(), sizes=st.sampled_from(SIZES), own=st.sampled_from(THRESHOLDS))
def test_the_pool_answers_as_a_comparison_with_every_text_does(
    shape: str, data: st.DataObject, sizes: tuple[int, int], own: float
) -> None:
    texts = data.draw(st.lists(SHAPES[shape], max_size=14))
    pool = NoveltyPool((), own, tokens=rouge_tokens, scan_limit=sizes[0], tail_limit=sizes[1])
    for place, text in enumerate(texts):
        if data.draw(st.booleans()):
            question = data.draw(SHAPES[shape]) + data.draw(st.sampled_from(["", " new", " new a new"]))
            scores = [lcs_f1(rouge_tokens(other), rouge_tokens(question)) for other in texts[:place]]
            require_exact(pool, texts[:place], question, scores, {own, 0.7, data.draw(st.sampled_from(THRESHOLDS))})
        assert pool.add(text) == place
    assert [pool[place] for place in range(len(texts))] == texts
    assert NoveltyPool(texts, own, tokens=rouge_tokens, scan_limit=sizes[0]).top("a b", 5) == pool.top("a b", 5)


@settings(PROPERTY, max_examples=60)
@given(texts=st.lists(st.text(), max_size=8), question=st.text(), sizes=st.sampled_from(SIZES))
@example(texts=["", "!"], question="", sizes=(0, 0))
@example(texts=["one"], question="ONE!", sizes=(0, 0))
def test_the_scores_of_any_unicode_are_those_of_rouge_score(
    texts: list[str], question: str, sizes: tuple[int, int]
) -> None:
    pool = NoveltyPool(texts, tokens=rouge_tokens, scan_limit=sizes[0], tail_limit=sizes[1])
    require_exact(pool, texts, question, [rouge(text, question) for text in texts], {0.7})


# Around the threshold


def around(threshold: Fraction) -> Iterator[tuple[int, int, int]]:
    """(LCS, length, other length) with an F1 of exactly the threshold, and one step to either side."""
    for length, other in product(range(1, 31), repeat=2):
        lcs = threshold * (length + other) / 2
        if lcs.denominator == 1 and lcs <= min(length, other):
            yield from ((value, length, other) for value in range(int(lcs) - 1, min(int(lcs) + 1, length, other) + 1))


@pytest.mark.parametrize("sizes", [(10**6, 1), (0, 10**6), (0, 1)], ids=["scan", "tail", "postings"])
@pytest.mark.parametrize(
    "exact", [Fraction(7, 10), Fraction(2, 3), Fraction(1, 2), Fraction(1), Fraction(1, 10)], ids=str
)
def test_a_score_equal_to_the_threshold_is_novel_and_the_next_higher_one_is_not(
    exact: Fraction, sizes: tuple[int, int]
) -> None:
    rng = random.Random(f"{exact}")
    cases = list(around(exact))
    texts: list[str] = []
    questions: list[str] = []
    for number, (lcs, length, other) in enumerate(rng.sample(cases, min(len(cases), 120))):
        shared = [f"s{number}x{place}" for place in range(lcs)]
        for side, mark, size in ((texts, "t", length), (questions, "q", other)):
            tokens = list(shared)
            while len(tokens) < size:
                tokens.insert(rng.randrange(len(tokens) + 1), f"{mark}{number}")
            side.append(" ".join(tokens))
    threshold = float(exact)
    pool = NoveltyPool(texts, threshold, tokens=rouge_tokens, scan_limit=sizes[0], tail_limit=sizes[1])
    sides = set()
    for text, question in zip(texts, questions, strict=True):
        score = rouge(text, question)
        assert pool.is_novel(question, threshold) == (score <= threshold), (text, question)
        assert pool.nearest(question)[0] == score
        sides.add((score > threshold) - (score < threshold))
    assert {-1, 0} <= sides


# The bounds


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_bounds_are_those_of_every_pair_of_lengths(threshold: float) -> None:
    longest = 24
    for length in range(1, longest + 1):
        limits = bounds(length, threshold)
        for other in range(1, 22 * longest):
            least = needed(length, other, threshold)
            assert f1_from_lcs(least, length, other) > threshold
            assert least == 1 or f1_from_lcs(least - 1, length, other) <= threshold
            possible = least <= min(length, other)
            place = min(other, len(limits.needed) - 1)
            assert limits.needed[place] == (least if possible else length + 1)
            assert limits.differences[place] == (length + other - 2 * least if possible else -1)
            assert possible == (limits.shortest <= other <= limits.longest)
            for position in range(length - least + 1 if possible else 0):
                assert limits.prefix[position].position >= other - least
                assert limits.prefix[position].difference >= length + other - 2 * least
            if possible:
                assert prefix_length(other, threshold) >= other - least + 1


def test_the_f1_of_many_texts_is_that_of_each_to_the_last_bit() -> None:
    for length in range(65):
        lengths, lcs = (grid.ravel() for grid in np.meshgrid(np.arange(65), np.arange(length + 1)))
        lengths, lcs = lengths[lcs <= lengths], lcs[lcs <= lengths]
        expected = [
            f1_from_lcs(*case) for case in zip(lcs.tolist(), [length] * len(lcs), lengths.tolist(), strict=True)
        ]
        assert _f1(lcs, length, lengths).tolist() == expected


# Large pools


def instructions(count: int, seed: int = 0) -> list[str]:
    """Distinct made-up instructions, a fifth of them edited copies of earlier ones."""
    rng = random.Random(seed)
    words = [
        f"{a}{b}{c}" for a in ("con", "re", "un", "", "pre") for b in ("la", "mi", "to", "ve") for c in "abcdefghij"
    ]
    weights = [1 / (rank + 2) for rank in range(len(words))]
    texts: dict[str, None] = {}
    kept: list[list[str]] = []
    while len(texts) < count:
        if kept and rng.random() < 0.2:
            tokens = list(rng.choice(kept))
            for _ in range(rng.randrange(1, len(tokens) // 2 + 2)):
                tokens[rng.randrange(len(tokens))] = rng.choice(words)
        else:
            tokens = rng.choices(words, weights, k=max(3, int(rng.lognormvariate(2.7, 0.4))))
        kept.append(tokens)
        texts[" ".join(tokens).capitalize() + "."] = None
    return list(texts)


@pytest.mark.slow
def test_decisions_over_20000_instructions_are_those_of_a_full_comparison() -> None:
    texts = instructions(20_000)
    pool = NoveltyPool(tokens=rouge_tokens, tail_limit=3000)
    numbers: dict[str, int] = {}
    coded = ["".join(chr(numbers.setdefault(token, len(numbers))) for token in rouge_tokens(text)) for text in texts]
    lengths = np.array([len(text) for text in coded])
    drops = 0
    for place, text in enumerate(texts):
        closest = pool.above(text, 0.7)
        drops += closest is not None
        if place and place % 20 == 0:
            lcs = process.cdist([coded[place]], coded[:place], scorer=LCSseq.similarity, dtype=np.int64)[0]
            scores = _f1(lcs, len(coded[place]), lengths[:place])
            best = int(scores.argmax())
            assert closest == ((scores[best], best) if scores[best] > 0.7 else None)
            if place % 500 == 0:
                order = np.lexsort((np.arange(place), -scores))[:10]
                assert pool.top(text, 10) == [(scores[other], other) for other in order]
                assert pool.mean(text) == float(np.mean(scores)) == pairwise_mean(scores.tolist())
        pool.add(text)
    assert 1000 < drops < 10_000


@pytest.mark.slow
def test_decisions_of_a_large_pool_are_those_of_rouge_score() -> None:
    texts = instructions(1500)
    pool = NoveltyPool(texts, tokens=rouge_tokens, tail_limit=500)
    rng = random.Random(1)
    for text in rng.sample(texts, 8):
        words = text.split()
        words[rng.randrange(len(words))] = rng.choice(["different", *words])
        question = " ".join(words)
        require_exact(pool, texts, question, [rouge(other, question) for other in texts], {0.5, 0.7})


@pytest.mark.slow
def test_the_vocabulary_has_no_limit() -> None:
    texts = [" ".join(f"t{number}" for number in range(start, start + 800)) for start in range(0, 1_200_000, 800)]
    pool = NoveltyPool(texts, tokens=rouge_tokens)
    for place in (0, 69, 70, 1391, 1392, 1393, 1499):
        text = texts[place]
        assert pool.nearest(text) == (1.0, place)
        shorter = " ".join(text.split()[200:])
        assert pool.above(shorter, 0.7) == (lcs_f1(text.split(), shorter.split()), place)
        assert pool.is_novel(" ".join(text.split()[::-1]), 0.7)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(10**6, 1), (0, 10**6), (0, 1)], ids=["scan", "tail", "postings"])
def test_texts_of_10000_tokens_stand_beside_short_ones(sizes: tuple[int, int]) -> None:
    rng = random.Random(3)
    words = [f"w{number}" for number in range(2000)]
    texts = ["", "w1", "w1 w2 w3"]
    texts += [" ".join(rng.choices(words[:few], k=10_000)) for few in (2000, 2000, 300, 100)]
    pool = NoveltyPool(texts, tokens=rouge_tokens, scan_limit=sizes[0], tail_limit=sizes[1])
    for place in (3, 5, 6):
        tokens = texts[place].split()
        question = " ".join([*tokens[500:], *rng.choices(words, k=600)])
        scores = [lcs_f1(text.split(), question.split()) for text in texts]
        require_exact(pool, texts, question, scores, {0.7, 0.9})
    require_exact(pool, texts, "w1", [lcs_f1(text.split(), ["w1"]) for text in texts], {0.7})


def test_many_copies_of_a_text_are_one_answer() -> None:
    texts = ["a b c d", *["e f g h"] * 3000, "a b c x"]
    pool = NoveltyPool(texts, tokens=rouge_tokens, tail_limit=1000)
    assert pool.above("e f g h", 0.7) == (1.0, 1)
    assert pool.top("e f g h", 4) == [(1.0, place) for place in range(1, 5)]
    assert pool.nearest("a b c x") == (1.0, 3001)
    assert pool.nearest("a b c y") == (0.75, 0)


# What is loaded


def test_numpy_is_loaded_by_a_large_pool_alone() -> None:
    lines = (
        "import sys, ensemble_instruct.cli.app, ensemble_instruct.novelty.pool as n, ensemble_instruct.rouge as s",
        "pool = n.NoveltyPool(map(str, range(400)), tokens=s.rouge_tokens)",
        "assert pool.above('7', 0.7) == (1.0, 7) and 'numpy' not in sys.modules",
        "pool = n.NoveltyPool(map(str, range(600)), tokens=s.rouge_tokens)",
        "assert pool.above('7', 0.7) == (1.0, 7) and 'numpy' in sys.modules",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
