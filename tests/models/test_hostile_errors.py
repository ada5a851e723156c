"""Servers that repeat the key or the prompt in what they say of an error: neither gets into logs, files or messages."""

from __future__ import annotations

import html
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import rows
from tests.support.forks import Forks
from tests.support.good_input import write
from tests.support.one_model import OUTPUTS, configure
from tests.support.servers.hostile_replies import outcomes
from tests.support.servers.raw import Act, Exchange, raw_server, reply, says

KEY = "sk-Zq81-never-to-be-seen"
INSTRUCTION = "Say what \"größer\" and <b>less</b> & 'more' mean in Zanzibari:"
INPUT = "one line\n\tand another, in Yucatecan"
MARKS = ["Zanzibari", "Yucatecan"]
"""A word from each half of the prompt: where the whole of it was taken out, neither is left."""
PROMPT = f"{INSTRUCTION}\n\n{INPUT}"


def error(**content: Any) -> bytes:
    return json.dumps({"error": content}).encode()


def body(exchange: Exchange) -> dict[str, Any]:
    """What a server may show of a request."""
    message = {"role": "user", "content": exchange.prompt}
    return {"headers": {"authorization": exchange.authorization}, "messages": [message]}


ECHOES: dict[str, Callable[[Exchange], bytes]] = {
    "message": lambda it: error(message=f"Bad request ({it.authorization}): {it.prompt}", code=it.authorization),
    "error text": lambda it: json.dumps({"error": f"Bad request {it.prompt} {it.authorization}"}).encode(),
    "one line": lambda it: error(message=f"Bad request {' '.join(it.prompt.split())} {it.authorization}"),
    "other fields": lambda it: json.dumps({"status": "Bad request", **body(it)}).encode(),
    "input of a detail": lambda it: json.dumps(
        {"detail": [{"type": "missing", "loc": ["body", "n"], "msg": "Bad request", "input": body(it)}]}
    ).encode(),
    "JSON in a text": lambda it: f"Bad request: cannot read {json.dumps(body(it))}".encode(),
    "JSON in a message": lambda it: error(message=f"Bad request: {json.dumps(body(it), ensure_ascii=False)}"),
    "page": lambda it: f"<h1>Bad request</h1>{html.escape(it.authorization)}<p>{html.escape(it.prompt)}".encode(),
    "text": lambda it: f"Bad request\nAuthorization: {it.authorization}\n\n{it.prompt}\n".encode(),
}
STATUSES = {1: "500 Oops", 2: "400 Bad"}


def prepare(folder: Path, base_url: str, calm: int = 3, **settings: Any) -> None:
    """A task whose prompt is to stay unseen, and others."""
    configure(folder, base_url, [], **settings)
    task = {"instruction": INSTRUCTION, "input": INPUT, "output": "?"}
    write(folder / "tasks.jsonl", *({**task, "input": str(number)} for number in range(calm)), task)


def require_unseen(text: str, *words: str) -> None:
    for word in words:
        assert word not in text


def require_key_nowhere(folder: Path) -> None:
    for path in folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def kept_beside_the_prompt(store: Path) -> str:
    """All that the store holds of its requests except their prompts."""
    with closing(sqlite3.connect(store)) as connection:
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute("SELECT * FROM request")]
    return repr([{name: value for name, value in row.items() if name != "prompt"} for row in found])


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("name", ECHOES)
def test_an_error_that_repeats_key_and_prompt_gives_neither_away(
    forks: Forks, tmp_path: Path, name: str, form: str
) -> None:
    """First as a fault of the server, which is logged, then as a refusal, which is stored."""

    def act(exchange: Exchange) -> Act | None:
        if exchange.prompt != PROMPT:
            return None
        return says(reply(ECHOES[name](exchange), STATUSES[exchange.tries], Retry_After="0.01"))

    with raw_server(act) as served:
        prepare(tmp_path, served.base_url)
        log = ["--log-file", "a.log", "--log-format", form]
        done = forks.run(tmp_path, [*OUTPUTS, *log], {"OPENAI_API_KEY": KEY})
    assert done.returncode == 0, done.stderr
    assert {exchange.authorization for exchange in served.asked} == {f"Bearer {KEY}"}
    (drop,) = rows(tmp_path / "out.jsonl.rejected.jsonl")
    assert drop["reason"] == "bad_request"
    written = (tmp_path / "a.log").read_text(encoding="utf-8")
    for text in (done.stderr, written, drop["text"]):
        assert "Bad request" in text
        require_unseen(text, KEY, *MARKS)
    require_unseen(kept_beside_the_prompt(tmp_path / "out.jsonl.db"), *MARKS)
    require_key_nowhere(tmp_path)


ENDS = {
    "refusal of all": ("400 Bad", 1),
    "unknown model": ("404 Not found", 2),
    "unknown status": ("418 Teapot", 2),
    "no success": ("500 Oops", 1),
    "error as success": ("200 OK", 1),
}


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("echo", ["message", "input of a detail"])
def test_the_error_that_ends_a_command_gives_neither_away(forks: Forks, tmp_path: Path, name: str, echo: str) -> None:
    status, code = ENDS[name]
    with raw_server(lambda exchange: says(reply(ECHOES[echo](exchange), status))) as served:
        prepare(tmp_path, served.base_url, calm=0, give_up_after=0.3)
        tasks = [{"instruction": f"{INSTRUCTION} {number}", "input": INPUT, "output": ""} for number in range(12)]
        write(tmp_path / "tasks.jsonl", *tasks)
        done = forks.run(tmp_path, [*OUTPUTS, "--log-file", "a.log"], {"OPENAI_API_KEY": KEY})
    assert done.returncode == code, done.stderr
    assert "error: " in done.stderr
    require_unseen(done.stderr + (tmp_path / "a.log").read_text(encoding="utf-8"), KEY, *MARKS)
    require_key_nowhere(tmp_path)


def test_headers_that_repeat_the_key_give_it_away_to_nobody(forks: Forks, tmp_path: Path) -> None:
    def act(exchange: Exchange) -> Act | None:
        names = ("Retry_After", "Location", "WWW_Authenticate", "X_RateLimit_Remaining_Requests", "Content_Type")
        headers = dict.fromkeys(names, exchange.authorization)
        cookie = f'"{exchange.authorization}"=1; {exchange.authorization} x="'
        act = says(reply(b"", f"500 {exchange.authorization}", Set_Cookie=cookie, **headers))
        return act if exchange.tries == 1 else None

    with raw_server(act) as served:
        prepare(tmp_path, served.base_url)
        done = forks.run(tmp_path, [*OUTPUTS, "--log-file", "a.log"], {"OPENAI_API_KEY": KEY})
    assert done.returncode == 0, done.stderr
    require_unseen(done.stderr, KEY)
    require_key_nowhere(tmp_path)


@pytest.mark.parametrize("shown", [12, len(KEY) - 1])
def test_a_key_that_ends_beyond_what_is_read_of_an_error_is_not_cut_into_sight(shown: int) -> None:
    """Of a long page only the beginning is looked at, and white space is squeezed."""
    page = b" " * (64_000 - shown) + KEY.encode() + b" " * 64_000
    assert KEY[:12] not in str(outcomes(says(reply(page, "500 Oops")), key=KEY)[0])
