"""Scores: equal to rouge-score's and NumPy's to the last bit, in every script."""

from __future__ import annotations

import random
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from ensemble_instruct.rouge import lcs_f1, pairwise_mean, rouge_l, rouge_tokens, word_tokens

SCORERS = {stem: RougeScorer(["rougeL"], use_stemmer=stem) for stem in (False, True)}
PAIRS = 10_000
PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ROOTS = """
    relate condition ration rational value hesit digit conform differ vile analog vietnam predict operate feudal
    decisive hope callous formal sensit electric good reviv allow infer air gyroscop adjust irritate replace depend
    adopt commun active angular bowdler rate cease control roll agree feed plaster bled motor sing conflat trouble
    size hop tan fall hiss fizz fail file happy sky enjoy pony caress cat tie die lie fly multiply run stop plan
"""
ENDINGS = """
    s es ies ed eed ing edly ingly y ly li ational tional enci anci izer bli alli entli eli ousli ization ation ator
    alism iveness fulness ousness aliti iviti biliti logi icate ative alize iciti ical ful ness al ance ence er ic
    able ible ant ement ment ent ion ou ism ate iti ous ive ize e
"""
IRREGULAR = "skies dying lying tying news innings inning outings cannings howe proceed exceed succeed is was 3rd 2023s"
WORDS = [*IRREGULAR.split(), *(root + ending for root in ROOTS.split() for ending in ["", *ENDINGS.split()])]
ODD = "İ\u0131\u212a\u212bßﬁééñЖ中文字हिन्दी😀²½Ⅷ\u200d\u00a0\u2028\x00\x1c_-'\u2019|^.,:\n\t \ud7ff"


def random_text(rng: random.Random) -> str:
    """Words that exercise the stemmer, sometimes with any characters of Unicode between and in them."""
    few = rng.sample(WORDS, 6)
    parts = []
    for _ in range(rng.randrange(14)):
        word = rng.choice(few if rng.random() < 0.7 else WORDS)
        if rng.random() < 0.2:
            word = rng.choice((word.upper(), word.title(), str(rng.randrange(5000)), "a", "it"))
        if rng.random() < 0.15:
            place = rng.randrange(len(word) + 1)
            word = word[:place] + rng.choice((rng.choice(ODD), chr(rng.randrange(0xD800)))) + word[place:]
        parts.append(word + rng.choice((" ", " ", " ", ", ", "-", "\n", ". ")))
    return "".join(parts)


def rouge(target: str, prediction: str, *, stem: bool = False) -> float:
    return float(SCORERS[stem].score(target, prediction)["rougeL"].fmeasure)


# ROUGE-L


@pytest.mark.slow
@pytest.mark.parametrize("stem", [False, True], ids=["plain", "stemmed"])
def test_scores_of_random_pairs_are_exactly_those_of_rouge_score(stem: bool) -> None:
    rng = random.Random(f"pairs {stem}")
    scores = set()
    for _ in range(PAIRS):
        target = random_text(rng)
        words = target.split(" ")
        rng.shuffle(words)
        prediction = rng.choice((random_text(rng), " ".join(words[: rng.randrange(len(words) + 1)]), target.lower()))
        score = rouge_l(target, prediction, stem=stem)
        assert score == rouge(target, prediction, stem=stem), (target, prediction)
        assert score == rouge_l(prediction, target, stem=stem)
        scores.add(score)
    assert len(scores) > 100


@pytest.mark.parametrize("stem", [False, True], ids=["plain", "stemmed"])
@settings(PROPERTY, max_examples=250)
@given(target=st.text(), prediction=st.text())
@example(target="", prediction="")
@example(target="İstanbul KELVIN K", prediction="i stanbul kelvin k")
@example(target="one", prediction="ONE!")
def test_scores_of_any_unicode_are_exactly_those_of_rouge_score(target: str, prediction: str, stem: bool) -> None:
    assert rouge_l(target, prediction, stem=stem) == rouge(target, prediction, stem=stem)


# Tokens


@pytest.mark.parametrize("stem", [False, True], ids=["plain", "stemmed"])
@settings(PROPERTY, max_examples=250)
@given(text=st.text(st.characters(max_codepoint=127)) | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_word_tokens_of_ascii_text_are_those_of_rouge(text: str, stem: bool) -> None:
    assert word_tokens(text, stem=stem) == rouge_tokens(text, stem=stem)


@pytest.mark.parametrize("stem", [False, True], ids=["plain", "stemmed"])
@settings(PROPERTY, max_examples=250)
@given(words=st.lists(st.sampled_from([*WORDS, "it", "2023", "A"]), min_size=1))
def test_ascii_words_have_the_same_tokens_beside_other_scripts(words: list[str], stem: bool) -> None:
    text = " ".join(words)
    assert word_tokens(f"— {text} …", stem=stem) == rouge_tokens(text, stem=stem)


SCRIPTS = {
    "Arabic": ("اكتب قصيدة عن البحر", "اكتب قصيدة عن الليل"),
    "Bengali": ("একটি কবিতা লেখো", "একটি গল্প লেখো"),
    "Chinese": ("把句子翻译成英文", "把句子翻译成法文"),
    "emoji": ("🍎🍐🍊", "🍎 🍐 🍌"),
    "Greek": ("Γράψε ένα ποίημα", "Γράψε ένα γράμμα"),
    "Hebrew": ("כתוב שיר על הים", "כתוב שיר על הלילה"),
    "Hindi": ("एक कविता लिखो", "एक कहानी लिखो"),
    "Japanese": ("詩を書いてください", "手紙を書いてください"),
    "Korean": ("바다에 대한 시를 써라", "바다에 대한 글을 써라"),
    "Russian": ("Напиши стихи про море", "Напиши письмо про море"),
    "Tamil": ("ஒரு கவிதை எழுது", "ஒரு கதை எழுது"),
    "Thai": ("เขียนบทกวี", "เขียนจดหมาย"),
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("stem", [False, True], ids=["plain", "stemmed"])
def test_texts_that_are_not_latin_score_1_when_equal_and_less_when_not(script: str, stem: bool) -> None:
    one, other = (word_tokens(text, stem=stem) for text in SCRIPTS[script])
    assert lcs_f1(one, list(one)) == 1.0
    assert lcs_f1(one, word_tokens(f" «{SCRIPTS[script][0]}»! ", stem=stem)) == 1.0
    assert 0.2 < lcs_f1(one, other) < 1.0


@settings(PROPERTY, max_examples=250)
@given(st.tuples(st.text(), st.characters(categories=["L", "N"]), st.text()).map("".join))
def test_any_text_with_a_letter_or_digit_scores_1_to_itself(text: str) -> None:
    assert lcs_f1(word_tokens(text), word_tokens(text)) == 1.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("naïve café", unicodedata.normalize("NFD", "naïve café")),
        ("❤️ 👍🏽", "❤👍"),
        ("co\u00adoperate ж", "cooperate ж"),
    ],
    ids=["composed or not", "variation and tone of an emoji", "soft hyphen"],
)
def test_texts_that_are_only_drawn_otherwise_have_the_same_tokens(one: str, other: str) -> None:
    assert word_tokens(one) == word_tokens(other) != []


# The mean


@pytest.mark.slow
def test_the_mean_is_that_of_numpy_to_the_last_bit_for_every_length() -> None:
    assert pairwise_mean([]) == 0.0
    rng = random.Random(5)
    for length in range(1, 2001):
        spread = 10.0 ** rng.randrange(-3, 9)
        values = [rng.choice((rng.random(), rng.random() * spread, 2 / 3, 0.0)) for _ in range(length)]
        assert pairwise_mean(values).hex() == float(np.mean(values)).hex(), length
