"""Models that share a memory, one after the other: which of them must be done before others begin.

A run works in passes over the same steps. Each pass but the last is that of one role whose model says `unload: true`;
when it is over, that model is freed. The next pass finds its answers in the store, so nothing is asked twice and
nothing has to be held in between. Without such a model there is one pass, in which all models work at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass

from ensemble_instruct.config.schema import Config


@dataclass(frozen=True, slots=True)
class Phase:
    """One pass before the last."""

    voters: tuple[str, ...]
    """The voter that is asked."""
    judges: tuple[str, ...]
    """The judge that rates the outputs of all. Without voter and judge the pass ends before step 4."""
    unloaded: tuple[str, ...]
    """The models that are freed after it."""


def phases_of(config: Config) -> list[Phase]:
    """The passes before the last one."""
    roles, unloads = config.roles, [name for name in config.used_models if config.models[name].unload]
    writers = tuple(dict.fromkeys(name for name in (roles.instructions, roles.instances) if name in unloads))
    first = [Phase((), (), tuple(name for name in writers if name not in roles.outputs))] if writers else []
    voters = [Phase((name,), (), (name,)) for name in roles.outputs if name in unloads]
    return first + voters + [Phase((), (name,), (name,)) for name in config.judges if name in unloads]
