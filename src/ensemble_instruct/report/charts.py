"""The shapes of the report's charts: pure functions from numbers to what its template draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ensemble_instruct.report.histograms import Series
from ensemble_instruct.report.records import Nearest, Words
from ensemble_instruct.report.requests import Throughput
from ensemble_instruct.report.verbs import Verbs
from ensemble_instruct.report.wording import duration, short

_GAP = 0.07
"""Between a bar and the edge of its place, which is 1 wide."""
_LEAST = 0.9
"""Height of a bar that would be too low to be seen."""
_CENTRE = 78.0
"""Radius of the hole in the sunburst."""
_INNER = 190.0
"""Radius where the ring of the verbs ends."""
_OUTER = 318.0
"""Radius where the ring of the objects ends."""
_WHOLE = 0.9997
"""Of a ring: an arc that ended where it begins would not be drawn."""
_LETTER = 7.3
"""About how wide a letter of the sunburst's labels is."""
_ROOM = 14.0
"""What a label needs across, near its narrow end."""
COLOURS = {"verbs": 8, "models": 16}
"""How many there are before the first comes again."""
_TOPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
"""Round numbers at which an axis may end, times a power of ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A rectangle; y goes from 0 at the top to 100."""

    x: float
    y: float
    width: float
    height: float
    style: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line with a label; the place in per cent of the width."""

    at: float
    label: str
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Bars and outlines over one axis, with a table of the same numbers."""

    title: str
    width: int
    bars: tuple[Bar, ...]
    outlines: tuple[tuple[str, str], ...]
    """(path, style)."""
    marks: tuple[Mark, ...]
    x_ticks: tuple[Mark, ...]
    y_ticks: tuple[Mark, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def stacked(
    title: str,
    names: Sequence[str],
    columns: Sequence[tuple[str, Sequence[int]]],
    *,
    head: tuple[str, ...],
    marks: Sequence[Mark] = (),
    ticks: Sequence[Mark] = (),
    per: float = 1.0,
) -> Plot:
    """Columns on top of each other; `columns` are (style, counts), `names` says what each column is of."""
    totals = [sum(counts) for counts in zip(*(counts for _, counts in columns), strict=True)]
    top = round_top(max(totals, default=0) / per)
    bars: list[Bar] = []
    for place, name in enumerate(names):
        base = 100.0
        for (style, counts), label in zip(columns, head, strict=True):
            height = max(_LEAST, 100 * counts[place] / per / top)
            if counts[place]:
                base -= height
                text = f"{name}: {counts[place]:,} {label}"
                bars.append(Bar(x=place + _GAP, y=base, width=1 - 2 * _GAP, height=height, style=style, title=text))
    rows = tuple(
        (name, *(f"{counts[place]:,}" for _, counts in columns)) for place, name in enumerate(names) if totals[place]
    )
    heads = ("", *head)
    return Plot(
        title=title,
        width=len(names),
        bars=tuple(bars),
        outlines=(),
        marks=tuple(marks),
        x_ticks=tuple(ticks),
        y_ticks=_y_ticks(top),
        head=heads,
        rows=rows,
    )


def compared(
    title: str,
    names: Sequence[str],
    *,
    back: Series,
    front: Series,
    head: tuple[str, str],
    ticks: Sequence[Mark],
    marks: Sequence[Mark] = (),
) -> Plot:
    """Shares of two series: the one as columns, the other as an outline over them."""
    shares = [[count / max(1, one.total) for count in one.counts] for one in (back, front)]
    top = round_top(100 * max([*shares[0], *shares[1]], default=0)) / 100
    bars = tuple(
        Bar(
            x=place + _GAP,
            y=100 - 100 * share / top,
            width=1 - 2 * _GAP,
            height=100 * share / top,
            style="back",
            title=f"{name}: {share:.1%} {head[0]}",
        )
        for place, (name, share) in enumerate(zip(names, shares[0], strict=True))
        if share
    )
    outline = _steps([100 - 100 * share / top for share in shares[1]]) if front.total else ""
    rows = tuple(
        (name, f"{first:,}", f"{second:,}")
        for name, first, second in zip(names, back.counts, front.counts, strict=True)
        if first or second
    )
    y_ticks = tuple(Mark(mark.at, f"{mark.label} %") for mark in _y_ticks(100 * top))
    outlines = ((outline, "front"),) if outline else ()
    return Plot(
        title=title,
        width=len(names),
        bars=bars,
        outlines=outlines,
        marks=tuple(marks),
        x_ticks=tuple(ticks),
        y_ticks=y_ticks,
        head=("", *head),
        rows=rows,
    )


def _steps(heights: Sequence[float]) -> str:
    parts = ["M0 100"]
    for place, height in enumerate(heights):
        parts.append(f"V{height:.2f}H{place + 1}")
    return "".join([*parts, "V100"])


def round_top(value: float) -> float:
    """The next round number from a value on, at least 1 for counts below it."""
    if value <= 0:
        return 1.0
    scale = 10 ** math.floor(math.log10(value))
    # a value that is round already stays, whatever binary fractions make of it
    return float(next(step for step in _TOPS if step * scale >= value * (1 - 1e-9)) * scale)


def _y_ticks(top: float) -> tuple[Mark, ...]:
    return tuple(Mark(100 - 50 * half, short(top * half / 2)) for half in (0, 1, 2))


def share_ticks() -> tuple[Mark, ...]:
    """The axis from 0 to 1."""
    return tuple(Mark(25 * place, ("0", "0.25", "0.5", "0.75", "1")[place]) for place in range(5))


def between(edges: Sequence[float], digits: int) -> list[str]:
    """What lies between each two edges, in words."""
    return [f"{first:.{digits}f} to {last:.{digits}f}" for first, last in pairwise(edges)]


def words_plot(words: Words) -> Plot:
    """Lengths before selection as columns, after it as an outline."""
    names, ticks = _word_axis(words.edges)
    label = f"Words of the {words.part}s: all rows of step 5 as columns, those kept as an outline"
    return compared(label, names, back=words.before, front=words.after, head=("all", "kept"), ticks=ticks)


def lengths_plot(part: str, edges: Sequence[float], words: Series, noun: str) -> Plot:
    """Lengths of a part of the rows of a file as columns, of which each counts rows by a noun."""
    names, ticks = _word_axis(edges)
    return stacked(f"Words of the {part}s", names, (("kept", words.counts),), head=(noun,), ticks=ticks)


def columns_plot(title: str, edges: Sequence[float], values: Series, noun: str) -> Plot:
    """Values from 0 to 1 as columns, of which each counts things with a noun."""
    return stacked(title, between(edges, 2), (("kept", values.counts),), head=(noun,), ticks=share_ticks())


def _word_axis(edges: Sequence[float]) -> tuple[list[str], list[Mark]]:
    """What lies between each two edges in words, and the ticks."""
    ends = [int(edge) for edge in edges]
    names = [f"{first}" if last - first == 1 else f"{first} to {last - 1}" for first, last in pairwise(ends)]
    names[-1] = f"{ends[-2]} or more"
    every = max(1, math.ceil((len(ends) - 1) / 6))
    ticks = [Mark(100 * place / (len(ends) - 1), short(ends[place])) for place in range(0, len(ends) - 1, every)]
    return names, ticks


def nearest_plot(nearest: Nearest, threshold: float | None) -> Plot:
    """Similarity to the nearest seed as columns, to the nearest of all as an outline."""
    marks = [Mark(100 * threshold, f"dropped above {threshold:g}")] if threshold is not None else []
    label = (
        "ROUGE-L F1 of instructions to the nearest seed as columns, to the nearest of all earlier ones as an outline"
    )
    names = between(nearest.edges, 2)
    return compared(
        label,
        names,
        back=nearest.seed,
        front=nearest.pool,
        head=("nearest seed", "nearest of all"),
        ticks=share_ticks(),
        marks=marks,
    )


def throughput_plot(throughput: Throughput) -> Plot:
    """Answers a second, model on model."""
    seconds, bars = throughput.bar_seconds, len(throughput.totals)
    names = [duration(place * seconds) for place in range(bars)]
    whole = bars * seconds
    step = next((step for step in _TICKS if whole / step <= 6), _TICKS[-1])
    ticks = [Mark(100 * at * step / whole, duration(at * step)) for at in range(math.ceil(whole / step))]
    marks = [
        Mark(100 * pause.before / bars, f"paused {duration(pause.seconds)}", "pause") for pause in throughput.pauses
    ]
    columns = [(f"m{place % COLOURS['models']}", counts) for place, counts in enumerate(throughput.counts.values())]
    label = "Answers a second over time, by model"
    return stacked(label, names, columns, head=tuple(throughput.counts), marks=marks, ticks=ticks, per=seconds)


_TICKS = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
    172_800, 604_800, 2_592_000,
)  # fmt: skip
"""Seconds between two ticks of an axis of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    """A piece of a ring, with its label if there is room for it."""

    path: str
    style: str
    title: str
    label: str
    turn: float
    x: float
    anchor: str
    is_small: bool
    """Whether the label has room on a wide screen alone."""


def sunburst(verbs: Verbs) -> tuple[Arc, ...]:
    """The verbs as an inner ring and their objects as an outer one, around a centre of 0, 0."""
    total = sum(verb.count for verb in verbs.top)
    arcs: list[Arc] = []
    at = 0.0
    for place, verb in enumerate(verbs.top):
        style = f"v{place % COLOURS['verbs']}"
        end = at + verb.count / total
        title = f"{verb.verb}: {verb.count:,}"
        arcs.append(_arc(at, end, (_CENTRE, _INNER), style=style, label=verb.verb, title=title))
        for name, count in verb.objects:
            part = count / total
            title = f"{verb.verb} {name}: {count:,}"
            arcs.append(_arc(at, at + part, (_INNER + 2, _OUTER), style=f"{style} object", label=name, title=title))
            at += part
        at = end
    return tuple(arcs)


def _arc(start: float, end: float, radii: tuple[float, float], *, style: str, label: str, title: str) -> Arc:
    """A piece of a ring from `start` to `end`, as parts of a whole turn; the label is cut where it has no room."""
    inner, outer = radii
    end = min(end, start + _WHOLE)
    large = int(end - start > 0.5)
    (x1, y1), (x2, y2), (x3, y3), (x4, y4) = (
        _point(start, outer), _point(end, outer), _point(end, inner), _point(start, inner)
    )  # fmt: skip
    path = (
        f"M{x1:.1f} {y1:.1f}A{outer:g} {outer:g} 0 {large} 1 {x2:.1f} {y2:.1f}L{x3:.1f} {y3:.1f}"
        f"A{inner:g} {inner:g} 0 {large} 0 {x4:.1f} {y4:.1f}Z"
    )
    middle = (start + end) / 2
    room = (end - start) * 2 * math.pi * (inner + 12)
    most = int((outer - inner - 12) / _LETTER)
    shown = "" if room < _ROOM else label if len(label) <= most else f"{label[: most - 1]}\u2026"
    turn = 360 * middle - 90
    is_left = middle > 0.5  # there a label would be upside down: it is turned, and starts at its outer end
    turn, x, anchor = (turn + 180, -(inner + 6), "end") if is_left else (turn, inner + 6, "start")
    return Arc(
        path=path,
        style=style,
        title=title,
        label=shown,
        turn=round(turn, 2),
        x=x,
        anchor=anchor,
        is_small=room < 1.6 * _ROOM,
    )


def _point(turn: float, radius: float) -> tuple[float, float]:
    angle = 2 * math.pi * turn - math.pi / 2
    return radius * math.cos(angle), radius * math.sin(angle)


def flow(stages: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """For each kind the band of its counts, stage after stage, in a box of 100 by 100; the bands lie on each other."""
    length = len(stages[0])
    most = max(1, *(sum(counts) for counts in zip(*stages, strict=True)))
    tops = [50 - 48 * sum(counts) / most for counts in zip(*stages, strict=True)]
    paths = []
    for counts in stages:
        bottoms = [top + 96 * count / most for top, count in zip(tops, counts, strict=True)]
        paths.append(f"{_ridge(tops, length)}{_ridge(bottoms, length, back=True)}Z")
        tops = bottoms
    return tuple(paths)


def _ridge(heights: Sequence[float], length: int, *, back: bool = False) -> str:
    """A line through the heights, level around each stage and a soft slope between two."""
    width = 100 / length
    points = [(place * width + side * width, height) for place, height in enumerate(heights) for side in (0.2, 0.8)]
    points = [(0.0, heights[0]), *points[1:-1], (100.0, heights[-1])]
    if back:
        points.reverse()
    parts = [f"{'L' if back else 'M'}{points[0][0]:.2f} {points[0][1]:.2f}"]
    for (x1, y1), (x2, y2) in pairwise(points):
        middle = (x1 + x2) / 2
        # a cubic Bezier curve that is level at both ends
        parts.append(f"C{middle:.2f} {y1:.2f} {middle:.2f} {y2:.2f} {x2:.2f} {y2:.2f}")
    return "".join(parts)
