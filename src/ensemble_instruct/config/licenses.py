"""What a config says of licences beside those of the models: which may be used, and those of the user's files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ensemble_instruct.config.section import Section


class MergedLicense(Section):
    """What a run that was merged is made of, under a licence that the other sections do not name."""

    run: str
    part: str
    """`model NAME`, `seed tasks`, `demonstrations`."""
    license: str | None = None
    """SPDX id; None: not declared."""


class LicensesSection(Section):
    """The licences of a run; each model has its own in `models.NAME.license`."""

    policy: Literal["permissive", "any"] = "permissive"
    """`permissive`: each licence is known, and lets outputs train other models, commercial ones too; `any`: no check.

    Where a model declares none, that under which a model of its name was published counts.
    """
    seed_tasks: str | None = None
    """SPDX id of the user's `seed_tasks`; the bundled ones are Apache-2.0, and so are Self-Instruct's."""
    demonstrations: str | None = None
    """SPDX id of the user's `instances.demonstrations`; the bundled ones are Apache-2.0."""
    merged: list[MergedLicense] = Field(default_factory=list)
    """Further licences that hold for a merged run; written by `merge`."""
