"""How the voters of a run do over all of its rows, without any label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from ensemble_instruct.agreement.voters.learned import Voters

_USUAL = 0.8
"""A voter with less than this share of the median agreement is an outsider."""
_OUTSIDER = 0.5
"""What that weighs at most, for a voter that agrees with nobody."""


@dataclass(frozen=True, slots=True)
class View:
    """How much the voters of a run agree, once all of its rows were seen."""

    outsiders: Mapping[str, float] = field(default_factory=dict)
    """For each voter 0, or up to 0.5 where it agrees with the others much less than the median voter does."""
    ranking: tuple[str, ...] = ()
    """The voters, the most agreed-with first; of equal ones in alphabetical order."""
    voters: Voters = field(default_factory=Voters)
    """What the strategy `vouched` has learned of them."""

    @property
    def strength(self) -> Mapping[str, float]:
        """Of each voter, where it was learned."""
        return {name: standing.strength for name, standing in self.voters.standings.items()}


class Standing:
    """How much each voter of a run agrees with the others, over all instances: no label is needed for it."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._numbers: dict[str, int] = {}

    def add(self, voters: Sequence[str], scores: Sequence[float]) -> None:
        """Count the mean agreements of one instance's outputs; one alone had nobody to agree with."""
        if len(voters) < 2:
            return
        for voter, score in zip(voters, scores, strict=True):
            self._sums[voter] = self._sums.get(voter, 0.0) + score
            self._numbers[voter] = self._numbers.get(voter, 0) + 1

    def view(self) -> View:
        """How much the voters agree, after what was added so far."""
        means = {voter: total / self._numbers[voter] for voter, total in self._sums.items()}
        ranking = tuple(sorted(means, key=lambda voter: (-means[voter], voter)))
        # the median, not the mean: one voter that writes rubbish must not make the others look usual
        usual = _USUAL * median(means.values()) if means else 0.0
        if not usual:
            return View(dict.fromkeys(means, 0.0), ranking)
        return View({voter: _OUTSIDER * max(0.0, 1 - mean / usual) for voter, mean in means.items()}, ranking)
