"""Keys, tokens and passwords in a config, told by the name that they stand under and by how they look."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from os import PathLike
from typing import Any
from urllib.parse import unquote

_PREFIXES = (
    "sk-", "sk_", "pk_", "rk_", "hf_", "gsk_", "xai-", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "AIza", "AKIA",
    "ya29.", "eyJ", "r8_", "nvapi-", "xoxb-", "xoxp-", "pplx-", "csk-", "tgp_", "dapi", "fw_", "jina_",
)  # fmt: skip
"""What keys of well-known services begin with."""
_PREFIXES_OF_NAMES = ("sk_", "pk_", "rk_", "hf_", "r8_", "dapi", "fw_", "jina_", "eyJ")
"""Those of them with which names begin, too."""
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
_SURE = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:sk|pk|rk)[-_](?:[A-Za-z0-9_-]{0,20}[-_])?(?=[A-Za-z]{0,80}[0-9]|[A-Za-z]{20})[A-Za-z0-9]{4}[\w-]{6,}"
    r"|(?:hf_|gsk_|gh[pos]_|r8_)[A-Za-z0-9]{16,}|(?:xai|csk|pplx|nvapi|glpat)-(?=[\w-]{0,20}[0-9])[\w-]{16,}"
    r"|(?:github_pat|tgp_v[0-9]|jina)_(?=[\w-]{0,20}[0-9])[\w-]{16,}|fw_(?=[A-Za-z0-9]{0,20}[0-9])[A-Za-z0-9]{20,}"
    r"|xox[bp]-[0-9][\w-]{10,}|AIza[\w-]{30,}|AKIA[A-Z0-9]{16}|ya29\.[\w-]{20,}|dapi[0-9a-f]{32}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"
)
"""What only a key looks like, also within a sentence."""
_MIXED = re.compile(r"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])(?=(?:[A-Za-z]*[0-9]+){4})[A-Za-z0-9]{30,}")
"""A single word of capitals, small letters and digits in turn: no hash, and no name of a model."""
_EXACT = frozenset({
    "apikey", "authorization", "authtoken", "accesstoken", "accesskey", "bearertoken", "clientsecret", "hftoken",
    "passphrase", "passwd", "password", "privatekey", "pwd", "secret", "secretkey",
})  # fmt: skip
"""Names under which any text is a key, whatever it looks like; without their signs."""
_CHECKED_BY_THEMSELVES = ("api_key_env", "extra_body", "headers", "options", "query")
"""Keys of a model that are looked at more closely where they are read."""
_DEEPEST = 64
"""Values within each other that are looked at."""
IN_PLACE_OF_KEY = (
    "holds a key itself, and the config is written to files; set it as an environment variable and name that for its "
    'model: api_key_env: NAME, or headers: {api-key: "${NAME}"}'
)
"""What is said of a key that stands where anything may stand."""
OF_RUN = {"of_run": True}
"""The context in which a config is validated that a run has written: it can be read, whatever stands in it."""


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


def place_of_key(value: Any, at: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
    """Where something stands in the values of a config that can only be a key; the place without a name that is one."""
    if isinstance(value, str | PathLike):
        return at if _SURE.search(str(value)) else None
    inner: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, Mapping) and len(at) < _DEEPEST:
        if any(_SURE.search(str(name)) for name in value):
            return at
        inner = [(name, each) for name, each in value.items() if name not in _CHECKED_BY_THEMSELVES]
    elif isinstance(value, list | tuple) and len(at) < _DEEPEST:
        inner = list(enumerate(value))
    return next((place for name, each in inner if (place := place_of_key(each, (*at, name))) is not None), None)


def is_key_at(at: Sequence[Any], text: str) -> bool:
    """Whether a text is a key which stands under names of the user's choice, where anything may stand."""
    if _SURE.search(text) or _MIXED.fullmatch(text.strip()) or _begins_as_key(text.strip()):
        return True
    names = [part for part in at if isinstance(part, str)]
    if names and text.strip() and re.sub("[^a-z]", "", names[-1].lower()) in _EXACT:
        return True
    return is_like_key(text) and any(map(is_name_of_key, names))


def has_key_in_path(path: str) -> bool:
    """Whether a key stands in the path of an address: by its looks, or behind the name of one."""
    parts = re.split(r"[/;=,&]", unquote(path))
    return any(_SURE.search(part) or _MIXED.fullmatch(part) or _begins_as_key(part) for part in parts) or any(
        is_name_of_key(name) and is_like_key(part) for name, part in pairwise(parts)
    )


def _begins_as_key(word: str) -> bool:
    """Whether a word begins as keys do, and as names do not, at least without a digit."""
    if not word.startswith(_PREFIXES) or len(word) < _SHORTEST or re.search(r"\s", word):
        return False
    return not word.startswith(_PREFIXES_OF_NAMES) or any(map(str.isdigit, word))


def _is_random(run: str) -> bool:
    digits, capitals = sum(map(str.isdigit, run)), sum(map(str.isupper, run))
    if digits:
        return digits < len(run)
    return len(run) >= _RANDOM_LETTERS and 0.3 < capitals / len(run) < 0.7
