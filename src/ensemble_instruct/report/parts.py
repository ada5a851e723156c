"""The parts of a report: the numbers, and nothing of how they are read or shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ensemble_instruct.agreement.voters.kept import Kept
from ensemble_instruct.agreement.voters.seen import SeenVoters
from ensemble_instruct.records import Kind
from ensemble_instruct.report.histograms import Series
from ensemble_instruct.report.matrix import MeanMatrix
from ensemble_instruct.report.records import MergedPart, Nearest, Reason, SampleRow, Win, Words
from ensemble_instruct.report.requests import ModelUse, Throughput
from ensemble_instruct.report.verbs import Verbs


@dataclass(frozen=True, slots=True)
class Stage:
    """How many records a step made of a kind, and how many it dropped."""

    name: str
    kept: int
    dropped: int

    @property
    def lost(self) -> int:
        """Drops that are records of this stage: those of step 4 are single answers."""
        return 0 if self.name == "answered" else self.dropped


@dataclass(frozen=True, slots=True)
class Funnel:
    """The way of one kind from replies to examples."""

    kind: Kind
    target: int
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceTable:
    """The confidence in all rows of step 5."""

    edges: tuple[float, ...]
    kept: Series
    """That in the examples."""
    dropped: Series
    """That in the rows that were dropped, as far as step 5 says it."""
    least: Mapping[str, float]
    """By kind, what an example needs; 0 where a share or another rule decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTable:
    """How much the outputs agree: that of an example with the others, and each two voters."""

    edges: tuple[float, ...]
    kept: Series
    """The agreement of the examples."""
    all_rows: MeanMatrix | None
    """Of a sample of all rows, kept or not; by ROUGE-L where the utility needs a model."""
    kept_rows: MeanMatrix | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Which run it is, and how it was set up."""

    run: str
    state: str
    """`finished`, `running` or `stopped`."""
    version: str
    """That began or resumed the run last."""
    profile: str
    strategy: str
    settings: Mapping[str, Any]
    """What decides the run's records, without addresses and paths; files by their digests."""
    merged: tuple[MergedPart, ...]
    """The runs that it was merged from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How many records the run has, and how many its steps dropped."""

    examples: int
    kinds: Mapping[Kind, int]
    """Examples of each kind that has any."""
    selected_from: int
    """Rows on which step 5 decided."""
    funnels: tuple[Funnel, ...]
    drops: tuple[Reason, ...]
    barred: Mapping[str, int]
    """Outputs of examples that a quality filter did not let be chosen, by reason; known when the run has ended."""

    @property
    def not_selected(self) -> int:
        """Rows that step 5 dropped."""
        return self.selected_from - self.examples


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """How the voters agree, and whose outputs were chosen."""

    voters: tuple[str, ...]
    confidence: ConfidenceTable
    agreement: AgreementTable
    wins: tuple[Win, ...]
    standings: SeenVoters | None
    """How the voters do, as `status` says it; None until the run ends, and where it did not learn that."""
    selected: Kept | None
    """The examples in numbers, by the length of their outputs too; None until the run ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What the texts are like: how long, how new, what they ask for, and some to look at."""

    mean_words: tuple[float, float] | None
    """Of all outputs, and of those kept, as `status` says them; None until the run ends."""
    words: tuple[Words, ...]
    nearest: Nearest | None
    seeds_are_known: bool
    novelty_threshold: float | None
    verbs: Verbs
    looks: tuple[SampleRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What the models were asked, and what it took."""

    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    """US dollars for all tries; None where that is not known."""
    has_prices: bool
    """Whether any model has a price above 0, or a server stated a cost."""
    unpriced: tuple[str, ...]
    """The models of which it is not known what they cost."""
    looked_up: tuple[str, ...]
    """Those whose price is not the config's."""
    models: tuple[ModelUse, ...]
    throughput: Throughput | None

    @property
    def are_shown(self) -> bool:
        """Whether there is anything to say of what it cost."""
        return self.has_prices or bool(self.unpriced)
