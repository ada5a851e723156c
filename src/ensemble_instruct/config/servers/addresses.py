"""Addresses of servers: what one must look like, and that a query and keys are no part of it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from ensemble_instruct.config.keys import has_key_in_path, is_like_key, is_name_of_key

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
        given = [(name, value) for name, value in parse_qsl(query) if re.fullmatch(r"[\w.-]{1,40}", name)]
        shown = ", ".join(
            f'{name}: "${{NAME}}"' if is_name_of_key(name) or is_like_key(value) else f"{name}: …"
            for name, value in given or [("api-version", "")]
            if not is_like_key(name)
        )
        raise ValueError(f"{source} must not hold a query; write it under the key query, as in query: {{{shown}}}")


def require_no_key_in_path(url: str, source: str = "an address") -> None:
    """Raise `ValueError` for an address in whose path a key stands."""
    if has_key_in_path(urlsplit(url).path):
        raise ValueError(
            f"{source} must not hold a key, for it is written to files; hand it over as a header, as in "
            f'headers: {{api-key: "${{NAME}}"}}, and set that variable in the environment'
        )
