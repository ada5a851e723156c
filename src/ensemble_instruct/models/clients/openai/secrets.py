"""Keys taken out of what servers say, in whatever way they write them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from functools import lru_cache

_SHORTEST = 4
"""Characters of a value from which on it is taken out: a shorter one may be any part of a word."""


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with `***` for each secret, in any case: as it is, and as a URL, HTML, JSON or Python writes it."""
    pattern = _pattern(tuple(sorted({secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True)))
    return text if pattern is None else pattern.sub("***", text)


@lru_cache(16)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    """Whatever is one of these; each program escapes other signs than the next, so each may be written in any way."""
    forms = ("".join(f"(?:{'|'.join(_forms(sign))})" for sign in secret) for secret in secrets)
    return re.compile("|".join(forms), re.IGNORECASE) if secrets else None


@lru_cache(256)
def _forms(sign: str) -> tuple[str, ...]:
    """How one character may be written, as patterns."""
    if sign.isascii() and sign.isalnum():
        return (sign,)
    in_url = "".join(f"%(?:25)*{byte:02X}" for byte in sign.encode())
    in_html = rf"&\#(?:0*{ord(sign)}|x0*{ord(sign):x});"
    quoted = {sign, f"\\{sign}", html.escape(sign), json.dumps(sign)[1:-1], rf"\u{ord(sign):04x}"}
    spaces = (r"\+",) if sign == " " else ()
    return (*map(re.escape, sorted(quoted, key=len, reverse=True)), in_url, in_html, *spaces)
