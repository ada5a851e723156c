"""Every key that a user can set says what it does: the reference of the config is made from these sentences."""

from __future__ import annotations

import ast
import importlib
import inspect
from itertools import pairwise

import pytest

from ensemble_instruct.config.section import Section

_MODULES = ("licenses", "load", "models", "quality", "schema", "section", "steps")


def _sections() -> list[type[Section]]:
    modules = [importlib.import_module(f"ensemble_instruct.config.{name}") for name in _MODULES]
    classes = {value for module in modules for value in vars(module).values() if inspect.isclass(value)}
    return sorted((each for each in classes if issubclass(each, Section)), key=lambda section: section.__qualname__)


@pytest.mark.parametrize("section", _sections())
def test_each_key_of_a_section_has_a_sentence_on_what_it_does(section: type[Section]) -> None:
    body = ast.parse(inspect.getsource(section)).body[0]
    assert isinstance(body, ast.ClassDef)
    described = {
        statement.target.id
        for statement, following in pairwise(body.body)
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
    }
    own = {name for name in section.model_fields if name in section.__annotations__}

    assert own - described == set()
