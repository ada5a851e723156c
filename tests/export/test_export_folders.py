"""Folders that `export` writes: splits, shards, a table of all candidates; whole or not at all, whatever kills it."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from ensemble_instruct.files import atomic_folder as folders
from ensemble_instruct.store.rows import example_row
from tests.conftest import COMMAND, rows
from tests.support.forks import Forked, Forks, tree
from tests.support.made_run import made_examples, make_run
from tests.support.processes import PATIENCE

SIZE = 600
SPLIT = "train=0.8,test=0.2"
KILLS, MOST_KILLS = 3, 100
"""So many kills shall meet an export at work; some come when it is done."""
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_TEXT = pa.string()
_NUMBERS = dict.fromkeys(("score", "rank", "rating"), pa.float64())
_CANDIDATE = {"voter": _TEXT, "output": _TEXT, **_NUMBERS, "barred": _TEXT, "removed": pa.list_(_TEXT)}
CANDIDATES = pa.list_(pa.struct(list(_CANDIDATE.items())))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, `run`."""
    folder = tmp_path_factory.mktemp("place")
    make_run(folder / "run", made_examples(SIZE))
    return folder


@pytest.fixture(scope="module")
def all_examples() -> list[dict[str, Any]]:
    """The examples of the run."""
    return [example_row(example) for example in made_examples(SIZE)]


def printed(forks: Forks, folder: Path, *arguments: str | Path) -> str:
    """What `export` of the run says on stdout; nothing on stderr."""
    done = forks.run(folder, ["export", "run", *arguments])
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def table(folder: Path, split: str) -> list[dict[str, Any]]:
    """The rows of all shards of a split, in order."""
    shards = sorted(folder.glob(f"{split}-*.parquet"))
    assert [shard.name for shard in shards] == [
        f"{split}-{number:05}-of-{len(shards):05}.parquet" for number in range(len(shards))
    ]
    found: list[dict[str, Any]] = pa.concat_tables(map(pq.read_table, shards)).to_pylist()
    return found


def normal(instruction: str) -> str:
    return " ".join(instruction.casefold().split())


def test_each_row_is_in_one_split_and_an_instruction_never_in_two(
    forks: Forks, place: Path, all_examples: list[dict[str, Any]], tmp_path: Path
) -> None:
    line = printed(forks, place, "--format", "alpaca", "--split", SPLIT, "--to", tmp_path / "out")
    train, test = (rows(tmp_path / "out" / f"{name}.jsonl") for name in ("train", "test"))
    assert line == f"{SIZE} examples in {tmp_path / 'out'}: train {len(train)}, test {len(test)}\n"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"train.jsonl", "test.jsonl"}
    expected = [{name: row[name] for name in ("instruction", "input", "output")} for row in all_examples]
    assert sorted(train + test, key=str) == sorted(expected, key=str)
    assert train == [row for row in expected if row in train]
    sides = [{normal(row["instruction"]) for row in side} for side in (train, test)]
    assert not sides[0] & sides[1]
    assert len(sides[0]) + len(sides[1]) < SIZE, "no instruction stands twice, so the test shows nothing"
    assert 0.1 < len(test) / SIZE < 0.3


def test_a_row_never_changes_side(
    forks: Forks, place: Path, all_examples: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Neither in another run, nor when its share grows, nor with the names in another order."""
    make_run(tmp_path / "run", made_examples(SIZE)[::-3])
    printed(forks, tmp_path, "--format", "prompt-completion", "--split", SPLIT, "--to", "fewer")
    printed(forks, place, "--format", "prompt-completion", "--split", SPLIT, "--to", tmp_path / "all")
    printed(
        forks, place, "--format", "prompt-completion", "--split", "test = 3/10, train=7/10", "--to", tmp_path / "more"
    )

    def side(folder: str, name: str) -> set[str]:
        return {row["prompt"] for row in rows(tmp_path / folder / f"{name}.jsonl")}

    for name in ("train", "test"):
        assert side("fewer", name) <= side("all", name)
        assert side("fewer", name)
    assert side("all", "test") < side("more", "test")


def test_parquet_has_the_layout_of_the_hub(
    forks: Forks, place: Path, all_examples: list[dict[str, Any]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    line = printed(forks, place, "--format", "parquet", "--to", f"{out}/", "--shard-size", "20KB", "--candidates")
    shards = len(list((out / "data").iterdir()))
    assert shards > 3
    assert line.startswith(f"{SIZE} examples in {out}: train {SIZE} in {shards} files\n")
    columns = ("id", "kind", "instruction", "input", "output", "winners", "agreement", "confidence", "basis")
    assert table(out / "data", "train") == [{name: row[name] for name in columns} for row in all_examples]
    wide = (*columns, "candidates", "matrix")
    more = {"rank": None, "rating": None, "barred": None, "removed": None}
    all_candidates = [[candidate | more for candidate in row["candidates"]] for row in all_examples]
    assert table(out / "candidates", "train") == [
        {**{name: row[name] for name in wide}, "candidates": candidates}
        for row, candidates in zip(all_examples, all_candidates, strict=True)
    ]
    for shard in out.rglob("*.parquet"):
        assert pq.read_table(shard).nbytes < 30_000


@pytest.mark.parametrize(
    ("arguments", "column", "kind"),
    [
        (["--rows", "messages", "--system", "Be kind."], "messages", MESSAGES),
        (["--rows", "prompt-completion"], "completion", pa.string()),
        (["--rows", "preference"], "rejected", pa.string()),
        (["--rows", "alpaca"], "instruction", pa.string()),
        (["--rows", "examples", "--candidates"], "instruction", pa.string()),
    ],
)
def test_rows_of_a_table_are_those_of_the_file_format(
    forks: Forks, place: Path, tmp_path: Path, arguments: list[str], column: str, kind: pa.DataType
) -> None:
    name = arguments[1].replace("examples", "alpaca")
    printed(
        forks, place, "--format", name, *arguments[2:4] if "--system" in arguments else [], "--to", tmp_path / "file"
    )
    printed(forks, place, "--format", "parquet", *arguments, "--split", SPLIT, "--to", tmp_path / "table")
    tables = {split: table(tmp_path / "table" / "data", split) for split in ("train", "test")}
    lines = rows(tmp_path / "file")
    found = [{name: row[name] for name in lines[0]} for split in tables.values() for row in split]
    assert sorted(found, key=str) == sorted(lines, key=str)
    assert all(row["id"] for split in tables.values() for row in split)
    schema = pq.read_schema(next((tmp_path / "table" / "data").glob("test-*")))
    assert schema.field(column).type == kind
    if "--candidates" in arguments:
        schema = pq.read_schema(next((tmp_path / "table" / "candidates").glob("test-*")))
        assert schema.field("candidates").type == CANDIDATES
        ids = [[row["id"] for row in table(tmp_path / "table" / name, "test")] for name in ("data", "candidates")]
        assert ids[0] == ids[1]


def test_what_a_filter_bars_is_published_without_its_text(forks: Forks, tmp_path: Path) -> None:
    make_run(tmp_path / "run", made_examples(2))
    with closing(sqlite3.connect(tmp_path / "run" / "run.db")) as connection, connection:
        (row,) = connection.execute("SELECT row FROM example WHERE kind = 'output_only'").fetchone()
        example = json.loads(row)
        example["candidates"][2] |= {"barred": "personal_data", "removed": ["Call 123 for it:"]}
        example["candidates"][1]["removed"] = ["Sure:"]
        connection.execute("UPDATE example SET row = ? WHERE kind = 'output_only'", (json.dumps(example),))
    printed(forks, tmp_path, "--format", "parquet", "--candidates", "--to", "out/")
    written = [row["candidates"] for row in table(tmp_path / "out" / "candidates", "train")]
    assert [row[1]["removed"] for row in written] == [None, ["Sure:"]]
    free, barred = (row[2] for row in written)
    assert (free["output"], free["barred"]) == ("other 0", None)
    assert (barred["output"], barred["barred"], barred["removed"]) == (None, "personal_data", None)
    assert barred["score"] == example["candidates"][2]["score"]


def test_messages_begin_with_the_system_text(forks: Forks, place: Path, tmp_path: Path) -> None:
    printed(forks, place, "--format", "messages", "--to", tmp_path / "plain.jsonl")
    printed(forks, place, "--format", "messages", "--to", tmp_path / "system.jsonl", "--system", "Sei „kurz“.")
    system = [{"role": "system", "content": "Sei „kurz“."}]
    expected = [{"messages": system + row["messages"]} for row in rows(tmp_path / "plain.jsonl")]
    assert rows(tmp_path / "system.jsonl") == expected


def test_the_folder_for_the_hub_says_which_file_is_which_split(forks: Forks, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    lines = printed(forks, place, "--format", "hub", "--dry-run", "--to", out, "--split", SPLIT)
    train, test = (table(out / "data", name) for name in ("train", "test"))
    assert lines.splitlines() == [
        f"{SIZE} examples in {out}: train {len(train)}, test {len(test)}",
        f"{SIZE} rows with every candidate in {out / 'candidates'}: train {len(train)}, test {len(test)}",
    ]
    assert list(train[0]) == ["messages", "id", "kind", "winners", "agreement", "confidence", "basis"]
    front = yaml.safe_load((out / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    declared = {
        (config["config_name"], part["split"]): list(out.glob(part["path"]))
        for config in front["configs"]
        for part in config["data_files"]
    }
    assert [config["config_name"] for config in front["configs"] if config.get("default")] == ["default"]
    assert all(len(files) == 1 for files in declared.values())
    assert {file for files in declared.values() for file in files} == set(out.rglob("*.parquet"))
    printed(forks, place, "--format", "hub", "--dry-run", "--to", out, "--no-candidates")
    assert [path.name for path in out.iterdir() if path.is_dir()] == ["data"]
    front = yaml.safe_load((out / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert [config["config_name"] for config in front["configs"]] == ["default"]


def test_without_a_place_the_folder_for_the_hub_is_in_the_run(forks: Forks, tmp_path: Path) -> None:
    make_run(tmp_path / "run", made_examples(10))
    assert printed(forks, tmp_path, "--format", "hub", "--dry-run").startswith("10 examples in run/hub\n")
    assert (tmp_path / "run" / "hub" / "data" / "train-00000-of-00001.parquet").is_file()


@pytest.mark.parametrize("arguments", [["hub", "--dry-run", "--shard-size", "20KB"], ["messages"]])
def test_the_same_export_twice_is_the_same_folder(
    forks: Forks, place: Path, tmp_path: Path, arguments: list[str]
) -> None:
    for name in ("once", "again", "again"):
        printed(forks, place, "--format", *arguments, "--split", SPLIT, "--to", tmp_path / name)
    once, again = (
        {path.relative_to(tmp_path / name): content for path, content in tree(tmp_path / name).items()}
        for name in ("once", "again")
    )
    assert once == again
    assert {path.name for path in tmp_path.iterdir()} == {"once", "again"}


@pytest.mark.parametrize("form", ["parquet", "messages"])
def test_a_split_that_got_nothing_is_left_out_and_told(forks: Forks, tmp_path: Path, form: str) -> None:
    make_run(tmp_path / "run", made_examples(10))
    arguments = ["--format", form, "--split", "train=0.999999,train_2=0.000001", "--to", "out"]
    done = forks.run(tmp_path, ["export", "run", *arguments])
    assert (done.returncode, done.stdout) == (0, "10 examples in out\n")
    assert done.stderr == "note: no example fell to split train_2, so it is left out; give it a larger share\n"
    names = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert names == ({"train.jsonl"} if form == "messages" else {"train-00000-of-00001.parquet"})


@pytest.mark.parametrize("form", ["parquet", "messages"])
def test_a_run_without_examples_gives_empty_files_if_that_is_allowed(forks: Forks, tmp_path: Path, form: str) -> None:
    make_run(tmp_path / "run", [])
    assert printed(forks, tmp_path, "--format", form, "--to", "out/", "--allow-empty") == "0 examples in out\n"
    if form == "parquet":
        assert table(tmp_path / "out" / "data", "train") == []
    else:
        assert (tmp_path / "out" / "train.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--format", "parquet"], "--to: is missing"),
        (["--format", "alpaca", "--to", "run/"], "holds something else than an export (config.yaml"),
        (["--format", "parquet", "--to", "mine"], "(notes.txt)"),
        (["--format", "parquet", "--to", "file/"], "is a file"),
        (["--format", "parquet", "--to", "no/where/"], "does not exist"),
        (["--format", "alpaca", "--to", "out.json", "--split", SPLIT], "out/"),
        (["--format", "hub", "--dry-run", "--to", "out.parquet"], "out/"),
        (["--format", "messages", "--to", "out", "--split", "train=0.9"], "0.9 in all"),
        (["--format", "messages", "--to", "out", "--split", "train=0.9,train=0.1"], "'train'"),
        (["--format", "messages", "--to", "out", "--split", "train=0.9,a/b=0.1"], "'a/b'"),
        (["--format", "messages", "--to", "out", "--split", "train=0.9,all=0.1"], "'all'"),
        (["--format", "messages", "--to", "out", "--split", "train=2,test=-1"], "train must be"),
        (["--format", "messages", "--to", "out", "--split", "train=1/0"], "train must be"),
        (["--format", "messages", "--to", "out", "--split", "train=nan"], "train must be"),
        (["--format", "messages", "--to", "out", "--split", ""], "''"),
        (["--format", "alpaca", "--to", "out", "--system", "Be kind."], "--system: goes with messages"),
        (["--format", "messages", "--to", "out", "--system", " "], "--system: is blank"),
        (["--format", "messages", "--to", "out", "--system", "\udcff"], "--system: is not UTF-8"),
        (["--format", "messages", "--to", "out.parquet"], "--format parquet --rows messages"),
        (["--format", "original", "--to", "out.parquet"], "writes JSON; name a file like out.jsonl"),
        (["--format", "parquet", "--to", "out.jsonl"], "writes Parquet; name a file like out.parquet"),
        (["--format", "parquet", "--to", "out", "--rows", "chat"], "there are examples, alpaca, messages"),
        (["--format", "alpaca", "--to", "out", "--rows", "messages"], "--rows: goes with --format parquet"),
        (["--format", "parquet", "--to", "out/", "--shard-size", "5"], "like 500MB"),
        (["--format", "parquet", "--to", "out/", "--shard-size", "0MB"], "like 500MB"),
        (["--format", "parquet", "--to", "out", "--shard-size", "5MB"], "--to FOLDER/"),
        (["--format", "alpaca", "--to", "out/", "--candidates"], "--candidates: goes with"),
        (["--format", "parquet", "--to", "out/", "--repo", "a/b"], "--repo: goes with --format hub"),
        (["--format", "parquet", "--to", "out/", "--dry-run"], "--dry-run: goes with --format hub"),
        (["--format", "hub"], "--repo: is missing"),
        (["--format", "hub", "--dry-run", "--repo", "a b"], "--repo a b: is no name of a dataset"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(forks: Forks, place: Path, arguments: list[str], problem: str) -> None:
    (place / "mine").mkdir(exist_ok=True)
    (place / "mine" / "notes.txt").touch()
    (place / "file").touch()
    assert problem in forks.refused(place, "export", "run", *arguments)


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_folder(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk."""
    make_run(tmp_path / "run", made_examples(6_000))
    out = tmp_path / "out"
    out.mkdir()
    (out / "train.jsonl").write_text("old\n")
    before = tree(out)
    for form in ("messages", "parquet --candidates"):
        command = f"ulimit -f 36; exec {COMMAND} export run --format {form} --to {out}/"
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"error: {out}: cannot be written: File too large")
        assert tree(out) == before
        assert {path.name for path in tmp_path.iterdir()} == {"run", "out"}


@pytest.mark.slow
def test_kills_in_the_middle_leave_the_old_folder_whole(forks: Forks, tmp_path: Path) -> None:
    make_run(tmp_path / "run", made_examples(2_000))
    commands = [
        ["export", "run", "--to", "out/", "--format", "parquet", *more]
        for more in (["--rows", "messages"], ["--split", SPLIT, "--shard-size", "100KB", "--candidates"])
    ]

    @contextmanager
    def at_work(command: list[str]) -> Iterator[Forked]:
        """The export, once it has begun to write."""
        known = set(tmp_path.glob(".out.*.partial"))
        with forks.started(tmp_path, Path(os.devnull), *command) as process:
            while process.wait(0.002) is None and not set(tmp_path.glob(".out.*.partial")) - known:
                pass
            yield process

    whole = []
    for command in commands:
        with at_work(command) as process:
            began = time.monotonic()
            assert process.wait(PATIENCE) == 0
            seconds = time.monotonic() - began
        whole.append(tree(tmp_path / "out"))
    rng = random.Random(0)
    met = 0
    for _ in range(MOST_KILLS):
        before = tree(tmp_path / "out")
        with at_work(commands[1 - whole.index(before)]) as process:
            process.wait(rng.uniform(0, 0.7 * seconds))
            code = process.kill()
        after = tree(tmp_path / "out")
        assert after in whole
        if code == -signal.SIGKILL and after == before:
            met += 1
            assert list(tmp_path.glob(".out.*.partial")), "the kill met no export at work"
        if met == KILLS:
            break
    assert met == KILLS
    assert forks.run(tmp_path, commands[0]).returncode == 0
    assert tree(tmp_path / "out") == whole[0]
    assert {path.name for path in tmp_path.iterdir()} == {"run", "out"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out.json", "out.parquet"])
def test_a_kill_in_the_middle_leaves_the_old_file_whole(forks: Forks, tmp_path: Path, name: str) -> None:
    make_run(tmp_path / "run", made_examples(2_000))
    form = "parquet" if name.endswith("parquet") else "alpaca"
    command = ["export", "run", "--to", name, "--format", form]
    assert forks.run(tmp_path, command).returncode == 0
    whole = (tmp_path / name).read_bytes()
    found = whole
    for _ in range(MOST_KILLS):  # until a kill is early enough
        (tmp_path / name).write_bytes(b"old")
        known = set(tmp_path.glob(f".{name}.*"))
        with forks.started(tmp_path, Path(os.devnull), *command) as process:
            while process.wait(0.002) is None and not set(tmp_path.glob(f".{name}.*")) - known:
                pass
            process.kill()
        found = (tmp_path / name).read_bytes()
        assert found in (b"old", whole)
        if found == b"old":
            break
    assert found == b"old"
    assert forks.run(tmp_path, command).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"run", name}


def test_where_two_folders_cannot_be_swapped_the_old_one_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_swapped_at_once", lambda *_: False)
    out = tmp_path / "out"
    for text in ("old", "new"):
        with folders.whole_folder(out) as unfinished:
            (unfinished / "train.jsonl").write_text(text)
        assert {path.name: path.read_text() for path in out.iterdir()} == {"train.jsonl": text}
        assert list(tmp_path.iterdir()) == [out]
    aside = tmp_path / ".out.killed.partial"
    aside.mkdir()
    out.rename(aside / "old")
    with pytest.raises(KeyError), folders.whole_folder(out) as unfinished:
        raise KeyError
    assert (out / "train.jsonl").read_text() == "new"
    assert list(tmp_path.iterdir()) == [out]
