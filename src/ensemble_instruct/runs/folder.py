"""The files of a run folder: made, checked and written."""

from __future__ import annotations

import json
import logging
from itertools import count
from pathlib import Path

import yaml

from ensemble_instruct.config.schema import Config
from ensemble_instruct.config.spelling import Dumper
from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.atomic import FOR_OWNER, whole_file, writing
from ensemble_instruct.files.destination import own_path
from ensemble_instruct.files.digest import file_digest
from ensemble_instruct.files.jsonl import write_rows
from ensemble_instruct.prompts.folder import copy_prompts, load_prompts
from ensemble_instruct.store.reading import EXAMPLES_DIGEST, is_edited, read_examples
from ensemble_instruct.store.store import Store

log = logging.getLogger(__name__)
PROMPTS = "prompts"
"""The folder in which a run keeps prompts of the user's own."""
_FILES = ("config.yaml", "run.db", "run.db-wal", "run.db-shm", "run.db.lock", "examples.jsonl", "report.html")
"""What a run writes."""


def require_no_run_file(path: Path, folder: Path) -> None:
    """Raise `InputFileError` for a path at which a run has a file of its own."""
    if any(path.resolve() == (folder / name).resolve() for name in _FILES):
        raise InputFileError(f"{path}: is a file of the run, and would be overwritten; name another one with --to")


def require_run_place(folder: Path) -> bool:
    """Whether the run is a new one; raises `InputFileError` for a place that is taken."""
    own_path(folder, opens=True)
    if folder.exists() and not folder.is_dir():
        raise InputFileError(f"{folder}: is a file; name a folder with --out")
    if (folder / "run.db").exists():
        return False
    leftovers = ("run.db.lock", ".config.yaml.")  # of a run that was killed before it had a database
    if folder.is_dir() and not all(path.name.startswith(leftovers) for path in folder.iterdir()):
        raise InputFileError(f"{folder}: is not empty and not a run folder; name a new folder with --out")
    return True


def make_folders(folder: Path) -> list[Path]:
    """Create the folder, for its owner alone, with its parents; return those that are new, outermost first."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputFileError(f"{folder}: cannot be created: {error.strerror}; choose another place") from error
    return new[::-1]


def write_config(config: Config, folder: Path) -> None:
    """Write `config.yaml` of a run folder: complete, without keys; prompts of the user's own are copied beside it."""
    values = config.model_dump(mode="json")
    values["ensemble"]["strategy"] = config.strategy
    text = "# The config of this run, complete. Keys are not in it: they stay in the environment.\n"
    if config.prompts is not None:
        if config.prompts.resolve() != (folder / PROMPTS).resolve():
            copy_prompts(load_prompts(config.prompts), folder / PROMPTS)
            text += f"# Its prompts are a copy of those that were in {json.dumps(str(config.prompts))}.\n"
        values["prompts"] = PROMPTS
    for name in config.used_models:
        model = config.models[name]
        if model.provider == "openai" and model.base_url is None:
            values["models"][name]["base_url"] = model.base_urls[0]
    with whole_file(folder / "config.yaml", FOR_OWNER) as file:
        file.write((text + yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True)).encode())


def set_aside_edits(folder: Path) -> None:
    """Give an `examples.jsonl` that somebody edited another name, and say so, before it is written anew."""
    if not is_edited(folder):
        return
    names = (f"examples.edited{f'-{number}' if number > 1 else ''}.jsonl" for number in count(1))
    aside = next(path for name in names if not (path := folder / name).exists())
    with writing(aside):
        (folder / "examples.jsonl").rename(aside)
    log.warning("%s: was edited; it is %s now, and is written anew", folder / "examples.jsonl", aside.name)


def write_examples(store: Store, path: Path) -> int:
    """Write `examples.jsonl` from the store, which notes its digest; the file is complete or untouched.

    Returns the number of rows.
    """
    count = write_rows(path, read_examples(store.reader), mode=FOR_OWNER)
    store.set_meta(**{EXAMPLES_DIGEST: file_digest(path)})
    return count
