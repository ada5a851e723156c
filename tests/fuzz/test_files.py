"""Files of rows, whatever is in them: JSON lines, an array of JSON, packed, Parquet."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_instruct.config.quality import QualitySection
from ensemble_instruct.files.own_rows import plain_row
from ensemble_instruct.files.rows import checked_rows, read_rows
from ensemble_instruct.files.task_rows import read_task_or_step_rows, read_task_rows
from ensemble_instruct.novelty.dedup import dedup
from ensemble_instruct.quality.filters import Filters
from ensemble_instruct.steps.seed_tasks import load_seed_tasks
from tests.fuzz.mangling import FUZZ, mangled, read_or_refused
from tests.support.good_input import COMPLETION, REPLY, SEED, TASK

ROWS: list[dict[str, Any]] = [
    TASK, COMPLETION, SEED, REPLY,
    {"messages": [{"role": "user", "content": "é"}, {"role": "assistant", "content": [{"type": "text", "text": "é"}]}]},
    {"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}]},
    {"prompt": "a", "completion": "b", "chosen": "c", "rejected": "d", "n": 1.5e300, "t": None, "b": [True, {}]},
]  # fmt: skip
LINES = [(json.dumps(row, ensure_ascii=row is SEED) + "\n").encode() for row in ROWS]
ARRAYS = [json.dumps(ROWS, indent=indent).encode() for indent in (None, 1)]
SEEDS = [*LINES, b"".join(LINES), b"\r\n".join(line.strip() for line in LINES), *ARRAYS, gzip.compress(LINES[0])]
PIECES = [
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80",
    b"NaN", b"-Infinity", b"1e999", b'"\\ud800"', b'"\\u0000"', b'{"a":', b"null", b"true", b"9" * 5000,
    b'{"' + b"x" * 3000 + b'": 1}',
    b"\x1f\x8b\x08", b"PAR1", b"\x28\xb5\x2f\xfd", b"\xe2\x80\xa8", b'{"instruction": 1}', b'{"a": 1, "a": 2}',
    b"PK\x03\x04", b"SQLite format 3\0",
]  # fmt: skip
BYTES = mangled(SEEDS, PIECES, st.binary(max_size=12))
Reader = Callable[[Path], Iterable[Any]]


def checked(path: Path) -> list[Any]:
    with checked_rows(path, {}, read_as=plain_row) as rows:
        return list(rows)


def parquet() -> bytes:
    """A small file with a column of each sort."""
    pa = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    import pyarrow.parquet as pq

    columns = {
        "instruction": ["a", "é", None], "input": ["", "b", "c"], "output": ["x", "y", "z"], "n": [1, 2, None],
        "bytes": [b"\xff", b"", None], "list": [["a"], [], None],
        "when": pa.array([0, 10**15, None], pa.timestamp("us")),
    }  # fmt: skip
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="none", use_dictionary=False)
    return file.getvalue()


READERS: dict[str, Reader] = {
    "rows": lambda path: read_rows(path, {}),
    "tasks": read_task_rows,
    "tasks or steps": read_task_or_step_rows,
    "own rows": checked,
    "seed tasks": load_seed_tasks,
    "benchmark": lambda path: [Filters(QualitySection(decontaminate=[path]))],
}


def is_read_or_refused(data: bytes, folder: Path, read: Reader) -> None:
    path = folder / "file"
    path.write_bytes(data)
    with read_or_refused():
        for row in read(path):
            if isinstance(row, dict):
                json.dumps(row, default=str).encode()


@pytest.mark.parametrize("reader", READERS)
@FUZZ
@given(data=BYTES)
def test_a_file_of_rows_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, reader: str, data: bytes) -> None:
    is_read_or_refused(data, tmp_path_factory.mktemp("fuzz", numbered=True), READERS[reader])


@FUZZ
@given(data=mangled([parquet()], PIECES, st.binary(max_size=12)))
def test_a_file_of_parquet_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    for read in READERS.values():
        is_read_or_refused(data, tmp_path_factory.mktemp("fuzz", numbered=True), read)


@FUZZ
@given(
    texts=st.lists(
        mangled([line.decode() for line in LINES], ["\0", "\u2028", "\ud800", "a" * 999], st.text()), max_size=5
    )
)
def test_texts_are_compared_whatever_they_are(texts: list[str]) -> None:
    assert all(0 <= place < len(texts) for place in dedup(texts))
