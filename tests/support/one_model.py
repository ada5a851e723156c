"""A config with one model at a server, tasks for it, and the command of step 4 that asks it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.good_input import write

OUTPUTS = ["outputs", "config.yaml", "--model", "real", "--instances", "tasks.jsonl", "--to", "out.jsonl"]
ANY_LICENCE = {"licenses": {"policy": "any"}}


def configure(folder: Path, base_url: str | Sequence[str], inputs: Sequence[str], **settings: Any) -> None:
    """A config with one model, `settings` among its own, and one task for each input."""
    model = {"base_url": base_url, "model": "org/model", "endpoint": "chat", "max_in_flight": 64, **settings}
    roles = {"instructions": "real", "instances": "real", "outputs": ["real"]}
    (folder / "config.yaml").write_text(json.dumps({"models": {"real": model}, "roles": roles, **ANY_LICENCE}))
    write(folder / "tasks.jsonl", *({"instruction": "What is it?", "input": name, "output": "?"} for name in inputs))
