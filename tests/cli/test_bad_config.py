"""Commands refuse configs, options and places that cannot be: one line on stderr, exit 2, nothing written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ensemble_instruct.config.bundled import preset_names
from tests.support.forks import Forks, unwritable
from tests.support.good_input import SERVED_CONFIG, working_folder

RUN = ("run", "config.yaml", "--out", "run")
ENSEMBLE = ("ensemble", "--instances", "good.jsonl", "--outputs", "a.jsonl", "--outputs", "b.jsonl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return working_folder(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        "check bad.yaml",
        "run bad.yaml --out run --dry-run",
        "instructions bad.yaml --kind input_output --to out.jsonl",
        "instances bad.yaml --kind input_output --instructions good.jsonl --to out.jsonl",
        "outputs bad.yaml --model a --instances good.jsonl --to out.jsonl",
    ],
)
def test_every_command_refuses_a_bad_config(forks: Forks, folder: Path, arguments: str) -> None:
    (folder / "bad.yaml").write_text(SERVED_CONFIG.replace("window", "windw"))
    assert "bad.yaml:4: instructions.windw: unknown key" in forks.refused(folder, *arguments.split())


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((*RUN, "--set", "seed"), "--set seed: write it as key=value"),
        ((*RUN, "--set", "=5"), "--set =5: write it as key=value"),
        ((*RUN, "--set", "instructions.windw=5"), "instructions.windw: unknown key; did you mean 'window'?"),
        ((*RUN, "--set", "models.base.pric.input=5"), "models.base.pric: unknown key; did you mean 'price'?"),
        ((*RUN, "--set", "models.d.base_url=http://127.0.0.1:9/v1"), "models.d: 'model' is missing"),
        ((*RUN, "--set", "seed=many"), "seed: input should be a valid integer"),
        ((*RUN, "--set", "instructions.window={"), "--set instructions.window={: the value is not YAML"),
        ((*RUN, "--set", "models.base.provider.name=x"), "'provider' has no keys below it"),
        ((*RUN, "--set", "roles.outputs=[a, x]"), "roles.outputs: no model is called 'x'"),
        ((*RUN, "--preset", "demo"), "give either CONFIG or --preset"),
        (("run", "--out", "run"), "give a CONFIG or --preset NAME"),
        (("run", "--preset", "dmo", "--out", "run"), "--preset dmo: no such preset; there are demo, "),
        (("init", "--preset", "dmo", "new.yaml"), "--preset dmo: no such preset; there are demo, "),
        (("run", "config.yaml"), "--out"),
        (("rn", "config.yaml"), "rn"),
        (("parse", "--instances", "completions.jsonl"), "--to"),
        (("parse", "--instances", "completions.jsonl", "--to", "x", "--profile", "paper"), "'paper' is not one of"),
        (("parse", "--instances", "completions.jsonl", "--to", "x", "--novelty-threshold", "7"), "--novelty-threshold"),
        (("instructions", "config.yaml", "--kind", "both", "--to", "x"), "'both' is not one of"),
        (("outputs", "config.yaml", "--model", "d", "--instances", "good.jsonl", "--to", "x"), "--model d: no such"),
        ((*ENSEMBLE, "--to", "x", "--strategy", "best"), "'best' is not one of"),
        ((*ENSEMBLE, "--to", "x", "--keep", "0.5", "--min-confidence", "0.5"), "give either --min-conf"),
        ((*ENSEMBLE, "--to", "x", "--keep", "0.5", "--min-agreement", "0.5"), "give either --min-agreement or --keep"),
        ((*ENSEMBLE, "--to", "x", "--keep", "0"), "--keep"),
        ((*ENSEMBLE, "--to", "x", "--outputs", "a.jsonl"), "--outputs a.jsonl: is named twice"),
        ((*ENSEMBLE, "--to", "x", "--outputs", "./a.jsonl"), "is named twice"),
        ((*ENSEMBLE, "--to", "x", "--outputs", "good.jsonl", "--strategy", "released"), "needs exactly two --outputs"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line(forks: Forks, folder: Path, arguments: tuple[str, ...], problem: str) -> None:
    assert problem in forks.refused(folder, *arguments)


def test_an_unknown_preset_names_the_known_ones(forks: Forks, folder: Path) -> None:
    said = forks.refused(folder, "run", "--preset", "", "--out", "run")
    assert all(name in said for name in preset_names())


SECRET = "hunter2"


@pytest.mark.parametrize("address", [f"http://me:{SECRET}@127.0.0.1:9/v1", f"ftp://me:{SECRET}@127.0.0.1/v1"])
@pytest.mark.parametrize("place", ["file", "list", "--set", "OPENAI_BASE_URL"])
def test_a_password_in_an_address_is_refused_and_not_repeated(
    forks: Forks, folder: Path, place: str, address: str
) -> None:
    given = {"file": address, "list": f"[{address}]"}.get(place, "null")
    (folder / "bad.yaml").write_text(SERVED_CONFIG.replace("http://127.0.0.1:9/v1", given, 1))
    more = ["--set", f"models.base.base_url={address}"] if place == "--set" else []
    env = {"OPENAI_BASE_URL": address} if place == "OPENAI_BASE_URL" else {}
    said = forks.refused(folder, "run", "bad.yaml", "--out", "run", *more, env=env)
    assert SECRET not in said
    assert ("OPENAI_BASE_URL" if place == "OPENAI_BASE_URL" else "models.base.base_url") in said


@pytest.mark.parametrize(
    "command",
    [
        "run bad.yaml --out run",
        "instructions bad.yaml --kind input_output --to out.jsonl",
        "instances bad.yaml --kind input_output --instructions good.jsonl --to out.jsonl",
        "outputs bad.yaml --model base --instances good.jsonl --to out.jsonl",
    ],
)
def test_a_key_variable_that_is_not_set_is_named(forks: Forks, folder: Path, command: str) -> None:
    (folder / "bad.yaml").write_text(
        SERVED_CONFIG.replace("    model: m\n", "    model: m\n    api_key_env: MY_OWN_KEY\n", 1)
    )
    said = forks.refused(folder, *command.split())
    assert "models.base.api_key_env: environment variable MY_OWN_KEY is not set" in said


def test_a_key_in_place_of_the_name_of_its_variable_is_not_repeated(forks: Forks, folder: Path) -> None:
    bad = SERVED_CONFIG.replace("    model: m\n", f"    model: m\n    api_key_env: sk-{SECRET}\n", 1)
    (folder / "bad.yaml").write_text(bad)
    said = forks.refused(folder, "run", "bad.yaml", "--out", "run")
    assert "models.base.api_key_env" in said
    assert SECRET not in said


WRITERS = {
    "instructions": "instructions config.yaml --kind input_output --to TO",
    "instances": "instances config.yaml --kind input_output --instructions good.jsonl --to TO",
    "parse": "parse --instances completions.jsonl --to TO",
    "outputs": "outputs config.yaml --model a --instances good.jsonl --to TO",
    "ensemble": "ensemble --instances good.jsonl --outputs a.jsonl --outputs b.jsonl --to TO",
    "init": "init TO",
}


@pytest.mark.parametrize("place", ["missing folder", "folder", "below a file", "unwritable"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_place_that_cannot_be_written_is_refused(forks: Forks, folder: Path, writer: str, place: str) -> None:
    (folder / "here").mkdir()
    to, problem = {
        "missing folder": ("nowhere/out.jsonl", "nowhere does not exist"),
        "folder": ("here", "is a folder"),
        "below a file": ("good.jsonl/out.jsonl", "good.jsonl"),
        "unwritable": (str(unwritable(folder / "locked") / "out.jsonl"), "cannot be written"),
    }[place]
    said = forks.refused(folder, *WRITERS[writer].replace("TO", to).split())
    assert to in said
    assert problem in said


@pytest.mark.parametrize("writer", ["instructions", "instances", "outputs"])
def test_a_store_in_a_folder_that_is_not_there_is_refused(forks: Forks, folder: Path, writer: str) -> None:
    arguments = WRITERS[writer].replace("TO", "out.jsonl").split()
    assert "nowhere does not exist" in forks.refused(folder, *arguments, "--store", "nowhere/answers.db")


def test_a_store_that_is_no_store_is_refused_and_kept(forks: Forks, folder: Path) -> None:
    arguments = WRITERS["outputs"].replace("TO", "out.jsonl").split()
    assert "good.jsonl" in forks.refused(folder, *arguments, "--store", "good.jsonl")


@pytest.mark.parametrize("place", ["file", "foreign folder", "below a file", "unwritable"])
def test_a_place_that_cannot_become_a_run_is_refused(forks: Forks, folder: Path, place: str) -> None:
    out, problem = {
        "file": ("good.jsonl", "is a file"),
        "foreign folder": (".", "is not empty and not a run folder"),
        "below a file": ("good.jsonl/run", "cannot be created"),
        "unwritable": (str(unwritable(folder / "locked") / "run"), "cannot be created"),
    }[place]
    said = forks.refused(folder, "run", "config.yaml", "--out", out)
    assert out in said
    assert problem in said


def _foreign_database(folder: Path) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / "run.db") as connection:
        connection.execute("PRAGMA application_id = 7")
        connection.execute("CREATE TABLE t (x)")
    connection.close()


@pytest.mark.parametrize("command", ["status FOLDER", "export FOLDER --format alpaca --to out.jsonl"])
@pytest.mark.parametrize("place", ["nowhere", "config.yaml", "empty", "garbage", "foreign"])
def test_what_is_no_run_is_refused(forks: Forks, folder: Path, place: str, command: str) -> None:
    (folder / "empty").mkdir()
    (folder / "garbage").mkdir()
    (folder / "garbage" / "run.db").write_bytes(b"no database" * 1000)
    _foreign_database(folder / "foreign")
    assert place in forks.refused(folder, *command.replace("FOLDER", place).split())


def test_an_unknown_export_format_names_the_known_ones(forks: Forks, folder: Path) -> None:
    said = forks.refused(folder, "export", "nowhere", "--format", "csv", "--to", "out.csv")
    for form in ("original", "alpaca", "messages", "prompt-completion", "parquet"):
        assert form in said
