"""The report as HTML: one file without scripts, fonts or pictures from elsewhere; every text in it is only text."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from ensemble_instruct.files.atomic import whole_file
from ensemble_instruct.records import INSTANCE_VOTER
from ensemble_instruct.report.charts import (
    COLOURS,
    Mark,
    between,
    duration,
    flow,
    nearest_plot,
    share_ticks,
    short,
    stacked,
    sunburst,
    throughput_plot,
    words_plot,
)
from ensemble_instruct.report.histograms import visible
from ensemble_instruct.report.records import WITHHELD, MeanMatrix, MergedPart
from ensemble_instruct.report.report import Report, Stage, read_report
from ensemble_instruct.report.requests import ModelUse
from ensemble_instruct.report.wording import KIND_NAMES, REASONS, STAGES, STEP_NAMES
from ensemble_instruct.version import __version__

_NONE = "\u2013"
_SUMMED = ("answers", "failures", "prompt_tokens", "completion_tokens", "estimated", "seconds", "cost")
_SHADES = 10
_NAMED, _NAME = 5, 14
"""Most voters of a matrix, and most characters of their names, so that each column has its name."""


def write_report(folder: Path, to: Path | None = None, parser: str | None = None) -> Path:
    """Write the page of a run, by default as `report.html` in its folder; it is complete or untouched."""
    to = to or folder / "report.html"
    text = page(read_report(folder, parser))
    with whole_file(to) as file:
        file.write(text.encode("utf-8", "replace"))
    return to


def page(report: Report) -> str:
    """The whole page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ensemble_instruct.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_only_visible,
    )
    environment.filters |= _FILTERS
    return environment.get_template("report.html.j2").render(r=report, **_charts(report))


def _only_visible(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _share(part: float, whole: float = 1.0) -> str:
    if not whole:
        return _NONE
    percent = 100 * part / whole
    return f"{percent:.1f}\u00a0%" if 0 < percent < 9.95 or 99 < percent < 100 else f"{percent:.0f}\u00a0%"


def _usd(amount: float) -> str:
    """With two decimals, and with more where they would say less than three digits."""
    return f"{amount:,.{2 if amount <= 0 else max(2, min(9, 2 - math.floor(math.log10(amount))))}f}"


def _dec(number: float | None, digits: int = 2) -> str:
    return _NONE if number is None else f"{number:.{digits}f}"


def _mean(number: float | None, digits: int = 1) -> str:
    return _NONE if number is None else f"{number:,.{digits}f}"


def _many(number: int, noun: str, nouns: str = "") -> str:
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"


_FILTERS: Mapping[str, Callable[..., str]] = {
    "n": lambda number: f"{number:,}",
    "many": _many,
    "short": short,
    "share": _share,
    "usd": _usd,
    "duration": duration,
    "moment": lambda at: time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at)),
    "dec": _dec,
    "mean": _mean,
    "reason": lambda name: REASONS.get(name, REASONS.get(name.removeprefix("instruction_"), "")),
    "kind": lambda kind: KIND_NAMES.get(kind, str(kind)),
    "voter": lambda name: "the instance itself" if name == INSTANCE_VOTER else name,
}


def _charts(report: Report) -> Mapping[str, Any]:
    funnels = report.funnels
    replies = sum(use.answers for use in report.models)
    return {
        "version": __version__,
        "stages": STAGES,
        "step_names": STEP_NAMES,
        "colours": COLOURS,
        "answers": replies,
        "flow": flow([[stage.kept for stage in funnel.stages] for funnel in funnels]) if funnels else (),
        "most_in_funnel": max((stage.kept + _lost(stage) for funnel in funnels for stage in funnel.stages), default=1)
        or 1,
        "answered": _in_stage(report, "answered"),
        "instances": _in_stage(report, "instances"),
        "model_rows": [(use.name, _model_cells(use, report)) for use in report.models],
        "model_total": _model_cells(_together(report.models), report, is_total=True),
        "part_rows": [_part_row(part) for part in report.merged],
        "lost": _lost,
        "drops": [(step, list(reasons)) for step, reasons in groupby(report.drops, key=lambda reason: reason.step)],
        "withheld": WITHHELD,
        "most_dropped": max((reason.count for reason in report.drops), default=1),
        "agreement": _agreement_plot(report),
        "matrices": [
            (title, matrix, _shades(matrix), _is_numbered(matrix.voters))
            for title, matrix in (
                ("all rows", report.agreement.all_rows),
                ("rows that were kept", report.agreement.kept_rows),
            )
            if matrix
        ],
        "win_rows": [
            (visible(win.voter), f"{win.answered:,}", f"{win.won:,}", f"{win.alone:,}") for win in report.wins
        ],
        "verb_rows": [
            (verb.verb, f"{verb.count:,}", ", ".join(f"{name} {count:,}" for name, count in verb.objects))
            for verb in report.verbs.top
        ],
        "words": [(words, words_plot(words)) for words in report.words],
        "nearest": nearest_plot(report.nearest, report.novelty_threshold) if report.nearest else None,
        "arcs": sunburst(report.verbs) if report.verbs.found else (),
        "throughput": throughput_plot(report.throughput) if report.throughput else None,
        "sections": _settings_by_section(report.settings),
        "most_tokens": max((use.prompt_tokens + use.completion_tokens for use in report.models), default=1) or 1,
    }


def _in_stage(report: Report, name: str) -> int:
    return sum(stage.kept for funnel in report.funnels for stage in funnel.stages if stage.name == name)


def _lost(stage: Stage) -> int:
    """Drops that are records of the stage: in step 4 they are single answers."""
    return 0 if stage.name == "answered" else int(stage.dropped)


def _together(models: Sequence[ModelUse]) -> ModelUse:
    sums = {name: sum(getattr(use, name) for use in models) for name in _SUMMED}
    return ModelUse(name="", model="", license=None, roles=(), **sums)


def _model_cells(use: ModelUse, report: Report, *, is_total: bool = False) -> list[str]:
    """What the table of the models says of one."""
    examples, tokens = report.examples, use.prompt_tokens + use.completion_tokens
    cells = [f"{use.answers:,}", f"{use.failures:,}", "" if is_total else duration(use.seconds)]
    cells += [
        f"{use.prompt_tokens:,}",
        f"{use.completion_tokens:,}",
        f"{tokens / examples:,.0f}" if examples else _NONE,
    ]
    if report.has_prices:
        cells += [_usd(use.cost), _usd(use.cost / examples) if examples else _NONE]
    return cells


def _part_row(part: MergedPart) -> tuple[str, ...]:
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(part.dropped.items()))
    numbers = (part.instructions, part.instances, part.examples)
    return visible(part.run), *(f"{number:,}" for number in numbers), dropped or _NONE


def _is_numbered(voters: Sequence[str]) -> bool:
    """Whether the columns of a matrix have numbers, for there is no room for names."""
    return len(voters) > _NAMED or max(map(len, voters)) > _NAME


def _agreement_plot(report: Report) -> Any:
    agreement = report.agreement
    if not agreement.kept.total and not agreement.dropped.total:
        return None
    least = {value for kind, value in agreement.least.items() if value and kind in report.kinds}
    marks = [Mark(100 * value, f"needed: {value:g}") for value in sorted(least)]
    return stacked(
        "Agreement of the rows of step 5, kept and dropped",
        between(agreement.edges, 2),
        (("kept", agreement.kept.counts), ("lost", agreement.dropped.counts)),
        head=("kept", "dropped"),
        marks=marks,
        ticks=share_ticks(),
    )


def _shades(matrix: MeanMatrix) -> list[list[int]]:
    """For each pair a shade from 0 to 10, spread over the values that there are."""
    values = [value for row in matrix.means for value in row if value is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    low = max(0.0, min(low, high - 0.2))
    return [
        [-1 if value is None else round(_SHADES * (value - low) / (high - low or 1)) for value in row]
        for row in matrix.means
    ]


def _settings_by_section(settings: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    pairs = [(*key.rpartition(".")[::2], value) for key, value in settings.items()]
    sections: dict[str, list[tuple[str, str]]] = {}
    for section, name, value in pairs:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        sections.setdefault(section or "run", []).append((name, text))
    return list(sections.items())
