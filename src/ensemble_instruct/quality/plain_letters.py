"""The words of a text in plain letters: the same whether it was typed, or copied out of a PDF or a web page.

A ligature is the letters that it joins, a letter of full width, of mathematics or in a circle is that letter, an accent
or a vowel point is nothing, nor is what nobody sees: soft hyphens, also with the line break after them, zero width.
"""

from __future__ import annotations

import re
import unicodedata

from ensemble_instruct.rouge import word_tokens

_LETTERS = str.maketrans({
    "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "\u0131": "i",
    "\u02bc": "'", "\u02b9": "'", "\u02bb": "'",  # letters that look like an apostrophe
    "\u0640": None,  # makes an Arabic word longer
    "\u115f": " ", "\u1160": " ", "\u3164": " ", "\uffa0": " ", "\u2800": " ",  # blanks that are letters or symbols
})  # fmt: skip
"""What Unicode does not take apart, in lower case."""
_UNSEEN = re.compile(
    "\xad[ \t]*\r?\n[ \t]*"  # a word that goes on in the next line
    "|["
    "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"  # accents, apart from their letters by now
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # vowel points of Hebrew
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"  # of Arabic
    "]"
)


def comparable_words(text: str) -> list[str]:
    """The words of a text (`word_tokens`) in lower-cased plain letters; of ASCII text they are `word_tokens`.

    >>> comparable_words("The o\N{LATIN SMALL LIGATURE FFI}ce, the cafe\N{COMBINING ACUTE ACCENT}")
    ['the', 'office', 'the', 'cafe']
    """
    if text.isascii():
        return word_tokens(text)
    apart = unicodedata.normalize("NFKD", text.casefold())
    return word_tokens(unicodedata.normalize("NFC", _UNSEEN.sub("", apart.translate(_LETTERS))))
