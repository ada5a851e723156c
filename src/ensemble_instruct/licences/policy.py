"""The licences of a run: what was declared, whether the policy admits it, and what follows for the dataset.

Nothing here is legal advice: it repeats what the config declares and what the table says of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ensemble_instruct.config.bundled import is_users
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import ConfigError
from ensemble_instruct.licences.table import Licence, licence_called, licence_of_model, licences_named
from ensemble_instruct.records import KINDS

BUNDLED = "Apache-2.0"
"""Of the seed tasks and demonstrations that come with this package."""
LICENCE_FILE = "LICENSE.md"
"""Where a dataset has the text about its licence."""
_SHOWN = 3
"""Further keys that an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Something that the dataset comes from: a model, or a file of seed tasks or demonstrations."""

    title: str
    key: str
    """Where the config declares its licence; empty for what comes with this package."""
    declared: str | None
    licence: Licence | None
    """What the table knows of it."""
    model: str = ""
    published: Licence | None = None
    """Under which licence a model of that name was published, as far as the table knows."""
    own: bool = False
    """Whether it is a function of the user's, which needs no licence."""

    @property
    def verdict(self) -> str:
        """Whether outputs may train other models: yes, conditions, no, or unknown."""
        if self.licence is None:
            return "your own" if self.own and self.declared is None else "unknown"
        return self.licence.outputs if self.licence.commercial else "non-commercial"


@dataclass(frozen=True, slots=True)
class DerivedLicence:
    """What follows for the dataset from all that was declared."""

    hub: str
    """What the card writes: a name that the Hub knows, `other`, or `unknown`."""
    name: str
    """An id of its own where `hub` is `other`, else empty."""
    reason: str
    """By which rule, in half a sentence."""
    links: tuple[str, ...] = ()
    """Where its text can be read: one address, or one for each of several."""


def parts_of(config: Config, models: Iterable[str] | None = None) -> tuple[Part, ...]:
    """The models (all that have a role, unless named), the seed tasks and demonstrations, what merged runs add."""
    names = config.used_models if models is None else models
    return (*(_model_part(config, name) for name in names), *_file_parts(config), *_merged_parts(config))


def _model_part(config: Config, name: str) -> Part:
    section = config.models[name]
    declared = section.license
    return Part(
        title=f"model {name}",
        key=f"models.{name}.license",
        declared=declared,
        licence=None if declared is None else licence_called(declared),
        model=section.model,
        published=licence_of_model(section.model),
        own=section.provider == "scripted",
    )


def _file_parts(config: Config) -> list[Part]:
    kinds = [kind for kind in KINDS if config.instructions.target.of(kind) and config.tasks != "instances"]
    demonstrations = [config.instances.demonstrations.of(kind) for kind in kinds]
    section, has_seeds = config.licenses, config.tasks is None
    declarations = [
        ("your tasks", "licenses.tasks", section.tasks, config.tasks is not None),
        ("seed tasks", "licenses.seed_tasks", section.seed_tasks, has_seeds and is_users(config.seed_tasks)),
        ("demonstrations", "licenses.demonstrations", section.demonstrations, any(map(is_users, demonstrations))),
    ]
    parts = [
        Part(title=title, key=key, declared=declared, licence=None if declared is None else licence_called(declared))
        for title, key, declared, is_own in declarations
        if is_own
    ]
    bundled = ["seed tasks"] if has_seeds and not is_users(config.seed_tasks) else []
    if not all(map(is_users, demonstrations)):
        bundled.append("demonstrations")
    if bundled:
        parts.append(
            Part(title=f"bundled {' and '.join(bundled)}", key="", declared=BUNDLED, licence=licence_called(BUNDLED))
        )
    return parts


def _merged_parts(config: Config) -> list[Part]:
    parts = []
    for place, entry in enumerate(config.licenses.merged):
        kind, _, name = entry.part.partition(" ")
        plain = (
            _model_part(config, name)
            if kind == "model" and name in config.models
            else Part(title="", key="", declared=None, licence=None)
        )
        licence = None if entry.license is None else licence_called(entry.license)
        title, key = f"{entry.part} of run {entry.run}", f"licenses.merged.{place}.license"
        parts.append(replace(plain, title=title, key=key, declared=entry.license, licence=licence))
    return parts


def require_admitted(config: Config) -> None:
    """Raise `ConfigError` where the policy does not admit a licence of a run, or the lack of one."""
    _require(config, parts_of(config))


def require_declared_admitted(config: Config, model: str) -> None:
    """Raise `ConfigError` where the policy does not admit what is declared, or known by a name, for a step alone.

    What is neither goes on: a step writes a file for its user, and no dataset with a licence.
    """
    _require(config, [part for part in parts_of(config, [model]) if part.declared or part.published])


def _require(config: Config, parts: Sequence[Part]) -> None:
    if config.licenses.policy == "any":
        return
    problems = [(part, problem) for part in parts if (problem := _problem(part))]
    if problems:
        first, problem = problems[0]
        others = [part.key for part, _ in problems[1:]]
        named = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        more = f" (and {len(others)} more: {named})" if others else ""
        raise ConfigError(
            f"{first.key}: {problem}, which the policy for licences does not admit; set {first.key} to the "
            f"licence that holds, such as Apache-2.0, or licenses.policy to any{more}"
        )


def _problem(part: Part) -> str:
    called = f" of {part.model}" if part.model else ""
    if part.declared is None and part.own:
        return ""
    known = part.published if part.declared is None else part.licence
    if known is None:
        if part.declared is None:
            return f"the licence{called} is not declared"
        return f"nothing is known of the licence {part.declared!r}{called}"
    name = part.declared or known.id
    if name.lower() != known.title.lower():
        name += f" ({known.title})"
    if part.declared is None:
        name += ", by its name the licence,"
    if known.outputs == "no":
        return f"{name} does not let outputs{called} train other models"
    return "" if known.commercial else f"{name}{called} permits no commercial use"


def notes(config: Config) -> list[str]:
    """What its owner should know of a run that may go on: a declaration that looks wrong, conditions, unused keys."""
    lines = []
    for part in parts_of(config):
        if part.declared is None and not part.own and config.licenses.policy == "permissive":
            lines.append(f"{part.key}: is not declared, so the licence of the dataset is unknown{_by_name(part)}")
        if part.published and part.declared and part.published.id not in licences_named(part.declared):
            lines.append(
                f"{part.key}: is {part.declared}, but {part.model} was published under {part.published.id} "
                f"({part.published.source}), as far as the name tells"
            )
        known = part.licence or part.published
        if known is not None and part.key and (known.outputs != "yes" or not known.commercial):
            lines.append(f"{part.key}: {known.title}: {known.says} ({known.source})")
    if config.licenses.seed_tasks is not None and config.seed_tasks is None:
        lines.append(f"licenses.seed_tasks: is not used, as the bundled seed tasks are {BUNDLED}")
    if config.licenses.demonstrations is not None and not any(
        part.title == "demonstrations" for part in parts_of(config)
    ):
        lines.append(f"licenses.demonstrations: is not used, as the bundled demonstrations are {BUNDLED}")
    return lines


def _by_name(part: Part) -> str:
    if part.published is None:
        return ""
    return f"; {part.model} was published under {part.published.id} ({part.published.source}), as far as the name tells"


def _not_declared(part: Part) -> str:
    return "not declared" if part.published is None else f"not declared ({part.published.id} by its name)"


def licence_lines(config: Config) -> list[str]:
    """All licences of a run as a table: what, declared, whether its outputs may train other models."""
    rows = [(part.title, part.declared or _not_declared(part), part.verdict) for part in parts_of(config)]
    rows = [("licence of", "declared", "outputs train others"), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    derived = derive(parts_of(config))
    lines = [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows]
    return [*lines, f"licence of the dataset: {derived.name or derived.hub} ({derived.reason})"]


def derive(parts: Sequence[Part]) -> DerivedLicence:
    """The licence of a dataset made of these parts.

    Where something is not declared or not known: `unknown`. Where all declared the same: that one. Where all leave
    outputs free: the one of them that asks most. Else `other`, with the names of all.
    """
    silent = [part.title for part in parts if part.licence is None]
    known = {licence.id: licence for part in parts if part.licence for licence in part.licence.each}
    if silent:
        return DerivedLicence("unknown", "", f"no known licence is declared for {', '.join(silent)}")
    entries = sorted(known.values(), key=lambda entry: entry.rank or 0)
    last = entries[-1]
    if len(entries) == 1 and last.outputs != "no" and last.hub:
        return DerivedLicence(last.hub, "", f"all that it is made of is under {last.id}", (last.source,))
    if all(entry.rank for entry in entries) and last.hub:
        free = ", ".join(entry.id for entry in entries)
        return DerivedLicence(last.hub, "", f"{free} all leave outputs free, and it asks most of them", (last.source,))
    bound = ", ".join(entry.title for entry in entries if not entry.rank)
    return DerivedLicence(
        "other",
        "-and-".join(sorted(entry.id.lower() for entry in entries)),
        f"it goes with the terms of {bound}" if bound else "the Hub has no name for it",
        tuple(entry.source for entry in entries),
    )
