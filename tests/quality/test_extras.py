"""Without its extras the package is small, and says in one line what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ensemble_instruct.errors import UsageError
from ensemble_instruct.files.dataset import open_dataset
from tests.conftest import SIMULATED, Cli
from tests.support.processes import PATIENCE

_WITHOUT_SACREBLEU = "import sys; sys.modules['sacrebleu'] = None; from ensemble_instruct.cli import main; main()"


def without_sacrebleu(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _WITHOUT_SACREBLEU, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("utility", ["chrf", "{rouge-l: 1, chrf: 1}", "{input_output: exact, output_only: chrf}"])
def test_a_config_that_wants_chrf_without_its_extra_asks_no_model(tmp_path: Path, utility: str) -> None:
    done = without_sacrebleu(tmp_path, "run", SIMULATED, "--out", "run", "--set", f"ensemble.utility={utility}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "pip install 'ensemble-instruct[chrf]'" in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_option_for_chrf_without_its_extra_is_one_line_and_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    assert cli("run", SIMULATED, "--out", "run").returncode == 0
    (tmp_path / "tasks.jsonl").write_text('{"instruction": "Add.", "input": "1, 2", "output": "3"}\n')
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("[!r]*")}
    files = ["--instances", "tasks.jsonl", "--outputs", "tasks.jsonl", "--to", "chosen.jsonl"]
    for command in (["ensemble", *files], ["ensemble", "--run", "run"], ["evaluate", "tasks.jsonl"]):
        done = without_sacrebleu(tmp_path, *command, "--utility", "chrf")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "pip install 'ensemble-instruct[chrf]'" in done.stderr
    assert not (tmp_path / "chosen.jsonl").exists()
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("[!r]*")} == before


@pytest.mark.slow
def test_what_needs_no_extra_goes_without_sacrebleu(tmp_path: Path) -> None:
    done = without_sacrebleu(tmp_path, "run", SIMULATED, "--out", "run")
    assert (done.returncode, (tmp_path / "run" / "examples.jsonl").stat().st_size > 0) == (0, True)


def test_parquet_without_pyarrow_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.parquet"
    path.write_bytes(b"PAR1 and more")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(
        "ensemble_instruct.files.parquet.find_spec", lambda name: None if name == "pyarrow" else object()
    )
    with pytest.raises(UsageError, match=r"ensemble-instruct\[parquet\]") as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)
