"""Any mixture of chat models gives clean rows: whatever their style, what they stated comes out, and nothing else."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.records import KINDS
from tests.conftest import rows
from tests.support.chat_styles import CUT_OFF, FAMILIES, PLAIN, REFUSED, Message, Styles
from tests.support.finished import stored
from tests.support.forks import Forks
from tests.support.servers.chat import ChatModels, answer_to, chat_config, chat_models

READ = ("", "not_novel", "target_reached")
"""What becomes of a task that was read: it is kept, or is not wanted."""
NO_ANSWERS = {"thought_only": (CUT_OFF, "max_tokens"), "refusal": (REFUSED, "I cannot help with that.")}
"""Replies without an answer, by the reason of their drops, and what these say."""


def texts_of_step_1(run: Path) -> dict[str, str]:
    """All that step 1 read as a text, and why it was dropped, or the empty text."""
    kept = {text: "" for (text,) in stored(run, "SELECT text FROM instruction")}
    return kept | dict(stored(run, "SELECT text, reason FROM rejected WHERE step = 'instructions'"))


def as_came(message: Message) -> tuple[str, str]:
    """Text and thought of a message, as the protocol has them."""
    thought = message.get("reasoning_content") or message.get("reasoning") or ""
    content = message["content"]
    if isinstance(content, str):
        return content, thought
    texts = [part["text"] for part in content if part["type"] == "text"]
    return "".join(texts), "".join(part["thinking"][0]["text"] for part in content if part["type"] == "thinking")


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_hold_what_was_stated_whatever_the_style(forks: Forks, tmp_path: Path, family: str) -> None:
    styles = FAMILIES[family]
    target = max(len(styles.lists), len(styles.worked))
    with chat_models(styles) as models:
        (tmp_path / "config.yaml").write_text(chat_config(models.served.base_url, target, window=target))
        done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run"])
    run = tmp_path / "run"
    assert done.returncode == 0, done.stderr
    used = {(reply.step, reply.style) for reply in models.replies}
    assert {name for step, name in used if step == "instructions"} == set(styles.lists)
    assert {name for step, name in used if step == "instances"} == set(styles.worked)
    assert {name for step, name in used if step == "outputs"} == set(styles.answers)

    require_read(models, texts_of_step_1(run))
    examples = rows(run / "examples.jsonl")
    require_clean(models, examples)
    drops = stored(run, "SELECT step, reason, detail, text FROM rejected WHERE step != 'instructions'")
    assert drops == []
    assert Counter(row["kind"] for row in examples) == dict.fromkeys(KINDS, target)

    as_stored = stored(run, "SELECT text, reasoning FROM request")
    sent = Counter(as_came(reply.message) for reply in models.replies)
    assert sent - Counter(as_stored) == Counter(), "a reply is not stored as it came"


def require_read(models: ChatModels, read: dict[str, str]) -> None:
    """At least 95 % of the tasks were read, as they were stated, and nothing else was taken for a task."""
    unread: dict[str, list[str]] = defaultdict(list)
    for task, style in models.tasks.items():
        if read.get(task) not in READ:
            unread[style].append(task)
    others = {text: reason for text, reason in read.items() if reason in READ and text not in models.tasks}
    assert others == {}, f"was never stated; not read: {dict(unread)}"
    assert sum(map(len, unread.values())) <= len(models.tasks) / 20, dict(unread)


def require_clean(models: ChatModels, examples: list[dict[str, Any]]) -> None:
    """Each row is a stated task with its stated input and answer, and so is every output that voted."""
    for row in examples:
        assert row["instruction"] in models.tasks
        assert (row["input"], row["output"]) == models.worked[row["instruction"]], row
        assert {each["output"] for each in row["candidates"]} == {answer_to(row["instruction"], row["input"])}, row


@pytest.mark.parametrize("reason", NO_ANSWERS)
def test_a_thought_that_was_cut_off_and_a_refusal_are_drops_and_asked_once(
    forks: Forks, tmp_path: Path, reason: str
) -> None:
    replies, said = NO_ANSWERS[reason]
    styles = Styles({**PLAIN.lists, **replies}, {**PLAIN.worked, **replies}, {**PLAIN.answers, **replies})
    with chat_models(styles) as models:
        (tmp_path / "config.yaml").write_text(chat_config(models.served.base_url, 12))
        done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run", "--allow-empty"])
    run = tmp_path / "run"
    assert done.returncode == 0, done.stderr
    asked = [json.dumps(body, sort_keys=True) for body in models.served.bodies]
    assert len(asked) == len(set(asked)), "a paid answer was asked for again"
    for step in ("instructions", "instances", "outputs"):
        expected = sum(reply.step == step and reply.style != "plain" for reply in models.replies)
        drops = stored(run, "SELECT text, detail FROM rejected WHERE step = ? AND reason = ?", step, reason)
        assert len(drops) == expected > 0, step
        assert all(said in "".join(drop) for drop in drops)
    examples = rows(run / "examples.jsonl")
    require_clean(models, examples)
    assert examples
