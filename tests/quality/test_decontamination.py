# ruff: noqa: RUF001 - letters of other scripts
"""An example that holds a benchmark's text, or is close to one, is found with the hit; exactly, and nothing else is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.quality import ngrams
from ensemble_instruct.quality.decontamination import Benchmarks
from ensemble_instruct.quality.ngrams import NgramIndex, Shared
from ensemble_instruct.rouge import lcs_f1, word_tokens
from tests.conftest import Cli, rows

WORDS = ["a", "b", "c", "d", "e", "f"]
TOKENS = st.lists(st.sampled_from(WORDS), max_size=12)
LONG = "the quick brown fox jumps over the lazy dog while seven grey owls watch from an old oak tree"
SHORT = "name the largest moon of saturn and its discoverer"


Passages = list[list[list[str]]]


def shared_by_force(passages: Passages, question: list[str], size: int, shortest: int) -> Shared | None:
    """The earliest run, of those that start together the longest, in the earliest text that has it or its beginning."""
    runs: dict[tuple[str, ...], int] = {}
    number = 0
    for passage in passages:
        words = [(word, number + at) for at, text in enumerate(passage) for word in text]
        for start in range(len(words) - size + 1):
            runs.setdefault(tuple(word for word, _ in words[start : start + size]), words[start][1])
        for text in passage:
            if shortest <= len(text) < size:
                runs.setdefault(tuple(text), number)
            number += 1
    for start in range(len(question)):
        for length in range(size, shortest - 1, -1):
            run = tuple(question[start : start + length])
            if len(run) == length and run in runs:
                return Shared(start, length, runs[run])
    return None


PASSAGES = st.lists(st.lists(TOKENS, max_size=3), max_size=5)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(passages=PASSAGES, question=TOKENS)
def test_the_index_finds_what_a_comparison_with_every_run_finds(passages: Passages, question: list[str]) -> None:
    assert NgramIndex(passages, 5, 3).first(question) == shared_by_force(passages, question, 5, 3)


@settings(deadline=None, max_examples=100)
@given(passages=PASSAGES, question=TOKENS)
def test_a_collision_of_hashes_is_no_hit(passages: Passages, question: list[str]) -> None:
    real = ngrams._mixed
    ngrams._mixed = lambda ids: real(ids) % np.uint64(2)
    try:
        assert NgramIndex(passages, 5, 3).first(question) == shared_by_force(passages, question, 5, 3)
    finally:
        ngrams._mixed = real


TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(
    texts=st.lists(st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=4),
    instruction=TEXTS,
    question=TOKENS.map(" ".join),
)
def test_an_example_is_hit_exactly_where_a_run_or_a_score_says_so(
    tmp_path_factory: pytest.TempPathFactory, texts: list[list[str]], instruction: str, question: str
) -> None:
    path = tmp_path_factory.mktemp("benchmarks") / "lines.jsonl"
    path.write_text("".join(json.dumps({"question": row[0], "choices": row[1:]}) + "\n" for row in texts))
    known = Benchmarks([path])
    words = [[text.split() for text in row] for row in texts]
    whole = f"{instruction} {question}".split()
    looked = [instruction.split(), whole, *([question.split()] if len(question.split()) >= 8 else [])]
    for hit, sought, compared in (
        (known.task_hit(instruction, question), whole, looked),
        (known.output_hit(question), question.split(), looked[2:]),
    ):
        runs = shared_by_force(words, sought, 13, 8)
        best = max((lcs_f1(text, one) for row in words for text in row for one in compared), default=0.0)
        assert (hit is not None) == (runs is not None or best > 0.7)
        if hit is not None and runs is None:
            assert f"ROUGE-L {best:.3f}" in hit.detail


def benchmarks(tmp_path: Path, *texts: str) -> Benchmarks:
    path = tmp_path / "bench.jsonl"
    path.write_text("".join(json.dumps({"question": text}) + "\n" for text in texts))
    return Benchmarks([path])


def test_each_hit_says_which_row_and_what(tmp_path: Path) -> None:
    known = benchmarks(tmp_path, "something else entirely", LONG, SHORT)
    words = word_tokens(LONG)
    part = known.task_hit(
        "Rewrite this.", "Once, THE lazy dog; while seven grey owls watch from an old oak tree! The end."
    )
    assert part is not None
    assert part.detail == f"bench.jsonl row 2: the same 13 words: {' '.join(words[-13:])}"
    whole = known.task_hit(f"Think hard, then {SHORT.upper()}, and explain your reasoning step by step to a child.", "")
    assert whole is not None
    assert whole.detail == f"bench.jsonl row 3: the same 9 words: {SHORT}"
    close = known.task_hit("Name the largest moon of Jupiter and its discoverer.", "")
    assert close is not None
    assert close.detail.startswith("bench.jsonl row 3: ROUGE-L 0.889 to: name the largest")
    assert known.output_hit(f"The text says: {LONG}.") is not None


def test_what_is_no_hit(tmp_path: Path) -> None:
    known = benchmarks(tmp_path, LONG, SHORT, "What is 2 + 2?", "Yes.", "")
    twelve = " ".join(word_tokens(LONG)[:12])
    assert known.output_hit(f"In many more words of my own: {twelve}") is None
    assert known.task_hit("Is it so? Answer with yes or no and say why in a sentence.", "yes") is None
    assert known.task_hit("Say it in other words, please, and keep it polite", "What is 2 + 2?") is None
    assert known.output_hit("name the largest moon of saturn and") is None
    assert known.output_hit("") is None
    ten = "one two three four five six seven eight nine ten"
    seven = "one two three four five six seven x y z"
    assert benchmarks(tmp_path, ten).task_hit(seven, "") is None  # 0.7 itself stays, as in step 1


def test_a_question_that_was_cut_into_instruction_and_input_is_found(tmp_path: Path) -> None:
    words = LONG.split()
    known = benchmarks(tmp_path, LONG)
    assert known.task_hit(" ".join(words[:9]), " ".join(words[9:])) is not None
    assert known.task_hit("Answer the question that follows as well as you can, in one short sentence.", SHORT) is None
    known = benchmarks(tmp_path, SHORT.replace("largest", "third biggest"))
    assert known.task_hit("Answer the question that follows as well as you can, in one short sentence.", SHORT)


def test_text_without_spaces_and_other_scripts_count_too(tmp_path: Path) -> None:
    known = benchmarks(
        tmp_path, "请用中文写一首关于春天的短诗并解释它", "Напишите короткое стихотворение о весне и объясните его"
    )
    assert known.output_hit("好的:请用中文写一首关于春天的短诗并解释它。")
    assert known.task_hit("Напишите короткое стихотворение об осени и объясните его", "")
    assert known.task_hit("写一首诗", "") is None


def test_all_kinds_of_files_are_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1, 2], "prompt": ["nothing here", LONG]}), tmp_path / "a.parquet")
    (tmp_path / "b.txt").write_text(f"\ufeff{SHORT}\n\nanother line\n")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "b.txt").write_text("write a limerick about a goat who learned to play the violin\n")
    known = Benchmarks([tmp_path / name for name in ("a.parquet", "b.txt", "c/b.txt")])
    assert len(known) == 5
    wheres = [known.output_hit(text) for text in (LONG, SHORT, "a goat who learned to play")]
    assert [hit and hit.detail.split(":")[0] for hit in wheres] == [
        "a.parquet row 2",
        f"{tmp_path.name}/b.txt row 1",
        None,
    ]
    assert known.output_hit("write a limerick about a goat who learned to play the violin") is not None


def test_every_text_of_a_row_counts_in_whatever_column_and_however_deep(tmp_path: Path) -> None:
    rows_of = {
        "gsm.jsonl": {"question": "How many?", "answer": LONG, "id": 7},
        "mt.jsonl": {"question_id": 81, "turns": ["Write an essay.", LONG]},
        "chat.jsonl": {"messages": [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": LONG}]},
        "squad.json": {"data": [{"paragraphs": [{"context": LONG}]}]},
        "list.json": [{"goal": "other"}, {"goal": LONG}],
    }
    for name, row in rows_of.items():
        (tmp_path / name).write_text(json.dumps(row, indent=2 if name.endswith(".json") else None))
    nested = pa.array([{"label": ["A", "B"], "text": ["a short one", LONG]}])
    pq.write_table(pa.table({"question": ["Which?"], "choices": nested, "n": [1]}), tmp_path / "arc.parquet")
    leak = f"It is said that {LONG}."
    for name in (*rows_of, "arc.parquet"):
        hit = Benchmarks([tmp_path / name]).output_hit(leak)
        assert hit is not None, name
        assert hit.detail.startswith(f"{name} row {2 if name == 'list.json' else 1}: the same 13 words"), hit.detail


def test_rows_may_have_different_columns_and_repeat_their_texts(tmp_path: Path) -> None:
    lines = [{"question": "True or false?", "kind": "quiz"}, {"prompt": SHORT, "kind": "quiz"}, {"text": SHORT}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    known = Benchmarks([tmp_path / "a.jsonl"])
    hits = [known.task_hit(text, "") for text in (SHORT, f"{SHORT.replace('saturn', 'jupiter')}", "True or false?")]
    assert [hit and hit.detail.split(":")[0] for hit in hits] == ["a.jsonl row 2", "a.jsonl row 2", "a.jsonl row 1"]


def test_a_run_of_words_may_go_over_the_end_of_a_line_or_of_a_column(tmp_path: Path) -> None:
    words = LONG.split()
    (tmp_path / "wrapped.txt").write_text("\n".join(" ".join(words[at : at + 6]) for at in range(0, len(words), 6)))
    (tmp_path / "row.jsonl").write_text(
        json.dumps({"question": " ".join(words[:9]), "choices": [" ".join(words[9:14]), " ".join(words[14:])]})
    )
    for name in ("wrapped.txt", "row.jsonl"):
        assert Benchmarks([tmp_path / name]).output_hit(f"As they say: {' '.join(words[2:15])}") is not None
    (tmp_path / "apart.txt").write_text(f"{' '.join(words[:7])}\n\n{' '.join(words[7:14])}")
    assert Benchmarks([tmp_path / "apart.txt"]).output_hit(" ".join(words[:14])) is None


def test_an_output_that_is_close_to_a_solution_is_found(tmp_path: Path) -> None:
    known = benchmarks(tmp_path, LONG, "four")
    edited = LONG.split()
    edited[4], edited[11] = "leaps", "six"
    hit = known.output_hit(" ".join(edited))
    assert hit is not None
    assert hit.detail.startswith("bench.jsonl row 1: ROUGE-L 0.895 to: the quick")
    assert known.output_hit("four") is None  # a few common words prove nothing


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder, text in (("x/data", SHORT), ("y/data", LONG)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "test.txt").write_text(text)
    hit = Benchmarks([tmp_path / "x/data/test.txt", tmp_path / "y/data/test.txt"]).output_hit(LONG)
    assert hit is not None
    assert hit.detail.startswith("y/data/test.txt row 1:")


# In a run


CONFIG = """
instructions: {target: {input_output: 10, output_only: 10}, demonstrations: {input_output: 4, output_only: 4}}
models:
  base: {provider: scripted, function: "tests.support.simulated.models:base"}
  a: {provider: scripted, function: "tests.support.simulated.models:voter_a"}
  b: {provider: scripted, function: "tests.support.simulated.models:voter_b"}
roles: {instructions: base, instances: base, outputs: [a, b]}
"""


def dropped(cli: Cli, line: str) -> int:
    """How many rows `status` counts as contaminated."""
    status = cli("status", "run").stdout
    return sum(
        int(part.split()[0]) for part in status.replace("dropped ", "").replace(";", ",").split(",") if line in part
    )


def test_a_run_drops_them_and_selects_anew_without_asking(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    assert cli("run", "config.yaml", "--out", "run").returncode == 0
    before = rows(tmp_path / "run" / "examples.jsonl")
    first = (tmp_path / "run" / "examples.jsonl").read_bytes()
    taken = [before[0]["instruction"], f"{before[-1]['instruction']} {before[-1]['input']}"]
    (tmp_path / "bench.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in taken))
    database = (tmp_path / "run" / "run.db").stat().st_size
    done = cli("ensemble", "--run", "run", "--decontaminate", "bench.jsonl")
    assert done.returncode == 0, done.stderr
    assert database > 0
    after = rows(tmp_path / "run" / "examples.jsonl")
    gone = [row for row in before if row not in after]
    assert before[0] in gone
    assert before[-1] in gone
    assert [row for row in before if row in after] == after
    count = dropped(cli, "contaminated")
    assert count >= len(gone)
    # the config says it, so the same command resumes, and a fresh run drops the same
    again = cli("run", "--out", "run")
    assert again.returncode == 0, again.stderr
    assert rows(tmp_path / "run" / "examples.jsonl") == after
    fresh = cli("run", "config.yaml", "--out", "fresh", "--decontaminate", "bench.jsonl")
    assert fresh.returncode == 0, fresh.stderr
    assert (tmp_path / "fresh" / "examples.jsonl").read_bytes() == (tmp_path / "run" / "examples.jsonl").read_bytes()
    back = cli("ensemble", "--run", "run", "--set", "quality.decontaminate=[]")
    assert back.returncode == 0, back.stderr
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == first


def test_files_of_step_5_are_decontaminated_too(cli: Cli, tmp_path: Path) -> None:
    tasks: list[dict[str, Any]] = [
        {"instruction": SHORT, "input": "", "output": "Titan, Huygens"},
        {"instruction": "Name a colour that is warm.", "input": "", "output": "red"},
    ]
    for name in ("instances", "one"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in tasks))
    (tmp_path / "bench.txt").write_text(f"{SHORT}\n")
    arguments = ("ensemble", "--instances", "instances.jsonl", "--outputs", "one.jsonl", "--to", "out.jsonl")
    done = cli(*arguments, "--decontaminate", "bench.txt")
    assert done.returncode == 0, done.stderr
    assert [row["output"] for row in rows(tmp_path / "out.jsonl")] == ["red"]
    (drop,) = rows(tmp_path / "out.jsonl.rejected.jsonl")
    assert drop["reason"] == "contaminated"
    assert drop["detail"].startswith("bench.txt row 1: the same 9 words")


def test_files_of_step_5_take_the_other_filters_too(cli: Cli, tmp_path: Path) -> None:
    for name, output in (("instances", "I can't assist with that."), ("one", "Red, as roses are.")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"instruction": "Name it.", "input": "", "output": output}))
    arguments = ("ensemble", "--instances", "instances.jsonl", "--outputs", "one.jsonl", "--to", "out.jsonl")
    done = cli(*arguments, "--min-confidence", "0", "--set", "quality.refusals=true")
    assert done.returncode == 0, done.stderr
    assert [row["output"] for row in rows(tmp_path / "out.jsonl")] == ["Red, as roses are."]
    for wrong, message in (
        ("quality.refusal=true", "did you mean 'refusals'"),
        ("quality.toxicity.model=guard", "asks a model"),
        ("seed=1", "takes filters alone"),
    ):
        done = cli(*arguments, "--set", wrong)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert message in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.jsonl", None, "cannot be read"),
        ("a.jsonl", b"not json\n", "a.jsonl:1: not JSON"),
        ("a.jsonl", b'{"answer": 5}\n{"answer": null}\n', "a.jsonl: holds no text"),
        ("a.txt", b"\n \n", "a.txt: holds no text"),
        ("a.json", b'[{"question": ""}]', "a.json: holds no text"),
        ("a.jsonl.gz", gzip.compress(b'{"question": "x"}\n', mtime=0)[:-9], "a.jsonl.gz:2: from here on it is damaged"),
        ("a.jsonl", b'["x"]\n', "a.jsonl: object 1: expected a JSON object"),
        ("a.txt", b"fine\n\xff\xfe\n", "a.txt:2: not UTF-8"),
        ("a.parquet", b"PAR1 and nothing else", "Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_before_anything_is_asked(
    cli: Cli, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = cli("run", "config.yaml", "--out", "run", "--decontaminate", name)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert message in done.stderr
    assert not (tmp_path / "run").exists()
