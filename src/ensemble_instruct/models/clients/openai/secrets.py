"""Keys taken out of what servers say, in whatever way they write them."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

_SHORTEST = 4
"""Characters of a value from which on it is taken out: a shorter one may be any part of a word."""


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with `***` for each secret: as it is, and as a URL, HTML, JSON or Python writes it."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            quoted = {json.dumps(secret)[1:-1], repr(secret)[1:-1], html.escape(secret)}
            for form in sorted({secret, quote(secret), quote(secret, safe=""), quote_plus(secret), *quoted}, key=len):
                text = text.replace(form, "***")
    return text
