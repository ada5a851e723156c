"""The thoughts of voters in exports: those of the winning output alone, in a field of their own or in the text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import ensemble_instruct as ei
from ensemble_instruct.cli import main
from tests.conftest import rows

SCRIPTS = '''
"""Models that think, in a part of the protocol or in the text, and a voter that does not."""
import random
from ensemble_instruct.prompts.completions import HEADING
from ensemble_instruct.records import Response

WORDS = "amber birch cedar delta ember flint grove haven inlet jade kelp larch north opal pine river".split()

def base(request):
    if request.prompt.startswith(HEADING):
        return f" Explain {' '.join(random.Random(request.sampling.seed).sample(WORDS, 8))}."
    return Response("output: It is so.", reasoning="How tasks are made.")

def case(request):
    return len(request.prompt) % 3

def apart(request):
    answer = ("It is so.", "Something else.", "It is so.")[case(request)]
    return Response(answer, reasoning=" I think </think> apart.\\n")

def inside(request):
    return "<think>\\nI think inside.\\n</think>\\n\\n" + ("Other.", "It is so.", "Other.")[case(request)]

def plain(request):
    return "It is so."
'''
CONFIG = """
instructions: {target: {input_output: 0, output_only: 12}, window: 4}
models:
  base: {provider: scripted, function: "thinking_scripts:base"}
  apart: {provider: scripted, function: "thinking_scripts:apart"}
  inside: {provider: scripted, function: "thinking_scripts:inside"}
  plain: {provider: scripted, function: "thinking_scripts:plain"}
roles: {instructions: base, instances: base, outputs: VOTERS}
ensemble: {strategy: consensus, min_confidence: 0.1}
"""
APART, INSIDE = "I think </think> apart.", "I think inside."


def made(folder: Path, name: str, voters: str = "[apart, inside, plain]") -> ei.Run:
    """A finished run of these voters."""
    (folder / "thinking_scripts.py").write_text(SCRIPTS)
    config = folder / f"{name}.yaml"
    config.write_text(CONFIG.replace("VOTERS", voters))
    return ei.run(config, folder / name, progress=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("thinking")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield made(folder, "run")


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    """What the command `export` says on stderr."""
    with pytest.raises(SystemExit) as end:
        main(["export", *map(str, arguments)])
    assert end.value.code == code
    return capsys.readouterr().err


def thoughts(run: ei.Run) -> list[str]:
    """What each example should have, by who won: `apart` comes first."""
    found = [APART if "apart" in example.winners else INSIDE for example in run.examples()]
    assert set(found) == {APART, INSIDE}
    return found


def test_messages_have_the_thought_of_the_winner_in_a_field_of_its_own(run: ei.Run, tmp_path: Path) -> None:
    exported = run.export(tmp_path / "m.jsonl", form="messages", reasoning=True)
    wanted = [{"role": "assistant", "content": "It is so.", "reasoning_content": thought} for thought in thoughts(run)]
    assert [row["messages"][-1] for row in rows(tmp_path / "m.jsonl")] == wanted
    assert exported.with_thought == len(wanted)
    run.export(tmp_path / "without.jsonl", form="messages")
    assert {tuple(row["messages"][-1]) for row in rows(tmp_path / "without.jsonl")} == {("role", "content")}
    assert "I think" not in (run.folder / "examples.jsonl").read_text()


@pytest.mark.parametrize(
    ("form", "read"),
    [
        ("alpaca", lambda row: row["output"]),
        ("prompt-completion", lambda row: row["completion"]),
        ("messages", lambda row: row["messages"][-1]["content"]),
    ],
)
def test_where_there_is_no_field_the_text_begins_with_the_thought(
    run: ei.Run, tmp_path: Path, form: str, read: Any
) -> None:
    run.export(tmp_path / "rows.jsonl", form=form, reasoning=True, think_tags=form == "messages")
    wanted = [thought.replace("</think>", "") for thought in thoughts(run)]
    assert [read(row) for row in rows(tmp_path / "rows.jsonl")] == [
        f"<think>\n{thought}\n</think>\n\nIt is so." for thought in wanted
    ]
    assert all("reasoning_content" not in str(row) for row in rows(tmp_path / "rows.jsonl"))


def test_tables_have_thoughts_and_the_candidates_stay_as_they_are(run: ei.Run, tmp_path: Path) -> None:
    for name in ("messages", "examples"):
        run.export(f"{tmp_path}/{name}/", form="parquet", rows=name, reasoning=True, candidates=True)
    (shard,) = (tmp_path / "messages" / "data").iterdir()
    messages = [row["messages"] for row in pq.read_table(shard).to_pylist()]
    assert [last["reasoning_content"] for _, last in messages] == thoughts(run)
    assert {first["reasoning_content"] for first, _ in messages} == {None}
    (shard,) = (tmp_path / "examples" / "data").iterdir()
    assert {row["output"][:8] for row in pq.read_table(shard).to_pylist()} == {"<think>\n"}
    (shard,) = (tmp_path / "examples" / "candidates").iterdir()
    assert {row["output"] for row in pq.read_table(shard).to_pylist()} == {"It is so."}


def test_rows_without_a_thought_have_no_field_and_the_columns_stay(
    run: ei.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = made(run.folder.parent, "silent", "[plain]")
    note = said(capsys, "--format", "messages", "--reasoning", "--to", tmp_path / "m.jsonl", silent.folder)
    assert note.startswith("note: none of the examples have a thought")
    assert {tuple(row["messages"][-1]) for row in rows(tmp_path / "m.jsonl")} == {("role", "content")}
    for each, name in ((silent, "silent"), (run, "thinking")):
        each.export(tmp_path / f"{name}.parquet", form="parquet", rows="messages", reasoning=True)
    silent_schema, schema = (pq.read_schema(tmp_path / f"{name}.parquet") for name in ("silent", "thinking"))
    assert silent_schema == schema


def test_a_merged_run_has_the_thoughts_of_its_parts(run: ei.Run, tmp_path: Path) -> None:
    merged = ei.merge([run, made(run.folder.parent, "other", "[inside, plain]")], tmp_path / "merged", progress=False)
    merged.export(tmp_path / "m.jsonl", form="messages", reasoning=True)
    found = [row["messages"][-1].get("reasoning_content", "") for row in rows(tmp_path / "m.jsonl")]
    assert found == [
        APART if any(winner.startswith("apart") for winner in example.winners)
        else INSIDE if any(winner.startswith("inside") for winner in example.winners)
        else ""
        for example in merged.examples()
    ]  # fmt: skip
    assert set(found) >= {APART, INSIDE}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "original", "--reasoning"], "--reasoning: original has no place for thoughts; use messages"),
        (["--format", "preference", "--reasoning"], "--reasoning: preference has no place for thoughts; use messages"),
        (["--format", "messages", "--think-tags"], "--think-tags: says where thoughts go; give --reasoning too"),
    ],
)
def test_what_has_no_place_for_thoughts_is_refused(
    run: ei.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert says in said(capsys, *arguments, "--to", tmp_path / "x.jsonl", run.folder, code=2)
    assert not (tmp_path / "x.jsonl").exists()


def test_a_file_has_no_thoughts_to_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text(json.dumps({"instruction": "Add.", "input": "", "output": "3"}) + "\n")
    refused = said(capsys, "--format", "messages", "--reasoning", "--to", tmp_path / "x.jsonl", file, code=2)
    assert "--reasoning: reads what only a run has" in refused
