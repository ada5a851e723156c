"""Files as people have them: arrays, packed, Parquet of any kind of text; what is damaged is named with its place."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.conversations import asked_text, content_text, turns_of
from ensemble_instruct.files.dataset import open_dataset
from ensemble_instruct.files.rows import checked_rows, read_rows
from tests.conftest import Cli, rows

ROWS = [
    {"instruction": "Nenne „Städte“ 日本.", "input": "", "output": "東京\nÔsaka \u2028 😀"},
    {"instruction": "Add the numbers.", "input": "1, 2", "output": "3"},
    {"instruction": "Name a river.", "input": "", "output": "Rhine"},
]
needs_zstandard = pytest.mark.skipif(find_spec("zstandard") is None, reason="needs the extra zstd")


def lines(end: str = "\n") -> bytes:
    return end.join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode()


def array(indent: int | None = None) -> bytes:
    return json.dumps(ROWS, indent=indent, ensure_ascii=False).encode()


def zstd(data: bytes) -> bytes:
    import zstandard

    # two frames and one that readers skip, as pzstd writes them
    half = len(data) // 2
    skipped = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    return skipped + b"".join(zstandard.compress(part) for part in (data[:half], data[half:]))


FORMS: dict[str, Callable[[], bytes]] = {
    "lines": lines,
    "lines with CRLF and a byte order mark": lambda: b"\xef\xbb\xbf" + lines("\r\n") + b"\r\n",
    "lines.gz": lambda: gzip.compress(lines()),
    "several members of gzip": lambda: gzip.compress(lines()[:100]) + gzip.compress(lines()[100:]),
    "array": array,
    "array over lines with CRLF": lambda: b"\xef\xbb\xbf\r\n" + array(2).replace(b"\n", b"\r\n"),
    "array.gz": lambda: gzip.compress(array(4)),
}
FORMS_OF_ZSTD: dict[str, Callable[[], bytes]] = {
    "lines.zst": lambda: zstd(lines()),
    "array.zst": lambda: zstd(array(1)),
}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.jsonl.gz", "rows"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows_whatever_its_name(tmp_path: Path, form: str, name: str) -> None:
    (tmp_path / name).write_bytes(FORMS[form]())
    assert [row.row for row in read_rows(tmp_path / name, dict.fromkeys(ROWS[0], str))] == ROWS
    with checked_rows(tmp_path / name, {}) as checked:
        assert len(checked) == 3
        assert [row.row for row in checked] == [row.row for row in checked] == ROWS


@needs_zstandard
@pytest.mark.parametrize("form", FORMS_OF_ZSTD)
def test_zstandard_is_read_by_its_content(tmp_path: Path, form: str) -> None:
    (tmp_path / "rows.jsonl").write_bytes(FORMS_OF_ZSTD[form]())
    assert [row.row for row in read_rows(tmp_path / "rows.jsonl", {})] == ROWS


def test_zstandard_without_its_extra_is_one_line_that_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd and more")
    script = (
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'zstandard' else find(name, *rest)\n"
        "from ensemble_instruct.cli import main\n"
        "main(['dedup', 'rows.jsonl.zst', '--to', 'out.jsonl'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "rows.jsonl.zst: Zstandard needs zstandard; pip install 'ensemble-instruct[zstd]'" in done.stderr


@pytest.mark.parametrize("cut", [12, 5000, -1])
def test_a_truncated_file_is_named_with_the_line_up_to_which_it_is_whole(tmp_path: Path, cut: int) -> None:
    letters = random.Random(0)
    many = [json.dumps({"instruction": "".join(letters.choices("abcdefghij", k=90))}) for _ in range(400)]
    packed = gzip.compress("\n".join(many).encode())[:cut]
    (tmp_path / "cut.jsonl.gz").write_bytes(packed)
    line = zlib.decompressobj(31).decompress(packed).count(b"\n") + 1
    with pytest.raises(InputFileError, match=f"cut.jsonl.gz:{line}: from here on it is damaged or not whole") as caught:
        list(read_rows(tmp_path / "cut.jsonl.gz", {}))
    assert "\n" not in str(caught.value)


@needs_zstandard
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_file_of_zstandard_is_one_line(tmp_path: Path, damage: str) -> None:
    packed = bytearray(zstd(lines()))
    if damage == "cut":
        del packed[-9:]
    else:
        packed[20] ^= 0xFF
        packed[40] ^= 0xFF
    (tmp_path / "bad.zst").write_bytes(packed)
    with pytest.raises(InputFileError, match=r"bad.zst:\d: from here on it is damaged or not whole"):
        list(read_rows(tmp_path / "bad.zst", {}))


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int8(), pa.large_string()),
    ],
    ids=str,
)
def test_every_kind_of_text_of_parquet_is_read_and_kept(cli: Cli, tmp_path: Path, kind: Any) -> None:
    texts = pa.array(["Name a river.", "Name a river", None, "Write a poem about a green sea."])
    if pa.types.is_dictionary(kind):
        texts = texts.cast(kind.value_type).dictionary_encode().cast(kind)
    pq.write_table(
        pa.table({"prompt": texts.cast(kind), "n": [0, 1, 2, 3], "of": pa.array([b"1"] * 4, pa.binary_view())}),
        tmp_path / "data.parquet",
    )
    assert list(open_dataset(tmp_path / "data.parquet").texts()) == ["Name a river.", "Name a river", "",
                                                                     "Write a poem about a green sea."]  # fmt: skip
    done = cli("dedup", "data.parquet", "--to", "kept.parquet")
    assert done.returncode == 0, done.stderr
    kept = pq.read_table(tmp_path / "kept.parquet").to_pylist()
    assert [row["n"] for row in kept] == [0, 2, 3]
    assert kept[2]["prompt"] == "Write a poem about a green sea."
    (tmp_path / "task.jsonl").write_text(
        '{"instruction": "Write a poem about a green sea.", "input": "", "output": ""}'
    )
    outputs = ("--outputs", "task.jsonl", "--to", "out.jsonl", "--decontaminate", "data.parquet")
    assert cli("ensemble", "--instances", "task.jsonl", *outputs).returncode in (0, 1)
    assert rows(tmp_path / "out.jsonl.rejected.jsonl")[0]["reason"] == "contaminated"


@pytest.mark.parametrize(
    ("source", "to", "kept"),
    [
        ("a.json", "kept.json", "[\n{0},\n{2}\n]\n"),
        ("a.json", "kept.jsonl", "{0}\n{2}\n"),
        ("a.json.gz", "kept.jsonl.gz", "{0}\n{2}\n"),
        ("a.jsonl", "kept.json", "{0}\n{2}\n"),
    ],
)
def test_dedup_writes_an_array_as_an_array_and_packs_what_is_called_so(
    cli: Cli, tmp_path: Path, source: str, to: str, kept: str
) -> None:
    texts = [f'{{"text":   "{text}", "n": 1e3}}' for text in ("Name a river.", "name a RIVER", "Größe der Städte")]
    content = ("\n".join(texts) if source == "a.jsonl" else f"[ {', '.join(texts)} ]").encode()
    (tmp_path / source).write_bytes(gzip.compress(content) if source.endswith(".gz") else content)
    done = cli("dedup", source, "--to", to)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / to).read_bytes()
    text = (gzip.decompress(written) if to.endswith(".gz") else written).decode()
    assert text == kept.replace("{0}", texts[0]).replace("{2}", texts[2])


def test_an_object_over_several_lines_becomes_one_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(array(2))
    assert cli("dedup", "a.json", "--to", "kept.jsonl").returncode == 0
    assert rows(tmp_path / "kept.jsonl") == ROWS


def test_a_big_array_and_a_big_packed_file_take_no_more_memory_than_lines(tmp_path: Path) -> None:
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from ensemble_instruct.files.rows import read_rows\n"
        "print(sum(1 for _ in read_rows(Path(sys.argv[1]), {})))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    texts = [json.dumps({"instruction": f"{number} " + "word " * 400}) for number in range(15_000)]
    forms = {"a.jsonl": "\n".join(texts).encode(), "a.json": ("[" + ",\n".join(texts) + "]").encode()}
    forms["a.jsonl.gz"] = gzip.compress(forms["a.jsonl"], 1)
    peaks = {}
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        count, peak = subprocess.check_output([sys.executable, "-c", script, tmp_path / name], text=True).split()
        assert int(count) == len(texts)
        peaks[name] = int(peak)
    assert max(peaks.values()) < peaks["a.jsonl"] + 8 * 1024


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Name a fruit.", "Name a fruit."),
        ([{"type": "text", "text": "Name a "}, {"type": "text", "text": "fruit."}], "Name a fruit."),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "What is it?"}], "What is it?"),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "output_text", "text": "Pear"}], "Pear"),
        (["Name", " it."], "Name it."),
        ({"type": "text", "text": {"value": "Pear"}}, "Pear"),
        ([{"type": "image_url", "image_url": {"url": "x"}}], None),
        (None, None),
        (5, None),
    ],
)
def test_the_text_of_a_message_is_that_of_its_parts(content: object, text: str | None) -> None:
    assert content_text(content) == text
    assert turns_of([{"role": "user", "content": content}]) == [("user", text)]


def test_a_conversation_asks_what_its_first_user_says_after_the_system(cli: Cli, tmp_path: Path) -> None:
    talk = [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Name a river."},
            {"from": "gpt", "value": "Rhine"}, {"from": "human", "value": "Another."}]  # fmt: skip
    assert asked_text(talk) == "Be brief.\n\nName a river."
    assert asked_text("Name a river.") == "Name a river."
    assert asked_text([{"from": "gpt", "value": "Rhine"}]) is None
    (tmp_path / "chat.json").write_text(json.dumps([{"id": "1", "conversations": talk}]))
    parts = [{"role": "user", "content": [{"type": "text", "text": "name a river"}]}]
    (tmp_path / "parts.jsonl.gz").write_bytes(gzip.compress(json.dumps({"messages": parts}).encode()))
    done = cli("dedup", "parts.jsonl.gz", "--to", "kept.jsonl", "--against", "chat.json", "--report", "report.jsonl")
    assert done.returncode == 0, done.stderr
    assert (rows(tmp_path / "kept.jsonl"), len(rows(tmp_path / "report.jsonl"))) == ([], 1)
