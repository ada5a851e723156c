"""Redirects: followed on the same server; to another one goes neither the request nor the key."""

from __future__ import annotations

from collections.abc import Mapping

from yarl import URL

from ensemble_instruct.errors import TransientError
from ensemble_instruct.models.clients.openai.secrets import Secrets

REDIRECTS = (301, 302, 303, 307, 308)
"""Statuses that send a request to another address."""
MOST_REDIRECTS = 5
"""Redirects of one request that are followed."""
_LONGEST = 200
"""Characters of the target that are shown."""


def redirected(url: URL, status: int, headers: Mapping[str, str], model: str, secrets: Secrets) -> URL:
    """The address to which a reply sends a request; raises `TransientError` where that is none, or another server's."""
    location = headers.get("Location", "")
    try:
        target = url.join(URL(location)).with_user(None).with_fragment(None) if location else None
        is_same = target is not None and _server(target) == _server(url)
    except ValueError:
        target, is_same = None, False
    if target is None:
        raise TransientError(f"HTTP {status} redirects to no address", cause="redirect")
    if is_same:
        return target
    shown = secrets.out_of(str(target.with_query(None)))[:_LONGEST]
    raise TransientError(
        f"HTTP {status} redirects to {shown}, which is another server and gets neither the request nor the key; "
        f"if it is the right one, set models.{model}.base_url to it",
        cause="redirect",
    )


def _server(url: URL) -> tuple[str, str | None, int | None]:
    if url.host is None:
        raise ValueError("no address of a server")
    return url.scheme, url.host.rstrip("."), url.port
