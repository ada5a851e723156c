"""`preview` for notebooks and programs."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from ensemble_instruct.config.load import ConfigSource
from ensemble_instruct.errors import UsageError
from ensemble_instruct.licences.policy import require_admitted
from ensemble_instruct.runs.handle import driven
from ensemble_instruct.runs.preview.making import Work, passing_folder, previewed
from ensemble_instruct.runs.preview.shown import Preview
from ensemble_instruct.runs.recorder import Summary
from ensemble_instruct.steps.own_tasks import Source, settled


def preview(
    config: ConfigSource,
    *,
    rows: int = 3,
    folder: Path | str | None = None,
    budget: float | None = None,
    progress: bool = True,
    instructions: Source | None = None,
    instances: Source | None = None,
    allow_code: bool = False,
) -> Preview:
    """Take a few tasks of each kind through all steps, and say what a whole run would take if it went on so.

    `config`, `budget`, `progress`, `instructions`, `instances` and `allow_code` are as `run` has them; `rows` is how
    many tasks of each kind. Nothing is left behind, unless a `folder` is named: it is a run folder then, for
    `open_run`, and the same call goes on with it. `print` the preview to read it; what ended it early, such as the
    budget, is in its `problem`.

    Works in a notebook. An interrupt stops it and raises `KeyboardInterrupt`. Raises `ConfigError` for a config that
    cannot be, `InputFileError` for a folder that is something else, `UsageError` for `rows` below 1, and `RunError`
    where nothing came that could be shown.
    """
    if rows < 1:
        raise UsageError(f"preview: rows is how many tasks of each kind, at least 1, not {rows}")
    place, keeps = None if folder is None else Path(folder), folder is not None
    settings, tasks = settled(config, place, instructions=instructions, instances=instances)
    require_admitted(settings)

    def drive(work: Work) -> Summary:
        return driven(work, progress=progress, go_on="call preview again with the same folder", keeps=keeps)

    with nullcontext(place) if place is not None else passing_folder() as where:
        return previewed(settings, rows, where, drive, keeps=keeps, budget=budget, tasks=tasks, allow_code=allow_code)
