"""Addresses of servers: what one must look like, and that a query and keys are no part of it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from ensemble_instruct.config.servers.keys import is_like_key

OPENAI_URL = "https://api.openai.com/v1"
"""The address of a server where neither `base_url` nor `OPENAI_BASE_URL` names one."""


def require_plain_url(url: str, source: str = "an address") -> None:
    """Raise `ValueError` for an address that cannot be one, or that holds a query or a password."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{source} must begin with http:// or https://")
    before, mark, query = url.partition("?")
    try:
        parts = urlsplit(before)
        known = bool(parts.hostname) and parts.port != 0 and not re.search(r"[\s#]", before)
        (parts.hostname or "").encode("idna")
    except ValueError:
        known = False
    if not known:
        raise ValueError(f"{source} needs a host, and a port below 65536 if any, such as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc:
        raise ValueError(f"{source} must not hold a password; name a variable with api_key_env")
    if mark:
        names = [name for name, _ in parse_qsl(query) if re.fullmatch(r"[\w.-]{1,40}", name) and not is_like_key(name)]
        shown = ", ".join(f"{name}: …" for name in names or ["api-version"])
        raise ValueError(f"{source} must not hold a query; write it under the key query, as in query: {{{shown}}}")
