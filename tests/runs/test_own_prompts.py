"""A run with prompts of the user's own: they are asked, kept with the run, and a change of them is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from ensemble_instruct.prompts.folder import write_prompts
from tests.conftest import rows
from tests.support.finished import stored
from tests.support.forks import Forks, tree
from tests.support.servers.model import ModelServer, model_config, model_server

pytestmark = pytest.mark.slow
RUN = ("run", "my.yaml", "--out", "run")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with prompts, two of which are changed: one of step 4 over completions, one over chat."""
    write_prompts(tmp_path / "prompts")
    for form in ("completions", "chat"):
        path = tmp_path / "prompts" / form / "outputs.j2"
        path.write_text(f"{path.read_text()}Be brief ({form}).\n")
    return tmp_path


def configure(folder: Path, server: ModelServer, **more: object) -> None:
    values = yaml.safe_load(model_config(server.base_url))
    (folder / "my.yaml").write_text(yaml.safe_dump({**values, "prompts": "prompts", **more}))


def test_what_is_asked_is_what_the_templates_say(forks: Forks, folder: Path) -> None:
    with model_server() as server:
        configure(folder, server)
        done = forks.run(folder, RUN)
        assert done.returncode == 0, done.stderr
    card = forks.run(folder, ["card", "run"]).stdout
    assert (
        "worded by the owner, in place of what comes with ensemble-instruct: `chat/outputs.j2`, `completions/" in card
    )
    ends = {asked.model: asked.prompt.rstrip().splitlines()[-1] for asked in server.asked if "Be brief" in asked.prompt}
    assert ends == {"voter_a": "Be brief (chat).", "voter_b": "Be brief (completions)."}
    assert {asked.model for asked in server.asked if "Be brief" not in asked.prompt} == {"base"}


def test_a_run_goes_on_without_the_folder_of_the_config(forks: Forks, folder: Path) -> None:
    with model_server() as server:
        configure(folder, server)
        assert forks.run(folder, RUN).returncode == 0
        asked, made = len(server.asked), (folder / "run" / "examples.jsonl").read_bytes()
        kept = {path.relative_to(folder / "run"): text for path, text in tree(folder / "run" / "prompts").items()}
        assert kept == {path.relative_to(folder): text for path, text in tree(folder / "prompts").items()}
        shutil.rmtree(folder / "prompts")
        (folder / "run" / "examples.jsonl").unlink()
        for place in ("run", "moved"):
            if place == "moved":
                (folder / "run").rename(folder / "moved")
            done = forks.run(folder, ["run", "--out", place])
            assert done.returncode == 0, done.stderr
            assert (folder / place / "examples.jsonl").read_bytes() == made
        assert len(server.asked) == asked
        gone = forks.run(folder, ["run", "my.yaml", "--out", "moved"])
    assert gone.returncode == 2
    assert gone.stderr.startswith(f"error: prompts: {folder}/prompts: is no folder; ")


def test_a_changed_template_is_said_before_anything_is_asked_again(forks: Forks, folder: Path) -> None:
    with model_server() as server:
        configure(folder, server)
        assert forks.run(folder, RUN).returncode == 0
        asked = len(server.asked)
        path = folder / "prompts" / "completions" / "outputs.j2"
        path.write_text("{# a comment of mine #}\n" + path.read_text())
        (folder / "prompts" / "chat" / "rating.j2").write_text("Nobody is asked this: {{ output }} {{ reference }}")
        assert forks.run(folder, RUN).returncode == 0, "neither changes what is asked"
        assert len(server.asked) == asked

        path.write_text(path.read_text() + "At most ten words.\n")
        done = forks.run(folder, RUN)
        assert done.returncode == 2
        assert (
            "the config has changed: prompts.completions/outputs.j2: is another text now; this asks again: "
            in done.stderr
        )
        assert len(server.asked) == asked
        assert forks.run(folder, [*RUN, "--force"]).returncode == 0
        assert {one.model for one in server.asked[asked:]} == {"voter_b"}
        assert "At most ten words." in (folder / "run" / "prompts" / "completions" / "outputs.j2").read_text()


def test_a_mistake_is_found_before_anything_is_asked_or_written(forks: Forks, folder: Path) -> None:
    with model_server() as server:
        configure(folder, server)
        (folder / "prompts" / "chat" / "fusion.j2").write_text("\n\n{{ outpust }}")
        before = tree(folder)
        for arguments in (RUN, ["check", "my.yaml"], ["preview", "my.yaml"], [*RUN, "--dry-run"]):
            done = forks.run(folder, arguments)
            assert done.returncode == 2
            assert done.stderr.startswith(f"error: {folder}/prompts/chat/fusion.j2:3: 'outpust' is no name here; names")
        assert server.asked == []
        assert tree(folder) == before


def test_each_step_alone_asks_with_them_too(forks: Forks, folder: Path) -> None:
    with model_server() as server:
        configure(folder, server)
        path = folder / "prompts" / "completions" / "instances.j2"
        path.write_text("Work it out.\n" + path.read_text())
        commands = (
            ["instructions", "my.yaml", "--kind", "output_only", "--to", "1.jsonl"],
            ["instances", "my.yaml", "--kind", "output_only", "--instructions", "1.jsonl", "--to", "2.jsonl"],
            ["parse", "--instances", "2.jsonl", "--to", "3.jsonl"],
            ["outputs", "my.yaml", "--model", "talkative", "--instances", "3.jsonl", "--to", "4.jsonl"],
        )
        for arguments in commands:
            done = forks.run(folder, arguments)
            assert done.returncode == 0, done.stderr
    assert any(asked.prompt.startswith("Work it out.\ninstruction: ") for asked in server.asked)
    assert any(asked.prompt.endswith("Be brief (completions).") for asked in server.asked)
    assert rows(folder / "4.jsonl")


def test_what_judges_said_is_found_again_when_the_folder_has_changed(forks: Forks, folder: Path) -> None:
    verdict = folder / "prompts" / "completions" / "verdict.j2"
    verdict.write_text("{{ one }}\nor\n{{ other }}\nThe same? same, partly or different:\n")
    judged = {"ensemble": {"strategy": "balanced", "utility": {"judge": 1}}}
    with model_server() as server:
        configure(folder, server, **judged)
        values = yaml.safe_load((folder / "my.yaml").read_text())
        values["roles"]["judge"] = "talkative"
        (folder / "my.yaml").write_text(yaml.safe_dump(values))
        done = forks.run(folder, RUN)
        assert done.returncode in (0, 1), done.stderr
        assert any("The same? same, partly or different:" in asked.prompt for asked in server.asked)
        before = stored(folder / "run", "SELECT step, reason, COUNT(*) FROM rejected GROUP BY step, reason")
        verdict.write_text("Another question: {{ one }}{{ other }}")
        assert forks.run(folder, ["select", "run", "--utility", "judge"]).returncode in (0, 1)
    assert stored(folder / "run", "SELECT step, reason, COUNT(*) FROM rejected GROUP BY step, reason") == before
