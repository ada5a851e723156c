"""The viewer's server over real runs: its API against the files of the run, and whom it answers."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from ensemble_instruct.records import STEPS
from tests.conftest import COMMAND, Cli, rows
from tests.support.finished import stored
from tests.support.forks import on_path
from tests.support.hostile import hostile_config
from tests.support.processes import PATIENCE, wait_for
from tests.support.servers.viewer import viewer

Row = dict[str, Any]


def get(port: int, path: str, host: str | None = None, method: str = "GET") -> tuple[int, str, dict[str, str]]:
    """Status, body and headers of one request."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request(method, path, headers={"Host": host} if host is not None else {})
        reply = connection.getresponse()
        return reply.status, reply.read().decode(), dict(reply.getheaders())


def api(port: int, path: str, **query: Any) -> Any:
    """What the API answers, which must be 200."""
    status, body, _ = get(port, f"/api/{path}?{urlencode(query)}")
    assert status == 200, body
    return json.loads(body)


def listed(port: int, path: str, **query: Any) -> list[Row]:
    """All rows of a list, page by page."""
    all_rows: list[Row] = []
    while True:
        page = api(port, path, limit=7, offset=len(all_rows), **query)
        all_rows += page["rows"]
        if not page["rows"]:
            assert len(all_rows) == page["total"]
            return all_rows


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, finished_run: Path) -> Path:
    return shutil.copytree(finished_run, tmp_path_factory.mktemp("view") / "demo run & more")


@pytest.fixture(scope="module")
def port(demo: Path) -> Iterator[int]:
    with viewer(demo) as number:
        yield number


def test_examples_are_those_of_the_file(demo: Path, port: int) -> None:
    expected = rows(demo / "examples.jsonl")
    shown = listed(port, "examples")
    names = ("id", "kind", "instruction", "input", "output", "winners", "agreement", "confidence")
    assert [[row[name] for name in names] for row in shown] == [[row[name] for name in names] for row in expected]
    for row in expected:
        detail = api(port, f"examples/{row['id']}")
        assert {name: detail[name] for name in row} == row


@pytest.mark.parametrize(
    "query",
    [
        {"kind": "output_only"},
        {"text": "WARM-UP"},
        {"text": "no such text anywhere"},
        {"from": "0.5", "to": "0.9"},
        {"to": "0.4", "kind": "input_output"},
        {"winner": "simulated-b"},
        {"winner": "instance", "text": "a", "from": "0.6"},
    ],
)
def test_filters_of_examples(demo: Path, port: int, query: dict[str, str]) -> None:
    def admits(row: Row) -> bool:
        texts = [row["instruction"], row["input"], *(candidate["output"] for candidate in row["candidates"])]
        return (
            query.get("kind", row["kind"]) == row["kind"]
            and any(query.get("text", "").lower() in text.lower() for text in texts)
            and float(query.get("from", 0)) <= row["confidence"] <= float(query.get("to", 1))
            and ("winner" not in query or query["winner"] in row["winners"])
        )

    expected = [row["id"] for row in rows(demo / "examples.jsonl") if admits(row)]
    assert [row["id"] for row in listed(port, "examples", **query)] == expected
    assert expected or query == {"text": "no such text anywhere"}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"step": "ensemble"},
        {"reason": "not_novel"},
        {"kind": "output_only", "step": "parse", "reason": "empty_output"},
        {"text": "THANK you"},
    ],
)
def test_dropped_are_those_of_the_database(demo: Path, port: int, query: dict[str, str]) -> None:
    expected = {
        (number, step, kind, reason)
        for number, step, kind, reason, text, detail in stored(
            demo, "SELECT id, step, kind, reason, text, detail FROM rejected"
        )
        if query.get("step", step) == step
        and query.get("reason", reason) == reason
        and query.get("kind", kind) == kind
        and query.get("text", "").lower() in f"{text}\0{detail}".lower()
    }
    shown = listed(port, "dropped", **query)
    assert {(row["id"], row["step"], row["kind"], row["reason"]) for row in shown} == expected
    assert len(shown) == len(expected) > 0


def test_the_funnel_says_what_status_says(demo: Path, port: int, cli: Cli) -> None:
    run = api(port, "run")
    assert (run["name"], run["state"], run["voters"]) == (
        "demo run & more", "finished", ["instance", "simulated-a", "simulated-b"],
    )  # fmt: skip
    kept = {(kind["kind"], step["step"]): step["kept"] for kind in run["kinds"] for step in kind["steps"]}
    lines = r"^(\w+) +(\w+) +\d+ [^:\n]+: (?:\d+ candidates kept for )?(\d+)"  # of step 4 it is the answered instances
    status = re.findall(lines, cli("status", demo).stdout, re.MULTILINE)
    assert kept == {(kind, step): int(kept) for kind, step, kept in status}
    counted = {(row["step"], row["kind"], row["reason"]): row["count"] for row in run["dropped"]}
    assert counted == {
        (step, kind, reason): count
        for step, kind, reason, count in stored(
            demo, "SELECT step, kind, reason, COUNT(*) FROM rejected GROUP BY step, kind, reason"
        )
    }


def test_an_example_tells_how_it_came_about(demo: Path, port: int) -> None:
    keys = {row[0].hex(): row[1:] for row in stored(demo, "SELECT key, model, text, seconds FROM request")}
    follow_ons = 0
    for row in rows(demo / "examples.jsonl"):
        detail = api(port, f"examples/{row['id']}")
        instruction, instance, *candidates = detail["chain"]
        assert [link["made"] for link in detail["chain"]] == ["instruction", "instance", "candidate", "candidate"]
        for link in detail["chain"]:
            request = link["request"]
            assert (request["model"], request["reply"], request["seconds"]) == keys[request["key"]]
        assert instruction["text"] in instruction["request"]["reply"]
        assert instance["request"]["prompt"].endswith(f"instruction: {instruction['text']}\n")
        assert (instruction["text"] == row["instruction"]) == (row["follow_on"] == 0)
        follow_ons += row["follow_on"] > 0
        for link, candidate in zip(candidates, row["candidates"][1:], strict=True):
            assert (link["voter"], link["text"]) == (candidate["voter"], candidate["output"])
            assert link["request"]["prompt"] == f"{row['instruction']}\n{row['input']}"
    assert follow_ons


def test_a_drop_tells_how_it_came_about(demo: Path, port: int) -> None:
    seen = set()
    for row in listed(port, "dropped"):
        detail = api(port, f"dropped/{row['id']}")
        assert detail["chain"], row
        (key,) = stored(demo, "SELECT request FROM rejected WHERE id = ?", row["id"])[0]
        assert key.hex() in {link["request"]["key"] for link in detail["chain"]}
        if row["step"] == "ensemble":
            confidence, least = map(float, detail["detail"].split(" < "))
            assert confidence < least == 0.15
            assert confidence <= max(candidate["score"] for candidate in detail["candidates"])
            assert len(detail["chain"]) == 4
        if row["step"] == "parse":
            assert [link["made"] for link in detail["chain"]] == ["instruction", "instance"]
        seen.add(row["step"])
    assert seen == {"instructions", "parse", "ensemble"} <= set(STEPS)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "127.0.0.1:x"])
@pytest.mark.parametrize("path", ["/", "/api/run", "/page.js", "/nothing"])
def test_other_hosts_are_refused(port: int, host: str, path: str) -> None:
    status, body, _ = get(port, path, host)
    assert status == 403
    assert "demo" not in body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:1"])
def test_this_machine_is_answered(port: int, host: str) -> None:
    assert get(port, "/api/run", host)[0] == 200


def test_the_page_loads_nothing_from_elsewhere(port: int) -> None:
    status, page, headers = get(port, "/")
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    for path in re.findall(r'(?:href|src)="(/[^"]*)"', page):
        status, text, _ = get(port, path)
        assert status == 200
        assert not re.search(r"(https?:)?//[a-z]", text.replace('xmlns="http://www.w3.org/2000/svg"', "")), path
        assert "innerHTML" not in text
    assert "style=" not in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/examples?kind=both", 400),
        ("/api/examples?from=nan", 400),
        ("/api/examples?to=2", 400),
        ("/api/examples?offset=-1", 400),
        ("/api/examples?offset=99999999999999999999", 400),
        ("/api/dropped?step=sleep", 400),
        ("/api/examples/nothing", 404),
        ("/api/dropped/999999", 404),
        ("/api/dropped/x", 404),
        ("/../run.db", 404),
        ("/server.py", 404),
    ],
)
def test_wrong_questions(port: int, path: str, status: int) -> None:
    assert get(port, path)[0] == status


def test_nothing_can_be_written(demo: Path, port: int) -> None:
    before = (demo / "run.db").read_bytes()
    assert get(port, "/api/run", method="POST")[0] == 405
    listed(port, "examples", text="x")
    assert (demo / "run.db").read_bytes() == before


@pytest.mark.slow
def test_interrupt_ends_it_quietly(demo: Path) -> None:
    command = [str(COMMAND), "view", str(demo), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert re.fullmatch(r".*demo run & more is shown at http://127\.0\.0\.1:\d+/ until Ctrl-C\n", line)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE) == ("", "")
        assert process.returncode == 0


@pytest.mark.slow
def test_a_browser_is_opened_where_there_is_a_display(demo: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/part && mv {tmp_path}/part {tmp_path}/opened\n')
    browser.chmod(0o755)
    environment = {**os.environ, "BROWSER": f"{browser} %s", "DISPLAY": ":0"}
    command = [str(COMMAND), "view", str(demo)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        wait_for((tmp_path / "opened").exists)
        process.send_signal(signal.SIGINT)
    assert (tmp_path / "opened").read_text().strip() in line


def test_mistakes_are_one_line(demo: Path, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = cli("view", "empty", "--no-open")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "not a run folder" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = cli("view", demo, "--no-open", "--port", str(taken.getsockname()[1]))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--port" in done.stderr
    (tmp_path / "empty" / "run.db").write_bytes(b"")
    done = cli("view", "empty", "--no-open")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "not begun" in done.stderr


@pytest.mark.slow
def test_it_works_while_the_run_goes_on(tmp_path: Path) -> None:
    config = hostile_config(tmp_path, "slow")
    environment = {**os.environ, **on_path(tmp_path)}
    command = [str(COMMAND), "run", str(config), "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for((tmp_path / "run" / "config.yaml").exists)
            with viewer(tmp_path / "run") as port:
                wait_for(lambda: api(port, "examples")["total"] > 0)
                assert api(port, "run")["state"] == "running"
                assert 0 < api(port, "examples")["total"] < 24
                (tmp_path / "go-on").touch()
                assert process.wait(PATIENCE) == 0
                assert api(port, "run")["state"] == "finished"
                assert [row["id"] for row in listed(port, "examples")] == [
                    row["id"] for row in rows(tmp_path / "run" / "examples.jsonl")
                ]
        finally:
            process.kill()
