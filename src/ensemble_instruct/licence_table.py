"""The bundled table of licences: what each says of training other models with outputs, and whose it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Verdict = Literal["yes", "conditions", "no"]


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence, or the terms of a service, as one line of the table has it."""

    id: str
    """The SPDX id where there is one."""
    title: str
    outputs: Verdict
    """Whether outputs may train other models."""
    says: str
    """What it says of outputs, in a sentence."""
    source: str
    date: str
    hub: str | None = None
    """Its name on the Hub, or None where the Hub has none."""
    commercial: bool = True
    rank: int | None = None
    """How much it asks, compared with the others that leave outputs free; None for those that do not."""
    names: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    @property
    def is_permissive(self) -> bool:
        """Whether outputs may train other models, commercial ones too, be it with conditions."""
        return self.outputs != "no" and self.commercial


@cache
def licences() -> tuple[Licence, ...]:
    """All licences of the table."""
    import yaml

    text = (files("ensemble_instruct") / "data" / "licenses.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where it is there
    return tuple(_licence(row) for row in yaml.load(text, loader))  # noqa: S506 - both load plain values


def _licence(row: Mapping[str, Any]) -> Licence:
    several = {name: tuple(row.get(name, ())) for name in ("names", "models")}
    return Licence(**{**row, **several, "date": str(row["date"])})


def licence_called(name: str) -> Licence | None:
    """The licence of that id or name, in any case; None where the table has none."""
    return _by_name().get(_folded(name))


def licence_of_model(model: str) -> Licence | None:
    """The licence under which a model of that name was published, as far as the table knows."""
    name = model.lower()
    found = (entry for entry in licences() for pattern in entry.models if re.search(pattern, name))
    return next(found, None)


@cache
def _by_name() -> dict[str, Licence]:
    return {_folded(name): entry for entry in licences() for name in (entry.id, entry.hub or entry.id, *entry.names)}


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip()).lower().removeprefix("licenseref-")
