"""One config out of those of several runs: what may differ, and what a model is called where two have its name."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ensemble_instruct.config.licenses import MergedLicense
from ensemble_instruct.config.load import validated
from ensemble_instruct.config.schema import Config, voters_for
from ensemble_instruct.config.steps import MOST_VOTERS, InstancesSection
from ensemble_instruct.errors import ConfigError, UsageError
from ensemble_instruct.licences.policy import parts_of, require_admitted
from ensemble_instruct.records import KINDS, OF_THREE
from ensemble_instruct.runs.fingerprint import SELECTING, fingerprint

Fingerprint = dict[str, Any]
_OF_ALL = ("models.", "roles.outputs", "roles.merged", "outputs.samples", "instructions.target.")
"""What the keys begin with that a merged run has from all of its runs; it has the others from the first."""
_BUNDLED = ("bundled seed tasks", "bundled demonstrations", "bundled seed tasks and demonstrations")
"""What comes with this package, all under one licence."""
_COMPARED = (*SELECTING, "models.", "roles.", "outputs.samples", "profile")
"""What the keys begin with that must be as they were when the run was made."""


@dataclass(frozen=True, slots=True)
class Source:
    """A finished run that is to be merged."""

    label: str
    """How the merged run calls it."""
    folder: Path
    config: Config
    fingerprint: Fingerprint
    """The settings that its records were made with."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merged run is set up with."""

    config: Config
    fingerprint: Fingerprint
    names: tuple[dict[str, str], ...]
    """For each run its models by the names that they have in the merged one."""

    def voters(self, number: int, source: Source) -> dict[str, str]:
        """The voters of one of the runs by the names that they have in the merged one."""
        return {
            voter.name: other.name
            for name in source.config.roles.outputs
            for voter, other in zip(
                voters_for(name, source.config.outputs.samples_of(name)),
                voters_for(self.names[number][name], source.config.outputs.samples_of(name)),
                strict=True,
            )
        }


def merged_config(sources: Sequence[Source], to: Path) -> Merged:
    """The config of the merged run: voters, models and licences of all, the rest as the first has it.

    Raises `UsageError` for settings that cannot be merged: what step 5 goes by must be the same, the profile too, and
    so must be what the helpers are of which a run has only one. Raises `ConfigError` for a licence of one run that the
    policy of another does not admit.
    """
    first = sources[0]
    for source in sources:
        _require_unchanged(source)
        _require_same(first, source)
    policy = _require_admitted(sources)
    names = _names(sources)
    samples = _samples(sources, names)
    _require_possible_voters(first, samples)
    values = first.config.model_dump(mode="json")
    values["models"] = {
        new: source.config.models[old].model_dump(mode="json")
        for source, renamed in reversed([*zip(sources, names, strict=True)])
        for old, new in renamed.items()
    }
    values["models"] = dict(sorted(values["models"].items(), key=lambda item: [*samples, item[0]].index(item[0])))
    # by name: the voters, who are the judges where a config names none, are those of all runs now
    judges = [names[0][name] for name in first.config.judges]
    values["roles"] |= {"outputs": list(samples), "judges": judges or None, "merged": []}
    values["licenses"]["merged"] = []
    values["outputs"]["samples"] = samples if any(count > 1 for count in samples.values()) else 1
    targets = {kind: sum(source.config.instructions.target.of(kind) for source in sources) for kind in KINDS}
    values["instructions"]["target"] = targets
    config = validated(values, f"{to}: merged")
    others = [name for name in config.models if name not in config.used_models]
    config = config.model_copy(update={"roles": config.roles.model_copy(update={"merged": others})})
    licenses = {"policy": policy, "merged": _further_licences(config, sources, names)}
    config = config.model_copy(update={"licenses": config.licenses.model_copy(update=licenses)})
    return Merged(config, _fingerprint(config, sources, names), names)


def _fingerprint(config: Config, sources: Sequence[Source], names: Sequence[Mapping[str, str]]) -> Fingerprint:
    """The settings that the records of the merged run were made with: those of the first, with what is of all."""
    known = {key: value for key, value in sources[0].fingerprint.items() if not key.startswith(_OF_ALL)}
    known |= {f"instructions.target.{kind}": config.instructions.target.of(kind) for kind in KINDS}
    known["roles.outputs"] = config.roles.outputs
    if config.roles.merged:
        known["roles.merged"] = config.roles.merged
    known |= {f"outputs.samples.{voter.model}": voter.of for voter in config.voters if voter.of > 1}
    for source, renamed in reversed([*zip(sources, names, strict=True)]):
        known |= _model_settings(source.fingerprint, renamed)
    return known


def _require_admitted(sources: Sequence[Source]) -> str:
    """The strictest policy for licences; raise `ConfigError` where a run is not admitted by it."""
    whose = next((source for source in sources if source.config.licenses.policy == "permissive"), sources[0])
    policy = whose.config.licenses.policy
    for source in sources:
        licenses = source.config.licenses.model_copy(update={"policy": policy})
        try:
            require_admitted(source.config.model_copy(update={"licenses": licenses}))
        except ConfigError as error:
            from_where = "" if source.config.licenses.policy == policy else f"; it is the policy of {whose.folder}"
            raise ConfigError(f"{source.folder / 'config.yaml'}: {error}{from_where}") from error
    return policy


def _further_licences(
    config: Config, sources: Sequence[Source], names: Sequence[Mapping[str, str]]
) -> list[MergedLicense]:
    """What the runs are made of, apart from what the config of the merged one says already."""
    parts = parts_of(config)
    covered = {(part.title, part.declared) for part in parts}
    covered |= {(title, part.declared) for part in parts if not part.key for title in _BUNDLED}
    first_runs: dict[tuple[str, str | None], str] = {}
    for source, renamed in zip(sources, names, strict=True):
        for run, title, declared in _declared(source):
            kind, _, name = title.partition(" ")
            named = f"model {renamed[name]}" if kind == "model" and name in renamed else title
            if (named, declared) not in covered:
                first_runs.setdefault((named, declared), run)
    return [MergedLicense(run=run, part=title, license=declared) for (title, declared), run in first_runs.items()]


def _declared(source: Source) -> Iterator[tuple[str, str, str | None]]:
    """For each part of a run: the run, what it is, and the licence that was declared for it."""
    section = source.config.licenses
    own = source.config.model_copy(update={"licenses": section.model_copy(update={"merged": []})})
    yield from ((source.label, part.title, part.declared) for part in parts_of(own))
    yield from ((f"{source.label}/{entry.run}", entry.part, entry.license) for entry in section.merged)


def _require_unchanged(source: Source) -> None:
    """The config must be the one by which the records were made: it says which model is which."""
    before, config = source.fingerprint, source.config
    # files that are read alone when a run begins need not be there any more
    now = fingerprint(config.model_copy(update={"seed_tasks": None, "instances": InstancesSection()}))
    compared = {key: now.get(key) for key in before if key.startswith(_COMPARED)}
    compared |= {key: value for key, value in now.items() if key.startswith(SELECTING)}
    changed = sorted(key for key, value in compared.items() if value != before.get(key))
    if changed:
        command = "select" if changed[0].startswith(SELECTING) else "run --out"
        raise UsageError(
            f"{source.folder}: {changed[0]} has been changed since it ended; let it follow first: "
            f"ensemble-instruct {command} {source.folder}"
        )


def _require_same(first: Source, source: Source) -> None:
    """Raise where a setting differs of which the merged run can have only one."""
    one, other = _of_one(first), _of_one(source)
    differing = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    if differing:
        key = differing[0]
        raise UsageError(
            f"{source.folder}: {key} is {json.dumps(other.get(key))}, and {json.dumps(one.get(key))} in "
            f"{first.folder}; only runs with the same can be merged{_how_to_go_on(key, source)}"
        )


def _how_to_go_on(key: str, source: Source) -> str:
    if not key.startswith(SELECTING):
        return ""
    option = "--set KEY=VALUE" if key.startswith("quality.") else "--strategy, --min-confidence, …"
    return f"; select anew in one of them first: ensemble-instruct select {source.folder} {option}"


def _of_one(source: Source) -> Fingerprint:
    """The settings of which a run can have only one; a helper by what it is, not by its name."""
    config = source.config
    settings = {key: value for key, value in source.fingerprint.items() if key.startswith(SELECTING)}
    helpers = {
        "roles.judge": config.roles.judge if "judge" in config.ensemble.utility.names else None,
        "roles.fusion": config.roles.fusion if config.ensemble.fusion else None,
        "quality.toxicity.model": config.quality.toxicity.model if config.quality.toxicity else None,
    }
    named = {key: list(config.models[name].voice) for key, name in helpers.items() if name is not None}
    judges = sorted(list(config.models[name].voice) for name in config.judges)
    rated = {"roles.judges": judges, **_own_of_judges(config)} if judges else {}
    return {**settings, **named, **rated, "profile": config.profile}


def _own_of_judges(config: Config) -> Fingerprint:
    """Who wrote the instances, where it is a judge too: it did not rate their outputs, and would have to in another."""
    if config.tasks == "instances":
        return {}
    writer = config.models[config.roles.instances].identity
    is_judge = any(config.models[name].identity == writer for name in config.judges)
    return {"roles.instances": list(writer)} if is_judge else {}


def _names(sources: Sequence[Source]) -> tuple[dict[str, str], ...]:
    """For each run the new names of its models: the same model has one, and a name that another has gets a number."""
    taken = {name for source in sources for name in source.config.used_models}
    known: dict[str, tuple[str, ...]] = {}
    names: list[dict[str, str]] = []
    for source in sources:
        models = {name: source.config.models[name].voice for name in source.config.used_models}
        renamed = {name: name for name, model in models.items() if known.get(name) == model}
        for name, model in models.items():
            if name not in renamed:
                same = (new for new, other in known.items() if other == model and new not in renamed.values())
                renamed[name] = next(same, None) or _free_name(name, known.keys(), taken)
                known[renamed[name]] = model
        names.append({name: renamed[name] for name in models})
    return tuple(names)


def _free_name(name: str, known: Collection[str], taken: Collection[str]) -> str:
    new, number = name, 1
    while new in known or (number > 1 and new in taken):
        number += 1
        new = f"{name}-{number}"
    return new


def _samples(sources: Sequence[Source], names: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """How many outputs each voting model gives, by its new name, in the order of the runs and their roles."""
    samples: dict[str, int] = {}
    for source, renamed in zip(sources, names, strict=True):
        for name in source.config.roles.outputs:
            count = source.config.outputs.samples_of(name)
            if samples.setdefault(renamed[name], count) != count:
                raise UsageError(
                    f"{source.folder}: outputs.samples of {name} is {count}, and {samples[renamed[name]]} in another "
                    f"run; only runs with the same can be merged"
                )
    return samples


def _require_possible_voters(first: Source, samples: Mapping[str, int]) -> None:
    """Raise where the runs have more voters together than a strategy, or any run, can have."""
    strategy, count = first.config.strategy, sum(samples.values()) + first.config.ensemble.fusion
    if strategy in OF_THREE and count != 2:
        raise UsageError(
            f"{first.folder}: strategy {strategy!r} takes exactly two voters, and the runs have {count} together "
            f"({', '.join(samples)}); select anew in each: ensemble-instruct select RUN --strategy consensus"
        )
    if count > MOST_VOTERS:
        raise UsageError(f"the runs have {count} voters together, and {MOST_VOTERS} can vote; merge fewer of them")


def _model_settings(settings: Fingerprint, renamed: Mapping[str, str]) -> Fingerprint:
    return {
        f"models.{new}.{key.removeprefix(f'models.{old}.')}": value
        for old, new in renamed.items()
        for key, value in settings.items()
        if key.startswith(f"models.{old}.")
    }
