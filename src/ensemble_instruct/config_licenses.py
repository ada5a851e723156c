"""What a config says of licences beside those of the models: which may be used, and those of the user's files."""

from __future__ import annotations

from typing import Literal

from ensemble_instruct.config_base import Section


class LicensesSection(Section):
    """The licences of a run; each model has its own in `models.NAME.license`."""

    policy: Literal["permissive", "any"] | None = None
    """`permissive`: each licence is declared, known, and lets outputs train other models, commercial ones too.

    `any`: no check. None: as `permissive`, but what is not declared at all stops no run: it is noted, and the card says
    so.
    """
    seed_tasks: str | None = None
    """SPDX id of the user's `seed_tasks`; the bundled ones are Apache-2.0."""
    demonstrations: str | None = None
    """SPDX id of the user's `instances.demonstrations`; the bundled ones are Apache-2.0."""
