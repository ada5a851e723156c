"""Parts of the site that are made from the source, so that they cannot differ from it.

A page says `@@config@@`, `@@reasons@@`, `@@layers@@` or `@@rooms@@` on a line of its own, and gets the reference of the
config, the reasons of drops, the drawing of the layers, or the rooms with one line for each module.
"""

from __future__ import annotations

import ast
import inspect
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic_core import PydanticUndefined

from ensemble_instruct.config.schema import Config
from ensemble_instruct.config.section import Section
from ensemble_instruct.report.wording import REASONS

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "ensemble_instruct"
PLAIN = {int: "integer", float: "number", str: "text", bool: "true | false", Path: "path", Any: "anything"}
BOUNDS = {
    "ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}", "min_length": "at least {} of them",
    "max_length": "at most {} of them",
}  # fmt: skip


@dataclass(frozen=True)
class Key:
    """One key of the config: its dotted name, its own name, the section that it is in, and what it holds."""

    path: str
    name: str
    owner: type[Section]
    field: FieldInfo
    default: Any
    """What holds where the key is left out: a section above it may say so."""

    @property
    def section(self) -> tuple[type[Section] | None, str]:
        """The section that it holds, if any, and what stands between it and the keys below."""
        return _section_of(self.field.annotation)

    @property
    def keys(self) -> Iterator[Key]:
        """The keys below it, each followed by those below that one."""
        section, between = self.section
        if section is not None:
            yield from _keys(section, f"{self.path}.{between}", None if between else self.default)


def config_keys() -> list[Key]:
    """Every key, in the order of the schema; `NAME` is the name of a model, `N` a number in a list."""
    return list(_keys(Config, "", None))


def _keys(section: type[Section], prefix: str, default: Any) -> Iterator[Key]:
    for name, field in section.model_fields.items():
        own = field.get_default(call_default_factory=True)
        key = Key(prefix + name, name, section, field, getattr(default, name) if isinstance(default, Section) else own)
        yield key
        yield from key.keys


def config_reference() -> str:
    """A heading for each section, and under it all keys: type, default, meaning."""
    parts = ["## The run as a whole", ""]
    for key in config_keys():
        if "." not in key.path and key.section[0] is not None:
            parts += [f"## `{key.path}`", "", _markdown(meaning_of(key)), ""]
        else:
            parts += _entry(key)
    return "\n".join(parts)


def meaning_of(key: Key) -> str:
    """Its docstring, or that of the section that it holds."""
    return meanings(key.owner).get(key.name) or inspect.getdoc(key.section[0] or object()) or ""


def meanings(section: type[Section]) -> dict[str, str]:
    """The docstring of each key of a section that has one, those of the section that it extends among them."""
    base = section.__base__
    return {**(meanings(base) if base and issubclass(base, Section) else {}), **_own_meanings(section)}


def _own_meanings(section: type[Section]) -> dict[str, str]:
    source = Path(inspect.getfile(section)).read_text(encoding="utf-8")
    tree = ast.parse(source)
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == section.__name__)
    texts = {}
    for key, text in pairwise(body):
        if not (isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name) and isinstance(text, ast.Expr)):
            continue
        if isinstance(text.value, ast.Constant) and isinstance(text.value.value, str):
            texts[key.target.id] = inspect.cleandoc(text.value.value)
    return texts


def _entry(key: Key) -> list[str]:
    section, between = key.section
    kind = "section" if section and not between else _type(key.field.annotation)
    rules = [(rule, at) for rule in key.field.metadata for at in BOUNDS if getattr(rule, at, None) is not None]
    bounds = [BOUNDS[at].format(getattr(rule, at)) for rule, at in rules]
    default = "" if isinstance(key.default, Section) else _default(key.default)
    head = f"[`{key.path}`]{{#{_anchor(key.path)}}} `{', '.join([kind, *bounds])}{default}`"
    first, *more = _markdown(meaning_of(key)).splitlines()
    return [head, f": {first}", *(f"  {line}" if line else "" for line in more), ""]


def _anchor(key: str) -> str:
    return key.replace(".", "-").replace("_", "-").lower()


def _section_of(kind: Any) -> tuple[type[Section] | None, str]:
    """The section that a key holds, and what stands between the key and the section's own keys."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return kind, ""
    arguments = [argument for argument in get_args(kind) if argument not in (NoneType, str)]
    if len(arguments) == 1:
        section, _ = _section_of(arguments[0])
        return section, "NAME." if get_origin(kind) is dict else "N." if get_origin(kind) is list else ""
    return None, ""


def _type(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return " | ".join(arguments)
    if origin in (Union, UnionType):
        return " or ".join(_type(argument) for argument in arguments if argument is not NoneType)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"map of {_type(arguments[0])} to {_type(arguments[1])}"
    return PLAIN.get(kind) or "section"


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return ", required"
    shown = str(value).lower() if isinstance(value, bool) else value
    return f", default {shown}" if shown not in (None, "") else ""


def layers() -> list[list[str]]:
    """The packages of each layer, the highest first, as `make check` holds them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (house,) = (contract for contract in contracts if contract.get("containers") == ["ensemble_instruct"])
    return [[name.strip() for name in line.split("|")] for line in house["layers"]]


def drawing() -> str:
    """The layers as a drawing; each box leads to what the room is for."""
    rows = []
    for number, names in enumerate(layers()):
        boxes = "".join(f'<a href="#{name}">{name}</a>' for name in names)
        rows.append(f'<div class="layer"><span>{len(layers()) - number}</span><div>{boxes}</div></div>')
    return "\n".join(["```{raw} html", '<div class="layers">', *rows, "</div>", "```"])


def rooms() -> str:
    """Each room: what it is for, and one line for each module, from their docstrings."""
    parts = []
    for name in (name for names in layers() for name in names):
        folder = PACKAGE / name
        if not folder.is_dir():
            parts += [f"### {name}", "", _markdown(first_paragraph(folder.with_suffix(".py"))), ""]
            continue
        parts += [f"### {name}", "", _markdown(first_paragraph(folder / "__init__.py")), ""]
        for path in sorted(folder.rglob("*.py")):
            if path.name != "__init__.py":
                module = path.relative_to(folder).with_suffix("").as_posix()
                parts.append(f"- `{module}`: {_markdown(' '.join(first_paragraph(path).split()))}")
        parts.append("")
    return "\n".join(parts)


def first_paragraph(path: Path) -> str:
    """What a module says of itself first."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0]


def _markdown(text: str) -> str:
    """A docstring as Markdown: what is between backticks stays, the rest has no markup."""
    pieces = text.split("`")
    return "`".join(
        piece if at % 2 else escape(piece, quote=False).replace("*", "\\*") for at, piece in enumerate(pieces)
    )


def reasons() -> str:
    """Why a step drops something, in the words of the report."""
    return "\n".join(
        ["| reason | |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in sorted(REASONS.items()))]
    )


MADE = {"config": config_reference, "layers": drawing, "rooms": rooms, "reasons": reasons}


def _fill(_app: Sphinx, _name: str, source: list[str]) -> None:
    for word, make in MADE.items():
        if f"\n@@{word}@@\n" in source[0]:
            source[0] = source[0].replace(f"@@{word}@@", make())


def setup(app: Sphinx) -> dict[str, bool]:
    """Fill the pages when they are read, and read them at each build."""
    app.connect("source-read", _fill)
    app.connect("env-get-outdated", lambda *_: ["reference/config", "reference/files", "how/house"])
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    sys.stdout.write(config_reference())
