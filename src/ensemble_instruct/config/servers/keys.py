"""Keys, tokens and passwords in a config, told by the name that they stand under and by how they look."""

from __future__ import annotations

import re

_PREFIXES = (
    "sk-", "sk_", "pk_", "rk_", "hf_", "gsk_", "xai-", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "AIza", "AKIA",
    "ya29.", "eyJ", "r8_", "nvapi-", "xoxb-", "xoxp-", "pplx-", "csk-", "tgp_", "dapi", "fw_", "jina_",
)  # fmt: skip
"""What keys of well-known services begin with."""
_SHORTEST = 10
"""Characters that a key has at least, such a beginning with it."""
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
"""Longer than words and versions are."""
_RANDOM_LETTERS = 20
"""Letters of a run without digits that looks random where many of them are capital and many are small."""
_UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)
_SCHEME = re.compile(r"\s*(?:bearer|basic|token|digest|apikey)\s+(?=[^\s$])", re.IGNORECASE)
"""How the value of a header begins that hands over a key."""
_NAMES = frozenset({
    "apikey", "auth", "authorization", "bearer", "cookie", "credential", "credentials", "jwt", "key", "keys",
    "passphrase", "passwd", "password", "pwd", "secret", "secrets", "sig", "signature", "token",
})  # fmt: skip
"""Words in the names of headers and of parts of a query that hold a key."""
_NAME_ENDS = ("key", "token", "secret", "password", "authorization", "auth", "cookie")
"""What such names end with where their words are written together."""


def is_name_of_key(name: str) -> bool:
    """Whether what stands under a name is a key, a token or a password: `api-key`, `X-Auth-Token`, `clientSecret`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words = re.findall(r"[a-z]+", spaced.lower())
    return bool(_NAMES.intersection(words)) or any(word.endswith(_NAME_ENDS) for word in words)


def without_scheme(text: str) -> str:
    """What stands in the value of a header after `Bearer` and its like."""
    scheme = _SCHEME.match(text)
    return text[scheme.end() :] if scheme else text


def is_like_key(text: str) -> bool:
    """Whether a text looks like a key: begins as those of a service do, or is long and random."""
    if _SCHEME.match(text) or _UUID.search(text):
        return True
    parts = re.findall(r"[A-Za-z0-9_.-]+", text)
    if any(part.startswith(_PREFIXES) and len(part) >= _SHORTEST for part in parts):
        return True
    return any(map(_is_random, _RUN.findall(text)))


def _is_random(run: str) -> bool:
    digits, capitals = sum(map(str.isdigit, run)), sum(map(str.isupper, run))
    if digits:
        return digits < len(run)
    return len(run) >= _RANDOM_LETTERS and 0.3 < capitals / len(run) < 0.7
