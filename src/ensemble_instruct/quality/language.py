"""In which language a text is: only where that is certain, for a short text says little.

py3langid (a small model of its own, no download) gives each language a probability. A text is a hit where all wanted
languages together have less than one in a hundred, and another one has at least one in four: what is in no language,
such as a list of names, has no likely one. A text with fewer than 20 letters is never a hit.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Any

from ensemble_instruct.errors import ConfigError
from ensemble_instruct.quality.hit import Hit

LANGUAGE = "language"
"""The reason of these drops."""
_FEWEST_LETTERS = 20
"""A text with fewer letters is in every language."""
_LEAST = 0.01
"""Probability of all wanted languages together from which on a text may be in one of them."""
_LIKELY = 0.25
"""Probability that the likeliest other language must have."""
_LOOKED_AT = 20_000
"""Characters of prose that are looked at."""
_LEAST_OF_LINE = 0.75
"""Share of letters, marks and spaces in a line of prose; one of code or figures has less."""
_NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|(?<!\S)[^\s@]+@\S+", re.DOTALL)
"""Code, addresses on the Web, and e-mail addresses."""
_FAMILY = {
    "ar": ("arz", "ary"), "fa": ("prs",), "ku": ("sdh",), "nn": ("no",), "no": ("nn",), "uz": ("uzs",),
    "zh": ("wuu", "yue"),
}  # fmt: skip
"""What else the detector may call a text in a language: its varieties."""
_NO_LANGUAGE = "zxx"
"""The code of ISO 639 for what is in no language."""


def require_languages(wanted: Collection[str]) -> None:
    """Raise `ConfigError` where the detector is missing or does not know a language."""
    known = _detector().labels
    unknown = [code for code in wanted if code not in known]
    if unknown:
        raise ConfigError(
            f"quality.languages: {unknown[0]!r} is not known to the detector; it knows {' '.join(sorted(known))}"
        )


def language_hit(text: str, wanted: Collection[str]) -> Hit | None:
    """A hit where a text is certainly in none of the wanted languages."""
    prose = _prose(text)[:_LOOKED_AT]
    letters = sum(map(str.isalpha, prose))
    if letters < _FEWEST_LETTERS:
        return None
    ranked: list[tuple[str, float]] = _detector().rank(prose)
    allowed = {*wanted, *(other for code in wanted for other in _FAMILY.get(code, ()))}
    share = sum(probability for code, probability in ranked if code in allowed)
    code, probability = ranked[0]
    if code in (*allowed, _NO_LANGUAGE) or share >= _LEAST or probability < _LIKELY:
        return None
    return Hit(LANGUAGE, f"{code} ({probability:.3f}), not {' or '.join(wanted)} ({share:.3f})")


def _prose(text: str) -> str:
    """The text without code, addresses and lines that hold mostly other things than words."""
    lines = _NOT_PROSE.sub(" ", text).splitlines()
    return "\n".join(line for line in lines if line and _words_share(line) >= _LEAST_OF_LINE)


def _words_share(line: str) -> float:
    return sum(not character.isascii() or character.isalpha() or character.isspace() for character in line) / len(line)


@cache
def _detector() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise ConfigError(
            "quality.languages: needs a detector that is not installed: pip install 'ensemble-instruct[languages]'"
        ) from error
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
