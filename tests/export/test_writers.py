"""What a Parquet file holds is what the rows held, or nothing is written."""

from __future__ import annotations

import io

import pytest

from ensemble_instruct.export.writers import ParquetWriter


def test_names_that_the_type_of_a_column_does_not_have_are_refused_and_not_written_as_nulls() -> None:
    rows = [{"turns": [{"from": "human", "value": "How is tea made?"}]}]
    writer = ParquetWriter(io.BytesIO(), {"turns": "messages"})
    with pytest.raises(TypeError, match="column turns: its type has no from, value"):
        writer.add(rows)
