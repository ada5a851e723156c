"""What there is to see of the voters of a run, in words: `status`, the report and the viewer say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ensemble_instruct.agreement.voters.kept import Kept, kept_of
from ensemble_instruct.agreement.voters.learned import LEAST_ROWS, SetAside, Voters, VoterStanding
from ensemble_instruct.agreement.voters.stored import VOTERS, voters_of
from ensemble_instruct.store.settings import settings_of

_REASONS: Mapping[SetAside, str] = {
    "": "",
    "repeats": "it repeats itself",
    "copies": "it says all that {like} does",
    "runs_on": "it runs on into further tasks",
    "off_topic": "what it says is not about the tasks",
    "weak": "others say little of what it says",
}
"""Why a voter is set aside, in words."""
_AHEAD, _BESIDE = 0.9, 0.75
"""Shares of the examples: a voter with the first has won nearly all, unless another has the second."""
_MOST_RELATIVES = 5
"""Pairs of relatives that have a line of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenVoter:
    """A voter as a row of a table."""

    name: str
    strength: float
    """1 for the mean of the voters that are kept."""
    agreement: float
    won: int
    """Examples that have its text."""
    share: float
    """Of all examples."""
    set_aside: SetAside
    why: str
    """The same in words; empty where it is not."""
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenVoters:
    """What the strategy `vouched` has learned of the voters of a run, and what the user should know of it."""

    rows: int
    """Rows that were looked at."""
    voters: tuple[SeenVoter, ...]
    """The strongest first, those that are set aside last; none below 30 rows."""
    notes: tuple[str, ...]
    """A line each."""


def seen_voters(meta: Mapping[str, str]) -> SeenVoters | None:
    """What the notes of a run say of its voters.

    None until it has ended, with another strategy than `vouched`, and for a run of an older version.
    """
    kept = kept_of(meta)
    if kept is None or VOTERS not in meta or settings_of(meta).get("ensemble.strategy") != "vouched":
        return None
    voters = voters_of({VOTERS: meta[VOTERS]})  # without the words, of which there are many
    if voters is None or not voters.rows:
        return None
    ranked = sorted(voters.standings.values(), key=lambda one: (bool(one.set_aside), -one.strength, one.name))
    return SeenVoters(
        rows=voters.rows,
        voters=tuple(_seen(standing, kept.won.get(standing.name, 0), kept.examples) for standing in ranked),
        notes=notes_on(voters, kept),
    )


def _seen(standing: VoterStanding, won: int, examples: int) -> SeenVoter:
    return SeenVoter(
        name=standing.name,
        strength=standing.strength,
        agreement=standing.agreement,
        won=won,
        share=won / examples if examples else 0.0,
        set_aside=standing.set_aside,
        why=why_set_aside(standing),
        weight=standing.weight,
    )


def why_set_aside(standing: VoterStanding) -> str:
    """Why the outputs of a voter are neither chosen nor heard; empty where they are."""
    return _REASONS[standing.set_aside].format(like=standing.like)


def notes_on(voters: Voters, kept: Kept) -> tuple[str, ...]:
    """What the user should know of the voters of a run, and of what it kept of them, a line each."""
    if not voters.rows:
        return ()
    if voters.rows < LEAST_ROWS:
        return (f"fewer than {LEAST_ROWS} rows: their strength is not known; each voter counts by its weight alone",)
    if not voters.standings:
        return ()
    return (*_ahead(voters, kept), *_set_aside(voters), *_relatives(voters))


def _ahead(voters: Voters, kept: Kept) -> Iterator[str]:
    shares = {name: kept.won.get(name, 0) / max(1, kept.examples) for name in voters.standings}
    first, *others = sorted(shares, key=lambda name: (-shares[name], name))
    if others and shares[first] >= _AHEAD and shares[others[0]] < _BESIDE:
        yield f"nearly all rows are {first}'s: the others serve as a check"


def _set_aside(voters: Voters) -> Iterator[str]:
    for name, standing in sorted(voters.standings.items()):
        if standing.set_aside == "copies":
            yield f"{name} says all that {standing.like} does: it is set aside"
        elif standing.set_aside:
            yield f"{name} is set aside: {why_set_aside(standing)}"


def _relatives(voters: Voters) -> Iterator[str]:
    pairs = sorted((share, *sorted(pair)) for pair, share in voters.kinship.items())
    related = list(dict.fromkeys(pairs))  # each pair is there in both orders
    for share, one, other in related[:_MOST_RELATIVES]:
        counts = f"each counts less for the other ({share:.2f} of a vote)" if share else "neither counts for the other"
        yield f"{one} and {other} are relatives (they share more than voters usually do): {counts}"
    if len(related) > _MOST_RELATIVES:
        yield f"{len(related) - _MOST_RELATIVES} further pairs of voters are relatives"
