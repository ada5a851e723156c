"""The package as it is published: the wheel, in an environment of its own and away from this tree, works as the tree.

An editable install finds a file that the wheel forgot: a template, a page, a model of the demo.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path
from sysconfig import get_path
from zipfile import ZipFile

import pytest

from tests.conftest import DEMO, ROOT

pytestmark = pytest.mark.slow

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    where = ["--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run([*PIP, "wheel", str(ROOT), *where], check=True)
    (path,) = folder.glob("ensemble_instruct-*.whl")
    return path


@pytest.fixture(scope="module")
def programs(wheel: Path) -> Path:
    """The folder with the programs of an environment that has the wheel, and sees the dependencies of this one."""
    environment = wheel.parent / "environment"
    venv.create(environment)
    programs = environment / "bin"
    subprocess.run([*PIP, "--python", programs / "python", "install", "--no-deps", "--no-index", wheel], check=True)
    # Python reads no .pth files of a folder that a .pth file names: an editable install there stays unseen.
    own = get_path("purelib", vars={"base": str(environment)})
    (Path(own) / "dependencies.pth").write_text(f"{get_path('purelib')}\n{get_path('platlib')}\n", encoding="utf-8")
    return programs


def done(program: Path, *arguments: str, folder: Path) -> str:
    """What a program prints that is run in a folder, and knows nothing of this tree."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        [program, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    source = ROOT / "src"
    files = [path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    with ZipFile(wheel) as archive:
        assert {path.relative_to(source).as_posix() for path in files} <= set(archive.namelist())


def test_what_is_installed_makes_the_demo_as_this_tree_does(programs: Path, demo_run: Path, tmp_path: Path) -> None:
    module = done(
        programs / "python", "-c", "import ensemble_instruct; print(ensemble_instruct.__file__)", folder=tmp_path
    )
    assert Path(module.strip()).is_relative_to(programs.parent)
    command = programs / "ensemble-instruct"
    done(command, *DEMO, "run", folder=tmp_path)
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == (demo_run / "examples.jsonl").read_bytes()
    done(command, "export", "run", "--format", "messages", "--to", "messages.jsonl", folder=tmp_path)
    done(command, "export", "run", "--format", "parquet", "--to", "dataset/", "--candidates", folder=tmp_path)
    done(command, "report", "run", "--to", "report.html", folder=tmp_path)
    assert done(command, "card", "run", folder=tmp_path).startswith("---\n")
    assert "--port" in done(command, "view", "--help", folder=tmp_path)
    done(command, "init", "my.yaml", folder=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "run", "messages.jsonl", "dataset", "report.html", "my.yaml"
    }  # fmt: skip
