"""Files of rows are read strictly: up to the first line that is not a good row, which is named."""

from __future__ import annotations

import codecs
import gzip
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.dataset import open_dataset
from ensemble_instruct.files.rows import read_rows
from tests.support.good_input import FAULTS, TASK


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_row_is_named_with_file_and_line(tmp_path: Path, fault: str) -> None:
    line, problem = FAULTS[fault](TASK)
    path = tmp_path / "bad.jsonl"
    path.write_bytes(json.dumps(TASK).encode() + b"\n\n" + line + b"\n")
    read = read_rows(path, dict.fromkeys(TASK, str))
    assert next(read)[:2] == (1, TASK)
    with pytest.raises(InputFileError) as refusal:
        next(read)
    assert str(refusal.value).startswith(f"{path}:3: ")
    assert problem in str(refusal.value)


@pytest.mark.parametrize(("text", "problem"), [
    ("NaN", "holds NaN, which is no number of JSON; write null, or leave the field out"),
    ("Infinity", "holds Infinity"), ("-Infinity", "holds -Infinity"), ("1e999", "holds 1e999"),
    ("-1.5e400", "holds -1.5e400"), ("[{}, [NaN]]", "holds NaN"),
    ('{"a": 1, "b": {}, "a": 1}', "has the field 'a' twice; keep one of them"),
    ('[{"": 1, "": 2}]', "has the field '' twice"),
    ('{"instruction": 1, "\\u0069nstruction": 2}', "has the field 'instruction' twice"),
])  # fmt: skip
@pytest.mark.parametrize("form", ["lines", "array", "gz"])
def test_what_programs_read_in_different_ways_is_refused(tmp_path: Path, text: str, problem: str, form: str) -> None:
    path = tmp_path / "rows.json"
    rows = ['{"instruction": "x"}', f'{{"instruction": "y", "z": {text}}}']
    written = (f"[{','.join(rows)}]" if form == "array" else "\n".join(rows)).encode()
    path.write_bytes(gzip.compress(written) if form == "gz" else written)
    place = f"{path}: object 2: " if form == "array" else f"{path}:2: "
    for read in (lambda: list(read_rows(path, {})), lambda: list(open_dataset(path, None).texts())):
        with pytest.raises(InputFileError) as refusal:
            read()
        assert str(refusal.value).startswith(f"{place}{problem}")


def test_numbers_that_programs_agree_on_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1e308, "b": -0.0, "c": 1e-999, "d": {"a": "NaN"}, "e": [{"a": 1}, {"a": 1}]}\n')
    assert next(read_rows(path, {})).row == {
        "a": 1e308, "b": -0.0, "c": 0.0, "d": {"a": "NaN"}, "e": [{"a": 1}, {"a": 1}],
    }  # fmt: skip


def test_a_column_of_parquet_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table([pa.array(["a"]), pa.array(["b"])], names=["instruction", "instruction"]), path)
    for read in (lambda: list(read_rows(path, {})), lambda: open_dataset(path, None)):
        with pytest.raises(InputFileError, match="has the column 'instruction' twice"):
            read()


_LINES = st.one_of(
    st.fixed_dictionaries({"instruction": st.text(), "input": st.text()}).map(lambda row: json.dumps(row).encode()),
    st.dictionaries(
        st.sampled_from(["instruction", "input", "x"]), st.text() | st.none() | st.integers(), max_size=3
    ).map(lambda row: json.dumps(row, ensure_ascii=False).encode()),
    st.binary(max_size=8).map(lambda line: line.replace(b"\n", b"")),
    st.sampled_from([b"", b"  ", b"[]", b"null", b'"x"', b"{}", b'{"instruction": "\\ud800", "input": ""}', b"NaN"]),
)


def _row(line: bytes) -> dict[str, str] | None:
    """What a line holds by the plainest reading, or None if it is no good row."""
    try:
        row = json.loads(line.decode())
        json.dumps(row, ensure_ascii=False).encode()
    except ValueError:
        return None
    good = isinstance(row, dict) and all(isinstance(row.get(name), str) for name in ("instruction", "input"))
    return row if good else None


@given(st.lists(_LINES, max_size=6), st.sampled_from([b"\n", b"\r\n"]))
@settings(max_examples=300, deadline=None)
def test_any_file_is_read_up_to_its_first_bad_line(lines: list[bytes], end: bytes) -> None:
    texts = [*(line.removeprefix(codecs.BOM_UTF8) for line in lines[:1]), *lines[1:]]
    filled = [(number, line) for number, line in enumerate(texts, start=1) if line.strip()]
    magic = (b"PAR1", b"ARROW1", b"PK", b"BZh", b"SQLite", b"\x1f\x8b", b"\x28\xb5", b"\xfd7zXZ")
    assume(not end.join(lines).startswith(magic))  # another format is told of as a whole
    assume(not end.join(lines).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["))  # an array
    bad = next((number for number, line in filled if _row(line) is None), None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_bytes(end.join(lines))
        if bad is None:
            read = [row[:2] for row in read_rows(path, {"instruction": str, "input": str})]
            assert read == [(number, _row(line)) for number, line in filled]
        else:
            with pytest.raises(InputFileError) as caught:
                list(read_rows(path, {"instruction": str, "input": str}))
            assert str(caught.value).startswith(f"{path}:{bad}: ")
            assert "\n" not in str(caught.value)
