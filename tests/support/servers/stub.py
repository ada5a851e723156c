"""The module of the stub server, for what it answers, and a config of the simulated models besides its own."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from tests.conftest import SHARED

OTHERS = """
licenses: {policy: any}
instructions:
  target: {input_output: 5, output_only: 5}
  demonstrations: {input_output: 4, output_only: 4}
models:
  base: {provider: scripted, function: "tests.support.simulated.models:base"}
  a: {provider: scripted, function: "tests.support.simulated.models:voter_a"}
"""


def stub_llm() -> ModuleType:
    """The stub server's module, for its `expected`."""
    spec = importlib.util.spec_from_file_location("stub_llm", SHARED / "tools" / "stub_llm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
