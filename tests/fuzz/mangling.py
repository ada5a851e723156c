"""Good texts and bytes, and what an unlucky disk, a careless program or an attacker makes of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from ensemble_instruct.errors import EnsembleInstructError

Sequenced = TypeVar("Sequenced", str, bytes)
_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""Of each test; 0: a few, always the same."""
FUZZ = settings(
    max_examples=_EXAMPLES or 40,
    derandomize=not _EXAMPLES,
    database=None,
    print_blob=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # to make a failure small takes longer than to read it
    suppress_health_check=list(HealthCheck),
)
_MOST_EDITS = 6
_MOST_REPEATS = 300


@st.composite
def mangled(
    draw: st.DrawFn, seeds: Sequence[Sequenced], pieces: Sequence[Sequenced], noise: st.SearchStrategy[Sequenced]
) -> Sequenced:
    """One of the seeds after a few edits: parts of it left out, repeated or moved, pieces and noise put in."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, _MOST_EDITS))):
        begin = draw(st.integers(0, len(data)))
        end = draw(st.integers(begin, min(len(data), begin + 40)))
        edit = draw(st.sampled_from(["cut", "insert", "noise", "repeat", "many", "end", "double", "swap"]))
        part = data[begin:end]
        if edit == "cut":
            data = data[:begin] + data[end:]
        elif edit == "insert":
            data = data[:begin] + draw(st.sampled_from(pieces)) + data[end:]
        elif edit == "noise":
            data = data[:begin] + draw(noise) + data[end:]
        elif edit == "repeat":
            data = data[:begin] + part * draw(st.integers(2, _MOST_REPEATS)) + data[end:]
        elif edit == "many":
            piece = draw(st.sampled_from(pieces))
            data = data[:begin] + piece * draw(st.integers(2, _MOST_REPEATS)) + data[begin:]
        elif edit == "end":
            data = data[:begin]
        elif edit == "double":
            data += data
        else:
            data = data[end:] + part + data[:begin]
    return data


def in_one_line(error: BaseException) -> bool:
    """Whether an error is one of the package's, that says something, in one line of a length that can be read."""
    text = str(error)
    return isinstance(error, EnsembleInstructError) and 0 < len(text) < 2_000 and len(text.splitlines()) == 1


@contextmanager
def read_or_refused() -> Iterator[None]:
    """In the block, what is read is read, or refused in one line."""
    try:
        yield
    except EnsembleInstructError as error:
        if not in_one_line(error):
            raise AssertionError(f"no one line: {str(error)[:500]!r}") from error
