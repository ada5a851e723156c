"""Seed tasks and demonstrations: what the bundled ones hold, and how a user's own bad file is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.prompts.completions import instances_template
from ensemble_instruct.records import KINDS, Kind, Profile
from ensemble_instruct.rouge import rouge_tokens
from ensemble_instruct.steps.seed_tasks import load_demonstrations, load_seed_tasks
from tests.conftest import PUBLISHED_RUN, Cli, needs_shared, rows

Row = dict[str, Any]
BUNDLED = Path(str(files("ensemble_instruct") / "data"))
SEEDS = rows(BUNDLED / "seed_tasks.jsonl")
DEMONSTRATIONS: dict[Kind, list[Row]] = {kind: rows(BUNDLED / f"demonstrations_{kind}.jsonl") for kind in KINDS}


def outputs() -> Iterator[str]:
    for row in SEEDS:
        yield from (instance["output"] for instance in row["instances"])


# The bundled seed tasks


def test_there_are_125_seed_tasks_with_an_input_and_50_without() -> None:
    kinds = [task.kind for task in load_seed_tasks()]
    assert {kind: kinds.count(kind) for kind in KINDS} == {"input_output": 125, "output_only": 50}
    for row in SEEDS:
        assert len({bool(instance["input"].strip()) for instance in row["instances"]}) == 1, row["id"]


def test_seed_tasks_have_the_schema_of_self_instruct() -> None:
    for row in SEEDS:
        assert list(row) == ["id", "name", "instruction", "instances", "is_classification"]
        assert all(isinstance(row[name], str) and row[name].strip() for name in ("id", "name", "instruction"))
        assert isinstance(row["is_classification"], bool)
        assert row["instances"]
        for instance in row["instances"]:
            assert list(instance) == ["input", "output"]
            assert all(isinstance(text, str) for text in instance.values())
    for name in ("id", "name", "instruction"):
        assert len({row[name] for row in SEEDS}) == len(SEEDS)


def test_seed_outputs_are_not_empty_and_some_have_several_lines() -> None:
    assert all(text.strip() for text in outputs())
    assert sum("\n" in text.strip() for text in outputs()) >= 20
    assert sum("\n" in instance["input"] for row in SEEDS for instance in row["instances"]) >= 20
    assert 5 <= sum(row["is_classification"] for row in SEEDS) <= 60


def test_no_seed_text_holds_a_marker_of_a_prompt() -> None:
    for row in SEEDS:
        texts = [row["instruction"], *(text for instance in row["instances"] for text in instance.values())]
        assert not [text for text in texts if "|EoS|" in text]
        assert "\n" not in row["instruction"]


def test_no_two_seed_tasks_are_alike() -> None:
    pool = NoveltyPool(tokens=rouge_tokens)
    for row in SEEDS:
        score, nearest = pool.nearest(row["instruction"])
        assert score <= 0.5, (row["instruction"], pool[nearest])
        pool.add(row["instruction"])


@needs_shared
def test_no_seed_task_or_demonstration_is_close_to_a_published_one() -> None:
    published = [row["instruction"] for row in rows(PUBLISHED_RUN / "seed_tasks.jsonl")]
    pool = NoveltyPool(published, tokens=rouge_tokens)
    for row in [*SEEDS, *DEMONSTRATIONS["input_output"], *DEMONSTRATIONS["output_only"]]:
        score, nearest = pool.nearest(row["instruction"])
        assert score <= 0.6, (row["instruction"], pool[nearest])


# The bundled demonstrations


def test_there_are_about_18_and_15_demonstrations_some_of_several_lines() -> None:
    assert 16 <= len(DEMONSTRATIONS["input_output"]) <= 20
    assert 13 <= len(DEMONSTRATIONS["output_only"]) <= 17
    for kind, demonstrations in DEMONSTRATIONS.items():
        fields = ["instruction", "input", "output"] if kind == "input_output" else ["instruction", "output"]
        for row in demonstrations:
            assert list(row) == fields
            assert all(text.strip() == text != "" for text in row.values()), row["instruction"]
            assert "|EoS|" not in "".join(row.values())
        assert sum("\n" in row["output"] for row in demonstrations) >= 3
        assert any("\n\n" in row["output"] for row in demonstrations)
        assert len({row["instruction"] for row in demonstrations}) == len(demonstrations)
    assert sum("\n" in row["input"] for row in DEMONSTRATIONS["input_output"]) >= 3


@pytest.mark.parametrize("profile", ["default", "published"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_template_of_step_2_takes_about_10_kb_or_less(kind: Kind, profile: Profile) -> None:
    template = instances_template(kind, load_demonstrations(kind), profile)
    assert len(template.text.encode()) <= 10_240
    assert template.text.count("instruction: ") == len(DEMONSTRATIONS[kind])
    assert template.prompt("Do it.").endswith("\n\ninstruction: Do it.\n")
    assert ("|EoS|" in template.text) == (profile == "published")


# A user's own files


def seed(number: int, given: str = "in", **changes: object) -> Row:
    row = {
        "id": f"mine{number}",
        "name": f"task_{number}",
        "instruction": f"Do thing number {number}.",
        "instances": [{"input": given, "output": "out"}],
        "is_classification": False,
    }
    return {name: value for name, value in (row | changes).items() if value is not None}


def refusal(cli: Cli, folder: Path, extra: str) -> str:
    """The one line with which `run` refuses a config, having written nothing."""
    config = """
        models: {m: {model: m, base_url: "http://127.0.0.1:9/v1"}}
        roles: {instructions: m, instances: m, outputs: [m]}
        licenses: {policy: any}
    """
    (folder / "config.yaml").write_text("\n".join(line.strip() for line in (config + extra).splitlines()))
    before = sorted(folder.iterdir())
    done = cli("run", "config.yaml", "--out", "made")
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert sorted(folder.iterdir()) == before
    return str(done.stderr)


BAD_SEEDS: dict[str, tuple[str | bytes, str]] = {
    "broken JSON": ('{"id": "x", ', "JSON"),
    "not an object": ("[1, 2]", "object"),
    "a missing field": (json.dumps(seed(3, instruction=None)), "'instruction' is missing"),
    "a wrong type": (json.dumps(seed(3, is_classification="no")), "'is_classification' must be true or false"),
    "an empty instruction": (json.dumps(seed(3, instruction=" ")), "'instruction' is empty"),
    "no instances": (json.dumps(seed(3, instances=[])), "'instances' is empty"),
    "an instance without output": (json.dumps(seed(3, instances=[{"input": "a"}])), "'output'"),
    "an instance that is a string": (json.dumps(seed(3, instances=["a"])), "'instances'"),
    "an empty output": (json.dumps(seed(3, instances=[{"input": "a", "output": " \n"}])), "empty 'output'"),
    "an id given twice": (json.dumps(seed(3, id="mine1")), "stands already in line 1"),
    "bytes that are not UTF-8": (b'{"id": "\xff"}', "UTF-8"),
}


def write_seeds(path: Path, last: str | bytes) -> Path:
    good = "".join(json.dumps(seed(number)) + "\n" for number in (1, 2))
    path.write_bytes(good.encode() + (last.encode() if isinstance(last, str) else last) + b"\n")
    return path


def test_seed_tasks_may_be_conversations_of_any_form(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": [{"type": "text", "text": "Name a fruit."}]}]
    said = [{"role": "assistant", "content": "A pear."}]
    forms: list[dict[str, object]] = [
        {"instruction": "Name a fruit.", "input": None, "output": "A pear."}, {"messages": asked + said},
        {"prompt": asked, "completion": said}, {"prompt": asked, "completion": "A pear."},
    ]  # fmt: skip
    (tmp_path / "seeds.json").write_text(json.dumps(forms))
    tasks = load_seed_tasks(tmp_path / "seeds.json")
    assert [(task.instruction, task.instances) for task in tasks] == [("Name a fruit.", (("", "A pear."),))] * 4


@pytest.mark.parametrize("what", BAD_SEEDS)
def test_a_bad_seed_task_is_refused_with_file_line_and_reason(tmp_path: Path, what: str) -> None:
    line, reason = BAD_SEEDS[what]
    path = write_seeds(tmp_path / "mine.jsonl", line)
    with pytest.raises(InputFileError) as refused:
        load_seed_tasks(path)
    assert str(refused.value).startswith(f"{path}:3: ")
    assert reason in str(refused.value)


@pytest.mark.parametrize("what", ["broken JSON", "an empty output"])
def test_a_run_with_a_bad_seed_task_ends_at_once_with_that_line(cli: Cli, tmp_path: Path, what: str) -> None:
    line, reason = BAD_SEEDS[what]
    write_seeds(tmp_path / "mine.jsonl", line)
    told = refusal(cli, tmp_path, "seed_tasks: mine.jsonl")
    assert f"{tmp_path / 'mine.jsonl'}:3: " in told
    assert reason in told


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no seed tasks"),
        ("".join(json.dumps(seed(number)) + "\n" for number in range(10)), "10 seed tasks of kind input_output"),
        (
            "".join(json.dumps(seed(number, "" if number % 8 == 0 else "in")) + "\n" for number in range(40)),
            "5 seed tasks of kind output_only",
        ),
    ],
    ids=["none", "too few with input", "too few without input"],
)
def test_a_file_with_too_few_seed_tasks_is_refused(cli: Cli, tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "mine.jsonl").write_text(text)
    told = refusal(cli, tmp_path, "seed_tasks: mine.jsonl")
    assert str(tmp_path / "mine.jsonl") in told
    assert reason in told


@pytest.mark.parametrize("name", ["nowhere.jsonl", "."])
def test_seed_tasks_that_cannot_be_read_are_refused(cli: Cli, tmp_path: Path, name: str) -> None:
    assert f"{tmp_path / name}: cannot be read" in refusal(cli, tmp_path, f"seed_tasks: {name}")


BAD_DEMONSTRATIONS: dict[str, tuple[Kind, Row, str]] = {
    "no output": ("input_output", {"instruction": "a", "input": "b"}, "'output' is missing"),
    "a number": ("input_output", {"instruction": "a", "input": 3, "output": "c"}, "'input' must be a string"),
    "an empty input": ("input_output", {"instruction": "a", "input": "", "output": "c"}, "'input' is empty"),
    "an empty output": ("output_only", {"instruction": "a", "output": "\n"}, "'output' is empty"),
    "an input too many": ("output_only", {"instruction": "a", "input": "b", "output": "c"}, "'input'"),
    "a heading in a text": ("output_only", {"instruction": "a", "output": "b\noutput: c"}, "'output' begins with"),
}


def write_demonstrations(path: Path, kind: Kind, last: Row) -> Path:
    good = {"instruction": "x", "output": "z"} | ({"input": "y"} if kind == "input_output" else {})
    path.write_text(f"{json.dumps(good)}\n\n{json.dumps(last)}\n")
    return path


@pytest.mark.parametrize("what", BAD_DEMONSTRATIONS)
def test_a_bad_demonstration_is_refused_with_file_line_and_reason(tmp_path: Path, what: str) -> None:
    kind, row, reason = BAD_DEMONSTRATIONS[what]
    path = write_demonstrations(tmp_path / "mine.jsonl", kind, row)
    with pytest.raises(InputFileError) as refused:
        load_demonstrations(kind, path)
    assert str(refused.value).startswith(f"{path}:3: ")
    assert reason in str(refused.value)


@pytest.mark.parametrize("what", ["an empty input", "a heading in a text"])
def test_a_run_with_a_bad_demonstration_ends_at_once_with_that_line(cli: Cli, tmp_path: Path, what: str) -> None:
    kind, row, reason = BAD_DEMONSTRATIONS[what]
    write_demonstrations(tmp_path / "mine.jsonl", kind, row)
    told = refusal(cli, tmp_path, f"instances: {{demonstrations: {{{kind}: mine.jsonl}}}}")
    assert f"{tmp_path / 'mine.jsonl'}:3: " in told
    assert reason in told
