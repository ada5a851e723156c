"""A run stops where none of the first replies of a kind is of use, and says why; what it was told is kept."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from operator import ne
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.records import content_id
from ensemble_instruct.steps.first_replies import LOOKED_AT, shown, what_to_try
from tests.conftest import Cli, rows
from tests.support.finished import stored
from tests.support.good_input import write
from tests.support.servers.reply import Answering, Reply, prompt_of, refused, said, serving

STEP_1, STEP_2 = 256, 512
"""How many tokens a step asks for over completions: the server tells the steps apart by it, and by the temperature."""
HELPLESS = "I\x1b[31m\r\n\u202ecannot!"
WINDOW = 8


def words(number: int) -> str:
    """Words that no other number has."""
    return " ".join(sha256(f"{number} {place}".encode()).hexdigest()[:6] for place in range(5))


NUMBERS = {int(content_id("42", "instructions", "output_only", str(n)), 16) % 2**31: n for n in range(700)}
"""Which request of step 1 has a seed."""


def number_of(body: Mapping[str, Any]) -> int:
    """Which request of its step it is, in the order of the run and not as they arrive."""
    if is_of(body, STEP_1):
        return NUMBERS[body["seed"]]
    asked = prompt_of(dict(body))
    return next(number for number in range(len(NUMBERS)) if words(number) in asked)


def is_of(body: Mapping[str, Any], step: int) -> bool:
    if not body["temperature"]:
        return False
    if "messages" in body:
        return (len(body["messages"]) > 1) == (step == STEP_2)  # worked examples are turns of the conversation
    return bool(body["max_tokens"] == step)


def useful(body: Mapping[str, Any]) -> str:
    """What a model that can do its task answers."""
    if is_of(body, STEP_1):
        return f"{'25.' if 'messages' in body else ''} Describe {words(number_of(body))}"
    return "output: an answer\n" if is_of(body, STEP_2) else "an answer"


def able_but(
    step: int, fails: Callable[[int], bool] = lambda _: True, reply: Callable[[int], Reply] = lambda _: said(HELPLESS)
) -> Answering:
    """A model that can do all but the requests of one step whose number `fails`."""

    def answer(body: dict[str, Any], _: int) -> Reply:
        if is_of(body, step) and fails(number_of(body)):
            return reply(number_of(body))
        return said(useful(body))

    return answer


def configure(folder: Path, base_url: str, endpoint: str = "completions", target: int = 60, **settings: Any) -> None:
    """A config with the one kind `output_only`; `settings` are further keys of step 1."""
    model = {"base_url": base_url, "model": "m", "license": "Apache-2.0"}
    config = {
        "instructions": {"target": {"input_output": 0, "output_only": target}, "window": WINDOW, **settings},
        "models": {"base": {**model, "endpoint": endpoint}, "voter": model},
        "roles": {"instructions": "base", "instances": "base", "outputs": ["voter"]},
    }
    (folder / "config.yaml").write_text(json.dumps(config))


def in_step(bodies: list[dict[str, Any]], step: int) -> int:
    return sum(is_of(body, step) for body in bodies)


def test_step_1_stops_and_shows_a_reply_and_what_to_try(cli: Cli, tmp_path: Path) -> None:
    with serving(able_but(STEP_1)) as served:
        configure(tmp_path, served.base_url)
        done = cli("run", "config.yaml", "--out", "run")
        asked = len(served.bodies)
        kept = stored(tmp_path / "run", "SELECT COUNT(*) FROM request")[0][0]
        again = cli("run", "config.yaml", "--out", "run")
    assert done.returncode == again.returncode == 1
    assert re.fullmatch(
        r"error: step instructions: none of the first 20 replies of base for output_only was of use; one of them: "
        r"'I \[31m cannot!'; dropped most: 20 \w+; if base is a chat model, set models\.base\.endpoint: chat; .+\n",
        done.stderr,
    ), done.stderr
    assert LOOKED_AT <= kept <= asked < LOOKED_AT + WINDOW
    assert again.stderr == done.stderr
    assert step_alone(cli, tmp_path) == done.stderr


def step_alone(cli: Cli, folder: Path) -> str:
    with serving(able_but(STEP_1)) as served:
        configure(folder, served.base_url)
        done = cli("instructions", "config.yaml", "--kind", "output_only", "--to", "instructions.jsonl")
    assert done.returncode == 1
    assert not (folder / "instructions.jsonl").exists()
    return done.stderr


@pytest.mark.parametrize("endpoint", ["completions", "chat"])
def test_step_2_stops_where_step_3_reads_no_instance(cli: Cli, tmp_path: Path, endpoint: str) -> None:
    with serving(able_but(STEP_2)) as served:
        configure(tmp_path, served.base_url, endpoint)
        done = cli("run", "config.yaml", "--out", "run")
        asked = in_step(served.bodies, STEP_2)
        again = cli("run", "config.yaml", "--out", "run")
    assert done.returncode == again.returncode == 1
    assert again.stderr == done.stderr
    assert "error: step instances: none of the first 20 replies of base for output_only was of use" in done.stderr
    assert re.search(r"one of them: 'I \[31m cannot!'; dropped most: 20 \w+; ", done.stderr)
    other = {"completions": "chat", "chat": "completions"}[endpoint]
    assert f"set models.base.endpoint: {other}" in done.stderr
    assert asked >= LOOKED_AT
    assert stored(tmp_path / "run", "SELECT COUNT(*) FROM rejected WHERE step = 'parse'") == [(LOOKED_AT,)]


def test_a_request_that_fails_is_a_reply_that_gave_nothing(cli: Cli, tmp_path: Path) -> None:
    def reply(number: int) -> Reply:
        return refused("this word is not allowed") if number % 2 else said(HELPLESS)

    with serving(able_but(STEP_2, reply=reply)) as served:
        configure(tmp_path, served.base_url)
        done = cli("run", "config.yaml", "--out", "run")
    assert done.returncode == 1
    dropped = stored(tmp_path / "run", "SELECT COUNT(*) FROM rejected WHERE step IN ('instances', 'parse')")
    assert dropped == [(LOOKED_AT,)]
    assert len(re.findall(r"\d+ \w+(?=[,;])", done.stderr.partition("dropped most: ")[2])) == 2, done.stderr


def test_where_the_requests_fail_that_is_what_is_to_be_mended(cli: Cli, tmp_path: Path) -> None:
    mended: list[bool] = []
    answer = able_but(STEP_1, lambda _: not mended, lambda _: refused("blocked by our content policy"))
    with serving(answer) as served:
        configure(tmp_path, served.base_url, target=5)
        done = cli("run", "config.yaml", "--out", "run")
        mended.append(True)
        again = cli("run", "config.yaml", "--out", "run", "--retry-failed")
    assert done.returncode == 1
    assert "blocked by our content policy" in done.stderr
    assert "its requests fail: mend that, then run again with --retry-failed" in done.stderr
    assert again.returncode == 0, again.stderr
    assert len(rows(tmp_path / "run" / "examples.jsonl")) == 5


@pytest.mark.parametrize("step", [STEP_1, STEP_2])
def test_one_reply_of_use_among_the_first_is_enough(cli: Cli, tmp_path: Path, step: int) -> None:
    for place, code in ((LOOKED_AT - 1, 0), (LOOKED_AT, 1)):
        with serving(able_but(step, partial(ne, place))) as served:
            configure(tmp_path, served.base_url, target=LOOKED_AT + 5, patience=30)
            done = cli("run", "config.yaml", "--out", f"run-{place}")
        assert done.returncode == code, done.stderr
    assert len(rows(tmp_path / f"run-{LOOKED_AT - 1}" / "examples.jsonl")) == 1


def test_what_is_like_another_task_was_of_use(cli: Cli, tmp_path: Path) -> None:
    known = [f"Describe {words(number)}" for number in range(40)]
    write(tmp_path / "known.jsonl", *({"instruction": text} for text in known))
    with serving(able_but(STEP_1, lambda number: number not in range(40))) as served:
        configure(tmp_path, served.base_url, patience=45)
        done = cli("run", "config.yaml", "--out", "run", "--against", "known.jsonl")
    assert "of use" not in done.stderr
    drops = "SELECT COUNT(*) FROM rejected WHERE step = 'instructions' AND reason = 'not_novel'"
    assert stored(tmp_path / "run", drops) == [(40,)]


def test_the_order_of_the_requests_decides_and_not_which_reply_comes_first(cli: Cli, tmp_path: Path) -> None:
    said_of = []
    for name in ("at once", "late"):
        later_came = threading.Event()

        async def answer(body: dict[str, Any], _: int, name: str = name, later_came: Any = later_came) -> Reply:
            number = number_of(body)
            if number >= LOOKED_AT:
                later_came.set()
            elif number == 0 and name == "late":
                await asyncio.to_thread(later_came.wait, 60)
            return said(HELPLESS if number < LOOKED_AT else useful(body))

        with serving(answer) as served:
            configure(tmp_path, served.base_url, window=60)
            said_of.append(cli("run", "config.yaml", "--out", name).stderr)
    assert said_of[0] == said_of[1]
    assert "none of the first 20 replies" in said_of[0]


def test_the_profile_published_asks_on_as_the_original_does(cli: Cli, tmp_path: Path) -> None:
    with serving(lambda *_: said("I cannot!")) as served:
        configure(tmp_path, served.base_url, patience=30)
        done = cli(
            "run", "config.yaml", "--out", "run", "--set", "profile=published", "--set", "ensemble.strategy=single"
        )
        assert len(served.bodies) == 30
    assert "of use" not in done.stderr


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        ("", "''"),
        (" \r\n\t\x00 ", "''"),
        ("a\x1b]0;title\x07b\u2028c\ud800d", "'a ]0;title b c d'"),
        ("日本語 " * 100, None),
        ("x" * 10**7, None),
        (" " * 10**7 + "x", "'…'"),
    ],
)
def test_a_reply_is_shown_in_one_short_line(reply: str, line: str | None) -> None:
    assert len(shown(reply)) <= 123
    assert shown(reply).isprintable()
    assert line is None or shown(reply) == line


def test_what_is_to_be_tried_fits_what_dropped_most() -> None:
    assert "raise instances.sampling.max_tokens" in what_to_try("instances", "base", "chat", "thought_only")
    assert "set models.base.endpoint: chat" in what_to_try("instructions", "base", "completions", "too_short")
    assert "set models.base.endpoint: completions" in what_to_try("instances", "base", "chat", "no_output")
