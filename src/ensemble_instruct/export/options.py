"""What an export is to do: the options of `export`, checked against each other before anything is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ensemble_instruct.errors import UsageError
from ensemble_instruct.export.formats import FILE_FORMATS, TABLE_ROWS, WITHOUT_REASONING, Reasoning, require_known
from ensemble_instruct.export.splits import WHOLE, SplitShare, parse_splits
from ensemble_instruct.files.destination import STDOUT

FORMATS = (*FILE_FORMATS, "parquet", "hub")
"""All values of `--format`."""
REPO = re.compile(r"([A-Za-z0-9_.-]+/)?[A-Za-z0-9_.-]+")
"""A name on the Hub, with its owner or without."""
NAMES = "write OWNER/NAME, of letters, digits, -, _ and ."
"""What the name of a dataset on the Hub may be, as far as that can be told without its client."""
SHARD_SIZE = "500MB"
"""The default of `--shard-size`, as in `datasets`."""
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
_SUFFIXES = (".json", ".jsonl", ".parquet")
"""Names that end like this are files, not folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """The options as a user gave them; None where they were not given."""

    form: str
    to: str | None = None
    rows: str | None = None
    system: str | None = None
    reasoning: bool = False
    think_tags: bool = False
    split: str | None = None
    shard_size: str | None = None
    candidates: bool | None = None
    partial: bool = False
    salvage: bool = False
    ignore_edits: bool = False
    allow_empty: bool = False


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
    reasoning: Reasoning | None = None
    """Where the thoughts go; None: nowhere."""
    ignore_edits: bool = False
    """Whether to go on from the store where somebody has edited `examples.jsonl`."""
    allow_empty: bool = False
    """Whether to write a dataset also where it has no row."""
    salvage: bool = False
    """Whether to take what can be read of a damaged run."""

    @property
    def is_table(self) -> bool:
        """Whether it is Parquet, not lines of JSON."""
        return self.form in ("parquet", "hub") or (self.form == "preference" and self.to.suffix == ".parquet")


def planned(options: ExportOptions, run_folder: Path) -> ExportPlan:
    """The export that the options ask for. Raises `UsageError` where they do not go together."""
    require_known("--format", options.form, FORMATS)
    if not options.to and options.form != "hub":
        raise UsageError("--to: is missing; name the file to write, or a folder")
    to = Path(options.to) if options.to else run_folder / "hub"
    names_folder = to.is_dir() or (options.to or "").endswith("/")
    as_folder = names_folder or options.form == "hub" or options.split is not None
    if as_folder and to.suffix in _SUFFIXES and not to.is_dir():
        raise UsageError(f"--to {to}: splits, shards and --format hub need a folder; name one, like {to.stem}/")
    if as_folder and to == STDOUT:
        raise UsageError(f"--to {to}: is stdout, and splits and --format hub need a folder; name one, like data/")
    if not as_folder:
        _require_suffix(options.form, to)
    rows = _rows(options, is_table=options.form in ("parquet", "hub"))
    _require_chat(options, rows)
    _require_reasoning(options, rows)
    _require_salvage(options)
    _require_shards(options, as_folder=as_folder)
    splits = WHOLE if options.split is None else parse_splits(options.split)
    return ExportPlan(
        form=options.form,
        to=to,
        as_folder=as_folder,
        rows=rows,
        system=options.system,
        splits=splits,
        shard_bytes=parse_size(options.shard_size or SHARD_SIZE),
        candidates=options.form == "hub" if options.candidates is None else options.candidates,
        partial=options.partial,
        reasoning="tags" if options.think_tags else "field" if options.reasoning else None,
        ignore_edits=options.ignore_edits,
        allow_empty=options.allow_empty,
        salvage=options.salvage,
    )


def planned_for_file(options: ExportOptions, path: Path) -> ExportPlan:
    """The export of a user's file. Raises `UsageError` for what needs a run too."""
    for option, value in (("--format", options.form), ("--rows", options.rows)):
        if value in ("preference", "hub"):
            raise UsageError(f"{option} {value}: needs what only a run has, and {path} is a file; name a run folder")
    if options.candidates:
        raise UsageError(f"--candidates: needs a run, and {path} is a file; name a run folder")
    if options.reasoning:
        raise UsageError(f"--reasoning: reads what only a run has, and {path} is a file; name a run folder")
    for option, is_asked in (("--partial", options.partial), ("--salvage", options.salvage)):
        if is_asked:
            raise UsageError(f"{option}: goes with a run, and {path} is a file; leave it out")
    return planned(options, path.parent)


def _require_suffix(form: str, to: Path) -> None:
    """Raise `UsageError` for a file whose name says something else than what will be in it."""
    if form == "parquet" and to.suffix in (".json", ".jsonl"):
        raise UsageError(f"--to {to}: --format parquet writes Parquet; name a file like {to.stem}.parquet")
    if to.suffix == ".parquet" and form not in ("parquet", "preference"):
        rows = "" if form == "original" else f", or give --format parquet --rows {form}"
        raise UsageError(f"--to {to}: --format {form} writes JSON; name a file like {to.stem}.jsonl{rows}")


def _rows(options: ExportOptions, *, is_table: bool) -> str:
    if options.rows is None:
        return {"hub": "messages", "parquet": "examples"}.get(options.form, options.form)
    if not is_table:
        raise UsageError(f"--rows: goes with --format parquet and hub; --format {options.form} says what the rows are")
    require_known("--rows", options.rows, TABLE_ROWS)
    return options.rows


def _require_chat(options: ExportOptions, rows: str) -> None:
    if options.system is None:
        return
    if rows != "messages":
        raise UsageError(f"--system: goes with messages (--format or --rows); {rows} has no place for it")
    if not options.system.strip():
        raise UsageError("--system: is blank; give a text, or leave it out")
    if any("\ud800" <= character <= "\udfff" for character in options.system):
        raise UsageError("--system: is not UTF-8; write it so")


def _require_reasoning(options: ExportOptions, rows: str) -> None:
    if options.think_tags and not options.reasoning:
        raise UsageError("--think-tags: says where thoughts go; give --reasoning too")
    if options.reasoning and rows in WITHOUT_REASONING:
        raise UsageError(
            f"--reasoning: {rows} has no place for thoughts; use messages, prompt-completion, alpaca or examples"
        )


def _require_salvage(options: ExportOptions) -> None:
    for option, is_asked in (("--format hub", options.form == "hub"), ("--reasoning", options.reasoning)):
        if options.salvage and is_asked:
            raise UsageError(f"--salvage: reads the examples of a damaged run alone; leave {option} out")


def _require_shards(options: ExportOptions, *, as_folder: bool) -> None:
    if as_folder and options.form in ("parquet", "hub"):
        return
    for option, value in (("--shard-size", options.shard_size), ("--candidates", options.candidates)):
        if value is not None:
            raise UsageError(f"{option}: goes with --format hub, and with --format parquet --to FOLDER/")


def parse_size(text: str) -> int:
    """`500MB` as bytes; raises `UsageError` for a text that is not a size above 0."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([KMG]B)", text.strip(), re.IGNORECASE)
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size <= 0:
        raise UsageError(f"--shard-size {text}: is no size; write it like 500MB or 2GB")
    return size
