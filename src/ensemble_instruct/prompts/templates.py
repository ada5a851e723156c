"""The wording of what chat models are asked, as Jinja2 templates that come with the package."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template


def rendered(name: str, **values: Any) -> str:
    """The text of the template `name` with these values, without white space at its ends."""
    return _template(name).render(**values).strip()


@lru_cache
def _template(name: str) -> Template:
    source = (files("ensemble_instruct.prompts") / "templates" / f"{name}.j2").read_text(encoding="utf-8")
    return _environment().from_string(source)


@lru_cache
def _environment() -> Environment:
    # what is made is a text for a model, not a page: nothing is escaped
    return Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
