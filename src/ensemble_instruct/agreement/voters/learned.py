"""What a run teaches of its voters: how strong each is, who is related to whom, who is set aside and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations
from statistics import fmean, median
from typing import Literal, NamedTuple

from ensemble_instruct.agreement.content import WordWeights
from ensemble_instruct.agreement.voters.tallies import (
    Pair,
    Tallies,
    VotedRow,
    coherence_of_voters,
    tallies_of,
)

MOST_ROWS = 1024
"""Looked at to learn of the voters of a run: more rows change its means by little."""
LEAST_ROWS = 30
"""Below these, what a run says of its voters means little, and nothing is learned."""
_REPETITION = 0.3
"""Mean repetition above which a voter is set aside."""
_COPY, _WHOLE = 0.25, 0.1
"""Shares of what voters lack of each other usually: two are copies that lack less than the first of each other; one
that lacks less than the second of another has it whole. A strong voter says most of what terse ones do, not all."""
_RELATIVE, _STRANGER = 0.5, 0.75
"""Of what voters lack of each other usually: up to where two vouch not at all for each other, from where on wholly."""
_PAIRS = 6
"""Ordered pairs of voters, of three, below which there is nothing usual."""
_OFF_TOPIC = 2.0
"""A voter is off topic whose content others share less than this many times as often as by chance."""
_RUNS_ON, _RUNS_ON_FAR, _INCOHERENT = 0.6, 0.5, 0.2
"""Shares of the median coherence below which a voter runs on: the first, if its own is also below 0.2; the second."""
_LEAST_COHERENCE = 0.1
"""Of the median voter, below which coherence says nothing: words of other languages and short outputs seldom recur."""
_WEAK = 0.4
"""Share of the strongest voter's strength below which one is set aside."""

_LEAST_STRENGTH = -2.0
"""Logarithm of a voter's share of the strongest one's strength, below which there is no difference."""

SetAside = Literal["", "repeats", "copies", "runs_on", "off_topic", "weak"]
"""Why the outputs of a voter are neither chosen nor heard; empty: they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoterStanding:
    """How a voter does over a run."""

    name: str
    rows: int
    """In which it has an output, of those that were looked at."""
    strength: float
    """What it says and others say too, 1 for the mean of the voters that are kept."""
    agreement: float
    """Mean agreement of its outputs with the others."""
    set_aside: SetAside = ""
    like: str = ""
    """The voter all of whose content it has, where it is set aside for that; else its nearest relative, if any."""
    weight: float = 1.0
    """How much the user trusts it, compared with the others."""


class Panel(NamedTuple):
    """The voters of a row."""

    heard: tuple[int, ...]
    """The places of those that are not set aside; all of them where these are not even two."""
    aside: tuple[bool, ...]
    """For each whether it is set aside."""
    votes: tuple[tuple[tuple[int, float], ...], ...]
    """For each the places of the others that are heard, with what their vote counts for it."""
    totals: tuple[float, ...]
    """For each what these votes count together."""
    strengths: tuple[float, ...]
    """For each the logarithm of its share of the strongest one's strength, from -2 to 0."""


@dataclass(frozen=True)
class Voters:
    """What was learned of the voters of a run; empty below 30 rows."""

    rows: int = 0
    """Rows that were looked at."""
    standings: Mapping[str, VoterStanding] = field(default_factory=dict)
    words: WordWeights = field(default_factory=WordWeights)
    kinship: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """How much two voters vouch for each other, 0 to 1, for those that are related; 1 for all others."""
    twins: Mapping[str, str] = field(default_factory=dict)
    """Voters that are another one under a second name, with that one; known also where nothing is learned."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """How much the user trusts each voter, 1 for one that is not there; the user may know that before anything else."""

    _panels: dict[tuple[str, ...], Panel] = field(default_factory=dict, init=False, repr=False, compare=False)

    def heard(self, names: Sequence[str]) -> tuple[int, ...]:
        """The places of the voters that are not set aside; all of them where these are not even two."""
        return self.panel(tuple(names)).heard

    def panel(self, names: tuple[str, ...]) -> Panel:
        """What there is to know of the voters of a row; remembered, as most rows have the same ones."""
        if names not in self._panels:
            aside = tuple(map(self.is_aside, names))
            kept = [place for place in range(len(names)) if not aside[place]]
            heard = tuple(kept if len(kept) > 1 else range(len(names)))
            votes = tuple(
                tuple((other, self._vote(name, names[other])) for other in heard if other != place)
                for place, name in enumerate(names)
            )
            totals = tuple(math.fsum(vote for _, vote in each) for each in votes)
            strengths = tuple(self._log_strength(name, names) for name in names)
            self._panels[names] = Panel(heard, aside, votes, totals, strengths)
        return self._panels[names]

    def _vote(self, name: str, elector: str) -> float:
        """What the vote of another one counts: less from a relative, more where the user trusts it."""
        return self.kinship.get((name, elector), 1.0) * self.weights.get(elector, 1.0)

    def _log_strength(self, name: str, names: Sequence[str]) -> float:
        """The logarithm of a voter's share of the strongest one's strength, or of its weight if none is known."""
        standing = self.standings.get(name)
        if not self.standings:
            share = self.weights.get(name, 1.0) / max(self.weights.get(each, 1.0) for each in names)
        elif standing is None or not self.best:
            return 0.0
        else:
            share = standing.strength * standing.weight / self.best
        return max(_LEAST_STRENGTH, math.log(share)) if share > 0 else _LEAST_STRENGTH

    def is_aside(self, name: str) -> bool:
        """Whether the outputs of a voter are neither chosen nor heard."""
        return name in self.twins or (name in self.standings and bool(self.standings[name].set_aside))

    def is_copy(self, name: str) -> bool:
        """Whether a voter is set aside because another one says what it does."""
        return name in self.twins or (name in self.standings and self.standings[name].set_aside == "copies")

    @cached_property
    def best(self) -> float:
        """The strength of the strongest voter that is kept, by the weights of the user."""
        return max(
            (standing.strength * standing.weight for standing in self.standings.values() if not standing.set_aside),
            default=0.0,
        )


def learn_voters(
    rows: Sequence[VotedRow],
    weights: Mapping[str, float] | None = None,
    coherence: Mapping[str, float | None] | None = None,
    twins: Mapping[str, str] | None = None,
) -> Voters:
    """What some rows of a run say of its voters; nothing where there are fewer than 30.

    `weights` are the user's, 1 for a voter that it lacks; `coherence` is that of `coherence_of_voters`, if it is known.
    `twins` are voters that are known to be another one, each with that one.
    """
    weights = weights or {}
    if len(rows) < LEAST_ROWS or not any(row.voters for row in rows):
        return Voters(len(rows), twins=twins or {}, weights=weights)
    tallies = tallies_of(rows)
    if coherence is None:
        coherence = coherence_of_voters(rows)
    repetition, agreement, number = _means(rows)
    pairs = permutations(range(len(tallies.names)), 2)
    lacking = {(a, b): lacks for a, b in pairs if (lacks := tallies.lacking(a, b)) is not None}
    hearing = _Hearing(tallies, lacking, repetition, coherence, twins or {})
    kept, reasons, likes = hearing.kept()
    kinship = hearing.kinship(kept)
    strengths = tallies.strengths(kept, kinship) if len(kept) > 1 else tallies.strengths(range(len(number)), {})
    for place, twin in reversed(likes.items()):  # a copy is as strong as what it is a copy of, which vouches for it
        strengths[place] = strengths[tallies.names.index(twin)]
    standings = {
        name: VoterStanding(
            name=name,
            rows=number[name],
            strength=strengths[place],
            agreement=agreement[name],
            set_aside=reasons.get(place, ""),
            like=likes.get(place, _relative(place, tallies.names, kinship)),
            weight=weights.get(name, 1.0),
        )
        for place, name in enumerate(tallies.names)
    }
    related = {(tallies.names[a], tallies.names[b]): share for (a, b), share in kinship.items()}
    return Voters(len(rows), standings, tallies.words, related, twins or {}, weights)


def _relative(voter: int, names: Sequence[str], kinship: Mapping[Pair, float]) -> str:
    near = sorted((share, names[b]) for (a, b), share in kinship.items() if a == voter)
    return near[0][1] if near else ""


def _means(rows: Sequence[VotedRow]) -> tuple[dict[str, float], dict[str, float], dict[str, int]]:
    """For each voter its mean repetition, its mean agreement and the number of its outputs."""
    repetition: dict[str, list[float]] = {}
    agreement: dict[str, list[float]] = {}
    for row in rows:
        for name, repeats, score in zip(row.voters, row.ballot.repetition, row.ballot.scores, strict=True):
            repetition.setdefault(name, []).append(repeats)
            if len(row.voters) > 1:
                agreement.setdefault(name, []).append(score)
    return (
        {name: fmean(values) for name, values in repetition.items()},
        {name: fmean(agreement.get(name, [0.0])) for name in repetition},
        {name: len(values) for name, values in repetition.items()},
    )


@dataclass(frozen=True, slots=True)
class _Hearing:
    """Sets voters aside, one after the other: each test looks only at who is left, and from the first again then."""

    tallies: Tallies
    lacking: Mapping[Pair, float]
    """What each voter lacks of each other one, where it is known."""
    repetition: Mapping[str, float]
    coherence: Mapping[str, float | None]
    twins: Mapping[str, str]

    def kept(self) -> tuple[list[int], dict[int, SetAside], dict[int, str]]:
        """Who is left, why the others are not, and whom those are like that are set aside for that."""
        likes = {place: self.twins[name] for place, name in enumerate(self.tallies.names) if name in self.twins}
        reasons: dict[int, SetAside] = dict.fromkeys(likes, "copies")
        kept = [place for place in range(len(self.tallies.names)) if place not in likes]
        tests: tuple[tuple[SetAside, Callable[[list[int]], dict[int, float]]], ...] = (
            ("repeats", self._repeating),
            ("copies", lambda those: {voter: worth for voter, (worth, _) in self._copies(those).items()}),
            ("off_topic", self._off_topic),
            ("runs_on", self._running_on),
            ("weak", self._weak),
        )
        while True:
            for reason, test in tests:
                hit = test(kept)
                if hit and len(hit) < len(kept):  # a test that hits everybody says nothing of anybody
                    worst = min(sorted(hit, reverse=True), key=hit.__getitem__)  # of equal ones the later name
                    if reason == "copies":
                        likes[worst] = self.tallies.names[self._copies(kept)[worst][1]]
                    reasons[worst] = reason
                    kept = [voter for voter in kept if voter != worst]
                    break
            else:
                return kept, reasons, likes

    def kinship(self, kept: Sequence[int]) -> dict[Pair, float]:
        """How much two of the kept voters vouch for each other, for those that are related."""
        lacking, usual = self._lacking(kept)
        kinship = {}
        for (a, b), lacks in lacking.items():
            near = (lacks + lacking[b, a]) / 2 / usual  # of both: a strong voter lacks little of a terse one
            if near < _STRANGER:
                kinship[a, b] = max(0.0, (near - _RELATIVE) / (_STRANGER - _RELATIVE))
        return kinship

    def _lacking(self, kept: Sequence[int]) -> tuple[dict[Pair, float], float]:
        """What each of the kept voters lacks of each other one, and what is usual; nothing where pairs are few.

        Those that lack nothing do not make that usual: one model under four names is still one.
        """
        known = {pair: self.lacking[pair] for pair in permutations(kept, 2) if pair in self.lacking}
        usual = median([lacks for lacks in known.values() if lacks] or [0.0]) if len(known) >= _PAIRS else 0.0
        return (known, usual) if usual else ({}, 1.0)

    def _repeating(self, kept: list[int]) -> dict[int, float]:
        means = {voter: self.repetition[self.tallies.names[voter]] for voter in kept}
        return {voter: -mean for voter, mean in means.items() if mean > _REPETITION}

    def _copies(self, kept: list[int]) -> dict[int, tuple[float, int]]:
        """Who says nearly what another says, or all of that and more, with how much it lacks, and the other.

        Of two that say nearly the same it is the one with less than half as many outputs, else the one of whose
        content the others vouch for a lower share.
        """
        lacking, usual = self._lacking(kept)
        copies: dict[int, tuple[float, int]] = {}
        for (a, b), lacks in sorted(lacking.items()):
            if max(lacks, lacking[b, a]) < _COPY * usual:
                one, other = self._worse_first(a, b, kept)
            elif lacks < _WHOLE * usual:
                one, other = a, b
            else:
                continue
            copies[one] = min(copies.get(one, (lacks, other)), (lacks, other))
        return copies

    def _worse_first(self, a: int, b: int, kept: list[int]) -> Pair:
        def worth(voter: int, twin: int) -> float:
            others = [other for other in kept if other not in (voter, twin)]
            own = self.tallies.own(voter)
            return round(self.tallies.vouched(others, {})[voter] / own, 9) if own else 0.0

        def key(voter: int) -> tuple[bool, float, str]:
            twin = b if voter == a else a
            is_seldom = 2 * self.tallies.outputs(voter) < self.tallies.outputs(twin)
            # of equal ones the later name: both are the same, but the choice must not depend on their order
            return is_seldom, -worth(voter, twin), self.tallies.names[voter]

        ranked = sorted((a, b), key=key)
        return ranked[1], ranked[0]

    def _running_on(self, kept: list[int]) -> dict[int, float]:
        known = {voter: own for voter in kept if (own := self.coherence[self.tallies.names[voter]]) is not None}
        usual = median(known.values()) if known else 0.0
        if usual < _LEAST_COHERENCE:
            return {}
        return {
            voter: own
            for voter, own in known.items()
            if own < _RUNS_ON_FAR * usual or (own < _RUNS_ON * usual and own < _INCOHERENT)
        }

    def _off_topic(self, kept: list[int]) -> dict[int, float]:
        """Who shares little with others; by relatives too where else nobody would share anything.

        Beside one that is off topic two that are not look like relatives.
        """
        chance, hit = self.tallies.by_chance(kept), dict[int, float]()
        for kinship in (self.kinship(kept), {}):
            shared = self.tallies.vouched(kept, kinship)
            hit = {
                voter: shared[voter] / chance[voter] if chance[voter] else 0.0
                for voter in kept
                if shared[voter] < _OFF_TOPIC * chance[voter] or not self.tallies.own(voter)
            }
            if len(hit) < len(kept):
                break
        return hit

    def _weak(self, kept: list[int]) -> dict[int, float]:
        every = self.tallies.strengths(kept, self.kinship(kept))
        best = max(every[voter] for voter in kept)
        return {voter: every[voter] for voter in kept if every[voter] < _WEAK * best}
