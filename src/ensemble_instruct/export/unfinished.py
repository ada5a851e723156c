"""The examples so far of a run that goes on or was stopped, with what its quality filters have against them.

Who takes examples before the second look of step 5, which alone applies the filters (see `steps.ensemble`), must not
get what they are there to keep out.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.export.exporter import Choose
from ensemble_instruct.files.jsonl import JsonRow
from ensemble_instruct.records import INSTANCE_VOTER, Answered, Example
from ensemble_instruct.steps.ensemble import decide_alone
from ensemble_instruct.steps.plans import filters_of
from ensemble_instruct.store.reading import read_answer
from ensemble_instruct.store.rows import example_of, example_row
from ensemble_instruct.store.settings import run_config


def choose_again(folder: Path, connection: sqlite3.Connection) -> Choose:
    """Decides an example of the run anew, as step 5 does a row by itself, but with the filters of the config.

    Raises `InputFileError` for a benchmark that cannot be read.
    """
    config = run_config(folder)
    filters = filters_of(config, lambda key: read_answer(connection, key))
    if not filters.are_on:
        return lambda row: row
    selection = Selection.of(config)

    def chosen(row: JsonRow) -> JsonRow | None:
        before = example_of(row)
        own = [voice for voice in before.candidates if voice.voter != INSTANCE_VOTER]
        answered = Answered(before.instance, tuple(own))
        record = decide_alone(answered, selection, filters)
        return example_row(record) if isinstance(record, Example) else None

    return chosen
