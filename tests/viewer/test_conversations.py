"""What the viewer shows of chat models: thoughts, earlier turns and refusals, beside the replies as they came."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.records import Message
from ensemble_instruct.store.reading import reading
from ensemble_instruct.store.rows import turns_text
from ensemble_instruct.viewer.queries import dropped_detail, example_detail
from tests.conftest import rows
from tests.support.browser import dumped, needs_chromium
from tests.support.servers.viewer import viewer

THOUGHT = "Is it <b>so</b>?"
EARLIER = (Message("user", "Write <i>tea</i>."), Message("assistant", "input: tea"))


@contextmanager
def changed(run: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(run / "run.db")) as connection, connection:
        yield connection


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished_run, tmp_path / "run")


def detail_of(run: Path, example: str) -> dict[str, Any]:
    with reading(run / "run.db") as connection:
        found = example_detail(connection, example)
    assert found is not None
    return found


def reply_with(run: Path, key: str, *, text: str | None = None, reasoning: str = "", refusal: str = "") -> None:
    """Let a request of the run have been answered so."""
    sql = "UPDATE request SET text = COALESCE(?, text), reasoning = ?, refusal = ? WHERE key = ?"
    with changed(run) as connection:
        connection.execute(sql, (text, reasoning, refusal, bytes.fromhex(key)))


def voter_key(run: Path, example: str) -> str:
    return str(detail_of(run, example)["chain"][-1]["request"]["key"])


@pytest.mark.parametrize("is_apart", [True, False])
def test_a_thought_shows_alike_wherever_the_server_sent_it(run: Path, is_apart: bool) -> None:
    row = rows(run / "examples.jsonl")[0]
    answer = row["candidates"][-1]["output"]
    text = answer if is_apart else f"<think>\n{THOUGHT}\n</think>\n\n{answer}"
    reply_with(run, voter_key(run, row["id"]), text=text, reasoning=THOUGHT if is_apart else "")
    detail = detail_of(run, row["id"])
    request = detail["chain"][-1]["request"]
    assert (request["thought"], request["reply"]) == (THOUGHT, text)
    assert detail["candidates"][-1]["output"] == answer
    assert [link["request"]["thought"] for link in detail["chain"][:-1]] == ["", "", ""]


def test_a_thought_that_was_cut_off_shows_too(run: Path) -> None:
    row = rows(run / "examples.jsonl")[0]
    reply_with(run, voter_key(run, row["id"]), text=f"<think>\n{THOUGHT}")
    assert detail_of(run, row["id"])["chain"][-1]["request"]["thought"] == THOUGHT


def test_a_thought_of_step_2_does_not_hide_the_instruction_behind_it(run: Path) -> None:
    row = next(row for row in rows(run / "examples.jsonl") if row["follow_on"] == 0)
    before = detail_of(run, row["id"])["chain"]
    instance = before[1]["request"]
    reply_with(run, instance["key"], text=f"<think>\n{THOUGHT}\n</think>\n\n{instance['reply']}")
    after = detail_of(run, row["id"])["chain"]
    assert [link["made"] for link in after] == [link["made"] for link in before]
    assert (after[1]["request"]["thought"], after[0]["text"]) == (THOUGHT, row["instruction"])


def test_a_refusal_and_earlier_turns_are_there(run: Path) -> None:
    row = rows(run / "examples.jsonl")[0]
    key = voter_key(run, row["id"])
    reply_with(run, key, text="", refusal="I will not.")
    as_conversation(run, key)
    request = detail_of(run, row["id"])["chain"][-1]["request"]
    assert (request["refusal"], request["prompt"]) == ("I will not.", "And now?")
    assert request["earlier"] == [turn._asdict() for turn in EARLIER]


def as_conversation(run: Path, key: str) -> None:
    from ensemble_instruct.store.database import pack_prompt

    shared = turns_text(EARLIER)
    with changed(run) as connection:
        connection.execute("INSERT INTO shared (text) VALUES (?)", (shared,))
        connection.execute(
            "UPDATE request SET turns = 2, shared = (SELECT id FROM shared WHERE text = ?), prompt = ? WHERE key = ?",
            (shared, pack_prompt("And now?", shared), bytes.fromhex(key)),
        )


def test_the_drop_of_a_reply_that_is_all_thought_shows_it(run: Path) -> None:
    key = voter_key(run, rows(run / "examples.jsonl")[0]["id"])
    reply_with(run, key, text="", reasoning=THOUGHT)
    with changed(run) as connection:
        values = ("outputs", "output_only", "thought_only", "no answer", "", bytes.fromhex(key), "")
        into = "INSERT INTO rejected (step, kind, reason, text, source, request, detail) VALUES (?, ?, ?, ?, ?, ?, ?)"
        number = connection.execute(into, values).lastrowid
    with reading(run / "run.db") as connection:
        detail = dropped_detail(connection, number or 0)
    assert detail is not None
    assert detail["chain"][-1]["request"]["thought"] == THOUGHT
    assert json.dumps(detail)


def test_who_answered_and_what_it_cost_is_there(run: Path) -> None:
    row = rows(run / "examples.jsonl")[0]
    key = voter_key(run, row["id"])
    answered_by(run, key)
    request = detail_of(run, row["id"])["chain"][-1]["request"]
    assert (request["served_model"], request["upstream"], request["cost"]) == ("org/m-2", "Deep <i>Sea</i>", 0.00125)


def answered_by(run: Path, key: str) -> None:
    sql = "UPDATE request SET served_model = 'org/m-2', upstream = 'Deep <i>Sea</i>', cost = 0.00125 WHERE key = ?"
    with changed(run) as connection:
        connection.execute(sql, (bytes.fromhex(key),))


@needs_chromium
@pytest.mark.slow
def test_the_page_has_all_of_it_folded_and_as_text(run: Path, tmp_path: Path) -> None:
    dump = partial(dumped, tmp_path / "profile")
    row = rows(run / "examples.jsonl")[0]
    key = voter_key(run, row["id"])
    reply_with(run, key, reasoning=THOUGHT, refusal="I will <u>not</u>.")
    as_conversation(run, key)
    answered_by(run, key)
    with viewer(run) as port:
        page = dump(f"http://127.0.0.1:{port}/#/example/{row['id']}")
    assert page.count("<summary>Thought before it</summary>") == 1
    assert page.count("<summary>Earlier turns (2)</summary>") == 1
    assert page.count("<summary>Refusal of the model</summary>") == 1
    for text in ("Is it &lt;b&gt;so&lt;/b&gt;?", "Write &lt;i&gt;tea&lt;/i&gt;.", "I will &lt;u&gt;not&lt;/u&gt;.",
                 "served as org/m-2", "by Deep &lt;i&gt;Sea&lt;/i&gt;", "0.00125 USD"):  # fmt: skip
        assert text in page
    assert "<details open" not in page
