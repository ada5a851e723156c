"""What a resumed run asks again where a model's section has changed: what can change an answer, and that alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

import pytest

from tests.conftest import Cli
from tests.support.finished import stored
from tests.support.forks import Forks
from tests.support.servers.model import ModelServer, model_config, model_server


@dataclass(frozen=True)
class Begun:
    """A finished run, and the server that answered it."""

    folder: Path
    server: ModelServer


@pytest.fixture(scope="module")
def begun(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun]:
    place = tmp_path_factory.mktemp("begun")
    with model_server() as server:
        (place / "config.yaml").write_text(model_config(server.base_url, 4, 3))
        done = forks.run(place, ["run", "config.yaml", "--out", "run"])
        assert done.returncode == 0, done.stderr
        yield Begun(place / "run", server)


@dataclass(frozen=True)
class Resumed:
    """What resuming a copy with changed settings came to."""

    code: int
    said: str
    asked: Counter[str]
    """Requests by the model's name on the server."""


def resumed(begun: Begun, cli: Cli, folder: Path, *settings: str, force: bool = False) -> Resumed:
    if not (folder / "run").exists():
        copytree(begun.folder, folder / "run")
    before = len(begun.server.asked)
    options = [*(f"--set=models.{setting}" for setting in settings), *(["--force"] if force else [])]
    done = cli("run", "run/config.yaml", "--out", "run", *options, env={"KEY": "a-value"})
    return Resumed(
        done.returncode, done.stdout + done.stderr, Counter(asked.model for asked in begun.server.asked[before:])
    )


@pytest.mark.parametrize(("setting", "shown"), [
    ("careful.system=Be brief.", 'models.careful.system: null → "Be brief."'),
    ("careful.sampling.temperature=0.5", "models.careful.sampling.temperature: null → 0.5"),
    ("careful.sampling.reasoning_effort=low", 'models.careful.sampling.reasoning_effort: null → "low"'),
    ("careful.extra_body={chat_template_kwargs: {enable_thinking: false}}",
     "models.careful.extra_body.chat_template_kwargs.enable_thinking: null → false"),
    ("careful.extra_body={a: {}}", "models.careful.extra_body.a: null → {}"),
    ("careful.query={api-version: '1', key: '${KEY}'}", 'models.careful.query.api-version: null → "1"'),
])  # fmt: skip
def test_what_can_change_an_answer_is_asked_again_and_that_is_said_before(
    begun: Begun, cli: Cli, tmp_path: Path, setting: str, shown: str
) -> None:
    answers = stored(begun.folder, "SELECT COUNT(*) FROM request WHERE model = 'careful'")[0][0]
    stopped = resumed(begun, cli, tmp_path, setting)
    assert stopped.code == 2
    assert stopped.asked == Counter()
    assert shown in stopped.said
    assert f"this asks again: {answers} answers of step outputs" in stopped.said
    forced = resumed(begun, cli, tmp_path, setting, force=True)
    assert forced.code == 0, forced.said
    assert forced.asked == {"voter_a": answers}
    assert resumed(begun, cli, tmp_path).asked == Counter()


@pytest.mark.parametrize("setting", [
    "careful.headers={api-key: '${KEY}'}", "careful.ca_file=/etc/ssl/certs/ca-certificates.crt",
    "careful.sampling={}", "careful.extra_body={}", "careful.api_key_env=KEY", "careful.known_as=null",
])  # fmt: skip
def test_what_changes_no_answer_asks_nothing_again(begun: Begun, cli: Cli, tmp_path: Path, setting: str) -> None:
    if "ca_file" in setting and not Path(setting.partition("=")[2]).exists():
        pytest.skip("this system keeps its certificates elsewhere")
    done = resumed(begun, cli, tmp_path, setting)
    assert (done.code, done.asked) == (0, Counter()), done.said


def test_a_server_that_has_moved_keeps_its_answers_under_its_old_address(
    begun: Begun, cli: Cli, tmp_path: Path
) -> None:
    old = begun.server.base_url
    moved = old.replace("127.0.0.1", "localhost")
    stopped = resumed(begun, cli, tmp_path, f"careful.base_url={moved}")
    assert stopped.code == 2
    assert f'models.careful.base_url: "{old}" → "{moved}"' in stopped.said
    assert f"set models.careful.known_as={old}" in stopped.said
    done = resumed(begun, cli, tmp_path, f"careful.base_url={moved}", f"careful.known_as={old}/")
    assert (done.code, done.asked) == (0, Counter()), done.said
    assert f"known_as: {old}/" in (tmp_path / "run" / "config.yaml").read_text()
    again = resumed(begun, cli, tmp_path, f"careful.base_url={old}")  # moved once more
    assert (again.code, again.asked) == (0, Counter()), again.said


def test_a_model_gets_its_own_settings_in_every_step(begun: Begun, cli: Cli, tmp_path: Path) -> None:
    own = {"temperature": 0.9, "presence_penalty": 0.25, "max_tokens": 77}
    models: dict[str, dict[str, object]] = {
        "base": {"sampling": own, "extra_body": {"x": [1, {"y": None}]}},
        "careful": {"system": "Be brief.", "sampling": own},
    }
    config = model_config(begun.server.base_url, 2, 2)
    (tmp_path / "config.yaml").write_text(config)
    before = len(begun.server.asked)
    settings = [f"--set=models.{m}.{k}={json.dumps(v)}" for m, keys in models.items() for k, v in keys.items()]
    done = cli("run", "config.yaml", "--out", "run", *settings)
    assert done.returncode == 0, done.stderr
    bodies = [asked.body for asked in begun.server.asked[before:]]
    changed = [body for body in bodies if body["model"] != "voter_b"]
    assert len(changed) > 8
    for body in changed:
        assert {name: body[name] for name in own} == own
        assert ("x" in body) == (body["model"] == "base")
        if body["model"] == "voter_a":
            assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert not [body for body in bodies if body["model"] == "voter_b" and "presence_penalty" in body]
    kept = [json.loads(text) for (text,) in stored(tmp_path / "run", "SELECT settings FROM sampling")]
    assert {settings.get("presence_penalty") for settings in kept} == {None, 0.25}
    assert cli("report", "run").returncode == 0
    assert cli("export", "run", "--format", "hub", "--dry-run", "--to", "data").returncode == 0
    card = (tmp_path / "data" / "README.md").read_text()
    assert "temperature 0.9, top-k 50, presence penalty 0.25, 15 to 77 tokens" in card
    assert "of careful in outputs (output_only)" in card.split("Drawn without one")[1].splitlines()[0]
    assert "* careful got with each request: the system message `Be brief.`\n" in card
    assert '* base got with each request: in the body `{"x": [1, {"y": null}]}`\n' in card
