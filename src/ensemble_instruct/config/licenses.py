"""What a config says of licences, apart from those of the models: which may be used, and those of the user's files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ensemble_instruct.config.section import Section


class MergedLicense(Section):
    """What a run that was merged is made of, under a licence that the other sections do not name."""

    run: str
    """The run that this part belongs to, by the name that it has in the merged one."""
    part: str
    """`model NAME`, `seed tasks` or `demonstrations`."""
    license: str | None = None
    """SPDX id; null: not declared."""


class LicensesSection(Section):
    """The licences of a run; each model has its own in `models.NAME.license`."""

    policy: Literal["permissive", "any"] = "permissive"
    """`permissive`: each licence must be known to let outputs train other models, also for money; `any`: no check.

    Where a model declares none, the licence under which a model of its name was published counts.
    """
    seed_tasks: str | None = None
    """SPDX id of your `seed_tasks`; the bundled ones and Self-Instruct's are known to be Apache-2.0."""
    demonstrations: str | None = None
    """SPDX id of your `instances.demonstrations`; the bundled ones are Apache-2.0."""
    tasks: str | None = None
    """SPDX id of the tasks of your own that a run begins with."""
    merged: list[MergedLicense] = Field(default_factory=list)
    """Further licences that hold for a merged run; written by `merge`."""
