"""`ensemble.min_agreement` is the old name of `ensemble.min_confidence`: it works, with one line that says so."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml

from ensemble_instruct.config.load import load_config
from ensemble_instruct.errors import ConfigError
from tests.conftest import Cli

NOTE = "ensemble.min_agreement is called min_confidence now"


def config(folder: Path, **ensemble: object) -> Path:
    """The path of a config with this section."""
    models = {"model": {"provider": "scripted", "function": "some:function", "license": "MIT"}}
    roles = {"instructions": "model", "instances": "model", "outputs": ["model"]}
    path = folder / "my.yaml"
    path.write_text(yaml.safe_dump({"models": models, "roles": roles, "ensemble": ensemble}), encoding="utf-8")
    return path


def notes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_old_key_is_read_as_the_new_one_with_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    section = load_config(path := config(tmp_path, min_agreement=0.3)).ensemble
    assert section == load_config(config(tmp_path, min_confidence=0.3)).ensemble
    assert "min_agreement" not in section.model_dump()
    (note,) = notes(caplog)
    assert note == f"{path}:2: {NOTE}"


def test_an_override_may_have_the_old_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = config(tmp_path)
    assert load_config(path, overrides=["ensemble.min_agreement=0.3"]).ensemble.min_confidence == 0.3
    assert load_config(path, overrides={"ensemble": {"min_agreement": 0.4}}).ensemble.min_confidence == 0.4
    assert notes(caplog) == [f"--set ensemble.min_agreement=0.3: {NOTE}", f"overrides: {NOTE}"]


@pytest.mark.parametrize("other", ["min_confidence", "keep"])
def test_the_old_key_and_another_bound_are_an_error(tmp_path: Path, other: str) -> None:
    with pytest.raises(ConfigError, match=r"give either '.*min_agreement.* not both"):
        load_config(config(tmp_path, min_agreement=0.3, **{other: 0.3}))


@pytest.mark.parametrize(
    ("section", "least"),
    [
        ({"min_agreement": None}, None),
        ({"min_agreement": None, "min_confidence": 0.3}, 0.3),
        ({"min_agreement": 0.3, "min_confidence": None, "keep": None}, 0.3),
        ({"min_agreement": None, "keep": 0.5}, None),
    ],
)
def test_null_counts_as_not_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, section: dict[str, float | None], least: float | None
) -> None:
    assert load_config(config(tmp_path, **section)).ensemble.min_confidence == least
    assert len(notes(caplog)) == (section.get("min_agreement") is not None)


@pytest.mark.parametrize("value", [1.5, -0.1, "much", True])
@pytest.mark.parametrize("name", ["min_agreement", "min_confidence"])
def test_a_value_that_cannot_be_is_refused_in_its_line(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"my\.yaml:2: ensemble\.{name}: "):
        load_config(config(tmp_path, **{name: value}))


def test_the_old_option_works_with_one_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text('{"instruction": "Say it.", "input": "", "output": "a b"}\n')
    (tmp_path / "other.jsonl").write_text('{"instruction": "Say it.", "input": "", "output": "a c"}\n')
    files = ("ensemble", "--instances", "tasks.jsonl", "--outputs", "other.jsonl", "--strategy", "consensus")
    older = cli(*files, "--to", "older.jsonl", "--min-agreement", "0.5")
    newer = cli(*files, "--to", "newer.jsonl", "--min-confidence", "0.5")
    assert (older.returncode, newer.returncode) == (0, 0), older.stderr
    assert older.stderr == f"note: --min-agreement is called --min-confidence now\n{newer.stderr}"
    assert (tmp_path / "older.jsonl").read_bytes() == (tmp_path / "newer.jsonl").read_bytes() != b""
    for other in ("--keep", "--min-confidence"):
        refused = cli(*files, "--to", "x.jsonl", "--min-agreement", "0.5", other, "0.5")
        assert refused.returncode == 2
        assert "give either" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
