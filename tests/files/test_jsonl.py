"""Files of rows are read strictly: up to the first line that is not a good row, which is named."""

from __future__ import annotations

import codecs
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ensemble_instruct.errors import InputFileError
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
