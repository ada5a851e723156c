"""`dedup` drops what is too close to an earlier row, exactly; `--against` keeps a run away from a user's datasets."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from ensemble_instruct.errors import UsageError
from ensemble_instruct.novelty.dedup import dedup, dedup_file
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.rouge import rouge_tokens
from tests.conftest import SIMULATED, Cli, rows

VOCABULARY = "list name write a the poem story about of sea rivers mountains three ten short long for children"
SCORER = RougeScorer(["rougeL"], use_stemmer=False)


def texts(count: int, seed: int = 0) -> list[str]:
    """Instructions of which many are close to an earlier one, some by exactly the threshold."""
    chosen = random.Random(seed)
    texts: list[str] = []
    for _ in range(count):
        if texts and chosen.random() < 0.5:
            tokens = chosen.choice(texts).split()
            for _ in range(chosen.randint(0, 4)):
                tokens[chosen.randrange(len(tokens))] = chosen.choice(VOCABULARY.split())
        else:
            tokens = chosen.choices(VOCABULARY.split(), k=chosen.randint(1, 14))
        texts.append(" ".join(tokens))
    return texts


def kept_by_rouge(given_texts: list[str], threshold: float, known: tuple[str, ...] = ()) -> list[int]:
    """The rows that stay, by rouge-score alone."""
    kept: list[int] = []
    for row, text in enumerate(given_texts):
        others = [*known, *(given_texts[other] for other in kept)]
        if all(SCORER.score(other, text)["rougeL"].fmeasure <= threshold for other in others):
            kept.append(row)
    return kept


def write_lines(path: Path, values: list[Any]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Name a fruit.",), "texts: expected texts, found the one text 'Name a fruit.'; put it into a list"),
        ((["Name a fruit.", None],), "texts[1]: must be a string, found None"),
        (([], 0.7, [3]), "against[0]: must be a string, found 3"),
        (([], 0), "threshold 0: give a number above 0, up to 1"),
        (([], float("nan")), "threshold nan: give a number above 0, up to 1"),
        (([], "0.7"), "threshold '0.7': give a number above 0, up to 1"),
    ],
)
def test_what_are_no_texts_is_one_line(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        dedup(*arguments)


@pytest.mark.parametrize("threshold", ["0.5", "0.7", "1"])
def test_the_same_rows_stay_as_with_rouge_score(cli: Cli, tmp_path: Path, threshold: str) -> None:
    given_texts = texts(150)
    write_lines(tmp_path / "data.jsonl", [{"n": n, "instruction": text} for n, text in enumerate(given_texts)])
    done = cli("dedup", "data.jsonl", "--threshold", threshold, "--to", "kept.jsonl", "--report", "report.jsonl")
    assert done.returncode == 0, done.stderr
    expected = kept_by_rouge(given_texts, float(threshold))
    assert [row["n"] for row in rows(tmp_path / "kept.jsonl")] == expected
    report = rows(tmp_path / "report.jsonl")
    assert [row["row"] - 1 for row in report] == [n for n in range(len(given_texts)) if n not in expected]
    for row in report:
        nearest = given_texts[row["nearest_row"] - 1]
        scores = [SCORER.score(given_texts[n], row["text"])["rougeL"].fmeasure for n in expected if n < row["row"] - 1]
        assert row["text"] == given_texts[row["row"] - 1]
        assert row["nearest"] == nearest
        assert row["score"] == max(scores) == SCORER.score(nearest, row["text"])["rougeL"].fmeasure
        assert row["nearest_file"] == "data.jsonl"
    assert f"{len(expected)} rows in kept.jsonl" in done.stdout
    assert (f"{len(report)} dropped" in done.stdout) == bool(report)


def test_lines_are_kept_byte_for_byte_and_blank_ones_are_no_rows(cli: Cli, tmp_path: Path) -> None:
    first, third = b'\xef\xbb\xbf{"text" :"Gr\xc3\xb6\xc3\x9fe  \\u00e4",  "x": 1e3}\r\n', b'{"text": "Name a river"}'
    (tmp_path / "data.jsonl").write_bytes(first + b"\n" + '{"text": "größe Ä!"}\n'.encode() + third)
    assert cli("dedup", "data.jsonl", "--to", "kept.jsonl").returncode == 0
    assert (tmp_path / "kept.jsonl").read_bytes() == first + third + b"\n"


def test_parquet_keeps_its_schema_and_other_columns(cli: Cli, tmp_path: Path) -> None:
    given_texts = texts(60, seed=1)
    table = pa.table({
        "score": pa.array(range(60), pa.int16()),
        "prompt": pa.array(given_texts, pa.large_string()),
        "tags": pa.array([[str(n)] for n in range(60)], pa.list_(pa.string())),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "data.parquet", row_group_size=7)
    done = cli("dedup", "data.parquet", "--to", "kept.parquet", "--report", "report.jsonl")
    assert done.returncode == 0, done.stderr
    kept = pq.read_table(tmp_path / "kept.parquet")
    expected = kept_by_rouge(given_texts, 0.7)
    assert kept.schema.equals(table.schema)
    assert kept.to_pylist() == table.take(expected).to_pylist()
    assert len(rows(tmp_path / "report.jsonl")) == 60 - len(expected)


def test_rows_differ_from_other_datasets_too_whatever_their_format(cli: Cli, tmp_path: Path) -> None:
    write_lines(tmp_path / "data.jsonl", [{"instruction": "Name three rivers."}, {"instruction": "写一首关于海的诗"},
                                          {"instruction": "Write a poem about the sea."}])  # fmt: skip
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "write a poem about the sea"}]
    write_lines(tmp_path / "old.jsonl", [{"messages": talk}])
    pq.write_table(pa.table({"question": ["Unrelated words here", "写一首关于海的诗"]}), tmp_path / "old.parquet")
    done = cli("dedup", "data.jsonl", "--to", "kept.jsonl", "--against", "old.jsonl", "--against", "old.parquet",
               "--report", "report.jsonl")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "kept.jsonl") == [{"instruction": "Name three rivers."}]
    places = [(row["nearest_file"], row["nearest_row"]) for row in rows(tmp_path / "report.jsonl")]
    assert places == [("old.parquet", 2), ("old.jsonl", 1)]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ('{"title": "x"}\n', [], "has no column of instruction, prompt, question, text, messages, conversations; there "
                                 "are title: name one with --column"),
        ('{"text": "x"}\n', ["--column", "body"], "has no column 'body'"),
        ('{"text": "x"}\n{"txt": "y"}\n', [], "data.jsonl:2: field 'text' is missing"),
        ('{"text": 3}\n', [], "data.jsonl:1: 'text' holds no text"),
        ('{"text": "x"\n', [], "data.jsonl:1: not JSON"),
        ("PAR1 and no more", [], "data.jsonl: cannot be read as Parquet"),
        ('{"text": "x"}\n', ["--against", "missing.jsonl"], "missing.jsonl: cannot be read"),
        ('{"text": "x"}\n', ["--to", "data.jsonl"], "data.jsonl: is an input too"),
        ('{"text": "x"}\n', ["--report", "kept.jsonl"], "kept.jsonl: is an input too"),
        ('{"text": "x"}\n', ["--threshold", "0"], "0.0 is not in the range"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_nothing_is_written(
    cli: Cli, tmp_path: Path, content: str, options: list[str], message: str
) -> None:
    (tmp_path / "data.jsonl").write_text(content)
    done = cli("dedup", "data.jsonl", "--to", "kept.jsonl", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]


def test_an_empty_dataset_stays_empty(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("")
    done = cli("dedup", "data.jsonl", "--to", "kept.jsonl")
    assert (done.returncode, done.stdout) == (0, "0 rows in kept.jsonl\n")


def test_a_run_differs_from_the_datasets_of_its_user_in_all_its_steps(
    cli: Cli, tmp_path: Path, finished_run: Path
) -> None:
    assert cli("export", finished_run, "--format", "parquet", "--to", "first.parquet").returncode == 0
    done = cli("run", SIMULATED, "--out", "second", "--against", "first.parquet")
    assert done.returncode == 0, done.stderr
    before = [row["instruction"] for row in rows(finished_run / "examples.jsonl")]
    now = [row["instruction"] for row in rows(tmp_path / "second" / "examples.jsonl")]
    assert now
    assert all(SCORER.score(old, new)["rougeL"].fmeasure <= 0.7 for old in before for new in now)
    again = cli("run", "--out", "second")
    assert again.returncode == 0, again.stderr
    moved = tmp_path / "first.parquet"
    pq.write_table(pq.read_table(moved).slice(3), moved)
    changed = cli("run", "--out", "second")
    assert changed.returncode == 2
    assert "instructions.against" in changed.stderr


def test_single_steps_differ_from_datasets_too(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(
        "instructions: {target: {input_output: 3, output_only: 0}, demonstrations: {input_output: 4}, patience: 3}\n"
        "models: {m: {provider: scripted, replies: replies.jsonl}}\n"
        "roles: {instructions: m, instances: m, outputs: [m]}\n"
    )
    write_lines(tmp_path / "known.jsonl", [{"instruction": "Sort the given list of rivers by their length"}])
    completion = "input: a\noutput: b\n\ninstruction: Sort this list of rivers by their length\ninput: c\noutput: d\n"
    write_lines(tmp_path / "step2.jsonl", [{"instruction": "Translate into Greek", "raw_instances": completion}])
    for options, expected in (((), 2), (("--against", "known.jsonl"), 1)):
        done = cli("parse", "--instances", "step2.jsonl", "--to", "step3.jsonl", *options)
        assert done.returncode == 0, done.stderr
        assert len(rows(tmp_path / "step3.jsonl")) == expected
    (tmp_path / "replies.jsonl").write_text("")
    assert cli(
        "instructions", "my.yaml", "--kind", "input_output", "--to", "x.jsonl", "--against", "no.jsonl"
    ).stderr == ("error: no.jsonl: cannot be read: No such file or directory; check the path\n").replace(
        "no.jsonl", str(tmp_path / "no.jsonl")
    )


WORDS = st.lists(st.sampled_from(["a", "b", "c", "\u8a9e", "-"]), max_size=6).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(st.lists(WORDS, min_size=1, max_size=12), st.lists(WORDS, min_size=1, max_size=4), st.floats(0.1, 1))
def test_a_list_keeps_the_places_whose_rows_a_file_keeps(
    tmp_path_factory: pytest.TempPathFactory, all_texts: list[str], known: list[str], threshold: float
) -> None:
    folder = tmp_path_factory.mktemp("lists")
    path = write_lines(folder / "texts.jsonl", [{"n": n, "instruction": text} for n, text in enumerate(all_texts)])
    other = write_lines(folder / "known.jsonl", [{"instruction": text} for text in known])
    dedup_file(path, folder / "kept.jsonl", threshold, lambda texts, *_: texts, against=[other])
    assert dedup(all_texts, threshold, known) == [row["n"] for row in rows(folder / "kept.jsonl")]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from("abcd"), max_size=6).map(" ".join), max_size=12), st.integers(0, 12), st.data()
)
def test_a_pool_over_another_one_answers_as_one_pool_of_all_texts(
    all_texts: list[str], cut: int, data: st.DataObject
) -> None:
    scan, tail = data.draw(st.sampled_from([(100, 100), (0, 0), (3, 2)]))
    base = NoveltyPool(all_texts[:cut], tokens=rouge_tokens, scan_limit=scan, tail_limit=tail)
    pool = NoveltyPool(all_texts[cut:], tokens=rouge_tokens, base=base, scan_limit=scan, tail_limit=tail)
    whole = NoveltyPool(all_texts, tokens=rouge_tokens)
    question = data.draw(st.lists(st.sampled_from("abcde"), max_size=6).map(" ".join))
    assert len(pool) == len(whole)
    assert [pool[n] for n in range(len(pool))] == all_texts
    assert pool.nearest(question) == whole.nearest(question)
    assert pool.top(question, 4) == whole.top(question, 4)
    assert pool.mean(question) == whole.mean(question)
    for threshold in (0.3, 0.5, 0.7):
        assert pool.above(question, threshold) == whole.above(question, threshold)
    assert pool.add("new") == len(all_texts)
