"""TLS to a server: which certificates are trusted, and what a failed handshake means in words."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import aiohttp

from ensemble_instruct.errors import ConfigError

_OTHER_NAME = (62, 64)
"""OpenSSL's numbers for a certificate of another host or address."""
_OTHER_TIME = (9, 10)
"""For one that is not valid yet, or no longer."""


def trusting(ca_file: Path | None, key: str) -> ssl.SSLContext | bool:
    """What trusts the system's certificates and those in a file; `key` of the config names that in a `ConfigError`."""
    if ca_file is None:
        return True  # the system's, or those of SSL_CERT_FILE
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError as error:
        raise ConfigError(f"{key}: {ca_file}: holds no certificates; it must be a file in the format PEM") from error
    except OSError as error:
        raise ConfigError(f"{key}: {ca_file}: cannot be read: {error.strerror}; check the path") from error
    return context


def tls_problem(error: aiohttp.ClientSSLError, model: str) -> str:
    """Why there is no TLS connection, and what to do about it."""
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error
    if not isinstance(cause, ssl.SSLCertVerificationError):
        cause = error.os_error if isinstance(error.os_error, ssl.SSLCertVerificationError) else cause
    if not isinstance(cause, ssl.SSLCertVerificationError):
        reason = str(getattr(error.os_error, "reason", None) or "no TLS").lower().replace("_", " ")
        return f"{reason}; does the server speak plain HTTP? Then write http:// in models.{model}.base_url"
    what = f"its certificate is not trusted: {cause.verify_message}"
    if cause.verify_code in _OTHER_NAME:
        return f"{what}; write a name in models.{model}.base_url for which it is"
    if cause.verify_code in _OTHER_TIME:
        return f"{what}; it must be renewed there, or the clock of this machine set right"
    named = os.environ.get("SSL_CERT_FILE", "")
    if named and not Path(named).is_file():
        return f"{what}; SSL_CERT_FILE names {named}, where no file is"
    return (
        f"{what}; if it is signed by a CA of your own, name the file of that CA's certificate in "
        f"models.{model}.ca_file, or in the environment variable SSL_CERT_FILE"
    )
