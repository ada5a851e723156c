"""Which split a row belongs to: a matter of its instruction alone, so that no row ever changes side.

The hash of an instruction is a number in [0, 1), and each split takes the next share of that range: `train` first, then
the others by their names, in whatever order they are given. Rows with the same instruction (whatever its case and white
space) stay together; rows that a later run adds move no other; and when a share shrinks or grows, only rows between
the old border and the new one move.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from ensemble_instruct.errors import UsageError
from ensemble_instruct.records import content_id

_RANGE = 2**64
"""How many values the hash of an instruction has."""
_NAME = re.compile(r"[A-Za-z0-9_]+")
_RESERVED = "all"
"""What `datasets` calls the sum of all splits."""


@dataclass(frozen=True, slots=True)
class SplitShare:
    """The rows that a split takes: those that hash below its border and not below that of the one before."""

    name: str
    below: int = _RANGE


WHOLE = (SplitShare("train"),)
"""No split: all rows are for training."""


def parse_splits(text: str) -> tuple[SplitShare, ...]:
    """`train=0.95,test=0.05` as splits; raises `UsageError` for other texts, and for shares that are not 1 in all."""
    shares: dict[str, Fraction] = {}
    for part in text.split(","):
        name, _, share = (side.strip() for side in part.partition("="))
        if not _NAME.fullmatch(name) or name == _RESERVED or name in shares:
            raise UsageError(f"--split {text}: {name!r} is no name for another split; letters, digits and _ make one")
        shares[name] = _share(text, name, share)
    if (total := sum(shares.values())) != 1:
        raise UsageError(f"--split {text}: the shares are {float(total):g} in all; they must be 1")
    names = sorted(shares, key=lambda name: (name != "train", name))
    borders = accumulate(shares[name] for name in names)
    return tuple(SplitShare(name, int(border * _RANGE)) for name, border in zip(names, borders, strict=True))


def _share(text: str, name: str, share: str) -> Fraction:
    try:
        number = Fraction(share)
    except (ValueError, ZeroDivisionError):
        number = Fraction(0)
    if not 0 < number <= 1:
        raise UsageError(f"--split {text}: the share of {name} must be a number above 0 and at most 1, like {name}=0.9")
    return number


def split_of(splits: tuple[SplitShare, ...], instruction: str) -> str:
    """The name of the split of a row with this instruction."""
    if len(splits) == 1:
        return splits[0].name
    # by its hash, not by lot: the same row is on the same side in every export
    place = int(content_id("split", " ".join(instruction.casefold().split())), 16)
    return next(split.name for split in splits if place < split.below)
