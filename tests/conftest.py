"""What the tests share: no network but loopback, the golden data, real servers and real command lines."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.support.finished import made_once
from tests.support.forks import Forks, forking, on_path
from tests.support.hostile import hostile_config
from tests.support.servers.meter import Paid, paid_run

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
PUBLISHED_RUN = SHARED / "golden" / "published-run"
COMMAND = Path(sys.executable).with_name("ensemble-instruct")

SIMULATED = str(ROOT / "tests" / "support" / "simulated" / "config.yaml")
"""A config whose models are the simulated ones: a whole run in less than a second."""

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the golden data is not here (../shared)")

Cli = Callable[..., subprocess.CompletedProcess[str]]


def pytest_configure() -> None:
    """Commands that tests start run the code of this tree, and find the simulated models, which are functions."""
    os.environ["ENSEMBLE_INSTRUCT_ALLOW_CODE"] = "1"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # the servers of tests are on this machine
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a script: commands would not hear it
        signal.signal(signal.SIGINT, signal.default_int_handler)


STARTING = {"cli", "forks"}
"""The fixtures that start commands."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that starts commands is slow, and so is all that says so of itself."""
    for item in items:
        if isinstance(item, pytest.Function) and STARTING & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close the network except loopback, and keep the caller's keys out of the tests."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """The one process from which a worker's commands are forked."""
    with forking(tmp_path_factory) as ready:
        yield ready


@pytest.fixture
def cli(forks: Forks, tmp_path: Path) -> Cli:
    """Run a command in `tmp_path`, in a process of its own; returns exit code, stdout and stderr as text."""

    def call(*arguments: str | Path, env: dict[str, str] | None = None, timeout: int = 300) -> Any:
        return forks.run(tmp_path, arguments, {**os.environ, **(env or {})}, timeout)

    return call


def _run(folder: Path, config: Path | str) -> None:
    """A finished run of a config, the folder `run` in `folder`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    command: list[str | Path] = [COMMAND, "run", config, "--out", "run"]
    done = subprocess.run(
        command, cwd=folder, env=environment | on_path(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the simulated models, the same for all tests: copied by a test that changes it."""
    return made_once(tmp_path_factory, "finished", lambda folder: _run(folder, SIMULATED)) / "run"


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose models write markup and lines of 100 kB; copied by a test that changes it."""
    return made_once(tmp_path_factory, "hostile", lambda folder: _run(folder, hostile_config(folder))) / "run"


@pytest.fixture(scope="session")
def paid(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paid]:
    """A finished run whose models have prices, with its server; copied by a test that changes it."""
    with paid_run(forks, tmp_path_factory.mktemp("paid")) as run:
        yield run


DEMO = ("run", "--preset", "demo", "--set", "instructions.target={input_output: 14, output_only: 12}", "--out")
"""A demo that is small enough for a test: `run` with the tiny models, to the folder that follows."""


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    """A finished, small run of the bundled demo, with the real if tiny models; copied by a test that changes it."""
    pytest.importorskip("ctranslate2", reason="the extra `demo` is not installed")

    def make(folder: Path) -> None:
        done = forks.run(folder, [*DEMO, "run"])
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "demo", make) / "run"


@contextmanager
def server(program: Path, *arguments: str) -> Iterator[str]:
    """Start a server of ../shared/tools on a free port; yields its base URL, which ends in /v1."""
    command = [sys.executable, str(program), "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://[\d.]+:\d+/v1", process.stdout.readline())
            assert found, "the server did not start"
            yield found[0]
        finally:
            process.kill()


def replay_server(*arguments: str) -> Any:
    """The recorded models of the published run."""
    return server(SHARED / "tools" / "replay_server.py", "--data", str(PUBLISHED_RUN), *arguments)


def stub_server(*arguments: str) -> Any:
    """The stub with latency, slots and faults; it needs aiohttp, which the product brings."""
    return server(SHARED / "tools" / "stub_llm.py", *arguments)


def stats(base_url: str) -> dict[str, Any]:
    """What a server of ../shared/tools counted."""
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/stats") as reply:
        counted: dict[str, Any] = json.load(reply)
        return counted


def published_config(base_url: str, strategy: str = "published", **settings: str) -> str:
    """A config that repeats the recorded half of the published run; `settings` are further top-level lines."""
    extra = "\n".join(f"{key}: {value}" for key, value in settings.items())
    return f"""
profile: published
seed_tasks: {PUBLISHED_RUN / "seed_tasks.jsonl"}
instructions: {{target: {{input_output: 100, output_only: 0}}}}
models:
  falcon-40b: {{base_url: {base_url}, model: tiiuae/falcon-40b, license: Apache-2.0}}
  flan-t5-xxl: {{base_url: {base_url}, model: google/flan-t5-xxl, license: Apache-2.0}}
  flan-ul2: {{base_url: {base_url}, model: google/flan-ul2, license: Apache-2.0}}
roles: {{instructions: falcon-40b, instances: falcon-40b, outputs: [flan-t5-xxl, flan-ul2]}}
ensemble: {{strategy: {strategy}}}
licenses: {{seed_tasks: Apache-2.0}}
{extra}
"""


def rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


class Folders:
    """The tiny models, made when they are asked for."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def of(self, provider: str, model: str) -> Path:
        return self.torch(model) if provider == "transformers" else self[model]

    def __getitem__(self, model: str) -> Path:
        """The folder of a model in the form of CTranslate2."""
        from tests.support import tiny_models

        made = {"alphabet": tiny_models.alphabet, "drawn": tiny_models.drawn, "read": tiny_models.read}
        folder = self._place / model
        return folder if folder.is_dir() else made[model](folder)

    def torch(self, model: str) -> Path:
        """The folder of a model in the form of transformers; skips where torch is not installed."""
        for package in ("torch", "transformers"):
            if find_spec(package) is None:
                pytest.skip(f"{package} is not installed; `make test-local` runs this")
        from tests.support.tiny_torch_models import MODELS

        folder = self._place / f"{model}-torch"
        return folder if folder.is_dir() else MODELS[model](folder)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """The folders of the tiny models."""
    return Folders(tmp_path_factory.mktemp("models"))
