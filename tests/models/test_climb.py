"""The limit that is found gives nearly as much as the best fixed one, whether a server queues or batches."""

from __future__ import annotations

import math

import pytest

from tests.support.simulated_servers import Kind, asked

QUEUEING = {
    "1 place": (Kind(1, 2.0), 300),
    "1 place, lengths differ": (Kind(1, 2.0, 0.5), 300),
    "4 places": (Kind(4, 1.0), 1200),
    "4 places, lengths differ": (Kind(4, 1.0, 0.5), 1200),
    "64 places": (Kind(64, 1.0), 6400),
    "64 places, lengths differ": (Kind(64, 1.0, 0.5), 6400),
    "64 places, lengths differ much": (Kind(64, 1.0, 0.8), 6400),
    "64 fast places": (Kind(64, 0.2), 6400),
    "64 fast places, lengths differ": (Kind(64, 0.2, 0.5), 6400),
    "256 fast places": (Kind(256, 0.1), 16000),
    "256 fast places, lengths differ": (Kind(256, 0.1, 0.5), 16000),
}
BATCHING = {
    "batches 256": (Kind(256, 0.5, shared=64), 30000),
    "batches 256, lengths differ": (Kind(256, 0.5, 0.5, shared=64), 30000),
    "batches 256 fast, lengths differ": (Kind(256, 0.1, 0.5, shared=64), 30000),
    "batches 256 slowly, lengths differ": (Kind(256, 4.0, 0.5, shared=64), 30000),
    "batches 256 of which 16 fill it, lengths differ": (Kind(256, 1.0, 0.5, shared=16), 20000),
    "batches 48, lengths differ": (Kind(48, 1.0, 0.5, shared=32), 4000),
}
QUICK = ("1 place", "4 places, lengths differ", "64 places, lengths differ", "batches 48, lengths differ")
"""Those that are tried each time."""
SEEDS = range(3)


def of(kinds: dict[str, tuple[Kind, int]]) -> list[object]:
    """Each kind as a parameter; most are slow."""
    return [
        pytest.param(kind, count, id=name, marks=() if name in QUICK else pytest.mark.slow)
        for name, (kind, count) in kinds.items()
    ]


def share(kind: Kind, count: int, seed: int) -> tuple[float, float]:
    """What the server gives, as a share of what the best fixed limit gives, and the latency at the median."""
    places = kind.places
    fixed = {places, math.ceil(1.25 * places), math.ceil(1.5 * places), 2 * places}
    best = min(asked(kind, count, seed, fixed=limit).seconds for limit in fixed)
    outcome = asked(kind, count, seed)
    return best / outcome.seconds, outcome.latency


@pytest.mark.parametrize(("kind", "count"), of(QUEUEING))
def test_a_server_that_queues_gives_as_much_as_it_can_and_nothing_waits_for_long(kind: Kind, count: int) -> None:
    for seed in SEEDS:
        given, latency = share(kind, count, seed)
        assert given >= 0.97
        assert latency <= 2.0


@pytest.mark.parametrize(("kind", "count"), of(BATCHING))
def test_a_server_that_batches_gets_as_many_as_make_it_give_more(kind: Kind, count: int) -> None:
    for seed in SEEDS:
        assert share(kind, count, seed)[0] >= 0.97


@pytest.mark.slow
def test_a_ceiling_is_no_reason_to_give_less() -> None:
    kind = Kind(256, 2.0, 0.5, shared=64)
    fixed, found = asked(kind, 10000, fixed=256), asked(kind, 10000, ceiling=256)
    assert fixed.seconds / found.seconds >= 0.97


def test_the_same_answers_give_the_same_limits() -> None:
    kind = Kind(64, 1.0, 0.5)
    assert asked(kind, 2000) == asked(kind, 2000)
