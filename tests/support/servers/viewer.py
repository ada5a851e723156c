"""`ensemble-instruct view`, as a user starts it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import COMMAND


@contextmanager
def viewer(run: Path) -> Iterator[int]:
    """The installed command on a free port; yields the port."""
    command = [str(COMMAND), "view", str(run), "--no-open", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
            assert address, process.communicate()
            yield int(address[1])
        finally:
            process.kill()
