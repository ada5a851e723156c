"""What a strategy is asked and what it says: the question, the choice, and how the highest-ranking output is found."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ensemble_instruct.agreement.ballots import Ballot
from ensemble_instruct.agreement.ratings import Ratings
from ensemble_instruct.agreement.voters.standing import View
from ensemble_instruct.invisible import is_blank

REPETITION = 0.2
"""What repeated parts weigh against an output."""
SHORTNESS = 0.05
"""What shortness weighs against it, for each factor e by which it is shorter than 50 words."""
_LONG = 50
"""Words from which on an output is not short."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The place of the chosen output, or None with the reason; how sure that is; each output's mean agreement."""

    place: int | None
    confidence: float
    """0 to 1."""
    scores: tuple[float, ...]
    reason: str = ""
    detail: str = ""
    """What the reason rests on, if a quality filter gave it."""
    ranks: tuple[float, ...] = ()
    """The number by which each output was ranked, where it is more than agreement."""
    is_agreed_on: bool = True
    """False where outputs are a few words long and nobody else gives this answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """All that a strategy may look at."""

    ballot: Ballot
    voters: tuple[str, ...]
    """Who gave each output."""
    key: str = ""
    """What `random` draws by: the id of the instance; the others do not look at it."""
    view: View = field(default_factory=View)
    threshold: float = 0.01
    """Of the original's strategies."""
    ratings: Ratings = ()
    """How good models say that each output is, for the strategies `RATED`."""


def shortness(words: int) -> float:
    """How short an output is: 0 from 50 words on, 1 more for each factor e below."""
    # logarithmic: from 1 word to 5 says more about an output than from 30 to 50
    return math.log1p(_LONG) - math.log1p(min(words, _LONG))


def highest(ballot: Ballot, ranked: Sequence[float], places: Sequence[int], form: Callable[[str], str] = str) -> Choice:
    """The output that ranks highest among those in these places; its number is the confidence.

    Of equal ones their forms decide before the texts do.
    """
    if not places:
        return nothing(ballot)
    top = max([ranked[place] for place in places])
    equal = [place for place in places if ranked[place] == top]
    if len(equal) == 1 and not ballot.barred:  # as it is in nearly all rows
        return Choice(equal[0], top, ballot.scores)
    keys = {
        place: (ballot.bar(place) is not None, -ranked[place], ballot.repetition[place], -ballot.words[place])
        for place in places
    }
    first = min(keys.values())
    equal = [place for place in places if keys[place] == first]
    best = equal[0] if len(equal) == 1 else min(equal, key=lambda place: _text_key(ballot.outputs[place], form))
    return unless_barred(ballot, Choice(best, ranked[best], ballot.scores))


def _text_key(text: str, form: Callable[[str], str]) -> tuple[int, str, int, str]:
    """Down to the text itself, so that the order of the voters never matters."""
    plain = form(text)
    return len(plain), plain, len(text), text


def unless_barred(ballot: Ballot, choice: Choice) -> Choice:
    """The choice, or none where a quality filter has something against it."""
    hit = None if choice.place is None else ballot.bar(choice.place)
    return choice if hit is None else replace(choice, place=None, reason=hit.reason, detail=hit.detail)


def nothing(ballot: Ballot) -> Choice:
    """No choice, as no output may be chosen."""
    reason = "echoes" if any(not is_blank(text) for text in ballot.outputs) else "empty_outputs"
    return Choice(None, 0.0, ballot.scores, reason)
