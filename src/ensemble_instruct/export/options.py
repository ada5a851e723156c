"""What an export is asked for: the options of `export`, checked against each other before anything is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ensemble_instruct.errors import UsageError
from ensemble_instruct.export.formats import FILE_FORMATS, TABLE_ROWS, require_known
from ensemble_instruct.export.splits import WHOLE, SplitShare, parse_splits

FORMATS = (*FILE_FORMATS, "parquet", "hub")
REPO = re.compile(r"([A-Za-z0-9_.-]+/)?[A-Za-z0-9_.-]+")
NAMES = "write OWNER/NAME, of letters, digits, -, _ and ."
"""What the name of a dataset on the Hub may be, as far as that can be told without its client."""
SHARD_SIZE = "500MB"
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
_SUFFIXES = (".json", ".jsonl", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """The options as a user gave them; None where they were not given."""

    form: str
    to: str | None = None
    rows: str | None = None
    system: str | None = None
    split: str | None = None
    shard_size: str | None = None
    candidates: bool | None = None
    partial: bool = False
    ignore_edits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlan:
    """An export that can be made."""

    form: str
    to: Path
    as_folder: bool
    """Whether it is a folder of files, one or more for each split, or one file."""
    rows: str
    """What the rows of a table are."""
    system: str | None
    splits: tuple[SplitShare, ...]
    shard_bytes: int
    candidates: bool
    """Whether the folder has a second table, of every candidate."""
    partial: bool
    ignore_edits: bool = False
    """Whether to go on from the store where somebody has edited `examples.jsonl`."""

    @property
    def is_table(self) -> bool:
        """Whether it is Parquet, not lines of JSON."""
        return self.form in ("parquet", "hub") or (self.form == "preference" and self.to.suffix == ".parquet")


def planned(given: ExportOptions, run_folder: Path) -> ExportPlan:
    """The export that the options ask for. Raises `UsageError` where they do not go together."""
    require_known("--format", given.form, FORMATS)
    if not given.to and given.form != "hub":
        raise UsageError("--to: is missing; name the file to write, or a folder")
    to = Path(given.to) if given.to else run_folder / "hub"
    names_folder = to.is_dir() or (given.to or "").endswith("/")
    as_folder = names_folder or given.form == "hub" or given.split is not None
    if as_folder and to.suffix in _SUFFIXES and not to.is_dir():
        raise UsageError(f"--to {to}: splits, shards and --format hub need a folder; name one, like {to.stem}/")
    if not as_folder:
        _require_suffix(given.form, to)
    rows = _rows(given, is_table=given.form in ("parquet", "hub"))
    _require_chat(given, rows)
    _require_shards(given, as_folder=as_folder)
    splits = WHOLE if given.split is None else parse_splits(given.split)
    return ExportPlan(
        form=given.form, to=to, as_folder=as_folder, rows=rows, system=given.system, splits=splits,
        shard_bytes=parse_size(given.shard_size or SHARD_SIZE),
        candidates=given.form == "hub" if given.candidates is None else given.candidates, partial=given.partial,
        ignore_edits=given.ignore_edits,
    )  # fmt: skip


def planned_for_file(given: ExportOptions, path: Path) -> ExportPlan:
    """The export of a user's file. Raises `UsageError` for what needs a run too."""
    for option, value in (("--format", given.form), ("--rows", given.rows)):
        if value in ("preference", "hub"):
            raise UsageError(f"{option} {value}: needs what only a run has, and {path} is a file; name a run folder")
    if given.candidates:
        raise UsageError(f"--candidates: needs a run, and {path} is a file; name a run folder")
    if given.partial:
        raise UsageError(f"--partial: goes with a run, and {path} is a file; leave it out")
    return planned(given, path.parent)


def _require_suffix(form: str, to: Path) -> None:
    """Raise `UsageError` for a file whose name says something else than what will be in it."""
    if form == "parquet" and to.suffix in (".json", ".jsonl"):
        raise UsageError(f"--to {to}: --format parquet writes Parquet; name a file like {to.stem}.parquet")
    if to.suffix == ".parquet" and form not in ("parquet", "preference"):
        rows = "" if form == "original" else f", or give --format parquet --rows {form}"
        raise UsageError(f"--to {to}: --format {form} writes JSON; name a file like {to.stem}.jsonl{rows}")


def _rows(given: ExportOptions, *, is_table: bool) -> str:
    if given.rows is None:
        return {"hub": "messages", "parquet": "examples"}.get(given.form, given.form)
    if not is_table:
        raise UsageError(f"--rows: goes with --format parquet and hub; --format {given.form} says what the rows are")
    require_known("--rows", given.rows, TABLE_ROWS)
    return given.rows


def _require_chat(given: ExportOptions, rows: str) -> None:
    if given.system is None:
        return
    if rows != "messages":
        raise UsageError(f"--system: goes with messages (--format or --rows); {rows} has no place for it")
    if not given.system.strip():
        raise UsageError("--system: is blank; give a text, or leave it out")
    if any("\ud800" <= character <= "\udfff" for character in given.system):
        raise UsageError("--system: is not UTF-8; write it so")


def _require_shards(given: ExportOptions, *, as_folder: bool) -> None:
    if as_folder and given.form in ("parquet", "hub"):
        return
    for option, value in (("--shard-size", given.shard_size), ("--candidates", given.candidates)):
        if value is not None:
            raise UsageError(f"{option}: goes with --format hub, and with --format parquet --to FOLDER/")


def parse_size(text: str) -> int:
    """`500MB` as bytes; raises `UsageError` for what is no size above 0."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([KMG]B)", text.strip(), re.IGNORECASE)
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if size <= 0:
        raise UsageError(f"--shard-size {text}: is no size; write it like 500MB or 2GB")
    return size
