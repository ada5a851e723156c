"""What the templates of the page are given: the parts of the report, and for each section what is drawn in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ensemble_instruct.agreement.voters.kept import BASES
from ensemble_instruct.records import Step
from ensemble_instruct.report.charts import (
    Arc,
    Mark,
    Plot,
    between,
    flow,
    nearest_plot,
    share_ticks,
    stacked,
    sunburst,
    throughput_plot,
    words_plot,
)
from ensemble_instruct.report.histograms import visible
from ensemble_instruct.report.matrix import MeanMatrix
from ensemble_instruct.report.parts import Costs, Setup, Texts, Totals, Votes
from ensemble_instruct.report.records import MergedPart, Reason, Words
from ensemble_instruct.report.report import Report
from ensemble_instruct.report.requests import ModelUse
from ensemble_instruct.report.verbs import Verbs
from ensemble_instruct.report.wording import NONE, dec, duration, share, usd
from ensemble_instruct.store.costs import sum_of_costs

Cells = tuple[str, ...]
"""A row of a table, as it is printed."""
_SUMMED = ("answers", "failures", "wasted", "prompt_tokens", "completion_tokens", "estimated", "seconds")
"""What the last line of the table of models adds up."""
_SHADES = 10
"""Steps from the lowest to the highest value of a heat map."""
_MODEL_HEAD = ("Answers", "Failed", "Mean time", "Tokens in", "Tokens out", "Tokens for an example")
_PRICE_HEAD = ("USD", "USD for an example")
"""Further columns where a model has a price, or one that is not known."""
_WASTED_HEAD = ("Tries for nothing",)
"""A further column where some tries were paid and gave no answer."""
_VOTER_HEAD = ("Strength", "Agreement", "Won", "Of all")
_WEIGHT_HEAD = ("Weight",)
"""A further column where the user trusts some voters more than others."""
_MOST_IN_A_CARD = 6
"""Voters that fit into half the width of the page."""
_MOST_NAMED = 5
"""Voters of a matrix up to which each column has its name; with more, columns have numbers."""
_LONGEST_NAME = 14
"""Characters of a voter's name that a column has room for."""


@dataclass(frozen=True, slots=True)
class FunnelSection:
    """The way from replies to examples."""

    flow: tuple[str, ...]
    """The path of each kind's band; empty where no kind was begun."""
    longest: int
    """Records of the largest stage: a whole bar."""
    merged: tuple[Cells, ...]


@dataclass(frozen=True, slots=True)
class DropsSection:
    """What was dropped."""

    steps: tuple[tuple[Step, tuple[Reason, ...]], ...]
    longest: int
    """Drops for the most frequent reason: a whole bar."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A matrix of voters as a table in shades."""

    title: str
    matrix: MeanMatrix
    shades: tuple[tuple[int, ...], ...]
    """For each pair from 0 to 10; -1 where there is no value."""
    is_numbered: bool
    """Whether the columns have numbers, since there is no room for names."""


@dataclass(frozen=True, slots=True)
class AgreementSection:
    """Where the models agree."""

    rows: int
    """Instances that at least one voter answered."""
    plot: Plot | None
    """None before step 5 has looked at a row."""
    heat_maps: tuple[HeatMap, ...]
    all_differ: int
    """Rows that were dropped whatever their confidence, since no two of their short outputs are the same answer."""
    wins: tuple[Cells, ...]
    voter_head: Cells
    """Of the columns of the voters' numbers."""
    voters: tuple[tuple[str, Cells, str], ...]
    """For each voter its name, its numbers, and why it is set aside."""
    lengths: tuple[Cells, ...]
    """How much examples agree, by words of their outputs."""
    bases: tuple[Cells, ...]
    """How many examples agree by what."""
    is_wide: bool
    """Whether there are so many voters that each card takes a whole line."""


@dataclass(frozen=True, slots=True)
class LengthsSection:
    """Lengths before and after selection."""

    rows: int
    """Instances, of which the charts may be a sample."""
    plots: tuple[tuple[Words, Plot], ...]


@dataclass(frozen=True, slots=True)
class VarietySection:
    """How far the instructions are from each other, and what they ask for."""

    nearest: Plot | None
    arcs: tuple[Arc, ...]
    verbs: tuple[Cells, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSection:
    """What the models were asked, and how long it took."""

    answers: int
    longest: int
    """Tokens of the model with the most: a whole bar."""
    head: Cells
    """Of the columns of the models' numbers."""
    models: tuple[tuple[str, Cells], ...]
    total: Cells
    throughput: Plot | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """What is drawn, by the sections of the page."""

    funnel: FunnelSection
    drops: DropsSection
    agreement: AgreementSection
    lengths: LengthsSection
    variety: VarietySection
    cost: CostSection
    config: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """The settings of each section of the config: (name, value)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All names that the templates know, besides the words of the page and its filters."""

    setup: Setup
    totals: Totals
    votes: Votes
    texts: Texts
    costs: Costs
    sections: Sections


def context_of(report: Report) -> Context:
    """What the templates are given for a report."""
    sections = Sections(
        funnel=_funnel(report),
        drops=_drops(report.totals),
        agreement=_agreement(report),
        lengths=_lengths(report),
        variety=_variety(report.texts),
        cost=_cost(report),
        config=_config(report.setup.settings),
    )
    return Context(
        setup=report.setup,
        totals=report.totals,
        votes=report.votes,
        texts=report.texts,
        costs=report.costs,
        sections=sections,
    )


def _funnel(report: Report) -> FunnelSection:
    funnels = report.totals.funnels
    stages = [stage for funnel in funnels for stage in funnel.stages]
    return FunnelSection(
        flow=flow([[stage.kept for stage in funnel.stages] for funnel in funnels]) if funnels else (),
        longest=max((stage.kept + stage.lost for stage in stages), default=1) or 1,
        merged=tuple(map(_merged_cells, report.setup.merged)),
    )


def _merged_cells(part: MergedPart) -> Cells:
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(part.dropped.items()))
    numbers = (part.instructions, part.instances, part.examples)
    return visible(part.run), *(f"{number:,}" for number in numbers), dropped or NONE


def _drops(totals: Totals) -> DropsSection:
    by_step = groupby(totals.drops, key=lambda reason: reason.step)
    return DropsSection(
        steps=tuple((step, tuple(reasons)) for step, reasons in by_step),
        longest=max((reason.count for reason in totals.drops), default=1),
    )


def _agreement(report: Report) -> AgreementSection:
    agreement = report.votes.agreement
    matrices = (("all rows", agreement.all_rows), ("rows that were kept", agreement.kept_rows))
    return AgreementSection(
        rows=_kept_in(report.totals, "answered"),
        plot=_confidence_plot(report),
        heat_maps=tuple(
            HeatMap(title, matrix, _shades(matrix), _is_numbered(matrix.voters)) for title, matrix in matrices if matrix
        ),
        wins=tuple(
            (visible(win.voter), f"{win.answered:,}", f"{win.won:,}", f"{win.alone:,}") for win in report.votes.wins
        ),
        all_differ=sum(drop.count for drop in report.totals.drops if drop.reason == "all_differ"),
        voter_head=_VOTER_HEAD + (_WEIGHT_HEAD if _has_weights(report.votes) else ()),
        voters=_voters(report.votes),
        lengths=tuple(
            (band.words, f"{band.rows:,}", dec(band.mean), f"± {dec(band.deviation)}")
            for band in (report.votes.selected.lengths if report.votes.selected else ())
        ),
        bases=tuple(
            (BASES[basis], f"{count:,}", share(count, report.totals.examples))
            for basis, count in (report.votes.selected.bases.items() if report.votes.selected else ())
        ),
        is_wide=len(report.votes.wins) > _MOST_IN_A_CARD,
    )


def _has_weights(votes: Votes) -> bool:
    return votes.standings is not None and any(voter.weight != 1 for voter in votes.standings.voters)


def _voters(votes: Votes) -> tuple[tuple[str, Cells, str], ...]:
    rows = []
    for voter in votes.standings.voters if votes.standings else ():
        numbers = (dec(voter.strength), dec(voter.agreement), f"{voter.won:,}", share(voter.share))
        weight = (f"{voter.weight:g}",) if _has_weights(votes) else ()
        rows.append((voter.name, numbers + weight, visible(voter.why)))
    return tuple(rows)


def _kept_in(totals: Totals, stage_name: str) -> int:
    return sum(stage.kept for funnel in totals.funnels for stage in funnel.stages if stage.name == stage_name)


def _confidence_plot(report: Report) -> Plot | None:
    confidence = report.votes.confidence
    if not confidence.kept.total and not confidence.dropped.total:
        return None
    least = {value for kind, value in confidence.least.items() if value and kind in report.totals.kinds}
    return stacked(
        "Confidence in the rows of step 5, kept and dropped",
        between(confidence.edges, 2),
        (("kept", confidence.kept.counts), ("lost", confidence.dropped.counts)),
        head=("kept", "dropped"),
        marks=[Mark(100 * value, f"needed: {value:g}") for value in sorted(least)],
        ticks=share_ticks(),
    )


def _shades(matrix: MeanMatrix) -> tuple[tuple[int, ...], ...]:
    """For each pair a shade from 0 to 10, spread over the values that there are."""
    values = [value for row in matrix.means for value in row if value is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    low = max(0.0, min(low, high - 0.2))  # voters that agree alike get like shades: the scale spans at least 0.2
    return tuple(
        tuple(-1 if value is None else round(_SHADES * (value - low) / (high - low or 1)) for value in row)
        for row in matrix.means
    )


def _is_numbered(voters: Sequence[str]) -> bool:
    return len(voters) > _MOST_NAMED or max(map(len, voters)) > _LONGEST_NAME


def _lengths(report: Report) -> LengthsSection:
    return LengthsSection(
        rows=_kept_in(report.totals, "instances"),
        plots=tuple((words, words_plot(words)) for words in report.texts.words),
    )


def _variety(texts: Texts) -> VarietySection:
    return VarietySection(
        nearest=nearest_plot(texts.nearest, texts.novelty_threshold) if texts.nearest else None,
        arcs=sunburst(texts.verbs) if texts.verbs.found else (),
        verbs=verb_cells(texts.verbs),
    )


def verb_cells(verbs: Verbs) -> tuple[Cells, ...]:
    """The table of the verbs: each with its number and its objects."""
    return tuple(
        (verb.verb, f"{verb.count:,}", ", ".join(f"{name} {count:,}" for name, count in verb.objects))
        for verb in verbs.top
    )


def _cost(report: Report) -> CostSection:
    models, throughput = report.costs.models, report.costs.throughput
    wasted = any(use.wasted for use in models)
    return CostSection(
        answers=sum(use.answers for use in models),
        longest=max((use.prompt_tokens + use.completion_tokens for use in models), default=1) or 1,
        head=_MODEL_HEAD + (_PRICE_HEAD if report.costs.are_shown else ()) + (_WASTED_HEAD if wasted else ()),
        models=tuple((use.name, _model_cells(use, report)) for use in models),
        total=_model_cells(_sum_of(models), report, is_total=True),
        throughput=throughput_plot(throughput) if throughput else None,
    )


def _sum_of(models: Sequence[ModelUse]) -> ModelUse:
    sums = {name: sum(getattr(use, name) for use in models) for name in _SUMMED}
    cost, wasted = sum_of_costs(use.cost for use in models), sum_of_costs(use.wasted_cost for use in models)
    return ModelUse(name="", model="", license=None, roles=(), cost=cost, wasted_cost=wasted, **sums)


def _model_cells(use: ModelUse, report: Report, *, is_total: bool = False) -> Cells:
    """What the table of the models says of one; a mean time for all of them would say nothing."""
    examples, tokens = report.totals.examples, use.prompt_tokens + use.completion_tokens
    cells = [
        f"{use.answers:,}",
        f"{use.failures:,}",
        "" if is_total else duration(use.seconds),
        f"{use.prompt_tokens:,}",
        f"{use.completion_tokens:,}",
        f"{tokens / examples:,.0f}" if examples else NONE,
    ]
    if report.costs.are_shown:
        each = use.cost / examples if examples and use.cost is not None else None
        cells += [usd(use.cost), usd(each) if examples else NONE]
    if any(model.wasted for model in report.costs.models):
        cells.append(f"{use.wasted:,}" + (f" ({usd(use.wasted_cost)} USD)" if report.costs.are_shown else ""))
    return tuple(cells)


def _config(settings: Mapping[str, Any]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """The settings by section, those of the run itself under `run`."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for key, value in settings.items():
        section, _, name = key.rpartition(".")
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        sections.setdefault(section or "run", []).append((name, text))
    return tuple((section, tuple(pairs)) for section, pairs in sections.items())
