"""The run of a preview: a few tasks of each kind, in a folder that does not stay."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import RunError
from ensemble_instruct.records import KINDS
from ensemble_instruct.runs.lifecycle import start_or_resume
from ensemble_instruct.runs.preview.reading import read_preview
from ensemble_instruct.runs.preview.shown import Preview
from ensemble_instruct.runs.recorder import Monitor, Summary
from ensemble_instruct.steps.own_tasks import OwnTasks
from ensemble_instruct.store.owner import is_locked

Work = Callable[[Monitor], Coroutine[Any, Any, Summary]]
"""What makes a preview, while it tells a monitor how far it is."""
_PREFIX = "ensemble-instruct-preview-"
_STALE = 3600.0
"""Seconds after which a folder that no process works in is what a killed preview has left."""
_PATIENCE = 5
"""Replies without anything new after which step 1 of a preview ends."""
_KEPT = re.compile(r"; (?:all answers are|what was answered is) kept(?=[:;]|$)")
"""What the messages of a run that stops say, and what is not so where nothing is kept."""


def previewed(
    config: Config,
    rows: int,
    folder: Path,
    drive: Callable[[Work], Summary],
    *,
    keeps: bool,
    budget: float | None = None,
    tasks: OwnTasks | None = None,
    allow_code: bool = False,
) -> Preview:
    """Make a preview of a config in a folder, or go on with one, and read it; `drive` does the work.

    `tasks`: those of the user's own with which a whole run would begin; a few of each kind are taken. What ends it
    after something was seen is in `problem`; without `keeps` that does not say that anything was kept. Raises what
    `start_or_resume` does where nothing was seen, and `RunError` for a preview that was stopped.
    """
    few = None if tasks is None else replace(tasks, few=rows)
    problem = ""

    def work(monitor: Monitor) -> Coroutine[Any, Any, Summary]:
        return start_or_resume(
            preview_config(config, rows), folder, monitor, budget=budget, is_preview=True, tasks=few,
            allow_code=allow_code,
        )  # fmt: skip

    try:
        drive(work)
    except RunError as error:
        if not (folder / "run.db").exists() or str(error).startswith("stopped"):
            raise
        problem = str(error) if keeps else _KEPT.sub("", str(error))
    return read_preview(config, folder, problem)


def preview_config(config: Config, rows: int) -> Config:
    """The config of a preview: a few tasks of each kind that it makes, asked for one request after the other."""
    section = config.instructions
    target: dict[str, int] = {kind: min(rows, section.target.of(kind)) for kind in KINDS}
    update: dict[str, Any] = {"target": section.target.model_copy(update=target)}
    if config.tasks is None:
        is_list = config.models[config.roles.instructions].endpoint == "chat" and config.profile == "default"
        update["window"] = 1 if is_list else min(section.window, rows)
        update["patience"] = min(section.patience, max(_PATIENCE, rows))
    return config.model_copy(update={"instructions": section.model_copy(update=update)})


@contextmanager
def passing_folder() -> Iterator[Path]:
    """A folder that is gone when the block ends; those that killed previews have left go, too."""
    for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it has just gone
            if _is_left_over(old):
                shutil.rmtree(old)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        yield Path(name) / "run"


def _is_left_over(folder: Path) -> bool:
    """Whether it is a folder of this user's that a killed preview has left; nothing of another's is opened."""
    found = folder.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return is_ours and time.time() - found.st_mtime > _STALE and not is_locked(folder / "run" / "run.db")
