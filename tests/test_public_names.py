"""The front door for Python: what `import ensemble_instruct` has, and what it costs."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import ensemble_instruct
from ensemble_instruct.novelty import dedup, pool
from tests.conftest import ROOT

REFERENCE = ROOT / "docs" / "reference" / "python.md"
HEAVY = ("aiohttp", "asyncio", "numpy", "pydantic", "rich", "sqlite3", "uvloop", "yaml")


def in_a_child(program: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_all_public_names_are_in_the_reference_and_all_of_the_reference_is_public() -> None:
    documented = re.findall(r"^\.\. auto\w+:: ensemble_instruct\.(\w+)$", REFERENCE.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(ensemble_instruct.__all__)
    assert len(set(documented)) == len(documented)


@pytest.mark.parametrize("name", ensemble_instruct.__all__)
def test_each_name_is_the_one_of_the_module_that_type_checkers_read(name: str) -> None:
    source = Path(ensemble_instruct.__file__).read_text()
    (module,) = re.findall(rf"from (\S+) import .*\b{name}\b", source)
    assert getattr(ensemble_instruct, name) is getattr(import_module(module), name)
    assert name in dir(ensemble_instruct)


def test_another_name_is_an_error_that_says_so() -> None:
    with pytest.raises(AttributeError, match="module 'ensemble_instruct' has no attribute 'nonsense'"):
        _ = ensemble_instruct.nonsense


def test_the_import_loads_nothing_until_a_name_is_used() -> None:
    loaded = f"[name for name in {HEAVY} if name in sys.modules]"
    first, then, last = in_a_child(
        f"import sys, ensemble_instruct; print({loaded}); ensemble_instruct.Example; print({loaded}); "
        f"ensemble_instruct.Config; print({loaded})"
    ).splitlines()
    assert first == then == "[]"
    assert "pydantic" in last


def test_a_module_of_the_same_name_does_not_hide_a_function() -> None:
    """A package `ensemble_instruct.run` would replace the function `run` when it is imported."""
    assert not {path.stem for path in Path(ensemble_instruct.__file__).parent.iterdir()} & {*ensemble_instruct.__all__}


@pytest.mark.parametrize(
    "module", [ensemble_instruct, import_module("ensemble_instruct.agreement.ensemble"), dedup, pool]
)
def test_the_examples_in_the_docstrings_are_true(module: Any) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
