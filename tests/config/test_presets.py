"""Each preset is a config that `check` would go on with: valid, with models that are known by name and admitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ensemble_instruct.config.bundled import preset_names, preset_text
from ensemble_instruct.config.load import load_config
from ensemble_instruct.licences.policy import require_admitted
from ensemble_instruct.licences.table import licence_of_model
from ensemble_instruct.runs.passes import passes_of
from tests.conftest import Cli

RUN_HERE = ("demo", "published")
"""Presets whose models were run: the second one's by the record of the published run."""


@pytest.mark.parametrize("preset", preset_names())
def test_the_models_of_a_preset_are_admitted_and_known_under_the_licence_that_it_names(preset: str) -> None:
    config = load_config(preset=preset)
    require_admitted(config)
    for name, model in config.models.items():
        published = licence_of_model(model.public_name)
        assert name in config.used_models
        assert model.license is not None
        assert model.is_bundled or (published is not None and published.id == model.license), model.public_name


@pytest.mark.parametrize("preset", sorted(set(preset_names()) - set(RUN_HERE)))
def test_a_preset_whose_models_were_not_run_says_so(preset: str) -> None:
    assert "# Not run " in preset_text(preset)


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_gives_a_plan_without_a_server(cli: Cli, tmp_path: Path, preset: str) -> None:
    done = cli("run", "--preset", preset, "--out", "run", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "requests" in done.stdout
    assert not list(tmp_path.iterdir())


def test_the_models_of_ollama_are_loaded_once_each() -> None:
    config = load_config(preset="ollama")
    assert [one.asked for one in passes_of(config)] == [("qwen",), ("granite",), ("phi",)]
    assert len({model.exclusive for model in config.models.values()}) == 1
