"""How good the outputs of an instance are, as models rate them: numbers from 0 to 1, for the strategies `RATED`.

A rater gives one for each output of each row. `judged` has its own in `steps.rating`, `reward` in `rewards`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ensemble_instruct.records import Answered

Ratings = tuple[float | None, ...]
"""For each output of an instance, its own first, how good it is; None where nobody could rate it."""
Rater = Callable[[Sequence[Answered]], list[Ratings]]


def mean_rating(ratings: Sequence[float], lowest: float, highest: float) -> float | None:
    """The mean of the ratings of one output, brought from their scale to 0 to 1; None of none.

    An exact sum, so that the order of the judges and of the references does not matter.
    """
    return (math.fsum(ratings) / len(ratings) - lowest) / (highest - lowest) if ratings else None
