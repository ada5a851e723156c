"""Rows with their candidates, as step 5 reads them."""

from __future__ import annotations

import random

from ensemble_instruct.records import Answered, Candidate, Instance


def table(voters: int, rng: random.Random) -> list[Answered]:
    """Rows with outputs that are more or less alike; some voters are silent, some outputs repeat themselves."""
    words = ["ash", "bay", "cob", "dew", "elm", "fig", "gum", "hop", "ivy", "jay"]
    made: list[Answered] = []
    for number in range(120):
        right = [rng.choice(words) for _ in range(rng.randint(0, 12))] * rng.choice((1, 1, 3))
        said = [" ".join(rng.choice((word, word, "oak")) for word in right) for _ in range(voters + 1)]
        instance = Instance(
            kind=rng.choice(("input_output", "output_only")),
            instruction=f"task {number}",
            input="",
            output=said[0],
            completion_id="",
            request_key="00",
        )
        silent = 0 if voters == 2 else rng.random() * 0.3
        candidates = [
            Candidate(instance.id, f"v{at}", text) for at, text in enumerate(said[1:]) if rng.random() >= silent
        ]
        made.append(Answered(instance, tuple(candidates)))
    return made
