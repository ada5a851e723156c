"""Models that share a place where one of them fits at a time: which are asked in which pass over the steps.

A place is the memory of this process, where a model says `unload: true`, or what `exclusive` names: a server that holds
one model, or one of several cards. A run works in passes over the same steps. In each pass one model has the place, and
the steps go on as far as they come with it; the next pass finds its answers in the store, so nothing is asked twice and
nothing has to be held in between. In the last pass all steps are gone through, and nobody is asked who has a place of
`exclusive` or `unload`. Where there is no such model there is only this one, in which all work at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit

from ensemble_instruct.config.schema import Config

Stage = Literal["instructions", "instances", "outputs", "fusion", "opinions"]
"""What models are asked for, in this order: a stage begins when those before it are over."""
_STAGES: tuple[Stage, ...] = get_args(Stage)
_PROCESS = ("the memory of this process",)
"""The place of models that run here, where one of them says `unload: true`."""
_OTHERS = ("all others",)
"""Who has that place when no model has it that says so: all that do not, together."""
_PORT_OF_OLLAMA = 11434
_Name = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass."""

    until: Stage
    """The stage that it goes up to."""
    asked: tuple[str, ...]
    """The models that are asked there; in the stages before it, all answers are there by then."""
    freed: tuple[str, ...] = ()
    """The models of this process that are freed after it."""
    is_last: bool = False
    """Whether it goes through all steps, up to the examples."""

    def of(self, stage: Stage, names: Sequence[str | None]) -> list[str]:
        """Those of the models of a stage that are asked, or were asked before."""
        to_come, now = _STAGES.index(stage), _STAGES.index(self.until)
        return [name for name in names if name and (to_come < now or (to_come == now and name in self.asked))]


def last_pass(config: Config) -> Pass:
    """The pass in which all steps are gone through, with all models."""
    return Pass("opinions", config.used_models, is_last=True)


def passes_of(config: Config) -> list[Pass]:
    """The passes before the last one."""
    seats = {name: seat for name in config.used_models if (seat := _seat(config, name))}
    pending = _stages(config)
    passes: list[tuple[Stage, list[str], dict[_Name, _Name]]] = []
    before: Mapping[_Name, _Name] = {}
    while any(name in seats and seats[name][1] != _OTHERS for names in pending.values() for name in names):
        until, asked, before = _next_pass(pending, seats, before)
        passes.append((until, asked, before))
    there = [have for _, _, have in passes] + [{}]
    return [
        Pass(until, tuple(asked), _freed(config, seats, there[number], there[number + 1]))
        for number, (until, asked, _) in enumerate(passes)
    ]


def _stages(config: Config) -> dict[Stage, list[str]]:
    """The models that each stage asks."""
    roles, ensemble, toxicity = config.roles, config.ensemble, config.quality.toxicity
    judge = roles.judge if "judge" in ensemble.utility.names else None
    names: dict[Stage, list[str | None]] = {
        "instructions": [roles.instructions] if config.tasks is None else [],
        "instances": [roles.instances] if config.tasks != "instances" else [],
        "outputs": [*roles.outputs],
        "fusion": [roles.fusion if ensemble.fusion else None],
        "opinions": [*config.judges, judge, toxicity.model if toxicity else None],
    }
    return {stage: list(dict.fromkeys(filter(None, each))) for stage, each in names.items()}


def _seat(config: Config, name: str) -> tuple[_Name, _Name] | None:
    """A model's place, and as whom it has it: two names of one model at one server are one. None where it has none."""
    section = config.models[name]
    if section.exclusive is not None:
        return (section.exclusive, ""), (*section.base_urls, section.model) if section.provider == "openai" else (name,)
    if section.is_local and any(config.models[other].unload for other in config.used_models):
        return _PROCESS, (name,) if section.unload else _OTHERS
    return None


def _next_pass(
    pending: dict[Stage, list[str]], seats: Mapping[str, tuple[_Name, _Name]], before: Mapping[_Name, _Name]
) -> tuple[Stage, list[str], dict[_Name, _Name]]:
    """The stage up to which a pass comes, who is asked there, and who has each place; takes them off what is pending.

    Who has a place from the pass before is asked first.
    """

    def rank(name: str) -> tuple[bool, bool]:
        place, who = seats.get(name, ((), ()))
        return before.get(place, ()) != who, who == _OTHERS

    have: dict[_Name, _Name] = {}
    until: Stage = "instructions"
    last: list[str] = []
    for stage, names in pending.items():
        asked = [name for name in sorted(names, key=rank) if name not in seats or _has(have, *seats[name])]
        if asked:
            until, last = stage, [name for name in names if name in asked]
        pending[stage] = [name for name in names if name not in asked]
        if pending[stage]:
            break
    return until, last, have


def _has(have: dict[_Name, _Name], place: _Name, who: _Name) -> bool:
    """Whether somebody has the place; takes it where it is free."""
    return have.setdefault(place, who) == who


def _freed(
    config: Config,
    seats: Mapping[str, tuple[_Name, _Name]],
    now: Mapping[_Name, _Name],
    then: Mapping[_Name, _Name],
) -> tuple[str, ...]:
    """The models of this process that have a place in a pass, and no longer in the next one."""
    return tuple(
        name
        for name, (place, who) in seats.items()
        if config.models[name].is_local and who != _OTHERS and now.get(place) == who and then.get(place) != who
    )


def crowded_servers(config: Config) -> dict[str, list[str]]:
    """Servers of Ollama, by the port, whose models do not share `exclusive`: each address with these models."""
    found: dict[str, dict[str, str]] = {}
    for name in config.used_models:
        section = config.models[name]
        for url in section.base_urls if section.provider == "openai" and section.exclusive is None else ():
            if urlsplit(url).port == _PORT_OF_OLLAMA:
                found.setdefault(url, {}).setdefault(section.model, name)
    return {url: list(models.values()) for url, models in found.items() if len(models) > 1}
