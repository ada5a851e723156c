"""The card of a dataset, its licence file and `croissant.json`: what programs read, and what people do."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from ensemble_instruct.export.card import dataset_card, licence_file
from ensemble_instruct.export.croissant import croissant
from ensemble_instruct.export.facts import Facts, read_facts
from ensemble_instruct.export.front_matter import front_matter
from ensemble_instruct.export.layout import Column, read_tables, usual_tables
from tests.conftest import rows
from tests.support.card_text import front, section, table
from tests.support.forks import Forks, on_path, tree

HOSTILE = '`a|b` <script>alert("x")</script> [x](y) *z* _u_ $m$ ~s~ &amp; \u202egnirts\u202c \x07'
SCRIPT = """
from tests.support.simulated.models import base as demo, voter_a
def base(request):
    return demo(request)
def voter(request):
    return "```\\n---\\nlicense: mit\\n---\\n# Not a heading\\n</style><script> \\u202e " + voter_a(request).text
"""
CONFIG = f"""
instructions: {{target: {{input_output: 6, output_only: 5}}, demonstrations: {{input_output: 8, output_only: 6}}}}
models:
  base: {{provider: scripted, function: "card_scripts:base", license: MIT}}
  {json.dumps(HOSTILE)}: {{provider: scripted, function: "card_scripts:voter", license: llama3.1}}
  other: {{provider: scripted, function: "card_scripts:voter", license: Apache-2.0}}
roles: {{instructions: base, instances: base, outputs: [{json.dumps(HOSTILE)}, other]}}
seed_tasks: private-folder/my-seeds.jsonl
licenses: {{seed_tasks: CC-BY-4.0}}
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, finished_run: Path) -> Path:
    """A folder with a finished run, `my-demo_run`."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(finished_run, folder / "my-demo_run")
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    """A folder with a finished run whose names and texts are hard on a writer."""
    from importlib.resources import files

    folder = tmp_path_factory.mktemp("hostile")
    (folder / "private-folder").mkdir()
    seeds = (files("ensemble_instruct") / "data" / "seed_tasks.jsonl").read_bytes()
    own = seeds.replace(b'"instruction": "', b'"instruction": "Now: ', 1)
    (folder / "private-folder" / "my-seeds.jsonl").write_bytes(own)
    (folder / "card_scripts.py").write_text(SCRIPT)
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    done = forks.run(folder, ["run", "config.yaml", "--out", "run"], on_path(folder))
    assert done.returncode == 0, done.stderr
    assert any("```" in row["output"] for row in rows(folder / "run" / "examples.jsonl"))
    return folder


def test_the_front_matter_is_what_the_hub_reads(forks: Forks, demo: Path) -> None:
    done = forks.run(demo, ["card", "my-demo_run"])
    assert (done.returncode, done.stderr) == (0, "")
    assert front(done.stdout) == {
        "pretty_name": "my demo run",
        "license": "apache-2.0",
        "language": ["en"],
        "task_categories": ["text-generation"],
        "size_categories": ["n<1K"],
        "tags": ["instruction-tuning", "synthetic", "ensemble-instruct"],
        "configs": [
            {"config_name": "default", "default": True, "data_files": [{"split": "train", "path": "data/train-*"}]},
            {"config_name": "candidates", "data_files": [{"split": "train", "path": "candidates/train-*"}]},
        ],
    }
    assert "# my demo run\n" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("which", ["demo", "hostile"])
def test_the_validator_of_the_hub_reads_the_card(request: pytest.FixtureRequest, which: str) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="the Hub's validator is not installed")
    folder: Path = request.getfixturevalue(which)
    run = next(path for path in folder.iterdir() if (path / "run.db").is_file())
    text = dataset_card(read_facts(run))
    card = hub.DatasetCard(text)
    assert isinstance(card.data, hub.DatasetCardData)
    assert card.data.license == ("apache-2.0" if which == "demo" else "other")
    assert yaml.safe_load(card.data.to_yaml()) == front_matter(read_facts(run))
    assert card.text == text[text.index("\n---\n", 4) + 5 :]


def test_the_numbers_are_those_of_the_run(demo: Path) -> None:
    run = demo / "my-demo_run"
    card, all_rows = dataset_card(read_facts(run)), rows(run / "examples.jsonl")
    kept = section(card, "What was kept, and what was dropped")
    for kind, *_, examples in table(kept, "kind"):
        assert int(examples) == sum(row["kind"] == kind for row in all_rows)
    with closing(sqlite3.connect(run / "run.db")) as connection:
        dropped = connection.execute("SELECT step, kind, reason, COUNT(*) FROM rejected GROUP BY 1, 2, 3").fetchall()
    assert sorted(table(kept, "step")) == sorted([*row[:3], str(row[3])] for row in dropped)
    agreement = section(card, "Agreement")
    for kind, mean, mean_confidence, *tenths in table(agreement, "kind"):
        agreements = [row["agreement"] for row in all_rows if row["kind"] == kind]
        assert float(mean) == pytest.approx(sum(agreements) / len(agreements), abs=0.0005)
        values = [row["confidence"] for row in all_rows if row["kind"] == kind]
        assert float(mean_confidence) == pytest.approx(sum(values) / len(values), abs=0.0005)
        assert list(map(int, tenths)) == [
            sum(min(9, int(value * 10)) == tenth for value in values) for tenth in range(10)
        ]
    wins = {voter: int(count) for voter, count, _ in table(agreement, "voter")}
    assert wins == {voter: sum(voter in row["winners"] for row in all_rows) for voter in wins}
    assert len(wins) == 3
    assert "words on average" in agreement


def test_the_card_says_how_it_was_made(demo: Path) -> None:
    method = section(dataset_card(read_facts(demo / "my-demo_run")), "How it was made")
    assert ["strategy", "balanced"] in table(method, "setting")
    assert ["kept", "a confidence of 0.15 or more"] in table(method, "setting")
    assert ["seed of the random choices", "42"] in table(method, "setting")
    steps = {(row[0], row[2]) for row in table(method, "step")}
    assert {("instructions", "simulated-base"), ("outputs", "simulated-a"), ("outputs", "simulated-b")} <= steps
    assert "temperature 0.7, top-k 50, 50 to 512 tokens" in method
    assert len(set(re.findall(r"`([0-9a-f]{64})`", method))) == 4
    assert [
        "simulated-a",
        "tests.support.simulated.models:voter_a",
        "not declared",
        "scripted",
        "outputs",
    ] in table(method, "model")


def test_hostile_names_and_texts_stay_text(hostile: Path) -> None:
    facts = read_facts(hostile / "run")
    card = dataset_card(facts)
    assert front(card) == front_matter(facts)
    assert "\u202e" not in card
    assert "\x07" not in card
    outside = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", card)
    assert "```" not in outside
    assert "<script" not in re.sub(r"\\.", "", outside)
    assert [line for line in outside.split("\n") if line.startswith("# ")] == [f"# {facts.title}"]
    assert outside.count("\n---\n") == 1
    models = table(section(card, "How it was made"), "model")
    assert [len(row) for row in models] == [5, 5, 5]
    shown = re.sub(r"\\(.)", r"\1", models[1][0])
    assert shown == " ".join(HOSTILE.replace("\u202e", " ").replace("\u202c", " ").replace("\x07", " ").split())
    (block,) = re.findall(r"(?ms)^(`{3,})json\n(.*?)^\1$", section(card, "The data"))[:1]
    sample = json.loads(block[1])
    assert sample["output"] in {row["output"] for row in rows(hostile / "run" / "examples.jsonl")}


def test_licences_go_into_card_and_licence_file(hostile: Path) -> None:
    facts = read_facts(hostile / "run")
    values = front(dataset_card(facts))
    name = "apache-2.0-and-cc-by-4.0-and-llama3.1-and-mit"
    assert (values["license"], values["license_name"], values["license_link"]) == ("other", name, "LICENSE.md")
    text = licence_file(facts)
    assert name in text
    assert "llama.com/llama3_1/license" in text
    for shown in (section(dataset_card(facts), "Licences"), text):
        declared = {row[0]: row[1:3] for row in table(shown, "of")}
        assert declared["model other"] == ["Apache-2.0", "yes"]
        assert declared["seed tasks"] == ["CC-BY-4.0", "with conditions"]
        assert declared["bundled demonstrations"] == ["Apache-2.0", "yes"]
        assert "no legal advice" in shown


def test_what_is_the_owners_own_stays_out(hostile: Path) -> None:
    facts = read_facts(hostile / "run")
    text = dataset_card(facts) + croissant(facts) + licence_file(facts)
    assert "private-folder" not in text
    assert str(hostile) not in text
    assert "my-seeds.jsonl" in text
    assert front(text)["language"] == ["en"], "as the rows are"


def test_making_a_card_changes_nothing_and_gives_the_same_again(forks: Forks, demo: Path) -> None:
    before = tree(demo / "my-demo_run")
    for form in ("card", "licence", "croissant"):
        texts = []
        for name in ("one", "two"):
            done = forks.run(demo, ["card", "my-demo_run", "--format", form, "--to", name])
            assert (done.returncode, done.stdout, done.stderr) == (0, f"{name} written\n", "")
            texts.append((demo / name).read_bytes())
        assert texts[0] == texts[1]
    assert tree(demo / "my-demo_run") == before
    assert "run.db" in forks.run(demo, ["card", "my-demo_run", "--to", "my-demo_run/run.db"]).stderr


def test_a_run_without_any_example_has_a_card(demo: Path) -> None:
    facts = read_facts(demo / "my-demo_run")
    empty = replace(
        facts,
        kept={},
        agreement=(),
        wins=(),
        samples=(),
        requests=(),
        templates=(),
        days=("", ""),
        words=None,
        tables=usual_tables(0),
    )
    assert "There is no example." in dataset_card(empty)
    assert front(dataset_card(empty))["size_categories"] == ["n<1K"]
    assert json.loads(croissant(empty))["name"] == "my-demo_run"


@pytest.mark.parametrize(
    ("examples", "category"),
    [(999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**6, "1M<n<10M"), (10**7, "10M<n<100M")],
)
def test_sizes_are_those_of_the_hub(demo: Path, examples: int, category: str) -> None:
    facts = replace(read_facts(demo / "my-demo_run"), tables=usual_tables(examples))
    assert front_matter(facts)["size_categories"] == [category]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset in the layout of the Hub: two splits, one of them in two files, and a table of the candidates."""
    folder = tmp_path_factory.mktemp("written")
    row = {"messages": [{"role": "user", "content": "?"}], "id": "1", "winners": ["a"], "agreement": 0.5}
    for name, count in (("train-00000-of-00002", 3), ("train-00001-of-00002", 2), ("test-00000-of-00001", 1)):
        (folder / "data").mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist([row] * count), folder / "data" / f"{name}.parquet")
    (folder / "candidates").mkdir()
    shown = {"id": "1", "candidates": [{"voter": "a", "score": 1.0}], "matrix": [[0.0]]}
    pq.write_table(pa.Table.from_pylist([shown]), folder / "candidates" / "train-00000-of-00001.parquet")
    (folder / "data" / "notes.txt").write_text("no shard")
    return folder


def test_the_tables_of_a_written_dataset_are_read_from_its_files(written: Path, demo: Path) -> None:
    default, candidates = read_tables(written)
    assert [(split.name, split.rows, len(split.files)) for split in default.splits] == [("train", 5, 2), ("test", 1, 1)]
    text, number = Column("role", "text"), Column("agreement", "number")
    messages = Column("messages", "object", is_list=True, columns=(text, Column("content", "text")))
    assert set(default.columns) == {messages, Column("id", "text"), Column("winners", "text", is_list=True), number}
    assert candidates.columns[2] == Column("matrix", "other", is_list=True)
    facts = read_facts(demo / "my-demo_run", "me/my-data", (default, candidates))
    assert front_matter(facts)["configs"][0]["data_files"] == [
        {"split": "train", "path": "data/train-*"},
        {"split": "test", "path": "data/test-*"},
    ]
    assert ["default", "test", "1", "`data/test-*`"] in table(section(dataset_card(facts), "The data"), "table")


def test_croissant_describes_files_and_columns(forks: Forks, written: Path, demo: Path) -> None:
    done = forks.run(demo, ["card", "my-demo_run", "--format", "croissant", "--data", written, "--name", "me/my-data"])
    assert done.returncode == 0, done.stderr
    described = json.loads(done.stdout)
    assert described["@type"] == "sc:Dataset"
    assert described["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert {"name", "description", "license", "citeAs", "creator", "datePublished", "version"} <= described.keys()
    parts = {part["@id"]: part for part in described["distribution"]}
    files = [part for part in parts.values() if part["@type"] == "cr:FileObject"]
    assert {part["contentUrl"] for part in files} == {
        path.relative_to(written).as_posix() for path in written.rglob("*.parquet")
    }
    assert all(re.fullmatch(r"[0-9a-f]{64}", part["sha256"]) for part in files)
    default, candidates = described["recordSet"]
    names = [field["name"] for field in default["field"]]
    assert names == [f"default/{name}" for name in ("split", "messages", "id", "winners", "agreement")]
    assert [inner["name"] for inner in default["field"][1]["subField"]] == [
        "default/messages/role",
        "default/messages/content",
    ]
    assert "candidates/matrix" not in [field["name"] for field in candidates["field"]]
    for field in _leaves(default["field"] + candidates["field"]):
        assert parts[field["source"]["fileSet"]["@id"]]["@type"] == "cr:FileSet"


def _leaves(fields: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for field in fields:
        yield from _leaves(field["subField"]) if "subField" in field else [field]


def test_a_folder_without_a_dataset_is_refused(forks: Forks, demo: Path, tmp_path: Path) -> None:
    message = forks.refused(demo, "card", "my-demo_run", "--data", tmp_path)
    assert "holds no Parquet files" in message
    assert "is not a run folder" in forks.refused(demo, "card", "nowhere")


def test_the_card_of_a_run_that_goes_on_says_so(demo: Path) -> None:
    facts: Facts = replace(read_facts(demo / "my-demo_run"), state="running")
    assert "> The run was not finished" in dataset_card(facts)
