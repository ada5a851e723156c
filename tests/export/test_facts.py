"""What a card tells of a run: whose its files and models are, licences, revisions, merged runs, tables."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from ensemble_instruct.config.load import parse_config
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.export.card import dataset_card, licence_file
from ensemble_instruct.export.facts import read_facts, source_files
from ensemble_instruct.export.layout import Column, Split, Table
from ensemble_instruct.licences.policy import Part
from ensemble_instruct.licences.table import licence_called, licence_of_model
from ensemble_instruct.store.reading import MergedRun
from tests.conftest import SIMULATED
from tests.support.card_text import front, section, table
from tests.support.forks import Forks


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, finished_run: Path) -> Path:
    """A folder with a finished run, `my-demo_run`."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(finished_run, folder / "my-demo_run")
    return folder


def bundled_config() -> Config:
    """The config of the demo that comes with the package: and so do its files and models."""
    preset = files("ensemble_instruct") / "data" / "presets" / "demo.yaml"
    return parse_config(preset.read_text(encoding="utf-8"), "demo.yaml", Path.cwd())


def test_what_comes_with_the_package_is_not_called_its_owners(demo: Path) -> None:
    config = bundled_config()
    assert source_files(config) == ()
    card = dataset_card(replace(read_facts(demo / "my-demo_run"), config=config, files=()))
    method = section(card, "How it was made")
    assert ["seed tasks", "those of ensemble-instruct"] in table(method, "setting")
    assert [row[:3] for row in table(method, "model")] == [
        [name, name, "ensemble-instruct 0.1.0"] for name in ("tiny-base", "tiny-a", "tiny-b")
    ]
    assert front(card)["language"] == ["en"]
    assert "Models: tiny-base, tiny-a, tiny-b." in card


def test_a_copy_of_known_seed_tasks_is_in_their_language(demo: Path, tmp_path: Path) -> None:
    seeds = (files("ensemble_instruct") / "data" / "seed_tasks.jsonl").read_text("utf-8").splitlines()
    facts = read_facts(demo / "my-demo_run")
    copied = replace(facts, spoken="", config=facts.config.model_copy(update={"seed_tasks": tmp_path / "seeds.jsonl"}))
    (tmp_path / "seeds.jsonl").write_text("\n".join(seeds[:30]), "utf-8")
    assert copied.languages == ("en",)
    others = tuple(
        MergedRun(name=name, instructions=1, instances=1, dropped={}, settings={"seed_tasks": name})
        for name in ("a", "b")
    )
    assert not list(replace(copied, merged=others).languages)
    (tmp_path / "seeds.jsonl").write_text(seeds[0].replace("a", "ä"), "utf-8")
    assert not list(copied.languages)
    assert replace(copied, spoken="sv").languages == ("sv",), "the rows tell it before all others"


def test_a_merged_run_tells_its_runs_and_the_licences_of_all(forks: Forks, demo: Path, tmp_path: Path) -> None:
    """The second run's base model has no role in the merged one, and its licence holds all the same."""
    text = Path(SIMULATED).read_text(encoding="utf-8").replace("simulated-base", "other-base")
    text = text.replace("license: Apache-2.0", "license: llama3.1", 1).replace("input_output: 40", "input_output: 4")
    (tmp_path / "second.yaml").write_text(
        text.replace("seed: 42", "seed: 7").replace("output_only: 30", "output_only: 3")
    )
    assert forks.run(tmp_path, ["run", "second.yaml", "--out", "second"]).returncode == 0
    done = forks.run(tmp_path, ["merge", demo / "my-demo_run", "second", "--to", "both"])
    assert done.returncode == 0, done.stderr
    facts = read_facts(tmp_path / "both")
    card = dataset_card(facts)
    assert front(card)["license_name"] == "apache-2.0-and-llama3.1"
    method = section(card, "How it was made")
    assert [row[:3] for row in table(method, "run")] == [["my-demo_run", "42", "70"], ["second", "7", "7"]]
    assert {row[0] for row in table(method, "step")} <= {"instructions", "instances", "outputs"}
    assert {row[0] for row in table(method, "model")} == {row[2] for row in table(method, "step")}
    assert ["model simulated-base of run second", "llama3.1"] in [
        row[:2] for row in table(section(card, "Licences"), "of")
    ]


def test_a_config_by_which_the_examples_were_not_made_is_refused(forks: Forks, demo: Path, tmp_path: Path) -> None:
    shutil.copytree(demo / "my-demo_run", tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("strategy: balanced", "strategy: consensus"), encoding="utf-8")
    message = forks.refused(tmp_path, "card", "run")
    assert 'ensemble.strategy is "consensus", but the examples were made with "balanced"' in message
    config.write_text(text.replace("license: Apache-2.0", "license: MIT", 1), encoding="utf-8")
    assert "| MIT | yes |" in forks.run(tmp_path, ["card", "run"]).stdout


@pytest.mark.parametrize(
    ("declared", "model", "shown", "verdict"),
    [
        (None, "llama3.1:8b", "not declared (published under llama3.1, as far as its name tells)", "unknown"),
        ("MIT", "google/gemma-2-9b", "MIT (published under gemma, as far as its name tells)", "yes"),
        ("Apache-2.0 OR MIT", "qwen2.5:7b", "Apache-2.0 OR MIT", "yes"),
        ("Apache-2.0 AND CC-BY-4.0", "qwen2.5:7b", "Apache-2.0 AND CC-BY-4.0", "with conditions"),
    ],
)
def test_the_card_says_what_was_declared_and_what_the_name_tells(
    demo: Path, declared: str | None, model: str, shown: str, verdict: str
) -> None:
    licence = licence_called(declared) if declared else None
    part = Part(
        title="model m",
        key="models.m.license",
        declared=declared,
        licence=licence,
        model=model,
        published=licence_of_model(model),
    )
    facts = replace(read_facts(demo / "my-demo_run"), parts=(part,))
    ((_, declared_as, outputs, says, source),) = table(section(dataset_card(facts), "Licences"), "of")
    assert (declared_as, outputs) == (shown, verdict)
    known = licence or licence_of_model(model)
    assert known is not None
    for one in known.each:
        assert one.source in source
        assert one.says.replace('"', "").split()[-1] in says
        assert one.source in licence_file(facts) or not facts.licence.links


def test_columns_that_are_there_are_explained_and_rows_are_those_of_the_main_table(demo: Path) -> None:
    pairs = Table("default", (Split("train", 1000),), (Column("prompt", "text"), Column("chosen", "text")))
    facts = replace(read_facts(demo / "my-demo_run"), tables=(pairs,))
    card = dataset_card(facts)
    assert "`chosen` is the output that won" in card
    assert "`matrix`" not in section(card, "The data")
    assert front(card)["size_categories"] == ["1K<n<10K"]


def test_a_declared_revision_of_a_served_model_is_told_and_is_part_of_the_key(demo: Path) -> None:
    served = ModelSection(base_url="http://127.0.0.1:1/v1", model="Qwen/Qwen2.5-7B", revision="abc123")
    assert served.identity != served.model_copy(update={"revision": None}).identity
    facts = read_facts(demo / "my-demo_run")
    models = {**facts.config.models, "simulated-a": served}
    card = dataset_card(replace(facts, config=facts.config.model_copy(update={"models": models})))
    assert ["simulated-a", "Qwen/Qwen2.5-7B", "abc123"] in [
        row[:3] for row in table(section(card, "How it was made"), "model")
    ]
    assert "Models: [Qwen/Qwen2.5-7B](https://huggingface.co/Qwen/Qwen2.5-7B) at abc123." in card


def test_seeds_that_an_engine_does_not_take_are_told(demo: Path) -> None:
    facts = read_facts(demo / "my-demo_run")
    without = replace(facts, requests=(replace(facts.requests[0], unseeded=3), *facts.requests[1:]))
    assert "Drawn without one, as far as is known: 3 of simulated-base in instructions" in dataset_card(without)
    assert "Drawn without one" not in dataset_card(facts)
