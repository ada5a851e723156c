"""Models of this process in a config: what names them, what is refused before anything is loaded, and how."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.config.load import parse_config
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import ConfigError, ModelError
from ensemble_instruct.models.clients import make_client
from tests.conftest import Folders

_ROLES = "roles: {instructions: m, instances: m, outputs: [m]}\n"


def test_replicas_of_a_folder_have_one_identity_whatever_the_place(folders: Folders, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folders["drawn"], copy)

    def identity(path: Path, **settings: Any) -> tuple[str, ...]:
        return ModelSection(provider="ctranslate2", path=path, **settings).identity

    known = identity(folders["drawn"])
    assert identity(copy) == known
    assert identity(copy, threads=2, batch_size=8, device="cpu", unload=True) == known
    others = [identity(copy, compute_type="int8"), identity(copy, endpoint="chat"), identity(folders["read"])]
    (copy / "config.json").write_text("{}", encoding="utf-8")
    assert len({known, *others, identity(copy)}) == 5


def test_a_bundled_model_is_found_in_the_package() -> None:
    text = f"{_ROLES}models: {{m: {{provider: ctranslate2, path: 'bundled:models/tiny-x'}}}}"
    section = parse_config(text, "test", Path("/anywhere")).models["m"]
    assert section.folder is not None
    assert section.folder.parts[-4:] == ("ensemble_instruct", "data", "models", "tiny-x")


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("{provider: transformers}", "needs either 'model', a name on the Hub, or 'path'"),
        (
            "{provider: transformers, model: x, options: {hf_token: y}}",
            "models.m.options.hf_token: must not hold a key",
        ),
        ("{provider: ctranslate2}", "models.m: provider: ctranslate2 needs 'path'"),
        (
            "{provider: ctranslate2, path: x, dtype: float16}",
            "'dtype' belongs to provider: transformers, vllm",
        ),
        ("{provider: openai, model: x, path: y}", "models.m: 'path' belongs to provider: ctranslate2"),
        ("{provider: ctranslate2, path: x, device: gpu}", "models.m.device: must be auto, cpu, cuda"),
    ],
)
def test_a_wrong_section_is_refused_with_its_key(model: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(f"{_ROLES}models: {{m: {model}}}", "test", Path("/anywhere"))
    assert problem in str(error.value)


def test_a_folder_without_a_model_is_refused_at_once(folders: Folders, tmp_path: Path) -> None:
    def refusal(path: Path) -> str:
        with pytest.raises(ConfigError) as error:
            make_client("m", ModelSection(provider="ctranslate2", path=path), None)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "models.m.path" in refusal(tmp_path / "nowhere")
    assert "has no model.bin" in refusal(tmp_path)
    shutil.copytree(folders["drawn"], tmp_path / "cut")
    (tmp_path / "cut" / "model.bin").write_bytes(b"nothing")
    assert "is no converted model" in refusal(tmp_path / "cut")
    shutil.copytree(folders["drawn"], tmp_path / "startless")
    (tmp_path / "startless" / "config.json").write_text('{"bos_token": null}', encoding="utf-8")
    assert "has no bos_token" in refusal(tmp_path / "startless")


def test_a_model_that_cannot_be_loaded_ends_with_one_line(folders: Folders, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(folders["drawn"], folder)
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")

    async def opening(**settings: Any) -> str:
        client = make_client("m", ModelSection(provider="ctranslate2", **settings), None)
        with pytest.raises(ModelError) as error:
            await client.open()
        await client.close()
        assert "\n" not in str(error.value)
        return str(error.value)

    assert asyncio.run(opening(path=folder)).startswith("model m: ")
    assert "compute type" in asyncio.run(opening(path=folders["drawn"], compute_type="int7"))


def test_a_missing_package_is_named(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ensemble_instruct.models.clients.local.local.find_spec", lambda package: None)
    with pytest.raises(ConfigError) as error:
        make_client("m", ModelSection(provider="ctranslate2", path=folders["drawn"]), None)
    assert str(error.value).startswith("models.m.provider: needs ctranslate2")
    assert str(error.value).endswith("pip install 'ensemble-instruct[ctranslate2]'")
