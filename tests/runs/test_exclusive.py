"""`exclusive`: models of a server that holds one at a time are asked one after the other; the records stay the same."""

from __future__ import annotations

import asyncio
import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.config.load import parse_config
from ensemble_instruct.errors import ConfigError
from ensemble_instruct.runs.lifecycle import start_or_resume
from ensemble_instruct.runs.passes import crowded_servers, passes_of
from ensemble_instruct.runs.progress import Watch
from tests.conftest import Cli, rows
from tests.support.servers.model import ModelServer, model_config, model_server


def config_at(base_url: str, key: str = "exclusive: ollama, ") -> str:
    """A config whose three models are at one server, and say so."""
    return model_config(base_url).replace("{base_url", f"{{{key}base_url")


def passes(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """How far each pass before the last one comes, and who is asked there."""
    return [(one.until, one.asked) for one in passes_of(parse_config(text, "test", Path()))]


def made(folder: Path, config: str) -> list[dict[str, Any]]:
    asyncio.run(start_or_resume(parse_config(config, "test", folder), folder / "run", Watch()))
    return rows(folder / "run" / "examples.jsonl")


def loads(server: ModelServer) -> list[str]:
    """The models that a server had to load which holds one at a time, in order."""
    return [model for model, _ in groupby(asked.model for asked in server.asked)]


def test_a_server_that_holds_one_model_loads_each_once(tmp_path: Path) -> None:
    with model_server(0.01) as together, model_server(0.01) as apart:
        examples = made(tmp_path / "together", config_at(together.base_url, ""))
        same = made(tmp_path / "apart", config_at(apart.base_url))
    assert len(examples) > 3
    assert same == examples
    assert len(loads(together)) > 20
    assert loads(apart) == ["base", "voter_a", "voter_b"]
    assert len(apart.asked) == len(together.asked), "nothing is asked twice"


def test_who_is_there_already_answers_first(tmp_path: Path) -> None:
    with model_server() as server:
        text = config_at(server.base_url).replace("[careful, talkative]", "[careful, base, talkative]")
        assert made(tmp_path, text)
    assert loads(server) == ["base", "voter_a", "voter_b"]


def test_two_writers_change_places_once() -> None:
    text = config_at("http://127.0.0.1:9/v1").replace("instances: base", "instances: talkative")
    assert passes(text) == [
        ("instructions", ("base",)),
        ("outputs", ("talkative",)),
        ("outputs", ("careful",)),
    ]


def test_voters_that_rate_each_other_need_one_load_more(tmp_path: Path) -> None:
    with model_server() as server:
        assert made(tmp_path, config_at(server.base_url) + "ensemble: {strategy: judged}\n")
    assert loads(server) == ["base", "voter_a", "voter_b", "voter_a"]


def test_two_names_of_one_model_are_one(tmp_path: Path) -> None:
    with model_server() as server:
        text = config_at(server.base_url).replace("[careful, talkative]", "[careful, talkative, twin]")
        text = text.replace(
            "models:\n", f"models:\n  twin: {{exclusive: ollama, base_url: {server.base_url}, model: voter_a}}\n"
        )
        assert made(tmp_path, text)
    assert loads(server) == ["base", "voter_a", "voter_b"]


def test_a_model_elsewhere_waits_for_no_pass() -> None:
    elsewhere = "  other: {base_url: http://127.0.0.1:8/v1, model: voter_b}\n"
    text = config_at("http://127.0.0.1:9/v1").replace("[careful, talkative]", "[careful, talkative, other]")
    assert passes(text.replace("models:\n", f"models:\n{elsewhere}")) == [
        ("outputs", ("other",)),
        ("outputs", ("careful",)),
        ("outputs", ("talkative",)),
    ]


def test_models_at_two_places_work_side_by_side() -> None:
    text = config_at("http://127.0.0.1:9/v1").replace("exclusive: ollama", "exclusive: second", 1)
    assert passes(text) == [
        ("outputs", ("careful",)),
        ("outputs", ("talkative",)),
    ]


HELPERS = """
ensemble: {fusion: true, utility: {judge: 1, rouge-l: 1}, min_confidence: 0}
quality: {toxicity: {model: talkative}}
"""


def with_helpers(base_url: str, key: str = "exclusive: ollama, ") -> str:
    return config_at(base_url, key).replace("talkative]}", "talkative], fusion: base, judge: careful}") + HELPERS


def test_what_step_5_asks_comes_when_all_voters_have_answered(tmp_path: Path) -> None:
    with model_server(0.01) as together, model_server(0.01) as apart:
        made(tmp_path / "together", with_helpers(together.base_url, ""))
        made(tmp_path / "apart", with_helpers(apart.base_url))
    assert passes(with_helpers("http://127.0.0.1:9/v1")) == [
        ("instances", ("base",)),
        ("outputs", ("careful",)),
        ("outputs", ("talkative",)),
        ("fusion", ("base",)),
        ("opinions", ("careful",)),
        ("opinions", ("talkative",)),
    ]
    assert loads(apart) == ["base", "voter_a", "voter_b", "base", "voter_a", "voter_b"]
    asked = [sorted((one.model, one.prompt) for one in server.asked) for server in (together, apart)]
    assert asked[0] == asked[1], "the same is asked, and nothing twice"


def test_replicas_change_places_together(tmp_path: Path) -> None:
    with model_server() as one, model_server() as other:
        text = config_at(f'["{one.base_url}", "{other.base_url}"]')
        assert made(tmp_path, text)
    for server in (one, other):
        assert loads(server) == ["base", "voter_a", "voter_b"]


def test_a_stopped_run_goes_on_in_the_pass_where_it_was(tmp_path: Path, cli: Cli) -> None:
    with model_server() as server:
        (tmp_path / "config.yaml").write_text(config_at(server.base_url))
        whole = made(tmp_path / "whole", config_at(server.base_url))
        asked = len(server.asked)
        stopped_in = [one.model for one in server.asked].index("voter_b") + 2
        server.hold_after(stopped_in)
        config = parse_config(config_at(server.base_url), "test", tmp_path)

        async def stopped() -> None:
            work = asyncio.ensure_future(start_or_resume(config, tmp_path / "run", Watch()))
            await asyncio.to_thread(server.wait_until_asked, asked + stopped_in + 1)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

        asyncio.run(stopped())
        server.go_on()
        before = len(server.asked)
        done = cli("run", "config.yaml", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "run" / "examples.jsonl") == whole
    assert {one.model for one in server.asked[before:]} == {"voter_b"}


def test_voters_of_tasks_of_ones_own_take_turns_and_keep_their_answers_under_other_names(
    tmp_path: Path, cli: Cli
) -> None:
    tasks = [{"instruction": f"Name the number {number}.", "input": "", "output": str(number)} for number in range(9)]
    (tmp_path / "tasks.jsonl").write_text("".join(f"{json.dumps(task)}\n" for task in tasks))
    with model_server(0.01) as server:
        (tmp_path / "config.yaml").write_text(config_at(server.base_url))
        begin = ("run", "config.yaml", "--instances", "tasks.jsonl", "--out", "run", "--allow-empty")
        assert cli(*begin, "--log-file", "run.log").returncode == 0
        assert "pass 2 of 3, up to outputs: talkative" in (tmp_path / "run.log").read_text()
        assert loads(server) == ["voter_a", "voter_b"]
        (tmp_path / "config.yaml").write_text(config_at(server.base_url).replace("careful", "other"))
        changed = cli(*begin)
        assert changed.returncode == 2
        assert "models.careful: is called other now" in changed.stderr
        assert "; this asks nothing again; " in changed.stderr
        assert cli(*begin, "--force").returncode == 0
        assert len(server.asked) == 18


def test_check_asks_them_one_after_the_other(tmp_path: Path, cli: Cli) -> None:
    with model_server(0.01) as server:
        (tmp_path / "config.yaml").write_text(config_at(server.base_url))
        done = cli("check", "config.yaml")
    assert done.returncode == 0, done.stderr
    assert loads(server) == ["base", "voter_a", "voter_b", "base", "voter_b"], "the last two for what they do over chat"


@pytest.mark.parametrize(("key", "names"), [("", ["base", "careful", "talkative"]), ("exclusive: ollama, ", [])])
def test_models_that_crowd_an_ollama_are_told(key: str, names: list[str]) -> None:
    url = "http://127.0.0.1:11434/v1"
    assert crowded_servers(parse_config(config_at(url, key), "test", Path())) == ({url: names} if names else {})
    assert not crowded_servers(parse_config(config_at("http://127.0.0.1:8000/v1", key), "test", Path()))


def test_it_can_be_set_for_a_run_that_began_without(tmp_path: Path) -> None:
    with model_server() as server:
        examples = made(tmp_path, config_at(server.base_url, ""))
        asked = len(server.asked)
        assert made(tmp_path, config_at(server.base_url)) == examples
    assert len(server.asked) == asked


def test_unload_says_the_same_of_this_process(tmp_path: Path) -> None:
    text = model_config("http://127.0.0.1:9/v1").replace(
        "{base_url: http://127.0.0.1:9/v1, model: base}", "{provider: ctranslate2, path: m, unload: true, exclusive: x}"
    )
    with pytest.raises(ConfigError, match=r":7: models\.base: give either 'exclusive' or 'unload'"):
        parse_config(text, "test", tmp_path)
