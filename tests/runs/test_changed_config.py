"""A changed config is refused with what it costs, and that is what it costs: who is not asked is not said to be."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ensemble_instruct.config.load import parse_config
from ensemble_instruct.errors import ConfigChangedError
from ensemble_instruct.runs.lifecycle import start_or_resume
from ensemble_instruct.runs.progress import Watch
from ensemble_instruct.runs.status import read_status
from tests.support.servers.chat import chat_models
from tests.support.servers.model import ModelServer, model_config, model_server

Edit = Callable[[str], str]


class Finished(NamedTuple):
    """A finished run, its server and its config."""

    folder: Path
    server: ModelServer
    text: str


def started(text: str, folder: Path, *overrides: str, force: bool = False) -> None:
    config = parse_config(text, "test", folder.parent, overrides)
    asyncio.run(start_or_resume(config, folder, Watch(), force=force))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    folder = tmp_path_factory.mktemp("finished") / "run"
    with model_server() as server:
        text = model_config(server.base_url)
        started(text, folder)
        yield Finished(folder, server, text)


def refused(text: str, folder: Path, *overrides: str) -> str:
    """What is said of a changed config."""
    with pytest.raises(ConfigChangedError) as refusal:
        started(text, folder, *overrides)
    return str(refusal.value)


def claimed(message: str) -> int:
    return sum(map(int, re.findall(r"again: (\d+) answers", message)))


def changed(finished: Finished, tmp_path: Path, edit: Edit, *overrides: str) -> tuple[str, Counter[str]]:
    """What is said of a changed config, and how often each model is asked when the run goes on so."""
    folder, text = tmp_path / "run", edit(finished.text)
    shutil.copytree(finished.folder, folder)
    before = len(finished.server.asked)
    message = refused(text, folder, *overrides)
    assert len(finished.server.asked) == before, "to look costs nothing"
    started(text, folder, *overrides, force=True)
    return message, Counter(one.model for one in finished.server.asked[before:])


def swapped(text: str) -> str:
    return text.replace("  careful:", "  X:").replace("  talkative:", "  careful:").replace("  X:", "  talkative:")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text.replace("careful", "my.new.name"), "models.careful: is called my.new.name now"),
        (lambda text: text.replace("base:", "basis:").replace("instructions: base", "instructions: basis")
         .replace("instances: base", "instances: basis"), "models.base: is called basis now"),
        (swapped, 'models.careful.model: "voter_a" → "voter_b"'),
        (lambda text: text.replace("[careful, talkative]", "[careful]"), "models.talkative: is not used any more"),
        (lambda text: text.replace("[careful, talkative]", "[talkative, careful]"), "roles.outputs"),
        (lambda text: text + "ensemble: {min_confidence: 0.9}\n", "ensemble.min_confidence: null → 0.9"),
        (lambda text: text.replace("input_output: 6", "input_output: 3", 1), "instructions.target.input_output: 6 → 3"),
    ],
    ids=["renamed", "generator renamed", "swapped", "left out", "turned round", "selection", "lower target"],
)  # fmt: skip
def test_what_asks_nobody_is_said_to_ask_nothing(finished: Finished, tmp_path: Path, edit: Edit, said: str) -> None:
    message, asked = changed(finished, tmp_path, edit)
    assert said in message
    assert "; this asks nothing again; give --force" in message
    assert claimed(message) == sum(asked.values()) == 0


def costs(folder: Path) -> dict[str, float]:
    """US dollars under each model's name."""
    found: defaultdict[str, float] = defaultdict(float)
    for one in read_status(folder).spent:
        assert one.cost is not None
        found[one.model] += one.cost
    return found


@pytest.mark.parametrize("text", ["", "models: [1]\n", "models: {base: {price: cheap}}\n", "}:", "models: {base: 1}\n"])
def test_status_needs_no_config_that_can_be_read(finished: Finished, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    (folder / "config.yaml").write_text(text)
    assert read_status(folder).answers == read_status(finished.folder).answers > 0


def test_what_was_paid_stays_what_it_was_where_a_name_is_another_models(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    dear = re.sub(r"(model: (?!voter_a)\w+)", r"\1, price: {input: 0, output: 0}", finished.text)
    dear = dear.replace("model: voter_a", "model: voter_a, price: {input: 1000, output: 10}")
    started(dear, folder)
    before = costs(folder)
    assert before["careful"] > 0
    assert before["talkative"] == 0
    started(swapped(dear), folder, force=True)
    assert costs(folder) == pytest.approx(before)
    started(dear.replace("1000", "5"), folder, force=True)
    assert costs(folder) == pytest.approx(before)
    started(dear, folder, "models.careful.price.input=7")
    assert costs(folder) == pytest.approx(before)


@pytest.mark.parametrize(
    ("override", "models"),
    [
        ("models.careful.model=voter_b", ["voter_b"]),
        ("models.careful.endpoint=completions", ["voter_a"]),
        ("models.careful.system=Be brief.", ["voter_a"]),
        ("outputs.sampling.max_tokens=100", ["voter_a", "voter_b"]),
    ],
)
def test_who_is_asked_again_is_counted_as_often(
    finished: Finished, tmp_path: Path, override: str, models: list[str]
) -> None:
    message, asked = changed(finished, tmp_path, str, override)
    assert sorted(asked) == models
    assert claimed(message) == sum(asked.values())
    assert "answers of step outputs; give --force" in message


def test_several_changes_are_counted_once(finished: Finished, tmp_path: Path) -> None:
    overrides = ("models.careful.model=voter_b", "models.careful.endpoint=completions", "models.careful.revision=x")
    message, asked = changed(finished, tmp_path, str, *overrides)
    assert claimed(message) == sum(asked.values()) > 0


def test_a_new_voter_asks_nobody_again(finished: Finished, tmp_path: Path) -> None:
    message, asked = changed(finished, tmp_path, lambda text: text.replace("talkative]", "talkative, base]"))
    assert "asks nothing again, only for what is missing" in message
    assert list(asked) == ["base"]


def test_other_instances_are_counted_and_what_follows_is_said(finished: Finished, tmp_path: Path) -> None:
    message, asked = changed(finished, tmp_path, str, "instances.sampling.temperature=0.5")
    assert 0 < claimed(message) <= sum(asked.values())
    assert "answers of step instances, and what follows where they differ" in message


def test_where_step_1_begins_anew_no_number_is_promised(finished: Finished, tmp_path: Path) -> None:
    message, asked = changed(finished, tmp_path, str, "seed=7")
    assert re.search(r"asks every step again: up to \d+ answers are of no use any more; give --force", message)
    assert claimed(message) == 0 < sum(asked.values())


def test_a_higher_target_asks_for_what_is_missing(finished: Finished, tmp_path: Path) -> None:
    message, asked = changed(finished, tmp_path, str, "instructions.target.output_only=9")
    assert "asks nothing again, only for what is missing" in message
    assert asked["base"] > 0


def test_what_a_stopped_run_never_asked_is_not_asked_again(tmp_path: Path) -> None:
    with model_server() as server:
        text = model_config(server.base_url)
        whole = tmp_path / "whole"
        started(text, whole)
        needed = len(server.asked)
        server.hold_after(needed - 4)

        async def stopped() -> None:
            config = parse_config(text, "test", tmp_path)
            work = asyncio.ensure_future(start_or_resume(config, tmp_path / "run", Watch()))
            await asyncio.to_thread(server.wait_until_asked, needed + needed - 3)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

        asyncio.run(stopped())
        server.go_on()
        message = refused(text.replace("careful", "other"), tmp_path / "run")
    assert "models.careful: is called other now" in message
    assert "asks nothing again, only for what is missing" in message


def test_a_chat_generator_that_writes_json_keeps_its_answers_under_another_name(tmp_path: Path) -> None:
    with chat_models(schemas="follows") as models:
        text = f"""
instructions: {{target: {{input_output: 4, output_only: 4}}}}
models:
  one: {{base_url: {models.served.base_url}, model: m, endpoint: chat}}
  two: {{base_url: {models.served.base_url}, model: n, endpoint: chat}}
roles: {{instructions: one, instances: one, outputs: [two]}}
licenses: {{policy: any}}
"""
        started(text, tmp_path / "run")
        asked = len(models.served.bodies)
        renamed = text.replace("  one:", "  1st:").replace(": one", ": 1st")
        assert "; this asks nothing again; " in refused(renamed, tmp_path / "run")
        started(renamed, tmp_path / "run", force=True)
        assert len(models.served.bodies) == asked
