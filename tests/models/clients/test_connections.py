"""How a server is reached: headers and query, through proxies, over TLS, and where redirects may lead."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import (
    AuthenticationError,
    ConfigError,
    EnsembleInstructError,
    ServerUnreachableError,
    TransientError,
)
from ensemble_instruct.models.clients import make_clients
from ensemble_instruct.models.clients.openai.proxies import is_exempt
from ensemble_instruct.models.clients.openai.redirects import redirected
from ensemble_instruct.models.clients.openai.secrets import Secrets
from ensemble_instruct.records import Request, Response, Sampling
from tests.support.servers.proxy import proxying
from tests.support.servers.reply import Reply, said, serving

REQUEST = Request(prompt="p", sampling=Sampling(max_tokens=9), step="outputs", kind="output_only")
SECRET = "Zq81/xVt5+RbPw7&LmN2"


def answered(base_url: str, **settings: Any) -> Response | BaseException:
    """What a client that is opened and asked once says, or the error."""

    async def ask() -> Response:
        ((_, client),) = make_clients("a", ModelSection(**{"base_url": base_url, "model": "m", **settings}))
        try:
            await client.open()
            return await client.answer(REQUEST)
        finally:
            await client.close()

    try:
        return asyncio.run(ask())
    except EnsembleInstructError as error:
        return error


def plain(*_: object) -> web.Response:
    return said("fine")


def test_headers_and_query_go_with_each_request_with_the_values_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEY", f" {SECRET}\n")
    monkeypatch.setenv("TEAM", "blue")
    headers = {"api-key": "${KEY}", "X-Who": "${TEAM}/${TEAM} $${KEY} $5", "Content-Language": "en"}
    with serving(plain) as served:
        assert answered(served.base_url, headers=headers, query={"api-version": "2024", "k e y": "${KEY}"}) == Response(
            "fine"
        )
    for sent in served.headers:
        assert sent["api-key"] == SECRET
        assert sent["X-Who"] == "blue/blue ${KEY} $5"
        assert sent["Content-Type"] == "application/json"
    assert [target.partition("?")[0] for target in served.targets] == ["/v1/models", "/v1/completions"]
    assert {target.partition("?")[2] for target in served.targets} == {
        "api-version=2024&k+e+y=Zq81/xVt5%2BRbPw7%26LmN2"
    }


def test_the_body_has_what_the_section_adds_and_the_further_settings() -> None:
    sampling = Sampling(max_tokens=9, min_p=0.1, presence_penalty=0.5, frequency_penalty=-0.5, repetition_penalty=1.1,
                        reasoning_effort="low")  # fmt: skip

    async def ask(section: ModelSection) -> None:
        ((_, client),) = make_clients("a", section)
        await client.answer(Request(prompt="p", sampling=sampling, step="outputs", kind="output_only"))
        await client.close()

    body = {"chat_template_kwargs": {"enable_thinking": False}, "provider": {"order": ["x"], "max": None}}
    with serving(plain) as served:
        asyncio.run(ask(ModelSection(base_url=served.base_url, model="m", extra_body=body)))
    assert served.bodies == [{
        "model": "m", "prompt": "p", "max_tokens": 9, "temperature": 0.0, "top_p": 1.0, "min_p": 0.1,
        "presence_penalty": 0.5, "frequency_penalty": -0.5, "repetition_penalty": 1.1, "reasoning_effort": "low",
        **body,
    }]  # fmt: skip


@pytest.mark.parametrize(("settings", "sent"), [
    ({}, "Bearer sk-general"),
    ({"headers": {"X-Title": "mine"}}, "Bearer sk-general"),
    ({"headers": {"X-Lab-Auth": "${KEY}"}}, "Bearer sk-general"),
    ({"headers": {"API-Key": "${KEY}"}}, None),
    ({"headers": {"x-litellm-api-key": "${KEY}"}}, None),
    ({"query": {"key": "${KEY}"}}, None),
    ({"headers": {"authorization": "Bearer ${KEY}"}}, "Bearer other"),
    ({"headers": {"api-key": "${KEY}"}, "api_key_env": "OPENAI_API_KEY"}, "Bearer sk-general"),
])  # fmt: skip
def test_the_general_key_goes_to_no_server_that_gets_one_of_its_own(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], sent: str | None
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-general")
    monkeypatch.setenv("KEY", "other")
    with serving(plain) as served:
        assert answered(served.base_url, **settings) == Response("fine")
    assert served.authorizations == [sent, sent]


@pytest.mark.parametrize(("value", "problem"), [
    (None, "models.a.headers.api-key: environment variable KEY is not set; export it first"),
    ("  ", "environment variable KEY is not set"),
    ("a\r\nHost: evil", "environment variable KEY has characters that no HTTP header can hold"),
    ("grün", "has characters that no HTTP header can hold"),
])  # fmt: skip
def test_a_variable_without_a_value_to_send_is_one_line(
    monkeypatch: pytest.MonkeyPatch, value: str | None, problem: str
) -> None:
    if value is not None:
        monkeypatch.setenv("KEY", value)
    error = answered("http://127.0.0.1:9/v1", headers={"api-key": "${KEY}"})
    assert isinstance(error, ConfigError)
    assert problem in str(error)
    assert "evil" not in str(error)


@pytest.mark.parametrize("form", [
    SECRET, SECRET.upper(), "Zq81%2FxVt5%2BRbPw7%26LmN2",
    "Zq81%2fxVt5%2bRbPw7%26LmN2", "Zq81/xVt5%2BRbPw7%26LmN2", "Zq81/xVt5+RbPw7&amp;LmN2",
    "Zq81\\/xVt5+RbPw7\\u0026LmN2", "Zq81/xVt5%252BRbPw7&#38;LmN2", "Zq81%2FxVt5+RbPw7&#x26;LmN2",
])  # fmt: skip
def test_an_error_that_repeats_a_value_does_not_give_it_away(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("KEY", SECRET)
    body = f'{{"error": {{"message": "bad request for {form}, really"}}}}'
    with serving(lambda *_: web.Response(status=400, text=body, content_type="application/json")) as served:
        error = answered(served.base_url, query={"key": "${KEY}"})
    assert str(error) == "bad request for ***, really"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_on_the_same_server_is_followed_with_what_was_asked(status: int) -> None:
    def answering(body: dict[str, Any], number: int) -> Reply:
        return web.Response(status=status, headers={"Location": "/v2/completions?a=b"}) if number == 1 else said("fine")

    with serving(answering) as served:
        assert answered(served.base_url, headers={"x-a": "b"}) == Response("fine")
    assert served.targets[1:] == ["/v1/completions", "/v2/completions?a=b"]
    assert served.bodies[0] == served.bodies[1]
    assert [sent["x-a"] for sent in served.headers] == ["b"] * 3


@pytest.mark.parametrize(
    "to", ["{other}/v1/completions?key=x", "{other}", "https://127.0.0.1:{port}/v1", "//localhost:{port}/"]
)
def test_a_redirect_to_another_server_is_named_and_nothing_goes_there(monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-general")
    with serving(plain) as other, serving(lambda *_: web.Response(status=307, headers={"Location": target})) as served:
        target = to.format(other=other.base_url.removesuffix("/v1"), port=served.base_url.split(":")[2][:-3])
        error = answered(served.base_url)
    assert isinstance(error, TransientError)
    assert error.cause == "redirect"
    assert f"redirects to {target.partition('?')[0].removeprefix('//')}" in str(error).replace(
        "http://localhost", "localhost"
    )
    assert "set models.a.base_url to it" in str(error)
    assert other.targets == []


@pytest.mark.parametrize(("asked", "location", "target"), [
    ("http://h/v1", "http://H:80/a?b", "http://h:80/a?b"), ("http://h:80/v1", "http://h/a", "http://h/a"),
    ("https://h/v1/", "//h:443/a#b", "https://h:443/a"), ("http://h:8000/v1", "a", "http://h:8000/a"),
    ("http://h/v1", "http://ann:x@h/a", "http://h/a"), ("http://h/v1", "https://h/a", None),
    ("https://h/v1", "http://h/a", None), ("http://h/v1", "http://h:81/a", None), ("http://h/v1", "//h.org/a", None),
    ("http://h/v1", "ftp://h/a", None), ("http://127.0.0.1/v1", "http://localhost/a", None),
])  # fmt: skip
def test_the_same_server_is_the_same_scheme_host_and_port(asked: str, location: str, target: str | None) -> None:
    def to() -> str:
        url = redirected(URL(asked), 307, {"Location": location}, "a", Secrets())
        assert (url.user, url.password, url.fragment) == (None, None, "")
        return f"{url.scheme}://{url.host}:{url.port}{url.raw_path_qs}"

    if target is None:
        with pytest.raises(TransientError, match="another server"):
            to()
    else:
        expected = URL(target)
        assert to() == f"{expected.scheme}://{expected.host}:{expected.port}{expected.raw_path_qs}"


@pytest.mark.parametrize(("location", "problem"), [
    ("/v1/completions", "more than 5 redirects"), ("", "to no address"), ("http://[", "to no address"),
    ("http://u:p@127.0.0.1:{port}/v1/completions", "more than 5 redirects"), ("mailto:a", "to no address"),
])  # fmt: skip
def test_redirects_that_lead_nowhere_end(location: str, problem: str) -> None:
    def answering(*_: object) -> Reply:
        at = location.format(port=served.base_url.split(":")[2][:-3])
        return web.Response(status=308, headers={"Location": at})

    with serving(answering) as served:
        error = answered(served.base_url)
    assert isinstance(error, TransientError)
    assert problem in str(error)


def test_a_proxy_passes_requests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-general")
    with serving(plain) as served, proxying() as proxied:
        monkeypatch.setenv("http_proxy", proxied.url.removeprefix("http://"))
        host = served.base_url.replace("127.0.0.1", "llm.internal.invalid")
        assert answered(host) == Response("fine")
        assert proxied.lines == [f"GET {host}/models HTTP/1.1"]  # the second request takes the kept connection
        assert served.authorizations == ["Bearer sk-general"] * 2
        assert answered(served.base_url) == Response("fine")
        assert len(proxied.lines) == 2  # this machine is not exempt of itself
        monkeypatch.setenv("NO_PROXY", "localhost, 127.0.0.0/8")
        assert answered(served.base_url) == Response("fine")
        assert len(proxied.lines) == 2


@pytest.mark.parametrize(("host", "noted"), [
    ("127.0.0.1:8000", True), ("localhost", True), ("[::1]:1", True), ("10.0.0.1", False),
    ("localhost.example.org", False),
])  # fmt: skip
def test_a_server_on_this_machine_behind_a_proxy_is_told(
    monkeypatch: pytest.MonkeyPatch, host: str, noted: bool
) -> None:
    section = ModelSection(base_url=f"http://{host}/v1", model="m")
    ((_, client),) = make_clients("a", section)
    assert client.notes == []
    monkeypatch.setenv("HTTP_PROXY", "http://ann:s3cr3t@proxy.example.org:3128")
    ((_, client),) = make_clients("a", section)
    through = (
        "is asked through the proxy at http://proxy.example.org:3128 (environment variable HTTP_PROXY); if it is on"
    )
    assert [through in note and "s3cr3t" not in note for note in client.notes] == [True] * noted


def test_a_proxy_gets_the_login_that_its_address_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(plain) as served, proxying(login="ann:pass word") as proxied:
        monkeypatch.setenv("HTTP_PROXY", proxied.url.replace("://", "://ann:pass%20word@"))
        assert answered(served.base_url) == Response("fine")
        monkeypatch.setenv("HTTP_PROXY", proxied.url.replace("://", "://ann:wr0ngpass@"))
        error = answered(served.base_url)
    assert isinstance(error, AuthenticationError)
    assert str(error).startswith(
        f"model a: the proxy at {proxied.url} (environment variable HTTP_PROXY) asks for a name"
    )
    assert "wr0ngpass" not in str(error)


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://ann:s3cr3t@127.0.0.1:9")
    error = answered("http://llm.internal.invalid/v1")
    assert isinstance(error, ServerUnreachableError)
    assert "the proxy at http://127.0.0.1:9 (environment variable HTTP_PROXY) is not there" in str(error)
    assert "NO_PROXY" in str(error)
    assert "s3cr3t" not in str(error)


@pytest.mark.parametrize(("value", "problem"), [
    ("socks5://127.0.0.1:1080", "HTTPS_PROXY: holds a proxy of the sort socks5; write http://HOST:PORT"),
    ("http://", "HTTPS_PROXY: holds no address"), ("h:99999999", "holds no address of a proxy"),
])  # fmt: skip
def test_a_proxy_that_cannot_be_used_is_one_line(monkeypatch: pytest.MonkeyPatch, value: str, problem: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    error = answered("https://llm.internal.invalid/v1")
    assert isinstance(error, ConfigError)
    assert problem in str(error)
    assert "llm.internal.invalid in NO_PROXY" in str(error)


@pytest.mark.parametrize(("host", "no_proxy", "expected"), [
    ("h.example.org", "example.org", True), ("h.example.org", ".example.org", True), ("h.example.org", "*", True),
    ("h.example.org", "*.example.org", True), ("H.Example.org", "h.example.ORG", True),
    ("hexample.org", "example.org", False), ("h", "a, h", True), ("h", "a h", True), ("h", "", False),
    ("h", ",", False), ("h", "h:80", True), ("h", "h:81", False), ("10.1.2.3", "10.0.0.0/8", True),
    ("11.1.2.3", "10.0.0.0/8", False), ("::1", "::1", True), ("::1", "[::1]:80", True), ("::1", "[::1]", True),
    ("fe80::1", "::1", False), ("127.0.0.1", "localhost", False), ("h", ".", False),
])  # fmt: skip
def test_no_proxy_names_hosts_domains_networks_and_ports(host: str, no_proxy: str, expected: bool) -> None:
    assert is_exempt(host, 80, no_proxy) is expected


class Certificate:
    """A CA of one's own, and what a server with its certificate needs."""

    def __init__(self, folder: Path, names: str) -> None:
        self.file, key = folder / "ca.pem", folder / "key.pem"
        made = subprocess.run([
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", self.file, "-days", "2",
            "-subj", "/CN=test", "-addext", f"subjectAltName={names}",
        ], capture_output=True, check=False)  # fmt: skip
        assert made.returncode == 0, made.stderr
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server.load_cert_chain(self.file, key)


needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl, which makes certificates, is not here"
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("ca"), "IP:127.0.0.1,DNS:llm.internal.invalid")


@needs_openssl
def test_a_ca_of_ones_own_is_trusted_where_it_is_named(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(plain, tls=certificate.server) as served:
        error = answered(served.base_url)
        assert isinstance(error, ServerUnreachableError)
        assert "certificate is not trusted" in str(error)
        assert "models.a.ca_file" in str(error)
        assert "SSL_CERT_FILE" in str(error)
        assert "start" not in str(error)
        monkeypatch.setenv("SSL_CERT_FILE", "/no/such.pem")
        assert "SSL_CERT_FILE names /no/such.pem, where no file is" in str(answered(served.base_url))
        assert answered(served.base_url, ca_file=certificate.file) == Response("fine")
        error = answered(served.base_url.replace("127.0.0.1", "localhost"), ca_file=certificate.file)
        assert "write a name in models.a.base_url for which it is" in str(error)


@needs_openssl
def test_a_tunnel_through_a_proxy_leads_to_a_tls_server(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(plain, tls=certificate.server) as served, proxying() as proxied, proxying(status=403) as refusing:
        host = served.base_url.replace("127.0.0.1", "llm.internal.invalid")
        monkeypatch.setenv("HTTPS_PROXY", proxied.url)
        assert answered(host, ca_file=certificate.file, headers={"x-a": "b"}) == Response("fine")
        assert {line.split(" ")[0] for line in proxied.lines} == {"CONNECT"}
        monkeypatch.setenv("HTTPS_PROXY", refusing.url)
        error = answered(host, ca_file=certificate.file)
    assert isinstance(error, ServerUnreachableError)
    assert (
        f"the proxy at {refusing.url} (environment variable HTTPS_PROXY) makes no connection to {host} (HTTP 403)"
        in str(error)
    )


def test_a_server_without_tls_is_told_from_one_that_is_not_trusted() -> None:
    with serving(plain) as served:
        error = answered(served.base_url.replace("http://", "https://"))
    assert "does the server speak plain HTTP? Then write http:// in models.a.base_url" in str(error)


@pytest.mark.parametrize(("content", "problem"), [
    (None, "cannot be read: No such file"), (b"", "holds no certificates"), (b"\0\1", "holds no certificates"),
])  # fmt: skip
def test_a_ca_file_that_is_none_is_one_line(tmp_path: Path, content: bytes | None, problem: str) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)
    error = answered("https://127.0.0.1:9/v1", ca_file=tmp_path / "ca.pem")
    assert isinstance(error, ConfigError)
    assert f"models.a.ca_file: {tmp_path / 'ca.pem'}: {problem}" in str(error)
