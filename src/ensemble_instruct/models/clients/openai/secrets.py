"""Keys taken out of what servers say, in whatever way they write them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

_SHORTEST = 4
"""Characters of a value from which on it is taken out: a shorter one may be any part of a word."""


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with `***` for each secret, in any case: as it is, and as a URL, HTML, JSON or Python writes it."""
    forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
    lowered = text.lower()
    if not any(form.lower() in lowered for form in forms):  # as a rule; this takes a hundredth of the time
        return text
    longest_first = sorted(forms, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), "***", text, flags=re.IGNORECASE)


def _forms(secret: str) -> set[str]:
    quoted = {json.dumps(secret)[1:-1], repr(secret)[1:-1], html.escape(secret)}
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), *quoted}
