"""A hostile redirect or proxy: the key goes to the server of the config alone, and comes back from nobody."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ensemble_instruct.errors import EnsembleInstructError, TransientError
from ensemble_instruct.records import Response
from tests.models.clients.test_connections import Certificate, answered, needs_openssl
from tests.support.servers.proxy import proxying
from tests.support.servers.raw import completion, reply
from tests.support.servers.reply import Reply, said, serving
from tests.support.servers.trap import TUNNEL, trapping

KEY = "sk-Zq81-never-to-be-seen"
ACCESS: dict[str, Any] = {
    "headers": {"Authorization": "Bearer ${KEY}", "x-other-key": "${KEY}"},
    "query": {"key": "${KEY}"},
    "timeout": 3,
}
LOGIN = "ann:pass-word-of-the-proxy"
ELSEWHERE = [
    "http://127.0.0.1:{trap}/v1/completions", "http://localhost:{trap}/v1", "//127.0.0.1:{trap}/v1",
    "//localhost:{own}/v1",
    "https://127.0.0.1:{own}/v1", "https://127.0.0.1:{trap}/v1", "http://127.0.0.1:{own}@127.0.0.1:{trap}/v1",
    "http://127.0.0.1:{trap}/v1#@127.0.0.1:{own}", "http://127.0.0.1:{trap}?@127.0.0.1:{own}/v1",
    "http://127.0.0.1:{own}.localhost:{trap}/", "HTTP://127.0.0.1:{trap}", "///127.0.0.1:{trap}/v1",
    "\\\\127.0.0.1:{trap}/v1", "http:\\\\127.0.0.1:{trap}", "http:127.0.0.1:{trap}", "ftp://127.0.0.1:{trap}/",
    "http://[::ffff:127.0.0.1]:{trap}/", "http://2130706433:{trap}/", "http://127.1:{trap}/", "http://user:pw@127.0.0.1:{trap}",
]  # fmt: skip


def port_of(base_url: str) -> str:
    return base_url.rpartition(":")[2].partition("/")[0]


@pytest.mark.parametrize("to", ELSEWHERE)
@pytest.mark.parametrize("hops", [0, 4])
def test_a_redirect_carries_nothing_to_another_server(monkeypatch: pytest.MonkeyPatch, to: str, hops: int) -> None:
    monkeypatch.setenv("KEY", KEY)

    def answering(_: object, number: int) -> Reply:
        target = to.format(trap=trap.port, own=port_of(served.base_url))
        return web.Response(status=307, headers={"Location": f"/v1/hop{number}" if number <= hops else target})

    with trapping(reply(completion("stolen"))) as trap, serving(answering) as served:
        error = answered(served.base_url, **ACCESS)
    assert isinstance(error, TransientError)
    assert error.cause == "redirect"
    assert KEY not in str(error)
    assert trap.connections == 0


@pytest.mark.parametrize("status", [201, 300, 301, 302, 303, 304, 305, 307, 308, 401])
def test_no_status_and_no_header_leads_elsewhere(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("KEY", KEY)

    def answering(*_: object) -> Reply:
        headers = {
            "Location": f"{trap.url}/v1", "Refresh": f"0; url={trap.url}", "Content-Location": trap.url,
            "Link": f'<{trap.url}>; rel="preload"', "Alt-Svc": f'http/1.1="127.0.0.1:{trap.port}"',
            "Set-Cookie": "a=b", "WWW-Authenticate": f'Basic realm="{trap.url}"',
        }  # fmt: skip
        return web.Response(status=status, headers=headers, text=json.dumps({"error": f"see {trap.url}"}))

    with trapping(reply(completion("stolen"))) as trap:
        first = web.Response(status=status if status != 401 else 200, headers={"Location": f"{trap.url}/v1"})
        with serving(answering, models=first) as served:
            assert isinstance(answered(served.base_url, **ACCESS), EnsembleInstructError)
    assert trap.connections == 0


def test_a_chain_of_redirects_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", KEY)

    def answering(_: object, number: int) -> Reply:
        return web.Response(status=307, headers={"Location": f"/v1/{number}/{KEY}"})

    with serving(answering) as served:
        error = answered(served.base_url, **ACCESS)
    assert "more than 5 redirects" in str(error)
    assert KEY not in str(error)
    assert len(served.bodies) == 6


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:TRAP/v1\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", b"nonsense\r\n\r\n", b"",
])  # fmt: skip
def test_a_proxy_that_opens_no_tunnel_gets_no_key(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    monkeypatch.setenv("KEY", KEY)
    with (
        trapping(reply(completion("stolen"))) as elsewhere,
        trapping(answer.replace(b"TRAP", str(elsewhere.port).encode())) as trap,
    ):
        monkeypatch.setenv("HTTPS_PROXY", trap.url.replace("://", f"://{LOGIN}@"))
        error = answered("https://llm.internal.invalid/v1", **ACCESS)
    assert isinstance(error, EnsembleInstructError)
    assert trap.heads[0].startswith("CONNECT llm.internal.invalid:443 HTTP/1.1\r\n")
    assert not [head for head in trap.heads if KEY in head or "x-other-key" in head.lower()]
    assert elsewhere.connections == 0
    assert "pass-word" not in str(error)


@needs_openssl
@pytest.mark.parametrize("speaks_tls", [True, False])
def test_a_proxy_that_takes_the_place_of_the_server_gets_no_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, speaks_tls: bool
) -> None:
    monkeypatch.setenv("KEY", KEY)
    own = Certificate(tmp_path, "DNS:llm.internal.invalid")
    with trapping(TUNNEL, reply(completion("stolen")), tls=own.server if speaks_tls else None) as trap:
        monkeypatch.setenv("HTTPS_PROXY", trap.url)
        error = answered("https://llm.internal.invalid/v1", **ACCESS)
    assert isinstance(error, EnsembleInstructError)
    assert not [head for head in trap.heads if KEY in head]
    assert not [head for head in trap.heads if "GET /" in head or "POST /" in head]


@needs_openssl
def test_through_a_tunnel_the_key_goes_to_the_server_and_the_login_to_the_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KEY", KEY)
    own = Certificate(tmp_path, "IP:127.0.0.1")
    with serving(lambda *_: said("fine"), tls=own.server) as served, proxying(login=LOGIN) as proxied:
        monkeypatch.setenv("HTTPS_PROXY", proxied.url.replace("://", f"://{LOGIN}@"))
        assert answered(served.base_url, ca_file=own.file, **ACCESS) == Response("fine")
    assert {line.partition(" ")[0] for line in proxied.lines} == {"CONNECT"}
    for sent in served.headers:
        assert sent["Authorization"] == f"Bearer {KEY}"
        assert "Proxy-Authorization" not in sent
        assert b64encode(LOGIN.encode()).decode() not in str(sent)


@pytest.mark.parametrize(
    "status", ["200 OK", "400 Bad Request", "403 Forbidden", "500 Internal Server Error", "302 Found"]
)
def test_a_proxy_that_repeats_what_it_was_sent_gives_nothing_away(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    monkeypatch.setenv("KEY", KEY)
    login = b64encode(LOGIN.encode()).decode()
    seen = f"Authorization: Bearer {KEY}; Proxy-Authorization: Basic {login}; {LOGIN.partition(':')[2]}"
    body = completion(seen) if status.startswith("200") else json.dumps({"error": {"message": seen}}).encode()
    with trapping(reply(completion("stolen"))) as elsewhere:
        answer = reply(body, status, Location=f"{elsewhere.url}/{KEY}/{login}", Connection="close")
        with trapping(answer) as trap:
            monkeypatch.setenv("HTTP_PROXY", trap.url.replace("://", f"://{LOGIN}@"))
            error = answered("http://llm.internal.invalid/v1", **ACCESS)
    assert isinstance(error, EnsembleInstructError)
    assert not [secret for secret in (KEY, login, "pass-word") if secret in str(error)]
    assert elsewhere.connections == 0
