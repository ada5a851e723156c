"""Several finished runs become one: a run folder of its own, with what is new in each and where it comes from.

What an earlier run has already, by the novelty question of step 1, is dropped with the run that has it. All else is
copied: answers, records and drops of steps 1 to 4. Step 5 then selects anew over all rows.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ensemble_instruct import __version__
from ensemble_instruct.config_file import load_config
from ensemble_instruct.database import is_locked, reading, require_run
from ensemble_instruct.errors import InputFileError, RunError, RunLockedError, StoreError, UsageError
from ensemble_instruct.merge_config import Merged, Source, merged_config
from ensemble_instruct.merge_records import Copied, Copier, Known
from ensemble_instruct.pipeline import Monitor, Summary, select_again, write_examples
from ensemble_instruct.quality import require_quality
from ensemble_instruct.report_page import write_report
from ensemble_instruct.runs import write_config
from ensemble_instruct.store import Store


async def merge_runs(folders: Sequence[Path], to: Path, monitor: Monitor) -> tuple[Summary, list[Copied]]:
    """Merge finished runs into a new run folder; the first has precedence over the second, and so on.

    The folder appears when all is done: a merge that is interrupted leaves nothing that looks like a run. Raises
    `InputFileError` for a folder that is no run, or for a place that is taken, `RunError` for a run that is not
    finished, `UsageError` for settings that cannot be merged.
    """
    _require_several(folders)
    _require_free(to)
    with _snapshots(folders) as connections:
        sources = [
            _source(folder, label, connection)
            for folder, label, connection in zip(folders, _labels(folders), connections, strict=True)
        ]
        merged = merged_config(sources, to)
        require_quality(merged.config.quality)
        with _new_folder(to) as folder:
            copied = _copy(folder / "run.db", sources, connections, merged)
            with Store(folder / "run.db") as store:
                provenance = [part.as_json() for part in copied]
                meta = {"config": json.dumps(merged.fingerprint), "merged": json.dumps(provenance)}
                summary = await select_again(merged.config, store, monitor, {**meta, "version": __version__})
                write_config(merged.config, folder)
                write_examples(store, folder / "examples.jsonl")
                store.set_meta(state="finished")
                await store.flush()
    await asyncio.to_thread(write_report, to)
    return summary, copied


def _copy(
    path: Path, sources: Sequence[Source], connections: Sequence[sqlite3.Connection], merged: Merged
) -> list[Copied]:
    """Write what the runs have into a new database."""
    known = Known(merged.config.profile, merged.config.instructions.novelty_threshold)
    try:
        with Copier(path, known) as copier:
            return [
                copier.copy(source, connection, merged.names[number], merged.voters(number, source))
                for number, (source, connection) in enumerate(zip(sources, connections, strict=True))
            ]
    except sqlite3.Error as error:
        raise StoreError(f"{path.parent}: cannot be written: {error}; free some space, then merge again") from error


def _require_several(folders: Sequence[Path]) -> None:
    if len(folders) < 2:
        raise UsageError("give two runs or more to merge")
    ((folder, count),) = Counter(folder.resolve() for folder in folders).most_common(1)
    if count > 1:
        raise UsageError(f"{folder}: is named twice; each run is merged once")


def _require_free(to: Path) -> None:
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise InputFileError(f"{to}: exists already; name a new folder with --to")


def _labels(folders: Sequence[Path]) -> list[str]:
    """A name for each run: its folder's, with that above it or a number where it is not the only one."""
    paths = [folder.resolve() for folder in folders]
    names = [path.name for path in paths]
    longer = [path.name if names.count(path.name) == 1 else f"{path.parent.name}/{path.name}" for path in paths]
    return [
        label if longer.count(label) == 1 else f"{label}#{longer[: at + 1].count(label)}"
        for at, label in enumerate(longer)
    ]


@contextmanager
def _snapshots(folders: Sequence[Path]) -> Iterator[list[sqlite3.Connection]]:
    """A read-only connection to each run, all of which see it as it is now."""
    if not folders:
        yield []
        return
    with reading(require_run(folders[0])) as connection:
        connection.execute("BEGIN")
        with _snapshots(folders[1:]) as others:
            yield [connection, *others]


def _source(folder: Path, label: str, connection: sqlite3.Connection) -> Source:
    meta = dict(connection.execute("SELECT name, value FROM meta WHERE name IN ('config', 'state')").fetchall())
    if meta.get("state") != "finished":
        raise RunError(f"{folder}: is not finished; run it to its end: ensemble-instruct run --out {folder}")
    return Source(label, folder, load_config(folder / "config.yaml"), json.loads(meta["config"]))


@contextmanager
def _new_folder(to: Path) -> Iterator[Path]:
    """A folder beside `to` that takes its place at the end, and is gone when something goes wrong.

    What a merge to the same place has left that was killed is removed first.
    """
    folder = to.absolute().with_name(f".{to.absolute().name}.merging")
    if is_locked(folder / "run.db"):
        raise RunLockedError(f"{to}: another process merges to it; wait for it, or name another folder with --to")
    is_whole = False
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
        _sync(folder)
        folder.replace(to.absolute())
        _sync(to.absolute().parent)
        is_whole = True
    except OSError as error:
        raise StoreError(f"{to}: cannot be written: {error.strerror}; choose another place with --to") from error
    finally:
        if not is_whole:
            shutil.rmtree(folder, ignore_errors=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
