"""What was learned of the voters of a run, as text and back: a choice can be retraced by it, row by row."""

from __future__ import annotations

import json
from dataclasses import asdict

from ensemble_instruct.agreement.content import WordWeights
from ensemble_instruct.agreement.voters.learned import Voters, VoterStanding

VOTERS = "voters"
"""The name under which a run notes it."""
WORDS = "word_frequency"
"""The name under which a run notes in how many rows each word is."""
_ONCE = 1
"""The number of rows in which most words are: these words are noted in a list."""


def noted(voters: Voters) -> dict[str, str]:
    """The notes of a run about its voters."""
    known = {
        "rows": voters.rows,
        "voters": [asdict(standing) for _, standing in sorted(voters.standings.items())],
        "twins": dict(sorted(voters.twins.items())),
        "relatives": [[*pair, share] for pair, share in sorted(voters.kinship.items())],
        "weights": dict(sorted(voters.weights.items())),
    }
    frequent = {word: rows for word, rows in sorted(voters.words.frequency.items()) if rows > _ONCE}
    once = [word for word, rows in sorted(voters.words.frequency.items()) if rows == _ONCE]
    return {VOTERS: json.dumps(known), WORDS: json.dumps({"rows": voters.words.rows, "of": frequent, "once": once})}


def voters_of(notes: dict[str, str]) -> Voters | None:
    """What the notes of a run say of its voters; None where nothing was noted."""
    if VOTERS not in notes:
        return None
    known = json.loads(notes[VOTERS])
    words = json.loads(notes.get(WORDS, '{"rows": 0, "of": {}, "once": []}'))
    return Voters(
        known["rows"],
        {values["name"]: VoterStanding(**values) for values in known["voters"]},
        WordWeights(words["rows"], words["of"] | dict.fromkeys(words["once"], _ONCE)),
        {(one, other): share for one, other, share in known["relatives"]},
        known["twins"],
        known["weights"],
    )
