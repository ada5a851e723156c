"""A key or password from the environment stays there: it is in no file of a run and in nothing that is said."""

from __future__ import annotations

import html
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zlib import crc32

import pytest
from aiohttp import web

import ensemble_instruct as ei
from ensemble_instruct.records import Example, Rejected
from tests.conftest import Cli
from tests.support.servers.model import model_config, model_server, simulated
from tests.support.servers.raw import completion, reply
from tests.support.servers.reply import prompt_of, said, serving
from tests.support.servers.trap import TUNNEL, trapping

KEY = "sk-Zq81-never-to-be-seen"
ENVIRONMENT = {"MODEL_KEY": KEY}
KEY_SETTINGS = [f"--set=models.{name}.api_key_env=MODEL_KEY" for name in ("base", "careful", "talkative")]


def places_with(secret: str, folder: Path) -> Iterator[Path]:
    """The files below a folder that hold a text."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and secret.encode() in path.read_bytes():
            yield path


def test_the_key_is_sent_and_written_nowhere(tmp_path: Path, cli: Cli) -> None:
    with model_server() as server:
        (tmp_path / "config.yaml").write_text(model_config(server.base_url), encoding="utf-8")
        done = cli("run", "config.yaml", "--out", "run", *KEY_SETTINGS, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
        assert {request.authorization for request in server.asked} == {f"Bearer {KEY}"}
    assert KEY not in done.stdout + done.stderr
    assert list(places_with(KEY, tmp_path)) == []
    assert "MODEL_KEY" in (tmp_path / "run" / "config.yaml").read_text(encoding="utf-8")
    for command in (("status", "run"), ("export", "run", "--format", "original", "--to", "out.jsonl")):
        assert cli(*command).returncode == 0
    assert list(places_with(KEY, tmp_path)) == []


@pytest.mark.parametrize(
    ("status", "always", "code"),
    [
        *((status, False, 0) for status in (400, 401, 404, 418, 429, 500)),
        *((status, True, 2) for status in (401, 404, 418)),
    ],
)
def test_a_server_that_repeats_the_key_in_an_error_does_not_give_it_away(
    tmp_path: Path, cli: Cli, status: int, always: bool, code: int
) -> None:
    def fault(number: int, authorization: str) -> tuple[int, str] | None:
        problem = "Malformed header" if status == 400 else "Incorrect API key provided"
        text = f"{problem}: {authorization.removeprefix('Bearer ')} (Authorization: {authorization})"
        return (status, text) if number in (3, 4) or always else None

    with model_server(fault=fault) as server:
        (tmp_path / "config.yaml").write_text(model_config(server.base_url), encoding="utf-8")
        done = cli("run", "config.yaml", "--out", "run", *KEY_SETTINGS, env=ENVIRONMENT)
    assert done.returncode == code, done.stderr
    assert KEY not in done.stdout + done.stderr
    assert list(places_with(KEY, tmp_path)) == []
    if code:
        assert done.stderr.count("\n") == 1, done.stderr
    if status == 400:
        assert tmp_path / "run" / "run.db" in places_with("Malformed header", tmp_path)


WAYS: list[Callable[[str], str]] = [
    str,
    lambda text: quote(text, safe="").replace("-", "%2D"),
    lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    lambda text: "".join(f"\\u{ord(sign):04x}" for sign in text),
    *(lambda text, before=before: b64encode(f"{before}Bearer {text}".encode()).decode() for before in ("", "x", "xy")),
]
"""How a server may write a key: as it is, as a URL, as HTML and as JSON, and in base64 from each byte of three on."""
JUDGED = [
    "--set=models.judge={base_url: URL, model: base, endpoint: chat, api_key_env: MODEL_KEY}",
    "--set=roles.judge=judge", "--set=ensemble.utility=judge", "--set=ensemble.strategy=consensus",
]  # fmt: skip


def test_a_server_that_repeats_the_key_in_its_replies_does_not_give_it_away(tmp_path: Path, cli: Cli) -> None:
    repeated: Counter[str] = Counter()

    def answering(body: dict[str, Any], _: int) -> web.Response:
        """Repeats the key in every sixth reply of each model, in its text or beside it, each time in another way."""
        prompt, reply = prompt_of(body), simulated(body, prompt_of(body))
        is_judged = "Answer A:" in prompt
        text, number = "same" if is_judged else reply.text, crc32(prompt.encode())
        if number % 6:
            return said(text, reply.finish_reason, model="m")
        repeated["judge" if is_judged else body["model"]] += 1
        way = WAYS[number // 6 % len(WAYS)](KEY)
        place = number // 42 % 4
        return said(
            f"{text} {way}" if place < 2 else text,
            f"stop {way}" if place == 2 else reply.finish_reason,
            model=way if place == 3 else "m",
        )

    log = ("--log-file", "log.jsonl", "--log-format", "json")
    with serving(answering) as served:
        (tmp_path / "config.yaml").write_text(model_config(served.base_url, 20, 20), encoding="utf-8")
        judged = [setting.replace("URL", served.base_url) for setting in JUDGED]
        done = cli("run", "config.yaml", "--out", "run", *KEY_SETTINGS, *judged, *log, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert set(repeated) == {"base", "voter_a", "voter_b", "judge"}
    shown = done.stdout + done.stderr
    for command in (("status", "run"), ("report", "run"), ("export", "run", "--format", "alpaca", "--to", "data")):
        again = cli(*command, env=ENVIRONMENT)
        assert again.returncode == 0, again.stderr
        shown += again.stdout + again.stderr
    forms = [way(KEY) for way in WAYS]
    assert not [form for form in forms if form in shown or list(places_with(form, tmp_path))]
    opened = ei.open_run(tmp_path / "run")
    assert "repeats the key in its replies" in shown
    dropped = [each for each in opened.rejected() if each.reason == "secret_in_reply"]
    assert {each.step for each in dropped} == {"instructions", "instances", "outputs"}
    records: list[Example | Rejected] = [*opened.examples(), *opened.rejected()]
    texts = [json.dumps(asdict(each)) for each in records]
    assert not [text for text in texts if "***" in text or any(json.dumps(form)[1:-1] in text for form in forms)]


def test_replies_that_are_stored_stay_readable_whatever_is_the_key_of_today(tmp_path: Path, cli: Cli) -> None:
    def answering(body: dict[str, Any], _: int) -> web.Response:
        reply = simulated(body, prompt_of(body))
        return said(f"{reply.text} {KEY}" if body["model"] == "voter_b" else reply.text, reply.finish_reason)

    with serving(answering) as served:
        (tmp_path / "config.yaml").write_text(model_config(served.base_url), encoding="utf-8")
        assert cli("run", "config.yaml", "--out", "run").returncode == 0
        asked, examples = len(served.bodies), (tmp_path / "run" / "examples.jsonl").read_bytes()
        (tmp_path / "run" / "examples.jsonl").unlink()
        done = cli("run", "config.yaml", "--out", "run", *KEY_SETTINGS, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert len(served.bodies) == asked
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == examples


def test_a_hostile_redirect_and_a_hostile_proxy_get_no_key(tmp_path: Path, cli: Cli) -> None:
    impatient = [f"--set=models.{name}.give_up_after=1" for name in ("base", "careful", "talkative")]
    away = [
        f"--set=models.{name}.base_url=https://llm.internal.invalid/v1" for name in ("base", "careful", "talkative")
    ]
    stolen = reply(completion("stolen"))
    with trapping(stolen) as trap, trapping(TUNNEL, stolen) as proxy:
        elsewhere = web.Response(status=307, headers={"Location": f"{trap.url}/v1/completions"})
        with serving(lambda *_: elsewhere) as served:
            (tmp_path / "config.yaml").write_text(model_config(served.base_url), encoding="utf-8")
            led = cli("run", "config.yaml", "--out", "led", *KEY_SETTINGS, *impatient, env=ENVIRONMENT)
        through = ENVIRONMENT | {"HTTPS_PROXY": proxy.url}
        taken = cli("run", "config.yaml", "--out", "taken", *KEY_SETTINGS, *impatient, *away, env=through)
    assert (led.returncode, taken.returncode) == (1, 1), (led.stderr, taken.stderr)
    assert "redirects to" in led.stderr
    assert trap.connections == 0
    assert proxy.heads
    assert not [head for head in proxy.heads if KEY in head]
    assert KEY not in led.stdout + led.stderr + taken.stdout + taken.stderr
    assert list(places_with(KEY, tmp_path)) == []


VALUE, PART = "Tv5+never/shown=now", "Uw6&nor this"
FORMS = (VALUE, PART, "Tv5%2Bnever", "Uw6%26nor", "Uw6&amp;nor")
"""Values of variables, and how a URL or HTML would write them."""
NAMED = [
    f"--set=models.{name}.{setting}"
    for name in ("base", "careful", "talkative")
    for setting in ('headers={Authorization: "Key ${VALUE}"}', 'query={key: "${PART}", "api-version": "1"}')
]


@pytest.mark.parametrize(
    ("status", "always", "code"),
    [
        *((status, False, 0) for status in (200, 400, 401, 404, 418, 429)),
        *((status, True, 2) for status in (401, 404, 418)),
    ],
)
def test_the_values_of_variables_in_headers_and_query_are_sent_and_written_nowhere(
    tmp_path: Path, cli: Cli, status: int, always: bool, code: int
) -> None:
    def fault(number: int, sent: str) -> tuple[int, str] | None:
        text = f"<b>what was sent is malformed</b>: {sent} or {html.escape(VALUE + PART)} or {VALUE!r}, {PART!r}"
        return (status, text) if status != 200 and (number in (3, 4) or always) else None

    environment = {"VALUE": VALUE, "PART": PART, "OPENAI_API_KEY": KEY}
    with model_server(fault=fault) as server:
        (tmp_path / "config.yaml").write_text(model_config(server.base_url), encoding="utf-8")
        log = ("--log-file", "log.jsonl", "--log-format", "json")
        done = cli("run", "config.yaml", "--out", "run", *NAMED, *log, env=environment)
        assert {request.authorization for request in server.asked} == {f"Key {VALUE} key=Uw6%26nor+this&api-version=1"}
    assert done.returncode == code, done.stderr
    said = done.stdout + done.stderr
    if status == 200:
        for command in (
            ("status", "run"),
            ("report", "run"),
            ("export", "run", "--to", "data"),
            ("check", "run/config.yaml"),
        ):
            again = cli(*command, env=environment)
            said += again.stdout + again.stderr
    assert not [form for form in (*FORMS, KEY) if form in said or list(places_with(form, tmp_path))]
    for written in () if code else ("Key ${VALUE}", "${PART}"):
        assert tmp_path / "run" / "config.yaml" in places_with(written, tmp_path)


def test_check_does_not_give_the_key_away(tmp_path: Path, cli: Cli) -> None:
    with model_server(fault=lambda _, authorization: (400, f"bad header {authorization}")) as server:
        (tmp_path / "config.yaml").write_text(model_config(server.base_url), encoding="utf-8")
        done = cli("check", "config.yaml", *KEY_SETTINGS, env=ENVIRONMENT)
    assert done.returncode == 2
    assert "failed" in done.stdout
    assert KEY not in done.stdout + done.stderr


def test_a_password_in_the_address_from_the_environment_is_refused(tmp_path: Path, cli: Cli) -> None:
    with model_server() as server:
        address = server.base_url.replace("http://", "http://me:s3cr3t-word@")
        config = model_config(server.base_url).replace(f"base_url: {server.base_url}, ", "")
        (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
        done = cli("run", "config.yaml", "--out", "run", env={"OPENAI_BASE_URL": address})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "OPENAI_BASE_URL" in done.stderr
    assert "s3cr3t-word" not in done.stdout + done.stderr
    assert list(places_with("s3cr3t-word", tmp_path)) == []


def test_a_key_in_a_config_is_refused_before_anything_is_written(tmp_path: Path, cli: Cli) -> None:
    config = model_config("http://127.0.0.1:9/v1")
    (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
    texts = ("model: voter_a, options: {api_key: KEY}", "model: voter_a, extra_body: {a: [Bearer KEY]}", "model: KEY")
    for number, text in enumerate(texts):
        written = config.replace("model: voter_a", text.replace("KEY", KEY))
        (tmp_path / f"{number}.yaml").write_text(written, encoding="utf-8")
    settings = (f"--set=models.careful.base_url=http://h/{KEY}/v1", f"--set=models.careful.system=Say {KEY}")
    for number in range(len(texts)):
        done = cli("run", f"{number}.yaml", "--out", "run")
        assert (done.returncode, done.stderr.count("\n"), KEY in done.stderr) == (2, 1, False), done.stderr
        assert f"{number}.yaml:" in done.stderr
        assert "${NAME}" in done.stderr
    for setting in settings:
        done = cli("run", "config.yaml", "--out", "run", setting)
        assert (done.returncode, done.stderr.count("\n"), KEY in done.stderr) == (2, 1, False), done.stderr
        assert "${NAME}" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_key_that_no_header_can_hold_is_one_line_without_the_key(tmp_path: Path, cli: Cli) -> None:
    with model_server() as server:
        (tmp_path / "config.yaml").write_text(model_config(server.base_url), encoding="utf-8")
        done = cli("run", "config.yaml", "--out", "run", *KEY_SETTINGS, env={"MODEL_KEY": f"{KEY}\nsecond-line"})
        assert server.asked == []
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "MODEL_KEY" in done.stderr
    assert KEY not in done.stderr
    assert "second-line" not in done.stderr
    assert list(places_with(KEY, tmp_path)) == []


def test_a_key_variable_that_is_not_set_is_one_line_and_leaves_nothing(tmp_path: Path, cli: Cli) -> None:
    with model_server() as server:
        (tmp_path / "config.yaml").write_text(model_config(server.base_url), encoding="utf-8")
        done = cli("run", "config.yaml", "--out", "run", *KEY_SETTINGS)
        assert server.asked == []
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "MODEL_KEY" in done.stderr
    assert not (tmp_path / "run").exists()
