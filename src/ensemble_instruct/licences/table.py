"""The bundled table of licences: what each says of training other models with outputs, and whose it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from ensemble_instruct.licences.model_names import is_named

Verdict = Literal["yes", "conditions", "no"]
"""Whether outputs may train other models."""
_LONGEST = 300
"""Of an expression that is read, in letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """Its name on the Hub; None where it has no name there."""
    commercial: bool = True
    rank: int | None = None
    """How much it asks, compared with the others that leave outputs free; None for those that do not."""
    names: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    parts: tuple[Licence, ...] = ()
    """Where several hold together (`MIT AND CC-BY-4.0`): each of them."""

    @property
    def each(self) -> tuple[Licence, ...]:
        """The lines of the table that it is made of: itself, or each of several that hold together."""
        return self.parts or (self,)


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
    """The licence of that id or name, in any case, or of an SPDX expression; None where the table has none.

    Of alternatives (`OR`) it is the one of those known that asks least. Where several hold (`AND`) it is as strict as
    all of them, and says what all say; None if one is not known. An exception (`WITH`) only permits more, and so does
    `+` ("or a later one"): there it is the licence itself.
    """
    return _by_name().get(_folded(name)) or _expression(name.strip())


def licences_named(name: str) -> frozenset[str]:
    """The ids of the licences that an expression names, whichever of them is chosen."""
    names = (name, *re.split(r"(?i)\s+(?:or|and|with)\s+|[()]", name))
    return frozenset(known.id for one in names if (known := _by_name().get(_folded(one).removesuffix("+"))))


def licence_of_model(model: str) -> Licence | None:
    """The licence under which a model of that name was published, as far as the table knows."""
    return next((entry for entry in licences() for pattern in entry.models if is_named(model, pattern)), None)


@cache
def _by_name() -> dict[str, Licence]:
    return {_folded(name): entry for entry in licences() for name in (entry.id, entry.hub or entry.id, *entry.names)}


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip()).lower().removeprefix("licenseref-")


def _expression(text: str) -> Licence | None:
    if len(text) > _LONGEST:
        return None
    alternatives = _split(text, "or")
    if len(alternatives) > 1:
        known = [licence for one in alternatives if (licence := licence_called(one))]
        return min(known, key=_demand, default=None)
    together = [licence_called(one) for one in several] if len(several := _split(text, "and")) > 1 else []
    if together:
        return _all_of([licence for licence in together if licence]) if all(together) else None
    if text.startswith("(") and text.endswith(")"):
        return licence_called(text[1:-1])
    alone = re.sub(r"(?i)\s+with\s+[a-z0-9.-]+$", "", text).removesuffix("+")
    return _by_name().get(_folded(alone))


def _split(text: str, word: str) -> list[str]:
    """The text cut at a word, where that is outside of all brackets."""
    cuts = [match.span() for match in re.finditer(rf"(?i)(?<=[\s)]){word}(?=[\s(])", text)]
    outside = [cut for cut in cuts if text.count("(", 0, cut[0]) == text.count(")", 0, cut[0])]
    begins, ends = [0, *(end for _, end in outside)], [*(begin for begin, _ in outside), len(text)]
    return [text[begin:end].strip() for begin, end in zip(begins, ends, strict=True)]


def _demand(licence: Licence) -> tuple[bool, bool, bool, int]:
    """How much it asks, to compare by: to train with outputs at all, to sell, then what to pass on."""
    return licence.outputs == "no", not licence.commercial, licence.rank is None, licence.rank or 0


def _all_of(licences: Sequence[Licence]) -> Licence:
    """One that is as strict as all of them together."""
    parts = tuple({part.id: part for licence in licences for part in licence.each}.values())
    strictest = max(parts, key=_demand)
    if len(parts) == 1:
        return strictest
    is_free = all(part.rank for part in parts)
    return Licence(
        id="-and-".join(part.id for part in parts),
        title=" and ".join(part.title for part in parts),
        outputs=strictest.outputs,
        says=" ".join(part.says for part in parts),
        source=strictest.source,
        date=min(part.date for part in parts),
        hub=strictest.hub if is_free else None,
        commercial=all(part.commercial for part in parts),
        rank=strictest.rank if is_free else None,
        parts=parts,
    )
