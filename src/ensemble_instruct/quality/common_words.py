# ruff: noqa: RUF001 - letters of other scripts
"""In which language many texts together are, by their script and by the small words that each language is full of.

No model and no extra is needed, and a page of text is enough. For a single text see `language`, which is far surer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

_SCRIPTS: dict[str, re.Pattern[str]] = {
    "ja": re.compile("[\u3041-\u30ff]"),
    "zh": re.compile("[\u3400-\u9fff]"),
    "ko": re.compile("[\uac00-\ud7a3]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
    "el": re.compile("[\u0370-\u03ff]"),
    "he": re.compile("[\u0590-\u05ff]"),
    "": re.compile("[^\\W\\d_]"),
}
"""What letters say by themselves, the rarest first; the last one is every letter."""
_LEAST_OF_SCRIPT = 0.3
"""Share of the letters that makes a language; of kana less is enough."""
_LEAST_KANA = 0.1
_WORDS = {
    "ar": "في من على إلى عن أن هذا هذه التي الذي ما مع كل هو هي",
    "cs": "a i je na se že jak pro jsou nebo ale jako při byl která který podle",
    "da": "og det ikke til af hvad hvordan jeg er som den eller fra en et på",
    "de": "der die das und ist nicht ein eine einen zu den mit von für auf im dem wie welche sind wird oder aus",
    "en": "a i the of and to is in that for with this are you what it from be or as an how your",
    "es": "a el la los las de que y en un una es por con para del al se cuál como lo",
    "fa": "و در به از که این را با است برای آن یک های می",
    "fi": "ja on ei se että kuin mitä tai kun ovat mikä joka sen ole",
    "fr": "a le la les des et est un une que pour dans du en vous qui sur au aux par ce",
    "hi": "के का की है में और को से यह एक पर हैं कि",
    "hu": "a az és hogy nem egy is van meg ez mi vagy milyen",
    "id": "yang dan di untuk dari dengan ini pada tidak adalah ke itu dalam atau apa",
    "it": "il lo la di che e un una per non è con del della gli dei sono come questo nel",
    "nl": "de het een en van is dat niet op te met voor zijn wat in aan of deze naar",
    "no": "og det ikke til av hva hvordan jeg er som den eller fra en et på",
    "pl": "i w na z się nie do jest to że jak co lub dla od przez po",
    "pt": "o a os as de que e do da em um uma para com não por no na ao",
    "ro": "a și în de la cu pe care un o este nu din pentru ce sau",
    "ru": "и в не на что с по как это из для к от или о",
    "sv": "och att det som en är på för av med den ett till inte vad eller om",
    "tr": "ve bir bu için ile ne da de olarak daha çok olan gibi en",
    "uk": "і в не на що з до як це та для або від по у",
    "vi": "và của là một các có cho trong được không những với này để",
}
"""By language words of which its texts are full."""
_FEWEST_WORDS = 12
"""Of all texts together."""
_FEWEST_FOUND = 4
"""Of them, those of a language."""
_LEAST = 0.08
"""Share of all words that are those of a language."""
_AHEAD = 1.25
"""How many times as many there must be as of any other language."""
_LOOKED_AT = 200_000
"""Letters that are looked at."""


def language_of(texts: Iterable[str]) -> str:
    """The ISO 639-1 code of the language that texts together are in; empty where it is not clear."""
    text = "\n".join(texts)[:_LOOKED_AT].lower()
    return _by_script(text) or _by_words(re.findall(r"[^\W\d_]+", text))


def _by_script(text: str) -> str:
    letters = Counter({code: len(pattern.findall(text)) for code, pattern in _SCRIPTS.items()})
    for code in _SCRIPTS:
        least = _LEAST_KANA if code == "ja" else _LEAST_OF_SCRIPT
        if code and letters[code] >= least * max(1, letters[""]):
            return code
    return ""


def _by_words(words: list[str]) -> str:
    counts: Counter[str] = Counter()
    for word, count in Counter(words).items():
        for code in _whose().get(word, ()):
            counts[code] += count
    (code, most), (_, second) = [*counts.most_common(2), ("", 0), ("", 0)][:2]
    if len(words) < _FEWEST_WORDS or most < max(_FEWEST_FOUND, _LEAST * len(words), _AHEAD * second):
        return ""
    return code


@cache
def _whose() -> dict[str, list[str]]:
    """The languages of each word."""
    languages: dict[str, list[str]] = {}
    for code, words in _WORDS.items():
        for word in words.split():
            languages.setdefault(word, []).append(code)
    return languages
