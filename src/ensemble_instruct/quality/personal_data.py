"""Text that may point to a person: e-mail and IP addresses, phone, card, account and social security numbers, and keys.

Where a number has a checksum it must hold (cards: Luhn; IBAN: mod 97, and the length of its country). What standards
set aside for examples belongs to nobody and is no hit: the domains of RFC 2606, the addresses of RFC 5737 and 3849, and
private networks.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from itertools import chain

from ensemble_instruct.quality.hit import Hit
from ensemble_instruct.quality.phone_numbers import phone_number

PERSONAL_DATA = "personal_data"
"""The reason of these drops."""
_EMAIL = re.compile(r"(?<![\w.+%'-])[\w.+%'-]{1,64}@((?:(?!_)[\w-]{1,63}\.)+[^\W\d_]{2,24})(?![\w-])(?!:\w[^\s@]*/)")
"""An e-mail address and its domain; not what `git clone` takes (`git@host:path/`)."""
_SPELT_EMAIL = re.compile(
    r"[\w.+-]{1,64} ?[\[(]at[\])] ?((?:[\w-]{1,63}(?:\.| ?[\[(]dot[\])] ?))+[a-z]{2,24})\b", re.IGNORECASE
)
"""One that is spelt for people: name (at) domain (dot) org."""
_SPELT_AT = re.compile(r"[\[(]at[\])]", re.IGNORECASE)
"""Without it a text holds no address that is spelt, and most texts are not searched for one."""
_NOBODYS = re.compile(r"(?:^|\.)(?:example(?:\.(?:com|org|net|edu))?|test|invalid|localhost|local)$", re.IGNORECASE)
"""Domains set aside for examples and tests (RFC 2606) and for the machine or its network."""
_CARD = re.compile(r"(?<![\w.,-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)")
"""13 to 19 digits, alone or in groups."""
_CARD_PREFIX = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}|"
    r"3(?:0[0-5]|[689]\d)\d{11}|(?:6011|64[4-9]\d|65\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
"""Issuers' prefixes and lengths: Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay."""
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}(?!\w)|(?<=\biban )[a-z]{2}\d{2}[a-z0-9]{11,30}\b")
"""The form of an account number: country, two check digits, the rest; in small letters only after the word."""
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
"""Four numbers with dots between them, and no further one."""
_NUMBERED = re.compile(r"(?:version|release|section|chapter|build|v)[ .:]*$", re.IGNORECASE)
"""Words after which four numbers are those of a version or a section."""
_LOOKED_BACK = 12
"""Characters before four numbers that may say that they are a version."""
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9a-fA-F]{3}:[0-9a-fA-F:]{2,34}(?![\w:])")
"""An address of the public part of IPv6, 2000::/3."""
_SSN = re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-]|\.\d)")
"""A social security number of the United States in its usual form, without those that are never given out."""
_NEVER_ISSUED = ("078-05-1120", "219-09-9999")
"""Printed on cards and in advertisements."""
_SSN_LABELLED = re.compile(
    r"\b(?:ssn|social security (?:number|no\.?))(?: is|[:#])? *"
    r"((?!000|666|9)\d{3}[ -]?(?!00)\d\d[ -]?(?!0000)\d{4})(?!\d)",
    re.IGNORECASE,
)
"""One with other separators, or without any, after its name."""
_KEY = re.compile(
    r"(?<![\w-])(?:AKIA(?!\w{9}EXAMPLE)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,}|glpat-[\w-]{20,}|"
    r"sk-(?=[\w-]*\d)[A-Za-z0-9_-]{20,}|sk_live_[A-Za-z0-9]{20,}|AIza[\w-]{35}|xox[abprs]-\d[\w-]{10,}|hf_[A-Za-z0-9]{30,})"
    r"(?![\w-])|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"
)
"""Keys that say by their beginning whose they are (AWS, GitHub, GitLab, OpenAI, Stripe, Google, Slack, Hugging Face),
and private keys in PEM."""
_DIGITS = re.compile(r"(?:\d\D{0,3}){4}")
"""Four digits close to each other: without them a text holds no number that is looked for, and most texts end here."""


def personal_data_hit(text: str) -> Hit | None:
    """A hit that names the first kind of personal data that a text holds, and the text that shows it."""
    has_digits = _DIGITS.search(text) is not None
    for kind, find in _FINDERS.items():
        if (has_digits or find in _WITHOUT_DIGITS) and (value := find(text)):
            return Hit(PERSONAL_DATA, f"{kind}: {value}")
    return None


def _email(text: str) -> str | None:
    spelt = _SPELT_EMAIL.finditer(text) if _SPELT_AT.search(text) else ()
    for match in chain(_EMAIL.finditer(text), spelt):
        domain = re.sub(r" ?[\[(]dot[\])] ?", ".", match[1], flags=re.IGNORECASE)
        name = re.split(r"@| ?[\[(]", match[0])[0]
        if not _NOBODYS.search(domain) and any(map(str.isalnum, name)):
            return match[0]
    return None


def _card(text: str) -> str | None:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        separators = set(re.sub(r"\d", "", match[0]))
        are_groups = all(len(group) > 2 for group in re.split("[ -]", match[0]))
        if (
            len(separators) <= 1
            and are_groups
            and _CARD_PREFIX.fullmatch(digits)
            and _luhn(digits)
            and len(set(digits)) > 1
        ):
            return match[0]
    return None


def _luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the Luhn algorithm (ISO/IEC 7812-1)."""
    # From the right every second digit is doubled; the two digits of a double are added (divmod by 10).
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _iban(text: str) -> str | None:
    for match in _IBAN.finditer(text):
        characters = re.sub("[ -]", "", match[0]).upper()
        length = _IBAN_LENGTHS.get(characters[:2])
        if length is not None and len(characters) >= length:
            account = characters[:length]  # capital letters may go on after it
            # ISO 7064 mod 97-10: country and check digits to the end, letters as 10 to 35; the rest must be 1.
            number = "".join(str(int(character, 36)) for character in account[4:] + account[:4])
            if int(number) % 97 == 1:
                return account
    return None


def _ip_address(text: str) -> str | None:
    addresses = [
        match[0]
        for match in _IPV4.finditer(text)
        if not _is_version(text[max(0, match.start() - _LOOKED_BACK) : match.start()], match[0])
    ]
    addresses += [match[0] for match in _IPV6.finditer(text)]
    return next(filter(_is_public, addresses), None)


def _is_version(before: str, numbers: str) -> bool:
    """Whether four numbers are more likely those of a version or of a section: four digits, or a word before them."""
    return len(numbers) == len("1.2.3.4") or _NUMBERED.search(before) is not None


def _is_public(address: str) -> bool:
    try:
        known = ipaddress.ip_address(address)
        return known.is_global and not known.is_multicast
    except ValueError:
        return False


def _social_security(text: str) -> str | None:
    numbers = [*(match[0] for match in _SSN.finditer(text)), *(match[1] for match in _SSN_LABELLED.finditer(text))]
    return next((number for number in numbers if number not in _NEVER_ISSUED), None)


def _key(text: str) -> str | None:
    key = _KEY.search(text)
    return key and f"{key[0][:12]}…"  # the report must not spread the key itself


_FINDERS: dict[str, Callable[[str], str | None]] = {
    "e-mail address": _email,
    "card number": _card,
    "account number": _iban,
    "IP address": _ip_address,
    "social security number": _social_security,
    "phone number": phone_number,
    "secret key": _key,
}
"""In the order in which they are asked; the first that finds something decides."""
_WITHOUT_DIGITS = (_email, _key)
"""Those that may find something in a text without four digits."""
