"""Text that may point to a person: e-mail and IP addresses, and phone, card, bank account and social security numbers.

Where a number has a checksum it must hold (cards: Luhn; IBAN: mod 97, and the length of its country). What is set aside
by standards for examples belongs to nobody and is none: the domains of RFC 2606, the addresses of RFC 5737 and 3849,
private networks, and the telephone numbers 555-01xx and those of the area code 555.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from ensemble_instruct.ballots import Hit

PERSONAL_DATA = "personal_data"
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@((?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24})(?![\w-])")
_NOBODYS = re.compile(r"(?:^|\.)(?:example(?:\.(?:com|org|net|edu))?|test|invalid|localhost|local)$", re.IGNORECASE)
_CARD = re.compile(r"(?<![\w.,-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)")
_CARD_PREFIX = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}|"
    r"3(?:0[0-5]|[689]\d)\d{11}|(?:6011|64[4-9]\d|65\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?!\w)")
_IBAN_LENGTHS = {
    code: int(length)
    for code, length in re.findall(
        r"(\w+):(\d+)",
        "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DK:18 DO:28 "
        "EE:20 EG:29 ES:24 FI:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 "
        "IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MR:27 MT:31 MU:30 "
        "NL:18 NO:15 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 SA:24 SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 ST:25 SV:28 "
        "TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20",
    )
}
"""Characters of an account number, by country (ISO 13616)."""
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_NUMBERED = re.compile(r"(?:version|release|section|chapter|build|v)[ .:]*$", re.IGNORECASE)
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9a-fA-F]{3}:[0-9a-fA-F:]{2,34}(?![\w:])")
_SSN = re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-]|\.\d)")
_NEVER_ISSUED = ("078-05-1120", "219-09-9999")
"""Printed on cards and in advertisements."""
_NORTH_AMERICAN = re.compile(
    r"(?<![\w.-])(?:\+?1[ .-]?)?(?:\(([2-9]\d\d)\) ?|([2-9]\d\d)([.-]))([2-9]\d\d)([ .-])(\d{4})(?![\w-]|\.\d)"
)
_INTERNATIONAL = re.compile(r"(?<![\w+])\+[1-9]\d{0,2}(?:[ .()/-]{0,2}\d){6,13}(?![\w-]|\.\d)")
_LABELLED = re.compile(
    r"\b(?:tel(?:ephone)?|phone|mobile|cell|fax|whatsapp|telefon|handy)(?: (?:number|no))?(?: is)?[.: ]{1,3}"
    r"(\(?0\d(?:[ ./()-]{0,2}\d){6,11})(?![\w-]|\.\d)",
    re.IGNORECASE,
)
_SHORTEST_NUMBER, _LONGEST_NUMBER = 8, 15
"""Digits of an international number (E.164)."""


def personal_data_hit(text: str) -> Hit | None:
    """The first kind of personal data that a text holds, with what was found."""
    for kind, found in _FINDERS.items():
        if value := found(text):
            return Hit(PERSONAL_DATA, f"{kind}: {value}")
    return None


def _email(text: str) -> str | None:
    found = (match for match in _EMAIL.finditer(text) if not _NOBODYS.search(match[1]))
    return next((match[0] for match in found if any(map(str.isalnum, match[0].partition("@")[0]))), None)


def _card(text: str) -> str | None:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        separators = set(re.sub(r"\d", "", match[0]))
        if len(separators) <= 1 and _CARD_PREFIX.fullmatch(digits) and _luhn(digits) and len(set(digits)) > 1:
            return match[0]
    return None


def _luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _iban(text: str) -> str | None:
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(match[0][:2])
        characters = match[0].replace(" ", "")
        if length is not None and len(characters) >= length:
            account = characters[:length]  # capital letters may go on after it
            number = "".join(str(int(character, 36)) for character in account[4:] + account[:4])
            if int(number) % 97 == 1:
                return account
    return None


def _ip_address(text: str) -> str | None:
    found = [match[0] for match in _IPV4.finditer(text) if not _is_version(text[: match.start()], match[0])]
    found += [match[0] for match in _IPV6.finditer(text)]
    return next(filter(_is_public, found), None)


def _is_version(before: str, numbers: str) -> bool:
    """Whether four numbers are rather those of a version or of a section."""
    return len(numbers) == len("1.2.3.4") or _NUMBERED.search(before[-12:]) is not None


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _social_security(text: str) -> str | None:
    return next((match[0] for match in _SSN.finditer(text) if match[0] not in _NEVER_ISSUED), None)


def _phone(text: str) -> str | None:
    found = [match[0] for match in _NORTH_AMERICAN.finditer(text) if _is_north_american(*match.groups())]
    found += [match[0] for match in _INTERNATIONAL.finditer(text) if _is_international(match[0], text[: match.start()])]
    found += [match[1] for match in _LABELLED.finditer(text)]
    return next(iter(found), None)


def _is_north_american(area: str, other: str, first: str | None, exchange: str, second: str, line: str) -> bool:
    """Whether separators match, no part is one that is never given out, and the number is not one for fiction."""
    is_fictional = "555" in (area, other) or (exchange == "555" and line.startswith("01"))
    return first in (None, second) and exchange[1:] != "11" and not is_fictional


def _is_international(number: str, before: str) -> bool:
    """Whether it is as long as one, and neither a summand nor a decimal number nor one for fiction."""
    digits = re.sub(r"\D", "", number)
    last = before.rstrip()[-1:]
    is_arithmetic = last.isdigit() or (bool(last) and last in "=*/+-)^") or re.fullmatch(r"\+\d+\.\d+", number)
    is_fictional = digits.startswith("1") and (digits[1:4] == "555" or digits[4:9] == "55501")
    return _SHORTEST_NUMBER <= len(digits) <= _LONGEST_NUMBER and not is_arithmetic and not is_fictional


_FINDERS: dict[str, Callable[[str], str | None]] = {
    "e-mail address": _email,
    "card number": _card,
    "account number": _iban,
    "IP address": _ip_address,
    "social security number": _social_security,
    "phone number": _phone,
}
