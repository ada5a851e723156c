"""The report as HTML: one file without scripts, fonts or pictures from elsewhere; every text in it is only text."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensemble_instruct.files.atomic import FOR_ALL, FOR_OWNER, whole_file
from ensemble_instruct.files.places import require_writable
from ensemble_instruct.records import INSTANCE_VOTER
from ensemble_instruct.report.charts import COLOURS
from ensemble_instruct.report.context import context_of
from ensemble_instruct.report.histograms import visible
from ensemble_instruct.report.records import WITHHELD
from ensemble_instruct.report.report import Report, read_report
from ensemble_instruct.report.wording import (
    KIND_NAMES,
    REASONS,
    STAGES,
    STEP_NAMES,
    dec,
    duration,
    many,
    mean,
    share,
    short,
    usd,
)
from ensemble_instruct.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment


def write_report(folder: Path, to: Path | None = None, parser: str | None = None) -> Path:
    """Write the page of a run, by default as `report.html` in its folder; it is complete or untouched."""
    to = to or folder / "report.html"
    write_page(page(read_report(folder, parser)), to, FOR_OWNER if to.parent == folder else FOR_ALL)
    return to


def write_page(text: str, to: Path, mode: int = FOR_ALL) -> None:
    """Write a page to a file, complete or untouched; half a surrogate pair of a model's text becomes `?`."""
    with whole_file(to, mode) as file:
        file.write(text.encode("utf-8", "replace"))


def page(report: Report) -> str:
    """The whole page."""
    context = context_of(report)
    names = {field.name: getattr(context, field.name) for field in fields(context)}  # not `asdict`: records stay
    return environment().get_template("report.html.j2").render(names)


@cache
def environment() -> Environment:
    """The templates, with the filters and words that all pages share; a name that nobody gives is an error.

    Made once a process, as each template is compiled when it is first used.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("ensemble_instruct.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_only_visible,
    )
    templates.filters |= _FILTERS
    templates.globals |= WORDS
    return templates


def _only_visible(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


_FILTERS: Mapping[str, Callable[..., str]] = {
    "n": lambda number: f"{number:,}",
    "many": many,
    "short": short,
    "share": share,
    "usd": usd,
    "duration": duration,
    "moment": lambda at: time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at)),
    "dec": dec,
    "mean": mean,
    "reason": lambda name: REASONS.get(name, REASONS.get(name.removeprefix("instruction_"), "")),
    "kind": lambda kind: KIND_NAMES.get(kind, str(kind)),
    "voter": lambda name: "the instance itself" if name == INSTANCE_VOTER else name,
}
"""How the templates write numbers, and names as words."""
WORDS: Mapping[str, Any] = {
    "version": __version__,
    "stages": STAGES,
    "step_names": STEP_NAMES,
    "colours": COLOURS,
    "withheld": WITHHELD,
}
"""What the templates know of every run."""

_FRAME_HEIGHT = 700
"""Of a report below a cell, in pixels."""


@dataclass(frozen=True, slots=True)
class ReportPage:
    """The report of a run: one self-contained page of HTML."""

    html: str

    def save(self, path: Path | str) -> Path:
        """Write the page to a file, whole or not at all."""
        path = Path(path)
        require_writable(path)
        write_page(self.html, path)
        return path

    def __repr__(self) -> str:
        return f"ReportPage({len(self.html):,} characters); save(path) writes it"

    def _repr_html_(self) -> str:
        # a frame, so that neither the notebook's styles nor the page's reach the other
        source = html.escape(self.html)
        return f'<iframe srcdoc="{source}" style="width: 100%; height: {_FRAME_HEIGHT}px; border: 0"></iframe>'
