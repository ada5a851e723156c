"""Which proxy leads to a server: what HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment say, and nothing else."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.request import getproxies_environment

from yarl import URL

from ensemble_instruct.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable that names it."""

    url: URL
    """With the name and the password for it, if it wants them."""
    variable: str

    def __str__(self) -> str:
        return f"the proxy at {self.url.origin()} (environment variable {self.variable})"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of it nobody must see."""
        if not self.url.password:
            return ()
        login = f"{self.url.user or ''}:{self.url.password}"
        return self.url.password, b64encode(login.encode()).decode()


def proxy_for(server: URL) -> Proxy | None:
    """The proxy through which a server is asked, or None; raises `ConfigError` for one that cannot be used.

    No server is exempt but those that NO_PROXY names: not this machine either.
    """
    named = getproxies_environment()
    text = named.get(server.scheme, "").strip()
    if not text or (server.host and is_exempt(server.host, server.port, named.get("no", ""))):
        return None
    variable = f"{server.scheme.upper()}_PROXY"
    try:
        url = URL(text if "://" in text else f"http://{text}")
        is_known = url.scheme in ("http", "https") and bool(url.host) and bool(url.port)
    except ValueError:
        is_known = False
    if not is_known:
        scheme = re.match(r"(?!https?:)([a-z0-9+.-]{1,20})://", text, re.IGNORECASE)
        what = f"a proxy of the sort {scheme[1]}" if scheme else "no address of a proxy"
        raise ConfigError(
            f"environment variable {variable}: holds {what}; write http://HOST:PORT, or name {server.host} in NO_PROXY"
        )
    return Proxy(url, variable)


def is_here(server: URL) -> bool:
    """Whether an address is one of this machine."""
    host = server.host or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_exempt(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether NO_PROXY names a host: itself, a domain that it is in, its network, with its port or without, or `*`."""
    return any(_names(entry, host.lower().rstrip("."), port) for entry in re.split(r"[\s,]+", no_proxy.lower()))


def _names(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    # `host:port`, `[::1]:port`; a bare IPv6 address has colons of its own
    if parts := re.fullmatch(r"(\[[^\]]*\]|[^:]*):(\d{1,5})", entry):
        if int(parts[2]) != port:
            return False
        entry = parts[1]
    entry = entry.strip("[]").removeprefix("*").strip(".")
    if not entry:
        return False
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return host == entry or host.endswith(f".{entry}")
