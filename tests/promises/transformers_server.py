"""The five steps against `transformers serve`, over a model trained on the spot: part of `make test-local`.

It needs torch and transformers[serving]; not part of the default suite.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import COMMAND, rows
from tests.support.processes import done

_PATIENCE = 1800.0


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the model."""
    if given := os.environ.get("TOY_MODEL"):
        return Path(given)
    from tests.support.toy_model import made

    return made(tmp_path_factory.mktemp("toy") / "model")


@contextmanager
def served(folder: Path, log: Path) -> Iterator[str]:
    """A server over the model: its base URL. The model's name there is its folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = ("--host", "127.0.0.1", "--port", port, "--device", "cpu")
    command = (COMMAND.with_name("transformers"), "serve", folder, *address)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"}
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}/v1/models", process, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])


def config(base_url: str, toy: Path) -> str:
    place = f"base_url: '{base_url}', model: '{toy}', license: Apache-2.0"
    return f"""
seed_tasks: {toy}/seeds.jsonl
instructions:
  target: {{input_output: 4, output_only: 4}}
  demonstrations: {{input_output: 4, output_only: 4}}
  machine_demonstrations: 2
  window: 4
  sampling: {{max_tokens: 60}}
instances:
  demonstrations:
    input_output: {toy}/demonstrations_input_output.jsonl
    output_only: {toy}/demonstrations_output_only.jsonl
  sampling: {{max_tokens: 90}}
outputs: {{sampling: {{max_tokens: 40}}}}
models:
  base: {{{place}}}
  plain: {{{place}}}
  chat: {{{place}, endpoint: chat}}
roles: {{instructions: base, instances: base, outputs: [plain, chat]}}
"""


def test_the_five_steps_against_transformers_serve(toy: Path, tmp_path: Path) -> None:
    with served(toy, tmp_path / "server.log") as base_url:
        (tmp_path / "config.yaml").write_text(config(base_url, toy))
        said = done(tmp_path, "check", "config.yaml")
        print(said)
        assert said.count(" says ") == 3
        print(done(tmp_path, "run", "config.yaml", "--out", "run"))
        print(done(tmp_path, "run", "config.yaml", "--out", "run"), "resumed")
    examples = rows(tmp_path / "run" / "examples.jsonl")
    for example in examples:
        print(example["kind"], [example["instruction"], example["input"], example["output"]], example["agreement"])
    assert {example["kind"] for example in examples} == {"input_output", "output_only"}
    assert all(len(example["candidates"]) >= 2 for example in examples)
