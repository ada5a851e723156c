"""Steps 1 and 2 ask a chat model for JSON where its server holds it to a schema: found out once, kept by the run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import rows
from tests.support.chat_styles import NUMBERS, PLAIN
from tests.support.finished import change, stored
from tests.support.forks import Forks
from tests.support.servers.chat import Schemas, asked_for, chat_config, chat_models

IN_JSON = {"instructions": True, "instances": True, "outputs": False}
AS_TEXT = dict.fromkeys(IN_JSON, False)


def properties(body: Mapping[str, Any]) -> list[str]:
    """The names in the schema that a request asks for; empty where it asks for any text."""
    return list(body.get("response_format", {}).get("json_schema", {}).get("schema", {}).get("properties", {}))


def is_probe(body: Mapping[str, Any]) -> bool:
    return bool(set(properties(body)) - {"tasks", "input", "output"})


def with_schema(bodies: Iterable[Mapping[str, Any]]) -> dict[str, bool]:
    """Of each step that was asked, whether its requests ask for JSON: all of them do, or none."""
    found: dict[str, set[bool]] = {}
    for body in bodies:
        if not is_probe(body):
            found.setdefault(asked_for(body)[0], set()).add(bool(properties(body)))
    assert all(len(each) == 1 for each in found.values())
    return {step: each.pop() for step, each in found.items()}


def run(forks: Forks, folder: Path, *arguments: str) -> None:
    done = forks.run(folder, ["run", *arguments, "--out", "run"])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("schemas", "expected"), [("follows", IN_JSON), ("ignores", AS_TEXT), ("refuses", AS_TEXT)])
def test_a_server_is_asked_for_json_if_it_follows_the_schema(
    forks: Forks, tmp_path: Path, schemas: Schemas, expected: dict[str, bool]
) -> None:
    with chat_models(schemas=schemas) as models:
        (tmp_path / "config.yaml").write_text(chat_config(models.served.base_url))
        run(forks, tmp_path, "config.yaml")
    bodies = models.served.bodies
    assert [is_probe(body) for body in bodies] == [True] + [False] * (len(bodies) - 1)
    assert with_schema(bodies) == expected
    examples = rows(tmp_path / "run" / "examples.jsonl")
    assert len(examples) == 8
    assert {row["instruction"] for row in examples} <= models.tasks.keys()


@pytest.mark.parametrize(("before", "after", "expected"), [("follows", "ignores", True), ("ignores", "follows", False)])
def test_a_resumed_run_goes_by_what_was_found_out_although_the_server_does_otherwise(
    forks: Forks, tmp_path: Path, before: Schemas, after: Schemas, expected: bool
) -> None:
    folder = tmp_path / "run"
    with chat_models(schemas=before) as models:
        (tmp_path / "config.yaml").write_text(chat_config(models.served.base_url))
        run(forks, tmp_path, "config.yaml")
        examples = (folder / "examples.jsonl").read_bytes()
        keys = stored(folder, "SELECT key FROM request ORDER BY key")
        change(folder, "DELETE FROM request WHERE step IN ('instances', 'outputs') AND rowid % 2")
        change(folder, "DELETE FROM request WHERE step = 'instructions' AND turns = 0 AND rowid = 1")
        change(folder, "UPDATE meta SET value = 'running' WHERE name = 'state'")
        (folder / "examples.jsonl").unlink()
        models.schemas = after
        models.served.bodies.clear()
        run(forks, tmp_path)
        assert with_schema(models.served.bodies) == {"instances": expected, "outputs": False}
    assert (folder / "examples.jsonl").read_bytes() == examples
    assert not any(map(is_probe, models.served.bodies))
    assert len(stored(folder, "SELECT key FROM request ORDER BY key")) == len(keys) - 1


@pytest.mark.parametrize(("structured", "expected"), [("never", AS_TEXT), ("always", IN_JSON)])
def test_a_config_may_decide_by_itself(
    forks: Forks, tmp_path: Path, structured: str, expected: dict[str, bool]
) -> None:
    with chat_models(schemas="follows") as models:
        (tmp_path / "config.yaml").write_text(chat_config(models.served.base_url, structured=structured))
        run(forks, tmp_path, "config.yaml")
    assert not any(map(is_probe, models.served.bodies))
    assert with_schema(models.served.bodies) == expected


def test_each_model_of_steps_1_and_2_is_asked_for_itself(forks: Forks, tmp_path: Path) -> None:
    with chat_models(NUMBERS, "refuses") as refusing, chat_models(PLAIN, "follows") as following:
        config = json.loads(chat_config(following.served.base_url))
        config["models"]["lister"] = {**config["models"]["writer"], "base_url": refusing.served.base_url}
        config["roles"]["instructions"] = "lister"
        (tmp_path / "config.yaml").write_text(json.dumps(config))
        run(forks, tmp_path, "config.yaml")
    assert with_schema(refusing.served.bodies) == {"instructions": False}
    assert with_schema(following.served.bodies) == {"instances": True, "outputs": False}
    assert [sum(map(is_probe, models.served.bodies)) for models in (refusing, following)] == [1, 1]
