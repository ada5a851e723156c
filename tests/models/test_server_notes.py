"""What is to be known of servers: said once, in the log and in the status, also of a run that is resumed."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.opening import open_models
from ensemble_instruct.models.server_notes import fewest_tokens, notes_of
from ensemble_instruct.records import Request, Sampling
from ensemble_instruct.store.reading import read_meta, reading
from ensemble_instruct.store.store import opened_store
from tests.support.servers.reply import Answering, Reply, prompt_of, refused, said, serving


def notes(folder: Path, answering: Answering, prompts: Sequence[str], **settings: Any) -> list[str]:
    """What the store holds as notes after a start that asks these, one after the other."""

    async def ask() -> None:
        with opened_store(folder / "run.db") as store:
            section = ModelSection(base_url=served.base_url, model="m", endpoint="chat", **settings)
            async with open_models({"a": section}, store, check=False) as models:
                for prompt in prompts:
                    await models["a"].ask(
                        Request(prompt=prompt, sampling=Sampling(max_tokens=9), step="outputs", kind="output_only")
                    )
                await store.flush()

    with serving(answering) as served:
        asyncio.run(ask())
    with reading(folder / "run.db") as connection:
        return [note.replace(served.base_url, "URL") for note in notes_of(read_meta(connection))]


def test_another_model_behind_the_name_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = {"one": "m-2024", "two": "m-2024", "three": "m-2025", "four": "m-2025"}
    with caplog.at_level(logging.WARNING):
        found = notes(tmp_path, lambda body, _: said("x", model=names[prompt_of(body)]), [*names])
    assert len(found) == 1
    assert "'m-2025' answers, before it was 'm-2024'" in found[0]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_another_model_is_noticed_over_a_resume(tmp_path: Path) -> None:
    name = "m-1"

    async def ask(prompt: str) -> None:
        with opened_store(tmp_path / "run.db") as store:
            section = ModelSection(base_url=served.base_url, model="m", endpoint="chat")
            async with open_models({"a": section}, store, check=False) as models:
                await models["a"].ask(
                    Request(prompt=prompt, sampling=Sampling(max_tokens=9), step="outputs", kind="output_only")
                )

    with serving(lambda *_: said("x", model=name)) as served:
        asyncio.run(ask("before"))
        name = "m-2"
        asyncio.run(ask("after"))
        asyncio.run(ask("long after"))
    with reading(tmp_path / "run.db") as connection:
        found = notes_of(read_meta(connection))
    assert len(found) == 1
    assert "'m-2' answers, before it was 'm-1'" in found[0]


def test_a_setting_that_is_left_out_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def answering(body: dict[str, Any], _: int) -> Reply:
        return refused("temperature must be 1") if "temperature" in body else said("x")

    for _ in range(2):
        found = notes(tmp_path, answering, ["one", "two"])
    assert len(found) == 1
    assert "does not take temperature: 0.0" in found[0]
    assert sum("temperature" in record.getMessage() for record in caplog.records) <= 2  # a server of its own each time


ENGLISH = "Explain in a few words why the old harbour near the northern border is closed to ships in the winter. "
CODE = "def add(first: int, second: int) -> int:\n        return first + second  # the sum of both\n\n"
LONG: dict[str, str] = {
    "English": ENGLISH * 60,
    "code": CODE * 60,
    "a table": "".join(f"| {row} | {row * 7} | name {row} |\n" for row in range(300)),
    "HTML": "".join(f"<p class='x'>Paragraph {row} of <b>many</b></p>\n" for row in range(300)),
    "Chinese": "请用几句话解释为什么北方边境附近的旧港口在冬天不对船只开放。" * 60,
    "Thai": "อธิบายสั้น ๆ ว่าทำไมท่าเรือเก่าใกล้ชายแดนเหนือจึงปิดในฤดูหนาว" * 60,
    "Korean": "북쪽 국경 근처의 오래된 항구가 겨울에 배들에게 닫혀 있는 이유를 몇 마디로 설명하세요. " * 60,
    "German": "Erkläre, warum der Donaudampfschifffahrtskapitän die Geschwindigkeitsbegrenzung missachtet. " * 80,
}
UNCLEAR: dict[str, str] = {
    "white space": "a" + " " * 20_000 + "b",
    "lines": "\n" * 20_000,
    "signs": "=" * 20_000,
    "one word": "ACGT" * 5_000,
    "rows of signs": ("-" * 40 + "\n") * 500,
    "emoji": "\N{GRINNING FACE}" * 3_000,
    "short": "Why?",
}


@pytest.mark.parametrize("name", LONG)
def test_a_prompt_that_was_cut_is_said_once(tmp_path: Path, name: str) -> None:
    """As by a server whose context is too short: its count stands still at the limit."""
    limit = int(fewest_tokens(LONG[name])) // 2
    assert limit >= 64
    found = notes(
        tmp_path, lambda *_: said("x", usage={"prompt_tokens": limit}), [LONG[name], f"{LONG[name]} Also why."]
    )
    assert len(found) == 1
    assert "cuts prompts" in found[0]
    assert "num_ctx" in found[0]


def cut_at(limit: int) -> Answering:
    """A server of a tokenizer that makes many tokens of a word."""
    return lambda body, _: said("x", usage={"prompt_tokens": min(limit, len(prompt_of(body)) // 3)})


def test_a_count_that_stands_still_shows_a_limit(tmp_path: Path) -> None:
    """Each alone could have so many tokens, but not all of them."""
    prompts = [LONG["German"][:size] for size in (3_000, 3_300, 4_200, 100)]
    assert all(fewest_tokens(prompt) < 800 for prompt in prompts)
    found = notes(tmp_path, cut_at(800), prompts)
    assert len(found) == 1
    assert "800 tokens of each of 3" in found[0]


@pytest.mark.parametrize("constant", [300, 1000])
def test_a_count_that_is_the_same_for_short_prompts_shows_none(tmp_path: Path, constant: int) -> None:
    prompts = ["Why?", *(LONG["German"][:size] for size in (3_000, 3_300, 4_200))]
    assert notes(tmp_path, lambda *_: said("x", usage={"prompt_tokens": constant}), prompts) == []


def test_prompts_of_equal_length_may_have_the_same_count(tmp_path: Path) -> None:
    prompts = [LONG["German"][:4_000] + mark for mark in "abcdef"]
    assert notes(tmp_path, lambda body, _: said("x", usage={"prompt_tokens": 1300}), prompts) == []


def counts(text: str, size: int) -> int:
    """Tokens, where words of up to `size` letters and rows of one sign are one each: fewer than a tokenizer makes."""
    return 8 + sum(1 for _ in re.finditer(rf"\s?\w{{1,{size}}}|([^\w])\1*", text))


@pytest.mark.parametrize("name", [*LONG, *UNCLEAR])
def test_a_prompt_that_was_read_whole_is_not_taken_for_a_cut_one(tmp_path: Path, name: str) -> None:
    text = {**LONG, **UNCLEAR}[name]
    size = 6 if name in ("Chinese", "Thai") else 40
    assert notes(tmp_path, lambda *_: said("x", usage={"prompt_tokens": counts(text, size)}), [text]) == []


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": 0}, {"prompt_tokens": 10}, {"prompt_tokens": None}])
def test_a_server_that_does_not_count_is_not_suspected(tmp_path: Path, usage: dict[str, Any]) -> None:
    assert notes(tmp_path, lambda *_: said("x", usage=usage), [LONG["English"]]) == []


def test_a_server_that_counts_only_what_it_had_not_read_before_is_not_suspected(tmp_path: Path) -> None:
    whole = counts(LONG["English"], 40)
    replies = iter([whole, 90, 90])
    prompts = [LONG["English"], f"{LONG['English']} Also why.", f"{LONG['English']} Since when?"]
    assert notes(tmp_path, lambda *_: said("x", usage={"prompt_tokens": next(replies)}), prompts) == []


def test_a_long_prompt_is_looked_at_in_no_time() -> None:
    drawn = random.Random(1)
    text = "".join(drawn.choices("ab 你 \n", k=1_000_000))
    assert fewest_tokens(text) > 0


def test_a_name_that_holds_the_key_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-to-be-seen-1")
    names = iter(["m", "m sk-never-to-be-seen-1"])
    found = notes(tmp_path, lambda *_: said("x", model=next(names)), ["one", "two"])
    assert "repeats the key in its replies" in found[0]
    assert b"never-to-be-seen" not in (tmp_path / "run.db").read_bytes()
