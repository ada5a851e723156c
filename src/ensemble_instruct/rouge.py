"""How alike two texts are: ROUGE-L F1, equal to rouge-score's to the last bit, and exact match.

ROUGE-L: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004); the tokens, the stemming rule and
the order of floating-point operations are those of the rouge-score package.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from sys import intern

from rapidfuzz.distance import LCSseq

_ROUGE_TOKEN = re.compile(r"[a-z0-9]+")
"""What rouge-score takes for a token, in lower-cased text."""
_ASCII_TOKENS = "".join(chr(code).lower() if chr(code).isalnum() else " " for code in range(128))
"""For `str.translate`: letters in lower case and digits; all else is a space."""
_PUNCTUATION = str.maketrans("", "", string.punctuation)
"""For `str.translate`: ASCII punctuation goes."""
_UNSPACED = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # CJK
    "\U00020000-\U0003ffff"
    "]"
)
"""A character of a script that is written without spaces between words."""
_MOST_STEMS = 2**16
"""That are remembered."""


def rouge_tokens(text: str, *, stem: bool = False) -> list[str]:
    """rouge-score's tokens: runs of a-z and 0-9 in the lower-cased text; stemmed when longer than 3 characters."""
    # of ASCII both ways give the same, and this one takes a third of the time
    tokens = text.translate(_ASCII_TOKENS).split() if text.isascii() else _ROUGE_TOKEN.findall(text.lower())
    return list(map(_STEMS.__getitem__, tokens)) if stem else tokens


def word_tokens(text: str, *, stem: bool = False) -> list[str]:
    """`rouge_tokens`, extended to every script; on ASCII text the two give the same tokens.

    A token is a run of letters, marks and digits of any script; a character of a script written without
    spaces, and a symbol such as an emoji, is a token of its own. How a character is composed makes no difference,
    nor do those that only say how others are drawn or joined.
    """
    if text.isascii():
        return rouge_tokens(text, stem=stem)
    tokens: list[str] = []
    run: list[str] = []
    for character in unicodedata.normalize("NFC", text.lower()) + " ":
        if _UNSPACED.match(character):
            alone, part_of_run = True, False
        elif character.isascii():
            alone, part_of_run = False, character.isalnum()
        else:
            category = unicodedata.category(character)
            if category == "Cf" or "\ufe00" <= character <= "\ufe0f":  # joiners, soft hyphens, variation selectors
                continue
            alone, part_of_run = category == "So", category[0] in "LMN"
        if part_of_run:
            run.append(character)
            continue
        if run:
            tokens.append("".join(run))
            run.clear()
        if alone:
            tokens.append(character)
    if stem:
        return [_STEMS[token] if token.isascii() else token for token in tokens]
    return tokens


def is_unspaced(token: str) -> bool:
    """Whether a token is a character of a script that is written without spaces."""
    return len(token) == 1 and _UNSPACED.match(token) is not None


def word_count(text: str) -> int:
    """How many words a text has: parts between white space, or `word_tokens` where not all of it is ASCII."""
    return len(text.split()) if text.isascii() else len(word_tokens(text))


@cache
def _stemmer() -> Callable[[str], str]:
    from nltk.stem.porter import PorterStemmer  # half a second to import: only where stems are asked for

    stem: Callable[[str], str] = PorterStemmer().stem
    return stem


class _Stems(dict[str, str]):
    """Tokens with their stems; those of up to three characters stay as they are. A look-up is all that most need."""

    def __missing__(self, token: str) -> str:
        if len(self) >= _MOST_STEMS:
            self.clear()
        stem = _stemmer()(token) if len(token) > 3 else token  # never empty: each rule leaves a letter
        # one object for each text: what is looked up a million times then stays in the cache of the processor
        self[token] = stem = token if stem == token else intern(stem)
        return stem


_STEMS = _Stems()


def f1_from_lcs(lcs: int, target_length: int, prediction_length: int) -> float:
    """rouge-score's F1 from the length of the longest common subsequence, operation by operation, so to the last bit.

    The three are lengths in tokens; those of the texts must not be 0 where `lcs` is not.
    """
    if not lcs:
        return 0.0
    precision = lcs / prediction_length
    recall = lcs / target_length
    return 2 * precision * recall / (precision + recall)


def lcs_f1(target: Sequence[str], prediction: Sequence[str]) -> float:
    """ROUGE-L F1 of two token sequences, 0 to 1; 0 when either is empty."""
    if not target or not prediction:
        return 0.0
    # RapidFuzz's bit-parallel LCS gives the same integer as rouge-score's table, and much faster.
    return f1_from_lcs(LCSseq.similarity(target, prediction), len(target), len(prediction))


def rouge_l(target: str, prediction: str, *, stem: bool = False) -> float:
    """ROUGE-L F1 of two texts as rouge-score computes it (`rougeL`, `use_stemmer=stem`)."""
    return lcs_f1(rouge_tokens(target, stem=stem), rouge_tokens(prediction, stem=stem))


def normalised(text: str) -> str:
    """Lower-cased, ASCII punctuation removed, white space squeezed: the original's form for comparing outputs."""
    return " ".join(text.lower().translate(_PUNCTUATION).split())


def pairwise_mean(values: Sequence[float]) -> float:
    """Mean with the summation order of NumPy's `mean`, which the original used: equal to the last bit; 0 of nothing."""
    return _pairwise_sum(values, 0, len(values)) / len(values) if values else 0.0


def _pairwise_sum(values: Sequence[float], start: int, count: int) -> float:
    # Repeats NumPy's summation tree: one by one below 8 values, eight lanes up to 128, two halves above that.
    if count < 8:
        total = -0.0  # NumPy's start value: a sum of negative zeros stays one
        for value in values[start : start + count]:
            total += value
        return total
    if count <= 128:
        parts = list(values[start : start + 8])
        whole = count - count % 8
        for at in range(start + 8, start + whole, 8):
            for lane in range(8):
                parts[lane] += values[at + lane]
        total = ((parts[0] + parts[1]) + (parts[2] + parts[3])) + ((parts[4] + parts[5]) + (parts[6] + parts[7]))
        for value in values[start + whole : start + count]:
            total += value
        return total
    half = count // 2
    half -= half % 8
    return _pairwise_sum(values, start, half) + _pairwise_sum(values, start + half, count - half)
