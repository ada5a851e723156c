"""The demo is a true run: real, if tiny, models; offline; the same examples twice; its result is counted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ensemble_instruct.config.bundled import preset_text
from ensemble_instruct.config.load import load_config
from tests.conftest import DEMO, Cli, rows

pytestmark = pytest.mark.slow

pytest.importorskip("ctranslate2", reason="the extra `demo` is not installed")


def test_the_demo_makes_the_same_examples_twice_and_counts_what_is_right(
    cli: Cli, tmp_path: Path, demo_run: Path
) -> None:
    done = cli(*DEMO, "second")
    assert done.returncode == 0, done.stderr
    examples = rows(demo_run / "examples.jsonl")
    assert len(examples) >= 20
    assert {row["kind"] for row in examples} == {"input_output", "output_only"}
    assert (tmp_path / "second" / "examples.jsonl").read_bytes() == (demo_run / "examples.jsonl").read_bytes()
    assert "tiny models on toy tasks" in done.stdout
    table = re.findall(
        r"^  (.+?)  +\d+ of +(\d+) right +(\d+)%  \((\d+) of (\d+) [a-z]+ have no known answer\)$",
        done.stdout,
        re.MULTILINE,
    )
    shares = {name: int(share) for name, _, share, *_ in table}
    assert all(int(known) + int(unknown) == int(outputs) for _, known, _, unknown, outputs in table)
    assert int(table[-1][-1]) == len(examples)
    assert list(shares) == ["tiny-base (its own outputs)", "tiny-a", "tiny-b", "kept, where they agree"]
    assert shares["kept, where they agree"] == max(shares.values())
    assert "scripted" not in done.stderr


def test_what_the_demo_runs_comes_with_the_package(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(preset_text("demo"), encoding="utf-8")
    config = load_config(tmp_path / "demo.yaml")
    assert all(config.models[name].is_bundled for name in config.used_models)
    assert sum(path.stat().st_size for name in config.used_models for path in _files(config.models[name].folder)) < 25e6
    other = cli("run", "demo.yaml", "--out", "run", "--dry-run")
    assert other.returncode == 0, other.stderr


def _files(folder: Path | None) -> list[Path]:
    assert folder is not None
    return [path for path in folder.iterdir() if path.is_file()]
