"""What a folder declares of its files, so that `datasets` loads them as what they are (`trainers/loads.py` does)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests.conftest import rows
from tests.support.forks import Forks
from tests.support.made_run import made_examples, make_run

SIZE = 60


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, `run`, and one with other texts of the same number, `other`."""
    folder = tmp_path_factory.mktemp("place")
    make_run(folder / "run", made_examples(SIZE))
    make_run(folder / "other", made_examples(2 * SIZE)[:SIZE])
    return folder


def declared(forks: Forks, place: Path, folder: Path, *arguments: str, run: str = "run") -> dict[str, Any]:
    """The front matter of the `README.md` that an export to a folder has, or nothing."""
    done = forks.run(place, ["export", run, "--to", f"{folder}/", "--format", *arguments])
    assert (done.returncode, done.stderr) == (0, "")
    if not (folder / "README.md").exists():
        return {}
    front: dict[str, Any] = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    return front


@pytest.mark.parametrize("split", ["fit=0.5,held_out=0.5", "train=0.5,dev=0.5"])
def test_files_of_lines_whose_names_say_no_split_are_declared(
    forks: Forks, place: Path, tmp_path: Path, split: str
) -> None:
    front = declared(forks, place, tmp_path / "out", "messages", "--split", split)
    names = [part.partition("=")[0] for part in split.split(",")]
    files = [{"split": name, "path": f"{name}.jsonl"} for name in names]
    assert front["configs"] == [{"config_name": "default", "default": True, "data_files": files}]
    assert front["dataset_info"][0]["splits"] == [
        {"name": name, "num_bytes": path.stat().st_size, "num_examples": len(rows(path))}
        for name in names
        for path in [tmp_path / "out" / f"{name}.jsonl"]
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["messages", "--split", "train=0.6,validation=0.2,test=0.2"],
        ["alpaca"],
        ["parquet", "--split", "fit=0.5,held_out=0.5"],
    ],
)
def test_what_needs_no_declaration_has_none(forks: Forks, place: Path, tmp_path: Path, arguments: list[str]) -> None:
    assert declared(forks, place, tmp_path / "out", *arguments) == {}


def test_the_table_of_candidates_is_declared_also_without_the_hub(forks: Forks, place: Path, tmp_path: Path) -> None:
    arguments = ["parquet", "--candidates", "--shard-size", "5KB", "--split", "train=0.8,test=0.2"]
    front = declared(forks, place, tmp_path / "out", *arguments)
    for config, sizes, name, folder in zip(
        front["configs"], front["dataset_info"], ("default", "candidates"), ("data", "candidates"), strict=True
    ):
        assert config["config_name"] == sizes["config_name"] == name
        assert [part["split"] for part in config["data_files"]] == ["train", "test"]
        for part, size in zip(config["data_files"], sizes["splits"], strict=True):
            files = sorted((tmp_path / "out").glob(part["path"]))
            assert {path.parent.name for path in files} == {folder}
            assert size["num_examples"] == sum(pq.read_metadata(path).num_rows for path in files)
        assert sizes["download_size"] == sum(path.stat().st_size for path in (tmp_path / "out" / folder).iterdir())
        assert sizes["dataset_size"] == sum(size["num_bytes"] for size in sizes["splits"])


def test_two_datasets_of_one_name_differ_in_what_they_declare(forks: Forks, place: Path, tmp_path: Path) -> None:
    """By that `datasets` tells a folder from one that it has loaded before."""
    arguments = ["hub", "--dry-run"]
    for run in ("run", "other"):
        (tmp_path / run).mkdir()
    one, other = (declared(forks, place, tmp_path / run / "hub", *arguments, run=run) for run in ("run", "other"))
    assert one["configs"] == other["configs"]
    assert one["dataset_info"] != other["dataset_info"]
    assert declared(forks, place, tmp_path / "run" / "hub", *arguments) == one
