"""Several finished runs become one: a run folder of its own, with what is new in each and where it comes from.

What an earlier run has already, by the novelty question of step 1, is dropped with the run that has it. All else is
copied: answers, records and drops of steps 1 to 4. Step 5 then selects anew over all rows.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ensemble_instruct.config.servers.prices import KnownPrice
from ensemble_instruct.errors import InputFileError, RunError, StoreError, UsageError
from ensemble_instruct.files.atomic import writing
from ensemble_instruct.files.atomic_folder import whole_folder
from ensemble_instruct.quality.filters import require_quality
from ensemble_instruct.report.page import write_report
from ensemble_instruct.runs.empty_kinds import missing_examples
from ensemble_instruct.runs.folder import write_config, write_examples
from ensemble_instruct.runs.merging.config import Merged, Source, merged_config
from ensemble_instruct.runs.merging.records import Copied, Copier, Known
from ensemble_instruct.runs.recorder import Monitor, Summary
from ensemble_instruct.runs.selecting import SELECTING_ANEW, select_again
from ensemble_instruct.store.costs import PRICES, noted_prices, prices_of_run
from ensemble_instruct.store.faults import OF_READING, damaged, fault, is_damage
from ensemble_instruct.store.reading import is_edited, read_meta, reading, require_run
from ensemble_instruct.store.settings import run_config, settings_of
from ensemble_instruct.store.store import Store
from ensemble_instruct.version import __version__

log = logging.getLogger(__name__)


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
        for folder in filter(is_edited, folders):
            log.warning("%s: was edited; merged is what the run made", folder / "examples.jsonl")
        require_quality(merged.config.quality)
        with _made(to) as folder:
            copied = _copy(folder / "run.db", sources, connections, merged, monitor)
            with Store(folder / "run.db") as store:
                provenance = [part.as_json() for part in copied]
                prices = _prices(sources, connections, merged)
                meta = {"config": json.dumps(merged.fingerprint), "merged": json.dumps(provenance), PRICES: prices}
                summary = await select_again(merged.config, store, monitor, {**meta, "version": __version__})
                write_config(merged.config, folder)
                write_examples(store, folder / "examples.jsonl")
                store.set_meta(state="finished")
                await store.flush()
    await asyncio.to_thread(write_report, to)
    return replace(summary, missing=await asyncio.to_thread(missing_examples, to)), copied


def _copy(
    path: Path,
    sources: Sequence[Source],
    connections: Sequence[sqlite3.Connection],
    merged: Merged,
    monitor: Monitor,
) -> list[Copied]:
    """Write what the runs have into a new database."""
    known = Known(merged.config.profile, merged.config.instructions.novelty_threshold)
    copied: list[Copied] = []
    try:
        with Copier(path, known, monitor.counted) as copier:
            for number, (source, connection) in enumerate(zip(sources, connections, strict=True)):
                copied.append(copier.copy(source, connection, merged.names[number], merged.voters(number, source)))
    except OF_READING as error:
        if is_damage(error):  # what was just made is not
            raise _damaged(sources[len(copied)].folder, error) from error
        raise fault(path, error) from error
    return copied


def _prices(sources: Sequence[Source], connections: Sequence[sqlite3.Connection], merged: Merged) -> str:
    """The prices of the models of all runs, as the merged one notes them."""
    prices: dict[str, KnownPrice | None] = {}
    for source, connection, renamed in zip(sources, connections, merged.names, strict=True):
        own = prices_of_run(source.folder, read_meta(connection))
        prices = {renamed.get(name, name): price for name, price in own.items()} | prices
    return noted_prices(prices)


def _require_several(folders: Sequence[Path]) -> None:
    if len(folders) < 2:
        raise UsageError("give two runs or more to merge")
    ((folder, count),) = Counter(folder.resolve() for folder in folders).most_common(1)
    if count > 1:
        raise UsageError(f"{folder}: is named twice; each run is merged once")


def _require_free(to: Path) -> None:
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise InputFileError(f"{to}: exists already; name a new folder with --to")


@contextmanager
def _made(to: Path) -> Iterator[Path]:
    """The folder that `to` becomes."""
    with writing(to):
        to.absolute().parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(to, is_new=True, for_owner=True) as folder:  # another merge to the same place may be faster
        yield folder


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
    try:
        meta = read_meta(connection)
    except sqlite3.Error as error:
        raise fault(folder / "run.db", error) from error
    state = meta.get("state")
    if state != "finished":
        command = "select" if state == SELECTING_ANEW else "run --out"
        raise RunError(f"{folder}: is not finished; let it end first: ensemble-instruct {command} {folder}")
    return Source(label, folder, run_config(folder), settings_of(meta))


def _damaged(folder: Path, error: Exception) -> StoreError:
    return StoreError(f"{damaged(folder / 'run.db', error)}, or leave this run out")
