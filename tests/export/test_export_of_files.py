"""`export FILE`: rows that the step commands, `export` and others write, in any format of a file."""

from __future__ import annotations

import bz2
import gzip
import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ensemble_instruct.files.task_rows import read_task_rows
from tests.conftest import COMMAND, Cli, rows

TASKS = [
    {"instruction": "Add the numbers.", "input": "1, 2", "output": "3"},
    {"instruction": "Nenne „Städte“ 日本.", "input": "", "output": "東京\nÔsaka \u2028 😀"},
    {"instruction": "Say \u0000 nothing.", "input": "", "output": ""},
]
FORMATS = {"original": "o.jsonl", "alpaca": "a.json", "messages": "m.jsonl", "prompt-completion": "p.jsonl"}


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    return path


def as_one_text(task: dict[str, str]) -> dict[str, str]:
    joined = "\n\n".join(filter(None, [task["instruction"], task["input"]]))
    return {"instruction": joined, "input": "", "output": task["output"]}


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_of_a_file_becomes_every_other(
    cli: Cli, tmp_path: Path, tasks: Path, source: str, form: str
) -> None:
    assert cli("export", tasks, "--format", source, "--to", FORMATS[source]).returncode == 0
    done = cli("export", FORMATS[source], "--format", form, "--to", f"made-{FORMATS[form]}")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"3 examples in made-{FORMATS[form]}\n", "")
    keeps_input = source in ("original", "alpaca") and form in ("original", "alpaca")
    wanted = TASKS if keeps_input else [as_one_text(task) for task in TASKS]
    assert list(read_task_rows(tmp_path / f"made-{FORMATS[form]}")) == wanted


def test_examples_of_a_run_in_a_file_become_what_the_run_exports(cli: Cli, tmp_path: Path) -> None:
    from ensemble_instruct.store.rows import example_row
    from tests.support.made_run import made_examples, make_run

    examples = made_examples(20)
    make_run(tmp_path / "run", examples)
    with (tmp_path / "rows.jsonl").open("w") as file:
        file.writelines(json.dumps(example_row(example)) + "\n" for example in examples)
    for form, name in FORMATS.items():
        for source in ("run", "rows.jsonl"):
            assert cli("export", source, "--format", form, "--to", f"{source[:3]}-{name}").returncode == 0
        assert (tmp_path / f"row-{name}").read_bytes() == (tmp_path / f"run-{name}").read_bytes()


def test_parquet_has_the_columns_of_its_format_and_splits_are_those_of_a_run(
    cli: Cli, tmp_path: Path, tasks: Path
) -> None:
    assert cli("export", tasks, "--format", "parquet", "--to", "t.parquet").returncode == 0
    assert pq.read_table(tmp_path / "t.parquet").to_pylist() == TASKS
    done = cli("export", tasks, "--format", "parquet", "--rows", "messages", "--to", "t/", "--split", "train=0.5,b=0.5")
    assert done.returncode == 0
    parts = [pq.read_table(path).to_pylist() for path in sorted((tmp_path / "t" / "data").iterdir())]
    assert sum(map(len, parts)) == len(TASKS)
    assert all(list(row) == ["messages"] for part in parts for row in part)


def test_a_system_message_is_kept_or_named(cli: Cli, tmp_path: Path, tasks: Path) -> None:
    assert cli("export", tasks, "--format", "messages", "--system", "Be kind.", "--to", "m.jsonl").returncode == 0
    assert cli("export", "m.jsonl", "--format", "messages", "--to", "again.jsonl").returncode == 0
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "m.jsonl").read_bytes()
    done = cli("export", "m.jsonl", "--format", "alpaca", "--to", "a.json")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "note: 3 rows began with a system message" in done.stderr
    table = ("--format", "parquet", "--rows", "messages", "--to", "other.parquet")
    for form in (("--format", "messages", "--to", "other.jsonl"), table):
        assert cli("export", tasks, *form, "--system", "Be brief.").stderr == ""
        done = cli("export", "m.jsonl", *form, "--system", "Be brief.")
        assert (done.returncode, done.stderr.count("\n")) == (0, 1)
        assert "note: 3 rows began with a system message of their own, which --system replaced" in done.stderr


@pytest.mark.parametrize("command", ["export", "report"])
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("x.parquet.gz", "x.parquet.gz: is Parquet in a packed file; unpack it first"),
        ("x.jsonl.bz2", "x.jsonl.bz2: is compressed; unpack it first, with bunzip2"),
        ("run.db", "run.db: is a database; where it is that of a run, name the folder of the run"),
    ],
)
def test_what_is_no_text_is_named_with_what_to_do(
    cli: Cli, tmp_path: Path, tasks: Path, command: str, name: str, problem: str
) -> None:
    assert cli("export", tasks, "--format", "parquet", "--to", "x.parquet").returncode == 0
    (tmp_path / "x.parquet.gz").write_bytes(gzip.compress((tmp_path / "x.parquet").read_bytes()))
    (tmp_path / "x.jsonl.bz2").write_bytes(bz2.compress(tasks.read_bytes()))
    with closing(sqlite3.connect(tmp_path / "run.db")) as connection:
        connection.execute("CREATE TABLE meta (name)")
    done = cli(command, name, *(("--format", "alpaca", "--to", "y.json") if command == "export" else ()))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert problem in done.stderr


def test_a_long_array_is_read_whatever_its_spacing(tmp_path: Path) -> None:
    many = [{**TASKS[number % 3], "output": f"{number} " * (number % 5000)} for number in range(300)]
    for indent in (None, 0, 4):
        path = tmp_path / "many.json"
        path.write_text("\ufeff \n" + json.dumps(many, indent=indent, ensure_ascii=indent is None) + "\n\n")
        assert list(read_task_rows(path)) == many
    path.write_text("[]")
    assert list(read_task_rows(path)) == []


BAD: list[tuple[str, str]] = [
    ('{"instruction": "Add.", "raw_instances": "input: 1"}\n',
     "bad:1: is not a task with its answer: it has no output yet, as step 2 writes it; the command `parse` reads"),
    ('{"instruction": "Add.", "most_similar": {}, "avg_similarity_score": null, "metadata": {}, "request_idx": 0}\n',
     "bad:1: is not a task with its answer: it has no output yet, as step 1 writes it; the commands `instances` and"),
    ('{"instruction": "Add.", "input": "1, 2"}\n', "bad:1: is not a task with its answer: it has 'instruction', 'in"),
    ('{"prompt": "Add.", "chosen": "1", "rejected": "2"}\n', "bad:1: is not a task"),
    ('{"instruction": "Add.", "input": 1, "output": "1"}\n', "bad:1: the input must be a string, found int"),
    ('{"instruction": "Add.", "output": ["1"]}\n', "bad:1: the output must be a string, found a list"),
    ('\n{"prompt": ["Add."], "completion": "1"}\n', "bad:2: the instruction must be"),
    ('{"prompt": [{"role": "user", "content": "Add."}, {"role": "assistant", "content": "1"}], "completion": "1"}\n',
     "bad:1: 'prompt and completion' must be one exchange"),
    ('{"messages": [{"role": "user", "content": "Hi."}]}\n', "bad:1: 'messages' must be one exchange"),
    ('{"messages": "Hi."}\n', "bad:1: 'messages' must be one exchange"),
    ('{"messages": [1, {"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]}', "one exchange"),
    ('{"messages": [{"role": "user", "content": 1}, {"role": "assistant", "content": "2"}]}', "must be a string"),
    ('[{"instruction": "Add.", "output": "1"} {"instruction": "Add.", "output": "1"}]', "bad: object 2: a comma"),
    ('[{"instruction": "Add.", "output": "1"}, 3]', "bad: object 2: expected a JSON object, found"),
    ('[{"instruction": "Add.", "output": "1"},', "bad: object 2: not JSON"),
    ('[{"instruction": "Add.", "output": "1"', "bad: object 1: not JSON"),
    ('[{"instruction": "Add.", "output": "\\ud800"}]', "bad: object 1: holds half of a surrogate pair"),
    ('[{"instruction": "Add.", "output": "1"}] {}', "bad: something follows the end of the array"),
    ('[{"instruction": "Add."}]', "bad: object 1: is not a task"),
    ('[[', "bad: object 1: not JSON"),
    ("not JSON\n", "bad:1: not JSON"),
]  # fmt: skip


@pytest.mark.slow
def test_a_row_that_is_no_task_is_one_line_in_parquet_too(tmp_path: Path, tasks: Path) -> None:
    with tasks.open("a") as file:
        file.write("not JSON\n")
    command: list[str | Path] = [COMMAND, "export", tasks, "--format", "parquet", "--to", tmp_path / "made.parquet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # Arrow complains as Python ends
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert list(tmp_path.iterdir()) == [tasks]


@pytest.mark.parametrize(("text", "complaint"), BAD)
def test_a_row_that_is_no_task_is_one_line_and_nothing_is_written(
    cli: Cli, tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "bad").write_text(text)
    (tmp_path / "made.jsonl").write_text("before")
    done = cli("export", "bad", "--format", "original", "--to", "made.jsonl")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert complaint in done.stderr
    assert (tmp_path / "made.jsonl").read_text() == "before"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "preference", "--to", "p.jsonl"),
        ("--format", "hub", "--dry-run"),
        ("--format", "parquet", "--rows", "preference", "--to", "p.parquet"),
        ("--format", "parquet", "--candidates", "--to", "p/"),
        ("--format", "alpaca", "--partial", "--to", "p.json"),
        ("--format", "alpaca", "--repo", "me/data", "--to", "p.json"),
        ("--format", "alpaca", "--to", "tasks.jsonl"),
    ],
)
def test_what_a_file_cannot_give_is_refused(cli: Cli, tmp_path: Path, tasks: Path, arguments: Any) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    done = cli("export", "tasks.jsonl", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert [row["output"] for row in rows(tasks)] == [task["output"] for task in TASKS]


def test_a_folder_that_holds_the_file_is_not_replaced(cli: Cli, tmp_path: Path, tasks: Path) -> None:
    assert cli("export", tasks, "--format", "original", "--to", "out/").returncode == 0
    done = cli("export", "out/train.jsonl", "--format", "alpaca", "--to", "out/")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "with its input in it" in done.stderr
    assert (tmp_path / "out" / "train.jsonl").is_file()
