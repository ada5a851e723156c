"""The viewer's routes, whatever is asked of them, by a program that is on this machine too."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.mangling import FUZZ, mangled
from tests.support.processes import PATIENCE
from tests.support.servers.viewer import viewer

PATHS = [
    "/", "/page.js", "/api/run", "/api/examples?kind=input_output&text=a&from=0.1&to=1&winner=a&offset=1&limit=5",
    "/api/examples/0123?at=1", "/api/dropped?step=parse&reason=x&kind=output_only&text=b", "/api/dropped/1",
]  # fmt: skip
PIECES = [
    "/", "..", "%2e%2e%2f", "%00", "%ff", "%", "%25", "?", "&", "=", "+", "#", ";", "//", "\\", "'", '"',
    "%27%20OR%201=1--", "*", "%C3%A9", "9" * 20, "-1", "nan", "inf", "1e9", "%D9%A3", "at=", "limit=99999", "[",
    "]", "{", "%0d%0a", "api",
]  # fmt: skip
ASKED = mangled(PATHS, PIECES, st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=6))


@pytest.fixture(scope="module")
def port(finished_run: Path) -> Iterator[int]:
    with viewer(finished_run) as number:
        yield number


@pytest.mark.slow
@FUZZ
@given(path=ASKED, host=st.sampled_from(["127.0.0.1", "localhost:1", "evil.example", "", "127.0.0.1.evil.example"]))
def test_a_request_is_answered_or_refused(port: int, path: str, host: str) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.putrequest("GET", "/" + path.lstrip("/"), skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        reply = connection.getresponse()
        body = reply.read()
    assert reply.status in (200, 400, 403, 404), (reply.status, body[:200])
    assert b"Traceback" not in body
    if "evil" in host or not host:
        assert reply.status in (400, 403)
    assert reply.getheader("Content-Security-Policy") or reply.status == 400
