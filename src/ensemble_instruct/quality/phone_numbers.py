"""Telephone numbers, as they are written in many countries; a bare row of digits is not one.

Those set aside for fiction, 555-01xx and the area code 555, belong to nobody and do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_END = r"(?![\w-]|[.,]\d)"
"""No word, and no further digit of a decimal number, follows."""
_FEW_DIGITS = re.compile(r"(?:\d\D{0,3}){7}")
"""Seven digits close to each other: without them a text holds no number, and most texts end here."""
_NORTH_AMERICAN = re.compile(
    rf"(?<![\w.-])(?:\+?1[ .-]?)?(?:\(([2-9]\d\d)\) ?|([2-9]\d\d)([.-]))([2-9]\d\d)([ .-])(\d{{4}}){_END}"
)
"""(212) 555-0123, 212-555-0123, 212.555.0123, with or without the country's 1; groups: areas, separators, rest."""
_INTERNATIONAL = re.compile(rf"(?<![\w+])\+[1-9]\d{{0,2}}(?:[ .()/-]{{0,2}}\d){{6,13}}{_END}")
"""A plus, a country, and 6 to 13 further digits."""
_NATIONAL = re.compile(
    r"(?<![\w.,+-])(?<!\d )(?:"
    r"00[1-9]\d{0,2}(?:[ .()/-]{1,2}(?!00)\d{1,4}){3,6}|"  # abroad, from many countries
    r"0[1-9]([ .-])\d\d(?:\1\d\d){3}|"  # France
    r"0[1-9]\d{0,3}([ -])\d{3,4}\2\d{3,4}|07\d{3} \d{6}|"  # Australia, Japan, Korea, the United Kingdom
    r"0[1-9]\d{1,3} ?/ ?\d{5,8}|01[5-7]\d \d{7,8}|"  # Germany
    r"\(0?[1-9]\d\) ?\d{4,5}[ -]\d{4}|"  # Brazil
    r"8 ?\(\d{3}\) ?\d{3}-\d\d-\d\d|"  # Russia
    r"1[3-9]\d([ -])\d{4}\3\d{4}"  # China
    rf"){_END}(?! \d)"
)
"""As they are written inside a country: groups of the right lengths, with one separator throughout."""
_LABEL = (
    r"(?:\b(?:tel(?:ephone)?|phone|mobile|cell(?:phone)?|fax|whatsapp|telefon(?:nummer)?|handy(?:nummer)?|mobil|rufnummer|"
    r"tél(?:éphone)?|portable|teléfono|telefono|telefone|móvil|celular|cellulare|тел(?:ефон)?|my number|"
    r"(?:call|text|ring|reach|phone|dial)(?: (?:me|us|him|her|them))?(?: (?:at|on|under))?)|"
    r"电话|電話|手机号?码?|携帯|전화)(?: (?:number|no))?(?: is)?"
)
"""What says in several languages that a telephone number follows."""
_LABELLED = re.compile(
    rf"{_LABEL}(?:\s?[.:\uff1a\u2013]{{1,2}}\s?|\s)?(\(?\+?\d(?:[ ./()-]{{0,2}}\d){{6,13}})(?!\w|[.,]\d)", re.IGNORECASE
)
"""A number of 7 to 14 digits after a label, however it is written."""
_WITHOUT_MARK = re.compile(r"(?:at|on|under|is|number|no)\W*$|\b(?:call|text|ring|dial)\W*$", re.IGNORECASE)
"""What a label ends in where a number may follow without a colon or another mark."""
_SHORTEST = 8
"""Fewest digits of an international number."""
_LONGEST = 15
"""Most digits of an international number (E.164)."""
_LOOKED_BACK = 8
"""Characters before a number that may show that it is part of a sum."""
_IN_A_ROW = "01234567890123456789"
"""A number that is a part of this only shows how numbers look."""


def phone_number(text: str) -> str | None:
    """The first of the numbers that a text holds, those that are written for North America before others."""
    return next(_numbers(text), None) if _FEW_DIGITS.search(text) else None


def _numbers(text: str) -> Iterator[str]:
    for match in _NORTH_AMERICAN.finditer(text):
        if _is_north_american(*match.groups()):
            yield match[0]
    for match in _INTERNATIONAL.finditer(text):
        if _is_international(match[0], text[max(0, match.start() - _LOOKED_BACK) : match.start()]):
            yield match[0]
    for match in _NATIONAL.finditer(text):
        if _is_somebodys(match[0]) and not _counts_up(match[0]):
            yield match[0]
    for match in _LABELLED.finditer(text):
        if _is_somebodys(match[1]) and _is_labelled(match[0][: -len(match[1])], match[1]):
            yield match[1]


def _is_north_american(area: str, other: str, first: str | None, exchange: str, second: str, line: str) -> bool:
    """Whether separators match, no part is one that is never given out, and the number is not one for fiction."""
    return first in (None, second) and exchange[1:] != "11" and not _is_fictional(f"{area or other}{exchange}{line}")


def _is_fictional(digits: str) -> bool:
    """Whether a number of North America, with its area code, is set aside."""
    return digits.startswith("555") or digits[3:].startswith("55501")


def _is_international(number: str, before: str) -> bool:
    """Whether it is as long as one, and neither a summand nor a round or decimal number nor one for fiction."""
    digits = re.sub(r"\D", "", number)
    last = before.rstrip()[-1:]
    is_arithmetic = last.isdigit() or (bool(last) and last in "=*/+-)^") or re.fullmatch(r"\+\d+\.\d+", number)
    is_fictional = digits.startswith("1") and _is_fictional(digits[1:])
    is_long_enough = _SHORTEST <= len(digits) <= _LONGEST
    return is_long_enough and not is_arithmetic and not is_fictional and not number.endswith("000000")


def _is_somebodys(number: str) -> bool:
    """Whether a number is not one that only shows how numbers look."""
    digits = re.sub(r"\D", "", number)
    is_shown = digits in _IN_A_ROW or len(set(digits)) == 1 or re.search(r"\d\d", number) is None
    return not is_shown and not (len(digits) in (10, 11) and _is_fictional(digits[-10:]))


def _counts_up(number: str) -> bool:
    """Whether its parts are a sequence in equal steps, such as 01 02 03 04 05."""
    parts = [int(part) for part in re.findall(r"\d+", number)]
    return len(parts) > 2 and len({after - before for before, after in pairwise(parts)}) == 1


def _is_labelled(label: str, number: str) -> bool:
    """Whether a colon or words like "at" are between the two, or the number begins as telephone numbers do."""
    return (
        bool(re.search(r"[^\w\s]|[^\x00-\x7f]", label)) or number[0] in "(+0" or _WITHOUT_MARK.search(label) is not None
    )
