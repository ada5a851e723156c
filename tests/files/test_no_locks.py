"""File systems without locks: all is written there as elsewhere, and nothing of another process is taken away."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ensemble_instruct.files.atomic import whole_file
from ensemble_instruct.files.atomic_folder import whole_folder
from tests.conftest import COMMAND, SIMULATED, rows

_NO_FLOCK = """
import fcntl, os

def flock(*_):
    raise OSError(int(os.environ["NO_FLOCK"]), "no locks here")

fcntl.flock = flock
"""


@pytest.fixture(params=[errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EBADF])
def without_locks(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of commands whose file system has no locks; systems say so by different numbers."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_NO_FLOCK, encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path / "site"), os.environ["PYTHONPATH"]])
    return {**os.environ, "PYTHONPATH": paths, "NO_FLOCK": str(request.param), "ENSEMBLE_INSTRUCT_ALLOW_CODE": "1"}


@pytest.mark.slow
def test_runs_exports_and_merges_work_without_locks(
    finished_run: Path, tmp_path: Path, without_locks: dict[str, str]
) -> None:
    shutil.copytree(finished_run, tmp_path / "other")
    for arguments in (
        ("run", SIMULATED, "--out", "run"),
        ("export", "run", "--format", "messages", "--to", "file.jsonl"),
        ("export", "run", "--format", "messages", "--to", "folder/"),
        ("export", "run", "--format", "hub", "--dry-run"),
        ("merge", "run", "other", "--to", "both"),
    ):
        done = subprocess.run(
            [COMMAND, *arguments], cwd=tmp_path, env=without_locks, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == (finished_run / "examples.jsonl").read_bytes()
    assert len(rows(tmp_path / "file.jsonl")) == len(rows(tmp_path / "both" / "examples.jsonl")) > 0
    assert not list(tmp_path.rglob("*.partial"))


def test_what_may_be_another_writers_stays_where_no_lock_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    (tmp_path / ".file.ab12cd34.partial").touch()
    (tmp_path / ".folder.ab12cd34.partial").mkdir()
    with whole_file(tmp_path / "file"), whole_folder(tmp_path / "folder"):
        pass
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"file", "folder", ".file.ab12cd34.partial", ".folder.ab12cd34.partial"}
